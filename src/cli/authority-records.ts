import { type Command, InvalidArgumentError, Option } from "commander";
import { recordOfRow } from "../authority/opening.js";
import type { AuthorityService } from "../authority/service.js";
import { RECORD_STATUSES, type RecordRow, type RecordStatus } from "../authority/store/store.js";
import { algorithmName } from "../blob/index.js";
import { fromBase32, fromHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { formatSerial } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import { type BlobRecord, encodeReceipt, isBlob, isProven } from "../escrow/index.js";
import { formatTime, parseTime } from "../jcs.js";
import {
  type AuthorityOptions,
  authorityOption,
  requireAuthority,
  withService,
} from "./authority-io.js";
import {
  addOutputOptions,
  integerBetween,
  jsonOption,
  newCommand,
  type OutputOptions,
  parseFingerprint,
  UsageError,
} from "./command.js";
import { checkOutput, print, printJson, warn, writeOutput } from "./io.js";
import { asUsage } from "./report.js";
import { formatFingerprint, safe, table } from "./text.js";

/** A serial as people have it: 26 characters of base32. */
export function parseSerial(text: string): Uint8Array {
  try {
    const serial = fromBase32(text.toLowerCase());
    if (serial.length === 16) return serial;
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
  }
  throw new UsageError(`${text} is no serial: it has 26 letters and digits from 2 to 7`);
}

/** What officers have to know before they decide about such a key. */
export const NOT_PROVEN = "key not proven: whoever has the blob could have submitted it";

/** What became of a record; that its key is not proven stays true when it was released. */
function statusOf(core: Core, row: RecordRow): string {
  const isOdd = row.status !== "unproven" && !isProven(recordOfRow(core, row));
  return isOdd ? `${row.status}, unproven` : row.status;
}

/** Records for people, one a line; labels only if there are some. */
export function recordLines(core: Core, rows: readonly RecordRow[]): string[][] {
  const labels = (cell: string) => (rows.some(({ label }) => label !== undefined) ? [cell] : []);
  return [
    ["serial", "status", "created", "owner", ...labels("label"), "description"],
    ...rows.map((row) => [
      formatSerial(row.serial),
      statusOf(core, row),
      formatTime(row.created),
      safe(row.owner),
      ...labels(safe(row.label ?? "")),
      safe(row.description ?? ""),
    ]),
  ];
}

/** A record for machines. */
export function recordFacts(core: Core, row: RecordRow): Record<string, unknown> {
  const record = recordOfRow(core, row);
  return {
    record: formatFingerprint(row.hash),
    serial: formatSerial(row.serial),
    status: row.status,
    created: formatTime(row.created),
    owner: row.owner,
    description: row.description,
    escrowLeaf: row.escrowLeaf,
    verifiedLeaf: row.verifiedLeaf,
    ...(isBlob(record) ? blobFacts(record) : {}),
  };
}

function blobFacts(record: BlobRecord): Record<string, unknown> {
  const { aiKeyAlg, keyLength, label } = record.blob;
  return { algorithm: algorithmName(aiKeyAlg), keyLength, label, proven: isProven(record) };
}

/** A day, or a moment. */
function parseDate(text: string): Date {
  const time = parseTime(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
  if (time !== undefined) return time;
  throw new InvalidArgumentError("expected 2027-01-31 or 2027-01-31T12:00:00Z (UTC)");
}

interface ListOptions extends AuthorityOptions {
  serial?: string;
  owner?: string;
  fingerprint?: Uint8Array;
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
  await withService(requireAuthority(options), async ({ core, store }) => {
    const query = {
      ...(serial === undefined ? {} : { serial: parseSerial(serial) }),
      ...(owner === undefined ? {} : { owner }),
      ...(fingerprint === undefined ? {} : { fingerprint }),
      ...(status === undefined ? {} : { status }),
      ...(from === undefined ? {} : { from }),
      ...(before === undefined ? {} : { before }),
      ...(text === undefined ? {} : { text }),
    };
    const page = { limit, ...(cursor === undefined ? {} : { cursor }) };
    const { rows, next } = await asUsage(() => store.records(query, page));
    if (options.json) {
      printJson({ records: rows.map((row) => recordFacts(core, row)), next });
      return;
    }
    if (rows.length === 0) print("no such record\n");
    else print(table(recordLines(core, rows)));
    if (next !== undefined) print(`there are more: --cursor ${next}\n`);
  });
}

/** Records that were never opened, shown at most: anybody can send in any number of one serial. */
const SHOWN = 20;

/** What is shown of a serial, and how many unverified records are not. */
async function find(
  service: AuthorityService,
  name: string,
): Promise<{ rows: RecordRow[]; more: number }> {
  if (/^[0-9a-f]{64}$/i.test(name)) {
    const row = await service.store.record(fromHex(name.toLowerCase()));
    return { rows: row === undefined ? [] : [row], more: 0 };
  }
  const rows: RecordRow[] = [];
  let unverified = 0;
  for await (const row of service.recordsOf(parseSerial(name))) {
    if (row.verifiedLeaf === undefined && ++unverified > SHOWN) continue;
    rows.push(row);
  }
  return { rows, more: Math.max(0, unverified - SHOWN) };
}

/** The one record that is meant. @throws UsageError if it can't be told */
function theOne(rows: readonly RecordRow[]): RecordRow {
  const opened = rows.filter(({ verifiedLeaf }) => verifiedLeaf !== undefined);
  const [one, ...others] = opened.length > 0 ? opened : rows;
  if (one !== undefined && others.length === 0) return one;
  throw new UsageError(
    `${others.length + 1} records have this serial: give the hash of one to have its receipt`,
  );
}

async function show(
  name: string,
  options: AuthorityOptions & OutputOptions & { json?: boolean },
): Promise<void> {
  await withService(requireAuthority(options), async (service) => {
    const { rows, more } = await find(service, name);
    if (rows.length === 0) {
      throw new TwinwrapError("REFUSED", `this authority has no record ${name}`);
    }
    if (options.output !== undefined) {
      const { hash } = theOne(rows);
      await service.requireUnfenced();
      await checkOutput([], options.output, options);
      const receipt = await service.receipt(hash);
      await writeOutput(options.output, [encodeReceipt(receipt!)], {
        force: options.force ?? false,
      });
    }
    if (options.json) {
      const facts = rows.map((row) => recordFacts(service.core, row));
      printJson(facts, options.output);
      return;
    }
    for (const row of rows) print(await describe(service, row), options.output);
    if (more > 0) {
      warn(`${more} more unverified: \`twinwrap authority list --serial ${name}\` has them all`);
    }
  });
}

async function describe({ core, store }: AuthorityService, row: RecordRow): Promise<string> {
  const record = recordOfRow(core, row);
  const wraps = (await store.candidatesOf([row.hash]))[0]!;
  const leaf = (index: number | undefined) => (index === undefined ? "none" : `entry ${index}`);
  return table([
    ["serial", formatSerial(row.serial)],
    ["record", formatFingerprint(row.hash)],
    ["status", row.status],
    ...(isBlob(record) ? blobRows(record) : []),
    ["owner", safe(row.owner)],
    ...(row.description === undefined ? [] : [["description", safe(row.description)]]),
    ["created", formatTime(row.created)],
    ["taken in", leaf(row.escrowLeaf)],
    ["verified", leaf(row.verifiedLeaf)],
    ...wraps.map(({ wrap }) => ["wrapped for", formatFingerprint(wrap.fingerprint)]),
  ]);
}

/** What a record says of another program's key. */
export function blobRows(record: BlobRecord): string[][] {
  const { aiKeyAlg, keyLength, label } = record.blob;
  return [
    ...(label === undefined ? [] : [["label", safe(label)]]),
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
    .option("--fingerprint <hex>", "a key it is wrapped for, or was released to", (text) =>
      parseFingerprint("--fingerprint", text),
    )
    .addOption(new Option("--status <status>", "what became of it").choices(RECORD_STATUSES))
    .option("--from <date>", "created then or later", parseDate)
    .option("--before <date>", "created before", parseDate)
    .option("--text <text>", "part of the description or label, in upper or lower case")
    .option("--limit <n>", "how many at once", integerBetween(1, 1000), 50)
    .option("--cursor <cursor>", "go on where the page before ended")
    .addOption(authorityOption())
    .addOption(jsonOption())
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
    .addOption(jsonOption())
    .action(show);
}
