import { needFlag, needFunction, optionsOf, whole } from "../arguments.js";
import { equalBytes } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import {
  FileSource,
  patchFile,
  type WriteOptions,
  withLock,
  writeFileWhole,
} from "../files.node.js";
import { needPath, withSystemErrors } from "../system.node.js";
import { withWorkers } from "./arguments.js";
import type { Header, Patch } from "./header.js";
import { inspectHead, type OpenOptions, open } from "./open.js";
import type { StartWorker } from "./pools.js";
import { amend, rewrap } from "./rewrap.js";
import { type SealOptions, seal } from "./seal.js";
import { startWorker } from "./worker.node.js";

const WRITING = optionsOf<WriteOptions>({ force: needFlag, mode: whole(0, 0o7777) });
type Starting = { startWorker?: StartWorker | undefined };

/** Options of two kinds in one object: those of writing, and the rest. */
function splitOptions<T extends object>(
  options: T & WriteOptions,
): { writing: WriteOptions; others: T } {
  let rest: T & WriteOptions & Starting;
  try {
    rest = { ...withWorkers(options as T & WriteOptions & Starting, startWorker) };
  } catch {
    return { writing: {}, others: options }; // unreadable options are refused where they are checked
  }
  const writing = WRITING({ force: rest.force, mode: rest.mode }, "options");
  delete rest.force;
  delete rest.mode;
  // Anything but an object is refused as such.
  const isRecord = Object.prototype.toString.call(options) === "[object Object]";
  return { writing, others: isRecord ? rest : options };
}

// The system's errors become TwinwrapErrors, usually UNAVAILABLE, with the system's as their cause.

/**
 * Opens a file for reading, works with it, and closes it whatever happens.
 * @throws TwinwrapError BAD_ARGUMENT, UNAVAILABLE; what `work` throws
 */
export async function withFile<T>(
  path: string,
  work: (file: FileSource) => Promise<T>,
): Promise<T> {
  needFunction(work, "work");
  const file = await FileSource.open(path);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

/**
 * Seals the file `input` into the file `output`, which appears whole or not at all.
 * @returns the new file's header
 * @throws TwinwrapError as {@link seal}; UNAVAILABLE if a file cannot be read or written; CONFLICT if `output` exists and `force` is not set
 */
export async function sealFile(
  input: string,
  output: string,
  options: SealOptions & WriteOptions,
): Promise<Header> {
  const { writing, others } = splitOptions<SealOptions>(options);
  const target = needPath(output, "the output");
  return withFile(needPath(input, "the input"), async (file) => {
    const sealed = await seal(file.pieces(), others);
    const check = checkSealed(sealed.header);
    await withSystemErrors(target, () => writeFileWhole(target, sealed, { ...writing, check }));
    return sealed.header;
  });
}

/** Reads the head of a written file, as every later reader will. */
export function checkSealed({ serial, hash }: Header): (path: string) => Promise<void> {
  return async (path) => {
    const { header } = await withFile(path, (file) => inspectHead(file));
    if (equalBytes(header.serial, serial) && equalBytes(header.hash, hash)) return;
    throw new TwinwrapError("FAULT", "what was written reads back otherwise");
  };
}

/** Writes a header's slot, and reads the file's new head, as every later reader will. */
async function patch(
  path: string,
  file: FileSource,
  before: Header,
  { offset, bytes }: Patch,
): Promise<void> {
  await patchFile(path, offset, bytes);
  const { header } = await inspectHead(file);
  if (header.generation === before.generation + 1) return;
  throw new TwinwrapError("FAULT", `${path}: the header that was written does not count`);
}

/**
 * Opens the sealed file `input` into the file `output`, which appears whole or not at all.
 * @returns the sealed file's header
 * @throws TwinwrapError as {@link open}; UNAVAILABLE if a file cannot be read or written; CONFLICT if `output` exists and `force` is not set
 */
export async function openFile(
  input: string,
  output: string,
  options: OpenOptions & WriteOptions,
): Promise<Header> {
  const { writing, others } = splitOptions<OpenOptions>(options);
  const target = needPath(output, "the output");
  return withFile(needPath(input, "the input"), async (file) => {
    const opened = await open(file.seekable ? file : file.pieces(), others);
    await withSystemErrors(target, () => writeFileWhole(target, opened, writing));
    return opened.header;
  });
}

/**
 * Changes the wraps of a sealed file, under its lock. Only the header slot that does not count is
 * written, so the file opens with the old or the new wraps whenever the power goes.
 * @returns "patched", or "rewritten" if the wraps did not fit and the whole file was sealed again
 * @throws TwinwrapError as {@link rewrap}; UNAVAILABLE; CONFLICT if somebody else is changing the file
 */
export async function rewrapFile(
  path: string,
  change: Parameters<typeof rewrap>[1],
): Promise<"patched" | "rewritten"> {
  needPath(path, "the path");
  return withSystemErrors(path, () =>
    withLock(path, () =>
      withFile(path, async (file) => {
        const { header, patch: slot, whole } = await rewrap(file, change);
        if (slot !== undefined) {
          await patch(path, file, header, slot);
          return "patched";
        }
        await writeFileWhole(path, whole, { force: true, check: checkSealed(whole.header) });
        return "rewritten";
      }),
    ),
  );
}

/**
 * Changes what a sealed file's header holds, under its lock and without a key, as {@link amend} does.
 * @returns the header as it was before
 * @throws TwinwrapError as {@link amend}; UNAVAILABLE; CONFLICT if somebody else is changing the file
 */
export async function amendFile(
  path: string,
  change: Parameters<typeof amend>[1],
): Promise<Header> {
  needPath(path, "the path");
  return withSystemErrors(path, () =>
    withLock(path, () =>
      withFile(path, async (file) => {
        const { header, patch: slot } = await amend(file, change);
        await patch(path, file, header, slot);
        return header;
      }),
    ),
  );
}
