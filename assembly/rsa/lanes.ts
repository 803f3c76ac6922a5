// Montgomery products modulo two numbers side by side: what is done modulo p in one lane of every
// vector is done modulo q in the other, so that no lane is ever moved into another.
//
//            p's lane   q's lane
//   x[0]     digit 0    digit 0        a number is `rows` vectors, the least significant digits first
//   x[1]     digit 1    digit 1
//    …
//                                      c[0]  c[1]  c[2]  c[3]  c[4]  …      columns of a product: c[i + j] takes
//   a[0] times b[0], b[1], b[2] …        ●     ●     ●     ●     ●          a[i] · b[j], in both lanes at once
//   a[1]                                       ●     ●     ●     ●
//   a[2]                                             ●     ●     ●          four digits of a are taken together
//   a[3]                                                   ●     ●          (`addProducts`: w0 to w3)
//
// Digits have 24 bits and are balanced, -2^23 to 2^23 (and a little more: carries are let be once they
// are small). Each is a whole number in an f64. A product of two has 46 bits, and as long as sums stay
// below 2^53 all of this is exact, fused or not. WebAssembly has no vector product of integers that is
// as fast; and only zeros and whole numbers occur, which processors take equally fast.
//
// Each modulus is taken times the number that makes it -1 modulo 2^24. Then the lowest digit of a sum is
// the multiple of the modulus that makes that digit vanish, and nothing has to be multiplied to find it.
// With R = 2^(24·rows) at least eight times such a modulus m, factors between -m and m give a product
// a·b/R between -m and m.
import { multiplyAndAdd, zero } from "../simd";
import { storeZeros } from "./digits";
import { LANE_COLUMNS as COLUMNS } from "./scratch";

/** Bits of a digit. */
export const DIGIT: u32 = 24;

/** Blocks of four rows after which columns must be carried: 60 · 2 products of 46 bits fit in 53. */
const LAZY_BLOCKS: u32 = 15;

// 1.5 · 2^76: added and taken away again, it leaves the nearest multiple of 2^24. And 2^-24. Loaded rather
// than written where they are used: engines then keep them in registers.
const CONSTANTS: usize = memory.data<f64>([113336795588871485128704.0, 0.000000059604644775390625], 16);

// @ts-ignore: decorator
@inline
function rounded(x: v128, rounder: v128): v128 {
  return f64x2.sub(f64x2.add(x, rounder), rounder);
}

/** `x`, of which a carry of `high` was taken, and a carry that came in. */
// @ts-ignore: decorator
@inline
function carried(x: v128, high: v128, carry: v128): v128 {
  return f64x2.add(f64x2.sub(x, high), carry);
}

/** Sets `count` columns, a multiple of four, to 0. */
function clearColumns(count: u32): void {
  const end = COLUMNS + (<usize>count << 4);
  for (let c = COLUMNS; c < end; c += 64) storeZeros(c);
}

/** Carries from each of the columns to the next one, once; the last keeps what it has. */
function carryColumns(c: usize, end: usize): void {
  const rounder = v128.load64_splat(CONSTANTS);
  const down = v128.load64_splat(CONSTANTS, 8);
  let carry = zero();
  for (end -= 16; c < end; c += 16) {
    const x = v128.load(c);
    const high = rounded(x, rounder);
    v128.store(c, carried(x, high, carry));
    carry = f64x2.mul(high, down);
  }
  v128.store(c, f64x2.add(v128.load(c), carry));
}

/** out = `rows` columns from `c` on, carried twice: digits. Four zeros follow. */
function writeColumns(out: usize, c: usize, rows: u32): void {
  const rounder = v128.load64_splat(CONSTANTS);
  const down = v128.load64_splat(CONSTANTS, 8);
  let carry1 = zero();
  let carry2 = zero();
  for (const end = out + (<usize>(rows - 1) << 4); out < end; out += 16, c += 16) {
    const x = v128.load(c);
    const high1 = rounded(x, rounder);
    const y = carried(x, high1, carry1);
    const high2 = rounded(y, rounder);
    v128.store(out, carried(y, high2, carry2));
    carry1 = f64x2.mul(high1, down);
    carry2 = f64x2.mul(high2, down);
  }
  v128.store(out, f64x2.add(v128.load(c), f64x2.add(carry1, carry2)));
  storeZeros(out + 16);
}

