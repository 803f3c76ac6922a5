import { type Bytes, needStableBytes } from "../arguments.js";
import { fromBase64, fromHex } from "../bytes.js";
import { TwinwrapError } from "../errors.js";

// Blobs as text, as programs print, databases keep and people mail them. They pass through strings.

/** How bytes were written as text. */
export type TextEncoding = "hexadecimal" | "base64";

/** What a text of bytes held. */
export interface DecodedText {
  encoding: TextEncoding;
  bytes: Uint8Array;
}

/** White space and a byte order mark; in hexadecimal also what tools put between the bytes. */
const SPACE = /\s+/g;
const BETWEEN_BYTES = /[\s:,-]+/g;

/**
 * The bytes that a text stands for: hexadecimal (a `0x` before it, and `-`, `:` or `,` between the bytes, are
 * passed over) or base64 with its padding; white space may stand anywhere.
 * @returns undefined if it is neither
 * @throws TwinwrapError BAD_ARGUMENT, also for a string: encode it
 */
export function decodeBlobText(file: Bytes): DecodedText | undefined {
  const text = needStableBytes(file, "the text");
  if (text.some((byte, i) => byte >= 0x80 && i > 2)) return undefined;
  const all = new TextDecoder("utf-8", { ignoreBOM: true }).decode(text);
  const digits = all.replace(BETWEEN_BYTES, "").replace(/^0x/i, "");
  return (
    decode("hexadecimal", () => fromHex(digits)) ??
    decode("base64", () => fromBase64(all.replace(SPACE, "")))
  );
}

function decode(encoding: TextEncoding, work: () => Uint8Array): DecodedText | undefined {
  try {
    const bytes = work();
    return bytes.length === 0 ? undefined : { encoding, bytes };
  } catch (error) {
    if (error instanceof TwinwrapError && error.code === "BAD_FORMAT") return undefined;
    throw error;
  }
}
