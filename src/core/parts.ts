import { concatBytes, fromBase64 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";

// The embedded copy of the core comes in parts, so that a page carries no more of it than it uses. The first part is
// the whole module in which some functions are missing: `unreachable` stands for each of them. Every further part has
// the bodies of some, or of all. Together they are byte for byte the file that the build made and that the tests saw.

/** One part, deflated (RFC 1950, which older browsers know) and in base64. */
export interface Part {
  readonly text: string;
  /** The same part of the relaxed-SIMD build, as what differs from this one; a file of its own. */
  readonly relaxed?: () => Promise<{ readonly text: string }>;
}

/** Inflates. Does without Blob and Response, which a page may have replaced. */
export async function inflate(
  packed: Uint8Array<ArrayBuffer>,
  format: "deflate" | "deflate-raw" = "deflate",
): Promise<Uint8Array<ArrayBuffer>> {
  const { readable, writable } = new DecompressionStream(format);
  const writer = writable.getWriter();
  const reader = (readable as ReadableStream<Uint8Array>).getReader();
  const parts: Uint8Array[] = [];
  const written = Promise.all([writer.write(packed), writer.close()]);
  // Reading meets the same error.
  written.catch(() => {});
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concatBytes(...parts);
    parts.push(value);
  }
}

/** The error of a copy that is not what the build embedded. */
export function damaged(cause: unknown): TwinwrapError {
  const message = "the embedded copy of the core is damaged: install or bundle it again";
  return new TwinwrapError("FAULT", message, { cause });
}

/** A part's bytes. @throws TwinwrapError FAULT */
export async function unpack({ text }: Part): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await inflate(fromBase64(text));
  } catch (cause) {
    throw damaged(cause);
  }
}
