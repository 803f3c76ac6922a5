import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { toHex } from "../bytes.js";
import type { Party, ReadRecord } from "../client/party.js";
import {
  type Asked,
  makeAsked,
  preferVerified,
  recordsByHash,
  recordsOfOwner,
  recordsToAsk,
  recordsWithSerial,
} from "../client/recover.js";
import type { Padding } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import { encodeRequest, recipientFingerprint, sayId } from "../escrow/index.js";
import { MAX_RECORDS } from "../escrow/request.js";
import { askingTexts } from "../escrow/words.js";
import { formatTime } from "../jcs.js";
import {
  type AuthorityOptions,
  type NamedParty,
  type PinOptions,
  requireAuthority,
  withParty,
} from "./authority-io.js";
import { parseSerial } from "./authority-records.js";
import { type OutputOptions, UsageError } from "./command.js";
import { outputFor, Report, readRecipientFile, tell, warn } from "./io.js";
import { readSealed } from "./messages.js";
import { type OwnerIdOptions, ownerIdFor } from "./owner-id.js";
import { type Kept, readKept } from "./recover-records.js";
import { about as inFile, neverWeak } from "./report.js";
import { formatFingerprint, inline } from "./text.js";

const DAY = 86_400_000;

interface RequestOptions extends AuthorityOptions, PinOptions, OutputOptions, OwnerIdOptions {
  all?: boolean;
  serial?: string[];
  submission?: string[];
  to: string;
  requester: string;
  expires?: number;
  padding?: Padding;
  json?: boolean;
}

/** The records to ask for to recover a file. @returns hashes, 32 bytes each */
async function recordsOf(path: string, party: Party, kept: readonly Kept[]): Promise<Uint8Array[]> {
  const found = await recordsToAsk(party, await readSealed(path), kept);
  for (const text of askingTexts(found)) warn(`${path}: ${text}`);
  if (found.lost) warn(`\`twinwrap escrow add ${path}\` sends it again`);
  return found.records;
}

/** The records that --serial asks for. */
interface BySerial {
  serial: string;
  asked: ReadRecord[];
  /** How many were left out: they were never verified, and others were. */
  leftOut: number;
}

async function bySerial(party: Party, serials: readonly string[]): Promise<BySerial[]> {
  if (serials.length > 0 && party.client === undefined) {
    throw new UsageError("--serial needs an authority that can be asked: give the files");
  }
  const found: BySerial[] = [];
  for (const serial of serials) {
    const rows: ReadRecord[] = [];
    for await (const row of recordsWithSerial(party, parseSerial(serial))) rows.push(row);
    if (rows.length === 0) {
      throw new TwinwrapError("NOT_FOUND", `the authority has no record with serial ${serial}`);
    }
    const asked = preferVerified(rows);
    found.push({ serial, asked, leftOut: rows.length - asked.length });
  }
  return found;
}

/** "2 verified, 1 released; 3 unverified left out" */
function serialText({ asked, leftOut }: BySerial): string {
  const counts = new Map<string, number>();
  for (const { status } of asked) counts.set(status, (counts.get(status) ?? 0) + 1);
  const text = [...counts].map(([status, count]) => `${count} ${status}`).join(", ");
  return leftOut === 0 ? text : `${text}; ${leftOut} unverified left out`;
}

/** The records of submissions that were kept. @throws TwinwrapError NOT_FOUND if the authority lacks one */
async function keptRecords(party: Party, kept: readonly Kept[]): Promise<Uint8Array[]> {
  const hashes = kept.map(({ hash }) => hash);
  if (party.client === undefined) return hashes;
  const there = new Set((await recordsByHash(party, hashes)).map(({ hash }) => toHex(hash)));
  const missing = kept.find(({ hash }) => !there.has(toHex(hash)));
  if (missing === undefined) return hashes;
  throw new TwinwrapError("NOT_FOUND", `${missing.path}: the authority did not get it`);
}

export async function request(
  paths: string[],
  options: RequestOptions,
  command: Command,
): Promise<void> {
  const { serial = [], submission = [], all = false } = options;
  const named = paths.length + serial.length + submission.length;
  if (all && named > 0) {
    throw new UsageError("--all asks for everything of one owner: leave the rest out");
  }
  if (!all && named === 0) {
    throw new UsageError("for what? Give FILE, --serial or --submission, or --all");
  }
  if (!all && command.getOptionValueSource("ownerId") === "cli") {
    throw new UsageError("--owner-id is for --all");
  }
  const work = (party: NamedParty) =>
    all ? requestAll(party, options) : requestFor(party, paths, options);
  await withParty(requireAuthority(options), work, { fingerprint: options.fingerprint });
}

