import { constants, readdirSync, type Stats } from "node:fs";
import { Socket } from "node:net";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { concatBytes, equalBytes, wipe } from "./bytes.js";
import {
  AT_ONCE,
  isFolderStats,
  isSystemError,
  linkText,
  named,
  naming,
  present,
  system,
  whenReady,
} from "./calls.node.js";
import { TwinwrapError } from "./errors.js";
import { descriptorOf, readFileWhole } from "./file-source.node.js";
import { beginPath, markOf, removeLeftovers, temporaryName } from "./process.node.js";

// Writing: output appears whole or not at all. Several files that belong together appear in an order in
// which every interruption leaves something usable.

const O_NONBLOCK = constants.O_NONBLOCK ?? 0;
/** Links that are followed one after the other. */
const MAX_LINKS = 40;
const PERMISSIONS = 0o777;

export interface WriteOptions {
  /** Replaces an existing file, with its owner and mode; otherwise that is a CONFLICT. */
  force?: boolean | undefined;
  /** The new file's mode, at most: by default what the umask leaves of 0666. */
  mode?: number | undefined;
}

/** The content of a file to be written. */
export interface NewFile extends WriteOptions {
  path: string;
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Reads the new file by its reader's rules, before it has its name, and throws if it is not right. */
  check?: ((path: string) => unknown) | undefined;
}

/** Warns of work that was done, but not in every respect as it should be. */
let warn = (text: string) => process.emitWarning(text, "TwinwrapWarning");

/** The receiver of such warnings: by default Node's own warnings. */
export function onWarning(listener: (text: string) => void): void {
  warn = listener;
}

function exists(path: string): TwinwrapError {
  return new TwinwrapError("CONFLICT", `${path} exists already`);
}

/**
 * The place of a file whose name may be a link, also one to nothing. No name is made absolute: the name of
 * the working folder need not be text.
 * @throws TwinwrapError UNSUPPORTED if a link's target is not named in UTF-8; the system's errors
 */
export function linkTarget(path: string): string {
  let target = path;
  for (let links = 0; links < MAX_LINKS; links++) {
    const link = linkText(target);
    if (link === undefined) return target; // opening the file shows anything else that is wrong
    const text = link.toString();
    if (!Buffer.from(text).equals(link)) {
      throw new TwinwrapError(
        "UNSUPPORTED",
        `${path} is a link to a file whose name is not UTF-8: rename that file first`,
      );
    }
    // Joined as it is: the system knows what ".." means after a link to a folder.
    target = isAbsolute(text) ? text : `${dirname(target)}/${text}`;
  }
  return target; // the system says ELOOP
}

/**
 * Writes a file that appears whole or not at all: beside its place, synced, then renamed. Anything but a
 * regular file (a pipe, a device) is written to as it is.
 * @throws TwinwrapError CONFLICT if the file is there and `force` is not set; the system's errors
 */
export function writeFileWhole(
  path: string,
  content: NewFile["content"],
  options: Omit<NewFile, "path" | "content"> = {},
): Promise<void> {
  return writeFilesWhole([{ ...options, path, content }]);
}

/**
 * Writes several files that belong together: none appears before all are on disk. The first can be used
 * without the others. These belong to it, and never appear beside an older first one.
 * @throws as writeFileWhole; then none was written, or all, and the error says so; BAD_ARGUMENT if two of
 *   them lead to one file
 */
export async function writeFilesWhole(files: readonly NewFile[]): Promise<void> {
  const places = files.map(examine);
  for (const [i, place] of places.entries()) {
    for (const one of places.slice(0, i)) refuseOne(one, place);
  }
  for (const { target } of places) if (target !== undefined) removeLeftovers(dirname(target));
  const begun: Begun[] = [];
  try {
    for (const place of places) if (place.target !== undefined) begun.push(open(place));
    for (const one of begun) await fill(one);
    for (const place of places) if (place.target === undefined) await writeThrough(place);
    putInPlace(begun);
  } finally {
    for (const one of begun) drop(one);
  }
  for (const folder of new Set(begun.map(({ target }) => dirname(target)))) {
    await keepName(folder, begun.find(({ target }) => dirname(target) === folder)!.path);
  }
}

