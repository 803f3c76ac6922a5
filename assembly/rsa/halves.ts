// x^e modulo one number, for the public operation: with digits of 50 bits and the halves of products of
// fused.ts. The number's lower digits stand in one lane and its upper ones in the other. A digit of a factor
// (or the quotient that takes a multiple of the modulus), in both lanes, times all of these goes to columns
// that are as far apart: the vector at c has a part of column c and one of column c + half. So column c is
// the sum of the lower lane at c and the upper lane at c - half.
import { wipe } from "../memory";
import { fusedMultiplyAndAdd as fma, zero } from "../simd";
import { LANES_SIZE, readDigits, writeDigits } from "./digits";
import {
  carryOf, CONSTANTS, digit, FUSED_DIGIT, isFused, LIFT, low, LOWER_BITS, plus, UPPER_BITS,
} from "./fused";
import { limbs, Modulus, multiply, rSquared } from "./montgomery";
import { minusOneMultiple, squaredPower } from "./multiples";
import { clear, copy, NUMBER_SIZE, set, subtractOnce } from "./number";
import { LANE_BASE, LANE_COLUMNS, LANE_POWER, ONE, REMAINDER, RESULT } from "./scratch";

/** Bytes of a number: up to 166 digits in each lane, and a zero behind them. */
const SIZE: usize = 168 * 16;

/** A modulus, prepared. */
@unmanaged
export class Halves {
  /** Digits of a number, a multiple of four, so that R = 2^(50·rows); 0 if products are not fused. */
  rows: u32;

  /** The multiple that is -1 modulo 2^50, but with 0 as its lowest digit, whose products are not needed. */
  get modulus(): usize {
    return changetype<usize>(this) + 16;
  }
  /** R² modulo the modulus. */
  get rSquared(): usize {
    return changetype<usize>(this) + 16 + SIZE;
  }
  /** 1 in the form of montgomery.ts, limbs. */
  get one(): usize {
    return changetype<usize>(this) + 16 + 2 * SIZE;
  }
}

export const HALVES_SIZE: usize = 16 + 2 * SIZE + NUMBER_SIZE;

/** Bits that the modulus must have to spare in montgomery.ts: a result is a number below 2^51 times it. */
export const HALVES_SPARE: u32 = 52;

const X: usize = LANE_BASE;
const X_TIMES_R: usize = LANE_BASE + SIZE;
const POWER: usize = LANE_POWER;
/** `half` zeros, then the columns: as many in the lower lane as digits, and half of that more. */
const BEFORE: usize = LANE_COLUMNS;
/** Where columns start. */
const STARTS: usize = LANE_COLUMNS + LANES_SIZE;

/** Prepares the modulus; does nothing where products are not fused. */
export function prepareHalves(halves: Halves, n: Modulus): void {
  if (!isFused()) return;
  const rows = ((n.bits + FUSED_DIGIT + 2 + FUSED_DIGIT - 1) / FUSED_DIGIT + 3) & ~3;
  halves.rows = rows;
  minusOneMultiple(n, FUSED_DIGIT);
  writeDigits(halves.modulus, RESULT, rows, rows >> 1, FUSED_DIGIT);
  store<f64>(halves.modulus, 0);
  squaredPower(n, FUSED_DIGIT * rows);
  writeDigits(halves.rSquared, RESULT, rows, rows >> 1, FUSED_DIGIT);
  clear(ONE);
  set(ONE, 0, 1);
  multiply(halves.one, ONE, rSquared(n), n);
  subtractOnce(halves.one, limbs(n), n.columns);
}

/**
 * As `prepareStarts` of fused.ts: in both lanes a column takes one lower half from each turn that passes it,
 * and one upper half from each that passes the column before. A column is lifted in one lane only.
 */
function prepareStarts(rows: u32): void {
  const half = rows >> 1;
  let before: u64 = 0;
  let to = STARTS;
  for (let c: u32 = 0; c < rows + half; c++, to += 16) {
    const ended = c < half ? 0 : (c - half + 1) >> 1;
    const count = min(half - 1, c >> 1) + 1 - ended;
    const taken = count * LOWER_BITS + before * UPPER_BITS;
    const lift = LIFT - (c == 0 ? 0 : <u64>1 << 12);
    store<u64>(to, (c < rows ? lift : 0) - taken);
    store<u64>(to, (c < half ? 0 : lift) - taken, 8);
    before = count;
  }
}

/** A digit from the lower lane in both. */
// @ts-ignore: decorator
@inline
function lowerDigit(t: v128): v128 {
  return f64x2.splat(f64x2.extract_lane(digit(t), 0));
}

/** The lower half of the product w·x, by which the upper half grew from `before` to `after`. */
// @ts-ignore: decorator
@inline
function more(w: v128, x: v128, before: v128, after: v128): v128 {
  return fma(w, x, f64x2.sub(before, after));
}

/**
 * out = a · b / R mod m, between -m and m if a and b are. `out` may be a or b. Each turn takes two digits of
 * a, finds the two quotients that make the lowest two columns vanish, and adds what all four bring.
 */
