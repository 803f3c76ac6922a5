import { type Command, Option } from "commander";
import { recordOfRow } from "../authority/opening.js";
import type { Standing } from "../authority/requests.js";
import type { AuthorityService } from "../authority/service.js";
import {
  REQUEST_STATUSES,
  type RequestQuery,
  type RequestRow,
  type RequestStatus,
} from "../authority/store/store.js";
import { type Core, sharedCore } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import { encodeRelease, isProven, parseRequestId, recipientFingerprint } from "../escrow/index.js";
import { formatTime } from "../jcs.js";
import {
  type AuthorityKeyOptions,
  type AuthorityOptions,
  addAuthorityKeyOption,
  authorityOption,
  requireAuthority,
  unlock,
  withService,
} from "./authority-io.js";
import { NOT_PROVEN, recordFacts, recordLines } from "./authority-records.js";
import {
  addOutputOptions,
  EXIT,
  integerBetween,
  jsonOption,
  newCommand,
  type OutputOptions,
  UsageError,
} from "./command.js";
import { checkOutput, print, printJson, warn, writeOutput } from "./io.js";
import { asUsage } from "./report.js";
import { formatFingerprint, safe, table } from "./text.js";

/** To people a request that has expired is not open any more, though nothing was written down. */
type ShownStatus = RequestStatus | "expired";
const SHOWN_STATUSES: readonly ShownStatus[] = [...REQUEST_STATUSES, "expired"];

function statusOf({ status, expires }: RequestRow): ShownStatus {
  return status === "open" && expires <= new Date() ? "expired" : status;
}

/** Which rows have this status. */
export function requestQuery(status: ShownStatus | undefined): RequestQuery {
  if (status === undefined) return {};
  if (status === "open") return { status, after: new Date() };
  return status === "expired" ? { status: "open", until: new Date() } : { status };
}

interface RequestsOptions extends AuthorityOptions, OutputOptions {
  status?: ShownStatus;
  limit: number;
  cursor?: string;
  json?: boolean;
}

async function requests(id: string | undefined, options: RequestsOptions): Promise<void> {
  const { status, limit, cursor } = options;
  await withService(requireAuthority(options), async (service) => {
    if (id !== undefined) {
      const standing = await service.standing(id);
      if (options.output !== undefined) {
        await checkOutput([], options.output, options);
        await writeOutput(options.output, [standing.row.bytes], { force: options.force ?? false });
      }
      if (options.json) printJson(standingFacts(service.core, standing), options.output);
      else print(await describeStanding(standing), options.output);
      return;
    }
    const page = { limit, ...(cursor === undefined ? {} : { cursor }) };
    const { rows, next } = await asUsage(() => service.store.requests(requestQuery(status), page));
    if (options.json) {
      printJson({ requests: rows.map(requestFacts), next });
      return;
    }
    const heads = ["id", "status", "received", "expires"];
    if (rows.length === 0) print("no such request\n");
    else print(table([heads, ...rows.map((row) => Object.values(requestFacts(row)))]));
    if (next !== undefined) print(`there are more: --cursor ${next}\n`);
  });
}

function requestFacts(row: RequestRow): Record<string, string> {
  const { id, received, expires } = row;
  const times = { received: formatTime(received), expires: formatTime(expires) };
  return { id, status: statusOf(row), ...times };
}

/** Where a request stands, in words. */
export function stateOf({ row, decision }: Standing): string {
  const status = statusOf(row);
  if (status !== "open") return status;
  const when = decision.notBefore === undefined ? "" : ` until ${formatTime(decision.notBefore)}`;
  return decision.reason === undefined ? "approved" : `waiting: ${decision.reason}${when}`;
}

function standingFacts(core: Core, standing: Standing): Record<string, unknown> {
  const { row, request, decision, policy, records } = standing;
  const names = (side: Standing["decision"]["count"]["approving"]) =>
    side.map(({ officer }) => officer.name);
  return {
    ...requestFacts(row),
    state: stateOf(standing),
    requester: request.requester,
    padding: request.padding,
    policy: { number: policy.number, hash: formatFingerprint(policy.hash) },
    needed: policy.release,
    approved: names(decision.count.approving),
    denied: names(decision.count.denying),
    records: records.map((record) => recordFacts(core, record)),
  };
}

