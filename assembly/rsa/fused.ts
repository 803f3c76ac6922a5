// Montgomery products as in lanes.ts, p and q side by side, in digits of 50 bits instead of 24: for
// engines and processors that multiply and add in one step, rounding once. Only relaxed SIMD has that
// operation, and it may round twice: `isFused` says which.
//
// A product of two digits has more bits than an f64, so it is taken in two halves. Added to a number so
// large that its last place is 2^50, it leaves there a multiple of 2^50, rounded; the difference, which
// is exact and has at most 49 bits, comes out of a second fused step. Both halves are then the lowest bits of
// an f64 with a known exponent: such patterns are added up in columns of 64-bit integers, whose start
// takes the exponents away again. Nothing is lost, no digit is compared, and the only numbers are whole ones.
//
// Two products are taken together. Each is at most 2^98, or 2^99 with a doubled digit: the sum stays within
// 2^101 of 1.5 · 2^102, where the exponent is one, and the lower halves, 2^49 each, likewise of 1.5 · 2^52. Of the
// longest moduli a column takes 330 such pairs, less than 2^60.
//
// The modulus is taken times the number that makes it -1 modulo 2^50, as there. With R = 2^(50·rows) at
// least four times such a modulus m, factors between -m and m give a product a·b/R between -m and m:
// m/R of m is at most a quarter, and the multiples of m that are added a half of R and a little.
import { fusedMultiplyAndAdd as fma } from "../simd";
import { wipe } from "../memory";
import { LANES_SIZE, storeZeros } from "./digits";
import { LANE_COLUMNS as COLUMNS } from "./scratch";

/** Bits of a digit: balanced, -2^49 to 2^49 - 1, but for the highest. */
export const FUSED_DIGIT: u32 = 50;

// Constants that are loaded rather than written where they are used, which engines make less of.
// 1.5 · 2^102, whose last place is 2^50; with 1.5 · 2^52 more; and what a digit has too much (see `digit`).
export const CONSTANTS: usize = memory.data<f64>(
  [7605903601369376408980219232256.0, 7605903601369383164379660288000.0, 5066549580791808.0], 16,
);
/** The bits of a digit; and the bits of 2^52. */
const DIGIT_BITS: usize = memory.data<u64>([(1 << 50) - 1, 0x4330000000000000], 16);
/** The bits of 1.5 · 2^102 and of 1.5 · 2^52: what each upper and each lower half has too much. */
export const UPPER_BITS: u64 = 0x4658000000000000;
export const LOWER_BITS: u64 = 0x4338000000000000;
/** In every column, so that it is positive and rounds to the nearest; then the carry has 2^12 too much. */
export const LIFT: u64 = (1 << 62) + (1 << 49);

/** Where columns start, a u64 each: of products, and of squares. Behind the columns there is room. */
const OF_PRODUCTS: usize = COLUMNS + LANES_SIZE;
const OF_SQUARES: usize = OF_PRODUCTS + LANES_SIZE / 2;

/** (1 + 2^-30)², and what is left of it when 1 + 2^-29 are taken away: 2^-60, or nothing if rounded before. */
const PROBE: usize = memory.data<f64>([1.0000000009313226, -1.0000000018626451], 16);

/** Whether products are not rounded before they are added to; the same for as long as the core runs. */
export function isFused(): bool {
  const factor = v128.load64_splat(PROBE);
  const rest = fma(factor, factor, v128.load64_splat(PROBE, 8));
  return i64x2.all_true(rest);
}

/** Digits of a number of so many bits, with R at least four times its multiple of 50 bits more; even. */
export function fusedRowsFor(bits: u32): u32 {
  return ((bits + FUSED_DIGIT + 2 + FUSED_DIGIT - 1) / FUSED_DIGIT + 1) & ~1;
}

/**
 * Where columns start, if a factor's digits are taken two at a time, and begin at every column (shift 1)
 * or at every second (2). A column takes one lower half from each pair of rows that passes it, and one
 * upper half from each that passes the column before.
 */
function prepareStarts(starts: usize, rows: u32, shift: u32): void {
  const last = (rows >> 1) - 1;
  let before: u64 = 0;
  for (let c: u32 = 0; c < 2 * rows + 2; c++, starts += 8) {
    let count = min(last, c >> shift) + min(last, c >> 1) + 2;
    // The multiples of the modulus leave out its lowest digit. From `rows` on, rows end.
    if (c < rows) count -= ~c & 1;
    else count -= 2 * ((c - rows + 1) >> 1);
    if (c >= 2 * rows) count = 0;
    const carry = c == 0 ? 0 : <u64>1 << 12;
    store<u64>(starts, LIFT - carry - count * LOWER_BITS - before * UPPER_BITS);
    before = count;
  }
}

