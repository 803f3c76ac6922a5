import { toHex } from "../bytes.js";
import { formatSerial, type Padding } from "../envelope/index.js";
import { isWrapFor } from "../envelope/wraps.js";
import { decryptionFailed, TwinwrapError } from "../errors.js";
import {
  type Authority,
  encodeRecord,
  isBlob,
  isBoundWrap,
  isProven,
  type Receipt,
  type RecordQuery,
  recordHashOf,
  type Submission,
  wrapKeyOf,
} from "../escrow/index.js";
import { type Checked, IntakePlan } from "./intake-plan.js";
import type { Office } from "./office.js";
import { checkBlocks, recordOfRow, type WrapState, wrapState } from "./opening.js";
import { OwnerSecrets } from "./owners.js";
import { requirePolicy } from "./policies.js";
import type { Candidate, RecordRow, StoreWrites } from "./store/store.js";

// How records come in. A submission is opened before the transaction, if the authority's key is at
// hand. The transaction decides what the record is by then (intake-plan.ts).

/** Records that are opened, and in {@link verifyWaiting} recorded, together. */
const BATCH = 64;

/** What became of a submission. */
export interface Intake {
  /** recordHash, 32 bytes. */
  record: Uint8Array;
  status: "verified" | "unverified" | "unproven";
  /** Whether it is new here. */
  isNew: boolean;
  /** Whether its wrap took the place of one that is damaged. */
  isRepaired: boolean;
  receipt: Receipt;
}

/** Whether the authority's newest identity takes this padding. */
export function takesPadding({ identities }: Authority, padding: Padding): boolean {
  return identities.at(-1)!.paddings.includes(padding);
}

/**
 * Takes submissions in, all of them or none. Leaves records that are there already as they are, but that a wrap that
 * opens takes the place of a stored one that does not.
 * @throws TwinwrapError WRONG_AUTHORITY if one is for another authority or another key; REFUSED if the authority
 *   does not take its padding, or its blob is malformed; NO_POLICY; NOT_PROVEN; DUPLICATE if it has the blob of another
 *   record; BACKLOG; FENCED; DECRYPTION_FAILED if the key is open and a wrap does not lead to the session key of
 *   commitment and tag
 */
export async function intake(
  office: Office,
  submissions: readonly Submission[],
): Promise<Intake[]> {
  const { store } = office;
  const checked = await Promise.all(
    submissions.map((submission) => open(office, check(office, submission))),
  );
  const damaged = await damagedOf(office, checked);
  const taken = await store.write((writes) => takeIn(office, writes, checked, damaged));
  const rows = (await store.recordsByHash(checked.map(({ hash }) => hash))) as RecordRow[];
  const receipts = await receiptsOf(office, rows);
  return checked.map(({ hash, status: asked }, i) => {
    const opened = rows[i]!.verifiedLeaf === undefined ? "unverified" : "verified";
    const status = asked === "unproven" ? asked : opened;
    return { record: hash, status, ...taken[i]!, receipt: receipts[i]! };
  });
}

/**
 * Stored wraps that do not open any more, of records for which a right one has come: by record, in lower-case
 * hexadecimal. They are opened before the transaction.
 */
async function damagedOf(
  office: Office,
  items: readonly Checked[],
): Promise<Map<string, Candidate[]>> {
  const { store } = office;
  const right = items.filter(({ status }) => status !== "unverified");
  if (right.length === 0) return new Map();
  const found = await store.recordsByHash(right.map(({ hash }) => hash));
  const rows = found.filter(
    (row) => row !== undefined && row.status !== "unverified",
  ) as RecordRow[];
  const candidates = await store.candidatesOf(rows.map(({ hash }) => hash));
  const states = await Promise.all(rows.map((row, i) => wrapState(office, row, candidates[i]!)));
  return new Map(
    rows.flatMap(({ hash }, i) =>
      states[i] === "wrong" ? [[toHex(hash), candidates[i]!] as const] : [],
    ),
  );
}