/** Where a file is written to. */
interface Place extends NewFile {
  /** The file, links resolved; undefined for something that takes bytes but is no file. */
  target: string | undefined;
  /** The file that it replaces. */
  old: Stats | undefined;
}

/** A file that is written under another name beside its own. */
interface Begun extends Place {
  target: string;
  beside: string;
  descriptor: number | undefined;
  end: () => void;
}

function examine(file: NewFile): Place {
  const { path, force = false } = file;
  const old = present(path);
  if (descriptorOf(path) !== undefined) return { ...file, target: undefined, old };
  if (old?.isSocket()) {
    throw new TwinwrapError("BAD_ARGUMENT", `${path} is a socket, which no file can be written to`);
  }
  if (old !== undefined && !old.isFile() && !isFolderStats(old)) {
    return { ...file, target: undefined, old };
  }
  if (old !== undefined && !force) throw exists(path);
  if (isFolderStats(old)) throw new TwinwrapError("CONFLICT", `${path} is a folder`);
  return { ...file, target: linkTarget(path), old };
}

/** Refuses two names that lead to one place, one by a link: only the last file would be left there. */
function refuseOne(a: Place, b: Place): void {
  if (a.target === undefined || b.target === undefined) return;
  if (basename(a.target) !== basename(b.target)) return;
  if (!isSameFile(dirname(a.target), dirname(b.target))) return;
  throw new TwinwrapError(
    "BAD_ARGUMENT",
    `${a.path} and ${b.path} are one file: nothing was written`,
  );
}

/** From here on a signal removes the file, even one that comes while it is made. */
function open(place: Place): Begun {
  const { path } = place;
  const target = place.target!;
  const beside = join(dirname(target), temporaryName());
  const end = beginPath(beside);
  try {
    const descriptor = system.openSync(beside, "wx", 0o600);
    return { ...place, target, beside, descriptor, end };
  } catch (error) {
    end();
    // The temporary name means nothing to people; the target of a link is worth naming.
    throw named(error, target === path ? path : `${path} (a link to ${target})`);
  }
}

async function fill(one: Begun): Promise<void> {
  const { path, beside, content } = one;
  const descriptor = one.descriptor!;
  await forEachPiece(content, (piece) => writeToFile(path, descriptor, piece));
  await naming(path, async () => {
    settle(one, descriptor);
    // The one call that waits for a disk: other files are worked on meanwhile.
    await system.fsync(descriptor);
    one.descriptor = undefined;
    system.closeSync(descriptor);
  });
  if (Array.isArray(content)) await readBack(path, beside, content);
  await one.check?.(beside);
}

async function readBack(path: string, beside: string, content: Uint8Array[]): Promise<void> {
  const wanted = concatBytes(...content);
  let there: Uint8Array | undefined;
  try {
    there = await naming(path, () => readFileWhole(beside, wanted.length));
    if (equalBytes(there, wanted)) return;
  } finally {
    wipe(wanted, there);
  }
  throw new TwinwrapError(
    "FAULT",
    `${path}: what was written reads back otherwise, and was removed`,
  );
}

const octal = (mode: number) => mode.toString(8).padStart(4, "0");

