// Prepared RSA keys: a few slots of fixed memory. JavaScript decides which key has which slot.
import { hashBytes, SHA256 } from "../hash/hash";
import { INPUT, wipe } from "../memory";
import { Halves, HALVES_SIZE, HALVES_SPARE, prepareHalves } from "./halves";
import { limbs, Modulus, MODULUS_SIZE, multiply, prepare, SPARE, toMontgomery } from "./montgomery";
import {
  bitLength, CAPACITY, clear, copy, difference, differenceFromOne, get, lessThan, MAX_BITS, MAX_BYTES, multiplyAdd,
  NUMBER_SIZE, readNumber, remainder, set, subtractOnce, writeNumber,
} from "./number";
import { preparePrimes, Primes, PRIMES_SIZE } from "./power";
import { BLIND, BLINDED, EM, INPUT_NUMBER, MOD_P, MOD_Q } from "./scratch";

/** Slots for keys, public and private ones alike. */
export const RSA_SLOTS: i32 = 4;

/** The shortest modulus and the shortest prime, in bits. */
const MIN_BITS: u32 = 512;
const MIN_PRIME_BITS: u32 = 64;

/** Bytes of SHA-256(d). */
const D_HASH_SIZE: usize = 32;

const EMPTY: u32 = 0;
const PUBLIC: u32 = 1;
const PRIVATE: u32 = 2;

/** The head of a slot. Behind it: n, p, q as moduli, dp, dq, qi, both primes for power.ts, SHA-256(d), n in halves. */
@unmanaged
export class Key {
  kind: u32;
  /** The public exponent. */
  e: u32;
  /** The length of the modulus in bytes. */
  k: u32;
  reserved: u32;

  get n(): Modulus {
    return changetype<Modulus>(changetype<usize>(this) + 16);
  }
  get p(): Modulus {
    return changetype<Modulus>(changetype<usize>(this) + 16 + MODULUS_SIZE);
  }
  get q(): Modulus {
    return changetype<Modulus>(changetype<usize>(this) + 16 + 2 * MODULUS_SIZE);
  }
  get dp(): usize {
    return changetype<usize>(this) + 16 + 3 * MODULUS_SIZE;
  }
  get dq(): usize {
    return this.dp + NUMBER_SIZE;
  }
  get qi(): usize {
    return this.dp + 2 * NUMBER_SIZE;
  }
  get primes(): Primes {
    return changetype<Primes>(this.dp + 3 * NUMBER_SIZE);
  }
  /** SHA-256 of d, written in k bytes: the secret behind implicit rejection. */
  get dHash(): usize {
    return this.dp + 3 * NUMBER_SIZE + PRIMES_SIZE;
  }
  /** n for halves.ts, with relaxed SIMD only. */
  get halves(): Halves {
    return changetype<Halves>(this.dHash + D_HASH_SIZE);
  }
}

const KEY_SIZE: usize = 16 + 3 * MODULUS_SIZE + 3 * NUMBER_SIZE + PRIMES_SIZE + D_HASH_SIZE + HALVES_SIZE;
const KEYS: usize = memory.data(<i32>(KEY_SIZE * RSA_SLOTS), 64);

export function isSlot(slot: i32): bool {
  return <u32>slot < <u32>RSA_SLOTS;
}

export function keyAt(slot: i32): Key {
  return changetype<Key>(KEYS + <usize>slot * KEY_SIZE);
}

export function isPublic(key: Key): bool {
  return key.kind != EMPTY;
}

export function isPrivate(key: Key): bool {
  return key.kind == PRIVATE;
}

export function wipeKey(key: Key): void {
  wipe(changetype<usize>(key), KEY_SIZE);
}

