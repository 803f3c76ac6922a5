import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Command } from "commander";
import { LocalClient } from "../authority/client.js";
import { MAX_GROUP } from "../authority/groups.js";
import type { IntakeResult } from "../authority/intake.js";
import type { AuthorityService } from "../authority/service.js";
import { equalBytes, toHex } from "../bytes.js";
import { present } from "../calls.node.js";
import { closingState } from "../client/closing.js";
import { readStanding, stateText } from "../client/officer.js";
import { partyOf } from "../client/party.js";
import { formatSerial } from "../envelope/index.js";
import { isAboutContent, TwinwrapError } from "../errors.js";
import {
  decodeReceipt,
  encodeReceipt,
  type Receipt,
  receiptLeaf,
  type Submission,
  submissionsOf,
} from "../escrow/index.js";
import { readFileWhole, writeFileWhole } from "../files.node.js";
import { outsidePath } from "../text.js";
import { unlock, withService } from "./authority-io.js";
import {
  type AuthorityKeyOptions,
  addAuthorityKeyOption,
  authorityOption,
  requireAuthority,
} from "./authority-options.js";
import { signatureText } from "./authority-policy.js";
import { EXIT, jsonOption, newCommand, wholeOption } from "./command.js";
import { Report, STANDARD, tell, warn } from "./io.js";
import { type Message, readMessage } from "./messages.js";
import { about, complain } from "./report.js";

interface IntakeOptions extends AuthorityKeyOptions {
  output?: string;
  json?: boolean;
}

const TAKEN = [
  "submission",
  "sealed file",
  "request",
  "approval",
  "veto",
  "policy",
  "identity",
] as const;

type IntakeMessage = Extract<Message, { kind: (typeof TAKEN)[number] }>;
type Submitted = Extract<IntakeMessage, { kind: "submission" | "sealed file" }>;

interface Taken {
  file: string;
  kind: string;
  result: string;
  record?: string;
  receipt?: string;
}

/** A submission's name without its ending: report.twin.0123.submission.json → report.twin.0123 */
function stem(path: string): string {
  return basename(path).replace(/(\.submission)?\.json$/, "");
}

/** What is in a receipt's place: nothing, an older one of the same record, or something else. */
async function placeOf(path: string, receipt: Receipt): Promise<"free" | "older" | "taken"> {
  const stats = present(path);
  if (stats === undefined) return "free";
  // Reading a FIFO would wait for somebody who writes.
  if (!stats.isFile()) return "taken";
  try {
    const there = receiptLeaf(decodeReceipt(await readFileWhole(path, 1 << 18)));
    return equalBytes(there.record, receiptLeaf(receipt).record) ? "older" : "taken";
  } catch (error) {
    if (isAboutContent(error)) return "taken";
    throw error;
  }
}

/**
 * Writes a receipt. It replaces only an older one of the same record. Where another one is, as of a submission of
 * the same name from another folder, the record's hash goes into the name.
 * @returns its file
 */
async function writeReceipt(folder: string, name: string, receipt: Receipt): Promise<string> {
  const hash = toHex(receiptLeaf(receipt).record.subarray(0, 8));
  const paths = [name, `${name}.${hash}`].map((each) => join(folder, `${each}.receipt.json`));
  for (const path of paths) {
    const place = await placeOf(path, receipt);
    if (place === "taken") continue;
    await writeFileWhole(path, [encodeReceipt(receipt)], { force: place === "older" });
    return path;
  }
  throw new TwinwrapError(
    "CONFLICT",
    `${paths.join(" and ")} exist already: no receipt was written`,
  );
}

/** What a file holds for the authority. @throws TwinwrapError NOT_FOUND */
function submissionsIn({ core, authority }: AuthorityService, message: Submitted): Submission[] {
  if (message.kind === "submission") return [message.submission];
  const held = submissionsOf(core, message.head, authority.origin);
  if (held.length > 0) return held.map(({ submission }) => submission);
  throw new TwinwrapError("NOT_FOUND", "the file holds no submission for this authority");
}

/** Answers a file's submissions: a bad one, which a stranger may have put there, stops no other. */
async function answerSubmissions(
  path: string,
  results: readonly IntakeResult[],
  options: IntakeOptions,
): Promise<Taken[]> {
  const folder = options.output ?? (path === STANDARD ? "." : dirname(path));
  const taken: Taken[] = [];
  const failures: unknown[] = [];
  for (const result of results) {
    if ("error" in result) {
      failures.push(result.error);
      continue;
    }
    const { record, status, isRepaired, receipt } = result;
    const name = path === STANDARD ? toHex(record.subarray(0, 8)) : stem(path);
    const output = await writeReceipt(folder, name, receipt);
    taken.push({
      file: path,
      kind: "submission",
      result: isRepaired ? `${status}, in place of a damaged wrap` : status,
      record: toHex(record),
      receipt: output,
    });
  }
  if (taken.length === 0) throw failures[0];
  for (const error of failures) await about(path, () => Promise.reject(error)).catch(complain);
  return taken;
}

/** Takes any other message. @returns what came of it */
async function takeMessage(
  service: AuthorityService,
  message: Exclude<IntakeMessage, Submitted>,
): Promise<string> {
  switch (message.kind) {
    case "request": {
      const { id, status } = await service.takeRequest(message.request);
      return `${id}  ${status}`;
    }
    case "approval":
    case "veto": {
      const client = new LocalClient(service);
      const party = partyOf(service.core, service.authority, client);
      const standing = await readStanding(party, await client.decide(message.note));
      return `${standing.id}  ${stateText(standing)}`;
    }
    case "identity":
      return closingState(await service.takeClosing(message.note));
    case "policy":
      return signatureText(await service.takePolicy(message.note));
  }
}

