import { toHex } from "../bytes.js";
import type { Party, ReadRecord } from "../client/party.js";
import {
  type Asked,
  makeAsked,
  preferVerified,
  recordsByHash,
  recordsToAsk,
  recordsWithSerial,
} from "../client/recover.js";
import type { Padding } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import { encodeRequest, recipientFingerprint, sayId } from "../escrow/index.js";
import { askingTexts } from "../escrow/words.js";
import { formatTime } from "../jcs.js";
import { type AuthorityOptions, requireAuthority, withParty } from "./authority-io.js";
import { parseSerial } from "./authority-records.js";
import { type OutputOptions, UsageError } from "./command.js";
import { outputFor, readRecipientFile, tell, warn } from "./io.js";
import { readSealed } from "./messages.js";
import { type Kept, readKept } from "./recover-records.js";
import { about, neverWeak } from "./report.js";
import { formatFingerprint } from "./text.js";

const DAY = 86_400_000;

interface RequestOptions extends AuthorityOptions, OutputOptions {
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

export async function request(paths: string[], options: RequestOptions): Promise<void> {
  const { serial: serials = [], submission: submissions = [] } = options;
  if (paths.length + serials.length + submissions.length === 0) {
    throw new UsageError("for what? Give FILE, --serial or --submission");
  }
  // An authority releases nothing for a weak key.
  const recipient = await neverWeak(() => readRecipientFile(options.to, false));
  const authority = requireAuthority(options);
  await withParty(authority, async (party) => {
    const kept = await readKept(submissions, party);
    const records = await keptRecords(party, kept);
    for (const path of paths) {
      records.push(...(await about(path, () => recordsOf(path, party, kept))));
    }
    const found = await bySerial(party, serials);
    records.push(...found.flatMap(({ asked }) => asked.map(({ hash }) => hash)));
    const { requester, padding } = options;
    const created = new Date();
    const expires = expiresIn(created, options.expires);
    const asked = makeAsked(party, { requester, recipient, records, padding, created, expires });
    const output = options.output ?? `${asked.id}.request.json`;
    const inputs = [...paths, ...submissions, options.to, authority];
    const write = await outputFor(inputs, output, options);
    // A request that the authority refuses is not kept.
    await party.client?.ask(asked.request);
    await write([encodeRequest(asked.request)]);
    tellAsked(party, asked, found, output, options);
  });
}

function expiresIn(created: Date, days: number | undefined): Date | undefined {
  return days === undefined ? undefined : new Date(created.getTime() + days * DAY);
}

function tellAsked(
  { core, client }: Party,
  { request, id }: Asked,
  found: readonly BySerial[],
  output: string,
  options: RequestOptions,
): void {
  const key = formatFingerprint(recipientFingerprint(core, request));
  const delivered = client !== undefined;
  const facts = {
    id,
    recipient: key,
    records: request.records.length,
    serials: found.map((one) => ({
      serial: one.serial,
      asked: one.asked.map(({ hash, status }) => ({ record: formatFingerprint(hash), status })),
      leftOut: one.leftOut,
    })),
    expires: formatTime(request.expires),
    request: output,
    delivered,
  };
  tell(
    options,
    facts,
    [
      ["request", id],
      ["say it as", sayId(id)],
      ["recipient", `${key}  ${request.padding}`],
      ["records", String(request.records.length)],
      ...found.map((one) => ["by serial", `${one.serial}  ${serialText(one)}`]),
      ["expires", formatTime(request.expires)],
      ["kept in", output],
      ["delivered", delivered ? "to the authority" : `no: carry ${output} to the authority`],
      ["next", "tell each officer the ID yourself, so that they know it is you"],
    ],
    output,
  );
}
