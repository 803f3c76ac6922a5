import type { Wrap } from "../../envelope/index.js";
import type {
  Page,
  PageOptions,
  RecordQuery,
  RecordStatus,
  RequestQuery,
  RequestStatus,
} from "../../escrow/authority-client.js";
import type { MerkleNode, NodeId } from "../../escrow/merkle.js";
import type { Scope } from "../scopes.js";

// What an authority keeps, and how any backend gives access to it. Methods are asynchronous and speak
// of rows, not of SQL, so that one conformance suite (test/authority/suite-store.ts) holds for all backends.
// A leaf is named by its place (place.ts): its log and its index.

/** One escrowed session key, without its wraps. */
export interface RecordRow {
  /** recordHash, 32 bytes. */
  hash: Uint8Array;
  owner: string;
  /** 16 bytes. */
  serial: Uint8Array;
  description: string | undefined;
  /** The foreign serial of another program's key. */
  label: string | undefined;
  created: Date;
  /** The record (JCS). What it says about the file is read from here. */
  record: Uint8Array;
  status: RecordStatus;
  /** Its leaf of type escrow, if it was taken in unverified or unproven. */
  escrowLeaf: number | undefined;
  /** Its leaf of type verified; an unproven one never has it. */
  verifiedLeaf: number | undefined;
}

/** A wrap of a record with the tag it came with. An unverified record can have several. */
export interface Candidate {
  /** 32 bytes; undefined for a key that nobody proves. */
  tag: Uint8Array | undefined;
  wrap: Wrap;
}

/** A candidate and the hash of the record that it is of, 32 bytes. */
export interface CandidateOf extends Candidate {
  record: Uint8Array;
}

/** Asks which record has a wrap of an RSA block. */
export interface BlockQuery {
  /** As it stands in a SIMPLEBLOB, behind its first 12 bytes. */
  block: Uint8Array;
  /** The hash of the record that is known to have it. */
  except: Uint8Array;
}

/** An owner and the secret that their tags are made with, 32 bytes. */
export interface OwnerRow {
  owner: string;
  secret: Uint8Array;
}

/** An owner's control key, Ed25519 (32 bytes), and its leaf of type enrol. */
export interface EnrolmentRow {
  owner: string;
  control: Uint8Array;
  leaf: number;
}

/** A log at one size. */
export interface LogHead {
  /** Which one of the authority's, from 0. */
  log: number;
  /** Leaves. */
  size: number;
  /** 32 bytes. */
  root: Uint8Array;
  /** The signed checkpoint. */
  checkpoint: string;
}

export interface RequestRow {
  /** requestHash, 32 bytes. */
  hash: Uint8Array;
  /** 26 characters. */
  id: string;
  /** The request (JCS). */
  bytes: Uint8Array;
  status: RequestStatus;
  expires: Date;
  /** Of type request. */
  leaf: number;
}

/** An approval or a denial. */
export interface ApprovalRow {
  /** approvalHash, 32 bytes. */
  hash: Uint8Array;
  /** requestHash, 32 bytes. */
  request: Uint8Array;
  /** The signed note. */
  note: string;
  /** Its leaf of type denial, if it is one. */
  denialLeaf: number | undefined;
}

/** An owner's veto against a request. */
export interface VetoRow {
  /** vetoHash, 32 bytes. */
  hash: Uint8Array;
  /** requestHash, 32 bytes. */
  request: Uint8Array;
  /** The signed note. */
  note: string;
  leaf: number;
}

/** One record given out for one request. */
export interface ReleaseRow {
  request: Uint8Array;
  record: Uint8Array;
  /** For the recipient of the request. */
  wrap: Wrap;
  leaf: number;
}

/** Who may call an authority's service, and for what. */
export interface TokenRow {
  /** SHA-256 of the token, 32 bytes. */
  hash: Uint8Array;
  scopes: readonly Scope[];
  /** The owner ID that it is bound to. */
  owner: string | undefined;
  created: Date;
  expires: Date | undefined;
  revoked: Date | undefined;
}

/** Whom an authority tells of what happens: those who run it, its officers, owners of records. */
export type ReceiverRole = "operator" | "officer" | "owner";
export type Means = "webhook" | "mail";

/** Somebody who is told. */
export interface ReceiverRow {
  /** 16 hexadecimal digits. */
  id: string;
  role: ReceiverRole;
  /** Of the officer, or the owner's ID; undefined for an operator. */
  name: string | undefined;
  means: Means;
  address: string;
  /** What a webhook's messages are signed with. */
  secret: Uint8Array | undefined;
  created: Date;
}

