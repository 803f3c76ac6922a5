import { toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import {
  appendLeaves,
  leafHash,
  type MerkleNode,
  type NodeId,
  rootHash,
} from "../escrow/merkle.js";
import { nodeName } from "./nodes.js";

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

  /** @returns the subtrees that they complete */
  async append(leaves: readonly string[]): Promise<readonly MerkleNode[]> {
    const hashes = leaves.map((leaf) => leafHash(this.#core, toUtf8(leaf)));
    const read = (ids: readonly NodeId[]) => ids.map((id) => this.#edge.get(nodeName(id))!);
    const grown = await appendLeaves(this.#core, read, this.size, hashes);
    for (const node of grown.nodes) this.#edge.set(nodeName(node), node.hash);
    trim(this.#edge, grown.size);
    this.size = grown.size;
    this.root = grown.root;
    return grown.nodes;
  }
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
