import { spawn } from "node:child_process";
import { type Command, Option } from "commander";
import { readAuthority } from "../authority/directory.js";
import { equalBytes, wipe } from "../bytes.js";
import { isFolder, present } from "../calls.node.js";
import { goesOn } from "../client/connect.js";
import { HttpClient } from "../client/http.js";
import { type Look, lookAtLog, type Sight } from "../client/watch.js";
import { decodeWatched, encodeWatched, MAX_WATCHED, type Watched } from "../client/watch-state.js";
import type { Core } from "../core/index.js";
import { sharedCore } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import {
  type Authority,
  type AuthorityFile,
  type Receipt,
  sayId,
  verifyAuthority,
} from "../escrow/index.js";
import { withLockBeside, writeFilesWhole } from "../files.node.js";
import { type AuthorityOptions, authorityOption, requireAuthority } from "./authority-options.js";
import { collect, EXIT, jsonOption, newCommand, UsageError } from "./command.js";
import { durationBetween } from "./duration.js";
import { print, readSmall, STANDARD, warn } from "./io.js";
import { PRIVATE_MODE } from "./keygen.js";
import { readMessage } from "./messages.js";
import { about, asUsage, explain } from "./report.js";
import { inline } from "./text.js";

// Follows an authority's log from outside.

interface WatchOptions extends AuthorityOptions {
  url?: string;
  ownerSecret?: string;
  receipt?: string[];
  exec?: string;
  once?: boolean;
  interval: number;
  state?: string;
  json?: boolean;
}

/** Seconds between two looks. */
const INTERVAL = 60;
const DAY = 86_400;
/** How long a look tries to reach the service, in milliseconds. */
const PATIENCE = 30_000;

/** Whom to follow, as whoever watches knows them. */
interface Watching {
  url: string;
  authority: Authority;
  ownerSecret: Uint8Array | undefined;
  receipts: { name: string; receipt: Receipt }[];
  state: string;
}

/** What stands in the file that names the authority. */
async function readNamed(path: string) {
  if (path === STANDARD)
    throw new UsageError("name the authority's file: what was seen is kept beside it");
  if (isFolder(path)) return { file: (await readAuthority(path)).file };
  const message = await readMessage(path, "authority", "connection");
  if (message.kind === "authority") return { file: message.authority };
  const { authority: file, url, owner } = message.connection;
  return { file, url, secret: owner?.secret };
}

async function prepare(core: Core, options: WatchOptions): Promise<Watching> {
  const path = requireAuthority(options);
  const { file, url, secret } = await readNamed(path);
  const where = options.url ?? url;
  if (where === undefined) {
    throw new UsageError(`${path} does not say where the authority's service is: give --url`);
  }
  await asUsage(() => new HttpClient(core, { url: where }));
  const authority = await about(path, () => verifyAuthority(core, file));
  const receipts = [];
  for (const name of options.receipt ?? []) {
    receipts.push({ name, receipt: (await readMessage(name, "receipt")).receipt });
  }
  let ownerSecret = secret;
  if (options.ownerSecret !== undefined) {
    wipe(secret);
    ownerSecret = await readOwnerSecret(options.ownerSecret, authority);
  }
  const state = options.state ?? `${path.replace(/[/\\]+$/, "")}.watch`;
  return { url: where, authority, ownerSecret, receipts, state };
}

/** The secret in an owner's file. @throws TwinwrapError WRONG_AUTHORITY if another authority gave it */
async function readOwnerSecret(path: string, authority: Authority): Promise<Uint8Array> {
  const { owner } = await readMessage(path, "owner");
  if (equalBytes(owner.fingerprint, authority.fingerprint)) return owner.secret;
  wipe(owner.secret);
  throw new TwinwrapError("WRONG_AUTHORITY", `${path} was given by another authority`);
}

/** What was seen until now. @throws TwinwrapError CONFLICT if it is of another authority */
async function readState(
  core: Core,
  { state, authority }: Watching,
): Promise<{ watched: Watched; known: Authority } | undefined> {
  if (present(state) === undefined) return undefined;
  return about(state, async () => {
    const watched = decodeWatched(await readSmall(state, MAX_WATCHED));
    const known = await verifyAuthority(core, watched.authority);
    if (equalBytes(known.fingerprint, authority.fingerprint)) return { watched, known };
    throw new TwinwrapError(
      "CONFLICT",
      "it holds what was seen of another authority: give --state another file",
    );
  });
}

/** What a look came to: "over" if the log contradicts what was seen of it, so that there is nothing more to follow. */
type Outcome = "well" | "wrong" | "over";

/** One look: what is new is shown, and then kept. */
function look(core: Core, watching: Watching, options: WatchOptions): Promise<Outcome> {
  const { state } = watching;
  return withLockBeside(state, async () => {
    const before = await readState(core, watching);
    const seen = await lookAtService(core, watching, before);
    const isWrong = seen.sights.some(({ alarm }) => alarm !== undefined);
    // Whatever comes of showing it.
    if (isWrong) process.exitCode = EXIT.notVerified;
    for (const sight of seen.sights) await show(sight, watching, options);
    if (seen.watched === undefined) return "over";
    const content = [encodeWatched(seen.watched)];
    await writeFilesWhole([{ path: state, content, force: true, mode: PRIVATE_MODE }]);
    return isWrong ? "wrong" : "well";
  });
}

type Seen = Pick<Look, "sights"> & { watched: Watched | undefined };