/** Something that happened. */
export interface EventRow {
  /** Later events have larger ones. */
  number: number;
  /** Names it to everybody who is told. */
  id: string;
  kind: string;
  time: Date;
  /** What else everybody may be told of it (JSON). */
  content: string;
}

/** An event that is to be told. */
export interface NewEvent extends Omit<EventRow, "number"> {
  /** The IDs of the owners whom it concerns: no other owner is told. */
  owners: readonly string[];
  /** The names of the officers who are told; undefined: all. */
  officers: readonly string[] | undefined;
}

/** waiting: to be delivered when it is due. dead: given up. What was delivered is there no more. */
export type DeliveryState = "waiting" | "dead";

/** An event, and somebody who is still to be told of it. */
export interface DeliveryRow {
  receiver: ReceiverRow;
  event: EventRow;
  state: DeliveryState;
  attempts: number;
  due: Date;
  /** Why the last attempt failed. */
  reason: string | undefined;
}

/** Which delivery. */
export interface DeliveryName {
  receiver: string;
  event: number;
}

/** A policy or an identity note; in force once its leaf is in the log. */
export interface NoteRow {
  number: number;
  /** policyHash or identityHash, 32 bytes. */
  hash: Uint8Array;
  note: string;
  /** Of type announce: a policy that waits, or waited. */
  announceLeaf: number | undefined;
  leaf: number | undefined;
}

/**
 * Reads. Outside a transaction they see only what was committed. A call for many rows at once answers
 * in the order asked for, with undefined for missing rows, and takes any number.
 */
export interface StoreReads {
  /** A named setting of the store. */
  setting(name: string): Promise<string | undefined>;
  /**
   * undefined while the log is empty.
   * @throws TwinwrapError FAULT if the newest checkpoint is missing
   */
  head(): Promise<LogHead | undefined>;
  /** The first signed checkpoint that covers a leaf: the one it came with. */
  checkpointOf(leaf: number): Promise<LogHead | undefined>;
  /** Signed checkpoints of one log with more than `size` leaves, the smallest first. */
  checkpoints(log: number, size: number, limit: number): Promise<LogHead[]>;
  /** How many rows one log has, whatever the head says. */
  logExtent(log: number): Promise<LogExtent>;
  leavesAt(leaves: readonly number[]): Promise<(string | undefined)[]>;
  /** Leaves from one place on, at most `limit`, without gaps. */
  leaves(from: number, limit: number): Promise<string[]>;
  nodes(log: number, ids: readonly NodeId[]): Promise<(Uint8Array | undefined)[]>;
  record(hash: Uint8Array): Promise<RecordRow | undefined>;
  recordsByHash(hashes: readonly Uint8Array[]): Promise<(RecordRow | undefined)[]>;
  /** The newest leaf of a record, and the first checkpoint over it, in one look. */
  recordLeaf(hash: Uint8Array): Promise<RecordLeaf | undefined>;
  /** Those of each record, by tag. */
  candidatesOf(records: readonly Uint8Array[]): Promise<Candidate[][]>;
  /** For each block a record with a wrap of it, or that went out in one; one that was verified before others. */
  recordsWithBlocks(queries: readonly BlockQuery[]): Promise<(RecordRow | undefined)[]>;
  /**
   * By the first leaf that they stand on, the last one first; where dates are asked for, those made last first.
   * @throws TwinwrapError BAD_ARGUMENT for a text of less than 3 characters, or any text where the store has no index
   *   of texts, without serial, label, owner or dates: if there are more than 100,000 records
   */
  records(query: RecordQuery, page?: PageOptions): Promise<Page<RecordRow>>;
  /** How many records have each status. */
  countRecords(): Promise<Record<RecordStatus, number>>;
  request(hash: Uint8Array): Promise<RequestRow | undefined>;
  requestById(id: string): Promise<RequestRow | undefined>;
  /** By their leaf, the last one first. */
  requests(query: RequestQuery, page?: PageOptions): Promise<Page<RequestRow>>;
  countRequests(query: RequestQuery): Promise<number>;
  /** By hash. */
  approvals(request: Uint8Array): Promise<ApprovalRow[]>;
  /** By leaf. */
  vetoes(request: Uint8Array): Promise<VetoRow[]>;
  /** By the first leaf of their records. */
  releases(request: Uint8Array): Promise<ReleaseRow[]>;
  /** A number that every change of policies and identities changes, to one that was never there. */
  notesVersion(): Promise<number>;
  /** That number and a setting, in one look. */
  notesAndSetting(name: string): Promise<{ notes: number; setting: string | undefined }>;
  /** By number; those of one number by hash. */
  policies(): Promise<NoteRow[]>;
  /** By number. */
  identities(): Promise<NoteRow[]>;
  /** The secrets of owners, 32 bytes each. */
  ownerSecrets(owners: readonly string[]): Promise<(Uint8Array | undefined)[]>;
  /** All enrolments of each owner, the first one first. */
  enrolments(owners: readonly string[]): Promise<EnrolmentRow[][]>;
  /** Those of all owners, by leaf. */
  allEnrolments(): Promise<EnrolmentRow[]>;
  /** The newest checkpoint known from outside. */
  seenCheckpoint(): Promise<LogHead | undefined>;
  /** @param hash SHA-256 of the token, 32 bytes */
  token(hash: Uint8Array): Promise<TokenRow | undefined>;
  /** The oldest one first. */
  tokens(): Promise<TokenRow[]>;
  /** The oldest one first. */
  receivers(): Promise<ReceiverRow[]>;
  /** The first `limit` deliveries of a state, by event; of one receiver, if one is given. */
  deliveries(state: DeliveryState, limit: number, receiver?: string): Promise<DeliveryRow[]>;
  delivery(name: DeliveryName): Promise<DeliveryRow | undefined>;
  /**
   * The first waiting delivery of each receiver whom nobody holds, if it is due: later ones wait for it.
   * @param means by which deliveries can be made
   */
  dueDeliveries(means: readonly Means[], now: Date): Promise<DeliveryRow[]>;
  /** IDs of the owners whom an event concerns, sorted. @param event its number */
  eventOwners(event: number): Promise<string[]>;
  /** Rows that stand on the leaves `from` ≤ index < `to`, by index; a record can stand on two. */
  entries(from: number, to: number): Promise<LogEntry[]>;
}

