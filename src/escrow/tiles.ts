import type { Core } from "../core/index.js";
import { notVerified } from "../errors.js";
import { type NodeId, nodeHash, type ReadNodes } from "./merkle.js";

// A log's hashes in files of 256 (C2SP tlog-tiles): how they are named, and how a proof's hashes are made of them.

/** Levels of the tree within a tile. */
export const TILE_HEIGHT = 8;
/** Hashes in a whole tile. */
export const TILE_WIDTH = 256;
const HASH = 32;

/** A number as a path: in groups of three digits, all but the last behind an x. */
export function tileNumber(index: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/\d{3}/g)!;
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join("/");
}

/** The path of a tile of hashes within its log: tile/L/N, or tile/L/N.p/W if it is not whole. */
export function tilePath(level: number | "entries", index: number, width: number): string {
  const partial = width === TILE_WIDTH ? "" : `.p/${width}`;
  return `tile/${level}/${tileNumber(index)}${partial}`;
}

const NUMBER = "((?:x\\d{3}/)*\\d{3})";
const PATH = new RegExp(
  `^(entries|\\d|[1-5]\\d|6[0-3])/${NUMBER}(?:\\.p/([1-9]\\d?|1\\d\\d|2[0-4]\\d|25[0-5]))?$`,
);

/** Reads what stands behind `tile/`; undefined if it names no tile, or not as it has to be. */
export function parseTilePath(
  path: string,
): { level: number | "entries"; index: number; width: number } | undefined {
  const [, level, number, width] = PATH.exec(path) ?? [];
  if (level === undefined || number === undefined) return undefined;
  const index = Number(number.replace(/[x/]/g, ""));
  if (!Number.isSafeInteger(index) || tileNumber(index) !== number) return undefined;
  return {
    level: level === "entries" ? level : Number(level),
    index,
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
}

/** Gets a tile of hashes: its bytes. */
export type ReadTile = (level: number, index: number, width: number) => Promise<Uint8Array>;

/**
 * Gives hashes of complete subtrees from tiles, each of which is read once.
 * @param size leaves of the log at which the tiles are read
 * @throws TwinwrapError NOT_VERIFIED if a tile has not as many hashes as it has to
 */
export function nodesFromTiles(core: Core, size: number, read: ReadTile): ReadNodes {
  const tiles = new Map<string, Promise<Uint8Array>>();
  const tileAt = (level: number, index: number): Promise<Uint8Array> => {
    const name = `${level} ${index}`;
    const known = tiles.get(name);
    if (known !== undefined) return known;
    const hashes = Math.floor(size / TILE_WIDTH ** level) - index * TILE_WIDTH;
    const width = Math.min(TILE_WIDTH, hashes);
    const tile = read(level, index, width).then((bytes) => {
      if (bytes.length === width * HASH) return bytes;
      throw notVerified("the log's service gave a tile of another length than it has to have");
    });
    tiles.set(name, tile);
    return tile;
  };
  const hashOf = async ({ level, index }: NodeId): Promise<Uint8Array> => {
    const height = level % TILE_HEIGHT;
    const first = index * 2 ** height;
    const tile = await tileAt(Math.floor(level / TILE_HEIGHT), Math.floor(first / TILE_WIDTH));
    const at = (first % TILE_WIDTH) * HASH;
    let hashes: Uint8Array[] = Array.from({ length: 2 ** height }, (_, i) =>
      tile.subarray(at + i * HASH, at + (i + 1) * HASH),
    );
    while (hashes.length > 1) {
      hashes = Array.from({ length: hashes.length / 2 }, (_, i) =>
        nodeHash(core, hashes[2 * i]!, hashes[2 * i + 1]!),
      );
    }
    return hashes[0]!;
  };
  return (ids) => Promise.all(ids.map(hashOf));
}
