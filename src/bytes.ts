import { TwinwrapError } from "./errors.js";

/**
 * A fresh array of `length` bytes with a buffer of its own: secrets must never stand in a pooled
 * buffer, where wiping them could miss a copy or clear a neighbour.
 */
export function newBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/** A copy of `bytes` with a buffer of its own. */
export function copyBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = newBytes(bytes.length);
  copy.set(bytes);
  return copy;
}

/** `parts` one after the other, in a buffer of their own. */
export function concatBytes(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = newBytes(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A big-endian number without its leading zeros, as a view; zero stays one byte. */
export function withoutLeadingZeros(number: Uint8Array): Uint8Array {
  let start = 0;
  while (start < number.length - 1 && number[start] === 0) start++;
  return number.subarray(start);
}

/** Overwrites what held secrets. Takes `undefined` so that `finally` blocks stay short. */
export function wipe(...secrets: (Uint8Array | undefined)[]): void {
  for (const secret of secrets) secret?.fill(0);
}

/** A closed end of a channel: what is sent there is gone at once. */
let nowhere: { postMessage(message: unknown, transfer: ArrayBufferLike[]): void } | undefined;

/**
 * Frees an array of the platform's at once: thousands of them would wait for the garbage collector, and cost a quarter
 * more time.
 */
export function free({ buffer, byteLength }: Uint8Array<ArrayBuffer>): void {
  // Another engine may give out a part of an array that others have parts of.
  if (buffer.byteLength !== byteLength) return;
  const { transfer } = buffer as ArrayBuffer & { transfer?(length: number): ArrayBuffer };
  if (transfer !== undefined) {
    transfer.call(buffer, 0);
    return;
  }
  // Before Node 21 and Chrome 114.
  if (nowhere === undefined) {
    const { port1 } = new MessageChannel();
    port1.close();
    nowhere = port1;
  }
  nowhere.postMessage(undefined, [buffer]);
}

/**
 * Whether two byte strings are the same, looking at every byte. For public ones: if one of them was computed
 * from a secret, use `core.equal`, whose time does not depend on it.
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** `length` random bytes from the platform's generator (any length). */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = newBytes(length);
  // getRandomValues takes at most 65,536 bytes a call (WebCrypto, section 10.1.1).
  for (let at = 0; at < length; at += 65536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65536, length)));
  }
  return bytes;
}

const HEX = /^(?:[0-9a-f]{2})*$/i;

/** Bytes as lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += (byte + 256).toString(16).slice(1);
  return text;
}

/** @throws TwinwrapError BAD_FORMAT if `text` is not whole bytes in hexadecimal */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (!HEX.test(text)) throw new TwinwrapError("BAD_FORMAT", "not a hexadecimal string");
  const bytes = newBytes(text.length / 2);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text as UTF-8. */
export function toUtf8(text: string): Uint8Array<ArrayBuffer> {
  return copyBytes(encoder.encode(text));
}

/** @throws TwinwrapError BAD_FORMAT if `bytes` are not well-formed UTF-8; a BOM stays in the text */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    // If the engine itself fails, this fails too, and says why.
    decoder.decode(new Uint8Array(0));
    throw new TwinwrapError("BAD_FORMAT", "not well-formed UTF-8");
  }
}

/**
 * Whether `text` has no half of a surrogate pair, which UTF-8 can't say. String.prototype.isWellFormed knows at once,
 * but is younger than the oldest browsers that the library runs in.
 */
export function isWellFormed(text: string): boolean {
  const { isWellFormed } = text as { isWellFormed?: () => boolean };
  return isWellFormed?.call(text) ?? !/\p{Surrogate}/u.test(text);
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64URL = `${BASE64.slice(0, 62)}-_`;
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/** Bytes in groups of `bits` bits (RFC 4648), most significant first, zero bits at the end. */
function encodeBits(bytes: Uint8Array, alphabet: string, bits: number): string {
  let text = "";
  let buffer = 0;
  let held = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    held += 8;
    while (held >= bits) {
      held -= bits;
      text += alphabet[(buffer >> held) & ((1 << bits) - 1)];
    }
    buffer &= (1 << held) - 1;
  }
  if (held > 0) text += alphabet[(buffer << (bits - held)) & ((1 << bits) - 1)];
  return text;
}

/** Stands for a character that an alphabet does not have. */
const NONE = 255;
const known = new Map<string, Uint8Array>();

/** The values of an alphabet's characters, by their codes. */
function valuesIn(alphabet: string): Uint8Array {
  let values = known.get(alphabet);
  if (values === undefined) {
    values = newBytes(128).fill(NONE);
    for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;
    known.set(alphabet, values);
  }
  return values;
}

/** The opposite; refuses a foreign character, a wrong length and trailing bits that are not 0. */
function decodeBits(
  text: string,
  alphabet: string,
  bits: number,
  what: string,
): Uint8Array<ArrayBuffer> {
  const bytes = newBytes(Math.floor((text.length * bits) / 8));
  const values = valuesIn(alphabet);
  let buffer = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const value = values[text.charCodeAt(i)] ?? NONE;
    if (value === NONE) throw new TwinwrapError("BAD_FORMAT", `not ${what}`);
    buffer = ((buffer << bits) | value) & 0xffff;
    held += bits;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = buffer >> held;
      buffer &= (1 << held) - 1;
    }
  }
  if (held >= bits || buffer !== 0) throw new TwinwrapError("BAD_FORMAT", `not ${what}`);
  return bytes;
}

/** RFC 4648 section 4, with padding: PEM and embedded WebAssembly. */
export function toBase64(bytes: Uint8Array): string {
  const text = encodeBits(bytes, BASE64, 6);
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}

/** @throws TwinwrapError BAD_FORMAT unless `text` is strict, padded base64 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 4 !== 0) throw new TwinwrapError("BAD_FORMAT", "not base64");
  return decodeBits(text.replace(/={1,2}$/, ""), BASE64, 6, "base64");
}

/** RFC 4648 section 5, without padding: binary in JSON. */
export function toBase64Url(bytes: Uint8Array): string {
  return encodeBits(bytes, BASE64URL, 6);
}

/** @throws TwinwrapError BAD_FORMAT unless `text` is unpadded base64url with zero trailing bits */
export function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return decodeBits(text, BASE64URL, 6, "unpadded base64url");
}

/** RFC 4648 section 6 in lower case, without padding: serials as people read them. */
export function toBase32(bytes: Uint8Array): string {
  return encodeBits(bytes, BASE32, 5);
}

/** @throws TwinwrapError BAD_FORMAT unless `text` is unpadded base32 in lower case */
export function fromBase32(text: string): Uint8Array<ArrayBuffer> {
  return decodeBits(text, BASE32, 5, "base32");
}
