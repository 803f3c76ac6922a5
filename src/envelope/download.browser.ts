import { TwinwrapError } from "../errors.js";
import type { Output } from "../source.js";
import type { Announcement, FromPage, FromWorker, Question } from "./download-protocol.js";

// The page's side of a download that the service worker twinwrap/download.js (download-worker.ts) feeds.

/** Milliseconds between signs of life: browsers end a service worker after 30 seconds without an event. */
const KEEP_ALIVE = 5_000;

/** Milliseconds for which a finished page still keeps what the browser may be about to take. */
export const LINGER = 10_000;

/** Milliseconds in which a service worker must have answered. */
const READY_WITHIN = 5_000;

/**
 * How an output was saved. "picker": written to the file that the user chose (File System Access);
 * "stream": as a download, piece by piece; "blob": as a download once it was whole.
 */
export type SavedBy = "picker" | "stream" | "blob";

/** Where pieces go. */
export interface Destination {
  by: SavedBy;
  write(piece: Uint8Array<ArrayBuffer>): Promise<void>;
  close(): Promise<void>;
  /** Leaves no file. */
  abort(): Promise<void>;
}

/** The error of a save that the user stopped. */
export function aborted(message: string, cause?: unknown): TwinwrapError {
  return new TwinwrapError("ABORTED", message, { cause });
}

/** A download that a service worker feeds; undefined where there can be none. */
export async function download(
  { downloadUrl, name }: { downloadUrl?: string | URL | undefined; name: string },
  made: Promise<Output & { size?: number | undefined }>,
): Promise<Destination | undefined> {
  const container = globalThis.navigator?.serviceWorker;
  if (downloadUrl === undefined || container === undefined) return undefined;
  const script = new URL(downloadUrl, document.baseURI);
  let worker: ServiceWorker;
  try {
    worker = await activeWorker(await container.register(script));
  } catch {
    return undefined; // not served, or not allowed: a Blob serves instead
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
  if (!(await within(told.ready))) return undefined;
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.src = url;
  document.body.append(frame);
  const send = (message: FromPage, transfer: Transferable[] = []) =>
    port.postMessage(message, transfer);
  if (!(await within(told.started))) {
    // The policy forbids frames, or another worker answers at this address.
    send({ failed: true });
    frame.remove();
    return undefined;
  }
  const alive = setInterval(() => askAfter(url, worker, told.lost), KEEP_ALIVE);
  const end = (message: FromPage) => {
    clearInterval(alive);
    send(message);
    // The browser has taken the download out of the frame by then.
    setTimeout(() => frame.remove(), LINGER);
  };
  return {
    by: "stream",
    async write(piece) {
      await told.pulled();
      const whole = piece.byteLength === piece.buffer.byteLength ? piece : piece.slice();
      send({ piece: whole }, [whole.buffer]);
    },
    async close() {
      // By the next request it has everything that came before.
      await told.pulled();
      end({ end: true });
    },
    async abort() {
      end({ failed: true });
    },
  };
}

/** Asks the service worker whether it still knows of a download, which keeps it alive as well. */
function askAfter(url: string, worker: ServiceWorker, lost: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }: MessageEvent<boolean>) => {
    if (!data) lost();
    port1.close();
  };
  const question: Question = { alive: url };
  worker.postMessage(question, [port2]);
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

/** Whether it happens in time. */
function within(happens: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, READY_WITHIN, false);
    happens.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

/** What comes through a port. */
function listen(port: MessagePort) {
  let wanted = 0;
  let failure: TwinwrapError | undefined;
  let wake = () => {};
  let onReady = () => {};
  let onStarted = () => {};
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
  });
  const started = new Promise<void>((resolve) => {
    onStarted = resolve;
  });
  const fail = (error: TwinwrapError) => {
    failure ??= error;
    wake();
  };
  port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if ("ready" in data) onReady();
    else if ("started" in data) onStarted();
    else if ("pull" in data) {
      wanted++;
      wake();
    } else fail(aborted("the download was cancelled"));
  };
  return {
    ready,
    started,
    /** Nobody is left to ask for a piece. */
    lost: () => fail(new TwinwrapError("FAULT", "the browser ended the download's service worker")),
    /** Until a piece is wanted. @throws TwinwrapError ABORTED if the download was cancelled, FAULT if it was lost */
    async pulled(): Promise<void> {
      while (wanted === 0 && failure === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (failure !== undefined) throw failure;
      wanted--;
    },
  };
}
