import { randomBytes } from "node:crypto";
import { constants, rmSync, type Stats } from "node:fs";
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  unlink,
} from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { needBytes, whole, wrongKind } from "./arguments.js";
import { concatBytes, copyBytes, wipe } from "./bytes.js";
import { TwinwrapError } from "./errors.js";
import { needPath, systemError, withSystemErrors } from "./system.node.js";

// Files in Node: output appears whole or not at all, and a header is changed by one writer at a time.

/** Bytes that a file is read in. */
const PIECE = 1 << 18;

/** Whether an error is the system's with this code, like "ENOENT". */
export function isSystemError(error: unknown, code: string): boolean {
  return systemError(error)?.code === code;
}

/** Does `work` on a file; where the system's error does not name the file, it does afterwards. */
async function naming<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const { syscall, path: named } = error as NodeJS.ErrnoException;
    if (syscall !== undefined && named === undefined) {
      Object.assign(error as Error, { path });
    }
    throw error;
  }
}

const needNumber = whole(0);
const needLength = whole(0, 2 ** 32 - 1);

/** A file open for reading, at any place or from front to back. */
export class FileSource {
  readonly #path: string;
  readonly #handle: FileHandle;
  /** Bytes, when it was opened. */
  readonly size: number;
  /** Its permissions. */
  readonly mode: number;
  /** Whether bytes can be read at any place; a pipe or a device gives them once. */
  readonly seekable: boolean;

  /** Use `FileSource.open(path)`. */
  private constructor(path: string, handle: FileHandle, stats: Stats) {
    if (typeof handle?.read !== "function") {
      throw wrongKind(handle, "the file", "what FileSource.open() opens");
    }
    this.#path = path;
    this.#handle = handle;
    this.size = stats.size;
    this.mode = stats.mode & 0o777;
    this.seekable = stats.isFile();
  }

  /** @throws TwinwrapError BAD_ARGUMENT, UNAVAILABLE if there is no such file, or it cannot be read */
  static async open(path: string): Promise<FileSource> {
    needPath(path, "the path");
    const handle = await withSystemErrors(path, () => open(path, constants.O_RDONLY));
    try {
      return new FileSource(path, handle, await withSystemErrors(path, () => handle.stat()));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * The bytes from `offset` on, `length` of them, or fewer where the file ends.
   * @throws TwinwrapError BAD_ARGUMENT, UNAVAILABLE
   */
  async read(offset: number, length: number): Promise<Uint8Array> {
    needNumber(offset, "the offset");
    needLength(length, "the length");
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const part = await this.readInto(bytes.subarray(filled), offset + filled);
      if (part === 0) break;
      filled += part;
    }
    return bytes.subarray(0, filled);
  }

  /**
   * Reads into an array.
   * @param offset where, or null to go on where the last such read ended
   * @returns how many bytes came, 0 at the end of the file
   * @throws TwinwrapError BAD_ARGUMENT, UNAVAILABLE
   */
  async readInto(into: Uint8Array, offset: number | null): Promise<number> {
    const bytes = needBytes(into, "the array");
    if (offset !== null) needNumber(offset, "the offset");
    const { bytesRead } = await withSystemErrors(this.#path, () =>
      this.#handle.read(bytes, 0, bytes.length, offset),
    );
    return bytesRead;
  }

  /** All bytes to the end, wherever that is by then. Each piece is valid until the next is asked for. */
  pieces(): AsyncIterable<Uint8Array> & { readInto?(into: Uint8Array): Promise<number> } {
    const readInto = (into: Uint8Array) => this.readInto(into, null);
    return {
      readInto,
      async *[Symbol.asyncIterator]() {
        const piece = new Uint8Array(PIECE);
        try {
          for (;;) {
            const length = await readInto(piece);
            if (length === 0) return;
            yield piece.subarray(0, length);
          }
        } finally {
          piece.fill(0);
        }
      },
    };
  }

  /** @throws TwinwrapError UNAVAILABLE */
  close(): Promise<void> {
    return withSystemErrors(this.#path, () => this.#handle.close());
  }
}

/**
 * All of a file that should be small, read piece by piece: whatever it turns out to be, no more than the
 * limit is held. The pieces are wiped, as they may be secret.
 * @param limit bytes
 * @throws TwinwrapError LIMIT_EXCEEDED if there is more
 */
export async function collectPieces(
  path: string,
  pieces: AsyncIterable<Uint8Array>,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const piece of pieces) {
      length += piece.length;
      if (length > limit) {
        throw new TwinwrapError(
          "LIMIT_EXCEEDED",
          `${path} is longer than the ${limit} bytes read here`,
        );
      }
      parts.push(copyBytes(piece));
      wipe(piece); // of standard input nobody else would
    }
    return concatBytes(...parts);
  } finally {
    wipe(...parts);
  }
}

