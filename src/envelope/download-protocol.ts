// What a page and the service worker twinwrap/download.js say to each other.

/** With a port: that this address will be asked for. */
export interface Announcement {
  url: string;
  name: string;
  /** Bytes, if known. */
  size: number | undefined;
}

/** Through the port. */
export type FromPage = { piece: Uint8Array<ArrayBuffer> } | { end: true } | { failed: true };
export type FromWorker = { ready: true } | { pull: true } | { cancelled: true };
