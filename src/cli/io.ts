import { basename, dirname } from "node:path";
import { isAuthorityPart } from "../authority/folder.js";
import { decodeBlobText, describeBlob, type TextEncoding } from "../blob/index.js";
import { wipe } from "../bytes.js";
import { isFolderStats, present } from "../calls.node.js";
import { withFile } from "../envelope/file.node.js";
import { TwinwrapError } from "../errors.js";
import {
  collectPieces,
  descriptorOf,
  type FileSource,
  isSameFile,
  linkTarget,
  type NewFile,
  removeLeftovers,
  writeFilesWhole,
} from "../files.node.js";
import { type OutputOptions, UsageError } from "./command.js";
import { STANDARD, showProgress, standardInput, writeStandard } from "./standard.js";

export { hint, print, STANDARD, warn } from "./standard.js";
export { outputText, Report, tell } from "./tell.js";

/** An input of a command: it gives bytes in order, and from any place if it is `seekable`. */
export type Input = Pick<FileSource, "seekable" | "size" | "read" | "pieces">;

const READ_ONCE = "standard input can be read only once: let only one input be -";
let isStandardRead = false;

/** Whether an input can be read only once. A file that standard input was redirected from can be opened again. */
function isStandard(path: string): boolean {
  return path === STANDARD || (descriptorOf(path) === 0 && !present(path)?.isFile());
}

/** Opens the input, works with it and closes it. @throws UsageError if it is standard input again */
export async function withInput<T>(path: string, work: (file: Input) => Promise<T>): Promise<T> {
  if (!isStandard(path)) return withFile(path, work);
  if (isStandardRead) throw new UsageError(READ_ONCE);
  isStandardRead = true;
  const { pieces, close } = standardInput();
  const input: Input = {
    seekable: false,
    size: 0,
    read: () => Promise.reject(new UsageError("standard input cannot be read at any place")),
    pieces: () => pieces,
  };
  return work(input).finally(close);
}

/** Refuses `-` for a file that is changed in place. @throws UsageError */
export function checkInPlace(path: string): void {
  if (path === STANDARD) {
    throw new UsageError("a file is changed in its place: give its name, not -");
  }
}

/** The whole of a small file or of standard input. */
export function readSmall(path: string, limit = 1 << 16): Promise<Uint8Array> {
  return withInput(path, (file) => collectPieces(path, file.pieces(), limit));
}

/** Reads a blob: bytes, or a text in hexadecimal or base64. */
export async function readBlobFile(
  path: string,
): Promise<{ bytes: Uint8Array; text: TextEncoding | undefined }> {
  const bytes = await readSmall(path);
  const decoded = decodeBlobText(bytes);
  // Other files may look like such a text: those stay as they are, so that the message says what they are.
  if (decoded === undefined || describeBlob(decoded.bytes).kind === undefined) {
    wipe(decoded?.bytes);
    return { bytes, text: undefined };
  }
  wipe(bytes);
  return { bytes: decoded.bytes, text: decoded.encoding };
}

/** Options that name files which a command reads: no output may replace these. */
export interface ReadOptions {
  key?: string | readonly string[] | undefined;
  passphraseFile?: string | undefined;
  authorityPassphraseFile?: string | undefined;
}

/**
 * Checks, before any work is done, that the output can be written and is none of the inputs. Removes what a killed
 * run left beside it.
 * @param named every file that is read, besides those that the options name
 * @throws UsageError; TwinwrapError CONFLICT if the file exists and --force is not given
 */
export async function checkOutput(
  named: readonly string[],
  output: string,
  options: OutputOptions & ReadOptions,
): Promise<void> {
  const { key, passphraseFile, authorityPassphraseFile } = options;
  const keys = typeof key === "string" ? [key] : (key ?? []);
  const secret = [passphraseFile, authorityPassphraseFile].filter((path) => path !== undefined);
  const inputs = [...named, ...keys, ...secret];
  if (inputs.filter((input) => input === STANDARD).length > 1) {
    throw new UsageError(READ_ONCE);
  }
  if (output === STANDARD) {
    if (process.stdout.isTTY && options.output !== STANDARD) {
      throw new UsageError(
        "this is binary data: give -o FILE, or -o - to have it on the terminal all the same",
      );
    }
    return;
  }
  if (basename(output) === "") throw new UsageError(`${output} is no name for a file`);
  if (descriptorOf(output) !== undefined) return; // the shell has opened it
  const target = linkTarget(output);
  removeLeftovers(dirname(target));
  const there = present(output);
  for (const input of inputs) {
    // What is not there yet can only be an input by its name.
    const isIt = there === undefined ? input === output : isSameFile(input, output);
    if (input !== STANDARD && isIt) {
      throw new UsageError(`the output ${output} is the input: nothing was written`);
    }
  }
  if (isAuthorityPart(target)) {
    throw new UsageError(`${output} is a part of an authority: nothing was written`);
  }
  if (isFolderStats(there)) throw new UsageError(`${output} is a folder`);
  if (there?.isFile() && !options.force) {
    throw new TwinwrapError("CONFLICT", `${output} exists already; --force replaces it`);
  }
}

/** Writes what a command makes to the output that was checked for it. @param mode permissions of a file */
export type Write = (content: NewFile["content"], mode?: number) => Promise<void>;

/**
 * Checks the output of a command, as {@link checkOutput}, before the work is done.
 * @param output undefined: nothing is to be written
 * @returns what writes it afterwards: a file whole or not at all, standard output as the bytes come
 */
export async function outputFor(
  named: readonly string[],
  output: string | undefined,
  options: OutputOptions & ReadOptions,
): Promise<Write> {
  if (output === undefined) return async () => {};
  await checkOutput(named, output, options);
  const { force } = options;
  return (content, mode) => writeFiles([{ path: output, content, force, mode }]);
}

/** Writes files that belong together: each whole, and all or none. Standard output can only be the only one. */
export async function writeFiles(files: readonly NewFile[]): Promise<void> {
  const [first] = files;
  if (first?.path === STANDARD) return writeStandard(first.content);
  try {
    await writeFilesWhole(files);
  } catch (error) {
    // The error is about this file, whatever else it is told with.
    const file = files.find(({ path }) => (error as Error).message.startsWith(path));
    if (error instanceof TwinwrapError && file !== undefined) {
      Object.assign(error, { path: file.path });
    }
    throw error;
  }
}

/** Work that ends within so many milliseconds of its first bytes shows no progress. */
const SOON = 500;

/** What is done by now, over all files of a command. */
const progressed = { files: 0, bytes: 0, next: undefined as number | undefined };

/** Shows how far the work is, over all files together; undefined where there is no terminal. */
export function progress(verb: string): ((bytes: number) => void) | undefined {
  if (!process.stderr.isTTY) return undefined;
  progressed.files++;
  let mine = 0;
  return (bytes) => {
    progressed.bytes += bytes - mine;
    mine = bytes;
    const now = Date.now();
    progressed.next ??= now + SOON;
    if (now < progressed.next) return;
    progressed.next = now + 100;
    const { files } = progressed;
    const size = `${(progressed.bytes / 2 ** 20).toFixed(0)} MiB`;
    showProgress(`${verb} ${files === 1 ? size : `${size}, ${files} files`}`);
  };
}
