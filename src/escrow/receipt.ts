import { readBack, TwinwrapError } from "../errors.js";
import { decodeJcs, encodeJcs, type Json, Members } from "../jcs.js";
import { decodeLeaf, MAX_RECORD_LEAF, type RecordLeaf } from "./leaf.js";

// The authority's answer to a submission: the leaf that it put into its log, and the proof that the leaf is
// there.

const TYPE = "twinwrap/receipt/v1";
/** Bytes of a receipt at most. */
export const MAX_RECEIPT = 96 * 1024;
/** Bytes of a proof with its checkpoint and what witnesses signed, at most. */
export const MAX_PROOF = 80 * 1024;

export interface Receipt {
  /** As it stands in the log; {@link receiptLeaf} reads it. */
  leaf: string;
  /** C2SP tlog-proof. */
  proof: string;
}

/** A receipt as it stands in a file's header. */
export function receiptToJson({ leaf, proof }: Receipt): Json {
  return { leaf, proof, type: TYPE };
}

/**
 * The bytes of a receipt file.
 * @throws TwinwrapError BAD_ARGUMENT if they could not be read back, LIMIT_EXCEEDED if they are too many
 */
export function encodeReceipt(receipt: Receipt): Uint8Array<ArrayBuffer> {
  const bytes = encodeJcs(receiptToJson(receipt));
  readBack(() => decodeReceipt(bytes));
  return bytes;
}

/** @throws TwinwrapError BAD_FORMAT */
export function receiptFromJson(json: Json): Receipt {
  return decodeReceipt(encodeJcs(json));
}

/** @throws TwinwrapError BAD_FORMAT, also if its leaf is not one of a record that was taken in */
export function decodeReceipt(bytes: Uint8Array): Receipt {
  const members = new Members(decodeJcs(bytes, MAX_RECEIPT), "receipt");
  members.exactly("type", TYPE);
  const receipt = {
    leaf: members.text("leaf", MAX_RECORD_LEAF),
    proof: members.text("proof", MAX_PROOF),
  };
  members.end();
  receiptLeaf(receipt);
  return receipt;
}

/** What the leaf of a receipt says. @throws TwinwrapError BAD_FORMAT */
export function receiptLeaf({ leaf }: Receipt): RecordLeaf {
  const decoded = decodeLeaf(leaf);
  if (decoded.type === "escrow" || decoded.type === "verified") return decoded;
  throw new TwinwrapError("BAD_FORMAT", "receipt: its leaf is not one of a record taken in");
}