/** All of a file; see {@link collectPieces}. */
export async function readFileWhole(path: string, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const file = await FileSource.open(path);
  try {
    return await collectPieces(path, file.pieces(), limit);
  } finally {
    await file.close();
  }
}

/** Files and folders that were begun and neither finished nor removed yet. */
const unfinished = new Set<string>();

/** Removes what was begun: for a process that is told to end. */
export function removeUnfinished(): void {
  for (const path of unfinished) {
    try {
      rmSync(path, { recursive: true });
    } catch {
      // Gone already, or not ours to remove any more.
    }
  }
  unfinished.clear();
}

export interface WriteOptions {
  /** Takes the place of a file that is there; else that is a CONFLICT. */
  force?: boolean;
  /** The new file's mode; by default what the umask leaves of 0666. */
  mode?: number;
}

function exists(path: string): TwinwrapError {
  return new TwinwrapError("CONFLICT", `${path} exists already`);
}

/** What a file shall hold. */
export interface NewFile extends WriteOptions {
  path: string;
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * Writes a file that appears whole or not at all: beside, synced, then renamed. What is no regular
 * file (a pipe, a device) is written to as it is.
 * @throws TwinwrapError CONFLICT if the file is there and `force` is not set; the system's errors
 */
export function writeFileWhole(
  path: string,
  content: NewFile["content"],
  options: WriteOptions = {},
): Promise<void> {
  return writeFilesWhole([{ ...options, path, content }]);
}

/**
 * Writes several files that belong together: none appears before all are on disk.
 * @throws as writeFileWhole; then none was written, unless the system fails between two renames
 */
export async function writeFilesWhole(files: readonly NewFile[]): Promise<void> {
  const begun: Begun[] = [];
  try {
    for (const file of files) {
      const one = await begin(file);
      if (one === undefined) continue; // written through already
      begun.push(one);
      await fill(one, file);
    }
    for (const { beside, target, force } of begun) {
      if (force) await rename(beside, target);
      else await renameNew(beside, target);
      unfinished.delete(beside);
    }
  } catch (error) {
    for (const { beside } of begun) {
      if (unfinished.has(beside)) await unlink(beside).catch(() => {});
      unfinished.delete(beside);
    }
    throw error;
  }
  for (const folder of new Set(begun.map(({ target }) => dirname(target))))
    await syncFolder(folder);
}

/** A file that is written under another name beside its own. */
interface Begun {
  beside: string;
  target: string;
  force: boolean;
  handle: FileHandle;
}

async function begin({ path, content, force = false }: NewFile): Promise<Begun | undefined> {
  const present = await stat(path).catch(() => undefined);
  if (present !== undefined && !present.isFile() && !present.isDirectory()) {
    await writeThrough(path, content);
    return undefined;
  }
  if (present !== undefined && !force) throw exists(path);
  // A link keeps its place; the file that it names is replaced.
  const target = present === undefined ? path : await realpath(path);
  const beside = join(dirname(target), `.twinwrap-${randomBytes(8).toString("hex")}.tmp`);
  const handle = await open(beside, "wx", 0o600).catch((error) => {
    // Nobody has heard of the name beside.
    throw Object.assign(error, { path });
  });
  unfinished.add(beside);
  return { beside, target, force, handle };
}

async function fill({ handle, target }: Begun, { content, mode }: NewFile): Promise<void> {
  try {
    await writeContent(target, handle, content);
    await handle.chmod(mode ?? 0o666 & ~process.umask());
    await naming(target, handle.sync());
  } finally {
    await handle.close();
  }
}

/** Writes all of `bytes` at `offset`, or where the last write ended. */
async function writeAll(
  path: string,
  handle: FileHandle,
  bytes: Uint8Array,
  offset?: number,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const place = offset === undefined ? null : offset + done;
    const part = await naming(path, handle.write(bytes, done, bytes.length - done, place));
    done += part.bytesWritten;
  }
}

/**
 * Writes piece by piece, and gives each back to where it came from: an envelope's Output uses its
 * memory again, anything else does not mind.
 */
export async function forEachPiece(
  content: NewFile["content"],
  work: (piece: Uint8Array) => Promise<void>,
): Promise<void> {
  const pieces =
    Symbol.asyncIterator in content ? content[Symbol.asyncIterator]() : content[Symbol.iterator]();
  for (let spent: Uint8Array | undefined; ; ) {
    const next = await pieces.next(spent);
    if (next.done) return;
    try {
      await work(next.value);
    } catch (error) {
      await pieces.return?.();
      throw error;
    }
    spent = next.value;
  }
}

function writeContent(path: string, handle: FileHandle, content: NewFile["content"]) {
  return forEachPiece(content, (piece) => writeAll(path, handle, piece));
}

