import { equalBytes, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { type Escrow, MAX_ESCROWS } from "../envelope/header.js";
import type { Head } from "../envelope/open.js";
import { isAboutContent, notVerified, TwinwrapError } from "../errors.js";
import { encodeJcs, type Json } from "../jcs.js";
import { isBoundWrap } from "./blob-submission.js";
import type { Authority } from "./chain.js";
import {
  type Checkpoint,
  type ProofWorth,
  parseCheckpoint,
  parseProof,
  signedCheckpoint,
  verifyPath,
  weighProof,
} from "./checkpoint.js";
import type { RecordLeaf } from "./leaf.js";
import type { LogView } from "./log-view.js";
import {
  encodeReceipt,
  type Receipt,
  receiptFromJson,
  receiptLeaf,
  receiptToJson,
} from "./receipt.js";
import { type EscrowRecord, isBlob, isProven, recordHash } from "./record.js";
import { type Submission, submissionFromJson, submissionToJson } from "./submission.js";

// What owners can find out about their files' escrows, without a private key and without asking
// anybody. Nothing in a file's slots is authenticated: everything counts only for what it proves.

/** What an owner can know about one file, or one blob, and one authority. */
export type EscrowStatus =
  | "verified"
  | "unverified"
  | "unproven"
  | "unconfirmed"
  | "lost"
  | "after the end"
  | "pending"
  | "not escrowed"
  | "mismatch";

export interface EscrowReport {
  /**
   * verified: the authority opened the wrap, and it is what it says. unverified: it took the record in.
   * unproven: it took in a blob whose key nobody proves. pending: submitted, no receipt yet. mismatch:
   * the parts in the file do not fit together.
   *
   * Of a receipt in a log that has ended, the three above are said only if its proof leads to what was kept of that
   * log. unconfirmed: it does not yet. lost: the authority says that it lost this entry. after the end: the key of
   * that log signed it when the log had ended, so it is worth nothing.
   */
  status: EscrowStatus;
  /** The origin that the submission, or the fixed header, names; "" if it can't be read. */
  origin: string;
  /**
   * Whether the given authority stands for it: there was a receipt, and it verified, in the log in use or in what
   * was kept of one that ended. false: consistent at best.
   */
  shown: boolean;
  /** {@link recordHash}, 32 bytes; undefined if there is no (readable) submission. */
  record: Uint8Array | undefined;
  /** The owner's ID at the authority. */
  owner: string | undefined;
  /** Time in the receipt's leaf; undefined unless a receipt fits. */
  time: Date | undefined;
  /** Fingerprint of the RSA key that the submission is wrapped for, 32 bytes. */
  wrapFor: Uint8Array | undefined;
  /** Leaf index that the receipt's proof is for; undefined unless a receipt fits. */
  index: number | undefined;
  /** Where that proof leads; undefined unless a receipt fits. */
  checkpoint: Checkpoint | undefined;
  /** What does not fit, in words for people; undefined unless the status is "mismatch". */
  reason: string | undefined;
}

/** A submission that a file holds, and what came for it. */
export interface HeldSubmission {
  submission: Submission;
  /** {@link recordHash}, 32 bytes. */
  record: Uint8Array;
  /** One that names the record; it is not verified. */
  receipt: Receipt | undefined;
}

/** What a receipt that verified says. */
export interface CheckedReceipt {
  leaf: RecordLeaf;
  /** Of the leaf in the log, counted from 0. */
  index: number;
  checkpoint: Checkpoint;
  /** "full" if no authority is given: nobody knows whether its log has ended. */
  worth: ProofWorth;
}

/** Which part of a record is not the file's, in words; undefined if it fits. */
function misfit({ header, body }: Head, record: EscrowRecord): string | undefined {
  if (isBlob(record)) return "it is for a program's blob";
  if (!equalBytes(record.serial, header.serial)) return "its serial is another file's";
  if (!equalBytes(record.header, header.hash)) return "it is for another header";
  if (!equalBytes(record.salt, body.salt)) return "it is for another body (salt)";
  if (!equalBytes(record.commitment, body.commitment)) {
    return "it is for another body or key (commitment)";
  }
  return undefined;
}

/** Whether the record's serial, H, salt and commitment are the file's. */
export function fits(head: Head, record: EscrowRecord): boolean {
  return misfit(head, record) === undefined;
}

/** Runs `read`; undefined for malformed input. */
function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isAboutContent(error)) return undefined;
    throw error;
  }
}