/** Prepares products of so many digits. */
export function beginFused(rows: u32): void {
  prepareStarts(OF_PRODUCTS, rows, 1);
  prepareStarts(OF_SQUARES, rows, 2);
}

/** Clears what `beginFused` prepared, but for the part that halves.ts uses and clears after it. */
export function endFused(rows: u32): void {
  wipe(OF_SQUARES, <usize>(rows + 1) << 4);
}

function startColumns(starts: usize, rows: u32): void {
  const end = COLUMNS + (<usize>(rows + 1) << 5);
  for (let c = COLUMNS; c < end; c += 32, starts += 16) {
    v128.store(c, v128.load64_splat(starts));
    v128.store(c, v128.load64_splat(starts, 8), 16);
  }
}

// @ts-ignore: decorator
@inline
export function plus(a: v128, b: v128): v128 {
  return i64x2.add(a, b);
}

/** The lower half of a product w·x, whose upper half is `high`. */
// @ts-ignore: decorator
@inline
export function low(w: v128, x: v128, high: v128, upperAndLower: v128): v128 {
  return fma(w, x, f64x2.sub(upperAndLower, high));
}

/** The lower halves of w0·x1 + w1·x0; `high1` is the upper half of the first, `high` that of both. */
// @ts-ignore: decorator
@inline
function low2(w0: v128, x1: v128, w1: v128, x0: v128, high1: v128, high: v128, upperAndLower: v128): v128 {
  return f64x2.add(low(w0, x1, high1, upperAndLower), fma(w1, x0, f64x2.sub(high1, high)));
}

/** A column's digit: its lowest bits, below the exponent of 2^52, have 2^52 and half a digit's range too much. */
// @ts-ignore: decorator
@inline
export function digit(t: v128): v128 {
  const bits = v128.and(t, v128.load64_splat(DIGIT_BITS));
  return f64x2.sub(v128.or(bits, v128.load64_splat(DIGIT_BITS, 8)), v128.load64_splat(CONSTANTS, 16));
}

// @ts-ignore: decorator
@inline
export function carryOf(t: v128): v128 {
  return i64x2.shr_u(t, FUSED_DIGIT);
}

/**
 * To each column from `c` on its two products: w0·x[1] + w1·x[0], and so on until `end`, an even number of
 * them. `high` is the upper half that comes from the column before; the column after the last takes one, too.
 */
// @ts-ignore: decorator
@inline
function addRows(
  c: usize, x: usize, end: usize, w0: v128, w1: v128, high: v128, upper: v128, upperAndLower: v128,
): void {
  let x0 = v128.load(x);
  for (; x < end; x += 32, c += 32) {
    const x1 = v128.load(x, 16);
    let high1 = fma(w0, x1, upper);
    const next = fma(w1, x0, high1);
    v128.store(c, plus(plus(v128.load(c), high), low2(w0, x1, w1, x0, high1, next, upperAndLower)));
    x0 = v128.load(x, 32);
    high1 = fma(w0, x0, upper);
    high = fma(w1, x1, high1);
    v128.store(c, plus(plus(v128.load(c, 16), next), low2(w0, x0, w1, x1, high1, high, upperAndLower)), 16);
  }
  v128.store(c, plus(v128.load(c), high));
}

/** COLUMNS = COLUMNS + a · b. */
function addProduct(a: usize, b: usize, rows: u32): void {
  const upper = v128.load64_splat(CONSTANTS);
  const upperAndLower = v128.load64_splat(CONSTANTS, 8);
  const end = a + (<usize>rows << 4);
  const endOfB = b + (<usize>rows << 4);
  const b0 = v128.load(b);
  for (let c = COLUMNS; a < end; a += 32, c += 32) {
    const w0 = v128.load(a);
    const w1 = v128.load(a, 16);
    const high = fma(w0, b0, upper);
    v128.store(c, plus(v128.load(c), low(w0, b0, high, upperAndLower)));
    addRows(c + 16, b, endOfB, w0, w1, high, upper, upperAndLower);
  }
}

