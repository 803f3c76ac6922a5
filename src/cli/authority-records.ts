import { type Command, InvalidArgumentError, Option } from "commander";
import { algorithmName } from "../blob/index.js";
import { fromBase32, fromHex } from "../bytes.js";
import { NOT_PROVEN, recordRows } from "../client/officer.js";
import { type Party, type ReadRecord, readStored } from "../client/party.js";
import { recordsByHash, recordsWithSerial } from "../client/recover.js";
import { formatSerial } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import {
  type BlobRecord,
  encodeReceipt,
  isBlob,
  isProven,
  RECORD_STATUSES,
  type RecordStatus,
} from "../escrow/index.js";
import { formatTime, parseTime } from "../jcs.js";
import { type Cell, outside } from "../text.js";
import { clientOf, type NamedParty, withParty } from "./authority-io.js";
import {
  authorityOption,
  type ReadingOptions,
  readOnlyOption,
  requireAuthority,
} from "./authority-options.js";
import {
  addOutputOptions,
  integerBetween,
  jsonOption,
  newCommand,
  type OutputOptions,
  UsageError,
  wholeOption,
} from "./command.js";
import { outputFor, tell, warn } from "./io.js";
import { fingerprintOf } from "./recipients.js";
import { asUsage } from "./report.js";
import { formatFingerprint, pageText, table } from "./text.js";

/** What --serial looks for: a file's serial, or the label that a blob got from its program. */
function serialOrLabel(text: string): { serial: Uint8Array } | { label: string } {
  const serial = serialOf(text);
  return serial === undefined ? { label: text } : { serial };
}

/** Reads a serial: 26 characters of base32. @returns 16 bytes @throws UsageError */
export function parseSerial(text: string): Uint8Array {
  const serial = serialOf(text);
  if (serial !== undefined) return serial;
  throw new UsageError(`${text} is no serial: it has 26 letters and digits from 2 to 7`);
}

function serialOf(text: string): Uint8Array | undefined {
  try {
    const serial = fromBase32(text.toLowerCase());
    return serial.length === 16 ? serial : undefined;
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    return undefined;
  }
}

/** A record for machines. */
export function recordFacts(stored: ReadRecord): Record<string, unknown> {
  const { record, hash, status, escrowLeaf, verifiedLeaf } = stored;
  return {
    record: formatFingerprint(hash),
    serial: formatSerial(record.serial),
    status,
    created: formatTime(record.created),
    owner: record.owner,
    description: record.description,
    escrowLeaf,
    verifiedLeaf,
    ...(isBlob(record) ? blobFacts(record) : {}),
  };
}

function blobFacts(record: BlobRecord): Record<string, unknown> {
  const { aiKeyAlg, keyLength, label } = record.blob;
  return { algorithm: algorithmName(aiKeyAlg), keyLength, label, proven: isProven(record) };
}

