// Counter mode (NIST SP 800-38A, section 6.5), also inside GCM.

import { BAD_ARGUMENT, OK } from "../status";
import { INPUT, OUTPUT, PARAMS, WINDOW_SIZE, wipe } from "../memory";
import { lookup, xor } from "../simd";
import { clearState, firstRounds, group, GROUPS, lastRounds } from "./cipher";
import { claim, compare, isKept, keep, recall, WINDOW_GROUPS } from "./face";
import { isMissing, Key, keyIn } from "./key";
import { broadcast, GROUP, transpose } from "./slices";

/** A counter block as two numbers, each of eight bytes, most significant byte first. */
@unmanaged
export class Counter {
  high: u64;
  low: u64;
}

/** The counter block at `from`. */
export function readCounter(counter: Counter, from: usize): void {
  counter.high = bswap(load<u64>(from));
  counter.low = bswap(load<u64>(from, 8));
}

/** `counter` + `blocks`, modulo 2^128 or, if `narrow` as in GCM, in the last 32 bits only. */
export function advance(counter: Counter, blocks: u64, narrow: bool): void {
  const low = counter.low + blocks;
  if (narrow) {
    counter.low = (counter.low & 0xffffffff00000000) | (low & 0xffffffff);
  } else {
    counter.high += <u64>(low < blocks);
    counter.low = low;
  }
}

/** A count from 0 to 7, sliced, in byte 15 of eight blocks. */
const COUNT: usize = memory.data<i8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -0x56,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -0x34,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -0x10,
], 16);

/**
 * Puts the counter block and the seven after it into group `index`, sliced and with the first round
 * key added; its last three bits are 0. The eight differ only in the last three bits of byte 15, so
 * the one block is spread over the lanes and the pattern of a count from 0 to 7 added there.
 */
function count(key: Key, counter: Counter, index: i32): void {
  const s = group(index), order = key.order;
  const block = i64x2.replace_lane(i64x2.splat(bswap(counter.high)), 1, bswap(counter.low));
  broadcast(s, lookup(xor(block, key.first), order));
  s.s0 = xor(s.s0, lookup(v128.load(COUNT), order));
  s.s1 = xor(s.s1, lookup(v128.load(COUNT, 16), order));
  s.s2 = xor(s.s2, lookup(v128.load(COUNT, 32), order));
}

/**
 * The same for a counter that is secret, as GCM makes one of an IV that has not 96 bits (it is GHASH of
 * the IV): every block is written out, whatever its last bits are.
 */
function countHidden(key: Key, counter: Counter, index: i32): void {
  const first = key.first, order = key.order;
  const start = changetype<usize>(group(index));
  const high = counter.high, low = counter.low;
  for (let i: u32 = 0; i < 8; i++) {
    const next = (low & 0xffffffff00000000) | ((low + i) & 0xffffffff);
    const block = i64x2.replace_lane(i64x2.splat(bswap(high)), 1, bswap(next));
    v128.store(start + (i << 4), lookup(xor(block, first), order));
  }
  transpose(group(index));
}

/** Makes the first block of group 0 zero: what stands there is sliced, with the first round key added. */
function zeroFirstBlock(key: Key): void {
  const s = group(0), zeros = group(1);
  const first = i8x16.splat(1);
  broadcast(zeros, lookup(key.first, key.order));
  s.s0 = v128.bitselect(zeros.s0, s.s0, first);
  s.s1 = v128.bitselect(zeros.s1, s.s1, first);
  s.s2 = v128.bitselect(zeros.s2, s.s2, first);
  s.s3 = v128.bitselect(zeros.s3, s.s3, first);
  s.s4 = v128.bitselect(zeros.s4, s.s4, first);
  s.s5 = v128.bitselect(zeros.s5, s.s5, first);
  s.s6 = v128.bitselect(zeros.s6, s.s6, first);
  s.s7 = v128.bitselect(zeros.s7, s.s7, first);
}

/** Adds the key stream in group `index` to the 128 bytes at `from`. */
function addGroup(index: i32, from: usize, to: usize): void {
  const s = group(index);
  v128.store(to, xor(s.s0, v128.load(from)));
  v128.store(to, xor(s.s1, v128.load(from, 16)), 16);
  v128.store(to, xor(s.s2, v128.load(from, 32)), 32);
  v128.store(to, xor(s.s3, v128.load(from, 48)), 48);
  v128.store(to, xor(s.s4, v128.load(from, 64)), 64);
  v128.store(to, xor(s.s5, v128.load(from, 80)), 80);
  v128.store(to, xor(s.s6, v128.load(from, 96)), 96);
  v128.store(to, xor(s.s7, v128.load(from, 112)), 112);
}

/** The same for the part of a group from byte `begin` to byte `end`; `begin` is a block's. */
export function addPart(index: i32, begin: usize, end: usize, from: usize, to: usize): void {
  const stream = changetype<usize>(group(index));
  let i = begin;
  for (; i + 16 <= end; i += 16) {
    v128.store(to + i, xor(v128.load(stream + i), v128.load(from + i)));
  }
  for (; i < end; i++) store<u8>(to + i, load<u8>(stream + i) ^ load<u8>(from + i));
}

