import { toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { readBack, TwinwrapError } from "../errors.js";
import { formatTime } from "../jcs.js";
import { labelledHash } from "./hashes.js";
import { formatLines, Lines } from "./lines.js";
import { checkOrigin, checkText } from "./names.js";
import { parseNote, type Signer, signNote } from "./note.js";
import { MAX_RECORDS, type RecoveryRequest, recipientFingerprint, requestHash } from "./request.js";

// One officer's word on one request: a note that names everything it is about, so that it can't be
// used for another authority, policy, request or key.

const KIND = "twinwrap/approval/v1";
const MAX_IDENTITY = 1000;

export interface Approval {
  /** The authority's origin. */
  authority: string;
  /** Hash of the policy it counts under, 32 bytes. */
  policy: Uint8Array;
  /** Hash of the request, 32 bytes. */
  request: Uint8Array;
  /** Fingerprint of the key that is wrapped for, 32 bytes. */
  recipient: Uint8Array;
  /** How many records the request has. */
  records: number;
  decision: "approve" | "deny";
  /** How the officer made sure who the requester is: one line for people. */
  identity: string;
  /** When it was signed, by the officer's clock. */
  date: Date;
  expires: Date;
}

/** An approval or denial as it was signed. */
export interface SignedApproval extends Approval {
  /** The name under which it is signed. Nothing is verified yet. */
  officer: string;
}

/** @throws TwinwrapError BAD_FORMAT if a text is not allowed there, LIMIT_EXCEEDED if it is too long */
export function formatApproval(approval: Approval): string {
  const text = formatLines(KIND, [
    ["authority", approval.authority],
    ["policy", toHex(approval.policy)],
    ["request", toHex(approval.request)],
    ["recipient", toHex(approval.recipient)],
    ["records", String(approval.records)],
    ["decision", approval.decision],
    ["identity", approval.identity],
    ["date", formatTime(approval.date)],
    ["expires", formatTime(approval.expires)],
  ]);
  readBack(() => parseApprovalText(text), "BAD_FORMAT");
  return text;
}

function parseApprovalText(text: string): Approval {
  const lines = new Lines(text, KIND);
  const approval: Approval = {
    authority: lines.value("authority", checkOrigin),
    policy: lines.hash("policy"),
    request: lines.hash("request"),
    recipient: lines.hash("recipient"),
    records: lines.number("records", 1, MAX_RECORDS),
    decision: lines.oneOf("decision", ["approve", "deny"]),
    identity: lines.value("identity", (value, where) => checkText(value, MAX_IDENTITY, where)),
    date: lines.time("date"),
    expires: lines.time("expires"),
  };
  lines.end();
  return approval;
}

/**
 * Takes an approval's note apart; it has one signature. Nothing is verified.
 * @throws TwinwrapError BAD_FORMAT
 */
export function parseApproval(note: string): SignedApproval {
  const { text, signatures } = parseNote(note);
  const [signature] = signatures;
  if (signature === undefined || signatures.length > 1) {
    throw new TwinwrapError("BAD_FORMAT", `${KIND}: it has more than one signature`);
  }
  return { ...parseApprovalText(text), officer: signature.name };
}

/**
 * An officer's word on a request, signed.
 * @param policy hash of the policy in force, 32 bytes
 * @param options.date by default now
 * @param options.expires by default when the request does
 * @throws TwinwrapError BAD_FORMAT if `identity` is not one line of text, LIMIT_EXCEEDED if it is longer
 *   than 1000 bytes
 */
export function signApproval(
  core: Core,
  signer: Signer,
  request: RecoveryRequest,
  policy: Uint8Array,
  options: {
    decision: "approve" | "deny";
    identity: string;
    date?: Date | undefined;
    expires?: Date | undefined;
  },
): Promise<string> {
  const text = formatApproval({
    authority: request.authority,
    policy,
    request: requestHash(core, request),
    recipient: recipientFingerprint(core, request),
    records: request.records.length,
    decision: options.decision,
    identity: options.identity,
    date: options.date ?? new Date(),
    expires: options.expires ?? request.expires,
  });
  return signNote(core, text, signer);
}

/** The hash of an approval or denial, signature included, 32 bytes. */
export function approvalHash(core: Core, note: string): Uint8Array<ArrayBuffer> {
  return labelledHash(core, "twinwrap/v1/approval", toUtf8(note));
}

/** The hash of all approvals that counted, 32 bytes, from the hash of each. */
export function approvalsHash(core: Core, hashes: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const lines = hashes.map((hash) => `${toHex(hash)}\n`).sort();
  return labelledHash(core, "twinwrap/v1/approvals", toUtf8(lines.join("")));
}