/** Gives a file its owner and mode: those of the file that it replaces, as far as possible. */
function settle({ path, old, mode }: Begun, descriptor: number): void {
  let wanted = mode ?? (old === undefined ? 0o666 & ~process.umask() : PERMISSIONS);
  if (old !== undefined) wanted &= old.mode & keepOwner(path, old, descriptor);
  let refusal: unknown;
  try {
    system.fchmodSync(descriptor, wanted);
  } catch (error) {
    // Some shares have no modes; a device that fails is another matter.
    if (!isSystemError(error, ...NO_MODES)) throw error;
    refusal = error;
  }
  const now = system.fstatSync(descriptor).mode & PERMISSIONS;
  if (now === wanted || process.platform === "win32") return;
  if ((now & ~wanted & 0o077) !== 0) {
    warn(
      `${path} has the mode ${octal(now)}, and its file system does not make it ${octal(wanted)}: others than its owner may have access to it`,
    );
  } else if (refusal !== undefined) {
    warn(`${path} keeps the mode ${octal(now)}: its file system does not make it ${octal(wanted)}`);
  }
}

const NO_MODES = ["EPERM", "EACCES", "EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EROFS"];

/**
 * Gives a file the owner and group of the one that it replaces.
 * @returns the bits of its mode that may stay: if the group is lost, nobody new gets access
 */
function keepOwner(path: string, old: Stats, descriptor: number): number {
  const { uid, gid } = system.fstatSync(descriptor);
  const give = (user: number, group: number) => {
    try {
      system.fchownSync(descriptor, user, group);
      return true;
    } catch (error) {
      if (isSystemError(error, ...NO_MODES)) return false;
      throw error;
    }
  };
  if ((uid === old.uid && gid === old.gid) || give(old.uid, old.gid)) return PERMISSIONS;
  if (uid !== old.uid) warn(`${path} belongs to you now: its owner cannot be kept`);
  if (gid === old.gid || give(uid, old.gid)) return PERMISSIONS;
  const both = (old.mode >> 3) & old.mode & 0o007;
  return 0o700 | (both << 3) | both;
}

/** Writes all of `bytes` at `offset`, or where the last write ended. */
async function writeAll(
  path: string,
  descriptor: number,
  bytes: Uint8Array,
  offset?: number,
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const place = offset === undefined ? null : offset + done;
    const write = () => system.write(descriptor, bytes, done, bytes.length - done, place);
    done += await naming(path, () => whenReady(write));
  }
}

/** Writes all of `bytes` to a regular file, where the last write ended. */
async function writeToFile(path: string, descriptor: number, bytes: Uint8Array): Promise<void> {
  if (bytes.length > AT_ONCE) return writeAll(path, descriptor, bytes);
  await naming(path, () => {
    for (let done = 0; done < bytes.length; ) {
      done += system.writeSync(descriptor, bytes, done, bytes.length - done);
    }
  });
}

/**
 * Writes piece by piece, and gives each back to its source: an envelope's Output uses its memory again,
 * other sources ignore it.
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

function writeContent(path: string, descriptor: number, content: NewFile["content"]) {
  return forEachPiece(content, (piece) => writeAll(path, descriptor, piece));
}

/** Writes to an open file or device, from its present position, and syncs it before it returns. */
export async function writeDescriptor(
  path: string,
  descriptor: number,
  content: NewFile["content"],
): Promise<void> {
  await writeContent(path, descriptor, content);
  try {
    await system.fsync(descriptor);
  } catch (error) {
    // Only a disk can be synced.
    if (!isSystemError(error, ...NO_SYNC)) throw named(error, path);
  }
}

/** Writes to something that takes bytes and is no file. */
async function writeThrough({ path, content }: Place): Promise<void> {
  const own = descriptorOf(path);
  // A file that a shell has opened is written to at its position: opened again, it would begin anew.
  if (own !== undefined && system.fstatSync(own).isFile())
    return writeDescriptor(path, own, content);
  const flags = constants.O_WRONLY | O_NONBLOCK;
  const descriptor = await naming(path, () =>
    // A FIFO has no reader yet.
    whenReady(
      () => system.open(path, flags),
      (error) => isSystemError(error, "EAGAIN") || (isSystemError(error, "ENXIO") && isFifo(path)),
    ),
  );
  if (system.fstatSync(descriptor).isFIFO()) return writeStream(path, descriptor, content);
  try {
    await writeDescriptor(path, descriptor, content);
  } finally {
    await naming(path, () => system.close(descriptor));
  }
}

