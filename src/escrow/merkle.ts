import { concatBytes, copyBytes, equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";

// The Merkle tree of RFC 6962, section 2.1. The hashes of its complete subtrees are stored, which never
// change once they are there. Everything else that a root or a proof needs is made of a few of them.
// Sizes and indices go up to 2^53 - 1: no operator here may cut a number to 32 bits.

/** A complete subtree: the `index`-th from the left, counted from 0, of 2^`level` leaves. */
export interface NodeId {
  level: number;
  index: number;
}

/** A complete subtree with its hash, 32 bytes. */
export interface MerkleNode extends NodeId {
  hash: Uint8Array;
}

/** Gives stored hashes in the order asked for. One call asks for all that one result needs. */
export type ReadNodes = (
  nodes: readonly NodeId[],
) => readonly Uint8Array[] | PromiseLike<readonly Uint8Array[]>;

/** The tree after an append. */
export interface Append {
  /** Leaves. */
  size: number;
  /** The root hash, 32 bytes. */
  root: Uint8Array<ArrayBuffer>;
  /** What is to be stored: the new leaves' hashes (level 0) and all subtrees that are complete now. */
  nodes: MerkleNode[];
}

const HASH = 32;
const LEAF_PREFIX = Uint8Array.of(0);
const NODE_PREFIX = Uint8Array.of(1);

/** SHA-256(0x00 ‖ leaf), 32 bytes. */
export function leafHash(core: Core, leaf: Uint8Array): Uint8Array<ArrayBuffer> {
  return core.sha256(concatBytes(LEAF_PREFIX, leaf));
}

/** SHA-256(0x01 ‖ left ‖ right), 32 bytes. */
export function nodeHash(core: Core, left: Uint8Array, right: Uint8Array): Uint8Array<ArrayBuffer> {
  return core.sha256(concatBytes(NODE_PREFIX, left, right));
}

function checkSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new TwinwrapError("BAD_ARGUMENT", "a tree has 0 to 2^53 - 1 leaves");
  }
}

/** The largest power of two below `n`, for n > 1: where a tree of n leaves divides. */
function split(n: number): number {
  let k = 1;
  while (2 * k < n) k *= 2;
  return k;
}

/**
 * The complete subtrees that the leaves from `start` up to `end` consist of, largest first. `start` is
 * where a subtree of RFC 6962's division begins, so a multiple of each of their sizes.
 */
export function subtrees(start: number, end: number): NodeId[] {
  const nodes: NodeId[] = [];
  let size = 1;
  let level = 0;
  for (; 2 * size <= end - start; size *= 2) level++;
  for (let at = start; at < end; size /= 2, level--) {
    if (at + size > end) continue;
    nodes.push({ level, index: at / size });
    at += size;
  }
  return nodes;
}

/** The hash over complete subtrees side by side, largest first; of the empty tree if there are none. */
function joinHashes(core: Core, hashes: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let hash: Uint8Array<ArrayBuffer> | undefined;
  for (let i = hashes.length - 1; i >= 0; i--) {
    hash = hash === undefined ? copyBytes(hashes[i]!) : nodeHash(core, hashes[i]!, hash);
  }
  return hash ?? core.sha256(new Uint8Array(0));
}

async function readHashes(
  read: ReadNodes,
  nodes: readonly NodeId[],
): Promise<readonly Uint8Array[]> {
  const hashes = nodes.length === 0 ? [] : await read(nodes);
  if (hashes.length !== nodes.length || hashes.some((hash) => hash?.length !== HASH)) {
    throw new TwinwrapError("FAULT", "the log's store lacks hashes of its tree");
  }
  return hashes;
}

/** One hash for each of `ranges`, each a result of {@link subtrees}. */
async function readRanges(
  core: Core,
  read: ReadNodes,
  ranges: readonly NodeId[][],
): Promise<Uint8Array<ArrayBuffer>[]> {
  const hashes = await readHashes(read, ranges.flat());
  let end = 0;
  return ranges.map((range) => {
    const start = end;
    end += range.length;
    return joinHashes(core, hashes.slice(start, end));
  });
}

/**
 * The root hash of a tree, 32 bytes (RFC 6962, section 2.1).
 * @throws TwinwrapError BAD_ARGUMENT if there is no such size, FAULT if `read` lacks a hash
 */
