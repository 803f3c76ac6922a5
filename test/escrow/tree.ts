import { createHash } from "node:crypto";
import type { MerkleNode, NodeId } from "twinwrap/escrow";

const sha256 = (...parts: Uint8Array[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const ZERO = Uint8Array.of(0);
const ONE = Uint8Array.of(1);

/** The largest power of two below n. */
function half(n: bigint): bigint {
  let k = 1n;
  while (k * 2n < n) k *= 2n;
  return k;
}

/**
 * RFC 6962, section 2.1, word for word: the oracle for what the log makes of stored subtrees. Counts
 * in bigint, so that nothing of the numbers under test is in it.
 */
export class RecursiveTree {
  readonly #leaf: (index: bigint) => Uint8Array;
  readonly #places: bigint[] | undefined;
  readonly #known = new Map<string, Uint8Array>();

  /**
   * @param leaf gives every leaf
   * @param places if given, leaves elsewhere are all alike, which makes huge trees possible
   */
  constructor(leaf: (index: bigint) => Uint8Array, places?: readonly number[]) {
    this.#leaf = leaf;
    this.#places = places?.map(BigInt);
  }

  /** MTH(D[start:end]). */
  hash(start: bigint, end: bigint): Uint8Array {
    const size = end - start;
    const alike = this.#places?.every((place) => place < start || end <= place);
    const name = alike ? `${size}` : `${start}:${end}`;
    const known = this.#known.get(name);
    if (known) return known;
    const middle = start + half(size);
    const hash =
      size === 0n
        ? sha256()
        : size === 1n
          ? sha256(ZERO, this.#leaf(start))
          : sha256(ONE, this.hash(start, middle), this.hash(middle, end));
    this.#known.set(name, hash);
    return hash;
  }

  /** The root of the first `size` leaves. */
  root(size: number): Uint8Array {
    return this.hash(0n, BigInt(size));
  }

  leafHash(index: number): Uint8Array {
    return this.hash(BigInt(index), BigInt(index) + 1n);
  }

  /** PATH(m, D[0:size]). */
  path(m: number, size: number): Uint8Array[] {
    const path = (start: bigint, end: bigint): Uint8Array[] => {
      if (end - start === 1n) return [];
      const middle = start + half(end - start);
      return m < middle
        ? [...path(start, middle), this.hash(middle, end)]
        : [...path(middle, end), this.hash(start, middle)];
    };
    return path(0n, BigInt(size));
  }

  /** PROOF(m, D[0:size]). */
  proof(m: number, size: number): Uint8Array[] {
    const subproof = (start: bigint, end: bigint, whole: boolean): Uint8Array[] => {
      if (BigInt(m) === end) return whole ? [] : [this.hash(start, end)];
      const middle = start + half(end - start);
      return m <= middle
        ? [...subproof(start, middle, whole), this.hash(middle, end)]
        : [...subproof(middle, end, false), this.hash(start, middle)];
    };
    return subproof(0n, BigInt(size), true);
  }

  /** As a store that has all complete subtrees. */
  read = (ids: readonly NodeId[]): Uint8Array[] =>
    ids.map(({ level, index }) => {
      const size = 1n << BigInt(level);
      return this.hash(BigInt(index) * size, (BigInt(index) + 1n) * size);
    });
}

/** A store of subtrees in memory. */
export class MemoryNodes {
  readonly #nodes = new Map<string, Uint8Array>();

  /** @throws if a subtree is there already */
  add(nodes: readonly MerkleNode[]): void {
    for (const { level, index, hash } of nodes) {
      const name = `${level}/${index}`;
      if (this.#nodes.has(name)) throw new Error(`${name} is stored twice`);
      this.#nodes.set(name, hash);
    }
  }

  get count(): number {
    return this.#nodes.size;
  }

  read = (ids: readonly NodeId[]): Uint8Array[] =>
    ids.map(({ level, index }) => this.#nodes.get(`${level}/${index}`)!);
}