/** Runs `check`; malformed input is not verified either. */
export async function orNotVerified<T>(check: () => T | Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof TwinwrapError) || error.code !== "BAD_FORMAT") throw error;
    throw notVerified(error.message);
  }
}

/** The origin in a submission that may be malformed otherwise. */
function originOf(submission: Json): string {
  const member = (json: Json | undefined, name: string): Json | undefined =>
    typeof json === "object" && json !== null && !Array.isArray(json)
      ? new Map(Object.entries(json)).get(name)
      : undefined;
  const origin = member(member(submission, "record"), "authority");
  return typeof origin === "string" ? origin : "";
}

/** The origins of the authorities that a file holds submissions for, as far as they can be read. */
export function originsOf({ header }: Head): string[] {
  const origins = header.escrows.map(({ submission }) => originOf(submission));
  return [...new Set(origins)].filter((origin) => origin !== "");
}

/**
 * What a file's head says about its escrows: one report for each, and "not escrowed" for every origin
 * meant at sealing that has none.
 *
 * With an authority: the escrows of its origin alone, with every signature verified; one report "not
 * escrowed" if there is none. Without: whether everything fits together, but not whose the receipts
 * are.
 * @param view what was seen of the authority's log before: a receipt that contradicts it is a "mismatch"
 * @returns at least one report if an authority is given. Nothing in the file makes it throw; malformed
 *   or unfitting parts are a "mismatch"
 */
export async function checkFile(
  core: Core,
  head: Head,
  authority?: Authority,
  view?: LogView,
): Promise<EscrowReport[]> {
  const isAsked = (origin: string) => authority === undefined || origin === authority.origin;
  const reports: EscrowReport[] = [];
  for (const escrow of head.header.escrows) {
    const origin = originOf(escrow.submission);
    if (isAsked(origin)) {
      reports.push(await checkEscrow(core, head, escrow, origin, authority, view));
      continue;
    }
    // It is no answer, but the authority's log key signed it.
    const reason = await contradictionOf(core, escrow.receipt, authority, view);
    if (reason !== undefined) reports.push({ ...NOTHING, origin: authority!.origin, reason });
  }
  const meant = authority === undefined ? head.header.escrow : [authority.origin];
  for (const origin of meant) {
    if (reports.every((report) => report.origin !== origin)) {
      reports.push({ ...NOTHING, origin, status: "not escrowed" });
    }
  }
  return reports;
}

const NOTHING: EscrowReport = {
  status: "mismatch",
  origin: "",
  shown: false,
  record: undefined,
  owner: undefined,
  time: undefined,
  wrapFor: undefined,
  index: undefined,
  checkpoint: undefined,
  reason: undefined,
};

async function checkEscrow(
  core: Core,
  head: Head,
  escrow: Escrow,
  origin: string,
  authority: Authority | undefined,
  view: LogView | undefined,
): Promise<EscrowReport> {
  const report: EscrowReport = { ...NOTHING, origin };
  try {
    const submission = submissionFromJson(escrow.submission);
    addFacts(core, report, submission);
    const problem = misfit(head, submission.record);
    if (problem !== undefined) throw notVerified(`the submission does not fit: ${problem}`);
    checkAddressee(submission, authority);
    if (escrow.receipt === undefined) return { ...report, status: "pending" };
    const receipt = receiptFromJson(escrow.receipt);
    return { ...report, ...(await answered(core, submission, receipt, authority, view)) };
  } catch (error) {
    if (!isAboutContent(error)) throw error;
    const worse = await contradictionOf(core, escrow.receipt, authority, view);
    return { ...report, reason: worse ?? error.message };
  }
}

