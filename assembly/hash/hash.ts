// The three hashes behind one face. A context is everything that a hash in progress needs, so that
// it can be kept aside and continued later; lengths are public, contents never steer anything.
import { wipe } from "../memory";
import { compressSha1, initSha1, wipeSha1 } from "./sha1";
import { compressSha256, initSha256, wipeSha256 } from "./sha256";
import { compressSha512, initSha512, wipeSha512 } from "./sha512";

/** The hashes by number (src/core/hash.ts has their names). */
export const SHA1: i32 = 0;
export const SHA256: i32 = 1;
export const SHA512: i32 = 2;

/** The longest digest and the longest block of the three, in bytes. */
export const MAX_DIGEST: usize = 64;
export const MAX_BLOCK: usize = 128;

// A context: the chaining state, the bytes taken so far (u64), and those that do not fill a block.
const LENGTH: usize = MAX_DIGEST;
const BLOCK: usize = LENGTH + 8;
/** Rounded up to whole vectors. */
export const CONTEXT_SIZE: usize = (BLOCK + MAX_BLOCK + 15) & ~15;

export function isHash(hash: i32): bool {
  return <u32>hash <= <u32>SHA512;
}

/** Bytes of a digest. */
export function digestSize(hash: i32): usize {
  return hash == SHA1 ? 20 : hash == SHA256 ? 32 : 64;
}

/** Bytes of a block. */
export function blockSize(hash: i32): usize {
  return hash == SHA512 ? 128 : 64;
}

/** Takes whole blocks at `data` into a chaining state. */
export function compress(hash: i32, state: usize, data: usize, blocks: usize): void {
  if (hash == SHA1) compressSha1(state, data, blocks);
  else if (hash == SHA256) compressSha256(state, data, blocks);
  else compressSha512(state, data, blocks);
}

/** Writes a chaining state as a digest, big-endian. */
export function writeDigest(hash: i32, state: usize, out: usize): void {
  const size = digestSize(hash);
  if (hash == SHA512) {
    for (let i: usize = 0; i < size; i += 8) store<u64>(out + i, bswap(load<u64>(state + i)));
  } else {
    for (let i: usize = 0; i < size; i += 4) store<u32>(out + i, bswap(load<u32>(state + i)));
  }
}

/** Starts a hash in `context`. */
export function begin(hash: i32, context: usize): void {
  if (hash == SHA1) initSha1(context);
  else if (hash == SHA256) initSha256(context);
  else initSha512(context);
  store<u64>(context, 0, LENGTH);
}

/** Continues from a chaining state that has taken exactly one block (HMAC's padded key). */
export function beginFrom(hash: i32, context: usize, state: usize): void {
  memory.copy(context, state, MAX_DIGEST);
  store<u64>(context, <u64>blockSize(hash), LENGTH);
}

/** Takes `length` bytes at `data`. */
export function update(hash: i32, context: usize, data: usize, length: usize): void {
  const size = blockSize(hash);
  const taken = load<u64>(context, LENGTH);
  const held = <usize>taken & (size - 1);
  store<u64>(context, taken + <u64>length, LENGTH);
  if (held > 0) {
    const missing = min(size - held, length);
    memory.copy(context + BLOCK + held, data, missing);
    if (held + missing < size) return;
    compress(hash, context, context + BLOCK, 1);
    data += missing;
    length -= missing;
  }
  const rest = length & (size - 1);
  compress(hash, context, data, (length - rest) / size);
  memory.copy(context + BLOCK, data + length - rest, rest);
}

/** Pads, writes the digest to `out` and wipes the context. */
export function finish(hash: i32, context: usize, out: usize): void {
  const size = blockSize(hash);
  const taken = load<u64>(context, LENGTH);
  const block = context + BLOCK;
  let held = <usize>taken & (size - 1);
  store<u8>(block + held++, 0x80);
  memory.fill(block + held, 0, size - held);
  if (held > size - size / 8) {
    // No room for the length: it goes into a block of its own.
    compress(hash, context, block, 1);
    memory.fill(block, 0, size);
  }
  store<u64>(block + size - 8, bswap(taken << 3));
  compress(hash, context, block, 1);
  writeDigest(hash, context, out);
  wipe(context, CONTEXT_SIZE);
}

const ONE_SHOT: usize = memory.data(<i32>CONTEXT_SIZE, 16);

/** The digest of `length` bytes at `data`. */
export function hashBytes(hash: i32, data: usize, length: usize, out: usize): void {
  begin(hash, ONE_SHOT);
  update(hash, ONE_SHOT, data, length);
  finish(hash, ONE_SHOT, out);
}

/** Wipes what the hashes keep between calls: their message schedules. */
export function wipeSchedules(): void {
  wipeSha1();
  wipeSha256();
  wipeSha512();
}
