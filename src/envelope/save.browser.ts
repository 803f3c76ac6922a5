import { TwinwrapError } from "../errors.js";
import type { Announcement, FromPage, FromWorker } from "./download-protocol.js";
import type { Pieces } from "./segments.js";
import { Output, pieces } from "./source.js";

/**
 * How an output was saved: "picker": written to the file that its user chose (File System Access);
 * "stream": as a download, piece by piece; "blob": as a download once it was whole.
 */
export type SavedBy = "picker" | "stream" | "blob";

export interface SaveOptions {
  /** The name that is proposed. */
  name: string;
  /**
   * Where the page serves twinwrap/download.js, a service worker: it makes downloads of any size where
   * there is no File System Access (Firefox, Safari). Without it they are gathered in a Blob first. A
   * Content-Security-Policy has to allow it: `worker-src 'self'; frame-src 'self'`.
   */
  downloadUrl?: string | URL | undefined;
  /** false: never asks for a place, but downloads to where the browser puts its downloads. */
  picker?: boolean | undefined;
  /** The most bytes that are gathered in a Blob; 2 GiB by default. Browsers keep Blobs in memory or on disk. */
  blobLimit?: number | undefined;
}

/** The most that every browser takes in one Blob. */
const BLOB_LIMIT = 2 ** 31;

/** Milliseconds between signs of life: browsers end a service worker after 30 seconds without an event. */
const KEEP_ALIVE = 10_000;

/** Milliseconds in which a service worker must have answered. */
const READY_WITHIN = 5_000;

/** What of File System Access is used here; TypeScript's DOM has no picker. */
type Picker = (options: {
  suggestedName: string;
}) => Promise<FileSystemFileHandle & { remove?(): Promise<void> }>;

/**
 * Saves an output to its user's disk: whole, or not at all. To be called when the user clicks on
 * something, without an `await` before it: browsers let a page open a picker only then. So it takes the
 * promises that `seal` and `open` return, and Blobs.
 *
 *     await save(open(file, { key }), { name: "report.pdf" });
 *
 * @throws TwinwrapError ABORTED if the user closes the picker or cancels the download, LIMIT_EXCEEDED if a
 *   Blob would be too large; and what the output throws, in which case no file is left
 */
export async function save(
  output: Output | Blob | Promise<Output>,
  options: SaveOptions,
): Promise<SavedBy> {
  const { showSaveFilePicker } = globalThis as { showSaveFilePicker?: Picker };
  const picker = options.picker === false ? undefined : showSaveFilePicker;
  if (output instanceof Blob && picker === undefined) {
    downloadBlob(output, options.name);
    return "blob";
  }
  // Should it fail while somebody chooses a place: that is thrown below.
  const made = Promise.resolve(output instanceof Blob ? outputOf(output) : output);
  made.catch(() => {});
  let target: Target;
  try {
    target =
      picker === undefined
        ? ((await download(options, made)) ?? gather(options))
        : await pick(picker, options.name);
  } catch (error) {
    // What nobody will take wipes its keys.
    await made.then((output) => output.stream().cancel()).catch(() => {});
    throw error;
  }
  const pieces = (await made.catch((error) => target.abort().then(() => Promise.reject(error))))[
    Symbol.asyncIterator
  ]();
  try {
    await pour(pieces, target);
  } catch (error) {
    await pieces.return(undefined);
    await target.abort().catch(() => {});
    throw error;
  }
  return target.by;
}

/** Where pieces go. */
interface Target {
  by: SavedBy;
  write(piece: Uint8Array<ArrayBuffer>): Promise<void>;
  close(): Promise<void>;
  /** Leaves no file. */
  abort(): Promise<void>;
}

async function pour(pieces: Pieces, target: Target): Promise<void> {
  for (;;) {
    const { done, value } = await pieces.next();
    if (done) break;
    await target.write(value);
  }
  await target.close();
}

function aborted(message: string, cause?: unknown): TwinwrapError {
  return new TwinwrapError("ABORTED", message, { cause });
}

