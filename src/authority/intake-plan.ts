import { equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { formatSerial } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import type { Submission } from "../escrow/submission.js";
import type { LogEnd } from "./log.js";
import { recordOfRow } from "./opening.js";
import { OwnerSecrets } from "./owners.js";
import type {
  Candidate,
  CandidateOf,
  RecordChange,
  RecordRow,
  StoreWrites,
} from "./store/store.js";

/** Wraps of one unverified record that are kept side by side at most. */
const MAX_CANDIDATES = 4;

/** A submission that may come in. */
export interface Checked {
  submission: Submission;
  /** The record as it is hashed. */
  bytes: Uint8Array;
  /** recordHash, 32 bytes. */
  hash: Uint8Array;
  /** What it is taken in as. */
  status: "verified" | "unverified" | "unproven";
  /** The stored wraps of its record, if they were tried and none opens. */
  damaged?: readonly Candidate[];
}

/** What becomes of a submission. */
export interface Taken {
  /** Its record, as it will be. */
  row: RecordRow;
  /** Whether it is new here. */
  isNew: boolean;
  /** Whether its wrap takes the place of one that is damaged. */
  isRepaired: boolean;
}

/**
 * Works out what becomes of submissions, no two of which share a record, before writing anything: one read and one
 * write of the store serve all of them.
 */
export class IntakePlan {
  readonly #core: Core;
  readonly #end: LogEnd;
  readonly #leaves: { type: "escrow" | "verified"; record: Uint8Array; owner: string }[] = [];
  readonly #inserted: RecordRow[] = [];
  readonly #changed: RecordChange[] = [];
  readonly #added: CandidateOf[] = [];
  readonly #kept: CandidateOf[] = [];

  constructor(core: Core, end: LogEnd) {
    this.#core = core;
    this.#end = end;
  }

  /**
   * @param row its record, if that is there
   * @param candidates the record's wraps if it is unverified, or they are damaged
   * @throws TwinwrapError BACKLOG if too many wraps of the record wait; FAULT if it was altered. Nothing of the
   *   submission is planned then
   */
  take(item: Checked, row: RecordRow | undefined, candidates: readonly Candidate[]): Taken {
    if (row === undefined) return { row: this.#insert(item), isNew: true, isRepaired: false };
    if (row.status === "unverified") {
      return { row: this.#update(item, row, candidates), isNew: false, isRepaired: false };
    }
    return { row, isNew: false, isRepaired: this.#repair(item, candidates) };
  }

  /** Puts a wrap that is right in the place of those that are not. */
  #repair({ hash, damaged, submission: { tag, wrap } }: Checked, candidates: readonly Candidate[]) {
    // Another process, or a group before this one, may have been here in between.
    const isStill =
      damaged?.length === candidates.length &&
      candidates.every((one) => damaged.some((other) => isSame(one, other)));
    if (!isStill) return false;
    this.#added.push({ record: hash, tag, wrap });
    this.#kept.push({ record: hash, tag, wrap });
    return true;
  }

  #insert({ submission, bytes, hash, status }: Checked): RecordRow {
    const { record, tag, wrap } = submission;
    const isVerified = status === "verified";
    const leaf = this.#append(isVerified ? "verified" : "escrow", hash, record.owner);
    const row: RecordRow = {
      hash,
      owner: record.owner,
      serial: record.serial,
      description: record.description,
      label: record.blob?.label,
      created: record.created,
      record: bytes,
      status,
      escrowLeaf: isVerified ? undefined : leaf,
      verifiedLeaf: isVerified ? leaf : undefined,
    };
    this.#inserted.push(row);
    this.#added.push({ record: hash, tag, wrap });
    return row;
  }

  /** Takes a wrap for a record that waits to be verified. */
  #update(
    { submission: { tag, wrap }, hash, status }: Checked,
    row: RecordRow,
    candidates: readonly Candidate[],
  ): RecordRow {
    const candidate = { record: hash, tag, wrap };
    const isVerified = status === "verified";
    const isThere = candidates.some((other) => isSame(other, candidate));
    if (!isThere && !isVerified && candidates.length >= MAX_CANDIDATES) {
      throw new TwinwrapError(
        "BACKLOG",
        `${candidates.length} wraps of ${formatSerial(row.serial)} are waiting to be verified, and these come first`,
      );
    }
    const { owner } = isVerified ? recordOfRow(this.#core, row) : row;
    if (!isThere) this.#added.push(candidate);
    if (!isVerified) return row;
    const verifiedLeaf = this.#append("verified", hash, owner);
    this.#changed.push({ hash, status, verifiedLeaf });
    this.#kept.push(candidate);
    return { ...row, status, verifiedLeaf };
  }

  /** @returns the leaf's place */
  #append(type: "escrow" | "verified", record: Uint8Array, owner: string): number {
    return this.#end.next + this.#leaves.push({ type, record, owner }) - 1;
  }

  /** Does all of it. */
  async write(writes: StoreWrites): Promise<void> {
    const owners = this.#leaves.map(({ owner }) => owner);
    const secrets = await OwnerSecrets.read(writes, owners);
    const newOwners = secrets.makeMissing();
    await this.#end.append(
      this.#leaves.map(({ type, record, owner }) => ({
        type,
        record,
        owner: secrets.tag(this.#core, owner, record),
      })),
    );
    await writes.insertOwners(newOwners);
    await writes.insertRecords(this.#inserted);
    await writes.addCandidates(this.#added);
    await writes.updateRecords(this.#changed);
    await writes.keepCandidates(this.#kept);
  }
}

function isSame(a: Candidate, b: Candidate): boolean {
  return (
    (a.tag === undefined || b.tag === undefined ? a.tag === b.tag : equalBytes(a.tag, b.tag)) &&
    equalBytes(a.wrap.fingerprint, b.wrap.fingerprint) &&
    a.wrap.padding === b.wrap.padding &&
    equalBytes(a.wrap.simpleBlob, b.wrap.simpleBlob)
  );
}
