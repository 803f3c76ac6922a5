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

/**
 * Blocks of four rows after which columns must be carried. A column takes 124 products until then at most, and
 * 127 of 46 bits fit in 53.
 */
const LAZY_BLOCKS: u32 = 30;

/** Rows up to which a product and its reduction fit together: 2 · 60 products. */
const LAZY_ROWS: u32 = 60;

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

/** `column` and four products, in two sums that do not wait for each other. */
// @ts-ignore: decorator
@inline
function withProducts(
  column: v128, w0: v128, x0: v128, w1: v128, x1: v128, w2: v128, x2: v128, w3: v128, x3: v128,
): v128 {
  const sum = multiplyAndAdd(w2, x2, multiplyAndAdd(w3, x3, column));
  return f64x2.add(sum, multiplyAndAdd(w0, x0, f64x2.mul(w1, x1)));
}

/**
 * Takes w0 to w3 through the digits from `x` to `end`: the column at `c` takes w0 · x[0], w1 · x[-1], w2 · x[-2] and
 * w3 · x[-3], the next one the same of the digits next to these, and so on. x0 to x2 are x[-3] to x[-1].
 *
 * Each digit is loaded once, and a column is stored before the next one is loaded. Engines put off what is
 * needed for a store until then: with four columns at a time they had more values at hand than registers.
 */
// @ts-ignore: decorator
@inline
function addProducts(
  c: usize, x: usize, end: usize, w0: v128, w1: v128, w2: v128, w3: v128, x0: v128, x1: v128, x2: v128,
): void {
  for (; x < end; x += 64, c += 64) {
    const x3 = v128.load(x);
    v128.store(c, withProducts(v128.load(c), w0, x3, w1, x2, w2, x1, w3, x0));
    x0 = v128.load(x, 16);
    v128.store(c, withProducts(v128.load(c, 16), w0, x0, w1, x3, w2, x2, w3, x1), 16);
    x1 = v128.load(x, 32);
    v128.store(c, withProducts(v128.load(c, 32), w0, x1, w1, x0, w2, x3, w3, x2), 32);
    x2 = v128.load(x, 48);
    v128.store(c, withProducts(v128.load(c, 48), w0, x2, w1, x1, w2, x0, w3, x3), 48);
  }
}

/** The same from the midst of a number: x0 to x2 stand before `x`. */
// @ts-ignore: decorator
@inline
function addBetween(c: usize, x: usize, end: usize, w0: v128, w1: v128, w2: v128, w3: v128): void {
  addProducts(c, x, end, w0, w1, w2, w3, v128.load(x - 48), v128.load(x - 32), v128.load(x - 16));
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
    addProducts(c, b, b + size + 64, a0, a1, a2, a3, zero(), zero(), zero());
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
    // Among the four; the last one's square is taken once too often below.
    v128.store(c, multiplyAndAdd(d0, d0, v128.load(c)));
    v128.store(c, multiplyAndAdd(w0, d1, v128.load(c, 16)), 16);
    v128.store(c, multiplyAndAdd(w0, d2, multiplyAndAdd(d1, d1, v128.load(c, 32))), 32);
    v128.store(c, multiplyAndAdd(w0, d3, multiplyAndAdd(w1, d2, v128.load(c, 48))), 48);
    v128.store(c, multiplyAndAdd(d2, d2, v128.load(c, 64)), 64);
    v128.store(c, f64x2.sub(v128.load(c, 96), f64x2.mul(d3, d3)), 96);
    addProducts(c + 64, a + 64, end + 64, w0, w1, w2, w3, zero(), zero(), d3);
    lazy += 2; // each product counts twice
    if (lazy == LAZY_BLOCKS) {
      carryColumns(c, endOfColumns);
      lazy = 0;
    }
  }
}

/**
 * Takes away the multiple of m that makes the column at `c` vanish, as far as the next three columns. The column
 * keeps which multiple that is; what it held beyond is carried.
 */
// @ts-ignore: decorator
@inline
function eliminate(c: usize, m: usize): void {
  const x = v128.load(c);
  const high = rounded(x, v128.load64_splat(CONSTANTS));
  const quotient = f64x2.sub(x, high);
  v128.store(c, quotient);
  const next = multiplyAndAdd(high, v128.load64_splat(CONSTANTS, 8), v128.load(c, 16));
  v128.store(c, f64x2.add(next, f64x2.mul(quotient, v128.load(m, 16))), 16);
  v128.store(c, multiplyAndAdd(quotient, v128.load(m, 32), v128.load(c, 32)), 32);
  v128.store(c, multiplyAndAdd(quotient, v128.load(m, 48), v128.load(c, 48)), 48);
}

/**
 * out = COLUMNS / R mod m. Each turn finds four multiples of m, each from the one before. While the processor waits
 * for one, it takes those of the turn before a quarter of their way.
 */
function reduceColumns(out: usize, m: usize, rows: u32): void {
  const size = <usize>rows << 4;
  const end = COLUMNS + size;
  const endOfColumns = end + size;
  // The columns in the middle, which have more than LAZY_ROWS products
  if (rows > LAZY_ROWS) carryColumns(COLUMNS + (LAZY_ROWS << 4), endOfColumns - ((LAZY_ROWS - 1) << 4));
  const x0 = m + 128;
  let way: usize = 0; // the first turn has nothing from before
  let w0 = zero();
  let w1 = w0;
  let w2 = w0;
  let w3 = w0;
  let lazy: u32 = 0;
  let c = COLUMNS;
  for (; c < end; c += 64) {
    let x = x0;
    let to = c + 64;
    for (let i: usize = 1, column = c; i <= 4; i++, column += 16) {
      eliminate(column, m);
      const next = x0 + (((way * i) >> 2) & ~63);
      addBetween(to, x, next, w0, w1, w2, w3);
      to += next - x;
      x = next;
    }
    way = size - 64;
    w0 = v128.load(c);
    w1 = v128.load(c, 16);
    w2 = v128.load(c, 32);
    w3 = v128.load(c, 48);
    // The four columns that come next; `eliminate` was there already with m[1] to m[3].
    addProducts(c + 64, m + 64, x0, w0, w1, w2, w3, zero(), zero(), zero());
    if (++lazy == LAZY_BLOCKS) {
      carryColumns(c + 64, endOfColumns);
      lazy = 0;
    }
  }
  addBetween(end + 64, x0, x0 + way, w0, w1, w2, w3);
  writeColumns(out, end, rows);
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
