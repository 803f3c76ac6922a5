import type { StoredRecord } from "../escrow/index.js";
import type { RecordRow, StoreReads } from "./store/store.js";

/** Rows as they are shown to whoever asks the authority. */
export async function stored(
  reads: StoreReads,
  rows: readonly RecordRow[],
): Promise<StoredRecord[]> {
  const candidates = await reads.candidatesOf(rows.map(({ hash }) => hash));
  return rows.map(({ record, status, escrowLeaf, verifiedLeaf }, i) => ({
    record,
    status,
    escrowLeaf,
    verifiedLeaf,
    wraps: candidates[i]!.map(({ wrap: { fingerprint, padding } }) => ({ fingerprint, padding })),
  }));
}