/** Reads a day, or a moment. */
function parseDate(text: string): Date {
  const time = parseTime(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
  if (time !== undefined) return time;
  throw new InvalidArgumentError("expected 2027-01-31 or 2027-01-31T12:00:00Z (UTC)");
}

interface ListOptions extends ReadingOptions {
  serial?: string;
  owner?: string;
  fingerprint?: string;
  status?: RecordStatus;
  from?: Date;
  before?: Date;
  text?: string;
  limit: number;
  cursor?: string;
  json?: boolean;
}

async function list(options: ListOptions): Promise<void> {
  const { serial, owner, fingerprint, status, from, before, text, limit, cursor } = options;
  const query = {
    ...(serial === undefined ? {} : serialOrLabel(serial)),
    owner,
    fingerprint:
      fingerprint === undefined ? undefined : await fingerprintOf("--fingerprint", fingerprint),
    status,
    from,
    before,
    text,
  };
  const work = async (party: NamedParty) => {
    const client = clientOf(party);
    const { rows, next } = await asUsage(() => client.records(query, { limit, cursor }));
    const records = rows.map((stored) => readStored(party.core, stored));
    const facts = { records: records.map(recordFacts), next };
    tell(options, facts, pageText(recordRows(records), "no such record", next));
  };
  await withParty(requireAuthority(options), work, { readOnly: options.readOnly });
}

/** The most unverified records that are shown: anybody can send in any number with one serial. */
const SHOWN = 20;

/** The records of a serial or hash that are shown, and how many more there are, all unverified. */
async function find(party: Party, name: string): Promise<{ rows: ReadRecord[]; more: number }> {
  if (/^[0-9a-f]{64}$/i.test(name)) {
    return { rows: await recordsByHash(party, [fromHex(name.toLowerCase())]), more: 0 };
  }
  const rows: ReadRecord[] = [];
  let unverified = 0;
  for await (const row of recordsWithSerial(party, parseSerial(name))) {
    if (row.verifiedLeaf === undefined && ++unverified > SHOWN) continue;
    rows.push(row);
  }
  return { rows, more: Math.max(0, unverified - SHOWN) };
}

/** The one record that is meant. @throws UsageError if several could be */
function theOne(rows: readonly ReadRecord[]): ReadRecord {
  const opened = rows.filter(({ verifiedLeaf }) => verifiedLeaf !== undefined);
  const [one, ...others] = opened.length > 0 ? opened : rows;
  if (one !== undefined && others.length === 0) return one;
  throw new UsageError(
    `${others.length + 1} records have this serial: give the hash of one to have its receipt`,
  );
}

async function show(
  name: string,
  options: ReadingOptions & OutputOptions & { json?: boolean },
): Promise<void> {
  const { output } = options;
  const work = async (party: NamedParty) => {
    const client = clientOf(party);
    const { rows, more } = await find(party, name);
    if (rows.length === 0) {
      throw new TwinwrapError("NOT_FOUND", `this authority has no record ${name}`);
    }
    if (output !== undefined) {
      const receipt = await client.receipt(theOne(rows).hash);
      const write = await outputFor([], output, options);
      await write([encodeReceipt(receipt!)]);
    }
    const text = rows.map((row) => table(storedRows(row), output)).join("");
    tell(options, rows.map(recordFacts), text, output);
    if (more > 0 && !options.json) {
      warn(`${more} more unverified: \`twinwrap authority list --serial ${name}\` has them all`);
    }
  };
  await withParty(requireAuthority(options), work, { readOnly: options.readOnly });
}

function storedRows(stored: ReadRecord): Cell[][] {
  const { record, hash, status, escrowLeaf, verifiedLeaf, wraps } = stored;
  const leaf = (index: number | undefined) => (index === undefined ? "none" : `entry ${index}`);
  return [
    ["serial", formatSerial(record.serial)],
    ["record", formatFingerprint(hash)],
    ["status", status],
    ...(isBlob(record) ? blobRows(record) : []),
    ["owner", outside(record.owner)],
    ...(record.description === undefined ? [] : [["description", outside(record.description)]]),
    ["created", formatTime(record.created)],
    ["taken in", leaf(escrowLeaf)],
    ["verified", leaf(verifiedLeaf)],
    ...wraps.map(({ fingerprint }) => ["wrapped for", formatFingerprint(fingerprint)]),
  ];
}

/** What a record says about another program's key. */
export function blobRows(record: BlobRecord): Cell[][] {
  const { aiKeyAlg, keyLength, label } = record.blob;
  return [
    ...(label === undefined ? [] : [["label", outside(label)]]),
    ["blob of", `${algorithmName(aiKeyAlg)}, ${keyLength} bytes`],
    ["key", isProven(record) ? "proven" : NOT_PROVEN],
  ];
}

export function listCommand(): Command {
  return newCommand(
    "list",
    "Lists records, newest first. Everything that is given must fit.",
    "twinwrap authority list --status unverified --from 2027-01-01",
  )
    .option("--serial <serial>", "a file's serial, or what a blob was given")
    .option("--owner <id>", "an owner's ID")
    .option(
      "--fingerprint <key>",
      "a key it is wrapped for, or was released to: its fingerprint, or its file",
    )
    .addOption(new Option("--status <status>", "what became of it").choices(RECORD_STATUSES))
    .option("--from <date>", "created then or later", parseDate)
    .option("--before <date>", "created before", parseDate)
    .option("--text <text>", "part of the description or label, in upper or lower case")
    .option("--limit <n>", "how many at once", integerBetween(1, 1000), 50)
    .option("--cursor <cursor>", "go on where the page before ended")
    .addOption(authorityOption())
    .addOption(readOnlyOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(list);
}

export function showCommand(): Command {
  const command = newCommand(
    "show",
    "Shows the records of a serial, or one by its hash; -o writes its receipt.",
    "twinwrap authority show SERIAL -o receipt.json",
  ).argument("<serial>", "a file's serial, or a record's hash");
  return addOutputOptions(command, "where the receipt goes")
    .addOption(authorityOption())
    .addOption(readOnlyOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(show);
}
