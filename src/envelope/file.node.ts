import {
  FileSource,
  patchFile,
  type WriteOptions,
  withLock,
  writeFileWhole,
} from "../files.node.js";
import type { Header } from "./header.js";
import { type OpenOptions, open } from "./open.js";
import { amend, rewrap } from "./rewrap.js";
import { type SealOptions, seal } from "./seal.js";
import { startWorker } from "./worker.node.js";

/** Opens a file for reading, works with it, and closes it whatever happens. */
export async function withFile<T>(
  path: string,
  work: (file: FileSource) => Promise<T>,
): Promise<T> {
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
 * @throws TwinwrapError as {@link seal}, CONFLICT if `output` exists and `force` is not set
 */
export function sealFile(
  input: string,
  output: string,
  options: SealOptions & WriteOptions,
): Promise<Header> {
  return withFile(input, async (file) => {
    const sealed = await seal(file.pieces(), { startWorker, ...options });
    await writeFileWhole(output, sealed, options);
    return sealed.header;
  });
}

/**
 * Opens the sealed file `input` into the file `output`, which appears whole or not at all.
 * @returns the sealed file's header
 * @throws TwinwrapError as {@link open}, CONFLICT if `output` exists and `force` is not set
 */
export function openFile(
  input: string,
  output: string,
  options: OpenOptions & WriteOptions,
): Promise<Header> {
  return withFile(input, async (file) => {
    const opened = await open(file.seekable ? file : file.pieces(), { startWorker, ...options });
    await writeFileWhole(output, opened, options);
    return opened.header;
  });
}

/**
 * Changes the wraps of a sealed file, under its lock. Only the header slot that does not count is
 * written, so the file opens with the old or the new wraps whenever the power goes.
 * @returns "patched", or "rewritten" if the wraps did not fit and the whole file was sealed again
 * @throws TwinwrapError as {@link rewrap}, CONFLICT if somebody else is changing the file
 */
export function rewrapFile(
  path: string,
  change: Parameters<typeof rewrap>[1],
): Promise<"patched" | "rewritten"> {
  return withLock(path, () =>
    withFile(path, async (file) => {
      const { patch, whole } = await rewrap(file, change);
      if (patch !== undefined) {
        await patchFile(path, patch.offset, patch.bytes);
        return "patched";
      }
      await writeFileWhole(path, whole, { force: true, mode: file.mode });
      return "rewritten";
    }),
  );
}

/**
 * Changes what a sealed file's header holds, under its lock and without a key, as {@link amend} does.
 * @returns the header as it was before
 * @throws TwinwrapError as {@link amend}, CONFLICT if somebody else is changing the file
 */
export function amendFile(path: string, change: Parameters<typeof amend>[1]): Promise<Header> {
  return withLock(path, () =>
    withFile(path, async (file) => {
      const { header, patch } = await amend(file, change);
      await patchFile(path, patch.offset, patch.bytes);
      return header;
    }),
  );
}
