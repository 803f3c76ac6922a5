// The AES cipher and its inverse (FIPS 197) over up to four groups of eight blocks at a time: the
// groups take each round one after the other, so that the latency of one hides behind the others.

import { lookup, xor } from "../simd";
import { blockKeys, Key, roundKeys } from "./key";
import { decrypt, encrypt } from "./permute";
import {
  addRoundKey, clear, encryptRound, GROUP, invSubBytes, mixColumns, preInvMixColumns, Slices, transpose,
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
const ONE_0: usize = memory.data<i8>([1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12], 16);
const ONE_1: usize = memory.data<i8>([5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12, 1, 2, 3, 0], 16);
const ONE_2: usize = memory.data<i8>([9, 10, 11, 8, 13, 14, 15, 12, 1, 2, 3, 0, 5, 6, 7, 4], 16);
const ONE_3: usize = memory.data<i8>([13, 14, 15, 12, 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8], 16);
const TWO_EVEN: usize = memory.data<i8>([2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13], 16);
const TWO_ODD: usize = memory.data<i8>([10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1, 6, 7, 4, 5], 16);

/** One round of all groups up to `end`, in the form of the permutations at `one` and `two`; 0 for the last round. */
function round(end: usize, key: usize, one: usize, two: usize): void {
  for (let at = STATE; at < end; at += GROUP) {
    encryptRound(changetype<Slices>(at), changetype<Slices>(key), one, two);
  }
}

// @ts-ignore: decorator
@inline
function round0(end: usize, key: usize): void { round(end, key, ONE_0, TWO_EVEN); }
// @ts-ignore: decorator
@inline
function round1(end: usize, key: usize): void { round(end, key, ONE_1, TWO_ODD); }
// @ts-ignore: decorator
@inline
function round2(end: usize, key: usize): void { round(end, key, ONE_2, TWO_EVEN); }
// @ts-ignore: decorator
@inline
function round3(end: usize, key: usize): void { round(end, key, ONE_3, TWO_ODD); }

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
  round(end, k, 0, 0);
}

/** Undoes one round of all groups up to `end`. */
function invRound(end: usize, key: usize, one: usize, two: usize): void {
  for (let at = STATE; at < end; at += GROUP) {
    const s = changetype<Slices>(at);
    addRoundKey(s, changetype<Slices>(key));
    preInvMixColumns(s, v128.load(two));
    mixColumns(s, NO_KEY, v128.load(one), v128.load(two));
    invSubBytes(s, NO_KEY);
  }
}

// @ts-ignore: decorator
@inline
function invRound0(end: usize, key: usize): void { invRound(end, key, ONE_0, TWO_EVEN); }
// @ts-ignore: decorator
@inline
function invRound1(end: usize, key: usize): void { invRound(end, key, ONE_1, TWO_ODD); }
// @ts-ignore: decorator
@inline
function invRound2(end: usize, key: usize): void { invRound(end, key, ONE_2, TWO_EVEN); }
// @ts-ignore: decorator
@inline
function invRound3(end: usize, key: usize): void { invRound(end, key, ONE_3, TWO_ODD); }

/**
 * The inverse of all rounds, from sliced ciphertext to slices that still want their order and
 * the first round key. The same round keys serve: their 0x63 and that of the inverse S-box cancel.
 */
function decryptGroups(key: Key, groups: i32): void {
  const end = STATE + <usize>groups * GROUP;
  let k = roundKeys(key) + <usize>(key.rounds - 1) * GROUP;
  for (let at = STATE; at < end; at += GROUP) {
    addRoundKey(changetype<Slices>(at), changetype<Slices>(k));
    invSubBytes(changetype<Slices>(at), NO_KEY);
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
      v128.store(block, xor(lookup(v128.load(block), order), first));
    }
  }
}

/** Clears the working state. */
export function clearState(groups: i32): void {
  for (let i = 0; i < groups; i++) clear(group(i));
}
