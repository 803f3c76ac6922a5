import { TwinwrapError } from "../errors.js";
import type { RecordQuery } from "../escrow/index.js";
import type { Office } from "./office.js";
import { recordOfRow, type WrapState, wrapState } from "./opening.js";
import { OwnerSecrets } from "./owners.js";
import type { Candidate, RecordRow } from "./store/store.js";

// What is stored is opened: what came in unopened, or everything again.

/** Records that are opened, and in {@link verifyWaiting} recorded, together. */
const BATCH = 64;

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
