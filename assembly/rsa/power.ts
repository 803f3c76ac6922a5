// Exponentiation with secret exponents, modulo both primes at once (lanes.ts): windows of five bits,
// whatever stands in them, and every look-up reads the whole table.
import { zero } from "../simd";
import { LANES_SIZE, readLane, setOne, writeLane } from "./digits";
import {
  beginFused, endFused, FUSED_DIGIT, fusedRowsFor, isFused, multiplyFused, squareFused,
} from "./fused";
import { DIGIT, multiplyLanes, rowsFor, squareLanes } from "./lanes";
import { fromMontgomery, Modulus, toMontgomery } from "./montgomery";
import { minusOneMultiple, squaredPower } from "./multiples";
import { bit, LIMB } from "./number";
import { LANE_BASE, LANE_POWER, RESULT, TABLE, TABLE_ENTRIES, wipeLanes } from "./scratch";

/** Bits of an exponent that one look-up takes. */
const WINDOW: u32 = 5;

/** Both primes, prepared: how many digits, their multiples as the kernel wants them, and R² modulo each. */
@unmanaged
export class Primes {
  rows: u32;
  /** Bits of the longer one. */
  bits: u32;
  /** Bits of a digit, and so which kernel: lanes.ts or fused.ts. */
  digit: u32;

  get moduli(): usize {
    return changetype<usize>(this) + 16;
  }
  get rSquared(): usize {
    return changetype<usize>(this) + 16 + LANES_SIZE;
  }
}

export const PRIMES_SIZE: usize = 16 + 2 * LANES_SIZE;

// @ts-ignore: decorator
@inline
function isOfFused(primes: Primes): bool {
  return ASC_FEATURE_RELAXED_SIMD && primes.digit == FUSED_DIGIT;
}

/** out = a · b / R modulo both. */
function multiplyBoth(out: usize, a: usize, b: usize, primes: Primes): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (isOfFused(primes)) return multiplyFused(out, a, b, primes.moduli, primes.rows);
  }
  multiplyLanes(out, a, b, primes.moduli, primes.rows);
}

/** out = a² / R modulo both. */
function squareBoth(out: usize, a: usize, primes: Primes): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (isOfFused(primes)) return squareFused(out, a, primes.moduli, primes.rows);
  }
  squareLanes(out, a, primes.moduli, primes.rows);
}

function prepareLane(primes: Primes, lane: u32, m: Modulus): void {
  const rows = primes.rows;
  const digit = primes.digit;
  minusOneMultiple(m, digit);
  writeLane(primes.moduli, lane, RESULT, rows, digit);
  squaredPower(m, digit * rows);
  writeLane(primes.rSquared, lane, RESULT, rows, digit);
}

/** Prepares p and q, which are prepared moduli already. */
export function preparePrimes(primes: Primes, p: Modulus, q: Modulus): void {
  primes.bits = max(p.bits, q.bits);
  primes.digit = DIGIT;
  primes.rows = rowsFor(primes.bits);
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (isFused()) {
      primes.digit = FUSED_DIGIT;
      primes.rows = fusedRowsFor(primes.bits);
    }
  }
  prepareLane(primes, 0, p);
  prepareLane(primes, 1, q);
}

/** Bytes of an entry: of eight digits as f32, which has just 24 bits, or of four as f64; both are 64. */
// @ts-ignore: decorator
@inline
function stride(primes: Primes): usize {
  const rows = <usize>primes.rows;
  return isOfFused(primes) ? ((rows + 3) >> 2) << 6 : ((rows + 7) >> 3) << 6;
}

/** Keeps a number in the table. */
function keep(entry: u32, number: usize, primes: Primes): void {
  const step = stride(primes);
  let to = TABLE + <usize>entry * step;
  if (isOfFused(primes)) {
    memory.copy(to, number, step);
    return;
  }
  for (const end = number + (<usize>primes.rows << 4); number < end; number += 16, to += 8) {
    v128.store64_lane(to, f32x4.demote_f64x2_zero(v128.load(number)), 0);
  }
}

// @ts-ignore: decorator
@inline
function widen(out: usize, digits: v128): void {
  v128.store(out, f64x2.promote_low_f32x4(digits));
  const upper = i64x2.shuffle(digits, digits, 1, 1);
  v128.store(out, f64x2.promote_low_f32x4(upper), 16);
}