export async function rootHash(
  core: Core,
  read: ReadNodes,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> {
  checkSize(size);
  return joinHashes(core, await readHashes(read, subtrees(0, size)));
}

/**
 * Appends leaves to a tree of `size` leaves. Reads as many hashes as `size` has ones in binary.
 * @param leafHashes 32 bytes each, see {@link leafHash}
 * @throws TwinwrapError as {@link rootHash}
 */
export async function appendLeaves(
  core: Core,
  read: ReadNodes,
  size: number,
  leafHashes: readonly Uint8Array[],
): Promise<Append> {
  checkSize(size);
  checkSize(size + leafHashes.length);
  if (leafHashes.some((hash) => hash.length !== HASH)) {
    throw new TwinwrapError("BAD_ARGUMENT", "a leaf's hash has 32 bytes");
  }
  const ids = subtrees(0, size);
  const hashes = await readHashes(read, ids);
  // The complete subtrees side by side; two of one size become one.
  const edge = ids.map((id, i): MerkleNode => ({ ...id, hash: hashes[i]! }));
  const nodes: MerkleNode[] = [];
  leafHashes.forEach((hash, i) => {
    let node: MerkleNode = { level: 0, index: size + i, hash };
    nodes.push(node);
    while (edge.at(-1)?.level === node.level) {
      const left = edge.pop()!;
      const parent = nodeHash(core, left.hash, node.hash);
      node = { level: node.level + 1, index: left.index / 2, hash: parent };
      nodes.push(node);
    }
    edge.push(node);
  });
  const root = joinHashes(
    core,
    edge.map(({ hash }) => hash),
  );
  return { size: size + leafHashes.length, root, nodes };
}

/** PATH of RFC 6962, section 2.1.1, over the leaves from `start` up to `end`. */
function path(index: number, start: number, end: number): NodeId[][] {
  if (end - start === 1) return [];
  const middle = start + split(end - start);
  return index < middle
    ? [...path(index, start, middle), subtrees(middle, end)]
    : [...path(index, middle, end), subtrees(start, middle)];
}

/** SUBPROOF of RFC 6962, section 2.1.2: `old` is the end of the older tree. */
function subproof(old: number, start: number, end: number): NodeId[][] {
  // The older tree's own root is not repeated: the verifier has it.
  if (old === end) return start === 0 ? [] : [subtrees(start, end)];
  const middle = start + split(end - start);
  return old <= middle
    ? [...subproof(old, start, middle), subtrees(middle, end)]
    : [...subproof(old, middle, end), subtrees(start, middle)];
}

/**
 * Proof that a leaf is in a tree: the Merkle audit path (RFC 6962, section 2.1.1), 32 bytes each, from
 * the leaf's sibling to the root's child.
 * @param index of the leaf, counted from 0
 * @throws TwinwrapError BAD_ARGUMENT if the tree has no such leaf, FAULT if `read` lacks a hash
 */
export async function inclusionProof(
  core: Core,
  read: ReadNodes,
  index: number,
  size: number,
): Promise<Uint8Array<ArrayBuffer>[]> {
  checkSize(size);
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw new TwinwrapError("BAD_ARGUMENT", `a tree of ${size} leaves has no leaf ${index}`);
  }
  return readRanges(core, read, path(index, 0, size));
}

/**
 * Proof that a tree is the beginning of a later one (RFC 6962, section 2.1.2), 32 bytes each. Empty if
 * the older one is empty or both are the same.
 * @param oldSize leaves of the older tree, at most `size`
 * @throws TwinwrapError BAD_ARGUMENT if there are no such sizes, FAULT if `read` lacks a hash
 */
export async function consistencyProof(
  core: Core,
  read: ReadNodes,
  oldSize: number,
  size: number,
): Promise<Uint8Array<ArrayBuffer>[]> {
  checkSize(size);
  checkSize(oldSize);
  if (oldSize > size) {
    throw new TwinwrapError("BAD_ARGUMENT", "the older tree is larger than the later one");
  }
  return oldSize === 0 ? [] : readRanges(core, read, subproof(oldSize, 0, size));
}

/** Takes the hash next to the root off the end of a proof. */
function takeLast(proof: Uint8Array[]): Uint8Array {
  const hash = proof.pop();
  if (hash?.length !== HASH) throw notVerified("a proof of the log is too short or malformed");
  return hash;
}

