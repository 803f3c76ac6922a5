import { type Bytes, bytesOf } from "../arguments.js";
import { concatBytes, equalBytes, newBytes, toBase32, toBase64Url, toUtf8 } from "../bytes.js";
import type { SealingCore } from "../core/sealing.js";
import { overLimit, readBack, TwinwrapError } from "../errors.js";
import { decodeJcs, encodeJcs, formatTime, type Json, Members } from "../jcs.js";

// The header of a sealed file (docs/format.md has the table):
//   preamble ‖ fixed JSON ‖ zeros to a multiple of 4096 ‖ slot A ‖ slot B ‖ body
// The fixed part never changes and is bound into the body. The slots hold what may change; the valid
// one with the higher generation counts, and a change writes only the other one.

/** How the key inside a SIMPLEBLOB is padded; nothing in the blob says which. */
export type Padding = "oaep" | "pkcs1-v1_5";
export const PADDINGS: readonly Padding[] = ["oaep", "pkcs1-v1_5"];
/** What files and messages call them: other algorithms than RSA can stand beside. */
export const ALGS = ["rsa-oaep-sha1", "rsa-pkcs1-v1_5"] as const;

export function algOf(padding: Padding): (typeof ALGS)[number] {
  return ALGS[PADDINGS.indexOf(padding)]!;
}

export function paddingOf(alg: (typeof ALGS)[number]): Padding {
  return PADDINGS[ALGS.indexOf(alg)]!;
}

/** The session key, wrapped for one key pair. */
export interface Wrap {
  /** SHA-256 over the DER SPKI of the key it is wrapped for, 32 bytes. A hint, not authenticated. */
  fingerprint: Uint8Array;
  padding: Padding;
  /** The SIMPLEBLOB as CryptoAPI reads it: 12 + k bytes. */
  simpleBlob: Uint8Array;
  /** Members in a slot that this version does not know: kept as they are. */
  rest?: { [name: string]: Json };
}

/** What was sent to an authority and what it answered; their forms belong to escrow/. */
export interface Escrow {
  submission: Json;
  receipt?: Json | undefined;
  /** As in {@link Wrap}. */
  rest?: { [name: string]: Json };
}

/** What never changes: bound into the body by its hash. */
export interface FixedHeader {
  /** 128 random bits, 16 bytes. */
  serial: Uint8Array;
  /** When it was sealed, in whole seconds. */
  created: Date;
  name?: string | undefined;
  description?: string | undefined;
  /** The origins of the authorities meant at sealing, sorted. */
  escrow: string[];
}

/** What may change. */
export interface MutableHeader {
  wraps: Wrap[];
  escrows: Escrow[];
  /** Members that this version does not know: kept as they are. */
  rest: { [name: string]: Json };
}

/** A whole header. */
export interface Header extends FixedHeader, MutableHeader {
  serial: Uint8Array<ArrayBuffer>;
  /** H: SHA-256 of all bytes up to the end of the fixed JSON, 32 bytes. */
  hash: Uint8Array<ArrayBuffer>;
  /** Grows by one with every change. */
  generation: number;
  /** Which slot counts: 0 is A, 1 is B. */
  slot: 0 | 1;
  /** Bytes of one slot. */
  slotLength: number;
  /** Where slot A begins. */
  slotsOffset: number;
  /** Where the body begins. */
  bodyOffset: number;
}

const MAGIC = Uint8Array.of(0x54, 0x57, 0x49, 0x4e, 0x0d, 0x0a, 0x1a, 0x0a);
const VERSION = 1;
export const PREAMBLE = 20;
const BLOCK = 4096;
const MAX_FIXED = 65536 - PREAMBLE;
const MIN_SLOT = 8192;
const MAX_SLOT = 1 << 20;
/** Bytes in a slot before its JSON: generation, length, digest. */
const SLOT_HEADER = 8 + 4 + 32;
/** Spare room for later wraps, and, with its copy of the description, for an escrow. */
const SPARE = 4096;
const SPARE_ESCROW = 6144;
export const MAX_NAME = 255;
export const MAX_DESCRIPTION = 4096;
export const MAX_ORIGIN = 255;
export const MAX_ESCROWS = 16;
export const MAX_WRAPS = 1024;
// Every RSA size up to 16384 bits fits: 12 + 2048 bytes, and what Windows may leave behind.
const MAX_SIMPLE_BLOB = 4096;

