import { type Command, Option } from "commander";
import { LocalClient } from "../authority/client.js";
import type { AuthorityService } from "../authority/service.js";
import { isOver, type shownStatus, standingOf, stateText } from "../client/officer.js";
import { partyOf } from "../client/party.js";
import { TwinwrapError } from "../errors.js";
import {
  encodeRelease,
  encodeRequest,
  REQUEST_STATUSES,
  type RequestQuery,
} from "../escrow/index.js";
import { type Cell, outside } from "../text.js";
import { clientOf, type NamedParty, unlock, withParty, withService } from "./authority-io.js";
import {
  type AuthorityKeyOptions,
  addAuthorityKeyOption,
  authorityOption,
  type ReadingOptions,
  readOnlyOption,
  requireAuthority,
} from "./authority-options.js";
import {
  addOutputOptions,
  EXIT,
  integerBetween,
  jsonOption,
  newCommand,
  type OutputOptions,
  wholeOption,
} from "./command.js";
import { outputFor, tell, warn } from "./io.js";
import { asUsage } from "./report.js";
import { describeQuestion, standingFacts, summaryFacts } from "./standing.js";
import { pageText } from "./text.js";

/** For people, a request that has expired is not open any more. */
type ShownStatus = ReturnType<typeof shownStatus>;
const SHOWN_STATUSES: readonly ShownStatus[] = [...REQUEST_STATUSES, "expired"];

/** Which requests have this status. */
export function requestQuery(status: ShownStatus | undefined): RequestQuery {
  if (status === undefined) return {};
  if (status === "open") return { status, after: new Date() };
  return status === "expired" ? { status: "open", until: new Date() } : { status };
}

interface RequestsOptions extends ReadingOptions, OutputOptions {
  status?: ShownStatus;
  limit: number;
  cursor?: string;
  json?: boolean;
}

async function requests(id: string | undefined, options: RequestsOptions): Promise<void> {
  await withParty(
    requireAuthority(options),
    (party) => (id === undefined ? listRequests(party, options) : showRequest(party, id, options)),
    { readOnly: options.readOnly },
  );
}

async function showRequest(party: NamedParty, id: string, options: RequestsOptions): Promise<void> {
  clientOf(party);
  const standing = await standingOf(party, id);
  const { output } = options;
  const write = await outputFor([], output, options);
  await write([encodeRequest(standing.request)]);
  tell(
    options,
    standingFacts(standing),
    describeQuestion(party.core, standing, [], output),
    output,
  );
}

async function listRequests(party: NamedParty, options: RequestsOptions): Promise<void> {
  const { status, limit, cursor } = options;
  const client = clientOf(party);
  const { rows, next } = await asUsage(() =>
    client.requests(requestQuery(status), { limit, cursor }),
  );
  const facts = rows.map(summaryFacts);
  const lines = [
    ["id", "status", "received", "expires", "records", "requester"],
    ...facts.map(({ id, status, received, expires, records, requester }): Cell[] => [
      ...[id, status, received, expires, String(records)],
      outside(requester),
    ]),
  ];
  tell(options, { requests: facts, next }, pageText(lines, "no such request", next));
}

async function release(
  id: string,
  options: AuthorityKeyOptions & OutputOptions & { partial?: boolean; json?: boolean },
): Promise<void> {
  const path = requireAuthority(options);
  const { output } = options;
  const work = async (service: AuthorityService) => {
    const party = partyOf(service.core, service.authority, new LocalClient(service));
    const standing = await standingOf(party, id);
    if (standing.status !== "released" && !standing.decision.approved) {
      warn(`nothing is released: ${stateText(standing)}`);
      process.exitCode = isOver(standing) ? EXIT.failed : EXIT.waiting;
      return;
    }
    const write = await outputFor([], output, options);
    if (standing.status !== "released") await unlock(service, path, { ...options, ask: true });
    const released = await service.release(id).catch((error) => {
      throw withAdvice(error, options);
    });
    await write([encodeRelease(released)]);
    const count = released.releases.length;
    const missing = released.request.records.length - count;
    const rows = [["released", `${count} of ${released.request.records.length} records`]];
    if (output !== undefined) rows.push(["release", output]);
    tell(options, { id: standing.id, released: count, missing }, rows, output);
    if (missing > 0) {
      warn(`missing: ${missing}, as none of their wraps opens; a new request can ask for them`);
    }
  };
  await withService(path, work, options);
}

function withAdvice(error: unknown, { partial }: { partial?: boolean }): unknown {
  if (!partial && error instanceof TwinwrapError && error.code === "DECRYPTION_FAILED") {
    error.message += " (--partial)";
  }
  return error;
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
    .addOption(readOnlyOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
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
    .addOption(wholeOption())
    .action(release);
}
