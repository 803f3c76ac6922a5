// AES Key Wrap (RFC 3394, NIST SP 800-38F "KW") and Key Wrap with Padding (RFC 5649, "KWP").
// Both work in OUTPUT: the integrity register A in its first eight bytes, the semiblocks R[1] to R[n]
// behind it, which is also how the result is laid out.

import { lessMask, zeroMask } from "../ct";
import { INPUT, OUTPUT, PARAMS, WINDOW_SIZE, wipe } from "../memory";
import { BAD_ARGUMENT, NOT_AUTHENTIC, OK } from "../status";
import { decryptBlock, encryptBlock } from "../aes/cipher";
import { isMissing, Key, keyIn } from "../aes/key";

/** RFC 3394, section 2.2.3.1. */
const DEFAULT_IV: u64 = 0xa6a6a6a6a6a6a6a6;
/** The first half of RFC 5649's alternative IV, as its four bytes stand in memory. */
const PADDED_IV: u32 = 0xa65959a6;

/** The block of a semiblock each from `a` and `r`. */
// @ts-ignore: decorator
@inline
function join(a: u64, r: u64): v128 {
  return i64x2.replace_lane(i64x2.splat(a), 1, r);
}

/** The wrapping function W over A and `n` semiblocks in OUTPUT (RFC 3394, section 2.2.1). */
function wrapSemiblocks(key: Key, n: usize): void {
  let a = load<u64>(OUTPUT);
  let t: u64 = 1;
  for (let j = 0; j < 6; j++) {
    for (let r = OUTPUT + 8; r <= OUTPUT + 8 * n; r += 8) {
      const block = encryptBlock(key, join(a, load<u64>(r)));
      a = i64x2.extract_lane(block, 0) ^ bswap(t++);
      store<u64>(r, i64x2.extract_lane(block, 1));
    }
  }
  store<u64>(OUTPUT, a);
}

/** The inverse of `wrapSemiblocks` (RFC 3394, section 2.2.2). */
function unwrapSemiblocks(key: Key, n: usize): void {
  let a = load<u64>(OUTPUT);
  let t: u64 = 6 * n;
  for (let j = 0; j < 6; j++) {
    for (let r = OUTPUT + 8 * n; r > OUTPUT; r -= 8) {
      const block = decryptBlock(key, join(a ^ bswap(t--), load<u64>(r)));
      a = i64x2.extract_lane(block, 0);
      store<u64>(r, i64x2.extract_lane(block, 1));
    }
  }
  store<u64>(OUTPUT, a);
}

/** Wraps `length` bytes of INPUT, at least 16 and a multiple of 8, into `length` + 8 of OUTPUT. */
export function aesKwWrap(slot: i32, length: u32): i32 {
  const key = keyIn(slot);
  if (isMissing(key) || length < 16 || (length & 7) != 0 || length > <u32>WINDOW_SIZE - 8) return BAD_ARGUMENT;
  store<u64>(OUTPUT, DEFAULT_IV);
  memory.copy(OUTPUT + 8, INPUT, length);
  wrapSemiblocks(key, length >> 3);
  return OK;
}

/** Unwraps `length` bytes of INPUT, leaving the key in OUTPUT from byte 8 on, or nothing there. */
export function aesKwUnwrap(slot: i32, length: u32): i32 {
  const key = keyIn(slot);
  if (isMissing(key) || length > <u32>WINDOW_SIZE) return BAD_ARGUMENT;
  if (length < 24 || (length & 7) != 0) return NOT_AUTHENTIC;
  memory.copy(OUTPUT, INPUT, length);
  unwrapSemiblocks(key, (length >> 3) - 1);
  const difference = load<u64>(OUTPUT) ^ DEFAULT_IV;
  if (zeroMask(<u32>difference | <u32>(difference >> 32))) return OK;
  wipe(OUTPUT, length);
  return NOT_AUTHENTIC;
}

/** Wraps 1 or more bytes of INPUT into the next multiple of 8, and 8, of OUTPUT. */
export function aesKwpWrap(slot: i32, length: u32): i32 {
  const key = keyIn(slot);
  if (isMissing(key) || length < 1 || length > <u32>WINDOW_SIZE - 8) return BAD_ARGUMENT;
  const padded = (length + 7) & ~7;
  store<u64>(OUTPUT + padded, 0);
  store<u32>(OUTPUT, PADDED_IV);
  store<u32>(OUTPUT, bswap(length), 4);
  memory.copy(OUTPUT + 8, INPUT, length);
  if (padded == 8) v128.store(OUTPUT, encryptBlock(key, v128.load(OUTPUT)));
  else wrapSemiblocks(key, padded >> 3);
  return OK;
}

/**
 * Unwraps `length` bytes of INPUT, leaving the key in OUTPUT from byte 8 on and its length (u32) in
 * PARAMS, or nothing there. All of RFC 5649's conditions (section 3) enter one mask.
 */
export function aesKwpUnwrap(slot: i32, length: u32): i32 {
  const key = keyIn(slot);
  if (isMissing(key) || length > <u32>WINDOW_SIZE) return BAD_ARGUMENT;
  if (length < 16 || (length & 7) != 0) return NOT_AUTHENTIC;
  const padded = length - 8;
  memory.copy(OUTPUT, INPUT, length);
  if (padded == 8) v128.store(OUTPUT, decryptBlock(key, v128.load(OUTPUT)));
  else unwrapSemiblocks(key, padded >> 3);

  const keyLength = bswap(load<u32>(OUTPUT, 4));
  let good = zeroMask(load<u32>(OUTPUT) ^ PADDED_IV);
  good &= lessMask(padded - 8, keyLength) & ~lessMask(padded, keyLength);
  // The padding lies in the last semiblock: bytes at or after the key's length must be 0.
  let excess: u32 = 0;
  for (let i = padded - 8; i < padded; i++) excess |= <u32>load<u8>(OUTPUT + 8 + i) & ~lessMask(i, keyLength);
  good &= zeroMask(excess);
  if (good) {
    store<u32>(PARAMS, keyLength);
    return OK;
  }
  wipe(OUTPUT, length);
  return NOT_AUTHENTIC;
}