/** The algorithms of the only version. */
export const ALGORITHMS = {
  body: "Cobblestone-256",
  key: "CALG_AES_256",
  wrap: "SIMPLEBLOB",
} as const;
const LAYOUT = "slots-body";

function bad(message: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", message);
}

function align(length: number): number {
  return Math.ceil(length / BLOCK) * BLOCK;
}

const needSerial = bytesOf(16);

/** A serial as people read it: 26 characters of base32. @throws TwinwrapError BAD_ARGUMENT unless it has 16 bytes */
export function formatSerial(serial: Bytes): string {
  return toBase32(needSerial(serial, "the serial"));
}

/** A part of a header as it is written, and as it reads back. */
export interface Packed<Part> {
  json: Uint8Array;
  read: Part;
}

/** @throws TwinwrapError BAD_ARGUMENT if a text has half a surrogate pair, or the time no spelling */
function encodeFixed(fixed: FixedHeader): Packed<ReturnType<typeof decodeFixed>> {
  const members: Json = {
    alg: { ...ALGORITHMS },
    created: formatTime(fixed.created),
    escrow: fixed.escrow,
    layout: LAYOUT,
    serial: toBase64Url(fixed.serial),
    v: VERSION,
    ...(fixed.name === undefined ? {} : { name: fixed.name }),
    ...(fixed.description === undefined ? {} : { description: fixed.description }),
  };
  const json = readBack(() => encodeJcs(members));
  return { json, read: readBack(() => decodeFixed(json)) };
}

/** @throws TwinwrapError BAD_FORMAT unless the member "alg" names exactly {@link ALGORITHMS} */
export function checkAlgorithms(members: Members): void {
  const algorithms = members.members("alg");
  for (const [name, value] of Object.entries(ALGORITHMS)) algorithms.exactly(name, value);
  algorithms.end();
}

/** A wrap as JSON has it. */
export function wrapToJson(wrap: Wrap): { [name: string]: Json } {
  return {
    fingerprint: toBase64Url(wrap.fingerprint),
    alg: ALGS[PADDINGS.indexOf(wrap.padding)]!,
    simpleblob: toBase64Url(wrap.simpleBlob),
  };
}

/** Reads a wrap's members; leaves unknown ones to the caller. */
export function readWrap(members: Members): Wrap {
  return {
    fingerprint: members.bytes("fingerprint", 32),
    padding: PADDINGS[ALGS.indexOf(members.oneOf("alg", ALGS))]!,
    simpleBlob: members.bytes("simpleblob", 0, MAX_SIMPLE_BLOB),
  };
}

function decodeFixed(bytes: Uint8Array): FixedHeader & Pick<Header, "serial"> {
  const members = new Members(decodeJcs(bytes, MAX_FIXED), "header");
  members.exactly("v", VERSION);
  members.exactly("layout", LAYOUT);
  checkAlgorithms(members);
  const fixed: FixedHeader & Pick<Header, "serial"> = {
    serial: members.bytes("serial", 16),
    created: members.time("created"),
    escrow: members.list("escrow", MAX_ESCROWS, (item, where) => {
      if (typeof item !== "string" || item === "") throw bad(`${where}: not an authority's origin`);
      if (toUtf8(item).length > MAX_ORIGIN) {
        throw overLimit(`${where}: an authority's origin of more than ${MAX_ORIGIN} bytes`);
      }
      return item;
    }),
  };
  if (members.has("name")) fixed.name = members.text("name", MAX_NAME);
  if (members.has("description")) fixed.description = members.text("description", MAX_DESCRIPTION);
  members.end();
  if (fixed.escrow.some((origin, index) => index > 0 && fixed.escrow[index - 1]! >= origin)) {
    throw bad("header: escrow is not sorted, each once");
  }
  return fixed;
}