/** Four columns, and to each of them four products: the one at c + j takes w0·x[j + 4] to w3·x[j + 1]. */
// @ts-ignore: decorator
@inline
function addProducts(c: usize, x: usize, w0: v128, w1: v128, w2: v128, w3: v128): void {
  let c0 = v128.load(c);
  let c1 = v128.load(c, 16);
  let c2 = v128.load(c, 32);
  let c3 = v128.load(c, 48);
  let digit = v128.load(x, 112);
  c3 = multiplyAndAdd(w0, digit, c3);
  digit = v128.load(x, 96);
  c2 = multiplyAndAdd(w0, digit, c2);
  c3 = multiplyAndAdd(w1, digit, c3);
  digit = v128.load(x, 80);
  c1 = multiplyAndAdd(w0, digit, c1);
  c2 = multiplyAndAdd(w1, digit, c2);
  c3 = multiplyAndAdd(w2, digit, c3);
  digit = v128.load(x, 64);
  c0 = multiplyAndAdd(w0, digit, c0);
  c1 = multiplyAndAdd(w1, digit, c1);
  c2 = multiplyAndAdd(w2, digit, c2);
  c3 = multiplyAndAdd(w3, digit, c3);
  digit = v128.load(x, 48);
  c0 = multiplyAndAdd(w1, digit, c0);
  c1 = multiplyAndAdd(w2, digit, c1);
  c2 = multiplyAndAdd(w3, digit, c2);
  digit = v128.load(x, 32);
  c0 = multiplyAndAdd(w2, digit, c0);
  c1 = multiplyAndAdd(w3, digit, c1);
  digit = v128.load(x, 16);
  c0 = multiplyAndAdd(w3, digit, c0);
  v128.store(c, c0);
  v128.store(c, c1, 16);
  v128.store(c, c2, 32);
  v128.store(c, c3, 48);
}

/** COLUMNS = a · b, 2·rows columns. */
function productColumns(a: usize, b: usize, rows: u32): void {
  const end = a + (<usize>rows << 4);
  const size = <usize>rows << 4;
  const endOfColumns = COLUMNS + 2 * size;
  let lazy: u32 = 0;
  for (let c = COLUMNS; a < end; a += 64, c += 64) {
    const a0 = v128.load(a);
    const a1 = v128.load(a, 16);
    const a2 = v128.load(a, 32);
    const a3 = v128.load(a, 48);
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const b2 = v128.load(b, 32);
    v128.store(c, multiplyAndAdd(a0, b0, v128.load(c)));
    v128.store(c, multiplyAndAdd(a0, b1, multiplyAndAdd(a1, b0, v128.load(c, 16))), 16);
    v128.store(
      c, multiplyAndAdd(a0, b2, multiplyAndAdd(a1, b1, multiplyAndAdd(a2, b0, v128.load(c, 32)))), 32,
    );
    let x = b - 16;
    const last = x + size;
    for (let to = c + 48; x < last; x += 64, to += 64) addProducts(to, x, a0, a1, a2, a3);
    if (++lazy == LAZY_BLOCKS) {
      carryColumns(c, endOfColumns);
      lazy = 0;
    }
  }
}

/** COLUMNS = a², 2·rows columns: each product of two digits once and doubled. */
function squareColumns(a: usize, rows: u32): void {
  const end = a + (<usize>rows << 4);
  const endOfColumns = COLUMNS + (<usize>rows << 5);
  let lazy: u32 = 0;
  for (let c = COLUMNS; a < end; a += 64, c += 128) {
    const d0 = v128.load(a);
    const d1 = v128.load(a, 16);
    const d2 = v128.load(a, 32);
    const d3 = v128.load(a, 48);
    const w0 = f64x2.add(d0, d0);
    const w1 = f64x2.add(d1, d1);
    const w2 = f64x2.add(d2, d2);
    const w3 = f64x2.add(d3, d3);
    // Among the four, and with what the last three columns take of the next digits
    v128.store(c, multiplyAndAdd(d0, d0, v128.load(c)));
    v128.store(c, multiplyAndAdd(w0, d1, v128.load(c, 16)), 16);
    v128.store(c, multiplyAndAdd(w0, d2, multiplyAndAdd(d1, d1, v128.load(c, 32))), 32);
    v128.store(c, multiplyAndAdd(w0, d3, multiplyAndAdd(w1, d2, v128.load(c, 48))), 48);
    const e0 = v128.load(a, 64);
    const e1 = v128.load(a, 80);
    const e2 = v128.load(a, 96);
    let t = multiplyAndAdd(w1, d3, multiplyAndAdd(d2, d2, v128.load(c, 64)));
    v128.store(c, multiplyAndAdd(w0, e0, t), 64);
    t = multiplyAndAdd(w2, d3, v128.load(c, 80));
    v128.store(c, multiplyAndAdd(w0, e1, multiplyAndAdd(w1, e0, t)), 80);
    t = multiplyAndAdd(d3, d3, v128.load(c, 96));
    v128.store(c, multiplyAndAdd(w0, e2, multiplyAndAdd(w1, e1, multiplyAndAdd(w2, e0, t))), 96);
    let to = c + 112;
    for (let x = a + 48; x < end; x += 64, to += 64) addProducts(to, x, w0, w1, w2, w3);
    if (++lazy == LAZY_BLOCKS) {
      carryColumns(c, endOfColumns);
      lazy = 0;
    }
  }
}