/** The hash of the leaves from `start` up to `end`. */
type Visit = (start: number, end: number, hash: Uint8Array) => void;

/**
 * The root that a PATH leads to; the leaves are those from `start` up to `end`.
 * @param visit is told every hash that the proof shows
 */
function climb(
  core: Core,
  leaf: Uint8Array,
  index: number,
  start: number,
  end: number,
  proof: Uint8Array[],
  visit?: Visit,
): Uint8Array {
  let hash = leaf;
  if (end - start > 1) {
    const middle = start + split(end - start);
    const beside = takeLast(proof);
    const isLeft = index < middle;
    const [from, to] = isLeft ? [start, middle] : [middle, end];
    const below = climb(core, leaf, index, from, to, proof, visit);
    if (isLeft) visit?.(middle, end, beside);
    else visit?.(start, middle, beside);
    hash = isLeft ? nodeHash(core, below, beside) : nodeHash(core, beside, below);
  }
  visit?.(start, end, hash);
  return hash;
}

/**
 * Verifies that a leaf is in a tree (RFC 6962, section 2.1.1).
 * @param leaf its {@link leafHash}
 * @throws TwinwrapError NOT_VERIFIED
 */
export function verifyInclusion(
  core: Core,
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): void {
  const rest = [...proof];
  // The comparison is false for NaN, too.
  if (!(Number.isSafeInteger(index) && Number.isSafeInteger(size) && 0 <= index && index < size)) {
    throw notVerified("a proof is for a leaf that the log does not have");
  }
  const reached = climb(core, leaf, index, 0, size, rest);
  if (rest.length > 0 || !equalBytes(reached, root)) {
    throw notVerified("the entry is not in the log as the proof says");
  }
}

/**
 * The complete subtrees whose hashes a proof shows: those that the leaf is in, and those beside them.
 * As a log grows they never change.
 * @param proof one that {@link verifyInclusion} took
 */
export function provenSubtrees(
  core: Core,
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
): MerkleNode[] {
  const nodes: MerkleNode[] = [];
  climb(core, leaf, index, 0, size, [...proof], (start, end, hash) => {
    const [node, ...more] = subtrees(start, end);
    if (more.length === 0) nodes.push({ ...node!, hash });
  });
  return nodes;
}

/** The roots of the older and of the later tree that a SUBPROOF leads to. */
function climbBoth(
  core: Core,
  oldRoot: Uint8Array,
  old: number,
  start: number,
  end: number,
  proof: Uint8Array[],
): [Uint8Array, Uint8Array] {
  if (old === end) {
    // Leaves from the first to the old tree's end are the old tree.
    const hash = start === 0 ? oldRoot : takeLast(proof);
    return [hash, hash];
  }
  const middle = start + split(end - start);
  const beside = takeLast(proof);
  if (old <= middle) {
    const [older, later] = climbBoth(core, oldRoot, old, start, middle, proof);
    return [older, nodeHash(core, later, beside)];
  }
  const [older, later] = climbBoth(core, oldRoot, old, middle, end, proof);
  return [nodeHash(core, beside, older), nodeHash(core, beside, later)];
}

/**
 * Verifies that a tree is the beginning of a later one (RFC 6962, section 2.1.2).
 * @throws TwinwrapError NOT_VERIFIED
 */
export function verifyConsistency(
  core: Core,
  oldSize: number,
  oldRoot: Uint8Array,
  size: number,
  root: Uint8Array,
  proof: readonly Uint8Array[],
): void {
  if (!(Number.isSafeInteger(oldSize) && Number.isSafeInteger(size) && 0 <= oldSize)) {
    throw notVerified("a log does not have such a size");
  }
  if (oldSize > size) throw notVerified("the log is shorter than it was");
  const rest = [...proof];
  // Every tree continues the empty one, whose root only must be right.
  const [older, later] =
    oldSize === 0
      ? [joinHashes(core, []), size === 0 ? joinHashes(core, []) : root]
      : climbBoth(core, oldRoot, oldSize, 0, size, rest);
  if (rest.length > 0 || !equalBytes(older, oldRoot) || !equalBytes(later, root)) {
    throw notVerified("the log is not a continuation of what it was");
  }
}
