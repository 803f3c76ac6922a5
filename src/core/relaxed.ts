import { concatBytes, fromBase64 } from "../bytes.js";
import { withBodies } from "./bodies.js";
import { damaged, inflate, type Part, unpack } from "./parts.js";

// The relaxed-SIMD build, made of the other one and of what differs: no page carries two cores. Loaded only where an
// engine has relaxed SIMD.

/** Bytes of the result that one piece gives, and bytes of the other build before and behind that place that it refers to. */
const PIECE = 8192;
const AROUND = 10_240;

/** A block of deflate that holds bytes as they are (RFC 1951, section 3.2.4), not the last one. */
function stored(bytes: Uint8Array): Uint8Array[] {
  const { length } = bytes;
  const head = Uint8Array.of(0, length, length >> 8, ~length, ~length >> 8);
  return [head, bytes];
}

/**
 * Unpacks a part that was deflated with the other build's as a dictionary. DecompressionStream takes no dictionaries.
 * So they go through it as well, in front of each piece, and are dropped again.
 */
async function inflateOver(base: Uint8Array, packed: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const view = new DataView(packed.buffer, packed.byteOffset);
  const count = view.getUint8(0);
  let at = 1 + 2 * count;
  const dictionaries: number[] = [];
  const stream: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const dictionary = base.subarray(Math.max(0, i * PIECE - AROUND), (i + 1) * PIECE + AROUND);
    dictionaries.push(dictionary.length);
    const end = at + view.getUint16(1 + 2 * i, true);
    stream.push(...stored(dictionary), packed.subarray(at, end));
    at = end;
  }
  const inflated = await inflate(concatBytes(...stream), "deflate-raw");
  let from = 0;
  return concatBytes(
    ...dictionaries.map((length) => {
      const start = from + length;
      from = start + PIECE;
      return inflated.subarray(start, from);
    }),
  );
}

/** The relaxed-SIMD module that parts make, with what differs in each. @throws TwinwrapError FAULT */
export async function assembleRelaxed(
  parts: readonly Part[],
  differences: readonly { readonly text: string }[],
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const all = await Promise.all(
      parts.map(async (part, i) => {
        return inflateOver(await unpack(part), fromBase64(differences[i]!.text));
      }),
    );
    return all.reduce(withBodies);
  } catch (cause) {
    throw damaged(cause);
  }
}
