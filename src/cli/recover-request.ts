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
import { writeFilesWhole } from "../files.node.js";
import { formatTime } from "../jcs.js";
import type { RsaPublicKey } from "../keys/index.js";
import { type NamedParty, withParty } from "./authority-io.js";
import { type AuthorityOptions, type PinOptions, requireAuthority } from "./authority-options.js";
import { parseSerial } from "./authority-records.js";
import { type OutputOptions, UsageError } from "./command.js";
import { outputFor, Report, tell, type Write, warn } from "./io.js";
import { readRecipientFile } from "./key-files.js";
import { publicPath } from "./key-names.js";
import { checkKeyPairOutput, type MadeKeyPair, makeKeyPair, privateText } from "./keygen.js";
import { type OwnerIdOptions, ownerIdFor } from "./owner-id.js";
import { newPassphrase, type PassphraseOptions } from "./passphrase.js";
import { type Kept, readKept } from "./recover-records.js";
import { about as inFile, neverWeak } from "./report.js";
import { readSealed } from "./sealed.js";
import { formatFingerprint, inline } from "./text.js";

const DAY = 86_400_000;

interface RequestOptions
  extends AuthorityOptions,
    PinOptions,
    OutputOptions,
    OwnerIdOptions,
    PassphraseOptions {
  all?: boolean;
  serial?: string[];
  submission?: string[];
  to?: string;
  newKey?: string;
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

/** The key that a request is for, and the new pair that it belongs to if one is made. */
interface NewKey {
  recipient: RsaPublicKey;
  pair: (MadeKeyPair & { path: string }) | undefined;
}

/** Where a new pair goes if --new-key does not say it. */
const NEW_KEY = "new.pem";

/** Reads the new public key, or makes a pair that is written later: nothing is left of a request that can't be made. */
async function newKeyFor(options: RequestOptions): Promise<NewKey> {
  const { to, newKey } = options;
  if (to !== undefined) {
    if (newKey !== undefined) throw new UsageError("give --to or --new-key, not both");
    // An authority releases nothing for a weak key.
    return { recipient: await neverWeak(() => readRecipientFile(to, false)), pair: undefined };
  }
  const path = newKey ?? NEW_KEY;
  const there = `ask for the key that is there with --to ${publicPath(path)}`;
  await checkKeyPairOutput(path, {}, `give another name with --new-key, or ${there}`);
  const pair = await makeKeyPair(path, await newPassphrase(path, options), {});
  return { recipient: pair.publicKey, pair: { ...pair, path } };
}

/** Writes the new pair, before anybody is asked to release something for it. */
async function keepPair({ pair }: NewKey): Promise<void> {
  if (pair !== undefined) await writeFilesWhole(pair.files);
}

/** Says that a pair is there, with whatever went wrong after it was written. */
async function withPair<T>({ pair }: NewKey, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (pair !== undefined && error instanceof Error) {
      error.message += `; the new key is kept in ${pair.path}: ask again with --to ${pair.publicOutput}`;
    }
    throw error;
  }
}

/** Everything that requests of one command have in common, but for the records. */
function aboutRequest(
  { requester, padding, expires: days }: RequestOptions,
  { recipient }: NewKey,
) {
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
  const kept = await readKept(submissions, party);
  const records = await keptRecords(party, kept);
  for (const path of paths) {
    records.push(...(await inFile(path, () => recordsOf(path, party, kept))));
  }
  const found = await bySerial(party, serials);
  records.push(...found.flatMap(({ asked }) => asked.map(({ hash }) => hash)));
  const newKey = await newKeyFor(options);
  try {
    const asked = makeAsked(party, { ...aboutRequest(options, newKey), records });
    const output = options.output ?? `${asked.id}.request.json`;
    const inputs = [...paths, ...submissions];
    const write = await checkDelivery(party, output, inputs, options);
    await keepPair(newKey);
    await withPair(newKey, () => deliver(party, asked, write));
    const facts = {
      ...askedFacts(party, asked, output),
      newKey: newKey.pair?.path,
      serials: found.map(serialFacts),
    };
    const rows = found.map((one) => ["by serial", `${one.serial}  ${serialText(one)}`]);
    const all = [...askedRows(party, asked, output, rows), ...pairRows(newKey), NEXT];
    tell(options, facts, all, output);
  } finally {
    newKey.pair?.wipe();
  }
}

/** Checks where a request is kept. @param inputs files that were read for it */
function checkDelivery(
  party: NamedParty,
  output: string,
  inputs: readonly string[],
  options: RequestOptions,
): Promise<Write> {
  const read = [...inputs, options.to, party.path].filter((path) => path !== undefined);
  return outputFor(read, output, options);
}

/** Hands a request in, where that can be done, and keeps it. */
async function deliver(party: NamedParty, { request }: Asked, write: Write): Promise<void> {
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
  const rows = await recordsOfOwner(party, owner);
  if (rows.length === 0) {
    throw new TwinwrapError("NOT_FOUND", `the authority has no record of ${inline(owner)}`);
  }
  const newKey = await newKeyFor(options);
  try {
    await keepPair(newKey);
    await withPair(newKey, () => askForAll(party, rows, newKey, options));
  } finally {
    newKey.pair?.wipe();
  }
  const unopened = rows.filter(({ verifiedLeaf }) => verifiedLeaf === undefined).length;
  if (unopened > 0) {
    warn(`${unopened} of ${rows.length} records were never opened: who sent these is not shown`);
  }
}

async function askForAll(
  party: NamedParty,
  rows: readonly ReadRecord[],
  newKey: NewKey,
  options: RequestOptions,
): Promise<void> {
  const about = aboutRequest(options, newKey);
  const { output: folder } = options;
  if (folder !== undefined) await mkdir(folder, { recursive: true });
  const report = new Report<ReturnType<typeof askedFacts>>(options);
  try {
    for (let at = 0; at < rows.length; at += MAX_RECORDS) {
      const records = rows.slice(at, at + MAX_RECORDS).map(({ hash }) => hash);
      const asked = makeAsked(party, { ...about, records });
      const output = join(folder ?? "", `${asked.id}.request.json`);
      await deliver(party, asked, await checkDelivery(party, output, [], { ...options, output }));
      report.add(askedFacts(party, asked, output), askedRows(party, asked, output));
    }
  } finally {
    // What was asked for is told, whatever stopped the rest.
    report.end();
  }
  if (!options.json) tell(options, {}, [...pairRows(newKey), NEXT]);
}

/** The new pair, if one was made. */
function pairRows({ pair }: NewKey): string[][] {
  return pair === undefined ? [] : [["new key", privateText(pair.path, pair.locked)]];
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
