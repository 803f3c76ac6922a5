// The AES cipher and its inverse (FIPS 197) over up to four groups of eight blocks at a time: the
// groups take each round one after the other, so that the latency of one hides behind the others.

import { xor, zero } from "../simd";
import { blockKeys, Key, roundKeys } from "./key";
import { decrypt, encrypt } from "./permute";
import {
  addRoundKey, clear, GROUP, invSubBytes, mixColumns, preInvMixColumns, Slices, subBytes,
  Then, transpose,
} from "./slices";

/** Groups that are worked on together. */
export const GROUPS: i32 = 4;

/** The working state: the groups, first sliced, in the end as blocks. */
export const STATE: usize = memory.data(<i32>(GROUP * GROUPS), 64);

/** In place of a round key where there is none to add. */
const NO_KEY: Slices = changetype<Slices>(memory.data(<i32>GROUP, 16));

// @ts-ignore: decorator
@inline
export function group(index: i32): Slices {
  return changetype<Slices>(STATE + <usize>index * GROUP);
}

// The conjugates of "one row on" and "two rows on" (slices.ts) for e = 0, 1, 2 and 3.
// @ts-ignore: decorator
@inline
function one0(): v128 { return i8x16(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12); }
// @ts-ignore: decorator
@inline
function one1(): v128 { return i8x16(5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12, 1, 2, 3, 0); }
// @ts-ignore: decorator
@inline
function one2(): v128 { return i8x16(9, 10, 11, 8, 13, 14, 15, 12, 1, 2, 3, 0, 5, 6, 7, 4); }
// @ts-ignore: decorator
@inline
function one3(): v128 { return i8x16(13, 14, 15, 12, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8); }
// @ts-ignore: decorator
@inline
function twoEven(): v128 { return i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13); }
// @ts-ignore: decorator
@inline
function twoOdd(): v128 { return i8x16(10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1, 6, 7, 4, 5); }

/** One round of all groups up to `end`. */
// @ts-ignore: decorator
@inline
function round(end: usize, key: usize, one: v128, two: v128): void {
  for (let at = STATE; at < end; at += GROUP) {
    subBytes(changetype<Slices>(at), Then.MixColumns, changetype<Slices>(key), one, two);
  }
}

function round0(end: usize, key: usize): void { round(end, key, one0(), twoEven()); }
function round1(end: usize, key: usize): void { round(end, key, one1(), twoOdd()); }
function round2(end: usize, key: usize): void { round(end, key, one2(), twoEven()); }
function round3(end: usize, key: usize): void { round(end, key, one3(), twoOdd()); }

/** The first two rounds of `groups` groups, sliced and with the first round key added. */
export function firstRounds(key: Key, groups: i32): void {
  const end = STATE + <usize>groups * GROUP;
  const k = roundKeys(key);
  if (key.rounds == 12) {
    round1(end, k);
    round2(end, k + GROUP);
  } else {
    round3(end, k);
    round0(end, k + GROUP);
  }
}

/** All further rounds. */
export function lastRounds(key: Key, groups: i32): void {
  const end = STATE + <usize>groups * GROUP;
  let k = roundKeys(key) + 2 * GROUP;
  if (key.rounds != 12) {
    round1(end, k);
    round2(end, k + GROUP);
    k += 2 * GROUP;
  }
  round3(end, k);
  k += GROUP;
  for (let left = (key.rounds - 4) >> 2; left > 0; left--) {
    round0(end, k);
    round1(end, k + GROUP);
    round2(end, k + 2 * GROUP);
    round3(end, k + 3 * GROUP);
    k += 4 * GROUP;
  }
  for (let at = STATE; at < end; at += GROUP) {
    subBytes(changetype<Slices>(at), Then.AddKey, changetype<Slices>(k), zero(), zero());
  }
}

/** Undoes one round of all groups up to `end`. */
// @ts-ignore: decorator
@inline
function invRound(end: usize, key: usize, one: v128, two: v128): void {
  for (let at = STATE; at < end; at += GROUP) {
    const s = changetype<Slices>(at);
    addRoundKey(s, changetype<Slices>(key));
    preInvMixColumns(s, two);
    mixColumns(s, NO_KEY, one, two);
    invSubBytes(s);
  }
}

function invRound0(end: usize, key: usize): void { invRound(end, key, one0(), twoEven()); }
function invRound1(end: usize, key: usize): void { invRound(end, key, one1(), twoOdd()); }
function invRound2(end: usize, key: usize): void { invRound(end, key, one2(), twoEven()); }
function invRound3(end: usize, key: usize): void { invRound(end, key, one3(), twoOdd()); }

/**
 * The inverse of all rounds, from sliced ciphertext to slices that still want their order and
 * the first round key. The same round keys serve: their 0x63 and that of the inverse S-box cancel.
 */
function decryptGroups(key: Key, groups: i32): void {
  const end = STATE + <usize>groups * GROUP;
  let k = roundKeys(key) + <usize>(key.rounds - 1) * GROUP;
  for (let at = STATE; at < end; at += GROUP) {
    addRoundKey(changetype<Slices>(at), changetype<Slices>(k));
    invSubBytes(changetype<Slices>(at));
  }
  for (let left = (key.rounds - 2) >> 2; left > 0; left--) {
    invRound3(end, k - GROUP);
    invRound2(end, k - 2 * GROUP);
    invRound1(end, k - 3 * GROUP);
    invRound0(end, k - 4 * GROUP);
    k -= 4 * GROUP;
  }
  invRound3(end, k - GROUP);
  if (key.rounds == 12) {
    invRound2(end, k - 2 * GROUP);
    invRound1(end, k - 3 * GROUP);
  }
}

/** One block encrypted. */
export function encryptBlock(key: Key, x: v128): v128 {
  return encrypt(x, blockKeys(key), key.rounds);
}

/** One block decrypted. */
export function decryptBlock(key: Key, x: v128): v128 {
  return decrypt(x, blockKeys(key), key.rounds, key.first);
}

/** Decrypts the blocks that stand in the first `groups` groups, in place. */
export function decryptBlocks(key: Key, groups: i32): void {
  const end = STATE + <usize>groups * GROUP;
  for (let at = STATE; at < end; at += GROUP) transpose(changetype<Slices>(at));
  decryptGroups(key, groups);
  const first = key.first, order = key.order;
  for (let at = STATE; at < end; at += GROUP) {
    transpose(changetype<Slices>(at));
    for (let block = at; block < at + GROUP; block += 16) {
      v128.store(block, xor(i8x16.swizzle(v128.load(block), order), first));
    }
  }
}

/** Clears the working state. */
export function clearState(groups: i32): void {
  for (let i = 0; i < groups; i++) clear(group(i));
}
