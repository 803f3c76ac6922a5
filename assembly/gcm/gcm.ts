// AES-GCM (NIST SP 800-38D) with tags of 16 bytes and IVs of any length from 1 byte.
//
// A message that fits the windows is one call (`gcmSeal`, `gcmOpen`). A longer one, or one that comes
// in pieces, is a run of calls (`gcmIv`, `gcmAad`, `gcmText`, `gcmFinish`) whose state stands in
// GCM_STATE; the caller may save and restore it between calls.

import { equalBytes } from "../ct";
import { INPUT, OUTPUT, PARAMS, PARAMS_SIZE, WINDOW_SIZE, wipe } from "../memory";
import { xor, zero, reverse } from "../simd";
import { BAD_ARGUMENT, NOT_AUTHENTIC, OK } from "../status";
import { clearState, encryptBlock, STATE } from "../aes/cipher";
import { addKeyStream, addPart, advance, Count, Counter, firstGroup, readCounter } from "../aes/ctr";
import { isMissing, Key, keyIn } from "../aes/key";
import { GROUP } from "../aes/slices";
import { ghash, prepareHash } from "./ghash";

@unmanaged
class State {
  /** GHASH of what came so far, in reverse (ghash.ts). */
  y: v128;
  /** The first key stream block, which hides the tag. */
  mask: v128;
  /** The counter block of the next block. */
  high: u64;
  low: u64;
  count: Count;
}

export const GCM_STATE_SIZE: usize = 64;
export const GCM_STATE: usize = memory.data(<i32>GCM_STATE_SIZE, 16);
const state: State = changetype<State>(GCM_STATE);
const counter: Counter = changetype<Counter>(memory.data(<i32>offsetof<Counter>(), 16));
const BLOCK: usize = memory.data(16, 16);
const TAG: usize = 16;

/** The key in `slot` with its hash tables made, or null (0). */
function hashKeyIn(slot: i32): Key {
  const key = keyIn(slot);
  if (!isMissing(key) && !key.hasHash) prepareHash(key, encryptBlock(key, zero()));
  return key;
}

/** The block that closes a hash: both lengths in bits, in reverse. */
// @ts-ignore: decorator
@inline
function lengths(first: u64, second: u64): v128 {
  return i64x2.replace_lane(i64x2.splat(second << 3), 1, first << 3);
}

/** Takes one block, in reverse, into `y`. */
// @ts-ignore: decorator
@inline
function hashBlock(key: Key, y: v128, block: v128): v128 {
  v128.store(BLOCK, reverse(block));
  y = ghash(key, y, BLOCK, 16);
  v128.store(BLOCK, zero());
  return y;
}

/** Clears the counter: with an IV that has not 96 bits it is GHASH of that, and gives H away. */
// @ts-ignore: decorator
@inline
function clearCounter(): void {
  v128.store(changetype<usize>(counter), zero());
}

/** Whether a message can be one call. */
function fits(ivLength: u32, aadLength: u32, length: u32): bool {
  const params = <u32>PARAMS_SIZE;
  return ivLength > 0 && ivLength <= params && aadLength <= params - ivLength && length <= <u32>WINDOW_SIZE;
}

/** J0 is the IV itself only if that has 96 bits. */
// @ts-ignore: decorator
@inline
function countOf(ivLength: u64): Count {
  return ivLength == 12 ? Count.Narrow : Count.Hidden;
}

/** Puts J0 for the IV at `from` into `to` (section 7.1, step 2); `y` is the hash of IV bytes before. */
function firstCounter(key: Key, y: v128, from: usize, length: usize, total: u64, to: usize): void {
  if (total == 12) {
    memory.copy(to, from, 12);
    store<u32>(to, 0x01000000, 12);
  } else {
    y = ghash(key, y, from, length);
    v128.store(to, reverse(hashBlock(key, y, lengths(0, total))));
  }
}

/**
 * Starts a message whose IV is in PARAMS: the key stream that hides the tag and then that of the text's
 * first bytes stand in group 0, which holds H besides if the key is new. Answers where there the text's
 * key stream begins.
 */
function start(key: Key, ivLength: usize): usize {
  const kind = countOf(ivLength);
  if (kind == Count.Hidden && !key.hasHash) prepareHash(key, encryptBlock(key, zero()));
  firstCounter(key, zero(), PARAMS, ivLength, ivLength, BLOCK);
  readCounter(counter, BLOCK);
  const before = firstGroup(key, counter, kind, !key.hasHash);
  if (!key.hasHash) prepareHash(key, v128.load(STATE));
  return before + TAG;
}

/** Encrypts or decrypts `length` bytes of INPUT to OUTPUT, once `start` has answered `begin`. */
function crypt(key: Key, kind: Count, begin: usize, length: usize): void {
  const first = min(GROUP - begin, length);
  addPart(0, begin, begin + first, INPUT - begin, OUTPUT - begin);
  if (length > first) addKeyStream(key, counter, kind, INPUT + first, OUTPUT + first, length - first);
  else clearState(2);
  clearCounter();
}