const isFifo = (path: string) => present(path)?.isFIFO() ?? false;

async function writeStream(
  path: string,
  descriptor: number,
  content: NewFile["content"],
): Promise<void> {
  const stream = new Socket({ fd: descriptor, readable: false, writable: true });
  stream.on("error", () => {}); // the writer gets it
  const done = (act: (settle: (error?: Error | null) => void) => void) =>
    new Promise<void>((resolve, reject) => {
      act((error) => (error ? reject(named(error, path)) : resolve()));
    });
  try {
    await forEachPiece(content, (piece) => done((settle) => stream.write(piece, settle)));
    await done((settle) => stream.end(settle));
  } finally {
    stream.destroy();
  }
}

/** A rename that never replaces: a hard link fails where a name is taken, also by a race. */
function renameNew(from: string, to: string, path: string): void {
  try {
    system.linkSync(from, to);
  } catch (error) {
    if (isSystemError(error, "EEXIST")) throw exists(path);
    // Some file systems have no hard links.
    if (present(to) !== undefined) throw exists(path);
    system.renameSync(from, to);
  }
}

/**
 * Gives all files their names, in one go that no signal interrupts. Old files step aside first, except the
 * first one, which is replaced at once. Killed at any moment, this leaves a first file, old or new, and beside
 * it the files that belong to it, or nothing. Undoes everything on failure.
 */
function putInPlace(begun: readonly Begun[]): void {
  const [first, ...others] = begun;
  const undo: (() => void)[] = [];
  const aside: string[] = [];
  const besideOf = (target: string) => join(dirname(target), temporaryName());
  let path = "";
  try {
    for (const one of others) {
      if (one.old === undefined) continue;
      ({ path } = one);
      const { target } = one;
      const name = besideOf(target);
      system.renameSync(target, name);
      aside.push(name);
      undo.push(() => system.renameSync(name, target));
    }
    if (first?.old !== undefined && others.length > 0) {
      const { target } = first;
      const name = besideOf(target);
      try {
        system.linkSync(target, name);
        aside.push(name);
        undo.push(() => {
          system.renameSync(name, target); // does nothing as long as both are one file
          system.rmSync(name, { force: true });
        });
      } catch {
        // Without hard links the old one can't be kept until all have their names.
      }
    }
    for (const { path: at, beside, target, old, force } of begun) {
      path = at;
      if (force) system.renameSync(beside, target);
      else renameNew(beside, target, at);
      if (old === undefined) undo.push(() => system.unlinkSync(target));
    }
  } catch (error) {
    for (const step of undo.reverse()) {
      try {
        step();
      } catch {
        // A failed call may fail again; the first error is reported.
      }
    }
    throw named(error, path);
  }
  for (const name of aside) {
    try {
      system.unlinkSync(name);
    } catch {
      // The next run removes it.
    }
  }
}

/** Removes the temporary names; a finished file keeps its own. */
function drop({ beside, descriptor, end }: Begun): void {
  try {
    if (descriptor !== undefined) system.closeSync(descriptor);
    // A new file has this name too, until now.
    system.unlinkSync(beside);
  } catch {
    // The next run removes it.
  }
  end();
}

const NO_SYNC = ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EROFS", "EBADF"];
/** The errors of systems that cannot open or sync a folder. */
const NO_FOLDER_SYNC = [...NO_SYNC, "EISDIR", "EACCES", "EPERM"];

/** Syncs of folders: those at work, and those that have not begun. */
const syncing = new Map<string, Promise<void>>();
const waiting = new Map<string, Promise<void>>();

/**
 * Syncs a folder: only then are its entries on disk. A sync that begins after several files got their names is one for
 * all of them.
 */
