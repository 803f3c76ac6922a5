// Prepared keys: a fixed number of slots, each with the sliced round keys of one AES key and the
// tables that GHASH makes from it. The caller decides which key is in which slot.

import { BAD_ARGUMENT, OK } from "../status";
import { PARAMS, wipe } from "../memory";
import { lookup, xor } from "../simd";
import { forget } from "./face";
import { subWord, toTower } from "./permute";
import { broadcast, GROUP, Slices } from "./slices";

/** How many keys are ready at a time. */
export const KEY_SLOTS: i32 = 16;

@unmanaged
export class Key {
  /** The first round key, as a block: the key's first 16 bytes. */
  first: v128;
  /** The next 16 bytes of the key, if it has them: `KEYS` shows JavaScript the whole of it here. */
  second: v128;
  /** ShiftRows^-e of the state that enters round 1, as a permutation (its own inverse). */
  order: v128;
  /** The hash key H of GCM, once `hasHash`. */
  hash: v128;
  /** 10, 12 or 14; 0 while the slot is empty. */
  rounds: i32;
  /** Whether H and `hashTables` are made. */
  hasHash: bool;
  /** Powers of H that `bulkTables` are made for: 0, 1 or 4. */
  powers: i32;
}

const BLOCK_KEYS: usize = 80;
const ROUND_KEYS: usize = BLOCK_KEYS + 15 * 16;
const HASH_TABLES: usize = ROUND_KEYS + 14 * GROUP;
const BULK_TABLES: usize = HASH_TABLES + 17 * 32;
/** Bytes of the tables for one power of H. */
export const POWER: usize = 9 * 160;
/** A slot, at whose beginning the key stands as it was given. */
export const KEY_SLOT_SIZE: usize = BULK_TABLES + 4 * POWER;
export const KEYS: usize = memory.data(<i32>(KEY_SLOT_SIZE * KEY_SLOTS), 64);

/** The round keys for one block (permute.ts). */
// @ts-ignore: decorator
@inline
export function blockKeys(key: Key): usize {
  return changetype<usize>(key) + BLOCK_KEYS;
}

/** Round key 1, 2, … as slices, ShiftRows^-e applied and the S-box's constant added. */
// @ts-ignore: decorator
@inline
export function roundKeys(key: Key): usize {
  return changetype<usize>(key) + ROUND_KEYS;
}

/** The tables for multiplying one block by H (gcm/ghash.ts). */
// @ts-ignore: decorator
@inline
export function hashTables(key: Key): usize {
  return changetype<usize>(key) + HASH_TABLES;
}

/** The tables for multiplying sixteen blocks by H^16, then H^32, H^48 and H^64 (gcm/ghash.ts). */
// @ts-ignore: decorator
@inline
export function bulkTables(key: Key): usize {
  return changetype<usize>(key) + BULK_TABLES;
}

/** The key in `slot`, or null (0) where there is none. */
export function keyIn(slot: i32): Key {
  if (<u32>slot >= <u32>KEY_SLOTS) return changetype<Key>(<usize>0);
  const key = changetype<Key>(KEYS + <usize>slot * KEY_SLOT_SIZE);
  return key.rounds == 0 ? changetype<Key>(<usize>0) : key;
}

// @ts-ignore: decorator
@inline
export function isMissing(key: Key): bool {
  return changetype<usize>(key) == 0;
}

// The expanded key as FIPS 197 has it: 60 words at most.
const WORDS_SIZE: usize = 60 * 4;
const WORDS: usize = memory.data(<i32>WORDS_SIZE, 16);

const INV_SHIFT_ROWS: usize = memory.data<i8>([0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3], 16);

/** ShiftRows^-1 of a block. */
// @ts-ignore: decorator
@inline
function invShiftRows(x: v128): v128 {
  return lookup(x, v128.load(INV_SHIFT_ROWS));
}

/**
 * Expands the key of `length` bytes (16, 24 or 32) in PARAMS into `slot` (FIPS 197, section 5.2).
 * Words are little-endian here, so RotWord turns right and Rcon stands in the lowest byte.
 */
export function aesExpand(slot: i32, length: i32): i32 {
  if (<u32>slot >= <u32>KEY_SLOTS || (length != 16 && length != 24 && length != 32)) return BAD_ARGUMENT;
  const key = changetype<Key>(KEYS + <usize>slot * KEY_SLOT_SIZE);
  // Clears everything made of the previous key, whose owner finds it no more.
  if (key.rounds != 0) wipeSlot(key);
  const words = length >> 2;
  const rounds = words + 6;
  memory.copy(WORDS, PARAMS, length);
  let rcon: u32 = 1;
  let word = load<u32>(WORDS + length - 4);
  for (let i = words; i < 4 * (rounds + 1); i++) {
    const step = i % words;
    if (step == 0) {
      word = subWord(rotr(word, 8)) ^ rcon;
      rcon = (rcon << 1) ^ ((rcon >> 7) * 0x11b);
    } else if (words == 8 && step == 4) {
      word = subWord(word);
    }
    word ^= load<u32>(WORDS + ((i - words) << 2));
    store<u32>(WORDS + (i << 2), word);
  }

  // The last round has no MixColumns and must leave the state in standard order: the round keys'
  // exponents e run up to 0 mod 4 there, which makes the first 0 for 12 rounds, else 2.
  let e = (4 - (rounds & 3)) & 3;
  key.first = v128.load(WORDS);
  key.second = v128.load(WORDS, 16);
  v128.store(blockKeys(key), toTower(key.first));
  let order = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (let i = 0; i < e; i++) order = invShiftRows(order);
  key.order = order;
  for (let round = 1; round <= rounds; round++) {
    e = (e + 1) & 3;
    let x = xor(v128.load(WORDS + (round << 4)), i8x16.splat(0x63));
    v128.store(blockKeys(key) + (round << 4), round < rounds ? toTower(x) : x);
    for (let i = 0; i < e; i++) x = invShiftRows(x);
    broadcast(changetype<Slices>(roundKeys(key) + <usize>(round - 1) * GROUP), x);
  }
  key.rounds = rounds;
  wipe(WORDS, WORDS_SIZE);
  wipe(PARAMS, length);
  return OK;
}

function wipeSlot(key: Key): void {
  const start = changetype<usize>(key);
  forget(start);
  // The tables of powers are long, and seldom made.
  wipe(start, key.powers == 0 ? BULK_TABLES : KEY_SLOT_SIZE);
}

/** Wipes `slot`. */
export function aesForget(slot: i32): i32 {
  if (<u32>slot >= <u32>KEY_SLOTS) return BAD_ARGUMENT;
  wipeSlot(changetype<Key>(KEYS + <usize>slot * KEY_SLOT_SIZE));
  return OK;
}