/** COLUMNS = COLUMNS + a²: each product of two digits once and doubled. */
function addSquare(a: usize, rows: u32): void {
  const upper = v128.load64_splat(CONSTANTS);
  const upperAndLower = v128.load64_splat(CONSTANTS, 8);
  const end = a + (<usize>rows << 4);
  for (let c = COLUMNS; a < end; a += 32, c += 64) {
    const d0 = v128.load(a);
    const d1 = v128.load(a, 16);
    const d2 = v128.load(a, 32);
    const w0 = f64x2.add(d0, d0);
    const w1 = f64x2.add(d1, d1);
    const high0 = fma(d0, d0, upper);
    v128.store(c, plus(v128.load(c), low(d0, d0, high0, upperAndLower)));
    const high1 = fma(w0, d1, upper);
    v128.store(c, plus(plus(v128.load(c, 16), high0), low(w0, d1, high1, upperAndLower)), 16);
    const high2 = fma(w0, d2, upper);
    const high = fma(d1, d1, high2);
    v128.store(c, plus(plus(v128.load(c, 32), high1), low2(w0, d2, d1, d1, high2, high, upperAndLower)), 32);
    addRows(c + 48, a + 32, end, w0, w1, high, upper, upperAndLower);
  }
}

/** out = `rows` columns from `c` on, carried: digits. Four zeros follow. */
function writeColumns(out: usize, c: usize, rows: u32): void {
  let carry = i64x2.splat(0);
  for (const end = out + (<usize>rows << 4); out < end; out += 16, c += 16) {
    const t = plus(v128.load(c), carry);
    v128.store(out, digit(t));
    carry = carryOf(t);
  }
  storeZeros(out);
}

/**
 * out = COLUMNS / R mod m. Each turn completes two columns with the multiples of m that the turn before
 * found, finds the next two from them, and only then takes the former through the other columns.
 */
function reduceColumns(out: usize, m: usize, rows: u32): void {
  const upper = v128.load64_splat(CONSTANTS);
  const upperAndLower = v128.load64_splat(CONSTANTS, 8);
  const end = COLUMNS + (<usize>rows << 4);
  const endOfModulus = m + (<usize>rows << 4);
  const m1 = v128.load(m, 16);
  const m2 = v128.load(m, 32);
  const m3 = v128.load(m, 48);
  const m4 = v128.load(m, 64);
  let c = COLUMNS;
  let t0 = v128.load(c);
  let q0 = digit(t0);
  let high1 = fma(q0, m1, upper);
  let t1 = plus(plus(v128.load(c, 16), carryOf(t0)), low(q0, m1, high1, upperAndLower));
  let q1 = digit(t1);
  for (c += 32; ; c += 32) {
    const w0 = q0;
    const w1 = q1;
    let high = fma(w0, m2, upper);
    const high2 = fma(w1, m1, high);
    t0 = plus(plus(v128.load(c), carryOf(t1)), high1);
    t0 = plus(t0, low2(w0, m2, w1, m1, high, high2, upperAndLower));
    high = fma(w0, m3, upper);
    const high3 = fma(w1, m2, high);
    t1 = plus(plus(v128.load(c, 16), high2), low2(w0, m3, w1, m2, high, high3, upperAndLower));
    if (c == end) {
      v128.store(c, t0);
      v128.store(c, t1, 16);
    }
    q0 = digit(t0);
    high1 = fma(q0, m1, upper);
    t1 = plus(plus(t1, carryOf(t0)), low(q0, m1, high1, upperAndLower));
    q1 = digit(t1);
    high = fma(w0, m4, upper);
    const high4 = fma(w1, m3, high);
    v128.store(c, plus(plus(v128.load(c, 32), high3), low2(w0, m4, w1, m3, high, high4, upperAndLower)), 32);
    addRows(c + 48, m + 64, endOfModulus, w0, w1, high4, upper, upperAndLower);
    if (c == end) break;
  }
  writeColumns(out, c, rows);
}

/** out = a · b / R mod m; see above for the bounds. `out` may be a or b. */
export function multiplyFused(out: usize, a: usize, b: usize, m: usize, rows: u32): void {
  startColumns(OF_PRODUCTS, rows);
  addProduct(a, b, rows);
  reduceColumns(out, m, rows);
}

/** out = a² / R mod m. `out` may be a. */
export function squareFused(out: usize, a: usize, m: usize, rows: u32): void {
  startColumns(OF_SQUARES, rows);
  addSquare(a, rows);
  reduceColumns(out, m, rows);
}
