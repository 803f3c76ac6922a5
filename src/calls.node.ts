import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { systemError } from "./system.node.js";

type Transfer = (
  descriptor: number,
  bytes: Uint8Array,
  from: number,
  length: number,
  position: number | null,
  done: (error: Error | null, count: number) => void,
) => void;

/** Reads or writes some bytes, and answers how many: not every engine's `promisify` does that. */
function transfer(call: Transfer) {
  return (
    descriptor: number,
    bytes: Uint8Array,
    from: number,
    length: number,
    position: number | null,
  ): Promise<number> =>
    new Promise((resolve, reject) => {
      call(descriptor, bytes, from, length, position, (error, count) => {
        if (error) reject(error);
        else resolve(count);
      });
    });
}

/** The system's calls for reading and writing files: tests replace them by failing ones. */
export const system = {
  open: promisify(fs.open),
  close: promisify(fs.close),
  read: transfer(fs.read),
  write: transfer(fs.write),
  fsync: promisify(fs.fsync),
  fstatSync: fs.fstatSync,
  statSync: fs.statSync,
  lstatSync: fs.lstatSync,
  openSync: fs.openSync,
  closeSync: fs.closeSync,
  readSync: fs.readSync,
  writeSync: fs.writeSync,
  fchmodSync: fs.fchmodSync,
  fchownSync: fs.fchownSync,
  linkSync: fs.linkSync,
  renameSync: fs.renameSync,
  unlinkSync: fs.unlinkSync,
  mkdirSync: fs.mkdirSync,
  rmSync: fs.rmSync,
};

/**
 * Bytes of a regular file up to which it is read and written at once, by calls that wait. Such a call takes
 * microseconds; to have it made by another thread, and to be told, takes ten times as long.
 */
export const AT_ONCE = 1 << 18;

/** Whether an error is the system's with one of these codes, like "ENOENT". */
export function isSystemError(error: unknown, ...codes: string[]): boolean {
  const code = systemError(error)?.code;
  return code !== undefined && codes.includes(code);
}

/** The system's error, if it is one, with the file name that the user knows. */
export function named(error: unknown, path: string): unknown {
  const found = systemError(error);
  return found === undefined ? error : Object.assign(found, { path });
}

/**
 * The stats of a name, links followed; undefined if nothing is there.
 * @throws the system's errors, such as for a name that is too long or a folder that may not be read
 */
export function present(path: string): fs.Stats | undefined {
  try {
    // Asked like this, because an error costs more than the call, and most new files are not there.
    return system.statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** What a link says, as bytes; undefined for everything that is no link, or not there. @throws the system's errors */
export function linkText(path: string): Buffer | undefined {
  // Asked first, because an error costs more than the call, and most names are no links.
  if (!fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return undefined;
  try {
    return fs.readlinkSync(path, { encoding: "buffer" });
  } catch (error) {
    if (isSystemError(error, "EINVAL", "ENOENT", "UNKNOWN")) return undefined;
    throw error;
  }
}

/** Whether a folder is there under a name, links followed. @throws as {@link present} */
export function isFolder(path: string): boolean {
  return isFolderStats(present(path));
}

/** What `stats` tell of: a folder, or not. */
export function isFolderStats(stats: fs.Stats | undefined): boolean {
  return stats !== undefined && (stats.mode & fs.constants.S_IFMT) === fs.constants.S_IFDIR;
}

/** Does `work` on a file; an error of the system names it. */
export async function naming<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw named(error, path);
  }
}

/** Milliseconds between two looks at what cannot be waited for otherwise. */
const PAUSE = 20;

/**
 * Tries again while a call would have to wait for a device or another process. Nothing waits inside the
 * system: neither a signal nor the end of the process would reach it there.
 */
export async function whenReady<T>(
  work: () => T | Promise<T>,
  isNotReady = (error: unknown) => isSystemError(error, "EAGAIN"),
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isNotReady(error)) throw error;
      await sleep(PAUSE);
    }
  }
}
