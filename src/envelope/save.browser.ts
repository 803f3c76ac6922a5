import { needFlag, needText, optionsOf, whole, wrongKind } from "../arguments.js";
import { TwinwrapError } from "../errors.js";
import { isBlob, Output, type Pieces, pieces } from "../source.js";
import { aborted, type Destination, download, LINGER, type SavedBy } from "./download.browser.js";
import { needUrl } from "./pools.js";

export interface SaveOptions {
  /** The name that is proposed. */
  name: string;
  /**
   * Where the page serves twinwrap/download.js, a service worker: it makes downloads of any size where
   * there is no File System Access (Firefox, Safari). Without it they are gathered in a Blob first. A
   * Content-Security-Policy has to allow it: `worker-src 'self'; frame-src 'self'`. If it does not, or the
   * script is not there, a Blob is used.
   */
  downloadUrl?: string | URL | undefined;
  /** false: never asks for a place, but downloads to where the browser puts its downloads. */
  picker?: boolean | undefined;
  /** The most bytes that are gathered in a Blob; 2 GiB by default. Browsers keep Blobs in memory or on disk. */
  blobLimit?: number | undefined;
}

const OPTIONS = optionsOf<SaveOptions>(
  { name: needText, downloadUrl: needUrl, picker: needFlag, blobLimit: whole(0) },
  ["name"],
);

/** The most that every browser takes in one Blob. */
const BLOB_LIMIT = 2 ** 31;

/** The parts of File System Access used here; TypeScript's DOM has no picker. */
type Picker = (options: {
  suggestedName: string;
}) => Promise<FileSystemFileHandle & { remove?(): Promise<void> }>;

/**
 * Saves an output to the user's disk: whole, or not at all. Call it when the user clicks on something,
 * without an `await` before it: only then do browsers let a page open a picker. So it takes the promises
 * that `seal` and `open` return, and Blobs.
 *
 *     await save(open(file, { key }), { name: "report.pdf" });
 *
 * @throws TwinwrapError BAD_ARGUMENT; UNSUPPORTED outside pages; ABORTED if the user closes the picker or cancels the download, LIMIT_EXCEEDED if a
 *   Blob would be too large, UNAVAILABLE if the disk is full, FAULT if the service worker was ended; and what
 *   the output throws. No file is left then.
 */
export async function save(
  output: Output | Blob | Promise<Output>,
  given: SaveOptions,
): Promise<SavedBy> {
  const options = OPTIONS(given, "options");
  const isPromise = typeof output === "object" && output !== null && "then" in output;
  if (!isPromise && !isBlob(output)) needOutput(output);
  const { showSaveFilePicker } = globalThis as { showSaveFilePicker?: Picker };
  const picker = options.picker === false ? undefined : showSaveFilePicker;
  if (isBlob(output) && picker === undefined) {
    needPage();
    downloadBlob(output, options.name);
    return "blob";
  }
  // If it fails while the user chooses a place, that is thrown below.
  const made = Promise.resolve(isBlob(output) ? outputOf(output) : output).then(needOutput);
  made.catch(() => {});
  let target: Destination;
  try {
    needPage();
    target =
      (picker && (await pick(picker, options.name))) ??
      (await download(options, made)) ??
      gather(options);
  } catch (error) {
    // An output that nobody will take wipes its keys.
    await made.then((output) => output.stream().cancel()).catch(() => {});
    throw error;
  }
  let pieces: Pieces | undefined;
  try {
    pieces = (await made)[Symbol.asyncIterator]();
    await pour(pieces, target);
  } catch (error) {
    // The target first: removing the file must not wait for a source.
    await target.abort().catch(() => {});
    await pieces?.return(undefined).catch(() => {});
    throw error;
  }
  return target.by;
}

/** @throws TwinwrapError UNSUPPORTED in Node, in workers, and in a page without downloads (jsdom) */
function needPage(): void {
  if (globalThis.document !== undefined && typeof URL.createObjectURL === "function") return;
  const message =
    "only a browser's page can save a file: elsewhere stream(), blob() or bytes() give what is in it";
  throw new TwinwrapError("UNSUPPORTED", message);
}

function needOutput(output: unknown): Output {
  if (output instanceof Output) return output;
  throw wrongKind(output, "the output", "what seal() or open() gives, or a Blob");
}

async function pour(pieces: Pieces, target: Destination): Promise<void> {
  for (let spent: Uint8Array<ArrayBuffer> | undefined; ; ) {
    const { done, value } = await pieces.next(spent);
    if (done) break;
    await target.write(value);
    // New memory for each would cost a third of the time.
    spent = value;
  }
  await target.close();
}

/** The file that the user chooses, replaced when all of it is there; undefined where no picker may open. */
async function pick(picker: Picker, name: string): Promise<Destination | undefined> {
  let handle: Awaited<ReturnType<Picker>>;
  try {
    handle = await picker({ suggestedName: name });
  } catch (error) {
    // Nobody has clicked, or the page is in a foreign frame: this becomes a download.
    if ((error as Error).name === "SecurityError") return undefined;
    if ((error as Error).name === "AbortError") throw aborted("no place was chosen", error);
    throw error;
  }
  const disk = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      const { message, name } = error as Error;
      if (name === "NotAllowedError") throw aborted("leave to write the file was refused", error);
      throw new TwinwrapError("UNAVAILABLE", `the file cannot be written: ${message}`, {
        cause: error,
      });
    }
  };
  // The picker has made an empty file where there was none.
  const isNew = (await disk(handle.getFile())).size === 0;
  const writable = await disk(handle.createWritable());
  return {
    by: "picker",
    write: (piece) => disk(writable.write(piece)),
    close: () => disk(writable.close()),
    async abort() {
      await writable.abort().catch(() => {});
      if (isNew) await handle.remove?.();
    },
  };
}

/** A Blob that is downloaded once it is whole. */
function gather({ name, blobLimit = BLOB_LIMIT }: SaveOptions): Destination {
  let parts: BlobPart[] = [];
  let length = 0;
  return {
    by: "blob",
    async write(piece) {
      length += piece.length;
      if (length > blobLimit) {
        throw new TwinwrapError(
          "LIMIT_EXCEEDED",
          `this browser keeps a file in memory, at most ${blobLimit} bytes: use one with File System Access (Chrome, Edge), or give the page a downloadUrl`,
        );
      }
      // A Blob has a copy of its own: the piece serves again.
      parts.push(new Blob([piece]));
    },
    async close() {
      downloadBlob(new Blob(parts), name);
    },
    async abort() {
      parts = [];
    },
  };
}

/** Bytes that are whole already, for a writer. */
export function outputOf(blob: Blob): Output {
  return new Output(async function* () {
    for await (const piece of pieces(blob)) yield piece as Uint8Array<ArrayBuffer>;
  });
}

function downloadBlob(blob: Blob, name: string): void {
  const link = document.createElement("a");
  // Of no type that a browser would show instead.
  link.href = URL.createObjectURL(new Blob([blob], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), LINGER);
}