/** The file that the user chooses: replaced when all of it is there. */
async function pick(picker: Picker, name: string): Promise<Target> {
  let handle: Awaited<ReturnType<Picker>>;
  try {
    handle = await picker({ suggestedName: name });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw aborted("no place was chosen", error);
    throw error;
  }
  // The picker has made an empty file where there was none.
  const isNew = (await handle.getFile()).size === 0;
  const writable = await handle.createWritable();
  return {
    by: "picker",
    write: (piece) => writable.write(piece),
    close: () => writable.close(),
    async abort() {
      await writable.abort().catch(() => {});
      if (isNew) await handle.remove?.();
    },
  };
}

/** A download that a service worker feeds; undefined where there can be none. */
async function download(
  { downloadUrl, name }: SaveOptions,
  made: Promise<Output & { size?: number | undefined }>,
): Promise<Target | undefined> {
  const container = globalThis.navigator?.serviceWorker;
  if (downloadUrl === undefined || container === undefined) return undefined;
  const script = new URL(downloadUrl, document.baseURI);
  let worker: ServiceWorker;
  try {
    worker = await activeWorker(await container.register(script));
  } catch {
    return undefined; // not served, or not allowed: a Blob does it
  }
  const { size } = await made;
  const url = new URL(
    `twinwrap-download/${crypto.getRandomValues(new Uint32Array(4)).join("-")}`,
    script,
  ).href;
  const { port1: port, port2 } = new MessageChannel();
  const announcement: Announcement = { url, name, size };
  const told = listen(port);
  worker.postMessage(announcement, [port2]);
  if (!(await told.ready)) return undefined;
  const alive = setInterval(() => worker.postMessage({}), KEEP_ALIVE);
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.src = url;
  document.body.append(frame);
  const send = (message: FromPage, transfer: Transferable[] = []) =>
    port.postMessage(message, transfer);
  const end = (message: FromPage) => {
    send(message);
    clearInterval(alive);
    // The browser has taken the download out of the frame by then.
    setTimeout(() => frame.remove(), KEEP_ALIVE);
  };
  return {
    by: "stream",
    async write(piece) {
      await told.pulled();
      const whole = piece.byteLength === piece.buffer.byteLength ? piece : piece.slice();
      send({ piece: whole }, [whole.buffer]);
    },
    async close() {
      // Asked for once more, it has all that came before.
      await told.pulled();
      end({ end: true });
    },
    async abort() {
      end({ failed: true });
    },
  };
}

/** The service worker once it can be talked to. */
async function activeWorker(registration: ServiceWorkerRegistration): Promise<ServiceWorker> {
  const worker = registration.installing ?? registration.waiting ?? registration.active!;
  if (worker.state !== "activated") {
    await new Promise<void>((resolve, reject) => {
      worker.addEventListener("statechange", () => {
        if (worker.state === "activated") resolve();
        else if (worker.state === "redundant") reject(new Error("the worker was refused"));
      });
    });
  }
  return worker;
}

/** What comes through a port. */
function listen(port: MessagePort) {
  let wanted = 0;
  let wake = () => {};
  let cancelled = false;
  let answer = (_: boolean) => {};
  const ready = new Promise<boolean>((resolve) => {
    answer = resolve;
    setTimeout(resolve, READY_WITHIN, false);
  });
  port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if ("ready" in data) answer(true);
    else if ("pull" in data) wanted++;
    else cancelled = true;
    wake();
  };
  return {
    ready,
    /** Until a piece is wanted. @throws TwinwrapError ABORTED if the download was cancelled */
    async pulled(): Promise<void> {
      while (wanted === 0 && !cancelled) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (cancelled) throw aborted("the download was cancelled");
      wanted--;
    },
  };
}

/** A Blob that is downloaded once it is whole. */
function gather({ name, blobLimit = BLOB_LIMIT }: SaveOptions): Target {
  let parts: BlobPart[] = [];
  let length = 0;
  return {
    by: "blob",
    async write(piece) {
      length += piece.length;
      if (length > blobLimit) {
        throw new TwinwrapError(
          "LIMIT_EXCEEDED",
          `this browser would have to keep the whole file, and ${blobLimit} bytes are the most that it is trusted with; use one with File System Access (Chrome, Edge), or give the page a downloadUrl`,
        );
      }
      parts.push(piece);
    },
    async close() {
      downloadBlob(new Blob(parts), name);
    },
    async abort() {
      parts = [];
    },
  };
}

/** What is whole already, for a writer. */
function outputOf(blob: Blob): Output {
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
  setTimeout(() => URL.revokeObjectURL(link.href), KEEP_ALIVE);
}
