import { equalBytes } from "../bytes.js";
import { decodeLeaf } from "../escrow/leaf.js";
import { fault } from "./nodes.js";
import { indexOf } from "./store/place.js";
import type { EnrolmentRow, StoreReads } from "./store/store.js";

/** The control key in use of each owner who has one, by owner ID. */
export async function controlKeys(reads: StoreReads): Promise<EnrolmentRow[]> {
  const newest = new Map((await reads.allEnrolments()).map((row) => [row.owner, row]));
  return [...newest.values()].sort((a, b) => (a.owner < b.owner ? -1 : 1));
}

/** The owner whose control key one of some keys is (Ed25519, 32 bytes each), and which it is. */
export async function ownerWithKey(
  reads: StoreReads,
  keys: readonly Uint8Array[],
): Promise<{ owner: string; key: number } | undefined> {
  for (const { owner, control } of await controlKeys(reads)) {
    const key = keys.findIndex((one) => equalBytes(one, control));
    if (key >= 0) return { owner, key };
  }
  return undefined;
}

/** An owner who has a control key. */
export interface EnrolledOwner extends EnrolmentRow {
  /** Of the leaf: since when. */
  since: Date;
}

/** The owners who have a control key, by owner ID. @throws TwinwrapError FAULT if a leaf is missing */
export async function enrolledOwners(reads: StoreReads): Promise<EnrolledOwner[]> {
  const rows = await controlKeys(reads);
  const leaves = await reads.leavesAt(rows.map(({ leaf }) => leaf));
  return rows.map((row, i) => {
    const text = leaves[i];
    if (text === undefined) throw fault(`leaf ${indexOf(row.leaf)} is missing`);
    return { ...row, since: decodeLeaf(text).time };
  });
}
