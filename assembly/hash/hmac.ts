// HMAC (RFC 2104, FIPS 198-1) and PBKDF2 (RFC 8018). A prepared key is the two chaining states after
// the padded key: each message then costs two blocks less, which halves the work of PBKDF2.
import { wipe } from "../memory";
import {
  begin, beginFrom, blockSize, compress, digestSize, finish, MAX_BLOCK, MAX_DIGEST, update, writeDigest,
} from "./hash";

// A prepared key: inner state, then outer state.
const OUTER: usize = MAX_DIGEST;
export const HMAC_KEY_SIZE: usize = 2 * MAX_DIGEST;

const PAD: usize = memory.data(<i32>MAX_BLOCK, 16);
const INNER_DIGEST: usize = memory.data(<i32>MAX_DIGEST, 16);
const STATE: usize = memory.data(<i32>MAX_DIGEST, 16);

// Four vector moves: a memory.copy of this size costs more than it moves.
// @ts-ignore: decorator
@inline
function loadState(prepared: usize): void {
  v128.store(STATE, v128.load(prepared));
  v128.store(STATE, v128.load(prepared, 16), 16);
  v128.store(STATE, v128.load(prepared, 32), 32);
  v128.store(STATE, v128.load(prepared, 48), 48);
}

function absorbPad(hash: i32, key: usize, length: usize, pad: u8, state: usize): void {
  const size = blockSize(hash);
  memory.fill(PAD, pad, size);
  for (let i: usize = 0; i < length; i++) store<u8>(PAD + i, load<u8>(key + i) ^ pad);
  compress(hash, state, PAD, 1);
}

/**
 * Prepares `length` bytes at `key`, at most one block; a longer key is its digest (RFC 2104, section 2).
 * `context` is used and wiped.
 */
export function hmacPrepare(hash: i32, prepared: usize, key: usize, length: usize, context: usize): void {
  begin(hash, context);
  memory.copy(prepared, context, MAX_DIGEST);
  memory.copy(prepared + OUTER, context, MAX_DIGEST);
  absorbPad(hash, key, length, 0x36, prepared);
  absorbPad(hash, key, length, 0x5c, prepared + OUTER);
  wipe(PAD, MAX_BLOCK);
}

/** Starts a message; `update` takes it. */
export function hmacBegin(hash: i32, context: usize, prepared: usize): void {
  beginFrom(hash, context, prepared);
}

/** Writes the code to `out` and wipes the context. */
export function hmacFinish(hash: i32, context: usize, prepared: usize, out: usize): void {
  finish(hash, context, INNER_DIGEST);
  beginFrom(hash, context, prepared + OUTER);
  update(hash, context, INNER_DIGEST, digestSize(hash));
  finish(hash, context, out);
  wipe(INNER_DIGEST, MAX_DIGEST);
}

/** The size of what `pbkdf2Iterate` works on: U, padded to a block. */
export const PBKDF2_SIZE: usize = MAX_BLOCK;

/** Starts with U1 = T, a digest at `total`: lays it out as the last block of a message of block + digest bytes. */
export function pbkdf2Begin(hash: i32, work: usize, total: usize): void {
  const size = blockSize(hash);
  const length = digestSize(hash);
  memory.copy(work, total, length);
  memory.fill(work + length, 0, size - length);
  store<u8>(work + length, 0x80);
  store<u64>(work + size - 8, bswap(<u64>(size + length) << 3));
}

/** `iterations` times U = HMAC(key, U), T ^= U. */
export function pbkdf2Iterate(hash: i32, prepared: usize, work: usize, total: usize, iterations: u32): void {
  const length = digestSize(hash);
  for (; iterations > 0; iterations--) {
    loadState(prepared);
    compress(hash, STATE, work, 1);
    writeDigest(hash, STATE, work);
    loadState(prepared + OUTER);
    compress(hash, STATE, work, 1);
    writeDigest(hash, STATE, work);
    for (let i: usize = 0; i < length; i += 4) {
      store<u32>(total + i, load<u32>(total + i) ^ load<u32>(work + i));
    }
  }
  wipe(STATE, MAX_DIGEST);
}
