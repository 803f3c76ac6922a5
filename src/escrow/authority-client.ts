import type { Padding } from "../envelope/header.js";
import type { TwinwrapError } from "../errors.js";
import type { AuthorityFile } from "./identity.js";
import type { LogSource } from "./log-view.js";
import type { Receipt } from "./receipt.js";
import type { ProvenLeaf, Release } from "./release.js";
import type { RecoveryRequest } from "./request.js";
import type { Submission } from "./submission.js";

// The port to an authority: what an owner or an officer can ask it for, wherever it is. An implementation carries
// messages and decides nothing. The caller verifies every answer: src/client/ does.

/**
 * unverified: taken in, not opened yet. verified: opened once, and what it says. unproven: of an unproven
 * key, so it never becomes verified. released: given out at least once.
 */
export type RecordStatus = "unverified" | "verified" | "unproven" | "released";
export const RECORD_STATUSES: readonly RecordStatus[] = [
  "unverified",
  "verified",
  "unproven",
  "released",
];

/**
 * open: can be approved. denied: too few officers are left who could. released: something was given out. ended: it
 * was open when the log that it came into ended, and has to be asked again.
 */
export type RequestStatus = "open" | "denied" | "released" | "ended";
export const REQUEST_STATUSES: readonly RequestStatus[] = ["open", "denied", "released", "ended"];

/** Which records are looked for; everything given must fit. */
export interface RecordQuery {
  /** 16 bytes. */
  serial?: Uint8Array | undefined;
  /** What a blob's own program calls it. */
  label?: string | undefined;
  owner?: string | undefined;
  /** A key that the record is wrapped for, or was released to (32 bytes). */
  fingerprint?: Uint8Array | undefined;
  status?: RecordStatus | undefined;
  /** Created at that time or later. */
  from?: Date | undefined;
  /** Created before that time. */
  before?: Date | undefined;
  /** Part of the description or the label, in upper or lower case. */
  text?: string | undefined;
}

/** Which requests are looked for; everything given must fit. */
export interface RequestQuery {
  status?: RequestStatus | undefined;
  /** Expires after that time. */
  after?: Date | undefined;
  /** Expired at that time. */
  until?: Date | undefined;
}

export interface PageOptions {
  /** Items at most, 1 to 1000; 50 by default. */
  limit?: number | undefined;
  /** `next` of the page before. */
  cursor?: string | undefined;
}

/** Items, newest first: later ones do not shift the pages. */
export interface Page<Item> {
  rows: Item[];
  /** There are more. */
  next: string | undefined;
}

/** A record as an authority holds it. */
export interface StoredRecord {
  /** The record (JCS), whose hash names it. */
  record: Uint8Array;
  status: RecordStatus;
  /** Index of its leaf of type escrow, if it was taken in unverified or unproven. */
  escrowLeaf: number | undefined;
  /** Index of its leaf of type verified; an unproven one never has it. */
  verifiedLeaf: number | undefined;
  /** For which keys (32 bytes) it is wrapped, and how. */
  wraps: readonly { fingerprint: Uint8Array; padding: Padding }[];
}

/** A request in a list. */
export interface RequestSummary {
  /** 26 characters. */
  id: string;
  status: RequestStatus;
  received: Date;
  expires: Date;
  /** Who asks, as they call themselves. */
  requester: string;
  /** How many records are asked for. */
  records: number;
}

/** Everything that a decision about a request is made from, so that an officer can make it themselves. */
export interface StandingMessage {
  /** The request (JCS), as it came. */
  request: Uint8Array;
  status: RequestStatus;
  /** Its leaf in the log, which says when it came and until when it waits. */
  requested: ProvenLeaf;
  /** All approvals and denials there are, as signed notes. */
  approvals: readonly string[];
  /** Owners' vetoes as signed notes, with the control key (32 bytes) that the authority has of each owner. */
  vetoes: readonly { note: string; control: Uint8Array }[];
  /** Which owners of these records are enrolled, so that they have a veto. The authority says so: nothing shows it. */
  enrolled: readonly string[];
  /** The records asked for, in the request's order. */
  records: readonly StoredRecord[];
}

/** What became of a submission: its receipt, or why it was not taken. */
export type SubmitResult =
  | { record: Uint8Array; isNew: boolean; receipt: Receipt }
  | { record: Uint8Array; error: TwinwrapError };

/**
 * An authority, however it is reached. Every method may throw UNAVAILABLE, and the errors in its own line.
 * A malformed answer is BAD_FORMAT.
 */
export interface AuthorityClient extends LogSource {
  /** What everybody may know of it. */
  file(): Promise<AuthorityFile>;
  /** Takes submissions in: each has a result of its own, in the order given. */
  submit(submissions: readonly Submission[]): Promise<SubmitResult[]>;
  /** The newest receipt of a record (recordHash, 32 bytes); undefined if it is not there. @throws FENCED */
  receipt(record: Uint8Array): Promise<Receipt | undefined>;
  /** One record (recordHash, 32 bytes); undefined if it is not there. */
  record(record: Uint8Array): Promise<StoredRecord | undefined>;
  /** @throws BAD_ARGUMENT if the page is none */
  records(query: RecordQuery, page?: PageOptions): Promise<Page<StoredRecord>>;
  /** @throws BAD_ARGUMENT if the page is none */
  requests(query: RequestQuery, page?: PageOptions): Promise<Page<RequestSummary>>;
  /** Takes a request in; one that is there already stays as it is. @throws REFUSED, CLOSED, NOT_FOUND, … */
  ask(request: RecoveryRequest): Promise<StandingMessage>;
  /** Where a request stands. @param id 26 characters @throws NOT_FOUND */
  standing(id: string): Promise<StandingMessage>;
  /**
   * Takes a signed word about a request: an officer's approval or denial, or an owner's veto. The last approval
   * that is needed releases, where the authority's key is open.
   * @throws NOT_FOUND, NOT_ENTITLED, CLOSED, DUPLICATE, FENCED
   */
  decide(note: string): Promise<StandingMessage>;
  /** All policies as notes, the first one first; those at the end may be drafts. */
  policies(): Promise<string[]>;
  /**
   * Takes a policy with one or more signatures.
   * @returns the note with all signatures that there are now
   * @throws NOT_VERIFIED, NOT_ENTITLED, DUPLICATE, REFUSED
   */
  takePolicy(note: string): Promise<string>;
  /** What was released for a request; undefined if nothing was. @throws NOT_FOUND */
  released(id: string): Promise<Release | undefined>;
}

/** Every item of all pages. */
export async function* allPages<Item>(
  read: (page: PageOptions) => Promise<Page<Item>>,
): AsyncGenerator<Item> {
  let cursor: string | undefined;
  do {
    const page = await read({ cursor });
    yield* page.rows;
    cursor = page.next;
  } while (cursor !== undefined);
}