/**
 * @throws TwinwrapError LIMIT_EXCEEDED if no reader would take that many wraps or escrows, or the JSON for
 *   longer than a slot can be
 */
export function encodeMutable(mutable: MutableHeader): Packed<MutableHeader> {
  const json = encodeJcs({
    ...mutable.rest,
    escrows: mutable.escrows.map(({ submission, receipt, rest }) => ({
      ...rest,
      submission,
      ...(receipt === undefined ? {} : { receipt }),
    })),
    wraps: mutable.wraps.map((wrap) => ({ ...wrap.rest, ...wrapToJson(wrap) })),
  });
  if (json.length > MAX_SLOT - SLOT_HEADER) throw tooLarge();
  return { json, read: readBack(() => decodeMutable(json)) };
}

function tooLarge(): TwinwrapError {
  const message = "too many wraps and escrows: a header slot holds at most 1 MiB";
  return new TwinwrapError("LIMIT_EXCEEDED", message);
}

function decodeMutable(bytes: Uint8Array): MutableHeader {
  const members = new Members(decodeJcs(bytes, MAX_SLOT), "header slot");
  const wraps = members.list("wraps", MAX_WRAPS, (item, where) => {
    const wrap = new Members(item, where);
    return withRest(readWrap(wrap), wrap);
  });
  const escrows = members.list("escrows", MAX_ESCROWS, (item, where) => {
    const escrow = new Members(item, where);
    const submission = escrow.json("submission");
    return withRest<Escrow>(
      escrow.has("receipt") ? { submission, receipt: escrow.json("receipt") } : { submission },
      escrow,
    );
  });
  return { wraps, escrows, rest: members.rest() };
}

/** The members read from an entry, with the unknown ones, if there are any. */
function withRest<Entry extends Wrap | Escrow>(entry: Entry, members: Members): Entry {
  const rest = members.rest();
  return Object.keys(rest).length === 0 ? entry : { ...entry, rest };
}

/** SHA-256(H ‖ generation ‖ length ‖ JSON): a slot cut short or meant for another file is no slot. */
function slotDigest(
  core: SealingCore,
  hash: Uint8Array,
  head: Uint8Array,
  json: Uint8Array,
): Uint8Array {
  return core.sha256(concatBytes(hash, head, json));
}

/**
 * Writes one slot, whole.
 * @param slot zeros, as many as a slot has bytes
 * @returns false if the JSON does not fit
 */
function writeSlot(
  slot: Uint8Array,
  core: SealingCore,
  hash: Uint8Array,
  generation: number,
  json: Uint8Array,
): boolean {
  if (SLOT_HEADER + json.length > slot.length) return false;
  const view = new DataView(slot.buffer, slot.byteOffset);
  view.setBigUint64(0, BigInt(generation));
  view.setUint32(8, json.length);
  slot.set(slotDigest(core, hash, slot.subarray(0, 12), json), 12);
  slot.set(json, SLOT_HEADER);
  return true;
}

interface Slot extends MutableHeader {
  generation: number;
}

