import { equalBytes, toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { isWrapFor } from "../envelope/wraps.js";
import { isAboutContent, notVerified } from "../errors.js";
import {
  type Authority,
  appendLeaves,
  approvalHash,
  decodeLeaf,
  type EscrowRecord,
  isBoundWrap,
  isProven,
  type Leaf,
  leafHash,
  type NodeId,
  ownerTag,
  parseApproval,
  parseCheckpoint,
  parseIdentity,
  type RecoveryRequest,
  type ReleaseLeaf,
  recipientFingerprint,
  recipientTag,
  rootHash,
  type UnprovenRecord,
} from "../escrow/index.js";
import { checkerOf } from "./ed25519.js";
import { takesPadding } from "./intake.js";
import { compareKnown, fault } from "./log.js";
import { recordOfRow } from "./opening.js";
import { type PolicyState, policyStates } from "./policies.js";
import { decide, requestOfRow } from "./requests.js";
import type { LogEntry, RecordRow, ReleaseRow, RequestRow, StoreReads } from "./store/store.js";

// Whether everything that an authority keeps is what it signed: the tree from its leaves alone, and
// every row from the leaf that it stands on. In pages: memory does not grow with the log.

/** Leaves read at once. */
const PAGE = 1024;
/** Owners' secrets kept at hand. */
const SECRETS = 4096;

/** What a whole log turned out to be. */
export interface LogState {
  /** Leaves. */
  size: number;
  /** 32 bytes. */
  root: Uint8Array;
  /** The newest checkpoint; undefined for the empty log. */
  checkpoint: string | undefined;
  /** How many signed checkpoints were compared, those known outside included. */
  checkpoints: number;
}

export interface VerifyLogOptions {
  /** Checkpoints that are known outside (notes). */
  known?: readonly string[];
  onProgress?: (leaves: number) => void;
}

/**
 * Builds the tree again from its leaves alone and compares it with everything that was signed or
 * stored: all checkpoints and their signatures, all hashes that proofs are made of, what is known
 * outside, that every leaf stands for exactly one row of the store, and that each row is what its leaf
 * says: records, owners' secrets, denials, releases with the approvals that they took, policies,
 * identities; and requests and approvals are what their hashes name. What no leaf covers is whether a
 * stored wrap opens: only the authority's RSA key shows that.
 * @param reads of one moment
 * @throws TwinwrapError FAULT or NOT_VERIFIED that names the first thing that is wrong
 */
export async function verifyLog(
  core: Core,
  reads: StoreReads,
  authority: Authority,
  options: VerifyLogOptions = {},
): Promise<LogState> {
  const { logKeys } = authority;
  const head = await reads.head();
  const end = head?.size ?? 0;
  const isSigned = checkerOf(core, logKeys);
  const rows = await Rows.begin(core, reads, authority);
  /** Complete subtrees at the right edge, by level: all that is needed of the leaves before. */
  let edge = new Map<string, Uint8Array>();
  let root: Uint8Array = await rootHash(core, () => [], 0);
  let checkpoints = 0;
  let size = 0;
  while (size < end) {
    const [next, ...later] = await reads.checkpoints(size, 2);
    if (
      next === undefined ||
      next.size > end ||
      (later.length > 0 && later[0]!.size <= next.size)
    ) {
      throw fault(`a checkpoint after leaf ${size} is missing`);
    }
    const from = size;
    while (size < next.size) {
      const limit = Math.min(PAGE, next.size - size);
      const leaves = await reads.leaves(size, limit);
      if (leaves.length < limit) throw fault(`leaf ${size + leaves.length} is missing`);
      await rows.check(leaves, size);
      const hashes = leaves.map((leaf) => leafHash(core, toUtf8(leaf)));
      const present = edge;
      const grown = await appendLeaves(
        core,
        (ids) => ids.map((id) => present.get(name(id))!),
        size,
        hashes,
      );
      const stored = await reads.nodes(grown.nodes);
      grown.nodes.forEach(({ level, index, hash }, i) => {
        const same = stored[i] !== undefined && equalBytes(stored[i], hash);
        if (!same)
          throw fault(`leaf ${from} or a hash over it was altered (level ${level}, ${index})`);
      });
      edge = new Map([...edge, ...grown.nodes.map((node) => [name(node), node.hash] as const)]);
      trim(edge, grown.size);
      ({ size, root } = grown);
      options.onProgress?.(size);
    }
    const signed = parseCheckpoint(next.checkpoint);
    const right =
      signed.size === size && equalBytes(signed.root, root) && equalBytes(next.root, root);
    if (!right) throw fault(`the leaves up to ${size} are not those that were signed`);
    if (!isSigned(next.checkpoint)) {
      throw notVerified(`the checkpoint of ${size} leaves lacks the log key's signature`);
    }
    checkpoints++;
  }
  await checkExtent(reads, end, checkpoints);
  await rows.end();
  const seen = await reads.seenCheckpoint();
  const known = [...(seen === undefined ? [] : [seen.checkpoint]), ...(options.known ?? [])];
  for (const note of known) await compareKnown(core, reads, note, logKeys);
  return { size: end, root, checkpoint: head?.checkpoint, checkpoints: checkpoints + known.length };
}

/** Nothing stands after the end, where the next append would meet it. */
async function checkExtent(reads: StoreReads, size: number, checkpoints: number): Promise<void> {
  const extent = await reads.logExtent();
  // Of 2^k leaves a tree has one complete subtree: over all k, floor(size / 2^k) of them.
  let nodes = 0;
  for (let width = 1; width <= size; width *= 2) nodes += Math.floor(size / width);
  const isRight =
    extent.leaves === size && extent.checkpoints === checkpoints && extent.nodes === nodes;
  if (!isRight || (await reads.entries(size, Number.MAX_SAFE_INTEGER)).length > 0) {
    throw fault(`its head says ${size} leaves, but there is more in the store: it was rolled back`);
  }
}

function name({ level, index }: NodeId): string {
  return `${level} ${index}`;
}

/** Keeps what an append to a tree of `size` leaves reads. */
function trim(edge: Map<string, Uint8Array>, size: number): void {
  for (const id of edge.keys()) {
    const [level, index] = id.split(" ").map(Number) as [number, number];
    const width = 2 ** level;
    const start = index * width;
    // Subtrees at the edge begin where all larger ones of the size's binary digits end.
    const isEdge =
      start + width <= size && start === size - (size % (2 * width)) && size % (2 * width) >= width;
    if (!isEdge) edge.delete(id);
  }
}

/** A request that was released, and what its release has to say. */
interface ReleaseFacts {
  request: RecoveryRequest;
  fingerprint: Uint8Array;
  approvals: Uint8Array;
}

/** The rows of the store, compared with the leaves that they stand on. */
class Rows {
  readonly #core: Core;
  readonly #reads: StoreReads;
  readonly #authority: Authority;
  readonly #policies: PolicyState[];
  readonly #secrets = new Map<string, Uint8Array>();
  /** The last release looked at: those of one request stand one after the other. */
  #release: { of: string; facts: ReleaseFacts } | undefined;

  private constructor(
    core: Core,
    reads: StoreReads,
    authority: Authority,
    policies: PolicyState[],
  ) {
    this.#core = core;
    this.#reads = reads;
    this.#authority = authority;
    this.#policies = policies;
  }

  static async begin(core: Core, reads: StoreReads, authority: Authority): Promise<Rows> {
    return new Rows(core, reads, authority, await policyStates(core, reads, authority));
  }

  /** Every leaf stands for one row, and that row says the same. */
  async check(leaves: readonly string[], from: number): Promise<void> {
    const entries = await this.#reads.entries(from, from + leaves.length);
    if (entries.some(({ leaf }, i) => leaf !== from + i) || entries.length !== leaves.length) {
      throw fault(
        `of the leaves from ${from} on, one belongs to no entry of the store or to several`,
      );
    }
    for (const [i, text] of leaves.entries()) {
      const entry = entries[i]!;
      const wrong = await this.#wrong(entry, decodeLeaf(text));
      if (wrong === undefined) continue;
      throw fault(`leaf ${entry.leaf} (${entry.type}) is not what the store has for it: ${wrong}`);
    }
  }

  /** What differs, in words. */
  async #wrong(entry: LogEntry, leaf: Leaf): Promise<string | undefined> {
    if ("isReleased" in entry) {
      const isRight = leaf.type === entry.type && equalBytes(leaf.record, entry.row.hash);
      return isRight ? this.#wrongRecord(entry, leaf.owner) : "the record";
    }
    if (entry.type === "release") {
      return leaf.type === "release" ? this.#wrongRelease(entry.row, leaf, entry.leaf) : "its type";
    }
    if (entry.type === "veto") {
      const { request, note } = entry.row;
      // Whether its row is right is looked at with the request's other approvals.
      const isRight =
        leaf.type === "veto" &&
        equalBytes(leaf.approval, approvalHash(this.#core, note)) &&
        equalBytes(leaf.request, request) &&
        (await this.#reads.request(request)) !== undefined;
      return isRight ? undefined : "the denial, or its request";
    }
    const { row } = entry;
    if (leaf.type !== entry.type) return "its type";
    // policyStates compared policies with their leaves.
    if (leaf.type !== "authority") return undefined;
    const { hash, number } = parseIdentity(this.#core, row.note);
    const isRight =
      leaf.number === number &&
      row.number === number &&
      equalBytes(leaf.identity, hash) &&
      equalBytes(row.hash, hash);
    return isRight ? undefined : "the identity";
  }

  async #wrongRecord(
    { leaf, row, isReleased }: Extract<LogEntry, { isReleased: boolean }>,
    tag: Uint8Array,
  ): Promise<string | undefined> {
    if (!this.#core.equal(await this.#ownerTag(row.owner, row.hash), tag))
      return "the owner's secret";
    // A record that was verified later stands on two leaves: once is enough for the rest.
    if (leaf !== (row.verifiedLeaf ?? row.escrowLeaf)) return undefined;
    const record = recordOfRow(this.#core, row);
    const same =
      row.owner === record.owner &&
      row.description === record.description &&
      row.label === record.blob?.label &&
      equalBytes(row.serial, record.serial) &&
      row.created.getTime() === record.created.getTime();
    if (!same) return `a column of record ${toHex(row.hash)}`;
    if (record.authority !== this.#authority.origin) return "the authority of the record";
    if (!isProven(record)) return this.#wrongUnproven(row, record, isReleased);
    const status =
      row.verifiedLeaf === undefined ? "unverified" : isReleased ? "released" : "verified";
    return row.status === status ? undefined : `the status of record ${toHex(row.hash)}`;
  }

  /** Nothing shows that its wrap opens, but the record says which it is. */
  async #wrongUnproven(
    { hash, status, verifiedLeaf }: RecordRow,
    record: UnprovenRecord,
    isReleased: boolean,
  ): Promise<string | undefined> {
    const isRight = verifiedLeaf === undefined && status === (isReleased ? "released" : "unproven");
    if (!isRight) return `the status of record ${toHex(hash)}`;
    const [candidate, ...others] = await this.#reads.candidates(hash);
    const isBound =
      candidate !== undefined &&
      others.length === 0 &&
      candidate.tag === undefined &&
      isBoundWrap(this.#core, record, candidate.wrap);
    return isBound ? undefined : `the blob of record ${toHex(hash)}`;
  }

  async #checkWraps(): Promise<void> {
    const { kinds, odd } = await this.#reads.wrapFacts();
    if (odd !== undefined) throw fault(`record ${toHex(odd)} lacks the wrap that was opened`);
    const { wrapFingerprints } = this.#authority;
    for (const { fingerprint, padding } of kinds) {
      const isKnown = wrapFingerprints.some((known) => equalBytes(known, fingerprint));
      if (isKnown && takesPadding(this.#authority, padding)) continue;
      throw fault(`there are wraps for ${toHex(fingerprint)} (${padding}), which were never taken`);
    }
  }

  async #ownerTag(owner: string, hash: Uint8Array): Promise<Uint8Array> {
    let secret = this.#secrets.get(owner);
    if (secret === undefined) {
      secret = await this.#reads.ownerSecret(owner);
      if (secret === undefined) throw fault(`the secret of an owner is missing`);
      if (this.#secrets.size >= SECRETS) this.#secrets.clear();
      this.#secrets.set(owner, secret);
    }
    return ownerTag(this.#core, secret, hash);
  }

  async #wrongRelease(
    row: ReleaseRow,
    leaf: ReleaseLeaf,
    index: number,
  ): Promise<string | undefined> {
    if (!equalBytes(leaf.record, row.record)) return "the record";
    if (!equalBytes(leaf.request, row.request)) return "the request";
    const stored = await this.#reads.record(row.record);
    if (stored === undefined) return "the record is missing";
    const { request, fingerprint, approvals } = await this.#factsOf(leaf, index);
    const record: EscrowRecord = recordOfRow(this.#core, stored);
    if (!this.#core.equal(await this.#ownerTag(record.owner, row.record), leaf.owner)) {
      return "the owner's secret";
    }
    const recipient = recipientTag(this.#core, record.blind, fingerprint);
    if (!this.#core.equal(recipient, leaf.recipient)) return "the recipient";
    const { wrap } = row;
    const isFor = equalBytes(wrap.fingerprint, fingerprint) && wrap.padding === request.padding;
    if (!isFor || !isWrapFor(wrap, request.recipient, algorithmsOf(record))) return "the wrap";
    if (!request.records.some((one) => equalBytes(one, row.record))) return "the request's records";
    return equalBytes(approvals, leaf.approvals) ? undefined : "the approvals";
  }

  /** Decides again about a request, as of its release. */
  async #factsOf(leaf: ReleaseLeaf, index: number): Promise<ReleaseFacts> {
    const of = `${toHex(leaf.request)} ${leaf.time.getTime()} ${toHex(leaf.policy)}`;
    if (this.#release?.of === of) return this.#release.facts;
    const core = this.#core;
    const row = await this.#reads.request(leaf.request);
    if (row === undefined) throw fault(`the request of leaf ${index} (release) is missing`);
    const request = requestOfRow(core, row);
    const inForce = this.#policies.filter(
      ({ row: { leaf } }) => leaf !== undefined && leaf < index,
    );
    const policy = inForce.at(-1)?.policy;
    if (policy === undefined || !equalBytes(policy.hash, leaf.policy)) {
      throw fault(`leaf ${index} (release) names another policy than the one in force then`);
    }
    const { records, released } = await this.#recordsOf(row, request);
    // One that is not proven keeps nobody out.
    const counts = ({ hash, verifiedLeaf }: RecordRow) =>
      verifiedLeaf !== undefined && (verifiedLeaf < index || released.has(toHex(hash)));
    const about = { row, request, records };
    const decision = await decide(core, this.#reads, policy, about, { now: leaf.time, counts });
    if (!decision.approved) {
      throw fault(`leaf ${index} (release) lacks approvals: ${decision.reason}`);
    }
    const fingerprint = recipientFingerprint(core, request);
    const facts = { request, fingerprint, approvals: decision.approvals };
    this.#release = { of, facts };
    return facts;
  }

  async #recordsOf(row: RequestRow, { records: hashes }: RecoveryRequest) {
    const records: RecordRow[] = [];
    for (const hash of hashes) {
      const record = await this.#reads.record(hash);
      if (record === undefined) throw fault(`a record of request ${row.id} is missing`);
      records.push(record);
    }
    const rows = await this.#reads.releases(row.hash);
    return { records, released: new Set(rows.map(({ record }) => toHex(record))) };
  }

  /** What stands on no leaf: wraps; requests and approvals, by their own hashes. */
  async end(): Promise<void> {
    await this.#checkWraps();
    let cursor: string | undefined;
    do {
      const page = await this.#reads.requests({}, cursor === undefined ? {} : { cursor });
      for (const row of page.rows) await this.#checkRequest(row);
      cursor = page.next;
    } while (cursor !== undefined);
  }

  async #checkRequest(row: RequestRow): Promise<void> {
    const request = requestOfRow(this.#core, row);
    const approvals = await this.#reads.approvals(row.hash);
    for (const { hash, note, request: of, vetoLeaf } of approvals) {
      const approval = tried(() => parseApproval(note));
      const isRight =
        approval !== undefined &&
        equalBytes(approvalHash(this.#core, note), hash) &&
        equalBytes(approval.request, of) &&
        (approval.decision === "deny") === (vetoLeaf !== undefined);
      if (!isRight) throw fault(`an approval of request ${row.id} was altered`);
    }
    const isReleased = (await this.#reads.releases(row.hash)).length > 0;
    const isRight =
      request.authority === this.#authority.origin &&
      isReleased === (row.status === "released") &&
      (row.status !== "denied" || approvals.some(({ vetoLeaf }) => vetoLeaf !== undefined));
    if (!isRight) throw fault(`the status of request ${row.id} was altered`);
  }
}

/** The ALG_IDs that a release of the record can have. */
function algorithmsOf({ blob }: EscrowRecord): number[] | undefined {
  return blob && [blob.aiKeyAlg];
}

/** What can't be read is as wrong as what reads otherwise. */
function tried<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isAboutContent(error)) return undefined;
    throw error;
  }
}
