import type { RecordRow } from "../authority/store/store.js";
import { sharedCore } from "../core/index.js";
import type { Head, Padding } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import {
  encodeRequest,
  fits,
  type HeldSubmission,
  makeRequest,
  recipientFingerprint,
  requestHash,
  requestId,
  sayId,
  submissionsToAsk,
} from "../escrow/index.js";
import { formatTime } from "../jcs.js";
import { type AuthorityOptions, type Party, requireAuthority, withParty } from "./authority-io.js";
import { parseSerial } from "./authority-records.js";
import { type OutputOptions, UsageError } from "./command.js";
import { checkOutput, print, printJson, readRecipientFile, warn, writeOutput } from "./io.js";
import { readSealed } from "./messages.js";
import {
  type Kept,
  preferVerified,
  readKept,
  recordsOfFile,
  recordsWithSerial,
} from "./recover-records.js";
import { about, neverWeak } from "./report.js";
import { formatFingerprint, safe, table } from "./text.js";

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

function refused(message: string): TwinwrapError {
  return new TwinwrapError("REFUSED", message);
}

/** Of a file's submissions, those to ask for; whether the authority has them is not known yet. */
async function heldToAsk(
  path: string,
  head: Head,
  { authority, service, view }: Party,
): Promise<HeldSubmission[]> {
  const core = await sharedCore();
  const { held, proven } = await submissionsToAsk(core, head, authority, view);
  if (!proven && held.length > 0 && service === undefined) {
    warn(
      `${safe(path)}: no receipt in it verifies; if the authority did not get its submission, it refuses the whole request`,
    );
  }
  return held;
}

/** The hashes of the records to ask for, 32 bytes each, so that a file can be recovered. */
async function recordsToAsk(path: string, party: Party, kept: Kept[]): Promise<Uint8Array[]> {
  const head = await readSealed(path);
  const origin = safe(party.authority.origin);
  const mine = kept.filter(({ record }) => fits(head, record));
  if (mine.length > 0) return mine.map(({ hash }) => hash);
  const held = await heldToAsk(path, head, party);
  const { service } = party;
  if (service === undefined) {
    if (held.length === 0) throw refused(`it is not escrowed with ${origin}`);
    return held.map(({ record }) => record);
  }
  const rows: RecordRow[] = [];
  for (const { record } of held) {
    const row = await service.store.record(record);
    if (row !== undefined) rows.push(row);
  }
  // Whoever can write the file can put in submissions that nobody else has, or take out all.
  const found = preferVerified(rows.length > 0 ? rows : await recordsOfFile(service, head));
  if (found.length > 0) return found.map(({ hash }) => hash);
  throw refused(
    held.length === 0
      ? `it is not escrowed with ${origin}`
      : `${origin} did not get the submission that is in it`,
  );
}

/** What is asked for by a serial. */
interface BySerial {
  serial: string;
  asked: RecordRow[];
  /** Never verified, beside others that were. */
  leftOut: number;
}

async function bySerial({ service }: Party, serials: readonly string[]): Promise<BySerial[]> {
  if (serials.length === 0) return [];
  if (service === undefined) {
    throw new UsageError("--serial needs the authority's folder: give the files");
  }
  const found: BySerial[] = [];
  for (const serial of serials) {
    const rows = await recordsWithSerial(service, parseSerial(serial));
    if (rows.length === 0) throw refused(`the authority has no record with serial ${serial}`);
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

/** Of submissions that were kept, the authority's records. */
async function keptRecords({ service }: Party, kept: Kept[]): Promise<Uint8Array[]> {
  for (const { path, hash } of kept) {
    if (service === undefined || (await service.store.record(hash)) !== undefined) continue;
    throw refused(`${path}: the authority did not get it`);
  }
  return kept.map(({ hash }) => hash);
}

export async function request(paths: string[], options: RequestOptions): Promise<void> {
  const { serial: serials = [], submission: submissions = [] } = options;
  if (paths.length + serials.length + submissions.length === 0) {
    throw new UsageError("for what? Give FILE, --serial or --submission");
  }
  const core = await sharedCore();
  const recipient = await neverWeak(() => readRecipientFile(options.to, false));
  // An authority does not release for a weak one.
  const authority = requireAuthority(options);
  await withParty(authority, async (party) => {
    const kept = await readKept(submissions, party);
    const records = await keptRecords(party, kept);
    for (const path of paths) {
      records.push(...(await about(path, () => recordsToAsk(path, party, kept))));
    }
    const found = await bySerial(party, serials);
    records.push(...found.flatMap(({ asked }) => asked.map(({ hash }) => hash)));
    const created = new Date();
    const asked = makeRequest({
      authority: party.authority.origin,
      requester: options.requester,
      recipient,
      records,
      created,
      ...(options.padding === undefined ? {} : { padding: options.padding }),
      ...(options.expires === undefined
        ? {}
        : { expires: new Date(created.getTime() + options.expires * DAY) }),
    });
    const id = requestId(requestHash(core, asked));
    const output = options.output ?? `${id}.request.json`;
    await checkOutput([...paths, ...submissions, options.to, authority], output, options);
    // One that the authority refuses is not kept.
    await party.service?.takeRequest(asked);
    await writeOutput(output, [encodeRequest(asked)], { force: options.force ?? false });
    const key = formatFingerprint(recipientFingerprint(core, asked));
    const delivered = party.service !== undefined;
    if (options.json) {
      const facts = {
        id,
        recipient: key,
        records: asked.records.length,
        serials: found.map((one) => ({
          serial: one.serial,
          asked: one.asked.map(({ hash, status }) => ({ record: formatFingerprint(hash), status })),
          leftOut: one.leftOut,
        })),
        expires: formatTime(asked.expires),
        request: output,
        delivered,
      };
      printJson(facts, output);
      return;
    }
    print(
      table([
        ["request", id],
        ["say it as", sayId(id)],
        ["recipient", `${key}  ${asked.padding}`],
        ["records", String(asked.records.length)],
        ...found.map((one) => ["by serial", `${one.serial}  ${serialText(one)}`]),
        ["expires", formatTime(asked.expires)],
        ["kept in", safe(output)],
        [
          "delivered",
          delivered ? "to the authority" : `no: carry ${safe(output)} to the authority`,
        ],
        ["next", "tell each officer the ID yourself, so that he knows it is you"],
      ]),
      output,
    );
  });
}
