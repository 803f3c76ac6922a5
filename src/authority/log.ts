import { equalBytes, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { isAboutContent, notVerified, TwinwrapError } from "../errors.js";
import type { Authority } from "../escrow/chain.js";
import {
  type Checkpoint,
  parseCheckpoint,
  proofText,
  signCheckpoint,
  verifyCheckpoint,
  verifyPath,
} from "../escrow/checkpoint.js";
import type { EndedLog } from "../escrow/identity.js";
import { decodeLeaf, encodeLeaf, type KnownLeaf } from "../escrow/leaf.js";
import type { LogSource } from "../escrow/log-view.js";
import {
  appendLeaves,
  consistencyProof,
  inclusionProof,
  leafHash,
  type ReadNodes,
  rootHash,
} from "../escrow/merkle.js";
import type { Signer, VerifierKey } from "../escrow/note.js";
import type { ProvenLeaf } from "../escrow/release.js";
import { formatTime } from "../jcs.js";
import { checkerOf } from "./checker.js";
import { CLOCK_SKEW } from "./clock.js";
import { tell } from "./events.js";
import { fault, nodeReader } from "./nodes.js";
import { indexOf, logOf, placeOf } from "./store/place.js";
import type { LogHead, RecordLeaf, StoreReads, StoreWrites } from "./store/store.js";

// The authority's log. Leaves are signed in the transaction that appends them. A leaf's proof always leads
// to the checkpoint that it was committed with, so the proof never changes. Stored hashes count only as far
// as a signed checkpoint covers them: a log that continued from an altered tree would be a fork under a good
// signature. audit.ts verifies the whole.

/** The setting that says why the log may not grow. */
export const FENCE = "fence";

type Untimed<T> = T extends unknown ? Omit<T, "time"> : never;
/** What a leaf says besides its time, which the log gives it. */
export type NewLeaf = Untimed<KnownLeaf>;

/** The end of the log, as a transaction read it. */
export interface LogEnd {
  /** The place of the first leaf that is appended. */
  readonly next: number;
  /** The time that the leaves get: now, but never before the leaf before. Whole seconds. */
  readonly time: Date;
  /**
   * Appends leaves, and the signed checkpoint over them, within the transaction: once at most.
   * @throws TwinwrapError FAULT if the stored tree is not the one that was signed
   */
  append(leaves: readonly NewLeaf[]): Promise<void>;
}

/** The keys of all logs of an authority, the first one first; the last is in use. */
export function logsOf({ identities }: Pick<Authority, "identities">): VerifierKey[] {
  const { log, ended } = identities.at(-1)!;
  return [...ended, log];
}

/** A time as leaves have it. */
export function wholeSeconds(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}

/** What a log is kept with. */
export interface LogOptions {
  /** The log key, under the log's origin; undefined where it is lost, or not needed. */
  signer: Signer | undefined;
  /** The keys of all logs of the authority, see {@link logsOf}. */
  logs: readonly VerifierKey[];
  /** Called before every append. @throws TwinwrapError FENCED if the store may not go on */
  guard?: ((reads: StoreReads) => Promise<void>) | undefined;
}

export class Log {
  readonly #core: Core;
  readonly #signer: Signer | undefined;
  readonly #guard: LogOptions["guard"];
  readonly #logs: readonly VerifierKey[];
  readonly #isSigned: (note: string) => boolean;
  /** The last checkpoint whose signature was right: successive proofs lead to it. */
  #verified: string | undefined;

  constructor(core: Core, { signer, logs, guard }: LogOptions) {
    this.#core = core;
    this.#signer = signer;
    this.#guard = guard;
    this.#logs = logs;
    this.#isSigned = checkerOf(core, logs);
  }

  /** The log in use, counted from 0. */
  get number(): number {
    return this.#logs.length - 1;
  }

  /**
   * Where the log ends, for a transaction that makes it longer: read once in it.
   * @throws TwinwrapError FENCED if it may not grow; FAULT if the log was put back; UNAVAILABLE
   *   while its newest leaf is more than 5 minutes ahead of the clock
   */
  async end(writes: StoreWrites): Promise<LogEnd> {
    await requireUnfenced(writes);
    if (this.#signer === undefined) throw new TwinwrapError("FENCED", "the log key is not here");
    await this.#guard?.(writes);
    const head = await writes.head();
    if ((head?.log ?? 0) !== this.number) {
      throw new TwinwrapError("FENCED", "this log has ended, and another has begun");
    }
    const size = head?.size ?? 0;
    if ((await writes.checkpoints(this.number, size, 1)).length > 0) {
      throw fault(`its head says ${size} leaves, but a later checkpoint was signed`);
    }
    const next = placeOf(this.number, size);
    const time = await timeAfter(writes, next);
    const signer = this.#signer;
    const append = async (leaves: readonly NewLeaf[]) => {
      if (leaves.length === 0) return;
      const read = nodeReader(writes, this.number);
      if (head !== undefined) await this.#checkTree(read, head);
      const at = { log: this.number, size, read, signer, time };
      // Nobody has to verify what was signed here.
      this.#verified = await appendTo(this.#core, writes, at, leaves);
    };
    return { next, time, append };
  }

  /** @throws TwinwrapError FAULT if the stored tree is not the one that was signed */
  async #checkTree(read: ReadNodes, head: LogHead): Promise<void> {
    const root = await rootHash(this.#core, read, head.size);
    if (equalBytes(root, this.#signedRoot(head))) return;
    throw fault(`the tree of ${head.size} leaves is not the one that was signed`);
  }

  /** The root (32 bytes) that the checkpoint of a stored head was signed over. @throws TwinwrapError FAULT */
  #signedRoot({ log, size, root, checkpoint }: LogHead): Uint8Array {
    const signed = parseCheckpoint(checkpoint);
    const isRight =
      signed.origin === this.#logs[log]?.name &&
      signed.size === size &&
      equalBytes(signed.root, root);
    if (!isRight || (checkpoint !== this.#verified && !this.#isSigned(checkpoint))) {
      throw fault(`the checkpoint of ${size} leaves is not what the log key signed`);
    }
    this.#verified = checkpoint;
    return signed.root;
  }

  /**
   * Leaves with their proofs, which verify, in the order asked for.
   * @param places of the leaves
   * @param at the leaf to whose checkpoint all proofs lead: by default each leads to its own leaf's
   * @throws TwinwrapError FAULT if the log lacks one
   */
  async prove(reads: StoreReads, places: readonly number[], at?: number): Promise<ProvenLeaf[]> {
    const leaves = await reads.leavesAt(places);
    const leading = places.map((place) => this.#leading(at ?? place));
    const heads = await headsOf(reads, leading);
    const readers = new Map<number, ReadNodes>();
    const trees = new Map<LogHead, Checkpoint>();
    return Promise.all(
      places.map((place, i) => {
        const head = heads.get(leading[i]!)!;
        const read = readers.get(head.log) ?? nodeReader(reads, head.log);
        readers.set(head.log, read);
        const tree = trees.get(head) ?? this.#treeOf(head);
        trees.set(head, tree);
        return this.#proof(read, indexOf(place), leaves[i], { head, tree });
      }),
    );
  }

  /**
   * A record's leaf with its proof, as {@link prove} gives it.
   * @throws TwinwrapError FAULT if the log lacks it, or its checkpoint
   */
  async proveRecord(reads: StoreReads, { leaf, text, head }: RecordLeaf): Promise<PlacedLeaf> {
    const leading = this.#leading(leaf);
    const last = leading === leaf ? head : await reads.checkpointOf(leading);
    if (last === undefined) throw fault(`leaf ${indexOf(leaf)} is missing`);
    const read = nodeReader(reads, last.log);
    const tree = this.#treeOf(last);
    const proven = await this.#proof(read, indexOf(leaf), text, { head: last, tree });
    return { ...proven, place: placeOf(last.log, last.size) };
  }

  /** The leaf to whose checkpoint a proof leads. All of a log that ended lead to where it ended. */
  #leading(place: number): number {
    const key = this.#logs[logOf(place)];
    if (key === undefined || !("kept" in key)) return place;
    const { kept } = key as EndedLog;
    return placeOf(logOf(place), Math.max(indexOf(place), kept.size - 1));
  }

  /** The tree that the checkpoint of a stored head was signed over. @throws TwinwrapError FAULT */
  #treeOf(head: LogHead): Checkpoint {
    return { origin: this.#logs[head.log]!.name, size: head.size, root: this.#signedRoot(head) };
  }

  async #proof(
    read: ReadNodes,
    index: number,
    leaf: string | undefined,
    { head, tree }: { head: LogHead; tree: Checkpoint },
  ): Promise<ProvenLeaf> {
    if (leaf === undefined) throw fault(`leaf ${index} is missing`);
    const path = await inclusionProof(this.#core, read, index, head.size);
    try {
      verifyPath(this.#core, leaf, { index, path }, tree);
    } catch (cause) {
      if (!isAboutContent(cause)) throw cause;
      throw fault(`leaf ${index}, or a hash of its proof, was altered`);
    }
    return { leaf, proof: proofText({ index, path, checkpoint: head.checkpoint }) };
  }
}

/** A leaf with its proof, and where the checkpoint ends to which that leads. */
export interface PlacedLeaf extends ProvenLeaf {
  place: number;
}

interface AppendOptions {
  log: number;
  /** Leaves that it has. */
  size: number;
  read: ReadNodes;
  signer: Signer;
  /** Of the new leaves. */
  time: Date;
}

/**
 * Appends leaves to a log, and the signed checkpoint over them.
 * @param old where the head is, if the leaves begin another log
 * @returns the checkpoint
 */
export async function appendTo(
  core: Core,
  writes: StoreWrites,
  { log, size, read, signer, time }: AppendOptions,
  leaves: readonly NewLeaf[],
  old?: number,
): Promise<string> {
  const texts = leaves.map((leaf) => encodeLeaf({ ...leaf, time } as KnownLeaf));
  const hashes = texts.map((text) => leafHash(core, toUtf8(text)));
  const grown = await appendLeaves(core, read, size, hashes);
  const tree = { origin: signer.name, size: grown.size, root: grown.root };
  const checkpoint = await signCheckpoint(core, tree, signer);
  const head = { log, size: grown.size, root: grown.root, checkpoint };
  await writes.extendLog(placeOf(log, size), texts, grown.nodes, head, old);
  return checkpoint;
}

/**
 * The time of what comes at a place.
 * @throws TwinwrapError UNAVAILABLE if the leaf before is too far ahead of the clock; FAULT if it is missing
 */
async function timeAfter(reads: StoreReads, place: number): Promise<Date> {
  const now = wholeSeconds(new Date());
  if (indexOf(place) === 0) return now;
  const [text] = await reads.leavesAt([place - 1]);
  if (text === undefined) throw fault(`leaf ${indexOf(place) - 1} is missing`);
  const { time } = decodeLeaf(text);
  if (time.getTime() > now.getTime() + CLOCK_SKEW) {
    throw new TwinwrapError(
      "UNAVAILABLE",
      `the newest entry of the log is of ${formatTime(time)}, but this machine's clock says ${formatTime(now)}: nothing is added until the clock has passed it`,
    );
  }
  return time > now ? time : now;
}

/** The checkpoints that leaves came with, by place; those of many are one. @throws TwinwrapError FAULT */
async function headsOf(
  reads: StoreReads,
  places: readonly number[],
): Promise<Map<number, LogHead>> {
  const heads = new Map<number, LogHead>();
  let head: LogHead | undefined;
  for (const place of [...places].sort((a, b) => a - b)) {
    if (head === undefined || placeOf(head.log, head.size) <= place || head.log !== logOf(place)) {
      head = await reads.checkpointOf(place);
    }
    if (head === undefined) throw fault(`leaf ${indexOf(place)} is missing`);
    heads.set(place, head);
  }
  return heads;
}

/** A store's log, to be compared with what was seen of it. */
export function logSource(core: Core, reads: StoreReads, log: number): LogSource {
  return {
    checkpoint: async () => (await reads.head())?.checkpoint,
    consistency: (from, to) => consistencyProof(core, nodeReader(reads, log), from, to),
  };
}

/** Why a log may not grow. */
export type FenceReason = "restored" | "anchor" | "closing" | "moved";

const FENCED: Record<FenceReason, string> = {
  restored:
    "this authority was restored from a backup: its log grows again once somebody vouches that it holds everything that is known outside",
  anchor:
    "what this authority showed last is not in its store: its log grows again once the store holds it, or another log is begun",
  moved:
    "this authority was moved into another store, which goes on in its place: this one's log does not grow any more",
  closing: "its officers are closing this log: it does not grow any more",
};

/** Why the log may not grow; undefined if it may. */
export async function fenceOf(reads: StoreReads): Promise<FenceReason | undefined> {
  return fenceIn(await reads.setting(FENCE));
}

function fenceIn(setting: string | undefined): FenceReason | undefined {
  if (setting === undefined) return undefined;
  return setting in FENCED ? (setting as FenceReason) : "restored";
}

/** Whether the log may not grow. */
export async function isFenced(reads: StoreReads): Promise<boolean> {
  return (await fenceOf(reads)) !== undefined;
}

/**
 * For calls that make the log grow, or show it as the newest.
 * @throws TwinwrapError FENCED while it may not
 */
export async function requireUnfenced(reads: StoreReads): Promise<void> {
  refuseFence(await reads.setting(FENCE));
}

/** @param setting {@link FENCE}, as it was read @throws TwinwrapError FENCED */
export function refuseFence(setting: string | undefined): void {
  const reason = fenceIn(setting);
  if (reason !== undefined) throw new TwinwrapError("FENCED", FENCED[reason]);
}

/** Stops a log from growing. */
export async function fence(writes: StoreWrites, reason: FenceReason): Promise<void> {
  if ((await fenceOf(writes)) === reason) return;
  await writes.setSetting(FENCE, reason);
  await tell(writes, { kind: "fence", time: wholeSeconds(new Date()), reason });
}

/** Nothing holds the log back any more. */
export async function dropFence(writes: StoreWrites): Promise<void> {
  await writes.setSetting(FENCE, undefined);
}

/**
 * Lets it grow again, once it holds everything that is known outside. The store keeps these checkpoints and
 * compares them whenever the log is verified. No checkpoint can show that there is no newer one: somebody has to
 * vouch for that.
 * @param known checkpoints (notes)
 * @param options.nothingNewer somebody vouches that nothing newer than the store is known outside
 * @throws TwinwrapError NOT_VERIFIED if one is not of this log or of a later state; FENCED if nobody vouches
 */
export async function unfence(
  core: Core,
  writes: StoreWrites,
  known: readonly string[],
  authority: Authority,
  options: { nothingNewer?: boolean | undefined } = {},
): Promise<void> {
  for (const note of known) {
    await writes.addSeenCheckpoint(await compareKnown(core, writes, note, authority));
  }
  if (!options.nothingNewer) {
    throw new TwinwrapError(
      "FENCED",
      "what is known outside fits, but it can't show that the log did not go on after the backup: somebody has to vouch that nothing newer was ever given out",
    );
  }
  await dropFence(writes);
  // A log that grows again is not being closed.
  await writes.dropDrafts();
}

/**
 * Compares a checkpoint from outside with what is stored of its log.
 * @param options.mayBeLonger whether the log may have lost what is behind its end
 * @throws TwinwrapError NOT_VERIFIED
 */
export async function compareKnown(
  core: Core,
  reads: StoreReads,
  note: string,
  authority: Authority,
  { mayBeLonger = false }: { mayBeLonger?: boolean } = {},
): Promise<LogHead> {
  const { origin, size, root } = await verifyCheckpoint(core, note, authority.logKeys);
  const log = logsOf(authority).findIndex(({ name }) => name === origin);
  const ended = authority.identities.at(-1)!.ended[log];
  const head = (await reads.head()) ?? { log: 0, size: 0 };
  const held = log === head.log ? head.size : log < head.log ? Number.POSITIVE_INFINITY : 0;
  const present = Math.min(held, ended?.kept.size ?? held);
  if (size > present) {
    // Of a log that ended, the identity says what was lost.
    if (ended !== undefined || mayBeLonger) return { log, size, root, checkpoint: note };
    throw notVerified(
      `the log has ${present} leaves, but one of ${size} leaves is known outside: it was rolled back`,
    );
  }
  if (!equalBytes(await rootHash(core, nodeReader(reads, log), size), root)) {
    throw notVerified(
      `the log is not the one of which a checkpoint of ${size} leaves is known outside`,
    );
  }
  return { log, size, root, checkpoint: note };
}
