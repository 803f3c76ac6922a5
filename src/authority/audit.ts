import { equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified } from "../errors.js";
import { parseCheckpoint } from "../escrow/checkpoint.js";
import { GrowingTree } from "../escrow/growing-tree.js";
import type { MerkleNode } from "../escrow/merkle.js";
import { type Auditor, Rows } from "./audit-rows.js";
import { checkerOf } from "./checker.js";
import { compareKnown, logsOf } from "./log.js";
import { fault } from "./nodes.js";
import { placeOf } from "./store/place.js";
import type { LogHead, StoreReads } from "./store/store.js";

// Checks that everything an authority keeps is what it signed: the tree from its leaves alone, and
// every row from the leaf that it stands on. Works in pages: memory does not grow with the log.

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
  /** Types of leaves that this edition does not know, and how many there are of each. */
  unknown: { [type: string]: number };
}

export interface VerifyLogOptions {
  /** Checkpoints that are known outside (notes). */
  known?: readonly string[];
  onProgress?: (leaves: number) => void;
}

/**
 * Builds the tree again from its leaves alone and compares it with everything that was signed or
 * stored: all checkpoints and their signatures, all hashes that proofs are made of, and the checkpoints
 * known outside. Every leaf has to stand for exactly one row of the store, and each row has to be what
 * its leaf says: records, owners' secrets, denials, releases with the approvals that they took,
 * policies, identities. Requests and approvals have to be what their hashes name. The wrap of a key that nobody
 * proves has to be the one that its record names. No leaf covers whether another stored wrap opens: only the
 * authority's RSA key shows that (verifyAll).
 * @param reads of one moment
 * @throws TwinwrapError FAULT or NOT_VERIFIED that names the first thing that is wrong
 */
export async function verifyLog(
  auditor: Auditor,
  reads: StoreReads,
  options: VerifyLogOptions = {},
): Promise<LogState> {
  const { core } = auditor;
  const { authority } = await auditor.chain.read(reads);
  const isSigned = checkerOf(core, authority.logKeys);
  const head = await reads.head();
  const rows = await Rows.begin(auditor, reads);
  const logs = logsOf(authority);
  if ((head?.log ?? 0) !== logs.length - 1) throw fault("it is not the log of the newest identity");
  let checkpoints = 0;
  let last: GrowingTree | undefined;
  for (const log of logs.keys()) {
    const ended = authority.identities.at(-1)!.ended[log];
    const size = ended?.kept.size ?? head?.size ?? 0;
    const { onProgress } = options;
    const audited = await auditLog(core, reads, { log, size, isSigned, rows, onProgress });
    const { tree } = audited;
    if (ended !== undefined && !equalBytes(tree.root, ended.kept.root)) {
      throw notVerified(`what is kept of log ${log + 1} is not what the identity says`);
    }
    checkpoints += audited.checkpoints;
    last = tree;
  }
  await rows.end();
  const seen = await reads.seenCheckpoint();
  const known = [...(seen === undefined ? [] : [seen.checkpoint]), ...(options.known ?? [])];
  for (const note of known) await compareKnown(core, reads, note, authority);
  return {
    size: head?.size ?? 0,
    root: last!.root,
    checkpoint: head?.checkpoint,
    checkpoints: checkpoints + known.length,
    unknown: Object.fromEntries(rows.unknown),
  };
}

/** One log, from its first leaf to its last. @returns its tree, and how many checkpoints were compared */
async function auditLog(
  core: Core,
  reads: StoreReads,
  { log, size: end, isSigned, rows, onProgress }: LogAudit,
): Promise<{ tree: GrowingTree; checkpoints: number }> {
  const tree = await GrowingTree.empty(core);
  let checkpoints = 0;
  for (; tree.size < end; checkpoints++) {
    const next = await nextCheckpoint(reads, log, tree.size, end);
    while (tree.size < next.size) {
      const leaves = await leavesFrom(reads, log, tree.size, next.size);
      const from = tree.size;
      await compareNodes(reads, log, await tree.append(leaves), from);
      await rows.check(leaves, placeOf(log, from));
      onProgress?.(tree.size);
    }
    compareSigned(next, tree);
    if (!isSigned(next.checkpoint)) {
      throw notVerified(`the checkpoint of ${next.size} leaves lacks the log key's signature`);
    }
  }
  await checkExtent(reads, log, end, checkpoints);
  return { tree, checkpoints };
}

/** What one log is audited with. */
interface LogAudit {
  log: number;
  /** Leaves that it has to have. */
  size: number;
  isSigned: (note: string) => boolean;
  rows: Rows;
  onProgress?: ((leaves: number) => void) | undefined;
}

/** @throws TwinwrapError FAULT if there is none up to `end` */
async function nextCheckpoint(
  reads: StoreReads,
  log: number,
  size: number,
  end: number,
): Promise<LogHead> {
  const [next, later] = await reads.checkpoints(log, size, 2);
  const isRight =
    next !== undefined && next.size <= end && (later === undefined || later.size > next.size);
  if (isRight) return next;
  throw fault(`a checkpoint after leaf ${size} is missing`);
}

/** The leaves of a page, up to `end` at most. @throws TwinwrapError FAULT if one is missing */
async function leavesFrom(
  reads: StoreReads,
  log: number,
  size: number,
  end: number,
): Promise<string[]> {
  const limit = Math.min(PAGE, end - size);
  const leaves = await reads.leaves(placeOf(log, size), limit);
  if (leaves.length < limit) throw fault(`leaf ${size + leaves.length} is missing`);
  return leaves;
}

/** @throws TwinwrapError FAULT if the tree is not the one that a checkpoint names */
function compareSigned(head: LogHead, { size, root }: GrowingTree): void {
  const signed = parseCheckpoint(head.checkpoint);
  const isRight =
    signed.size === size && equalBytes(signed.root, root) && equalBytes(head.root, root);
  if (!isRight) throw fault(`the leaves up to ${size} are not those that were signed`);
}

/** @throws TwinwrapError FAULT if a stored hash is not the one that the leaves lead to */
async function compareNodes(
  reads: StoreReads,
  log: number,
  nodes: readonly MerkleNode[],
  from: number,
): Promise<void> {
  const stored = await reads.nodes(log, nodes);
  for (const [i, node] of nodes.entries()) {
    if (stored[i] !== undefined && equalBytes(stored[i], node.hash)) continue;
    const where = `level ${node.level}, ${node.index}`;
    throw fault(`leaf ${from} or a hash over it was altered (${where})`);
  }
}

/** Refuses anything after the end, where the next append would meet it. */
async function checkExtent(
  reads: StoreReads,
  log: number,
  size: number,
  checkpoints: number,
): Promise<void> {
  const extent = await reads.logExtent(log);
  // Of 2^k leaves a tree has one complete subtree: over all k, floor(size / 2^k) of them.
  let nodes = 0;
  for (let width = 1; width <= size; width *= 2) nodes += Math.floor(size / width);
  const isRight =
    extent.leaves === size && extent.checkpoints === checkpoints && extent.nodes === nodes;
  if (!isRight || (await reads.entries(placeOf(log, size), placeOf(log + 1, 0))).length > 0) {
    throw fault(`its head says ${size} leaves, but there is more in the store: it was rolled back`);
  }
}