function multiplyHalves(out: usize, a: usize, b: usize, m: usize, rows: u32): void {
  const upper = v128.load64_splat(CONSTANTS);
  const upperAndLower = v128.load64_splat(CONSTANTS, 8);
  const half = <usize>rows << 3;
  let c = BEFORE;
  for (; c < BEFORE + half; c += 16) v128.store(c, zero());
  const endOfStart = c + 3 * half;
  for (let from = STARTS; c < endOfStart; c += 16, from += 16) v128.store(c, v128.load(from));

  const b0 = v128.load(b);
  const b1 = v128.load(b, 16);
  const m0 = v128.load(m);
  const m1 = v128.load(m, 16);
  const endOfModulus = m + half;
  let carry = zero();
  c = BEFORE + half;
  for (let lane: usize = 0; lane < 16; lane += 8) {
    let from = a + lane;
    for (const end = from + half; from < end; from += 32, c += 32) {
      const w0 = v128.load64_splat(from);
      const w1 = v128.load64_splat(from, 16);
      const past = c - half;
      let high1 = fma(w0, b0, upper);
      let lows = low(w0, b0, high1, upperAndLower);
      let t = plus(plus(v128.load64_zero(c), v128.load64_zero(past, 8)), plus(carry, lows));
      const q0 = lowerDigit(t);
      let high = fma(q0, m0, high1);
      v128.store(c, plus(v128.load(c), f64x2.add(lows, more(q0, m0, high1, high))));

      carry = plus(carryOf(t), high);
      high1 = fma(w0, b1, upper);
      let high2 = fma(w1, b0, high1);
      let high3 = fma(q0, m1, high2);
      lows = f64x2.add(low(w0, b1, high1, upperAndLower), more(w1, b0, high1, high2));
      lows = f64x2.add(lows, more(q0, m1, high2, high3));
      t = plus(plus(v128.load64_zero(c, 16), v128.load64_zero(past, 24)), plus(carry, lows));
      const q1 = lowerDigit(t);
      carry = carryOf(t);
      const column = plus(v128.load(c, 16), high);
      high = fma(q1, m0, high3);
      v128.store(c, plus(column, f64x2.add(lows, more(q1, m0, high3, high))), 16);

      let x0 = b1;
      let y0 = m1;
      let to = c + 32;
      for (let x = b + 32, y = m + 32; y <= endOfModulus; x += 16, y += 16, to += 16) {
        // In an order that needs few registers
        const column = plus(v128.load(to), high);
        const x1 = v128.load(x);
        high1 = fma(w0, x1, upper);
        lows = low(w0, x1, high1, upperAndLower);
        high2 = fma(w1, x0, high1);
        lows = f64x2.add(lows, more(w1, x0, high1, high2));
        x0 = x1;
        const y1 = v128.load(y);
        high3 = fma(q0, y1, high2);
        lows = f64x2.add(lows, more(q0, y1, high2, high3));
        high = fma(q1, y0, high3);
        lows = f64x2.add(lows, more(q1, y0, high3, high));
        y0 = y1;
        v128.store(to, plus(column, lows));
      }
      v128.store(to, plus(v128.load(to), high));
    }
  }

  for (const end = c + half; c < end; c += 16, out += 16) {
    const t = plus(plus(v128.load64_zero(c), v128.load64_zero(c - half, 8)), carry);
    v128.store64_lane(out, digit(t), 0);
    carry = carryOf(t);
  }
  v128.store(out, zero());
  out -= half;
  for (const end = c + half; c < end; c += 16, out += 16) {
    const t = plus(v128.load64_zero(c - half, 8), carry);
    v128.store64_lane(out, digit(t), 0, 8);
    carry = carryOf(t);
  }
}

/** out = x^e mod n, limbs, for an odd e ≥ 3 and x < 4n. `out` may be x. */
export function raiseHalves(out: usize, x: usize, e: u32, n: Modulus, halves: Halves): void {
  const rows = halves.rows;
  const half = rows >> 1;
  const m = halves.modulus;
  prepareStarts(rows);
  writeDigits(X, x, rows, half, FUSED_DIGIT);
  v128.store(X + (<usize>half << 4), zero());
  multiplyHalves(X_TIMES_R, X, halves.rSquared, m, rows);
  memory.copy(POWER, X_TIMES_R, SIZE);
  // The last factor is x itself, which leaves Montgomery's form.
  for (let i = 31 - clz(e); i > 0; i--) {
    multiplyHalves(POWER, POWER, POWER, m, rows);
    if ((e >> (i - 1)) & 1) multiplyHalves(POWER, POWER, i == 1 ? X : X_TIMES_R, m, rows);
  }
  // The modulus lacks its lowest digit, -1.
  store<f64>(POWER, load<f64>(POWER) - 1);
  readDigits(REMAINDER, POWER, m, rows, half, FUSED_DIGIT);
  multiply(out, REMAINDER, halves.one, n);
  subtractOnce(out, limbs(n), n.columns);
  wipe(LANE_BASE, 2 * SIZE);
  wipe(POWER, SIZE);
  wipe(BEFORE, <usize>rows << 5);
  wipe(STARTS, <usize>(rows + half) << 4);
}