/** @returns what is to be shown; if the log contradicts what was seen, that alone, and nothing to keep */
async function lookAtService(
  core: Core,
  { url, authority: given, ownerSecret, receipts }: Watching,
  before: { watched: Watched; known: Authority } | undefined,
): Promise<Seen> {
  const client = new HttpClient(core, { url, patience: PATIENCE });
  const ask = async (): Promise<{ file: AuthorityFile; authority: Authority }> => {
    const file = await client.file();
    const authority = await goesOn(core, given, file);
    return {
      file,
      authority: before === undefined ? authority : await goesOn(core, before.known, file),
    };
  };
  const lookOnce = (now: Awaited<ReturnType<typeof ask>>) =>
    lookAtLog(core, now, client, before?.watched, { ownerSecret, receipts });
  try {
    const now = await ask();
    try {
      return await lookOnce(now);
    } catch (error) {
      if (!isContradiction(error)) throw error;
      // The log may have ended meanwhile: then the officers say what is kept of it.
      const again = await ask();
      if (again.file.identities.length === now.file.identities.length) throw error;
      return await lookOnce(again);
    }
  } catch (error) {
    if (!isContradiction(error)) throw error;
    const alarm = `${error.message}. Keep the state file, tell the officers, and trust nothing that this log proves`;
    return {
      sights: [{ type: "contradiction", log: given.origin, alarm }],
      watched: undefined,
    };
  }
}

function isContradiction(error: unknown): error is TwinwrapError {
  return error instanceof TwinwrapError && error.code === "NOT_VERIFIED";
}

async function show(sight: Sight, { authority }: Watching, options: WatchOptions): Promise<void> {
  const facts = JSON.stringify({ authority: authority.origin, ...sight });
  if (options.json) print(`${facts}\n`);
  else if (sight.alarm === undefined) print(`${lineOf(sight)}\n`);
  if (sight.alarm !== undefined) warn(`ALARM: ${sight.alarm}`);
  if (options.exec !== undefined) await run(options.exec, `${facts}\n`);
}

/** A sight for people. */
function lineOf(sight: Sight): string {
  const { type, time, log, index, request, record, basis, notBefore, expires, number } = sight;
  const about = request === undefined ? "" : ` ${sayId(request)}`;
  const what = {
    request: `request${about}: released from ${notBefore} on if officers approve, expires ${expires}`,
    release:
      basis === "emergency"
        ? `EMERGENCY RELEASE for request${about}: record ${record} went out before its time, or against a veto`
        : `release for request${about}: record ${record}`,
    denial: `denial of request${about}`,
    veto: `veto against request${about}`,
    enrol: "a control key was enrolled, or replaced",
    announce: `policy ${number} was announced: it is weaker than the one before, and may come into force at ${notBefore}`,
    policy: `policy ${number} is in force`,
    authority: `identity ${number} is in force`,
    unknown: `an entry of a type that this version does not know (${sight.name})`,
  }[type as string];
  return `${time}  ${what ?? type}  (entry ${index} of ${inline(log)})`;
}

/**
 * Runs a command with a sight on its standard input. Nothing of the sight comes near the shell that runs it.
 * @throws TwinwrapError REFUSED if it ends with another code than 0
 */
function run(command: string, input: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, { shell: true, stdio: ["pipe", 2, 2] });
    const fail = (how: string) =>
      reject(
        new TwinwrapError("REFUSED", `--exec ${how}: what it was told is told again next time`),
      );
    child.on("error", () => fail("can't be run"));
    child.on("close", (code, signal) => {
      if (code === 0) resolve();
      else fail(signal === null ? `ended with code ${code}` : `was ended by ${signal}`);
    });
    // Who does not read it need not.
    child.stdin!.on("error", () => {});
    child.stdin!.end(input);
  });
}

async function watch(options: WatchOptions): Promise<void> {
  const core = await sharedCore();
  const watching = await prepare(core, options);
  try {
    // What is wrong with the state file stays wrong.
    await readState(core, watching);
    for (;;) {
      try {
        if ((await look(core, watching, options)) === "over") return;
      } catch (error) {
        // What a look comes across may pass: who watches for years goes on.
        if (options.once || !(error instanceof TwinwrapError)) throw error;
        warn(explain(error).message);
      }
      if (options.once) return;
      await new Promise((wake) => setTimeout(wake, options.interval * 1000));
    }
  } finally {
    wipe(watching.ownerSecret);
  }
}

export function command(): Command {
  return newCommand(
    "watch",
    "Follows an authority's log from outside, and tells of what concerns you: requests, decisions, releases, policies. Exit code 3 if something is wrong with the log.",
    "twinwrap watch --authority authority.json --url https://backup.example.org --owner-secret olivia.owner --exec 'mail -s backup olivia'\ntwinwrap watch --authority acme.authority --once",
  )
    .addOption(authorityOption())
    .option("--url <url>", "where the authority's service is, if its file does not say so")
    .option("--owner-secret <file>", "your ID.owner: only what concerns you is told")
    .addOption(
      new Option(
        "--receipt <file>",
        "a receipt whose entry has to be in the log (repeat for more)",
      ).argParser(collect),
    )
    .option(
      "--exec <command>",
      "run this for each of them, with the facts as JSON on its standard input",
    )
    .option("--once", "look once, and end")
    .addOption(
      new Option("--interval <duration>", "pause between two looks, such as 30s or 5m")
        .argParser(durationBetween(1, DAY))
        .default(INTERVAL, "60s"),
    )
    .option(
      "--state <file>",
      "where what was seen is kept (default: beside the authority's file, .watch)",
    )
    .addOption(jsonOption())
    .action(watch);
}
