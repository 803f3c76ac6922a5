import type { Patch } from "../envelope/index.js";

/** A file with other bytes in one place. The rest is not read before it is needed. */
export function patched(file: Blob, { offset, bytes }: Patch): Blob {
  return new Blob([
    file.slice(0, offset),
    bytes as Uint8Array<ArrayBuffer>,
    file.slice(offset + bytes.length),
  ]);
}
