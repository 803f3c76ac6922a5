import type { Core } from "../core/index.js";
import type { StoredRecord } from "../escrow/index.js";
import { recordOfRow } from "./opening.js";
import type { RecordRow, StoreReads } from "./store/store.js";

/**
 * Rows as they are shown to whoever asks the authority.
 * @throws TwinwrapError FAULT if a record is not the one that its hash names
 */
export async function stored(
  core: Core,
  reads: StoreReads,
  rows: readonly RecordRow[],
): Promise<StoredRecord[]> {
  for (const row of rows) recordOfRow(core, row);
  const candidates = await reads.candidatesOf(rows.map(({ hash }) => hash));
  return rows.map(({ record, status, escrowLeaf, verifiedLeaf }, i) => ({
    record,
    status,
    escrowLeaf,
    verifiedLeaf,
    wraps: candidates[i]!.map(({ wrap: { fingerprint, padding } }) => ({ fingerprint, padding })),
  }));
}