/** out = in each lane its entry of the table; reads all of them. */
function choose(out: usize, p: u32, q: u32, primes: Primes): void {
  const step = stride(primes);
  const one = i32x4.splat(1);
  let wanted: v128;
  // Where the digits of p and of q stand: f64, or f32.
  if (isOfFused(primes)) wanted = i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(p), 2, q), 3, q);
  else wanted = i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(p), 1, q), 3, q);
  for (let at: usize = 0; at < step; at += 64) {
    let chosen0 = zero();
    let chosen1 = zero();
    let chosen2 = zero();
    let chosen3 = zero();
    let number = zero();
    let entry = TABLE + at;
    for (let i: u32 = 0; i < TABLE_ENTRIES; i++, entry += step) {
      const mask = i32x4.eq(number, wanted);
      chosen0 = v128.or(chosen0, v128.and(v128.load(entry), mask));
      chosen1 = v128.or(chosen1, v128.and(v128.load(entry, 16), mask));
      chosen2 = v128.or(chosen2, v128.and(v128.load(entry, 32), mask));
      chosen3 = v128.or(chosen3, v128.and(v128.load(entry, 48), mask));
      number = i32x4.add(number, one);
    }
    if (isOfFused(primes)) {
      v128.store(out, chosen0);
      v128.store(out, chosen1, 16);
      v128.store(out, chosen2, 32);
      v128.store(out, chosen3, 48);
      out += 64;
    } else {
      widen(out, chosen0);
      widen(out + 32, chosen1);
      widen(out + 64, chosen2);
      widen(out + 96, chosen3);
      out += 128;
    }
  }
}

/** Bits `at` to `at` + 4 of an exponent. */
function window(exponent: usize, at: u32): u32 {
  let bits: u32 = 0;
  for (let i: u32 = 0; i < WINDOW; i++) bits |= bit(exponent, at + i) << i;
  return bits;
}

/** out = one lane of LANE_BASE modulo its prime. */
function takeLane(out: usize, lane: u32, primes: Primes, m: Modulus): void {
  readLane(RESULT, lane, LANE_BASE, primes.moduli, primes.rows, primes.digit);
  toMontgomery(out, RESULT, (primes.rows * primes.digit + LIMB) / LIMB, m);
  fromMontgomery(out, out, m);
}

/** p's x = x^dp mod p, and q's y = y^dq mod q: numbers below p and q before and after. */
export function powerPrimes(
  x: usize, dp: usize, p: Modulus, y: usize, dq: usize, q: Modulus, primes: Primes,
): void {
  const rows = primes.rows;
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (isOfFused(primes)) beginFused(rows);
  }
  writeLane(LANE_POWER, 0, x, rows, primes.digit);
  writeLane(LANE_POWER, 1, y, rows, primes.digit);
  multiplyBoth(LANE_BASE, LANE_POWER, primes.rSquared, primes);
  setOne(LANE_POWER, rows);
  multiplyBoth(LANE_POWER, LANE_POWER, primes.rSquared, primes);
  keep(0, LANE_POWER, primes);
  for (let entry: u32 = 1; entry < TABLE_ENTRIES; entry++) {
    multiplyBoth(LANE_POWER, LANE_POWER, LANE_BASE, primes);
    keep(entry, LANE_POWER, primes);
  }
  let at = ((primes.bits + WINDOW - 1) / WINDOW - 1) * WINDOW;
  choose(LANE_POWER, window(dp, at), window(dq, at), primes);
  while (at > 0) {
    at -= WINDOW;
    for (let i: u32 = 0; i < WINDOW; i++) squareBoth(LANE_POWER, LANE_POWER, primes);
    choose(LANE_BASE, window(dp, at), window(dq, at), primes);
    multiplyBoth(LANE_POWER, LANE_POWER, LANE_BASE, primes);
  }
  setOne(LANE_BASE, rows);
  multiplyBoth(LANE_BASE, LANE_POWER, LANE_BASE, primes);
  takeLane(x, 0, primes, p);
  takeLane(y, 1, primes, q);
  wipeLanes(rows, <usize>TABLE_ENTRIES * stride(primes));
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (isOfFused(primes)) endFused(rows);
  }
}
