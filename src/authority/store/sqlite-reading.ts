import { copyFileSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { named } from "../../calls.node.js";
import { TwinwrapError } from "../../errors.js";
import { beginPath, removeLeftovers, temporaryName } from "../../process.node.js";

// How a store is read by somebody who may not write to its folder. SQLite reads a WAL database in such a folder
// only if -wal and -shm are there and whole, as they are while somebody works with the store. Else it would have to be
// told that nobody writes ("immutable"), which nobody can promise. So a copy is read, if nothing moved while it was
// made.

/** How often a store is copied that others begin to work with meanwhile. */
const ATTEMPTS = 5;

/** Where a store is read. */
export interface Reading {
  path: string;
  /** Whether it is a copy of our own, which may be written to. */
  isCopy: boolean;
  /** Removes the copy. */
  end(): void;
}

/**
 * Finds out how a store can be read without a write to its folder.
 * @param place folder in which a private one is made for a copy: by default the system's for temporary files ($TMPDIR)
 * @param opens tries whether SQLite reads it where it is
 * @throws TwinwrapError UNAVAILABLE if it can't be read or copied, or others keep it too busy
 */
export function readingOf(
  path: string,
  opens: (path: string) => boolean,
  place = tmpdir(),
): Reading {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (isInUse(path) && opens(path)) return { path, isCopy: false, end: () => {} };
    const copy = copyIdle(path, place);
    if (copy !== undefined) return copy;
  }
  throw new TwinwrapError(
    "UNAVAILABLE",
    `${path}: others begin to work with the store again and again`,
  );
}

const isInUse = (path: string) => existsSync(`${path}-wal`) && existsSync(`${path}-shm`);

/** Size and times of the files, which tell whether anybody wrote. */
function stateOf(path: string): string {
  return [path, `${path}-wal`, `${path}-shm`]
    .map((file) => statSync(file, { bigint: true, throwIfNoEntry: false }))
    .map((stats) => stats && `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`)
    .join();
}

/** @returns undefined if somebody began to work with the store meanwhile */
function copyIdle(path: string, place: string): Reading | undefined {
  removeLeftovers(place);
  const folder = join(place, temporaryName());
  const done = beginPath(folder);
  const end = () => {
    rmSync(folder, { recursive: true, force: true });
    done();
  };
  const copy = join(folder, basename(path));
  try {
    mkdirSync(folder, { mode: 0o700 });
    const before = stateOf(path);
    copyFileSync(path, copy);
    // Somebody was stopped before its end: what they committed is still in there.
    if (existsSync(`${path}-wal`)) copyFileSync(`${path}-wal`, `${copy}-wal`);
    if (stateOf(path) === before) return { path: copy, isCopy: true, end };
  } catch (error) {
    end();
    throw named(error, path);
  }
  end();
  return undefined;
}
