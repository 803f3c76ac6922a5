import { MAX_TRAILING } from "../blob/index.js";
import { Reader, readFrom } from "../envelope/source.js";
import { TwinwrapError } from "../errors.js";
import { bitLength, type RsaPublicKey } from "../keys/index.js";
import type { Layout } from "./capi-settings.js";
import { UsageError } from "./command.js";
import type { Input } from "./io.js";

// Where a program put SIMPLEBLOB and ciphertext. Microsoft's example programs, and what was made after
// them, write the blob's length as a DWORD, the blob, and the ciphertext.

/** BLOBHEADER and algid, before the RSA block. */
const BLOB_HEADER = 12;
const SKIP_PIECE = 1 << 16;

/** The parts of an old file. */
export interface Located {
  /** The SIMPLEBLOB, unless it is a file of its own. */
  blob: Uint8Array | undefined;
  /** Stands before the ciphertext, or the IV that is stored there. */
  reader: Reader;
  /** The byte of the file where the reader stands. */
  at: number;
  /** The byte where the ciphertext ends, if the file can be read anywhere. */
  end: number | undefined;
}

function cut(what: string, at: number): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", `the file ends at byte ${at}, ${what}`);
}

async function skipBytes(reader: Reader, skip: number): Promise<void> {
  for (let left = skip; left > 0; ) {
    const { length } = await reader.take(Math.min(left, SKIP_PIECE));
    if (length === 0) throw cut(`and --skip is ${skip}`, skip - left);
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
    `at byte ${at} stands the length ${length}, but a SIMPLEBLOB for a key of ${bitLength(key.n)} bits has ${expected} bytes: another --layout or --skip, or made for another key`,
  );
}

/**
 * Finds the blob and the ciphertext.
 * @param layout undefined if there is no blob in the file
 * @param key the blob's length follows from it
 * @throws TwinwrapError BAD_FORMAT if the file ends before, or its length field is no blob's
 */
export async function locate(
  file: Input,
  layout: Layout | undefined,
  skip: number,
  key: RsaPublicKey | undefined,
): Promise<Located> {
  const blobLength = key === undefined ? 0 : BLOB_HEADER + Math.ceil(bitLength(key.n) / 8);
  let end = file.seekable ? file.size : undefined;
  let blob: Uint8Array | undefined;
  if (layout === "blob-last") {
    if (end === undefined) throw new UsageError("--layout blob-last needs a file, not a pipe");
    end -= blobLength;
    if (end < skip)
      throw cut(`but with a SIMPLEBLOB it has ${blobLength + skip} or more`, file.size);
    blob = await file.read(end, blobLength);
  }
  const reader = new Reader(end === undefined ? file.pieces() : readFrom({ ...bounds(file, end) }));
  await skipBytes(reader, skip);
  let at = skip;
  if (layout === "length32" || layout === "blob-first") {
    let length = blobLength;
    if (layout === "length32") {
      length = await readLength(reader, at, key!, blobLength);
      at += 4;
    }
    blob = await reader.take(length);
    if (blob.length < length) throw cut(`inside the blob of ${length} bytes`, at + blob.length);
    at += length;
  }
  return { blob, reader, at, end };
}

/** A file up to a byte. */
function bounds(file: Input, size: number) {
  return { size, read: (offset: number, length: number) => file.read(offset, length) };
}