/** Everything that requests of one command have in common, but for the records. */
async function aboutRequest({ to, requester, padding, expires: days }: RequestOptions) {
  // An authority releases nothing for a weak key.
  const recipient = await neverWeak(() => readRecipientFile(to, false));
  const created = new Date();
  const expires = days === undefined ? undefined : new Date(created.getTime() + days * DAY);
  return { requester, recipient, padding, created, expires };
}

async function requestFor(
  party: NamedParty,
  paths: string[],
  options: RequestOptions,
): Promise<void> {
  const { serial: serials = [], submission: submissions = [] } = options;
  const about = await aboutRequest(options);
  const kept = await readKept(submissions, party);
  const records = await keptRecords(party, kept);
  for (const path of paths) {
    records.push(...(await inFile(path, () => recordsOf(path, party, kept))));
  }
  const found = await bySerial(party, serials);
  records.push(...found.flatMap(({ asked }) => asked.map(({ hash }) => hash)));
  const asked = makeAsked(party, { ...about, records });
  const output = options.output ?? `${asked.id}.request.json`;
  await deliver(party, asked, output, [...paths, ...submissions], options);
  const facts = { ...askedFacts(party, asked, output), serials: found.map(serialFacts) };
  const rows = found.map((one) => ["by serial", `${one.serial}  ${serialText(one)}`]);
  tell(options, facts, [...askedRows(party, asked, output, rows), NEXT], output);
}

/** Hands a request in, where that can be done, and keeps it. @param inputs files that were read for it */
async function deliver(
  party: NamedParty,
  { request }: Asked,
  output: string,
  inputs: readonly string[],
  options: RequestOptions,
): Promise<void> {
  const write = await outputFor([...inputs, options.to, party.path], output, options);
  // A request that the authority refuses is not kept.
  await party.client?.ask(request);
  await write([encodeRequest(request)]);
}

/** Asks for all records of one owner, in as many requests as that takes. Each is kept as a file. */
async function requestAll(party: NamedParty, options: RequestOptions): Promise<void> {
  const owner = await ownerIdFor(options, [party]);
  if (party.client === undefined) {
    throw new UsageError("--all needs an authority that can be asked: give the files");
  }
  const about = await aboutRequest(options);
  const rows = await recordsOfOwner(party, owner);
  if (rows.length === 0) {
    throw new TwinwrapError("NOT_FOUND", `the authority has no record of ${inline(owner)}`);
  }
  const { output: folder } = options;
  if (folder !== undefined) await mkdir(folder, { recursive: true });
  const report = new Report<ReturnType<typeof askedFacts>>(options);
  try {
    for (let at = 0; at < rows.length; at += MAX_RECORDS) {
      const records = rows.slice(at, at + MAX_RECORDS).map(({ hash }) => hash);
      const asked = makeAsked(party, { ...about, records });
      const output = join(folder ?? "", `${asked.id}.request.json`);
      await deliver(party, asked, output, [], { ...options, output });
      report.add(askedFacts(party, asked, output), askedRows(party, asked, output));
    }
  } finally {
    // What was asked for is told, whatever stopped the rest.
    report.end();
  }
  if (!options.json) tell(options, {}, [NEXT]);
  const unopened = rows.filter(({ verifiedLeaf }) => verifiedLeaf === undefined).length;
  if (unopened > 0) {
    warn(`${unopened} of ${rows.length} records were never opened: who sent these is not shown`);
  }
}

function serialFacts({ serial, asked, leftOut }: BySerial) {
  return {
    serial,
    asked: asked.map(({ hash, status }) => ({ record: formatFingerprint(hash), status })),
    leftOut,
  };
}

/** One request for machines. */
function askedFacts({ core, client }: Party, { request, id }: Asked, output: string) {
  return {
    id,
    recipient: formatFingerprint(recipientFingerprint(core, request)),
    records: request.records.length,
    expires: formatTime(request.expires),
    request: output,
    delivered: client !== undefined,
  };
}

/** One request for people. @param more rows about what it asks for */
function askedRows(
  party: Party,
  asked: Asked,
  output: string,
  more: readonly string[][] = [],
): string[][] {
  const { recipient, delivered, expires, records } = askedFacts(party, asked, output);
  return [
    ["request", asked.id],
    ["say it as", sayId(asked.id)],
    ["recipient", `${recipient}  ${asked.request.padding}`],
    ["records", String(records)],
    ...more,
    ["expires", expires],
    ["kept in", output],
    ["delivered", delivered ? "to the authority" : `no: carry ${output} to the authority`],
  ];
}

const NEXT = ["next", "tell each officer the ID yourself, so that they know it is you"];
