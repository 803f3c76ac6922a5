import { newBytes, toUtf8, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";

// PEM (RFC 7468) over bytes: a private key never becomes a string, which could not be wiped.

/** One BEGIN … END pair: the label and the bytes between the two lines. */
export interface PemBlock {
  label: string;
  body: Uint8Array;
}

const BEGIN = "-----BEGIN ";
const END = "-----END ";
const DASHES = "-----";
const MAX_LABEL = 64;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const PAD = 0x3d;
const BACKSLASH = 0x5c;

const ALPHABET = toUtf8("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");

function bad(message: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", message);
}

/** Where `text` (ASCII) stands, from `from` on; -1 if nowhere. */
function find(bytes: Uint8Array, text: string, from: number): number {
  for (let at = from; at + text.length <= bytes.length; at++) {
    let i = 0;
    while (i < text.length && bytes[at + i] === text.charCodeAt(i)) i++;
    if (i === text.length) return at;
  }
  return -1;
}

/** Whether there is a BEGIN. */
export function looksLikePem(bytes: Uint8Array): boolean {
  return find(bytes, BEGIN, 0) >= 0;
}

/**
 * All blocks of a PEM file; text around them is passed over (RFC 7468, section 2). BEGIN and END may stand
 * anywhere in a line: people keep PEM indented, in one line, and as a string in YAML or JSON.
 * @throws TwinwrapError BAD_FORMAT if a block does not end
 */
export function pemBlocks(bytes: Uint8Array): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (let at = find(bytes, BEGIN, 0); at >= 0; at = find(bytes, BEGIN, at)) {
    const start = at + BEGIN.length;
    let label = "";
    while (label.length <= MAX_LABEL && !label.endsWith(DASHES)) {
      const byte = bytes[start + label.length];
      if (byte === undefined || byte < 0x20 || byte > 0x7e) throw bad("a broken PEM BEGIN line");
      label += String.fromCharCode(byte);
    }
    if (!label.endsWith(DASHES)) throw bad("a broken PEM BEGIN line");
    at = start + label.length;
    label = label.slice(0, -DASHES.length);
    const end = find(bytes, `${END}${label}${DASHES}`, at);
    if (end < 0) throw bad(`the PEM breaks off: no END ${label} line`);
    blocks.push({ label, body: bytes.subarray(at, end) });
    at = end + END.length + label.length + DASHES.length;
  }
  return blocks;
}

/** Whether a block has encapsulated headers (RFC 1421), as old encrypted keys do. */
export function hasHeaders(body: Uint8Array): boolean {
  return body.includes(0x3a);
}

/** Value of a base64 character; -1 if it is none. */
function sextet(byte: number): number {
  if (byte >= 0x41 && byte <= 0x5a) return byte - 0x41;
  if (byte >= 0x61 && byte <= 0x7a) return byte - 0x61 + 26;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30 + 52;
  return byte === 0x2b ? 62 : byte === 0x2f ? 63 : -1;
}

/**
 * Where a line's end written as in a string ends: "\\n", "\\r", "\\t", with any number of backslashes, or
 * backslashes in front of a line's end itself. `at` if there is none.
 */
function escapeEnd(body: Uint8Array, at: number): number {
  let next = at;
  while (body[next] === BACKSLASH) next++;
  if (next === at) return at;
  const byte = body[next];
  const isEscape = byte === 0x6e || byte === 0x72 || byte === 0x74;
  return isEscape || byte === NEWLINE || byte === RETURN ? next + 1 : at;
}

/**
 * The bytes that a block's body holds (the caller wipes them if they are secret).
 * @throws TwinwrapError BAD_FORMAT unless it is padded base64, white space aside, as it is or as a string
 *   in a program has it
 */
export function decodePemBody(body: Uint8Array): Uint8Array {
  const bytes = newBytes(Math.ceil(body.length / 4) * 3);
  let length = 0;
  let buffer = 0;
  let characters = 0;
  let padding = 0;
  for (let at = 0; at < body.length; ) {
    const next = escapeEnd(body, at);
    if (next > at) {
      at = next;
      continue;
    }
    const byte = body[at++]!;
    if (byte === 0x20 || (byte >= 0x09 && byte <= RETURN)) continue;
    const value = sextet(byte);
    if (byte === PAD) padding++;
    if (value < 0 ? byte !== PAD : padding > 0) {
      wipe(bytes);
      throw bad("the PEM holds something that is not base64");
    }
    buffer = (buffer << 6) | Math.max(value, 0);
    if (++characters % 4 === 0) {
      bytes[length++] = buffer >> 16;
      bytes[length++] = buffer >> 8;
      bytes[length++] = buffer;
      buffer = 0;
    }
  }
  // What the padding stands for must be there and be zero.
  const end = length - padding;
  const zeros = bytes.subarray(Math.max(end, 0), length).every((byte) => byte === 0);
  if (characters % 4 !== 0 || padding > 2 || end <= 0 || !zeros) {
    wipe(bytes);
    throw bad("the PEM's base64 is cut or badly padded");
  }
  return bytes.subarray(0, end);
}

/** A PEM file of one block, in lines of 64 characters. */
export function encodePem(label: string, der: Uint8Array): Uint8Array<ArrayBuffer> {
  const characters = Math.ceil(der.length / 3) * 4;
  const head = toUtf8(`${BEGIN}${label}${DASHES}\n`);
  const foot = toUtf8(`${END}${label}${DASHES}\n`);
  const lines = Math.ceil(characters / 64);
  const pem = newBytes(head.length + characters + lines + foot.length);
  pem.set(head);
  let at = head.length;
  for (let i = 0; i < der.length; i += 3) {
    const group = (der[i]! << 16) | ((der[i + 1] ?? 0) << 8) | (der[i + 2] ?? 0);
    for (let shift = 18; shift >= 0; shift -= 6) pem[at++] = ALPHABET[(group >> shift) & 63]!;
    if (i + 1 >= der.length) pem[at - 2] = PAD;
    if (i + 2 >= der.length) pem[at - 1] = PAD;
    if (i % 48 === 45 || i + 3 >= der.length) pem[at++] = NEWLINE;
  }
  pem.set(foot, at);
  return pem;
}
