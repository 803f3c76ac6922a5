// Montgomery products with 28-bit limbs, lazily carried. Two rows are taken at a time, so that the
// step to the next pair is by two columns: one vector of two u64. Each column takes four products of
// 56 bits a step and is carried only every 60 steps, and at the end.
//
// A product of a and b is a·b/R mod m, below m·(a·b/(m·R) + 1). R is at least 8m: factors below 2m
// (or one below 8m and one below m) give less than 2m, so nothing is compared or subtracted between
// the products of an exponentiation.
import {
  add, bitLength, clear, copy, get, LIMB, MASK, NUMBER_SIZE, reciprocal, set, shiftIn, shiftLimbIn, subtractOnce,
} from "./number";
import { COLUMNS, ONE, PIECE, REMAINDER as BASE, TERM } from "./scratch";

/** An odd modulus, prepared. */
@unmanaged
export class Modulus {
  /** Its length in bits. */
  bits: u32;
  /** Limbs of a factor taken row by row, even: R = 2^(28·rows). */
  rows: u32;
  /** Limbs of a factor taken column by column: rows, or two more, a multiple of four. */
  columns: u32;
  /** -1/m mod 2^28. */
  inverse: u32;
}

/** A prepared modulus in memory: the fields above, the modulus, R² mod m. */
export const MODULUS_SIZE: usize = 16 + 2 * NUMBER_SIZE;

// @ts-ignore: decorator
@inline
export function limbs(m: Modulus): usize {
  return changetype<usize>(m) + 16;
}

// @ts-ignore: decorator
@inline
export function rSquared(m: Modulus): usize {
  return changetype<usize>(m) + 16 + NUMBER_SIZE;
}

/** Steps of two rows after which the columns must be carried: 4 · 60 products of 56 bits fit in 64. */
const LAZY_STEPS: u32 = 60;

/** t + a0·x0 + a1·x1, in the low and in the high pair of limbs. */
// @ts-ignore: decorator
@inline
function low(t: v128, a0: v128, x0: v128, a1: v128, x1: v128): v128 {
  return i64x2.add(t, i64x2.add(i64x2.extmul_low_i32x4_u(a0, x0), i64x2.extmul_low_i32x4_u(a1, x1)));
}

// @ts-ignore: decorator
@inline
function high(t: v128, a0: v128, x0: v128, a1: v128, x1: v128): v128 {
  return i64x2.add(t, i64x2.add(i64x2.extmul_high_i32x4_u(a0, x0), i64x2.extmul_high_i32x4_u(a1, x1)));
}

/** Sets the first `columns` columns, a multiple of four, to 0: for so few a memory.fill is slow. */
function clearColumns(columns: u32): void {
  const zero = i64x2.splat(0);
  const end = COLUMNS + (<usize>columns << 3);
  for (let c = COLUMNS; c < end; c += 32) {
    v128.store(c, zero);
    v128.store(c, zero, 16);
  }
}

/** Carries `columns` columns, starting with `carry`. */
function carryColumns(columns: u32, carry: u64): void {
  const end = COLUMNS + (<usize>columns << 3);
  for (let t = COLUMNS; t < end; t += 8) {
    carry += load<u64>(t);
    store<u64>(t, carry & MASK);
    carry >>= LIMB;
  }
}