/** Why a receipt does not go with what was seen of the log, whatever it stands beside; undefined if it does. */
async function contradictionOf(
  core: Core,
  receipt: Json | undefined,
  authority: Authority | undefined,
  view: LogView | undefined,
): Promise<string | undefined> {
  if (authority === undefined || view === undefined) return undefined;
  const read = receipt === undefined ? undefined : orUndefined(() => receiptFromJson(receipt));
  if (read === undefined) return undefined;
  try {
    await seeReceipt(core, read, authority, view);
    return undefined;
  } catch (error) {
    if (isAboutContent(error)) return error.message;
    throw error;
  }
}

/**
 * Shows a receipt to a view, whatever record it is for. One that the authority did not sign shows nothing.
 * @throws TwinwrapError NOT_VERIFIED if it contradicts what was seen of the log, or where that ended
 */
export async function seeReceipt(
  core: Core,
  { leaf, proof }: Receipt,
  { logKeys }: Pick<Authority, "logKeys">,
  view: LogView,
): Promise<void> {
  try {
    const parsed = parseProof(proof);
    const { checkpoint } = await signedCheckpoint(core, parsed.checkpoint, logKeys);
    verifyPath(core, leaf, parsed, checkpoint);
  } catch (error) {
    if (isAboutContent(error)) return;
    throw error;
  }
  await view.see(leaf, proof);
}

/**
 * The same for a submission that was kept as a file, as a blob's is.
 * @param receipt that came for it
 * @returns never "not escrowed"; what does not fit is a "mismatch"
 */
export async function checkSubmission(
  core: Core,
  submission: Submission,
  receipt: Receipt | undefined,
  authority?: Authority,
  view?: LogView,
): Promise<EscrowReport> {
  const report: EscrowReport = { ...NOTHING, origin: submission.record.authority };
  try {
    addFacts(core, report, submission);
    if (authority !== undefined && authority.origin !== report.origin) {
      throw notVerified(`the submission is for ${report.origin}`);
    }
    checkAddressee(submission, authority);
    if (!isProven(submission.record) && !isBoundWrap(core, submission.record, submission.wrap)) {
      throw notVerified("the blob in the submission is not the one that its record is for");
    }
    if (receipt === undefined) return { ...report, status: "pending" };
    return { ...report, ...(await answered(core, submission, receipt, authority, view)) };
  } catch (error) {
    if (!isAboutContent(error)) throw error;
    return { ...report, reason: error.message };
  }
}

/** Fills in what a report is about. */
function addFacts(core: Core, report: EscrowReport, { record, wrap }: Submission): void {
  report.record = recordHash(core, record);
  report.owner = record.owner;
  report.wrapFor = wrap.fingerprint;
}

function checkAddressee({ wrap }: Submission, authority: Authority | undefined): void {
  if (authority?.wrapFingerprints.some((key) => equalBytes(key, wrap.fingerprint)) === false) {
    throw notVerified("the submission is wrapped for a key that is not the authority's");
  }
}

/** What a receipt says. @throws TwinwrapError BAD_FORMAT, NOT_VERIFIED */
async function answered(
  core: Core,
  { record }: Submission,
  receipt: Receipt,
  authority: Authority | undefined,
  view: LogView | undefined,
): Promise<Pick<EscrowReport, "status" | "shown" | "time" | "index" | "checkpoint">> {
  const hash = recordHash(core, record);
  const { leaf, index, checkpoint, worth } = await verifyReceipt(core, hash, receipt, authority);
  const isVerified = leaf.type === "verified";
  if (isVerified && !isProven(record)) {
    throw notVerified("the receipt calls a key verified that nobody proves");
  }
  // A receipt without a known signer says nothing about a log.
  if (authority !== undefined) await view?.see(receipt.leaf, receipt.proof);
  const unopened = isProven(record) ? "unverified" : "unproven";
  const said = isVerified ? "verified" : unopened;
  return {
    status: worth === "full" ? said : worth,
    shown: authority !== undefined && worth === "full",
    time: leaf.time,
    index,
    checkpoint,
  };
}

