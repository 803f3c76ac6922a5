import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isFolderStats, isSystemError, named, present, system } from "./calls.node.js";
import { TwinwrapError } from "./errors.js";
import { linkTarget } from "./file-output.node.js";
import {
  begin,
  isDead,
  lockText,
  parseLock,
  removeLeftovers,
  temporaryName,
} from "./process.node.js";

// Locks: FILE.lock exists while a header is changed, and names the process that changes it. It is made
// whole under another name and linked to its own, so nobody ever sees half of one.

/** Bytes that a name may have, on every common file system. */
const MAX_NAME = 255;
/** How long a lock that names no process has to become whole, in milliseconds: some systems have no links. */
const GRACE = 2000;
/** How deep abandoned locks may guard the removal of abandoned locks. */
const MAX_DEPTH = 8;

const digest = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 32);

/** The lock of a file; if its name has no room for `.lock`, a name derived from it. */
function lockOf(path: string): string {
  const name = basename(path);
  if (Buffer.byteLength(name) + 5 <= MAX_NAME) return `${path}.lock`;
  return join(dirname(path), `.twinwrap-${digest(name)}.lock`);
}

/** One lock, as it was seen: another of the same name differs. */
interface Seen {
  key: string;
  /** undefined: the lock's name belongs to something unreadable, so Twinwrap did not make it. */
  text: string | undefined;
}

const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);
/** The errors of systems for a link, a socket, a folder, and another user's private file. */
const NO_LOCK = ["ELOOP", "EMLINK", "ENXIO", "EISDIR", "EACCES", "EPERM"];

/** Anybody who may write into the folder can put anything there: so this does not wait for a FIFO. */
function look(lock: string): Seen | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(lock, FLAGS);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    if (isSystemError(error, ...NO_LOCK)) return { key: "", text: undefined };
    throw error;
  }
  try {
    const stats = fstatSync(descriptor, { bigint: true });
    const isLock = stats.isFile() && stats.size <= 4096n;
    const text = isLock ? readFileSync(descriptor, "latin1") : undefined;
    return { key: `${stats.ino} ${stats.mtimeNs} ${text}`, text };
  } finally {
    closeSync(descriptor);
  }
}

/** Makes a lock, unless there is one: in one go. @returns how to remove it, undefined if there is one */
function make(lock: string): (() => void) | undefined {
  const beside = join(dirname(lock), temporaryName());
  const write = (path: string) => {
    const descriptor = system.openSync(path, "wx", 0o600);
    try {
      system.writeSync(descriptor, lockText());
    } catch (error) {
      removeQuietly(path);
      throw error;
    } finally {
      system.closeSync(descriptor);
    }
  };
  let mine: string | undefined;
  const remove = () => {
    if (mine !== undefined && look(lock)?.key === mine) removeQuietly(lock);
  };
  // From here on a signal is noticed, after all this.
  const end = begin(remove);
  try {
    try {
      write(beside);
      system.linkSync(beside, lock);
    } catch (error) {
      if (isSystemError(error, "EEXIST") || !isSystemError(error, ...NO_LINKS)) throw error;
      write(lock);
    } finally {
      removeQuietly(beside);
    }
    mine = look(lock)?.key;
  } catch (error) {
    end();
    if (isSystemError(error, "EEXIST")) return undefined;
    throw named(error, lock);
  }
  return () => {
    remove();
    end();
  };
}

const NO_LINKS = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EACCES", "EMLINK", "UNKNOWN"];

function removeQuietly(path: string): void {
  try {
    system.unlinkSync(path);
  } catch {
    // Gone already.
  }
}

/** How every lock begins; one that was never made whole may end within it. */
const BEGINNING = "process ";

/**
 * Whether nobody will ever remove this lock: its process is gone, or it never became whole. Anything but a lock
 * is somebody's file.
 */
async function isAbandoned(lock: string, { key, text }: Seen): Promise<boolean> {
  if (text === undefined) return false;
  const { maker, isElsewhere } = parseLock(text);
  if (maker !== undefined) return isDead(maker);
  if (isElsewhere || !(text.startsWith(BEGINNING) || BEGINNING.startsWith(text))) return false;
  await sleep(GRACE);
  return look(lock)?.key === key;
}

/**
 * Takes a lock, also an abandoned one. To remove an abandoned lock, a process holds another lock, whose name is
 * made of it, and looks again: so the lock is removed once, and never one that came after it.
 */
async function take(lock: string, depth = 0): Promise<(() => void) | undefined> {
  const taken = make(lock);
  if (taken !== undefined || depth === MAX_DEPTH) return taken;
  const seen = look(lock);
  if (seen !== undefined) {
    if (!(await isAbandoned(lock, seen))) return undefined;
    const guard = join(dirname(lock), `.twinwrap-${digest(basename(lock) + seen.key)}.lock`);
    const release = await take(guard, depth + 1);
    if (release === undefined) return undefined;
    try {
      if (look(lock)?.key === seen.key) system.unlinkSync(lock);
    } finally {
      release();
    }
  }
  return make(lock);
}

/** How often, and after how many milliseconds, to look again for another name of a file. */
const LOOKS = 10;
const PAUSE = 50;

/**
 * Refuses a file with several names (hard links): each name has its own lock, and sealing the file again would
 * part it from its other names.
 */
async function refuseLinks(path: string): Promise<void> {
  for (let looks = 0; ; looks++) {
    const stats = present(path);
    if (stats === undefined || isFolderStats(stats)) return; // reading it says so
    if (!stats.isFile()) {
      throw new TwinwrapError(
        "BAD_ARGUMENT",
        `${path} is no regular file, whose header could be changed in its place`,
      );
    }
    if (stats.nlink <= 1) return;
    if (looks === LOOKS) {
      throw new TwinwrapError(
        "BAD_ARGUMENT",
        `${path} is one of ${stats.nlink} names of one file (hard links), and its header can be changed under one name only: put a copy in its place first`,
      );
    }
    // A file that is being made has two names for a moment, or until what a killed process left is gone.
    removeLeftovers(dirname(path), true);
    await sleep(PAUSE);
  }
}

/**
 * Does `work` while FILE.lock exists: one writer of a header at a time, whichever name of the file is
 * used.
 * @throws TwinwrapError CONFLICT if somebody else holds the lock; BAD_ARGUMENT if it has several names, or
 *   is no regular file
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  system.statSync(path);
  return withLockBeside(path, async () => {
    await refuseLinks(path);
    return work();
  });
}

/**
 * The same for a file that is replaced as a whole: it need not be there, and may have several names.
 * @throws TwinwrapError CONFLICT if somebody else holds the lock
 */
export async function withLockBeside<T>(path: string, work: () => Promise<T>): Promise<T> {
  const target = linkTarget(path);
  removeLeftovers(dirname(target));
  const lock = lockOf(target);
  const release = await take(lock);
  if (release === undefined) {
    throw new TwinwrapError(
      "CONFLICT",
      `${path} is being changed by another process; if none is running, delete ${lock}`,
    );
  }
  try {
    return await work();
  } finally {
    release();
  }
}
