import { toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import {
  appendLeaves,
  leafHash,
  type MerkleNode,
  type NodeId,
  rootHash,
  subtrees,
} from "./merkle.js";

/** What a tree goes on from. */
export interface TreeEdge {
  /** Leaves. */
  size: number;
  /** Its complete subtrees that no larger one holds, the largest first, 32 bytes each. */
  edge: readonly Uint8Array[];
}

/** A log's tree, made again from its leaves, the first one first. Keeps no more than what the next ones need. */
export class GrowingTree {
  readonly #core: Core;
  /** Complete subtrees at the right edge, by name: no more of the earlier leaves is needed. */
  readonly #edge = new Map<string, Uint8Array>();
  size = 0;
  /** 32 bytes. */
  root: Uint8Array;

  private constructor(core: Core, root: Uint8Array) {
    this.#core = core;
    this.root = root;
  }

  static async empty(core: Core): Promise<GrowingTree> {
    return new GrowingTree(core, await rootHash(core, () => [], 0));
  }

  /** Goes on from where another one was. The caller has to know that this was a right one, or compare its root. */
  static async from(core: Core, { size, edge }: TreeEdge): Promise<GrowingTree> {
    const nodes = new Map(subtrees(0, size).map((id, i) => [nodeName(id), edge[i]!]));
    const root = await rootHash(core, (ids) => ids.map((id) => nodes.get(nodeName(id))!), size);
    const tree = new GrowingTree(core, root);
    tree.size = size;
    for (const [name, hash] of nodes) tree.#edge.set(name, hash);
    return tree;
  }

  /** What another one can go on from. */
  get edge(): TreeEdge {
    const { size } = this;
    return { size, edge: subtrees(0, size).map((id) => this.#edge.get(nodeName(id))!) };
  }

  /** @returns the subtrees that they complete */
  append(leaves: readonly string[]): Promise<readonly MerkleNode[]> {
    return this.appendBytes(leaves.map(toUtf8));
  }

  /** The same with leaves as bytes, whatever these are. */
  async appendBytes(leaves: readonly Uint8Array[]): Promise<readonly MerkleNode[]> {
    const hashes = leaves.map((leaf) => leafHash(this.#core, leaf));
    const read = (ids: readonly NodeId[]) => ids.map((id) => this.#edge.get(nodeName(id))!);
    const grown = await appendLeaves(this.#core, read, this.size, hashes);
    for (const node of grown.nodes) this.#edge.set(nodeName(node), node.hash);
    trim(this.#edge, grown.size);
    this.size = grown.size;
    this.root = grown.root;
    return grown.nodes;
  }
}

/** A name that no other subtree has. */
function nodeName({ level, index }: NodeId): string {
  return `${level} ${index}`;
}

/** Keeps what an append to a tree of `size` leaves reads. */
function trim(edge: Map<string, Uint8Array>, size: number): void {
  const needed = new Set(subtrees(0, size).map(nodeName));
  for (const name of edge.keys()) if (!needed.has(name)) edge.delete(name);
}