/** What a counter is: how it counts, and whether what is done may depend on it. */
export enum Count {
  /** Modulo 2^128, public. */
  Wide,
  /** Modulo 2^32 in its last four bytes, public: GCM's with an IV of 96 bits. */
  Narrow,
  /** As `Narrow`, but secret: GCM's with any other IV. */
  Hidden,
}

/**
 * Leaves the key stream of the group that `counter` stands in in group 0, and moves the counter behind it.
 * If `zeroFirst`, the group's first block is the encryption of zero (GCM's H), which costs nothing where
 * the counter comes after it. Answers the bytes of the group before `counter`.
 */
export function firstGroup(key: Key, counter: Counter, kind: Count, zeroFirst: bool): usize {
  let before: usize = 0;
  if (kind == Count.Hidden) {
    countHidden(key, counter, 0);
  } else {
    before = <usize>(counter.low & 7) << 4;
    counter.low &= ~7;
    count(key, counter, 0);
    if (zeroFirst) zeroFirstBlock(key);
  }
  firstRounds(key, 1);
  lastRounds(key, 1);
  transpose(group(0));
  advance(counter, 8, kind != Count.Wide);
  return before;
}

/** What is to be done with the first two rounds in a window of 256 counter blocks. */
enum Window { Plain, Keep, Recall }

/** Decides that for the window of `counter`, whose group stands at `place`; `left` are to come. */
function enterWindow(key: Key, counter: Counter, place: i32, left: i32): Window {
  const owner = changetype<usize>(key);
  if (isKept(owner, counter.high, counter.low)) {
    // Two rounds of one group, to save those of the others.
    if (left < 3) return Window.Plain;
    count(key, counter, 0);
    firstRounds(key, 1);
    compare(place, group(0));
    return Window.Recall;
  }
  // Only for a whole window with another one to follow: both in this call.
  if (place != 0 || left < 2 * WINDOW_GROUPS) return Window.Plain;
  claim(owner, counter.high, counter.low);
  return Window.Keep;
}

/**
 * Adds the key stream of `counter`, `counter` + 1, … to `length` bytes at `from`, into `to`, and
 * moves the counter on, over a last partial block too.
 */
export function addKeyStream(key: Key, counter: Counter, kind: Count, from: usize, to: usize, length: usize): void {
  if (length == 0) return;
  const narrow = kind != Count.Wide, hidden = kind == Count.Hidden;
  const high = counter.high, low = counter.low;
  // Groups begin at multiples of eight: of the first, the blocks before `counter` are left out.
  const skipped: usize = hidden ? 0 : <usize>(low & 7) << 4;
  if (!hidden) counter.low = low & ~7;
  from -= skipped;
  to -= skipped;
  const end = skipped + length;
  let begin = skipped;
  let window = Window.Plain;
  let at: usize = 0;
  while (at < end) {
    const left = <i32>((end - at + GROUP - 1) / GROUP);
    const place = hidden ? 0 : <i32>(counter.low >> 3) & (WINDOW_GROUPS - 1);
    if (!hidden && (at == 0 || place == 0)) window = enterWindow(key, counter, place, left);
    const groups = min(min(GROUPS, WINDOW_GROUPS - place), left);
    for (let i = 0; i < groups; i++) {
      if (hidden) countHidden(key, counter, i);
      else if (window == Window.Recall) recall(place + i, group(i));
      else count(key, counter, i);
      advance(counter, 8, narrow);
    }
    if (window != Window.Recall) firstRounds(key, groups);
    if (window == Window.Keep) {
      for (let i = 0; i < groups; i++) keep(place + i, group(i));
    }
    lastRounds(key, groups);
    for (let i = 0; i < groups; i++) {
      transpose(group(i));
      if (begin == 0 && at + GROUP <= end) addGroup(i, from + at, to + at);
      else addPart(i, begin, min(GROUP, end - at), from + at, to + at);
      begin = 0;
      at += GROUP;
    }
  }
  counter.high = high;
  counter.low = low;
  advance(counter, (length + 15) >> 4, narrow);
  clearState(GROUPS);
}

const COUNTER: Counter = changetype<Counter>(memory.data(<i32>offsetof<Counter>(), 16));

/**
 * `length` bytes of INPUT to OUTPUT with the counter block in PARAMS, which then stands at the next
 * one.
 */
export function aesCtr(slot: i32, length: u32): i32 {
  const key = keyIn(slot);
  if (isMissing(key) || length > <u32>WINDOW_SIZE) return BAD_ARGUMENT;
  readCounter(COUNTER, PARAMS);
  addKeyStream(key, COUNTER, Count.Wide, INPUT, OUTPUT, length);
  store<u64>(PARAMS, bswap(COUNTER.high));
  store<u64>(PARAMS, bswap(COUNTER.low), 8);
  wipe(changetype<usize>(COUNTER), offsetof<Counter>());
  return OK;
}
