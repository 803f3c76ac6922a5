// GHASH (NIST SP 800-38D, section 6.4) without a table in memory that a secret indexes: a nibble is
// looked up in sixteen bytes that stand in one register (`lookup`), all of them always read.
//
// A block is a polynomial over GF(2), the most significant bit of byte 0 the coefficient of x^0. The
// product of a nibble and a string of bytes is one byte longer than the string. `nibbleTables` makes,
// for each byte of such products, the sixteen values it can have: one table for the nibble in the
// upper half of a byte, one for the lower.
//
//   byte of the product   0   1   2   3   …   15  16  …  31
//   y0  · H              r0  r1  r2  r3   …  r15 r16            r0 to r16: the seventeen rows of tables. In row j
//   y1  · H                  r0  r1  r2   …  r14 r15 …          stands what byte j of the product is, by the nibbles
//   …                                                           of the byte that H is multiplied by.
//   y15 · H                               …  r0  r1  …  r16
//
// Two multiplications use them. `multiply` takes one block: its sixteen bytes are looked up together,
// and row j is what they add to the bytes j places further on. `ghashBulk` takes sixteen blocks at a
// time, byte i of all of them in register i, each block in a lane of its own that is multiplied by
// H^16 at every step (Horner's rule in sixteen interleaved parts); long messages by H^64, H^48, H^32 and
// H^16, four times sixteen blocks at every step, whose products are summed up and reduced once.

import { bulkTables, hashTables, Key, POWER } from "../aes/key";
import { wipe } from "../memory";
import { and, fifteen, lookup, lowerNibbles, reverse, upperNibbles, xor, zero } from "../simd";
import { interleave, Lanes } from "./lanes";

// --- Tables -----------------------------------------------------------------------------------
/** In byte n, all ones if bit 3 of n is set; then the same for bits 2, 1 and 0. */
const BITS: usize = memory.data<i8>([
  0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1,
  0, 0, 0, 0, -1, -1, -1, -1, 0, 0, 0, 0, -1, -1, -1, -1,
  0, 0, -1, -1, 0, 0, -1, -1, 0, 0, -1, -1, 0, 0, -1, -1,
  0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1,
], 16);

/** The sums of the low bytes of a, a>>1, a>>2 and a>>3 that the bits 3, 2, 1 and 0 of n choose. */
// @ts-ignore: decorator
@inline
function sums(a: u32): v128 {
  const b3 = and(i8x16.splat(<i8>a), v128.load(BITS));
  const b2 = and(i8x16.splat(<i8>(a >> 1)), v128.load(BITS, 16));
  const b1 = and(i8x16.splat(<i8>(a >> 2)), v128.load(BITS, 32));
  const b0 = and(i8x16.splat(<i8>(a >> 3)), v128.load(BITS, 48));
  return xor(xor(b3, b2), xor(b1, b0));
}

/** For the string of `count` bytes at `from`: `count` + 1 pairs of tables (upper, lower nibble). */
function nibbleTables(from: usize, count: usize, to: usize): void {
  let previous: u32 = 0;
  for (let j: usize = 0; j <= count; j++) {
    const byte: u32 = j < count ? load<u8>(from + j) : 0;
    // x^n times the string is the string moved down by n bits, over the byte's border.
    const pair = (previous << 8) | byte;
    v128.store(to, sums(pair));
    v128.store(to, sums(pair >> 4), 16);
    to += 32;
    previous = byte;
  }
}

/** The two lookups that multiply bytes, given as nibbles, by what a pair of tables is for. */
// @ts-ignore: decorator
@inline
function term(upperTable: v128, lowerTable: v128, upper: v128, lower: v128): v128 {
  return xor(lookup(upperTable, upper), lookup(lowerTable, lower));
}

// --- One block --------------------------------------------------------------------------------
// Here a block is held in reverse (`reverse`), as one number of 128 bits whose top bit is x^0:
// times x is one place to the right.