/** A request for people: everything an officer has to know before he signs. */
export async function describeStanding(standing: Standing): Promise<string> {
  const { row, request, decision, policy, records } = standing;
  const core = await sharedCore();
  const recipient = recipientFingerprint(core, request);
  const unproven = records.filter((record) => !isProven(recordOfRow(core, record))).length;
  const { approving, denying } = decision.count;
  const words = [
    ...approving.map(({ officer, approval }) => ["approved by", officer.name, approval.identity]),
    ...denying.map(({ officer, approval }) => ["denied by", officer.name, approval.identity]),
  ].map(([name, officer, identity]) => [name!, `${safe(officer!)}: ${safe(identity!)}`]);
  return `${table([
    ["request", row.id],
    ["requester", safe(request.requester)],
    ["recipient", `${formatFingerprint(recipient)}  ${request.padding}`],
    ["received", formatTime(row.received)],
    ["expires", formatTime(row.expires)],
    ["policy", `number ${policy.number}: ${policy.release} of ${policy.officers.length} officers`],
    ...words,
    ["state", stateOf(standing)],
    ["records", recordsText(records)],
    ...(unproven === 0 ? [] : [["beware", `${NOT_PROVEN} (${unproven} of them)`]]),
  ])}${table(recordLines(core, records).map((cells) => ["", ...cells]))}`;
}

/** How many, and that some may turn out not to open. */
function recordsText(records: Standing["records"]): string {
  const unverified = records.filter(({ status }) => status === "unverified").length;
  if (unverified === 0) return String(records.length);
  return `${records.length}, ${unverified} of them never opened: whether these can be released shows then`;
}

/**
 * What follows the last approval that is needed.
 * @throws the error that kept it from being done, which says that the approval was taken all the same
 */
export async function afterApproval<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TwinwrapError || error instanceof UsageError) {
      error.message = `the approval was taken and was the last that is needed, but: ${error.message}`;
    }
    throw error;
  }
}

async function release(
  id: string,
  options: AuthorityKeyOptions & OutputOptions & { partial?: boolean; json?: boolean },
): Promise<void> {
  const path = requireAuthority(options);
  const { output } = options;
  const work = async (service: AuthorityService) => {
    const standing = await service.standing(id);
    const { row, decision } = standing;
    if (row.status !== "released" && !decision.approved) {
      warn(`nothing is released: ${stateOf(standing)}`);
      const isOver = row.status === "denied" || row.expires <= new Date();
      process.exitCode = isOver ? EXIT.failed : EXIT.waiting;
      return;
    }
    if (output !== undefined) await checkOutput([], output, options);
    if (row.status !== "released") await unlock(service, path, { ...options, ask: true });
    const released = await service.release(id);
    if (output !== undefined) {
      await writeOutput(output, [encodeRelease(released)], { force: options.force ?? false });
    }
    const count = released.releases.length;
    const missing = released.request.records.length - count;
    if (options.json) printJson({ id: parseRequestId(id), released: count, missing }, output);
    else {
      const rows = [["released", `${count} of ${released.request.records.length} records`]];
      if (output !== undefined) rows.push(["release", safe(output)]);
      print(table(rows), output);
    }
    if (missing > 0) {
      warn(`missing: ${missing}, as none of their wraps opens; a new request can ask for them`);
    }
  };
  await withService(path, work, options);
}

export function requestsCommand(): Command {
  const command = newCommand(
    "requests",
    "Lists requests, newest first; with an ID, where one stands. -o writes the request as a file.",
    "twinwrap authority requests --status open",
  ).argument("[id]", "a request's ID");
  return addOutputOptions(command, "where the request goes, with ID")
    .addOption(new Option("--status <status>", "only these").choices(SHOWN_STATUSES))
    .option("--limit <n>", "how many at once", integerBetween(1, 1000), 50)
    .option("--cursor <cursor>", "go on where the page before ended")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(requests);
}

export function releaseCommand(): Command {
  const command = newCommand(
    "release",
    "Releases what is approved; what was released before is given again, the same bytes.",
    "twinwrap authority release ID -o release.json",
  ).argument("<id>", "the request's ID");
  return addAuthorityKeyOption(addOutputOptions(command, "where the release goes"))
    .option("--partial", "release the others, where a record has no wrap that opens")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(release);
}
