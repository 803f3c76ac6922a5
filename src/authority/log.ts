import { equalBytes, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { isAboutContent, notVerified, TwinwrapError } from "../errors.js";
import { verifyPath } from "../escrow/checkpoint.js";
import {
  appendLeaves,
  encodeLeaf,
  formatProof,
  inclusionProof,
  type Leaf,
  type LogSource,
  leafHash,
  parseCheckpoint,
  rootHash,
  type Signer,
  signCheckpoint,
  type VerifierKey,
  verifyCheckpoint,
} from "../escrow/index.js";
import { consistencyProof, type ReadNodes } from "../escrow/merkle.js";
import { checkerOf } from "./checker.js";
import { fault, nodeReader } from "./nodes.js";
import type { LogHead, StoreReads, StoreWrites } from "./store/store.js";

// The authority's log. Leaves are signed in the transaction that appends them. A leaf's proof always leads
// to the checkpoint that it was committed with, so the proof never changes. Stored hashes count only as far
// as a signed checkpoint covers them: a log that continued from an altered tree would be a fork under a good
// signature. audit.ts verifies the whole.

const FENCE = "fence";

/** The end of the log, as a transaction read it. */
export interface LogEnd {
  /** Leaves: the index of the first one that is appended. */
  readonly size: number;
  /**
   * Appends leaves, and the signed checkpoint over them, within the transaction: once at most.
   * @throws TwinwrapError FAULT if the stored tree is not the one that was signed
   */
  append(leaves: readonly Leaf[]): Promise<void>;
}

/** A leaf and its proof. */
export interface Proven {
  leaf: string;
  proof: string;
}

export class Log {
  readonly #core: Core;
  readonly #signer: Signer;
  readonly #isSigned: (note: string) => boolean;
  /** The last checkpoint whose signature was right: successive proofs lead to it. */
  #verified: string | undefined;

  /**
   * @param signer the log key, under the log's origin
   * @param logKeys whose checkpoints count, that key included
   */
  constructor(core: Core, signer: Signer, logKeys: readonly VerifierKey[] = [signer]) {
    this.#core = core;
    this.#signer = signer;
    this.#isSigned = checkerOf(core, logKeys);
  }

  /**
   * Where the log ends, for a transaction that makes it longer: read once in it.
   * @throws TwinwrapError FENCED after a restore, until {@link unfence}; FAULT if the log was put back
   */
  async end(writes: StoreWrites): Promise<LogEnd> {
    await requireUnfenced(writes);
    const head = await writes.head();
    const size = head?.size ?? 0;
    if ((await writes.checkpoints(size, 1)).length > 0) {
      throw fault(`its head says ${size} leaves, but a later checkpoint was signed`);
    }
    return { size, append: (leaves) => this.#append(writes, head, leaves) };
  }

  async #append(
    writes: StoreWrites,
    head: LogHead | undefined,
    leaves: readonly Leaf[],
  ): Promise<void> {
    if (leaves.length === 0) return;
    const size = head?.size ?? 0;
    const read = nodeReader(writes);
    if (head !== undefined) {
      const root = await rootHash(this.#core, read, size);
      if (!equalBytes(root, this.#signedRoot(head))) {
        throw fault(`the tree of ${size} leaves is not the one that was signed`);
      }
    }
    const texts = leaves.map(encodeLeaf);
    const hashes = texts.map((text) => leafHash(this.#core, toUtf8(text)));
    const grown = await appendLeaves(this.#core, read, size, hashes);
    const tree = { origin: this.#signer.name, size: grown.size, root: grown.root };
    const checkpoint = await signCheckpoint(this.#core, tree, this.#signer);
    await writes.extendLog(size, texts, grown.nodes, {
      size: grown.size,
      root: grown.root,
      checkpoint,
    });
  }

  /** The root (32 bytes) that the checkpoint of a stored head was signed over. @throws TwinwrapError FAULT */
  #signedRoot({ size, root, checkpoint }: LogHead): Uint8Array {
    const signed = parseCheckpoint(checkpoint);
    const isRight =
      signed.origin === this.#signer.name && signed.size === size && equalBytes(signed.root, root);
    if (!isRight || (checkpoint !== this.#verified && !this.#isSigned(checkpoint))) {
      throw fault(`the checkpoint of ${size} leaves is not what the log key signed`);
    }
    this.#verified = checkpoint;
    return signed.root;
  }

  /**
   * Leaves with their proofs, which verify, in the order asked for.
   * @throws TwinwrapError FAULT if the log lacks one
   */
  async prove(reads: StoreReads, indices: readonly number[]): Promise<Proven[]> {
    const leaves = await reads.leavesAt(indices);
    const heads = await headsOf(reads, indices);
    const read = nodeReader(reads);
    return Promise.all(
      indices.map((index, i) => this.#proof(read, index, leaves[i], heads.get(index)!)),
    );
  }

  async #proof(
    read: ReadNodes,
    index: number,
    leaf: string | undefined,
    head: LogHead,
  ): Promise<Proven> {
    if (leaf === undefined) throw fault(`leaf ${index} is missing`);
    const path = await inclusionProof(this.#core, read, index, head.size);
    const tree = { origin: this.#signer.name, size: head.size, root: this.#signedRoot(head) };
    try {
      verifyPath(this.#core, leaf, { index, path }, tree);
    } catch (cause) {
      if (!isAboutContent(cause)) throw cause;
      throw fault(`leaf ${index}, or a hash of its proof, was altered`);
    }
    return { leaf, proof: formatProof({ index, path, checkpoint: head.checkpoint }) };
  }
}

/** The checkpoints that leaves came with, by index; those of many are one. @throws TwinwrapError FAULT */
async function headsOf(
  reads: StoreReads,
  indices: readonly number[],
): Promise<Map<number, LogHead>> {
  const heads = new Map<number, LogHead>();
  let head: LogHead | undefined;
  for (const index of [...indices].sort((a, b) => a - b)) {
    if (head === undefined || head.size <= index) head = await reads.checkpointOf(index);
    if (head === undefined) throw fault(`leaf ${index} is missing`);
    heads.set(index, head);
  }
  return heads;
}

/** A store's log, to be compared with what was seen of it. */
export function logSource(core: Core, reads: StoreReads): LogSource {
  return {
    checkpoint: async () => (await reads.head())?.checkpoint,
    consistency: (from, to) => consistencyProof(core, nodeReader(reads), from, to),
  };
}

/** Whether the log was restored and may not grow yet. */
export async function isFenced(reads: StoreReads): Promise<boolean> {
  return (await reads.setting(FENCE)) !== undefined;
}

/**
 * For calls that make the log grow, or show it as the newest.
 * @throws TwinwrapError FENCED while it is
 */
export async function requireUnfenced(reads: StoreReads): Promise<void> {
  if (!(await isFenced(reads))) return;
  throw new TwinwrapError(
    "FENCED",
    "this authority was restored from a backup: its log grows again once it was shown the newest receipt, release or checkpoint that is known outside",
  );
}

/** Stops the log of a restored store from growing. */
export async function fence(writes: StoreWrites): Promise<void> {
  await writes.setSetting(FENCE, "restored");
}

/**
 * Lets it grow again, once it holds everything that is known outside. The store keeps these checkpoints and
 * compares them whenever the log is verified.
 * @param known checkpoints (notes), at least one
 * @param options.isNewest somebody vouches that nothing newer than these is known outside. Otherwise one of
 *   them has to cover the whole restored log: an older one would fit, too, if the log had gone on after the
 *   backup
 * @throws TwinwrapError NOT_VERIFIED if one is not of this log or of a later state; FENCED if none is
 *   given, or all are older than the backup
 */
export async function unfence(
  core: Core,
  writes: StoreWrites,
  known: readonly string[],
  logKeys: readonly VerifierKey[],
  options: { isNewest?: boolean | undefined } = {},
): Promise<void> {
  if (known.length === 0) {
    throw new TwinwrapError("FENCED", "a checkpoint that is known outside is needed");
  }
  let newest = 0;
  for (const note of known) {
    const seen = await compareKnown(core, writes, note, logKeys);
    newest = Math.max(newest, seen.size);
    await writes.addSeenCheckpoint(seen);
  }
  const size = (await writes.head())?.size ?? 0;
  if (newest < size && !options.isNewest) {
    throw new TwinwrapError(
      "FENCED",
      `the newest of these is of ${newest} leaves, the backup itself of ${size}: this does not show that the log did not go on after the backup. Ask owners for newer receipts`,
    );
  }
  await writes.setSetting(FENCE, undefined);
}

/**
 * Compares a checkpoint from outside with the stored tree.
 * @throws TwinwrapError NOT_VERIFIED
 */
export async function compareKnown(
  core: Core,
  reads: StoreReads,
  note: string,
  logKeys: readonly VerifierKey[],
): Promise<LogHead> {
  const { size, root } = await verifyCheckpoint(core, note, logKeys);
  const present = (await reads.head())?.size ?? 0;
  if (size > present) {
    throw notVerified(
      `the log has ${present} leaves, but one of ${size} leaves is known outside: it was rolled back`,
    );
  }
  if (!equalBytes(await rootHash(core, nodeReader(reads), size), root)) {
    throw notVerified(
      `the log is not the one of which a checkpoint of ${size} leaves is known outside`,
    );
  }
  return { size, root, checkpoint: note };
}