/** Reads n from INPUT. Whether n and e can be a public key. */
export function readPublic(key: Key, length: usize, e: u32): bool {
  wipeKey(key);
  if (length > MAX_BYTES || e < 3 || (e & 1) == 0) return false;
  const n = limbs(key.n);
  readNumber(n, INPUT, length);
  const bits = bitLength(n);
  if (bits < MIN_BITS || bits > MAX_BITS || (get(n, 0) & 1) == 0) return false;
  if (ASC_FEATURE_RELAXED_SIMD) {
    prepare(key.n, HALVES_SPARE);
    prepareHalves(key.halves, key.n);
  } else {
    prepare(key.n, SPARE);
  }
  key.e = e;
  key.k = (bits + 7) >> 3;
  key.kind = PUBLIC;
  return true;
}

/**
 * Whether d and dp fit the prime p: d = dp mod p - 1, and e·dp = 1 mod p - 1; no bits set if so.
 */
function exponentMismatch(e: u32, d: usize, dBits: u32, dp: usize, p: Modulus): u32 {
  const order = MOD_P;
  const product = BLIND;
  const rest = BLINDED;
  copy(order, limbs(p));
  set(order, 0, get(order, 0) - 1);
  remainder(rest, d, dBits, order, p.bits, p.columns);
  let bad = difference(rest, dp, CAPACITY);
  clear(rest);
  set(rest, 0, e & 0xfffffff);
  set(rest, 1, e >> 28);
  clear(product);
  multiplyAdd(product, rest, 2, dp, p.rows);
  remainder(rest, product, p.bits + 32, order, p.bits, p.columns);
  return bad | differenceFromOne(rest, p.columns);
}

/**
 * Reads a private key: n, d, p, q, dp, dq, qi one after the other in INPUT. Whether it is one: sizes,
 * parity, n = p·q, d and dp, d and dq, e, and qi fit together. That p and q are prime is not checked
 * (the result of every private operation is). Only the sizes of the numbers steer what is done.
 */
export function readPrivate(
  key: Key, e: u32, nLength: usize, dLength: usize, pLength: usize, qLength: usize, dpLength: usize, dqLength: usize,
  qiLength: usize,
): bool {
  if (!readPublic(key, nLength, e)) return false;
  const longest = max(max(max(dLength, pLength), max(qLength, dpLength)), max(dqLength, qiLength));
  if (longest > MAX_BYTES) return false;
  const n = key.n;
  const p = key.p;
  const q = key.q;
  const d = INPUT_NUMBER;
  let at = INPUT + nLength;
  readNumber(d, at, dLength);
  readNumber(limbs(p), (at += dLength), pLength);
  readNumber(limbs(q), (at += pLength), qLength);
  readNumber(key.dp, (at += qLength), dpLength);
  readNumber(key.dq, (at += dpLength), dqLength);
  readNumber(key.qi, at + dqLength, qiLength);

  const pBits = bitLength(limbs(p));
  const qBits = bitLength(limbs(q));
  if (pBits < MIN_PRIME_BITS || qBits < MIN_PRIME_BITS) return false;
  if (pBits + qBits != n.bits && pBits + qBits != n.bits + 1) return false;
  prepare(p, SPARE);
  prepare(q, SPARE);

  let bad = ~(get(limbs(p), 0) & get(limbs(q), 0)) & 1;
  clear(MOD_Q);
  multiplyAdd(MOD_Q, limbs(p), p.rows, limbs(q), q.rows);
  bad |= difference(MOD_Q, limbs(n), CAPACITY);
  bad |= ~lessThan(d, limbs(n), CAPACITY);
  bad |= exponentMismatch(e, d, n.bits, key.dp, p);
  bad |= exponentMismatch(e, d, n.bits, key.dq, q);
  // qi·q = 1 mod p, and qi < p
  toMontgomery(MOD_Q, limbs(q), q.rows, p);
  multiply(MOD_Q, MOD_Q, key.qi, p);
  subtractOnce(MOD_Q, limbs(p), p.columns);
  bad |= differenceFromOne(MOD_Q, p.columns);
  bad |= ~lessThan(key.qi, limbs(p), CAPACITY);
  if (bad != 0) return false;
  preparePrimes(key.primes, p, q);

  writeNumber(EM, key.k, d);
  hashBytes(SHA256, EM, key.k, key.dHash);
  key.kind = PRIVATE;
  return true;
}