/** out = a · b / R mod m; see above for the bounds. `out` may be a or b. */
export function multiply(out: usize, a: usize, b: usize, m: Modulus): void {
  const columns = m.columns;
  const n = limbs(m);
  const inverse = m.inverse;
  clearColumns(columns + 4);
  const b0 = <u64>load<u32>(b);
  const b1 = <u64>load<u32>(b, 4);
  const n0 = <u64>load<u32>(n);
  const n1 = <u64>load<u32>(n, 4);
  const endOfRows = a + (<usize>m.rows << 2);
  const endOfColumns = b + (<usize>columns << 2);
  let carry: u64 = 0;
  let lazy: u32 = 0;
  while (a < endOfRows) {
    const limb0 = load<u32>(a);
    const limb1 = load<u32>(a, 4);
    a += 8;
    // The lowest two columns give the multiples of m that make them vanish, and a carry.
    let t = carry + load<u64>(COLUMNS) + <u64>limb0 * b0;
    const quotient0 = (<u32>t * inverse) & MASK;
    t = ((t + <u64>quotient0 * n0) >> LIMB) + load<u64>(COLUMNS, 8);
    t += <u64>limb0 * b1 + <u64>limb1 * b0 + <u64>quotient0 * n1;
    const quotient1 = (<u32>t * inverse) & MASK;
    carry = (t + <u64>quotient1 * n0) >> LIMB;
    const a0 = i32x4.splat(limb0);
    const a1 = i32x4.splat(limb1);
    const q0 = i32x4.splat(quotient0);
    const q1 = i32x4.splat(quotient1);
    let c = COLUMNS;
    let y = n;
    for (let x = b; x < endOfColumns; x += 16) {
      const x0 = v128.load(x, 8);
      const x1 = v128.load(x, 4);
      const y0 = v128.load(y, 8);
      const y1 = v128.load(y, 4);
      const c0 = low(low(v128.load(c, 16), a0, x0, a1, x1), q0, y0, q1, y1);
      const c1 = high(high(v128.load(c, 32), a0, x0, a1, x1), q0, y0, q1, y1);
      v128.store(c, c0);
      v128.store(c, c1, 16);
      c += 32;
      y += 16;
    }
    if (++lazy == LAZY_STEPS) {
      carryColumns(columns, carry);
      carry = 0;
      lazy = 0;
    }
  }
  writeColumns(out, COLUMNS, columns, carry);
}

/** out = the columns from `c` on, carried. */
function writeColumns(out: usize, c: usize, columns: u32, carry: u64): void {
  const end = out + (<usize>columns << 2);
  while (out < end) {
    carry += load<u64>(c);
    store<u32>(out, <u32>carry & MASK);
    carry >>= LIMB;
    out += 4;
    c += 8;
  }
  // Vector loads reach two limbs further.
  v128.store(out, i64x2.splat(0));
}

/** Rows up to which a square and its multiples of m fit in the columns: together, and one by one. */
const LAZY_ROWS: u32 = 2 * LAZY_STEPS;
const MAX_SQUARE_ROWS: u32 = 4 * LAZY_STEPS;

/**
 * out = a² / R mod m, as `multiply` does it, in three quarters of the products: a first pass makes the
 * square, each product of two limbs once and doubled, a second one takes the multiples of m away.
 */
export function square(out: usize, a: usize, m: Modulus): void {
  if (m.rows > MAX_SQUARE_ROWS) return multiply(out, a, a, m);
  const columns = m.columns;
  const n = limbs(m);
  const rows = <usize>m.rows << 2;
  clearColumns(2 * columns + 8);
  const endOfLimbs = a + (<usize>columns << 2);
  let c = COLUMNS;
  for (let x = a; x < a + rows; x += 8, c += 32) {
    const limb0 = <u64>load<u32>(x);
    const limb1 = <u64>load<u32>(x, 4);
    store<u64>(c, load<u64>(c) + limb0 * limb0);
    store<u64>(c, load<u64>(c, 8) + 2 * limb0 * limb1, 8);
    // The loop counts the square of limb1 twice.
    store<u64>(c, load<u64>(c, 16) - limb1 * limb1, 16);
    const a0 = i32x4.splat(<u32>limb0 << 1);
    const a1 = i32x4.splat(<u32>limb1 << 1);
    let t = c;
    for (let y = x; y < endOfLimbs; y += 16, t += 32) {
      const x0 = v128.load(y, 8);
      const x1 = v128.load(y, 4);
      v128.store(t, low(v128.load(t, 16), a0, x0, a1, x1), 16);
      v128.store(t, high(v128.load(t, 32), a0, x0, a1, x1), 32);
    }
  }

  if (m.rows > LAZY_ROWS) carryColumns(2 * columns, 0);

  const inverse = m.inverse;
  const n0 = <u64>load<u32>(n);
  const n1 = <u64>load<u32>(n, 4);
  const endOfColumns = n + (<usize>columns << 2);
  let carry: u64 = 0;
  c = COLUMNS;
  for (const end = COLUMNS + 2 * rows; c < end; c += 16) {
    let t = carry + load<u64>(c);
    const quotient0 = (<u32>t * inverse) & MASK;
    t = ((t + <u64>quotient0 * n0) >> LIMB) + load<u64>(c, 8) + <u64>quotient0 * n1;
    const quotient1 = (<u32>t * inverse) & MASK;
    carry = (t + <u64>quotient1 * n0) >> LIMB;
    const q0 = i32x4.splat(quotient0);
    const q1 = i32x4.splat(quotient1);
    let to = c;
    for (let y = n; y < endOfColumns; y += 16, to += 32) {
      const y0 = v128.load(y, 8);
      const y1 = v128.load(y, 4);
      v128.store(to, low(v128.load(to, 16), q0, y0, q1, y1), 16);
      v128.store(to, high(v128.load(to, 32), q0, y0, q1, y1), 32);
    }
  }
  writeColumns(out, c, columns, carry);
}

