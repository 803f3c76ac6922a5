// The service worker twinwrap/download.js. It answers requests for downloads that a page has announced, with
// the pieces that the page sends, and leaves every other request alone. save.browser.ts is the page's side.
// It keeps nothing, and lives as long as a download does.

import type { Announcement, FromPage, FromWorker, Question } from "./download-protocol.js";

/** The parts of a ServiceWorkerGlobalScope used here. */
interface Scope {
  addEventListener(type: "install" | "activate", listener: (event: Lasting) => void): void;
  addEventListener(
    type: "message",
    listener: (event: MessageEvent<Announcement | Question>) => void,
  ): void;
  addEventListener(type: "fetch", listener: (event: Fetching) => void): void;
  skipWaiting(): Promise<void>;
}
interface Lasting {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching {
  request: Request;
  respondWith(response: Response): void;
}
const scope = globalThis as unknown as Scope;

/** Announced, and not asked for yet; by address. */
const announced = new Map<string, { name: string; size: number | undefined; port: MessagePort }>();
/** Addresses that are being answered. A restarted worker knows none. */
const fed = new Set<string>();

scope.addEventListener("install", () => void scope.skipWaiting());

scope.addEventListener("message", ({ data, ports }) => {
  const [port] = ports;
  if (port === undefined) return;
  if ("alive" in data) {
    port.postMessage(fed.has(data.alive));
    port.close();
    return;
  }
  announced.set(data.url, { name: data.name, size: data.size, port });
  const ready: FromWorker = { ready: true };
  port.postMessage(ready);
});

scope.addEventListener("fetch", (event) => {
  const { url } = event.request;
  const download = announced.get(url);
  if (download === undefined) return;
  announced.delete(url);
  fed.add(url);
  const { name, size, port } = download;
  const headers: Record<string, string> = {
    "content-type": "application/octet-stream",
    "content-disposition": `attachment; filename*=UTF-8''${encodeName(name)}`,
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
  };
  if (size !== undefined) headers["content-length"] = String(size);
  event.respondWith(
    new Response(
      receive(port, () => fed.delete(url)),
      { headers },
    ),
  );
});

/** RFC 8187, section 3.2. */
function encodeName(name: string): string {
  return encodeURIComponent(name).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The page's pieces, sent on request one at a time, so that a slow disk slows the page. */
function receive(port: MessagePort, over: () => void): ReadableStream<Uint8Array> {
  const tell = (message: FromWorker) => port.postMessage(message);
  tell({ started: true });
  return new ReadableStream(
    {
      start(controller) {
        port.onmessage = ({ data }: MessageEvent<FromPage>) => {
          if ("piece" in data) controller.enqueue(data.piece);
          else {
            if ("end" in data) controller.close();
            else controller.error(new Error("the page gave the download up"));
            port.close();
            over();
          }
        };
      },
      // Settled by the piece that comes: the stream does not ask again before it has room.
      pull: () => tell({ pull: true }),
      cancel() {
        tell({ cancelled: true });
        over();
      },
    },
    { highWaterMark: 0 },
  );
}