/**
 * @param authority if it is not given, only that the leaf is under the checkpoint is verified
 * @throws TwinwrapError BAD_FORMAT, NOT_VERIFIED
 */
async function verifyReceipt(
  core: Core,
  record: Uint8Array,
  receipt: Receipt,
  authority: Authority | undefined,
): Promise<CheckedReceipt> {
  const leaf = receiptLeaf(receipt);
  if (!equalBytes(leaf.record, record)) throw notVerified("the receipt is for another record");
  if (authority !== undefined) {
    return { leaf, ...(await weighProof(core, receipt.leaf, receipt.proof, authority.logKeys)) };
  }
  const proof = parseProof(receipt.proof);
  const checkpoint = parseCheckpoint(proof.checkpoint);
  verifyPath(core, receipt.leaf, proof, checkpoint);
  return { leaf, index: proof.index, checkpoint, worth: "full" };
}

/**
 * Verifies that a receipt is for this submission, and that the authority signed it and has not lost it.
 * @returns its worth is "full", or "unconfirmed"
 * @throws TwinwrapError NOT_VERIFIED
 */
export async function checkReceipt(
  core: Core,
  submission: Submission,
  receipt: Receipt,
  authority: Authority,
): Promise<CheckedReceipt> {
  const checked = await weighReceipt(core, submission, receipt, authority);
  if (!isKept(checked.worth)) {
    throw notVerified(
      `the receipt is of an entry that ${authority.origin} lost: the submission has to be sent again`,
    );
  }
  return checked;
}

/** Whether the authority says that it holds what a receipt of this worth is for. */
function isKept(worth: ProofWorth): boolean {
  return worth === "full" || worth === "unconfirmed";
}

/**
 * Verifies that a receipt is for this submission, and that the authority signed it; it may be of any worth.
 * @throws TwinwrapError NOT_VERIFIED
 */
function weighReceipt(
  core: Core,
  submission: Submission,
  receipt: Receipt,
  authority: Authority,
): Promise<CheckedReceipt> {
  return orNotVerified(() => {
    if (submission.record.authority !== authority.origin) {
      throw notVerified(`the submission is for ${submission.record.authority}`);
    }
    return verifyReceipt(core, recordHash(core, submission.record), receipt, authority);
  });
}

/** An escrow of a file read, if its submission is for the file. */
function readHeld(core: Core, head: Head, escrow: Escrow): HeldSubmission | undefined {
  const submission = orUndefined(() => submissionFromJson(escrow.submission));
  if (submission === undefined || !fits(head, submission.record)) return undefined;
  const record = recordHash(core, submission.record);
  return { submission, record, receipt: receiptFor(record, escrow.receipt) };
}

function withoutReceipt({ receipt: _, ...rest }: Escrow): Escrow {
  return rest;
}

/** A receipt that can be read and names the record. */
function receiptFor(record: Uint8Array, json: Json | undefined): Receipt | undefined {
  const receipt = json === undefined ? undefined : orUndefined(() => receiptFromJson(json));
  return receipt && equalBytes(receiptLeaf(receipt).record, record) ? receipt : undefined;
}

/**
 * The submissions for an origin that a file holds, those with a receipt first. Malformed ones and those of
 * other files are left out. Nothing is verified.
 */
export function submissionsOf(core: Core, head: Head, origin: string): HeldSubmission[] {
  const held = head.header.escrows
    .map((escrow) => readHeld(core, head, escrow))
    .filter((one) => one !== undefined)
    .filter(({ submission }) => submission.record.authority === origin);
  return [
    ...held.filter(({ receipt }) => receipt !== undefined),
    ...held.filter(({ receipt }) => receipt === undefined),
  ];
}