/** Its transaction. @returns what became of each submission */
async function takeIn(
  office: Office,
  writes: StoreWrites,
  items: readonly Checked[],
  damaged: ReadonlyMap<string, readonly Candidate[]>,
): Promise<Pick<Intake, "isNew" | "isRepaired">[]> {
  const { core, log } = office;
  // A receipt would look as if the key could be released.
  const policy = await requirePolicy(office, writes);
  // Also for records that are there already: a receipt would look as if it came from the log's newest state.
  const end = await log.end(writes);
  const rows = await writes.recordsByHash(items.map(({ hash }) => hash));
  const fresh = items.filter((_, i) => rows[i] === undefined);
  if (policy.unproven === "refused" && fresh.some(({ status }) => status === "unproven")) {
    throw new TwinwrapError(
      "NOT_PROVEN",
      "the key is not proven: whoever has the blob could have sent it, and this authority does not take such keys in",
    );
  }
  if (policy.owners === "enrolled") await checkEnrolled(writes, fresh);
  const held = fresh.map(({ hash, submission: { record, wrap } }) => ({
    hash,
    record,
    wrap,
  }));
  await checkBlocks(core, writes, held);
  const present = rows.filter((row) => row !== undefined);
  const changing = present.filter(
    ({ status, hash }) => status === "unverified" || damaged.has(toHex(hash)),
  );
  const candidates = await writes.candidatesOf(changing.map(({ hash }) => hash));
  const plan = new IntakePlan(core, end, damaged);
  for (const row of present) plan.know(row, candidates[changing.indexOf(row)] ?? []);
  const taken = items.map((item) => plan.take(item));
  await plan.write(writes);
  return taken;
}

/** @throws TwinwrapError NOT_ENTITLED */
async function checkEnrolled(reads: StoreWrites, items: readonly Checked[]): Promise<void> {
  const owners = [...new Set(items.map(({ submission }) => submission.record.owner))];
  const enrolments = await reads.enrolments(owners);
  const stranger = owners.find((_, i) => enrolments[i]!.length === 0);
  if (stranger === undefined) return;
  throw new TwinwrapError(
    "NOT_ENTITLED",
    `owner ${stranger} is not enrolled, and this authority takes the records of enrolled owners alone`,
  );
}

/** What shows of a submission without the authority's key. @throws TwinwrapError as {@link intake} */
function check({ core, authority }: Office, submission: Submission): Checked {
  const { record, wrap } = submission;
  const which = `the submission for ${formatSerial(record.serial)}`;
  if (record.authority !== authority.origin) {
    throw new TwinwrapError(
      "WRONG_AUTHORITY",
      `${which} is for another authority, ${record.authority}`,
    );
  }
  const wrapKey = wrapKeyOf(authority, wrap.fingerprint);
  if (wrapKey === undefined) {
    throw new TwinwrapError(
      "WRONG_AUTHORITY",
      `${which} is wrapped for ${toHex(wrap.fingerprint)}, which is no key of this authority`,
    );
  }
  if (!takesPadding(authority, wrap.padding)) {
    throw new TwinwrapError("REFUSED", `${which}: this authority does not take ${wrap.padding}`);
  }
  const bytes = encodeRecord(record);
  const hash = recordHashOf(core, bytes);
  // What shows without the key is refused before anything is kept, whether the key is at hand or not.
  const algorithms = isBlob(record) ? [record.blob.aiKeyAlg] : undefined;
  if (!isWrapFor(wrap, wrapKey, algorithms)) {
    throw new TwinwrapError("REFUSED", `${which}: its blob is not of the form that it has to be`);
  }
  if (!isProven(record)) {
    // Never opened here: whether it opens must not show.
    if (isBoundWrap(core, record, wrap)) return { submission, bytes, hash, status: "unproven" };
    throw new TwinwrapError("REFUSED", `${which}: its blob is not the one that the record is for`);
  }
  return { submission, bytes, hash, status: "unverified" };
}

/** Opens it, if the key that it names is at hand. @throws TwinwrapError DECRYPTION_FAILED */
async function open({ openers }: Office, item: Checked): Promise<Checked> {
  const { tag, wrap } = item.submission;
  if (item.status === "unproven" || !openers.keys.has(toHex(wrap.fingerprint))) return item;
  const { right } = await openers.check(item.bytes, [{ tag, wrap }]);
  if (right === undefined) throw decryptionFailed();
  return { ...item, status: "verified" };
}

/** The newest receipts of records, in their order. */
export function receiptsOf({ store, log }: Office, rows: readonly RecordRow[]): Promise<Receipt[]> {
  return log.prove(
    store,
    rows.map(({ verifiedLeaf, escrowLeaf }) => (verifiedLeaf ?? escrowLeaf)!),
  );
}

/** Records with their wraps, and what was found out about each. */
interface Batch<T> {
  rows: RecordRow[];
  candidates: Candidate[][];
  found: T[];
}

/**
 * Asks something about all records that fit a query, in batches. While the caller works on one, the next is at work:
 * so threads always have something to do.
 */
async function* inBatches<T>(
  { store }: Office,
  query: RecordQuery,
  ask: (row: RecordRow, candidates: Candidate[]) => Promise<T>,
): AsyncGenerator<Batch<T>> {
  const begin = async (cursor: string | undefined) => {
    const { rows, next } = await store.records(query, { limit: BATCH, ...(cursor && { cursor }) });
    const candidates = await store.candidatesOf(rows.map(({ hash }) => hash));
    const asked = Promise.all(rows.map((row, i) => ask(row, candidates[i]!)));
    // It may fail before anybody waits for it.
    asked.catch(() => {});
    return { rows, candidates, asked, next };
  };
  let ahead = await begin(undefined);
  for (;;) {
    const { rows, candidates, asked, next } = ahead;
    if (next !== undefined) ahead = await begin(next);
    yield { rows, candidates, found: await asked };
    if (next === undefined) return;
  }
}