/** Where a record stands. */
export interface RecordLeaf {
  leaf: number;
  /** The leaf; undefined if it is missing. */
  text: string | undefined;
  /** Undefined if it is missing. */
  head: LogHead | undefined;
}

/** Rows that the log consists of. */
export interface LogExtent {
  leaves: number;
  /** Hashes of complete subtrees. */
  nodes: number;
  checkpoints: number;
}

/** A row that stands on a leaf. */
export type LogEntry = { leaf: number } & (
  | {
      type: "escrow" | "verified";
      row: RecordRow;
      /** Whether it was released at least once. */
      isReleased: boolean;
    }
  | { type: "release"; row: ReleaseRow }
  | { type: "request"; row: RequestRow }
  | { type: "denial"; row: ApprovalRow }
  | { type: "veto"; row: VetoRow }
  | { type: "enrol"; row: EnrolmentRow }
  | { type: "announce" | "policy" | "authority"; row: NoteRow }
);

/**
 * Writes: all of one transaction are done, or none. A row that stands on a leaf is written after it.
 * Any error, CONFLICT too, ends the transaction: nothing more can be read or written in it, and nothing
 * of it is kept, even if `work` goes on as if nothing had happened.
 */
export interface StoreWrites extends StoreReads {
  setSetting(name: string, value: string | undefined): Promise<void>;
  /**
   * Makes the log longer, or begins the next one: compare-and-swap.
   * @param from the place where the first leaf goes
   * @param old where the head is, if the leaves begin another log
   * @throws TwinwrapError CONFLICT if the head is no longer at `old`; FAULT if there is already
   *   something after the log's end
   */
  extendLog(
    from: number,
    leaves: readonly string[],
    nodes: readonly MerkleNode[],
    head: LogHead,
    old?: number,
  ): Promise<void>;
  /** @throws TwinwrapError CONFLICT if one is there */
  insertRecords(rows: readonly RecordRow[]): Promise<void>;
  /** Changes status and verified leaf. */
  updateRecords(rows: readonly RecordChange[]): Promise<void>;
  /** A candidate that is there already is not added again. */
  addCandidates(candidates: readonly CandidateOf[]): Promise<void>;
  /** Keeps the given wraps, which verified, one of each record, and removes the others of their records. */
  keepCandidates(candidates: readonly CandidateOf[]): Promise<void>;
  /** Removes wraps that do not open; their records stay. */
  dropCandidates(candidates: readonly CandidateOf[]): Promise<void>;
  /** @throws TwinwrapError CONFLICT if it is there */
  insertRequest(row: RequestRow): Promise<void>;
  setRequestStatus(hash: Uint8Array, status: RequestStatus): Promise<void>;
  /** All open requests are over: the log that they came into has ended. */
  endRequests(): Promise<void>;
  /** @throws TwinwrapError CONFLICT if it is there */
  insertApproval(row: ApprovalRow): Promise<void>;
  /** @throws TwinwrapError CONFLICT if it is there */
  insertVeto(row: VetoRow): Promise<void>;
  /** @throws TwinwrapError CONFLICT if one of the records was released for the same request */
  insertReleases(rows: readonly ReleaseRow[]): Promise<void>;
  /**
   * Adds the policy, or replaces the note of the same number and hash (more signatures, its leaf).
   * Drafts of one number stand side by side.
   * @throws TwinwrapError CONFLICT if another one of this number has a leaf, and this has one too
   */
  putPolicy(row: NoteRow): Promise<void>;
  /** Removes policies and identities that have no leaf at all; an announced one stays, whatever becomes of it. */
  dropDrafts(): Promise<void>;
  /** The same for an identity. @throws TwinwrapError CONFLICT */
  putIdentity(row: NoteRow): Promise<void>;
  /** @throws TwinwrapError CONFLICT if an owner has a secret */
  insertOwners(rows: readonly OwnerRow[]): Promise<void>;
  insertEnrolment(row: EnrolmentRow): Promise<void>;
  addSeenCheckpoint(checkpoint: LogHead): Promise<void>;
  /** @throws TwinwrapError CONFLICT if it is there */
  insertToken(row: TokenRow): Promise<void>;
  /** One that was revoked before stays as it is. @param hash SHA-256 of the token, 32 bytes */
  revokeToken(hash: Uint8Array, time: Date): Promise<void>;
  /** Adds an event, and a delivery to each receiver whom it concerns. @throws TwinwrapError CONFLICT if it is there */
  addEvent(event: NewEvent): Promise<void>;
  /** @throws TwinwrapError CONFLICT if it is there */
  insertReceiver(row: ReceiverRow): Promise<void>;
  /** What waits goes to the new address. */
  setReceiverAddress(id: string, address: string): Promise<void>;
  /** And all deliveries to them. */
  removeReceiver(id: string): Promise<void>;
  /** A delivery that was given up, or waits for its next attempt, is due again, as if it had never been tried. */
  retryDelivery(delivery: DeliveryName, due: Date): Promise<void>;
}

