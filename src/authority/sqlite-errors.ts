import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { TwinwrapError } from "../errors.js";

// What SQLite says when it can't go on, in words for people.

/** SQLite's extended result code, like "SQLITE_IOERR_WRITE"; or the system's. */
export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** By the primary result code (https://www.sqlite.org/rescode.html). */
const WORDS: Record<string, [code: "FAULT" | "UNAVAILABLE" | "CONFLICT", words: string]> = {
  CORRUPT: ["FAULT", "the store is damaged: go on from the newest backup (`authority restore`)"],
  NOTADB: ["FAULT", "the store is damaged: go on from the newest backup (`authority restore`)"],
  FULL: ["UNAVAILABLE", "no space left for the store, nothing was written: make room, then again"],
  READONLY: ["UNAVAILABLE", "the store is read-only: its user has to be able to write it"],
  CANTOPEN: [
    "UNAVAILABLE",
    "the store cannot be opened: its user has to be able to read and write it and its folder",
  ],
  PERM: ["UNAVAILABLE", "the store is not permitted to this user"],
  IOERR: ["UNAVAILABLE", "the disk fails to read or write the store: see the system's messages"],
  BUSY: ["CONFLICT", "the store was kept busy by others for too long: try again"],
  LOCKED: ["CONFLICT", "the store was kept busy by others for too long: try again"],
};

/**
 * What to throw in place of SQLite's error: a TwinwrapError FAULT, UNAVAILABLE or CONFLICT. Other errors
 * stay as they are.
 * @param path of the store
 */
export function inWords(path: string, cause: unknown): unknown {
  const [, primary = ""] = /^SQLITE_([A-Z]+)/.exec(errorCode(cause)) ?? [];
  // For some of what it does on a full disk, SQLite only says that it failed.
  const known = WORDS[primary === "IOERR" && isFull(path) ? "FULL" : primary];
  if (known === undefined) return cause;
  return new TwinwrapError(known[0], `${path}: ${known[1]}`, { cause });
}

function isFull(path: string): boolean {
  try {
    return statfsSync(dirname(path)).bavail === 0;
  } catch {
    return false; // not to be told: then what SQLite says stands
  }
}

/** Does something with SQLite; throws what {@link inWords} makes of its errors. */
export function explained<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw inWords(path, error);
  }
}