/**
 * Takes files in the order given. Submissions of files that follow each other share transactions; each file is answered
 * by itself.
 */
async function takeFiles(
  service: AuthorityService,
  paths: readonly string[],
  options: IntakeOptions,
  show: (taken: readonly Taken[]) => void,
): Promise<void> {
  let inbox: { path: string; submissions: Submission[] }[] = [];
  const takeInbox = async () => {
    const held = inbox;
    if (held.length === 0) return;
    inbox = [];
    const results = await service.intake(held.flatMap(({ submissions }) => submissions));
    for (const { path, submissions } of held) {
      const mine = results.splice(0, submissions.length);
      await doOne(path, async () => show(await answerSubmissions(path, mine, options)));
    }
  };
  const doOne = async (path: string, work: () => Promise<void>) => {
    try {
      await about(path, work);
    } catch (error) {
      if (paths.length === 1) throw error;
      await takeInbox();
      complain(error);
    }
  };
  for (const path of paths) {
    await doOne(path, async () => {
      // Whoever writes into a pipe may wait for what came before.
      const isFile = path !== STANDARD && present(path)?.isFile() === true;
      if (!isFile || inbox.length >= MAX_GROUP) await takeInbox();
      const message = (await readMessage(path, ...TAKEN)) as IntakeMessage;
      if (message.kind === "submission" || message.kind === "sealed file") {
        inbox.push({ path, submissions: submissionsIn(service, message) });
      } else {
        await takeInbox();
        const result = await takeMessage(service, message);
        show([{ file: path, kind: message.kind, result }]);
      }
    });
  }
  await takeInbox();
}

async function intake(paths: string[], options: IntakeOptions): Promise<void> {
  const authority = requireAuthority(options);
  const report = new Report<Taken>(options);
  let isLocked = false;
  const show = (all: readonly Taken[]) => {
    for (const taken of all) {
      const { file, kind, result, receipt } = taken;
      isLocked ||= result === "unverified";
      const where = receipt === undefined ? [] : [`receipt in ${receipt}`];
      report.add(taken, [[outsidePath(file), kind, result, ...where]]);
    }
  };
  const work = async (service: AuthorityService) => {
    await unlock(service, authority, options);
    if (options.output !== undefined) await mkdir(options.output, { recursive: true });
    await takeFiles(service, paths, options, show);
    if (isLocked) {
      warn("unverified: the key is locked, so nothing was opened; `authority verify` does that");
    }
  };
  await withService(authority, work);
  report.end();
}

interface VerifyOptions extends AuthorityKeyOptions {
  all?: boolean;
  json?: boolean;
}

async function verify(options: VerifyOptions): Promise<void> {
  const path = requireAuthority(options);
  await withService(path, async (service) => {
    await unlock(service, path, { ...options, ask: true });
    const { verified, failed } = await service.verifyWaiting();
    const { unproven } = await service.countRecords();
    const names = failed.map(toHex);
    const again = options.all === true ? await openAgain(service) : undefined;
    tell(options, { verified, failed: names, unproven, ...again?.facts }, [
      ["verified", String(verified)],
      ...names.map((name) => ["does not open", name]),
      ...(unproven === 0 ? [] : [["not proven", `${unproven}, which nothing can verify`]]),
      ...(again?.rows ?? []),
    ]);
    const isRight = failed.length === 0 && again?.isRight !== false;
    if (!isRight) process.exitCode = EXIT.notVerified;
  });
}

/** Opens all that is stored, and says what could not be released. */
async function openAgain(service: AuthorityService) {
  const { right, wrong, locked } = await service.verifyAll();
  const named = (records: typeof wrong) =>
    records.map(({ hash, serial }) => ({ record: toHex(hash), serial: formatSerial(serial) }));
  const rowsOf = (what: string, records: typeof wrong) =>
    named(records).map(({ record, serial }) => [what, `${serial}  ${record}`]);
  return {
    facts: { opened: right, wrong: named(wrong), locked: named(locked) },
    rows: [
      ["opened again", `${right} of ${right + wrong.length + locked.length}`],
      ...rowsOf("damaged wrap", wrong),
      ...rowsOf("another key", locked),
    ],
    isRight: wrong.length + locked.length === 0,
  };
}

export function intakeCommand(): Command {
  const command = newCommand(
    "intake",
    "Takes what came as files: submissions, sealed files that hold some, requests, approvals, vetoes, signed policies.",
    "twinwrap authority intake inbox/*.submission.json -o outbox",
  )
    .argument("<file...>", "messages, or - for standard input")
    .option("-o, --output <dir>", "folder for receipts (default: beside each submission)");
  return addAuthorityKeyOption(command)
    .addOption(authorityOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(intake);
}

export function verifyCommand(): Command {
  const command = newCommand(
    "verify",
    "Opens what was taken in unverified, and says so in the log.",
    "twinwrap authority verify --all --authority-passphrase-file secret.txt",
  ).option("--all", "open everything again, and name what could not be released");
  return addAuthorityKeyOption(command)
    .addOption(authorityOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(verify);
}