/** @returns undefined if the slot is empty, cut, altered, unreadable, or not of this file */
function decodeSlot(core: SealingCore, hash: Uint8Array, slot: Uint8Array): Slot | undefined {
  const view = new DataView(slot.buffer, slot.byteOffset, slot.length);
  const generation = view.getBigUint64(0);
  const length = view.getUint32(8);
  if (generation < 1n || generation > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  if (length > slot.length - SLOT_HEADER) return undefined;
  const json = slot.subarray(SLOT_HEADER, SLOT_HEADER + length);
  const digest = slotDigest(core, hash, slot.subarray(0, 12), json);
  if (!equalBytes(digest, slot.subarray(12, SLOT_HEADER))) return undefined;
  if (!isZero(slot.subarray(SLOT_HEADER + length))) return undefined;
  try {
    return { generation: Number(generation), ...decodeMutable(json) };
  } catch (error) {
    if (!(error instanceof TwinwrapError && error.code === "BAD_FORMAT")) throw error;
    return undefined; // whole, but unreadable for this version: the other slot counts
  }
}

function isZero(bytes: Uint8Array): boolean {
  // A call for each byte would be most of what reading a small header takes.
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}

/** Bytes of a slot that holds `mutable`, `now` so many bytes, and has room for later additions. */
function slotLengthFor(fixed: FixedHeader, mutable: MutableHeader, now: number): number {
  const escrows = Math.max(fixed.escrow.length, mutable.escrows.length);
  const copy = fixed.description === undefined ? 0 : encodeJcs(fixed.description).length;
  const bare =
    mutable.escrows.length === 0 ? now : encodeMutable({ ...mutable, escrows: [] }).json.length;
  const json = Math.max(now, bare + escrows * (SPARE_ESCROW + copy));
  const length = Math.max(MIN_SLOT, align(SLOT_HEADER + json + SPARE));
  if (length > MAX_SLOT) throw tooLarge();
  return length;
}

/** The part of a header that determines H and where everything lies. */
export interface Frame {
  /** All bytes up to slot A. */
  bytes: Uint8Array;
  /** H. */
  hash: Uint8Array<ArrayBuffer>;
  slotLength: number;
  fixed: ReturnType<typeof decodeFixed>;
  /** What the slots will hold; later escrows may be missing. */
  mutable: Packed<MutableHeader>;
}

/**
 * The fixed part, before there is a key or a wrap: H has to be known to derive the commitment.
 * @param mutable what the slots will hold, for its size; later escrows may be missing
 * @throws TwinwrapError BAD_ARGUMENT if something cannot stand in a header; LIMIT_EXCEEDED if a text is too
 *   long, there is too much of something, or the slots would be too large
 */
export function encodeFrame(core: SealingCore, fixed: FixedHeader, mutable: MutableHeader): Frame {
  const { json, read } = encodeFixed(fixed);
  const packed = encodeMutable(mutable);
  const slotLength = slotLengthFor(fixed, mutable, packed.json.length);
  const bytes = newBytes(align(PREAMBLE + json.length));
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint16(8, VERSION);
  view.setUint32(12, json.length);
  view.setUint32(16, slotLength);
  bytes.set(json, PREAMBLE);
  const hash = core.sha256(bytes.subarray(0, PREAMBLE + json.length));
  return { bytes, hash, slotLength, fixed: read, mutable: packed };
}

/**
 * A whole new header: the frame, slot A with generation 1, and slot B empty.
 * @param escrows those that it is to hold
 * @param room for what follows it
 * @returns its bytes, and what their reader gets from them
 * @throws TwinwrapError LIMIT_EXCEEDED
 */
export function encodeHeader(
  core: SealingCore,
  { bytes: before, hash, slotLength, fixed, mutable }: Frame,
  escrows: Escrow[],
  room: number,
): { bytes: Uint8Array<ArrayBuffer>; header: Header } {
  const isSame = escrows.length === 0 && mutable.read.escrows.length === 0;
  const { json, read } = isSame ? mutable : encodeMutable({ ...mutable.read, escrows });
  const slotsOffset = before.length;
  const bodyOffset = slotsOffset + 2 * slotLength;
  const bytes = newBytes(bodyOffset + room);
  bytes.set(before);
  const slot = bytes.subarray(slotsOffset, slotsOffset + slotLength);
  if (!writeSlot(slot, core, hash, 1, json)) {
    throw new TwinwrapError("LIMIT_EXCEEDED", "the wraps do not fit into the header");
  }
  const layout = { generation: 1, slot: 0 as const, slotLength, slotsOffset, bodyOffset };
  return { bytes, header: { ...fixed, ...read, ...layout, hash } };
}

/** Where a header ends and its body begins, from the first 20 bytes. */
export interface Layout {
  fixedLength: number;
  slotLength: number;
  slotsOffset: number;
  bodyOffset: number;
}

/** Whether bytes begin as a sealed file does. */
export function startsSealedFile(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && equalBytes(bytes.subarray(0, MAGIC.length), MAGIC);
}

/**
 * Reads the preamble.
 * @param preamble the file's first 20 bytes, fewer if it has fewer
 * @throws TwinwrapError BAD_FORMAT
 */
export function decodePreamble(preamble: Uint8Array): Layout {
  const magic = preamble.subarray(0, MAGIC.length);
  if (!equalBytes(magic, MAGIC.subarray(0, magic.length)) || magic.length === 0) {
    throw bad("not a sealed file: it does not begin as Twinwrap's do");
  }
  if (preamble.length < PREAMBLE) throw bad("the file is truncated: it ends inside its header");
  const view = new DataView(preamble.buffer, preamble.byteOffset, PREAMBLE);
  if (view.getUint16(8) !== VERSION) {
    throw bad(`sealed in a newer format (${view.getUint16(8)}); this one reads ${VERSION}`);
  }
  const fixedLength = view.getUint32(12);
  const slotLength = view.getUint32(16);
  if (view.getUint16(10) !== 0 || fixedLength < 2 || fixedLength > MAX_FIXED)
    throw bad("malformed header");
  if (slotLength < MIN_SLOT || slotLength > MAX_SLOT || slotLength % BLOCK !== 0)
    throw bad("malformed header");
  const slotsOffset = align(PREAMBLE + fixedLength);
  return { fixedLength, slotLength, slotsOffset, bodyOffset: slotsOffset + 2 * slotLength };
}

/**
 * Reads a whole header.
 * @param bytes the file's bytes up to its body
 * @throws TwinwrapError BAD_FORMAT if it is cut or malformed, or neither slot is valid
 */
export function decodeHeader(core: SealingCore, bytes: Uint8Array): Header {
  const layout = decodePreamble(bytes.subarray(0, PREAMBLE));
  const { fixedLength, slotLength, slotsOffset, bodyOffset } = layout;
  if (bytes.length < bodyOffset) throw bad("the file is truncated: it ends inside its header");
  const hashed = bytes.subarray(0, PREAMBLE + fixedLength);
  const fixed = decodeFixed(hashed.subarray(PREAMBLE));
  if (!isZero(bytes.subarray(hashed.length, slotsOffset))) throw bad("malformed header");
  const hash = core.sha256(hashed);
  const slots = [0, 1].map((index) =>
    decodeSlot(
      core,
      hash,
      bytes.subarray(slotsOffset + index * slotLength, slotsOffset + (index + 1) * slotLength),
    ),
  );
  const [a, b] = slots;
  const slot = a === undefined || (b !== undefined && b.generation > a.generation) ? 1 : 0;
  const valid = slots[slot];
  if (valid === undefined) {
    throw bad("the header is damaged: neither of its two slots is whole");
  }
  return { ...fixed, ...valid, hash, slot, slotLength, slotsOffset, bodyOffset };
}

/** Bytes to write at a place of the file. */
export interface Patch {
  offset: number;
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * A change of a header: the other slot, with the next generation. Until it is written whole, the
 * present slot counts.
 * @param room bytes to leave free in the slot
 * @returns undefined if the new content does not fit, or there is no next generation
 * @throws TwinwrapError LIMIT_EXCEEDED if no header holds it, however large its slots are
 */
export function encodeChange(
  core: SealingCore,
  header: Header,
  mutable: MutableHeader,
  room = 0,
): Patch | undefined {
  const { hash, generation, slotLength, slotsOffset } = header;
  // No reader takes a higher one.
  if (generation === Number.MAX_SAFE_INTEGER) return undefined;
  const { json } = encodeMutable(mutable);
  if (SLOT_HEADER + json.length + room > slotLength) return undefined;
  const bytes = newBytes(slotLength);
  writeSlot(bytes, core, hash, generation + 1, json);
  return { offset: slotsOffset + (1 - header.slot) * slotLength, bytes };
}