/** What changes in a record. */
export type RecordChange = Pick<RecordRow, "hash" | "status" | "verifiedLeaf">;

/**
 * A place where an authority keeps everything; several processes may use it at once.
 * All methods throw TwinwrapError FAULT if the store is damaged, UNAVAILABLE if it can't be read or
 * written now (a full or read-only disk).
 */
export interface Store extends StoreReads {
  /**
   * Does `work` in one serializable transaction: no other write comes between its reads and its
   * writes. A backend may begin again and call `work` again; `work` must touch nothing else.
   * @throws what `work` throws, with nothing written; TwinwrapError CONFLICT if others kept the store
   *   busy for too long
   */
  write<T>(work: (writes: StoreWrites) => Promise<T>): Promise<T>;
  /**
   * The database's own check of all its pages and indexes. Reads everything.
   * @returns what is wrong, a line each; undefined if the database has no such check here
   */
  check(): Promise<string[] | undefined>;
  // What follows keeps account of deliveries. It decides nothing, so each is a statement by itself, which where it can
  // waits for no transaction, and holds none up.

  /**
   * Holds a receiver, so that no other process makes deliveries to them meanwhile; or holds them for longer.
   * @param holder whoever holds them
   * @returns whether they are held: false while somebody else does, and if there is no such receiver
   */
  holdReceiver(id: string, holder: string, now: Date, until: Date): Promise<boolean>;
  /** Lets go of a receiver. */
  freeReceiver(id: string, holder: string): Promise<void>;
  noteDelivered(delivery: DeliveryName): Promise<void>;
  noteFailed(
    delivery: DeliveryName,
    failure: Pick<DeliveryRow, "state" | "attempts" | "due"> & { reason: string },
  ): Promise<void>;
  /** Does `work` on everything as of one moment, whatever is written meanwhile. */
  snapshot<T>(work: (reads: StoreReads) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
