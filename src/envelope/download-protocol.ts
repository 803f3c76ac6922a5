// What a page and the service worker twinwrap/download.js say to each other.

/** With a port: announces that the browser will ask for this address. */
export interface Announcement {
  url: string;
  name: string;
  /** Bytes, if known. */
  size: number | undefined;
}

/** With a port for the answer: is this download still being fed? It also keeps the worker alive. */
export interface Question {
  alive: string;
}

/** Through the port of the announcement. */
export type FromPage = { piece: Uint8Array<ArrayBuffer> } | { end: true } | { failed: true };
export type FromWorker =
  /** It was announced. */
  | { ready: true }
  /** It was asked for. */
  | { started: true }
  | { pull: true }
  | { cancelled: true };
