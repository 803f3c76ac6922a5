import { equalBytes, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { formatSerial } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import { type EscrowRecord, isProven, type Submission } from "../escrow/index.js";
import type { LogEnd } from "./log.js";
import { blockOf, recordOfRow, sameBlock } from "./opening.js";
import { OwnerSecrets } from "./owners.js";
import type { Candidate, CandidateOf, RecordRow, StoreWrites } from "./store/store.js";

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
}

/** A record as it will be. */
interface Planned {
  row: RecordRow;
  /** While it is unverified, or they are damaged. */
  candidates: Candidate[];
  isNew: boolean;
}

/**
 * Works out the result of submissions, one after the other, before writing anything: one read and one write
 * of the store serve all of them.
 */
export class IntakePlan {
  readonly #core: Core;
  readonly #end: LogEnd;
  readonly #damaged: ReadonlyMap<string, readonly Candidate[]>;
  readonly #records = new Map<string, Planned>();
  /** Records by the RSA blocks that came with them here. */
  readonly #blocks = new Map<string, { row: RecordRow; record: EscrowRecord }>();
  readonly #leaves: { type: "escrow" | "verified"; record: Uint8Array; owner: string }[] = [];
  readonly #added: CandidateOf[] = [];
  readonly #verified: { planned: Planned; candidate: Candidate }[] = [];
  readonly #repaired: CandidateOf[] = [];

  /** @param damaged wraps that were tried and do not open, by record in lower-case hexadecimal */
  constructor(core: Core, end: LogEnd, damaged: ReadonlyMap<string, readonly Candidate[]>) {
    this.#core = core;
    this.#end = end;
    this.#damaged = damaged;
  }

  /** An existing record, with its wraps if it is unverified, or they are damaged. */
  know(row: RecordRow, candidates: Candidate[]): void {
    this.#records.set(toHex(row.hash), { row, candidates, isNew: false });
  }

  /**
   * @returns whether its record is new, and whether its wrap took the place of a damaged one
   * @throws TwinwrapError BACKLOG if an unproven one has the blob of one before it, or too many wraps of
   *   the record wait
   */
  take(item: Checked): { isNew: boolean; isRepaired: boolean } {
    const planned = this.#records.get(toHex(item.hash));
    let isRepaired = false;
    if (planned === undefined) this.#insert(item);
    else if (planned.row.status === "unverified") this.#update(planned, item);
    else isRepaired = this.#repair(planned, item);
    return { isNew: planned === undefined, isRepaired };
  }

  /** Puts a wrap that is right in the place of those that are not. */
  #repair({ row, candidates }: Planned, { hash, status, submission: { tag, wrap } }: Checked) {
    const name = toHex(hash);
    const damaged = this.#damaged.get(name);
    // Another process may have been here in between, or the same record stands before this one.
    const isStill =
      status !== "unverified" &&
      damaged?.length === candidates.length &&
      candidates.every((one) => damaged.some((other) => isSame(one, other)));
    if (!isStill || this.#repaired.some(({ record }) => equalBytes(record, row.hash))) return false;
    this.#repaired.push({ record: row.hash, tag, wrap });
    return true;
  }

  #insert({ submission, bytes, hash, status }: Checked): void {
    const { record, tag, wrap } = submission;
    const other = this.#blocks.get(toHex(blockOf(wrap)));
    if (other !== undefined && !isProven(record)) {
      throw sameBlock(record, other.record, other.row.status === "unverified");
    }
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
    const planned = { row, candidates: [], isNew: true };
    this.#records.set(toHex(hash), planned);
    this.#add(planned, record, { tag, wrap });
  }

  /** Takes a wrap for a record that waits to be verified. */
  #update(planned: Planned, { submission, status }: Checked): void {
    const { record, tag, wrap } = submission;
    const { row, candidates } = planned;
    const candidate = { tag, wrap };
    const isVerified = status === "verified";
    if (!candidates.some((other) => isSame(other, candidate))) {
      if (!isVerified && candidates.length >= MAX_CANDIDATES) {
        throw new TwinwrapError(
          "BACKLOG",
          `${candidates.length} wraps of ${formatSerial(row.serial)} are waiting to be verified, and these come first`,
        );
      }
      this.#add(planned, record, candidate);
    }
    if (!isVerified) return;
    row.status = "verified";
    row.verifiedLeaf = this.#append("verified", row.hash, recordOfRow(this.#core, row).owner);
    this.#verified.push({ planned, candidate });
  }

  #add({ row, candidates }: Planned, record: EscrowRecord, candidate: Candidate): void {
    candidates.push(candidate);
    this.#added.push({ record: row.hash, ...candidate });
    this.#blocks.set(toHex(blockOf(candidate.wrap)), { row, record });
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
    const all = [...this.#records.values()];
    await writes.insertOwners(newOwners);
    await writes.insertRecords(all.filter(({ isNew }) => isNew).map(({ row }) => row));
    await writes.addCandidates([...this.#added, ...this.#repaired]);
    const verified = this.#verified.filter(({ planned }) => !planned.isNew);
    await writes.updateRecords(verified.map(({ planned: { row } }) => row));
    const verifiedWraps = this.#verified.map(({ planned: { row }, candidate }) => ({
      record: row.hash,
      ...candidate,
    }));
    await writes.keepCandidates([...verifiedWraps, ...this.#repaired]);
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