/** A submission that a file holds, and what its receipt is worth. */
export interface WeighedSubmission extends HeldSubmission {
  /** undefined if there is no receipt, or it does not verify. */
  worth: ProofWorth | undefined;
}

/**
 * The results of {@link submissionsOf}, with what their receipts are worth.
 * @param view gets all receipts of the header that the authority signed, whatever they are for
 * @throws TwinwrapError NOT_VERIFIED if one contradicts what was seen of the log
 */
export async function weighedSubmissions(
  core: Core,
  head: Head,
  authority: Authority,
  view?: LogView,
): Promise<WeighedSubmission[]> {
  await seeReceipts(core, head, authority, view);
  const weighed: WeighedSubmission[] = [];
  for (const held of submissionsOf(core, head, authority.origin)) {
    const { submission, receipt } = held;
    const worth = receipt && (await worthOf(core, submission, receipt, authority));
    weighed.push({ ...held, worth });
  }
  return weighed;
}

/**
 * Shows all receipts of a file's header to a view, whatever they are for.
 * @throws TwinwrapError NOT_VERIFIED if one contradicts what was seen of the log
 */
export async function seeReceipts(
  core: Core,
  head: Head,
  authority: Authority,
  view: LogView | undefined,
): Promise<void> {
  for (const { receipt } of view === undefined ? [] : head.header.escrows) {
    const reason = await contradictionOf(core, receipt, authority, view);
    if (reason !== undefined) throw notVerified(reason);
  }
}

/**
 * The results of {@link submissionsOf} whose receipt the authority signed and has not lost. Of a log that ended, it
 * need not lead to what was kept.
 * @param view as for {@link weighedSubmissions}
 * @throws TwinwrapError NOT_VERIFIED if one contradicts what was seen of the log
 */
export async function provenSubmissions(
  core: Core,
  head: Head,
  authority: Authority,
  view?: LogView,
): Promise<HeldSubmission[]> {
  const weighed = await weighedSubmissions(core, head, authority, view);
  return weighed
    .filter(({ worth }) => worth !== undefined && isKept(worth))
    .map(({ worth: _, ...held }) => held);
}

async function worthOf(...facts: Parameters<typeof weighReceipt>): Promise<ProofWorth | undefined> {
  try {
    return (await weighReceipt(...facts)).worth;
  } catch (error) {
    if (error instanceof TwinwrapError && error.code === "NOT_VERIFIED") return undefined;
    throw error;
  }
}

/** Which of two receipts of one record to keep: the newer one, but "verified" is never taken back. */
function better(present: Receipt | undefined, coming: Receipt): Receipt {
  const isVerified = (receipt: Receipt) => receiptLeaf(receipt).type === "verified";
  return present !== undefined && isVerified(present) && !isVerified(coming) ? present : coming;
}

/**
 * A file's escrows with a receipt in place of an older one. An "unverified" receipt never replaces a
 * "verified" one. The caller verifies the receipt first.
 * @throws TwinwrapError NOT_VERIFIED if no submission for this file has the record that it names
 */
export function withReceipt(core: Core, head: Head, receipt: Receipt): Escrow[] {
  const { record } = receiptLeaf(receipt);
  let isFound = false;
  const escrows = head.header.escrows.map((escrow) => {
    const held = readHeld(core, head, escrow);
    if (held === undefined || !equalBytes(held.record, record)) return escrow;
    isFound = true;
    return { ...escrow, receipt: receiptToJson(better(held.receipt, receipt)) };
  });
  if (isFound) return escrows;
  throw notVerified(`the file holds no submission that the receipt is for (${toHex(record)})`);
}

/**
 * Checks the receipt, then does as {@link withReceipt}.
 * @param authority whose the receipt has to be; an older receipt counts only if it is the authority's, too, and not
 *   lost. One that is confirmed goes before one that is not. undefined: nobody can tell whose it is, so it fills an
 *   empty place and replaces nothing
 * @param view gets the file's receipts and this one
 * @throws TwinwrapError NOT_VERIFIED, also if the authority lost it; DUPLICATE if there is another receipt and no
 *   authority is given
 */
