import { concatBytes } from "../bytes.js";
import { type Part, unpack } from "./parts.js";

/** WebAssembly's id of the section with the bodies of functions. */
const CODE = 10;
/** Bytes of a body that is missing: no locals, `unreachable`, `end`. No other body is as long (the build sees to it). */
const MISSING = 3;

/** Reads WebAssembly's numbers (LEB128) and what they count. */
class Cursor {
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  number(): number {
    let value = 0;
    let unit = 1;
    let byte: number;
    do {
      byte = this.#bytes[this.at++]!;
      value += (byte & 0x7f) * unit;
      unit *= 128;
    } while (byte > 0x7f);
    return value;
  }

  /** The next body with the number that tells its length. */
  body(): { length: number; bytes: Uint8Array } {
    const start = this.at;
    const length = this.number();
    this.at += length;
    return { length, bytes: this.#bytes.subarray(start, this.at) };
  }
}

/**
 * Puts the next bodies of a further part in the places of those that are missing.
 * @param more the length of the new code section, as it stands in a module, and the bodies
 */
export function withBodies(module: Uint8Array, more: Uint8Array): Uint8Array<ArrayBuffer> {
  const from = new Cursor(module, 8);
  const added = new Cursor(more, 0);
  added.number();
  while (module[from.at++] !== CODE) from.body();
  const parts = [module.subarray(0, from.at), more.subarray(0, added.at)];
  from.number();
  const start = from.at;
  let count = from.number();
  parts.push(module.subarray(start, from.at));
  for (; count > 0; count--) {
    const { length, bytes } = from.body();
    parts.push(length === MISSING ? added.body().bytes : bytes);
  }
  return concatBytes(...parts, module.subarray(from.at));
}

/** The module that parts make. @throws TwinwrapError FAULT */
export async function assemble(parts: readonly Part[]): Promise<Uint8Array<ArrayBuffer>> {
  const all = await Promise.all(parts.map(unpack));
  return all.reduce(withBodies);
}