async function writeThrough(
  path: string,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const handle = await open(path, constants.O_WRONLY);
  try {
    await writeContent(path, handle, content);
  } finally {
    await handle.close();
  }
}

/** A rename that never replaces: a hard link fails where a name is taken, also by a race. */
async function renameNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (isSystemError(error, "EEXIST")) throw exists(to);
    // Some file systems have no hard links.
    if ((await stat(to).catch(() => undefined)) !== undefined) throw exists(to);
    await rename(from, to);
    return;
  }
  await unlink(from);
}

/** A new name is on disk only once its folder is; where folders cannot be synced, nothing is lost but that. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, constants.O_RDONLY);
    await handle.sync().finally(() => handle.close());
  } catch {
    // Not every system lets a folder be opened.
  }
}

/**
 * Makes a folder for its user alone (mode 0700) that appears whole or not at all: filled beside, then
 * renamed. An empty folder is replaced.
 * @throws TwinwrapError CONFLICT if there is anything else already; what `fill` throws
 */
export async function makeFolderWhole(
  path: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const target = resolve(path);
  const present = await readdir(target).catch((error) => {
    if (!isSystemError(error, "ENOENT"))
      throw isSystemError(error, "ENOTDIR") ? exists(path) : error;
  });
  if (present !== undefined && present.length > 0) throw exists(path);
  const beside = join(dirname(target), `.twinwrap-${randomBytes(8).toString("hex")}.tmp`);
  await mkdir(beside, { mode: 0o700 });
  unfinished.add(beside);
  try {
    await fill(beside);
    await syncFolder(beside);
    await rename(beside, target).catch((error) => {
      throw isSystemError(error, "ENOTEMPTY") || isSystemError(error, "EEXIST")
        ? exists(path)
        : error;
    });
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    throw error;
  } finally {
    unfinished.delete(beside);
  }
  await syncFolder(dirname(target));
}

/** Whether both names lead to one file. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((path) => stat(path).catch(() => undefined)));
  if (one === undefined || other === undefined) {
    return resolve(a) === resolve(b);
  }
  return one.dev === other.dev && one.ino === other.ino;
}

/** Writes bytes at a place of a file and has them on disk before it returns. */
export async function patchFile(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, "r+");
  try {
    await writeAll(path, handle, bytes, offset);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Where a process number means this process: a container may have the host's name, but other numbers. */
async function machine(): Promise<string> {
  return `${hostname()} ${await readlink("/proc/self/ns/pid").catch(() => "")}`.trim();
}

/** Whether a process is there; what is not ours to signal is there, too. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !isSystemError(error, "ESRCH");
  }
}

/** Whether a lock was left by a process of this machine that is no more. */
async function isStale(lock: string): Promise<boolean> {
  const text = new TextDecoder().decode(await readFileWhole(lock, 1024));
  const [, pid, host] = /^process (\d{1,10}) on (.+)\n$/.exec(text) ?? [];
  return host === (await machine()) && !isAlive(Number(pid));
}

/**
 * Takes a lock that was left behind out of the way. Of several that try, the one that holds LOCK.stale
 * looks again, and only he removes anything.
 * @returns whether it is gone
 */
async function removeStale(lock: string): Promise<boolean> {
  try {
    if (!(await isStale(lock))) return false;
    const guard = `${lock}.stale`;
    const handle = await open(guard, "wx", 0o600);
    unfinished.add(guard);
    try {
      await handle.close();
      if (!(await isStale(lock))) return false;
      await unlink(lock);
      return true;
    } finally {
      await unlink(guard).catch(() => {});
      unfinished.delete(guard);
    }
  } catch {
    return false; // somebody else was there, or it is not ours to read
  }
}

/**
 * Does `work` while FILE.lock exists: one writer of a header at a time, whatever name the file is
 * called by.
 * @throws TwinwrapError CONFLICT if somebody else holds the lock
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const isLink = (await lstat(path)).isSymbolicLink();
  const lock = `${isLink ? await realpath(path) : path}.lock`;
  const take = () => open(lock, "wx", 0o600);
  const handle = await take().catch(async (error) => {
    if (!isSystemError(error, "EEXIST")) throw error;
    if (await removeStale(lock)) return take().catch(() => undefined);
    return undefined;
  });
  if (handle === undefined) {
    throw new TwinwrapError(
      "CONFLICT",
      `${path} is being changed by another process; if none is running, delete ${lock}`,
    );
  }
  unfinished.add(lock);
  try {
    await handle
      .writeFile(`process ${process.pid} on ${await machine()}\n`)
      .finally(() => handle.close());
    return await work();
  } finally {
    await unlink(lock).catch(() => {});
    unfinished.delete(lock);
  }
}
