import { concatBytes, toUtf8 } from "../bytes.js";
import type { Authority } from "../escrow/index.js";
import { TILE_HEIGHT, TILE_WIDTH } from "../escrow/tiles.js";
import { logsOf } from "./log.js";
import { placeOf } from "./store/place.js";
import type { StoreReads } from "./store/store.js";

// The log as static files, so that anybody can follow it (C2SP tlog-tiles).

/** Which tile. */
export interface TileName {
  /** Which log, from 0. */
  log: number;
  /** Of the hashes, counted in tiles from 0; or the leaves themselves. */
  level: number | "entries";
  /** The tile within its level, from 0. */
  index: number;
  /** Hashes or leaves, 1 to 256. */
  width: number;
}

/** Leaves of a log that everybody may see. @param log from 0 */
export async function shownSize(
  reads: StoreReads,
  authority: Authority,
  log: number,
): Promise<number> {
  const key = logsOf(authority)[log];
  if (key === undefined) return 0;
  if ("kept" in key) return (key as { kept: { size: number } }).kept.size;
  const head = await reads.head();
  return head?.log === log ? head.size : 0;
}

/** A tile's bytes; undefined unless the log is long enough for it. */
export async function tileOf(
  reads: StoreReads,
  authority: Authority,
  { log, level, index, width }: TileName,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const end = index * TILE_WIDTH + width;
  const leaves = level === "entries" ? end : end * TILE_WIDTH ** level;
  if (leaves > (await shownSize(reads, authority, log))) return undefined;
  const first = index * TILE_WIDTH;
  if (level === "entries") {
    const texts = await reads.leaves(placeOf(log, first), width);
    return texts.length < width ? undefined : concatBytes(...texts.flatMap(entryOf));
  }
  const nodes = Array.from({ length: width }, (_, i) => ({
    level: level * TILE_HEIGHT,
    index: first + i,
  }));
  const hashes = await reads.nodes(log, nodes);
  return hashes.includes(undefined) ? undefined : concatBytes(...(hashes as Uint8Array[]));
}

/** A leaf behind its length, two bytes. */
function entryOf(leaf: string): Uint8Array[] {
  const bytes = toUtf8(leaf);
  return [Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes];
}