function syncFolder(folder: string): Promise<void> {
  const present = waiting.get(folder);
  if (present !== undefined) return present;
  const before = syncing.get(folder)?.catch(() => {}); // whoever waits for that one is told
  const next = Promise.resolve(before).then(() => {
    waiting.delete(folder);
    const sync = syncNow(folder).finally(() => syncing.delete(folder));
    syncing.set(folder, sync);
    return sync;
  });
  waiting.set(folder, next);
  return next;
}

/** Systems that cannot do this lose only that. */
async function syncNow(folder: string): Promise<void> {
  try {
    const descriptor = system.openSync(folder, constants.O_RDONLY);
    try {
      await system.fsync(descriptor);
    } finally {
      system.closeSync(descriptor);
    }
  } catch (error) {
    if (!isSystemError(error, ...NO_FOLDER_SYNC)) throw error;
  }
}

/** The same for a new file's name; the file stays if this fails. */
async function keepName(folder: string, path: string): Promise<void> {
  try {
    await syncFolder(folder);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? ` (${cause.code})` : "";
    throw new TwinwrapError(
      "UNAVAILABLE",
      `${path} was written, but the disk failed to keep its folder${code}: it may be gone after a power cut`,
      { cause },
    );
  }
}

/** Syncs every file below a folder, and the folder itself. */
async function syncAll(folder: string): Promise<void> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (isFolderStats(system.lstatSync(path))) await syncAll(path);
    if (!entry.isFile()) continue;
    await naming(path, async () => {
      const descriptor = await system.open(path, "r+");
      try {
        await system.fsync(descriptor);
      } finally {
        await system.close(descriptor);
      }
    });
  }
  await naming(folder, () => syncFolder(folder));
}

/**
 * Makes a folder for its user alone (mode 0700) that appears whole or not at all: filled beside its place, inside
 * one that is marked as unfinished, synced, then renamed. Replaces an empty folder.
 * @throws TwinwrapError CONFLICT if there is anything else already; what `fill` throws
 */
export async function makeFolderWhole(
  path: string,
  fill: (folder: string) => Promise<void>,
): Promise<void> {
  const bare = path.replace(/(?<=.)[\\/]+$/, "");
  // A working folder whose name is no text has no usable name; "." has no place beside it.
  const target = linkTarget(/(^|[\\/])\.{1,2}$/.test(bare) ? resolve(bare) : bare);
  const old = present(target);
  if (old !== undefined && (!isFolderStats(old) || readdirSync(target).length > 0)) {
    throw exists(path);
  }
  const parent = dirname(target);
  removeLeftovers(parent);
  const beside = join(parent, temporaryName());
  const end = beginPath(beside);
  try {
    const whole = join(beside, "whole");
    await naming(path, () => {
      system.mkdirSync(beside, 0o700);
      system.closeSync(system.openSync(markOf(beside), "wx", 0o600));
      system.mkdirSync(whole, 0o700);
    });
    await fill(whole);
    await syncAll(whole);
    try {
      system.renameSync(whole, target);
    } catch (error) {
      throw isSystemError(error, "ENOTEMPTY", "EEXIST") ? exists(path) : named(error, path);
    }
  } finally {
    system.rmSync(beside, { recursive: true, force: true });
    end();
  }
  await keepName(parent, path);
}

/** Whether both names lead to one file. */
export function isSameFile(a: string, b: string): boolean {
  const [one, other] = [a, b].map((path) => {
    try {
      return present(path);
    } catch {
      return undefined;
    }
  });
  if (one === undefined || other === undefined) return resolve(a) === resolve(b);
  return one.dev === other.dev && one.ino === other.ino;
}

/** Writes bytes at a place of a file and has them on disk before it returns. */
export async function patchFile(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const descriptor = await naming(path, () => system.open(path, "r+"));
  try {
    await writeAll(path, descriptor, bytes, offset);
    await naming(path, () => system.fsync(descriptor));
  } finally {
    await naming(path, () => system.close(descriptor));
  }
}
