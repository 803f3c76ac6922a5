// Exponentiation with secret exponents, modulo both primes at once (lanes.ts): windows of five bits,
// whatever stands in them, and every look-up reads the whole table.
import { permute, zero } from "../simd";
import {
  DIGIT, LANES_SIZE, multiplyLanes, readLane, rowsFor, squareLanes, writeLane,
} from "./lanes";
import { fromMontgomery, limbs, Modulus, square, toMontgomery } from "./montgomery";
import { bit, clear, LIMB, multiplyAdd, set, subtractOnce } from "./number";
import { LANE_BASE, LANE_POWER, REMAINDER, RESULT, TABLE, TERM, wipeLanes } from "./scratch";

const WINDOW: u32 = 5;
const ENTRIES: u32 = 32;

/** Both primes, prepared: how many digits, their multiples as lanes.ts wants them, and R² modulo each. */
@unmanaged
export class Primes {
  rows: u32;
  /** Bits of the longer one. */
  bits: u32;

  get moduli(): usize {
    return changetype<usize>(this) + 16;
  }
  get rSquared(): usize {
    return changetype<usize>(this) + 16 + LANES_SIZE;
  }
}

export const PRIMES_SIZE: usize = 16 + 2 * 704 * 16;

function prepareLane(primes: Primes, lane: u32, m: Modulus): void {
  const rows = primes.rows;
  // The multiple that is -1 modulo 2^24
  clear(TERM);
  set(TERM, 0, m.inverse & ((1 << DIGIT) - 1));
  clear(RESULT);
  multiplyAdd(RESULT, limbs(m), m.rows, TERM, 1);
  writeLane(primes.moduli, lane, RESULT, rows);
  // 2^(48·rows) as the square of what 2^h is in Montgomery's form there: r² · 2^(2h) / r, r = 2^(28·m.rows)
  const half = DIGIT * rows - (LIMB / 2) * m.rows;
  clear(REMAINDER);
  set(REMAINDER, half / LIMB, 1 << (half % LIMB));
  toMontgomery(RESULT, REMAINDER, half / LIMB + 1, m);
  square(RESULT, RESULT, m);
  subtractOnce(RESULT, limbs(m), m.columns);
  writeLane(primes.rSquared, lane, RESULT, rows);
}

/** Prepares p and q, which are prepared moduli already. */
export function preparePrimes(primes: Primes, p: Modulus, q: Modulus): void {
  primes.bits = max(p.bits, q.bits);
  primes.rows = rowsFor(primes.bits);
  prepareLane(primes, 0, p);
  prepareLane(primes, 1, q);
}

/** Keeps digits as f32, which has just as many bits as they need. */
function keep(entry: u32, number: usize, rows: u32): void {
  let to = TABLE + <usize>entry * stride(rows);
  for (const end = number + (<usize>rows << 4); number < end; number += 16, to += 8) {
    v128.store64_lane(to, f32x4.demote_f64x2_zero(v128.load(number)), 0);
  }
}

/** Bytes of an entry: looked up are eight digits at a time. */
// @ts-ignore: decorator
@inline
function stride(rows: u32): usize {
  return (<usize>(rows + 7) >> 3) << 6;
}

// @ts-ignore: decorator
@inline
function widen(out: usize, digits: v128): void {
  v128.store(out, f64x2.promote_low_f32x4(digits));
  const upper = permute(digits, i8x16(8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
  v128.store(out, f64x2.promote_low_f32x4(upper), 16);
}

/** out = in each lane its entry of the table; reads all of them. */
function choose(out: usize, p: u32, q: u32, rows: u32): void {
  const step = stride(rows);
  const one = i32x4.splat(1);
  const wanted = i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(p), 1, q), 3, q);
  for (let at: usize = 0; at < step; at += 64, out += 128) {
    let chosen0 = zero();
    let chosen1 = zero();
    let chosen2 = zero();
    let chosen3 = zero();
    let number = zero();
    let entry = TABLE + at;
    for (let i: u32 = 0; i < ENTRIES; i++, entry += step) {
      const mask = i32x4.eq(number, wanted);
      chosen0 = v128.or(chosen0, v128.and(v128.load(entry), mask));
      chosen1 = v128.or(chosen1, v128.and(v128.load(entry, 16), mask));
      chosen2 = v128.or(chosen2, v128.and(v128.load(entry, 32), mask));
      chosen3 = v128.or(chosen3, v128.and(v128.load(entry, 48), mask));
      number = i32x4.add(number, one);
    }
    widen(out, chosen0);
    widen(out + 32, chosen1);
    widen(out + 64, chosen2);
    widen(out + 96, chosen3);
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
  readLane(RESULT, lane, LANE_BASE, primes.moduli, primes.rows);
  toMontgomery(out, RESULT, (primes.rows * DIGIT + LIMB) / LIMB, m);
  fromMontgomery(out, out, m);
}

/** p's x = x^dp mod p, and q's y = y^dq mod q: numbers below p and q before and after. */
export function powerPrimes(
  x: usize, dp: usize, p: Modulus, y: usize, dq: usize, q: Modulus, primes: Primes,
): void {
  const rows = primes.rows;
  const m = primes.moduli;
  writeLane(LANE_POWER, 0, x, rows);
  writeLane(LANE_POWER, 1, y, rows);
  multiplyLanes(LANE_BASE, LANE_POWER, primes.rSquared, m, rows);
  setOne(LANE_POWER, rows);
  multiplyLanes(LANE_POWER, LANE_POWER, primes.rSquared, m, rows);
  keep(0, LANE_POWER, rows);
  for (let entry: u32 = 1; entry < ENTRIES; entry++) {
    multiplyLanes(LANE_POWER, LANE_POWER, LANE_BASE, m, rows);
    keep(entry, LANE_POWER, rows);
  }
  let at = ((primes.bits + WINDOW - 1) / WINDOW - 1) * WINDOW;
  choose(LANE_POWER, window(dp, at), window(dq, at), rows);
  while (at > 0) {
    at -= WINDOW;
    for (let i: u32 = 0; i < WINDOW; i++) squareLanes(LANE_POWER, LANE_POWER, m, rows);
    choose(LANE_BASE, window(dp, at), window(dq, at), rows);
    multiplyLanes(LANE_POWER, LANE_POWER, LANE_BASE, m, rows);
  }
  setOne(LANE_BASE, rows);
  multiplyLanes(LANE_BASE, LANE_POWER, LANE_BASE, m, rows);
  takeLane(x, 0, primes, p);
  takeLane(y, 1, primes, q);
  wipeLanes(rows);
}

/** out = 1 in both lanes. */
function setOne(out: usize, rows: u32): void {
  const end = out + (<usize>(rows + 4) << 4);
  v128.store(out, f64x2.splat(1));
  for (out += 16; out < end; out += 16) v128.store(out, zero());
}