/** `a` moved down by one byte, with the lowest byte of `above` on top. */
// @ts-ignore: decorator
@inline
function down(a: v128, above: v128): v128 {
  return i8x16.shuffle(a, above, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
}

/** x^63 + x^62 + x^57 in both halves: what x + x^2 + x^7 carry from one into the next. */
// @ts-ignore: decorator
@inline
function carries(a: v128): v128 {
  return xor(xor(i64x2.shl(a, 63), i64x2.shl(a, 62)), i64x2.shl(a, 57));
}

/** `p` + x^128·`q`, modulo x^128 + x^7 + x^2 + x + 1. */
// @ts-ignore: decorator
@inline
function reduce(p: v128, q: v128): v128 {
  // What the lower half carries out of 128 bits comes in again as the same multiple, on top of q.
  const wrapped = i64x2.shuffle(zero(), carries(q), 0, 2);
  q = xor(q, wrapped);
  const carried = i64x2.shuffle(carries(q), zero(), 1, 2);
  const shifted = xor(xor(i64x2.shr_u(q, 1), i64x2.shr_u(q, 2)), i64x2.shr_u(q, 7));
  return xor(xor(p, q), xor(shifted, carried));
}

/** The block `y`, in reverse, times H. */
function multiply(tables: usize, y: v128): v128 {
  const upper = upperNibbles(y), lower = lowerNibbles(y);
  let p = zero(), q = zero();
  for (let row = tables + 16 * 32; row >= tables; row -= 32) {
    q = down(q, p);
    p = xor(down(p, zero()), term(v128.load(row), v128.load(row, 16), upper, lower));
  }
  return reduce(p, q);
}

/** The square of `y`, in reverse: zeros between the bits, and the reduction. */
function square(y: v128): v128 {
  const apart = i8x16(0, 2, 8, 10, 32, 34, 40, 42, -128, -126, -120, -118, -96, -94, -88, -86);
  const upper = lookup(apart, upperNibbles(y));
  const lower = lookup(apart, lowerNibbles(y));
  const q = xor(i16x8.shl(i16x8.extend_low_i8x16_u(upper), 8), i16x8.extend_low_i8x16_u(lower));
  const p = xor(i16x8.shl(i16x8.extend_high_i8x16_u(upper), 8), i16x8.extend_high_i8x16_u(lower));
  return reduce(p, q);
}

// --- Sixteen blocks ---------------------------------------------------------------------------
//   lane           0    1    2   …  15        a to p: sixteen blocks
//   register 0    a0   b0   c0   …  p0   ┐
//   register 1    a1   b1   c1   …  p1   │
//   register 2    a2   b2   c2   …  p2   ├    piece 0
//   register 3    a3   b3   c3   …  p3   ┘
//     …                                       pieces 1 to 3
//   register 16                               pieces 4 to 8, sums of these (`addPieces`)
//
// A block's lane is its number modulo sixteen, so block n is multiplied by H^16 as often as there are blocks behind
// it in its lane; at the end lane l takes H^(16 - l), and all are added.

/** Bytes of sixteen blocks, in lanes or not. */
const SIXTEEN: usize = 16 * 16;
/** Nine pieces, each of four bytes of all lanes; the first four are the lanes themselves. */
const PIECES_SIZE: usize = 9 * 4 * 16;
const PIECES: usize = memory.data(<i32>PIECES_SIZE, 64);
/** Their products with the pieces of a power of H, each of eight bytes of all lanes. */
const PRODUCTS_SIZE: usize = 9 * 8 * 16;
const PRODUCTS: usize = memory.data(<i32>PRODUCTS_SIZE, 64);
/** Sixteen blocks on their way into lanes or out of them. */
const BLOCKS: usize = memory.data(<i32>SIXTEEN, 64);
const SPARE: usize = memory.data(<i32>SIXTEEN, 64);
/** The upper half of the products' sum. */
const UPPER: usize = memory.data(<i32>SIXTEEN, 64);

/** Puts `x` at `to`, or adds it there. */
// @ts-ignore: decorator
@inline
function put(to: usize, x: v128, offset: usize, adding: bool): void {
  // `offset` is a literal wherever this is inlined, so it folds into the instruction.
  if (adding) v128.store(to + offset, xor(v128.load(to + offset), x));
  else v128.store(to + offset, x);
}

/**
 * Each of the nine pieces times its piece of a power of H, into PRODUCTS or, if `adding`, added there:
 * table row j times byte i goes to byte i + j.
 */
// @ts-ignore: decorator
@inline
function multiplyPieces(tables: usize, adding: bool): void {
  const mask = fifteen();
  let to = PRODUCTS;
  for (let from = PIECES; from < PIECES + PIECES_SIZE; from += 64) {
    const a0 = v128.load(from), a1 = v128.load(from, 16), a2 = v128.load(from, 32), a3 = v128.load(from, 48);
    const u0 = and(i16x8.shr_u(a0, 4), mask), l0 = and(a0, mask);
    const u1 = and(i16x8.shr_u(a1, 4), mask), l1 = and(a1, mask);
    const u2 = and(i16x8.shr_u(a2, 4), mask), l2 = and(a2, mask);
    const u3 = and(i16x8.shr_u(a3, 4), mask), l3 = and(a3, mask);
    let u = v128.load(tables), l = v128.load(tables, 16);
    let p0 = term(u, l, u0, l0), p1 = term(u, l, u1, l1), p2 = term(u, l, u2, l2), p3 = term(u, l, u3, l3);
    u = v128.load(tables, 32), l = v128.load(tables, 48);
    p1 = xor(p1, term(u, l, u0, l0));
    p2 = xor(p2, term(u, l, u1, l1));
    p3 = xor(p3, term(u, l, u2, l2));
    let p4 = term(u, l, u3, l3);
    u = v128.load(tables, 64), l = v128.load(tables, 80);
    p2 = xor(p2, term(u, l, u0, l0));
    p3 = xor(p3, term(u, l, u1, l1));
    p4 = xor(p4, term(u, l, u2, l2));
    let p5 = term(u, l, u3, l3);
    u = v128.load(tables, 96), l = v128.load(tables, 112);
    p3 = xor(p3, term(u, l, u0, l0));
    p4 = xor(p4, term(u, l, u1, l1));
    p5 = xor(p5, term(u, l, u2, l2));
    let p6 = term(u, l, u3, l3);
    u = v128.load(tables, 128), l = v128.load(tables, 144);
    put(to, p0, 0, adding);
    put(to, p1, 16, adding);
    put(to, p2, 32, adding);
    put(to, p3, 48, adding);
    put(to, xor(p4, term(u, l, u0, l0)), 64, adding);
    put(to, xor(p5, term(u, l, u1, l1)), 80, adding);
    put(to, xor(p6, term(u, l, u2, l2)), 96, adding);
    put(to, term(u, l, u3, l3), 112, adding);
    tables += 160;
    to += 128;
  }
}

function multiplyFirst(tables: usize): void { multiplyPieces(tables, false); }
function multiplyNext(tables: usize): void { multiplyPieces(tables, true); }

// Karatsuba twice: with a = a0 + a1·X + a2·X^2 + a3·X^3 (X = x^32) the pieces are a0 to a3, a0 + a1,
// a2 + a3, a0 + a2, a1 + a3 and the sum of all four, and so are those of a power of H.

/** Makes pieces 4 to 8 from the lanes. */
function addPieces(): void {
  for (let at = PIECES; at < PIECES + 64; at += 16) {
    const a0 = v128.load(at), a1 = v128.load(at, 64), a2 = v128.load(at, 128), a3 = v128.load(at, 192);
    const a01 = xor(a0, a1), a23 = xor(a2, a3);
    v128.store(at, a01, 256);
    v128.store(at, a23, 320);
    v128.store(at, xor(a0, a2), 384);
    v128.store(at, xor(a1, a3), 448);
    v128.store(at, xor(a01, a23), 512);
  }
}

/** Adds the products up: words 0 to 3 of the sum into the lanes, 4 to 7 into UPPER. */
function addProducts(): void {
  let to = PIECES, above = UPPER;
  for (let at = PRODUCTS; at < PRODUCTS + 64; at += 16) {
    const a0 = v128.load(at), a1 = v128.load(at, 64), b0 = v128.load(at, 128), b1 = v128.load(at, 192);
    const c0 = v128.load(at, 256), c1 = v128.load(at, 320), d0 = v128.load(at, 384), d1 = v128.load(at, 448);
    // The lower and the upper half's product (g, h), each four words, from three products.
    const g1 = xor(a1, xor(v128.load(at, 512), xor(a0, b0))), g2 = xor(b0, xor(v128.load(at, 576), xor(a1, b1)));
    const h1 = xor(c1, xor(v128.load(at, 640), xor(c0, d0))), h2 = xor(d0, xor(v128.load(at, 704), xor(c1, d1)));
    // The product of the halves' sums (m).
    const m0 = v128.load(at, 768), e1 = v128.load(at, 832), f0 = v128.load(at, 896), m3 = v128.load(at, 960);
    const m1 = xor(e1, xor(v128.load(at, 1024), xor(m0, f0))), m2 = xor(f0, xor(v128.load(at, 1088), xor(e1, m3)));
    const x = xor(g2, c0), y = xor(b1, h1);
    v128.store(to, a0);
    v128.store(to, g1, 64);
    v128.store(to, xor(x, xor(m0, a0)), 128);
    v128.store(to, xor(y, xor(m1, g1)), 192);
    v128.store(above, xor(x, xor(m2, h2)));
    v128.store(above, xor(y, xor(m3, d1)), 64);
    v128.store(above, h2, 128);
    v128.store(above, d1, 192);
    to += 16;
    above += 16;
  }
}

// x^128 is 1 + x + x^2 + x^7: a byte 16 places up adds itself, moved down by 0, 1, 2 and 7 bits, to a
// byte and what that moves over the border to the next one. Both by lookup of its two nibbles.
const INSIDE_UPPER: usize = memory.data<i8>(
  [0, 28, 56, 36, 112, 108, 72, 84, -31, -3, -39, -59, -111, -115, -87, -75], 16,
);
const INSIDE_LOWER: usize = memory.data<i8>([0, 1, 3, 2, 7, 6, 4, 5, 14, 15, 13, 12, 9, 8, 10, 11], 16);
const ACROSS_UPPER: usize = memory.data<i8>(
  [0, 32, 64, 96, -128, -96, -64, -32, 0, 32, 64, 96, -128, -96, -64, -32], 16,
);
const ACROSS_LOWER: usize = memory.data<i8>(
  [0, -62, -124, 70, 8, -54, -116, 78, 16, -46, -108, 86, 24, -38, -100, 94], 16,
);
// @ts-ignore: decorator
@inline
function inside(upper: v128, lower: v128): v128 {
  return xor(
    lookup(v128.load(INSIDE_UPPER), upper),
    lookup(v128.load(INSIDE_LOWER), lower),
  );
}

// @ts-ignore: decorator
@inline
function across(upper: v128, lower: v128): v128 {
  return xor(
    lookup(v128.load(ACROSS_UPPER), upper),
    lookup(v128.load(ACROSS_LOWER), lower),
  );
}

/** Reduces UPPER into the lanes. */
function reduceLanes(): void {
  // What crosses the end of the last byte is x^128 again.
  let a = v128.load(UPPER, 240);
  let carried = across(upperNibbles(a), lowerNibbles(a));
  v128.store(UPPER, xor(v128.load(UPPER), carried));
  carried = zero();
  for (let i: usize = 0; i < 256; i += 16) {
    a = v128.load(UPPER + i);
    const upper = upperNibbles(a), lower = lowerNibbles(a);
    v128.store(PIECES + i, xor(xor(v128.load(PIECES + i), carried), inside(upper, lower)));
    carried = across(upper, lower);
  }
}

/** Bytes to lanes, or lanes to bytes. */
function toLanes(from: usize, to: usize): void {
  interleave(changetype<Lanes>(from), changetype<Lanes>(SPARE));
  interleave(changetype<Lanes>(SPARE), changetype<Lanes>(BLOCKS));
  interleave(changetype<Lanes>(BLOCKS), changetype<Lanes>(SPARE));
  interleave(changetype<Lanes>(SPARE), changetype<Lanes>(to));
}

/** Adds sixteen blocks at `from` to the lanes. */
function addBlocks(from: usize): void {
  toLanes(from, BLOCKS);
  for (let i: usize = 0; i < 256; i += 16) {
    v128.store(PIECES + i, xor(v128.load(PIECES + i), v128.load(BLOCKS + i)));
  }
}

/** Takes `groups` times sixteen blocks at `from` into `y` (in reverse), and returns the new one. */
function ghashBulk(key: Key, y: v128, from: usize, groups: usize): v128 {
  preparePowers(key, groups >= LONG ? 4 : 1);
  const tables = bulkTables(key);
  toLanes(from, PIECES);
  // y belongs to the first block: byte i of it to lane 0 of register i.
  v128.store(SPARE, reverse(y));
  for (let i: usize = 0; i < 16; i++) {
    store<u8>(PIECES + 16 * i, load<u8>(PIECES + 16 * i) ^ load<u8>(SPARE + i));
  }
  const end = from + 256 * groups;
  from += 256;
  if (key.powers == 4) {
    for (; from + 1024 <= end; from += 1024) {
      addPieces();
      multiplyFirst(tables + 3 * POWER);
      toLanes(from, PIECES);
      addPieces();
      multiplyNext(tables + 2 * POWER);
      toLanes(from + 256, PIECES);
      addPieces();
      multiplyNext(tables + POWER);
      toLanes(from + 512, PIECES);
      addPieces();
      multiplyNext(tables);
      addProducts();
      reduceLanes();
      addBlocks(from + 768);
    }
  }
  for (; from < end; from += 256) {
    addPieces();
    multiplyFirst(tables);
    addProducts();
    reduceLanes();
    addBlocks(from);
  }
  // The last sixteen are not multiplied yet: each lane wants the power of H of its place.
  toLanes(PIECES, BLOCKS);
  y = zero();
  for (let i: usize = 0; i < 256; i += 16) {
    y = multiply(hashTables(key), xor(y, reverse(v128.load(BLOCKS + i))));
  }
  wipe(PIECES, PIECES_SIZE);
  wipe(PRODUCTS, PRODUCTS_SIZE);
  wipe(BLOCKS, SIXTEEN);
  wipe(SPARE, SIXTEEN);
  wipe(UPPER, SIXTEEN);
  return y;
}

// --- The hash ---------------------------------------------------------------------------------
/** From here on the set-up of sixteen lanes pays: 32 blocks. */
const BULK: usize = 512;
/** From here on four powers pay for their tables: 32 times sixteen blocks. */
const LONG: usize = 32;

/** Makes the tables for `multiply` from H. */
export function prepareHash(key: Key, hash: v128): void {
  key.hash = hash;
  v128.store(BLOCKS, hash);
  nibbleTables(BLOCKS, 16, hashTables(key));
  v128.store(BLOCKS, zero());
  key.hasHash = true;
}

/** Makes the tables of a power of H, in reverse. */
function preparePower(power: v128, to: usize): void {
  v128.store(BLOCKS, reverse(power));
  const w0 = load<u32>(BLOCKS), w1 = load<u32>(BLOCKS, 4), w2 = load<u32>(BLOCKS, 8), w3 = load<u32>(BLOCKS, 12);
  store<u32>(BLOCKS, w0 ^ w1, 16);
  store<u32>(BLOCKS, w2 ^ w3, 20);
  store<u32>(BLOCKS, w0 ^ w2, 24);
  store<u32>(BLOCKS, w1 ^ w3, 28);
  store<u32>(BLOCKS, w0 ^ w1 ^ w2 ^ w3, 32);
  for (let piece: usize = 0; piece < 9; piece++) nibbleTables(BLOCKS + 4 * piece, 4, to + 160 * piece);
}

/** Makes the tables of H^16, or of H^16, H^32, H^48 and H^64, unless they are there. */
function preparePowers(key: Key, powers: i32): void {
  if (key.powers >= powers) return;
  const tables = bulkTables(key);
  const power16 = square(square(square(square(reverse(key.hash)))));
  if (key.powers == 0) preparePower(power16, tables);
  if (powers == 4) {
    const power32 = square(power16);
    let power48 = power32;
    for (let i = 0; i < 16; i++) power48 = multiply(hashTables(key), power48);
    preparePower(power32, tables + POWER);
    preparePower(power48, tables + 2 * POWER);
    preparePower(square(power32), tables + 3 * POWER);
  }
  key.powers = powers;
}

/** `length` bytes at `from`, the last block filled up with zeros, into `y` (in reverse). */
export function ghash(key: Key, y: v128, from: usize, length: usize): v128 {
  if (length >= BULK) {
    const groups = length >> 8;
    y = ghashBulk(key, y, from, groups);
    from += groups << 8;
    length &= 255;
  }
  for (; length >= 16; length -= 16) {
    y = multiply(hashTables(key), xor(y, reverse(v128.load(from))));
    from += 16;
  }
  if (length > 0) {
    // Zeros stand there whenever nothing is under way.
    memory.copy(BLOCKS, from, length);
    y = multiply(hashTables(key), xor(y, reverse(v128.load(BLOCKS))));
    v128.store(BLOCKS, zero());
  }
  return y;
}
