import { equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import { decodeLeaf, type RequestSummary, type StoredRecord } from "../escrow/index.js";
import { recordOfRow } from "./opening.js";
import { requestOfRow } from "./request-row.js";
import type { RecordRow, RequestRow, StoreReads } from "./store/store.js";

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

/**
 * Requests for a list.
 * @throws TwinwrapError FAULT if one is not what its hash names, or the log says of it
 */
export async function summaries(
  core: Core,
  reads: StoreReads,
  rows: readonly RequestRow[],
): Promise<RequestSummary[]> {
  const leaves = await reads.leavesAt(rows.map(({ leaf }) => leaf));
  return rows.map((row, i) => {
    const { expires } = requestOfRow(core, row);
    const leaf = leaves[i] === undefined ? undefined : decodeLeaf(leaves[i]);
    if (leaf?.type !== "request" || !equalBytes(leaf.request, row.hash)) {
      throw new TwinwrapError("FAULT", `request ${row.id} is not what the log says of it`);
    }
    const { id, status } = row;
    return { id, status, received: leaf.time, expires };
  });
}
