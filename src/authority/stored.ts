import { equalBytes, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import type { RequestSummary, StoredRecord } from "../escrow/index.js";
import { decodeLeaf } from "../escrow/leaf.js";
import { isProven } from "../escrow/record.js";
import { hasColumnsOf, recordOfRow } from "./opening.js";
import { requestOfRow } from "./request-row.js";
import type { RecordRow, RequestRow, StoreReads } from "./store/store.js";

/** Whether a record can have this status, as far as its leaves show. Whether it was released, the audit finds out. */
function canStand({ status, verifiedLeaf, escrowLeaf }: RecordRow, proven: boolean): boolean {
  if (!proven) return verifiedLeaf === undefined && /^(unproven|released)$/.test(status);
  if (verifiedLeaf === undefined) return escrowLeaf !== undefined && status === "unverified";
  return status === "verified" || status === "released";
}

/**
 * Rows as they are shown to whoever asks the authority. What they show is read from the bytes alone. But whoever
 * looked for a record by a column that lies was led to another one, so that is a fault too.
 * @throws TwinwrapError FAULT if a record is not the one that its hash names, or a column is not the record's
 */
export async function stored(
  core: Core,
  reads: StoreReads,
  rows: readonly RecordRow[],
): Promise<StoredRecord[]> {
  for (const row of rows) {
    const record = recordOfRow(core, row);
    if (hasColumnsOf(row, record) && canStand(row, isProven(record))) continue;
    throw new TwinwrapError(
      "FAULT",
      `a column of the stored record ${toHex(row.hash)} was altered`,
    );
  }
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
    const { requester, records, expires } = requestOfRow(core, row);
    const leaf = leaves[i] === undefined ? undefined : decodeLeaf(leaves[i]);
    if (leaf?.type !== "request" || !equalBytes(leaf.request, row.hash)) {
      throw new TwinwrapError("FAULT", `request ${row.id} is not what the log says of it`);
    }
    const { id, status } = row;
    return { id, status, received: leaf.time, expires, requester, records: records.length };
  });
}
