import { MAX_TRAILING } from "../blob/index.js";
import { TwinwrapError } from "../errors.js";
import { bitLength, type RsaPublicKey } from "../keys/index.js";
import {
  type Anywhere,
  asRandomAccess,
  pieces,
  type RandomAccess,
  Reader,
  readFrom,
  type Source,
} from "../source.js";
import { BLOCK_AT, blockLength } from "./key-blobs.js";

// Where a program put SIMPLEBLOB and ciphertext. Microsoft's example programs, and programs made after them, write
// the blob's length as a DWORD, the blob, and the ciphertext.

export const LAYOUTS = ["length32", "blob-first", "blob-last"] as const;
export type Layout = (typeof LAYOUTS)[number];

const SKIP_PIECE = 1 << 16;

/** The parts of an old file. */
export interface Located {
  /** The SIMPLEBLOB, unless it is in a file of its own. */
  blob: Uint8Array | undefined;
  /** Stands before the ciphertext, or the IV that is stored there. */
  reader: Reader;
  /** The byte of the file where the reader stands. */
  at: number;
  /** The byte where the ciphertext ends, if the file can be read anywhere. */
  end: number | undefined;
}

export interface LayoutOptions {
  /** Where the SIMPLEBLOB is; undefined if it is not in this file. */
  layout?: Layout | undefined;
  /** Bytes at the beginning of the file that are neither blob nor ciphertext; none by default. */
  skip?: number | undefined;
}

function cut(what: string, at: number): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", `the file ends at byte ${at}, ${what}`);
}

async function skipBytes(reader: Reader, skip: number): Promise<void> {
  for (let left = skip; left > 0; ) {
    const { length } = await reader.take(Math.min(left, SKIP_PIECE));
    if (length === 0) throw cut(`and \`skip\` is ${skip}`, skip - left);
    left -= length;
  }
}

async function readLength(reader: Reader, at: number, key: RsaPublicKey, expected: number) {
  const bytes = await reader.take(4);
  if (bytes.length < 4) throw cut("inside the blob's length", at + bytes.length);
  const length = new DataView(bytes.buffer).getUint32(0, true);
  if (length >= expected && length <= expected + MAX_TRAILING) return length;
  throw new TwinwrapError(
    "BAD_FORMAT",
    `at byte ${at} stands the length ${length}, but a SIMPLEBLOB for a key of ${bitLength(key.n)} bits has ${expected} bytes: another \`layout\` or \`skip\`, or made for another key`,
  );
}

/** The blob at the end of a file, and where it begins. */
async function readLast(file: Anywhere | undefined, skip: number, length: number) {
  if (file === undefined) {
    throw new TwinwrapError("BAD_ARGUMENT", "`layout` blob-last needs a file, not a pipe");
  }
  const end = file.size - length;
  if (end < skip) throw cut(`but with a SIMPLEBLOB it has ${length + skip} or more`, file.size);
  return { blob: await file.read(end, length), end };
}

/**
 * Finds the blob and the ciphertext.
 * @param key gives the blob's length; needed if there is a layout
 * @throws TwinwrapError BAD_FORMAT if the file is too short, or its length field is wrong; BAD_ARGUMENT if a blob at
 *   the end cannot be reached
 */
export async function locate(
  source: Source | RandomAccess,
  { layout, skip = 0 }: LayoutOptions,
  key: RsaPublicKey | undefined,
): Promise<Located> {
  if (layout !== undefined && key === undefined) {
    throw new TwinwrapError("BAD_ARGUMENT", "a SIMPLEBLOB in the file needs the key that opens it");
  }
  const file = asRandomAccess(source);
  const expected = key === undefined ? 0 : BLOCK_AT + blockLength(key);
  const last = layout === "blob-last" ? await readLast(file, skip, expected) : undefined;
  const end = last?.end ?? file?.size;
  const reader = new Reader(
    file === undefined || end === undefined ? pieces(source) : readFrom(upTo(file, end)),
  );
  await skipBytes(reader, skip);
  if (layout !== "length32" && layout !== "blob-first") {
    return { blob: last?.blob, reader, at: skip, end };
  }
  let [at, length] = [skip, expected];
  if (layout === "length32") {
    length = await readLength(reader, at, key!, expected);
    at += 4;
  }
  const blob = await reader.take(length);
  if (blob.length < length) throw cut(`inside the blob of ${length} bytes`, at + blob.length);
  return { blob, reader, at: at + length, end };
}

/** A file, up to a byte. */
function upTo(file: RandomAccess, size: number): RandomAccess {
  return { size, read: (offset, length) => file.read(offset, length) };
}
