// The RSA operations on numbers: RSAEP, and RSADP by the Chinese remainder theorem (RFC 8017, sections
// 5.1.1 and 5.1.2).
//
// Every private operation is blinded with a fresh random r: c·r^e goes into the exponentiations, and r
// is taken out of the result by its inverse. The inverse is computed in constant time (inverse.ts), modulo
// p and modulo q, which is half the work, at some percent of the operation. The classical pair (r^e, 1/r) that
// is squared from use to use would save those, but keep a secret from call to call.
import { Key } from "./key";
import { invert } from "./inverse";
import { raiseHalves } from "./halves";
import { fromMontgomery, limbs, Modulus, multiply, publicPower, rSquared, toMontgomery } from "./montgomery";
import {
  clear, difference, get, LIMB, MASK, multiplyAdd, readNumber, set, subtractOnce,
} from "./number";
import { powerPrimes } from "./power";
import { BLIND, BLINDED, INPUT_NUMBER, MOD_P, MOD_Q, REMAINDER, RESULT } from "./scratch";

/** Random bytes beyond the modulus' length: r mod n is then as good as uniform. */
export const BLINDING_EXTRA: usize = 16;

/** out = x^e mod n, for x < 4n. `out` is not x. */
function raise(out: usize, x: usize, key: Key): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (key.halves.rows != 0) return raiseHalves(out, x, key.e, key.n, key.halves);
  }
  publicPower(out, x, key.e, key.n);
}

/** RESULT = INPUT_NUMBER^e mod n. */
export function publicOperation(key: Key): void {
  raise(RESULT, INPUT_NUMBER, key);
}

/** a = a - b + 4p, for b below 4p. */
function subtractLifted(a: usize, b: usize, p: Modulus): void {
  const n = limbs(p);
  let carry: i32 = 0;
  for (let i: u32 = 0; i < p.columns; i++) {
    carry += <i32>get(a, i) - <i32>get(b, i) + (<i32>get(n, i) << 2);
    set(a, i, <u32>carry & MASK);
    carry >>= LIMB;
  }
}

/** out = x mod m, for x of `count` limbs. */
function reduce(out: usize, x: usize, count: u32, m: Modulus): void {
  toMontgomery(out, x, count, m);
  fromMontgomery(out, out, m);
}

/** out = the number modulo n that is MOD_P modulo p and MOD_Q modulo q (Garner): mq + h·q, h = qi·(mp - mq) mod p. */
function recombine(out: usize, key: Key): void {
  const p = key.p;
  const q = key.q;
  toMontgomery(RESULT, MOD_P, p.rows, p);
  toMontgomery(REMAINDER, MOD_Q, q.rows, p);
  subtractLifted(RESULT, REMAINDER, p);
  multiply(MOD_P, RESULT, key.qi, p);
  subtractOnce(MOD_P, limbs(p), p.columns);
  clear(out);
  memory.copy(out, MOD_Q, <usize>q.rows << 2);
  multiplyAdd(out, MOD_P, p.rows, limbs(q), q.rows);
}

/**
 * RESULT = INPUT_NUMBER^d mod n, for INPUT_NUMBER < n; `random` points at k + BLINDING_EXTRA random
 * bytes. Whether RESULT^e gives INPUT_NUMBER back; if not, the result is of no use to anybody but an
 * attacker (Boneh, DeMillo and Lipton 1997) and must be wiped.
 */
export function privateOperation(key: Key, random: usize): bool {
  const n = key.n;
  const p = key.p;
  const q = key.q;
  // BLIND = r, in the form of montgomery.ts as well as any: uniform modulo n, below 4n
  const randomLength = <usize>key.k + BLINDING_EXTRA;
  readNumber(RESULT, random, randomLength);
  toMontgomery(BLIND, RESULT, (<u32>randomLength * 8 + LIMB - 1) / LIMB, n);

  // BLINDED = c · r^e, with what two products divide by
  raise(BLINDED, BLIND, key);
  multiply(BLINDED, INPUT_NUMBER, BLINDED, n);
  multiply(BLINDED, BLINDED, rSquared(n), n);

  // BLIND = 1/r mod n
  reduce(MOD_P, BLIND, n.rows, p);
  reduce(MOD_Q, BLIND, n.rows, q);
  invert(MOD_P, MOD_P, p);
  invert(MOD_Q, MOD_Q, q);
  recombine(BLIND, key);

  reduce(MOD_P, BLINDED, n.rows, p);
  reduce(MOD_Q, BLINDED, n.rows, q);
  powerPrimes(MOD_P, key.dp, p, MOD_Q, key.dq, q, key.primes);
  recombine(RESULT, key);

  multiply(RESULT, RESULT, BLIND, n);
  multiply(RESULT, RESULT, rSquared(n), n);
  subtractOnce(RESULT, limbs(n), n.columns);

  return isRight(key);
}

/** Whether RESULT^e is INPUT_NUMBER. For RESULT < n. */
export function isRight(key: Key): bool {
  raise(MOD_P, RESULT, key);
  return difference(MOD_P, INPUT_NUMBER, key.n.columns) == 0;
}