/** The column at `c` with its four products: w0·x[4] to w3·x[1]. */
// @ts-ignore: decorator
@inline
function completed(c: usize, x: usize, w0: v128, w1: v128, w2: v128, w3: v128): v128 {
  const t = multiplyAndAdd(w1, v128.load(x, 48), multiplyAndAdd(w0, v128.load(x, 64), v128.load(c)));
  return multiplyAndAdd(w3, v128.load(x, 16), multiplyAndAdd(w2, v128.load(x, 32), t));
}

/**
 * out = COLUMNS / R mod m. Each turn completes four columns with the multiples of m that the turn before
 * found, finds the next four from them, and only then takes the former through the other columns: the
 * next, one after the other, are there when these are done.
 */
function reduceColumns(out: usize, m: usize, rows: u32): void {
  const size = <usize>rows << 4;
  const endOfModulus = m + size;
  const endOfColumns = COLUMNS + 2 * size;
  if (rows > 4 * LAZY_BLOCKS) carryColumns(COLUMNS, endOfColumns);
  const rounder = v128.load64_splat(CONSTANTS);
  const down = v128.load64_splat(CONSTANTS, 8);
  const m1 = v128.load(m, 16);
  const m2 = v128.load(m, 32);
  const m3 = v128.load(m, 48);
  let q0 = zero();
  let q1 = zero();
  let q2 = zero();
  let q3 = zero();
  let carry = zero();
  let lazy: u32 = 0;
  let c = COLUMNS;
  for (const end = COLUMNS + size; ; c += 64) {
    let t0 = f64x2.add(completed(c, m, q0, q1, q2, q3), carry);
    let t1 = completed(c + 16, m + 16, q0, q1, q2, q3);
    let t2 = completed(c + 32, m + 32, q0, q1, q2, q3);
    let t3 = completed(c + 48, m + 48, q0, q1, q2, q3);
    if (c == end) {
      v128.store(c, t0);
      v128.store(c, t1, 16);
      v128.store(c, t2, 32);
      v128.store(c, t3, 48);
    }
    const w0 = q0;
    const w1 = q1;
    const w2 = q2;
    const w3 = q3;
    const high0 = rounded(t0, rounder);
    q0 = f64x2.sub(t0, high0);
    t1 = f64x2.add(multiplyAndAdd(high0, down, t1), f64x2.mul(q0, m1));
    const high1 = rounded(t1, rounder);
    q1 = f64x2.sub(t1, high1);
    t2 = f64x2.add(multiplyAndAdd(high1, down, multiplyAndAdd(q0, m2, t2)), f64x2.mul(q1, m1));
    const high2 = rounded(t2, rounder);
    q2 = f64x2.sub(t2, high2);
    t3 = multiplyAndAdd(q1, m2, multiplyAndAdd(q0, m3, t3));
    t3 = f64x2.add(multiplyAndAdd(high2, down, t3), f64x2.mul(q2, m1));
    const high3 = rounded(t3, rounder);
    q3 = f64x2.sub(t3, high3);
    carry = f64x2.mul(high3, down);
    if (c == COLUMNS) continue;
    let to = c + 64;
    for (let x = m + 64; x < endOfModulus; x += 64, to += 64) addProducts(to, x, w0, w1, w2, w3);
    if (c == end) break;
    if (++lazy == LAZY_BLOCKS) {
      carryColumns(c + 64, endOfColumns);
      lazy = 0;
    }
  }
  writeColumns(out, c, rows);
}

/** out = a · b / R mod m; see above for the bounds. `out` may be a or b. */
export function multiplyLanes(out: usize, a: usize, b: usize, m: usize, rows: u32): void {
  clearColumns(2 * rows + 8);
  productColumns(a, b, rows);
  reduceColumns(out, m, rows);
}

/** out = a² / R mod m. `out` may be a. */
export function squareLanes(out: usize, a: usize, m: usize, rows: u32): void {
  clearColumns(2 * rows + 8);
  squareColumns(a, rows);
  reduceColumns(out, m, rows);
}

/** Digits of a number of so many bits, with R at least eight times its multiple of 24 bits more. */
export function rowsFor(bits: u32): u32 {
  return ((bits + DIGIT + 3 + DIGIT - 1) / DIGIT + 3) & ~3;
}
