import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { TwinwrapError } from "../../errors.js";

// What SQLite says when it can't go on, in words for people.

/** Primary result codes by their numbers, which node:sqlite gives (https://www.sqlite.org/rescode.html). */
const NAMES: Record<number, string> = {
  3: "PERM",
  5: "BUSY",
  6: "LOCKED",
  8: "READONLY",
  10: "IOERR",
  11: "CORRUPT",
  13: "FULL",
  14: "CANTOPEN",
  19: "CONSTRAINT",
  20: "MISMATCH",
  26: "NOTADB",
};

/** SQLite's result code, like "SQLITE_IOERR_WRITE" (of node:sqlite the primary one); or the system's. */
export function errorCode(error: unknown): string {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown };
  if (typeof errcode === "number") return `SQLITE_${NAMES[errcode & 0xff] ?? errcode}`;
  return String(code ?? "");
}

/** By the primary result code (https://www.sqlite.org/rescode.html). */
const WORDS: Record<string, [code: "FAULT" | "UNAVAILABLE" | "CONFLICT", words: string]> = {
  CORRUPT: ["FAULT", "the store is damaged: go on from the newest backup"],
  NOTADB: ["FAULT", "the store is damaged: go on from the newest backup"],
  FULL: ["UNAVAILABLE", "no space left for the store, nothing was written: make room, then again"],
  READONLY: ["UNAVAILABLE", "the store is read-only: its user has to be able to write it"],
  CANTOPEN: [
    "UNAVAILABLE",
    "the store cannot be opened: its user has to be able to read and write it and its folder",
  ],
  PERM: ["UNAVAILABLE", "the store is not permitted to this user"],
  IOERR: ["UNAVAILABLE", "the disk fails to read or write the store: see the system's messages"],
  CONSTRAINT: ["FAULT", "what was to be written does not fit what is there"],
  MISMATCH: ["FAULT", "what was to be written does not fit its columns"],
  BUSY: ["CONFLICT", "the store was kept busy by others for too long: try again"],
  LOCKED: ["CONFLICT", "the store was kept busy by others for too long: try again"],
};

/** SQLite says this also where a full disk lets it neither grow a file nor make a new one. */
const MAYBE_FULL = new Set(["IOERR", "CANTOPEN"]);
/** Bytes that its index of shared memory, the smallest of its files, takes. */
const NEEDED = 32_768;

function isFull(path: string): boolean {
  try {
    // Some file systems count nothing.
    const { blocks, bavail, bsize, ffree, files } = statfsSync(dirname(path));
    return (blocks > 0 && bavail * bsize < NEEDED) || (files > 0 && ffree === 0);
  } catch {
    return false; // unknown: then what SQLite says stands
  }
}

/**
 * What to throw in place of SQLite's error: a TwinwrapError FAULT, UNAVAILABLE or CONFLICT. Other errors
 * stay as they are.
 * @param path of the store
 */
export function inWords(path: string, cause: unknown): unknown {
  const [, primary = ""] = /^SQLITE_([A-Z]+)/.exec(errorCode(cause)) ?? [];
  const known = WORDS[MAYBE_FULL.has(primary) && isFull(path) ? "FULL" : primary];
  if (known === undefined) return cause;
  return new TwinwrapError(known[0], `${path}: ${known[1]}`, { cause });
}

/** Does something with SQLite; throws what {@link inWords} makes of its errors. */
export function explained<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw inWords(path, error);
  }
}