/**
 * Opens what was taken in unopened, except unproven records, which never verify. Removes wrong wraps, so that
 * they take no place from the right one. Their record and its leaf stay, and wait for it.
 * @returns how many records are verified now, and the hashes of those of which all wraps were wrong
 */
export async function verifyWaiting(
  office: Office,
  onProgress?: (done: number) => void,
): Promise<{ verified: number; failed: Uint8Array[] }> {
  const { core, openers } = office;
  const failed: Uint8Array[] = [];
  let verified = 0;
  let done = 0;
  const ask = async (row: RecordRow, candidates: Candidate[]) => {
    recordOfRow(core, row); // its bytes are those of its hash
    const { right, wrong } = await openers.check(row.record, candidates);
    onProgress?.(++done);
    return { right, wrong };
  };
  for await (const { rows, candidates, found } of inBatches(
    office,
    { status: "unverified" },
    ask,
  )) {
    const tried = rows.map((row, i): Attempt => {
      const { right, wrong } = found[i]!;
      if (right === undefined && wrong.length > 0) failed.push(row.hash);
      return {
        row,
        right: right === undefined ? undefined : candidates[i]![right],
        wrong: wrong.map((at) => candidates[i]![at]!),
      };
    });
    verified += await recordTried(office, tried);
  }
  return { verified, failed };
}

/** A record whose wraps were tried. */
interface Attempt {
  row: RecordRow;
  right: Candidate | undefined;
  wrong: Candidate[];
}

async function recordTried(
  { core, store, log }: Office,
  tried: readonly Attempt[],
): Promise<number> {
  return store.write(async (writes) => {
    const rows = await writes.recordsByHash(tried.map(({ row }) => row.hash));
    // Another process may have been here in between.
    const waiting = tried.filter((_, i) => rows[i]?.status === "unverified");
    const verified = waiting.flatMap(({ row: { hash, record }, right }) => {
      if (right === undefined) return [];
      return [{ hash, owner: recordOfRow(core, { hash, record }).owner, right }];
    });
    if (verified.length > 0) {
      const end = await log.end(writes);
      const owners = verified.map(({ owner }) => owner);
      const secrets = await OwnerSecrets.read(writes, owners);
      await end.append(
        verified.map(({ hash: record, owner }) => {
          return { type: "verified", record, owner: secrets.tag(core, owner, record) };
        }),
      );
      await writes.updateRecords(
        verified.map(({ hash }, i) => ({ hash, status: "verified", verifiedLeaf: end.next + i })),
      );
      await writes.keepCandidates(
        verified.map(({ hash: record, right }) => ({ record, ...right })),
      );
    }
    const useless = waiting.filter(({ right }) => right === undefined);
    await writes.dropCandidates(
      useless.flatMap(({ row: { hash: record }, wrong }) =>
        wrong.map((candidate) => ({ record, ...candidate })),
      ),
    );
    return verified.length;
  });
}

/** What opening everything again has found. */
export interface WrapReport {
  /** How many records could be released. */
  right: number;
  /** Those of which no stored wrap is right, or whose record was altered. */
  wrong: Pick<RecordRow, "hash" | "serial">[];
  /** Those with a wrap for a key of the authority that is not open. */
  locked: Pick<RecordRow, "hash" | "serial">[];
}

/** Opens the wraps of all records again, of released ones too. Changes nothing. */
export async function verifyAll(
  office: Office,
  onProgress?: (done: number) => void,
): Promise<WrapReport> {
  const report: WrapReport = { right: 0, wrong: [], locked: [] };
  let done = 0;
  const ask = async (row: RecordRow, candidates: Candidate[]) => {
    const state = await stateOf(office, row, candidates);
    onProgress?.(++done);
    return state;
  };
  for await (const { rows, found } of inBatches(office, {}, ask)) {
    for (const [i, { hash, serial }] of rows.entries()) {
      const state = found[i]!;
      if (state === "right") report.right++;
      else report[state].push({ hash, serial });
    }
  }
  return report;
}

/** One altered record must not hide what became of all others. */
async function stateOf(
  office: Office,
  row: RecordRow,
  candidates: readonly Candidate[],
): Promise<WrapState> {
  try {
    return await wrapState(office, row, candidates);
  } catch (error) {
    if (error instanceof TwinwrapError && error.code === "FAULT") return "wrong";
    throw error;
  }
}