/**
 * Encrypts `length` bytes of INPUT, with IV and AAD one behind the other in PARAMS: ciphertext and then
 * the tag come to OUTPUT.
 */
export function gcmSeal(slot: i32, ivLength: u32, aadLength: u32, length: u32): i32 {
  const key = keyIn(slot);
  if (isMissing(key) || !fits(ivLength, aadLength, length)) return BAD_ARGUMENT;
  const begin = start(key, ivLength);
  const mask = v128.load(STATE + begin - TAG);
  crypt(key, countOf(ivLength), begin, length);
  let y = ghash(key, zero(), PARAMS + ivLength, aadLength);
  y = ghash(key, y, OUTPUT, length);
  y = hashBlock(key, y, lengths(aadLength, length));
  v128.store(OUTPUT + length, xor(reverse(y), mask));
  return OK;
}

/**
 * Decrypts `length` bytes of INPUT, behind which the tag stands, with IV and AAD one behind the other in
 * PARAMS: the plaintext comes to OUTPUT, or nothing unless the tag is right.
 */
export function gcmOpen(slot: i32, ivLength: u32, aadLength: u32, length: u32): i32 {
  const key = keyIn(slot);
  if (isMissing(key) || !fits(ivLength, aadLength, length)) return BAD_ARGUMENT;
  const begin = start(key, ivLength);
  const mask = v128.load(STATE + begin - TAG);
  let y = ghash(key, zero(), PARAMS + ivLength, aadLength);
  y = ghash(key, y, INPUT, length);
  y = hashBlock(key, y, lengths(aadLength, length));
  crypt(key, countOf(ivLength), begin, length);
  v128.store(BLOCK, xor(reverse(y), mask));
  const good = equalBytes(BLOCK, INPUT + length, TAG);
  v128.store(BLOCK, zero());
  if (good) return OK;
  wipe(OUTPUT, length);
  return NOT_AUTHENTIC;
}

/**
 * Begins a run with `length` bytes of its IV in INPUT. An IV over the window comes in several calls,
 * whole windows and then the rest; only the last tells its `total` length, the others 0.
 */
export function gcmIv(slot: i32, length: u32, total: f64): i32 {
  const key = hashKeyIn(slot);
  if (isMissing(key) || length == 0 || length > <u32>WINDOW_SIZE) return BAD_ARGUMENT;
  if (total == 0) {
    state.y = ghash(key, state.y, INPUT, length);
    return OK;
  }
  firstCounter(key, state.y, INPUT, length, <u64>total, BLOCK);
  readCounter(counter, BLOCK);
  v128.store(BLOCK, zero());
  state.count = countOf(<u64>total);
  addKeyStream(key, counter, state.count, BLOCK, BLOCK, 16);
  state.mask = v128.load(BLOCK);
  v128.store(BLOCK, zero());
  state.high = counter.high;
  state.low = counter.low;
  state.y = zero();
  clearCounter();
  return OK;
}

/** Takes `length` bytes of AAD in INPUT: whole windows and then the rest. */
export function gcmAad(slot: i32, length: u32): i32 {
  const key = hashKeyIn(slot);
  if (isMissing(key) || length > <u32>WINDOW_SIZE) return BAD_ARGUMENT;
  state.y = ghash(key, state.y, INPUT, length);
  return OK;
}

/**
 * Encrypts (or decrypts, if `opening`) `length` bytes of INPUT to OUTPUT. A partial block at the end
 * is given out but not counted: the next call begins with its bytes again. The call that ends the
 * text is `last`: it counts them.
 */
export function gcmText(slot: i32, length: u32, opening: bool, last: bool): i32 {
  const key = hashKeyIn(slot);
  if (isMissing(key) || length > <u32>WINDOW_SIZE) return BAD_ARGUMENT;
  const whole = last ? length : length & ~15;
  counter.high = state.high;
  counter.low = state.low;
  addKeyStream(key, counter, state.count, INPUT, OUTPUT, length);
  state.y = ghash(key, state.y, opening ? INPUT : OUTPUT, whole);
  counter.low = state.low;
  advance(counter, length >> 4, true);
  state.low = counter.low;
  clearCounter();
  return OK;
}

/** The tag over what came, the lengths in bytes: into OUTPUT. */
export function gcmFinish(slot: i32, aadLength: f64, length: f64): i32 {
  const key = hashKeyIn(slot);
  if (isMissing(key)) return BAD_ARGUMENT;
  const y = hashBlock(key, state.y, lengths(<u64>aadLength, <u64>length));
  v128.store(OUTPUT, xor(reverse(y), state.mask));
  return OK;
}

/** As `gcmFinish`, and compares with the tag in INPUT instead of giving it out. */
export function gcmVerify(slot: i32, aadLength: f64, length: f64): i32 {
  const status = gcmFinish(slot, aadLength, length);
  if (status != OK) return status;
  const good = equalBytes(OUTPUT, INPUT, TAG);
  v128.store(OUTPUT, zero());
  return good ? OK : NOT_AUTHENTIC;
}