/** Bits that R has more than the modulus: at least 8m. */
export const SPARE: u32 = 3;

/**
 * Prepares the odd modulus whose limbs already stand in `m`; R has so many bits more. Takes the same steps
 * for all of one length.
 */
export function prepare(m: Modulus, spare: u32): void {
  const n = limbs(m);
  const bits = bitLength(n);
  m.bits = bits;
  const rows = ((bits + spare + LIMB - 1) / LIMB + 1) & ~1;
  m.rows = rows;
  m.columns = (rows + 3) & ~3;
  // Newton's iteration doubles the bits that are right; n · n = 1 mod 8 starts with three.
  let inverse = get(n, 0);
  for (let i = 0; i < 4; i++) inverse *= 2 - get(n, 0) * inverse;
  m.inverse = (0 - inverse) & MASK;

  // R² = 2^(2·power) by doubling and squaring: a square of 2^s · R is 2^(2s) · R.
  const power = rows * LIMB;
  const x = rSquared(m);
  clear(x);
  set(x, (bits - 1) / LIMB, 1 << ((bits - 1) % LIMB));
  let shift: u32 = 0;
  while (power >> shift >= 32) shift++;
  let doublings = power - (bits - 1) + (power >> shift);
  // Whole limbs are faster, which pays where the spare bits are many (halves.ts).
  if (ASC_FEATURE_RELAXED_SIMD) {
    const inverted = reciprocal(n, bits);
    for (; doublings >= LIMB; doublings -= LIMB) shiftLimbIn(x, n, bits, m.columns, inverted);
  }
  for (; doublings > 0; doublings--) shiftIn(x, 0, n, m.columns);
  while (shift-- > 0) {
    square(x, x, m);
    subtractOnce(x, n, m.columns);
    if ((power >> shift) & 1) shiftIn(x, 0, n, m.columns);
  }
}

/** out = x · R mod m, below 4m, for a number x of any length: `count` limbs. */
export function toMontgomery(out: usize, x: usize, count: u32, m: Modulus): void {
  const rows = m.rows;
  clear(out);
  const highest = ((count - 1) / rows) * rows;
  for (let at = highest; ; at -= rows) {
    clear(PIECE);
    memory.copy(PIECE, x + (<usize>at << 2), <usize>min(rows, count - at) << 2);
    if (at != highest) multiply(out, out, rSquared(m), m);
    multiply(TERM, PIECE, rSquared(m), m);
    add(out, out, TERM, m.columns);
    if (at == 0) break;
  }
}

/** out = x / R mod m, below m: back from Montgomery's form. */
export function fromMontgomery(out: usize, x: usize, m: Modulus): void {
  clear(ONE);
  set(ONE, 0, 1);
  multiply(out, x, ONE, m);
  subtractOnce(out, limbs(m), m.columns);
}

/** out = x^e mod m, below m, for a public odd e ≥ 3 and x < 4m. `out` is not x. */
export function publicPower(out: usize, x: usize, e: u32, m: Modulus): void {
  multiply(BASE, x, rSquared(m), m);
  copy(out, BASE);
  // The last factor is x itself, which leaves Montgomery's form.
  for (let i = 31 - clz(e); i > 0; i--) {
    square(out, out, m);
    if ((e >> (i - 1)) & 1) multiply(out, out, i == 1 ? x : BASE, m);
  }
  subtractOnce(out, limbs(m), m.columns);
}
