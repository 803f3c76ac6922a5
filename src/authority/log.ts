import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { equalBytes, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import {
  appendLeaves,
  decodeLeaf,
  encodeLeaf,
  formatProof,
  inclusionProof,
  keyId,
  type Leaf,
  type LogHere,
  leafHash,
  type NodeId,
  parseCheckpoint,
  parseNote,
  rootHash,
  type Signer,
  signCheckpoint,
  type VerifierKey,
  verifyCheckpoint,
} from "../escrow/index.js";
import { ED25519_SPKI_PREFIX } from "./ed25519.js";
import type { Head, LeafReference, StoreReads, StoreWrites } from "./store.js";

// The authority's log: what is appended is signed in the same transaction, and a leaf's proof always
// leads to the checkpoint that it was committed with, so that one proof stays the same for ever.

const FENCE = "fence";
/** Leaves read at once. */
const PAGE = 1024;

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

export class Log {
  readonly #core: Core;
  readonly #signer: Signer;

  /** @param signer the log key, under the log's origin */
  constructor(core: Core, signer: Signer) {
    this.#core = core;
    this.#signer = signer;
  }

  /** The first index that {@link append} will give. */
  async size(reads: StoreReads): Promise<number> {
    return (await reads.head())?.size ?? 0;
  }

  /**
   * Appends leaves, and the signed checkpoint over them, within a transaction.
   * @returns the first one's index
   * @throws TwinwrapError REFUSED after a restore, until {@link unfence}
   */
  async append(writes: StoreWrites, leaves: readonly Leaf[]): Promise<number> {
    const size = await this.size(writes);
    if (leaves.length === 0) return size;
    if (await isFenced(writes)) {
      throw new TwinwrapError(
        "REFUSED",
        "this authority was restored from a backup: its log grows again once `authority log unfence` was shown the newest receipt, release or checkpoint that is known outside",
      );
    }
    const texts = leaves.map(encodeLeaf);
    const hashes = texts.map((text) => leafHash(this.#core, toUtf8(text)));
    const grown = await appendLeaves(this.#core, nodesOf(writes), size, hashes);
    const { name: origin } = this.#signer;
    const checkpoint = await signCheckpoint(
      this.#core,
      { origin, size: grown.size, root: grown.root },
      this.#signer,
    );
    await writes.extendLog(size, texts, grown.nodes, {
      size: grown.size,
      root: grown.root,
      checkpoint,
    });
    return size;
  }

  /** A leaf with its proof. @throws TwinwrapError FAULT if the log lacks it */
  async prove(reads: StoreReads, index: number): Promise<{ leaf: string; proof: string }> {
    const [leaf, head] = await Promise.all([reads.leaf(index), reads.checkpointOf(index)]);
    if (leaf === undefined || head === undefined) throw fault(`leaf ${index} is missing`);
    const path = await inclusionProof(this.#core, nodesOf(reads), index, head.size);
    return { leaf, proof: formatProof({ index, path, checkpoint: head.checkpoint }) };
  }
}

/** A store's log, for who compares it with what was shown of it. */
export function logHere(core: Core, reads: StoreReads, origin: string): LogHere {
  return {
    origin,
    size: async () => (await reads.head())?.size ?? 0,
    root: (size) => rootHash(core, nodesOf(reads), size),
  };
}

/** Whether the log was restored and may not grow yet. */
export async function isFenced(reads: StoreReads): Promise<boolean> {
  return (await reads.setting(FENCE)) !== undefined;
}

/** Lets the log of a restored store grow no more. */
export function fence(writes: StoreWrites): Promise<void> {
  return writes.setSetting(FENCE, "restored");
}

/**
 * Lets it grow again: it holds everything that is known outside. These checkpoints are kept and
 * compared whenever the log is verified.
 * @param known checkpoints (notes), at least one
 * @throws TwinwrapError NOT_VERIFIED if one is not of this log, REFUSED if one is of a later state or
 *   none is given
 */
export async function unfence(
  core: Core,
  writes: StoreWrites,
  known: readonly string[],
  logKeys: readonly VerifierKey[],
): Promise<void> {
  if (known.length === 0) {
    throw new TwinwrapError("REFUSED", "a checkpoint that is known outside is needed");
  }
  for (const note of known) {
    await writes.addSeenCheckpoint(await compareKnown(core, writes, note, logKeys));
  }
  await writes.setSetting(FENCE, undefined);
}

/**
 * Compares a checkpoint from outside with the stored tree.
 * @throws TwinwrapError as {@link unfence}
 */
async function compareKnown(
  core: Core,
  reads: StoreReads,
  note: string,
  logKeys: readonly VerifierKey[],
): Promise<Head> {
  const { size, root } = await verifyCheckpoint(core, note, logKeys);
  const present = (await reads.head())?.size ?? 0;
  if (size > present) {
    throw new TwinwrapError(
      "REFUSED",
      `the log has ${present} leaves, but one of ${size} leaves is known outside: it was rolled back`,
    );
  }
  if (!equalBytes(await rootHash(core, nodesOf(reads), size), root)) {
    throw notVerified(
      `the log is not the one of which a checkpoint of ${size} leaves is known outside`,
    );
  }
  return { size, root, checkpoint: note };
}

function nodesOf(reads: StoreReads): (ids: readonly NodeId[]) => Promise<Uint8Array[]> {
  return async (ids) => {
    const hashes = await reads.nodes(ids);
    if (hashes.includes(undefined)) throw fault("a hash of its tree is missing");
    return hashes as Uint8Array[];
  };
}

function fault(what: string): TwinwrapError {
  return new TwinwrapError("FAULT", `the log is damaged: ${what}`);
}

/**
 * Builds the tree again from its leaves alone and compares it with everything that was signed or
 * stored: all checkpoints and their signatures, all hashes that proofs are made of, what is known
 * outside, and that every leaf stands for exactly one row of the store.
 * @param logKeys of the authority's identity
 * @throws TwinwrapError FAULT or NOT_VERIFIED that names the first thing that is wrong
 */
export async function verifyLog(
  core: Core,
  reads: StoreReads,
  logKeys: readonly VerifierKey[],
  options: VerifyLogOptions = {},
): Promise<LogState> {
  const head = await reads.head();
  const end = head?.size ?? 0;
  const keys = logKeys.map((key) => ({ key, id: keyId(core, key), object: keyObject(key) }));
  const isSigned = (note: string) => {
    const { text, signatures } = parseNote(note);
    return signatures.some(({ name, keyId, signature }) =>
      keys.some(
        ({ key, id, object }) =>
          name === key.name &&
          equalBytes(keyId, id) &&
          verify(null, toUtf8(text), object, signature),
      ),
    );
  };
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
      checkReferences(leaves, size, await reads.referredLeaves(size, size + limit));
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
  if ((await reads.referredLeaves(end, Number.MAX_SAFE_INTEGER)).length > 0) {
    throw fault("something refers to a leaf after the last one");
  }
  const seen = await reads.seenCheckpoint();
  const known = [...(seen === undefined ? [] : [seen.checkpoint]), ...(options.known ?? [])];
  for (const note of known) await compareKnown(core, reads, note, logKeys);
  return { size: end, root, checkpoint: head?.checkpoint, checkpoints: checkpoints + known.length };
}

function keyObject({ publicKey }: VerifierKey): KeyObject {
  const der = Buffer.concat([ED25519_SPKI_PREFIX, publicKey]);
  return createPublicKey({ key: der, format: "der", type: "spki" });
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

/** Every leaf stands for one row, and that row says the same. */
function checkReferences(
  leaves: readonly string[],
  from: number,
  references: readonly LeafReference[],
): void {
  if (references.some(({ leaf }, i) => leaf !== from + i) || references.length !== leaves.length) {
    throw fault(
      `of the leaves from ${from} on, one belongs to no entry of the store or to several`,
    );
  }
  leaves.forEach((text, i) => {
    const row = references[i]!;
    const leaf = decodeLeaf(text);
    const { hash, request } = referenceOf(leaf);
    const same =
      leaf.type === row.type &&
      equalBytes(hash, row.hash) &&
      equalBytes(request ?? NOTHING, row.request ?? NOTHING);
    if (!same) throw fault(`leaf ${row.leaf} (${leaf.type}) is not what the store has for it`);
  });
}

const NOTHING = new Uint8Array(0);

/** What the row that stands on a leaf is called. */
function referenceOf(leaf: Leaf): { hash: Uint8Array; request?: Uint8Array } {
  switch (leaf.type) {
    case "escrow":
    case "verified":
      return { hash: leaf.record };
    case "release":
      return { hash: leaf.record, request: leaf.request };
    case "veto":
      return { hash: leaf.approval, request: leaf.request };
    case "policy":
      return { hash: leaf.policy };
    case "authority":
      return { hash: leaf.identity };
  }
}
