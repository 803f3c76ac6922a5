import { equalBytes, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { formatSerial, type Wrap } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import { isBoundWrap } from "../escrow/blob-submission.js";
import { wrapKeyOf } from "../escrow/chain.js";
import { decodeRecord, type EscrowRecord, isProven, recordHashOf } from "../escrow/record.js";
import type { Office } from "./office.js";
import type { Candidate, RecordRow, StoreReads } from "./store/store.js";

// A stored record, what it says, and whether its wraps open.

/** Where the RSA block begins in a SIMPLEBLOB. */
const BLOCK_AT = 12;

/**
 * What a record says, from the bytes that its hash names: columns are for searching only.
 * @throws TwinwrapError FAULT
 */
export function recordOfRow(core: Core, row: Pick<RecordRow, "hash" | "record">): EscrowRecord {
  // Bytes with this hash were read and written again (JCS) when they came in.
  if (equalBytes(recordHashOf(core, row.record), row.hash)) return decodeRecord(row.record);
  throw new TwinwrapError("FAULT", `the stored record ${toHex(row.hash)} was altered`);
}

/** Whether the columns that a record is searched by say what the record says. */
export function hasColumnsOf(row: RecordRow, record: EscrowRecord): boolean {
  return (
    row.owner === record.owner &&
    row.description === record.description &&
    row.label === record.blob?.label &&
    equalBytes(row.serial, record.serial) &&
    row.created.getTime() === record.created.getTime()
  );
}

/** What is known of a record's stored wraps. */
export type WrapState = "right" | "wrong" | "locked";

/**
 * Whether the record could be released from what is stored. Of an unproven key nothing more can show than that the
 * wrap is the one that the record names. "locked" if that would take a key of the authority that is not open.
 * @throws TwinwrapError FAULT if the record was altered
 */
export async function wrapState(
  { core, authority, openers }: Pick<Office, "core" | "authority" | "openers">,
  row: Pick<RecordRow, "hash" | "record">,
  candidates: readonly Candidate[],
): Promise<WrapState> {
  const record = recordOfRow(core, row);
  if (!isProven(record)) {
    return candidates.some(({ wrap }) => isBoundWrap(core, record, wrap)) ? "right" : "wrong";
  }
  const { right, untried } = await openers.check(row.record, candidates);
  if (right !== undefined) return "right";
  const isOurs = (i: number) => wrapKeyOf(authority, candidates[i]!.wrap.fingerprint) !== undefined;
  return untried.some(isOurs) ? "locked" : "wrong";
}

/** A record, or one that is to be, with a wrap of it. */
export interface Held {
  /** recordHash, 32 bytes. */
  hash: Uint8Array;
  record: EscrowRecord;
  wrap: Wrap;
}

/** The RSA block of a wrap. */
export function blockOf({ simpleBlob }: Wrap): Uint8Array {
  return simpleBlob.subarray(BLOCK_AT);
}

/**
 * Nothing shows that the sender of an unproven key knew it, and anybody can read the wrap in a file's header.
 * So an RSA block that is known from another record is never taken, or opened, as the sender's own.
 * @returns for each what is wrong with it: DUPLICATE, or FAULT if the other record was altered
 */
export async function knownBlocks(
  core: Core,
  reads: StoreReads,
  held: readonly Held[],
): Promise<(TwinwrapError | undefined)[]> {
  const unproven = held.filter(({ record }) => !isProven(record));
  const others = await reads.recordsWithBlocks(
    unproven.map(({ hash, wrap }) => ({ block: blockOf(wrap), except: hash })),
  );
  const errors = new Map(
    unproven.map((one, i) => [one, others[i] && sameBlock(core, one.record, others[i])]),
  );
  return held.map((one) => errors.get(one));
}

/** The same. @throws TwinwrapError the first of them */
export async function checkBlocks(
  core: Core,
  reads: StoreReads,
  held: readonly Held[],
): Promise<void> {
  const error = (await knownBlocks(core, reads, held)).find((one) => one !== undefined);
  if (error !== undefined) throw error;
}

function sameBlock(core: Core, record: EscrowRecord, row: RecordRow): TwinwrapError {
  let other: EscrowRecord;
  try {
    other = recordOfRow(core, row);
  } catch (error) {
    if (error instanceof TwinwrapError) return error;
    throw error;
  }
  const next = row.status === "unverified" ? ", which was not opened yet" : "";
  return new TwinwrapError(
    "DUPLICATE",
    `${formatSerial(record.serial)}: its key is not proven, and its blob is that of another record, ${formatSerial(other.serial)}${next}`,
  );
}