export async function attachReceipt(
  core: Core,
  head: Head,
  receipt: Receipt,
  authority: Authority | undefined,
  view?: LogView,
): Promise<Escrow[]> {
  if (authority === undefined)
    return withReceipt(core, withEmptyPlace(core, head, receipt), receipt);
  const { record } = receiptLeaf(receipt);
  const weighed = await weighedSubmissions(core, head, authority, view);
  const [first, ...more] = weighed.filter((one) => equalBytes(one.record, record));
  if (first === undefined) {
    throw notVerified(
      `the file holds no submission to ${authority.origin} that the receipt is for`,
    );
  }
  const coming = await checkReceipt(core, first.submission, receipt, authority);
  await view?.see(receipt.leaf, receipt.proof);
  const present = [first, ...more].map(({ worth }) => worth);
  if (present.includes("full") && coming.worth !== "full") return [...head.header.escrows];
  // What is worth less than the one that comes is no reason to keep it.
  const keeps = present.includes(coming.worth);
  const escrows = head.header.escrows.map((escrow): Escrow => {
    const held = readHeld(core, head, escrow);
    return keeps || held === undefined || !equalBytes(held.record, record)
      ? escrow
      : withoutReceipt(escrow);
  });
  return withReceipt(core, { ...head, header: { ...head.header, escrows } }, receipt);
}

/** A head whose submission for a receipt has that one or none. @throws TwinwrapError DUPLICATE if it has another */
function withEmptyPlace(core: Core, head: Head, receipt: Receipt): Head {
  const { record } = receiptLeaf(receipt);
  for (const escrow of head.header.escrows) {
    const held = readHeld(core, head, escrow);
    if (escrow.receipt === undefined || held === undefined) continue;
    if (!equalBytes(held.record, record)) continue;
    if (equalBytes(encodeJcs(escrow.receipt), encodeReceipt(receipt))) continue;
    throw new TwinwrapError(
      "DUPLICATE",
      "there is a receipt already, and only one shown to be your authority's may take its place",
    );
  }
  return head;
}

/**
 * Escrows with one more, which replaces one for the same record. The old receipt stays unless a better one
 * is given: it is for the record, whichever of the authority's keys the record is wrapped for.
 * @throws TwinwrapError NOT_VERIFIED if the receipt is for another record, LIMIT_EXCEEDED if a header
 *   does not hold that many
 */
export function withSubmission(
  core: Core,
  escrows: readonly Escrow[],
  submission: Submission,
  receipt?: Receipt,
): Escrow[] {
  const record = recordHash(core, submission.record);
  if (receipt !== undefined && !equalBytes(receiptLeaf(receipt).record, record)) {
    throw notVerified("the receipt is for another record than the submission");
  }
  const same = escrows.map((escrow) => {
    const other = orUndefined(() => submissionFromJson(escrow.submission));
    return other !== undefined && equalBytes(recordHash(core, other.record), record);
  });
  let kept = receipt;
  for (const [index, escrow] of escrows.entries()) {
    const present = same[index] ? receiptFor(record, escrow.receipt) : undefined;
    if (present !== undefined) kept = kept === undefined ? present : better(present, kept);
  }
  // In the place of the first one for the record.
  const at = same.includes(true) ? same.indexOf(true) : escrows.length;
  const present = escrows[at];
  const made: Escrow = {
    ...(present && withoutReceipt(present)),
    submission: submissionToJson(submission),
  };
  if (kept !== undefined) made.receipt = receiptToJson(kept);
  const result = escrows.filter((_, index) => !same[index]);
  result.splice(at, 0, made);
  if (result.length <= MAX_ESCROWS) return result;
  throw new TwinwrapError("LIMIT_EXCEEDED", `a file holds at most ${MAX_ESCROWS} escrows`);
}
