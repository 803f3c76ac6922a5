// Eight blocks in bitsliced form, and what AES does to them. Slice k holds bit k (bit 0 the least
// significant) of all 128 bytes: its lane j is about byte j of the blocks, and bit b of that lane
// belongs to block b. Every operation is a fixed sequence of logic and of byte permutations by
// constants, so neither time nor addresses depend on data or key.
//
//   eight blocks, a to h                    the same, sliced
//
//            byte 0 …  byte j    …               lane 0 …  lane j    …
//   block 0         a7 … a1 a0               s0         h0 … b0 a0       bit 0 of byte j of every block
//   block 1         b7 … b1 b0               s1         h1 … b1 a1       bit 1
//     …                 …                     …             …
//   block 7         h7 … h1 h0               s7         h7 … b7 a7       bit 7
//
// So an XOR of two slices adds one bit of a byte to another one, in 128 bytes at once (the S-box), and a
// permutation of lanes moves whole bytes within their block, in eight blocks at once (MixColumns).

import { and, lookup, xor } from "../simd";

@unmanaged
export class Slices {
  s0: v128;
  s1: v128;
  s2: v128;
  s3: v128;
  s4: v128;
  s5: v128;
  s6: v128;
  s7: v128;
}

/** Bytes of one group of eight blocks, sliced or not. */
export const GROUP: usize = 128;

// --- SubBytes ---------------------------------------------------------------------------------
/**
 * The S-box without its constant 0x63 (four NOTs, which the round keys absorb): the 113-gate circuit
 * of Boyar and Peralta ("A small depth-16 circuit for the AES S-box", 2011), in their names. x0 is
 * the most significant bit. Top layer: linear, into GF(((2^2)^2)^2); middle: the inversion; bottom:
 * linear, back to GF(2^8) with the affine map.
 *
 * Then MixColumns in the form of the permutations at `one` and `two` (0 where there is no MixColumns), and `key` added:
 * in one function with the S-box, so that what is between them need not go through memory.
 */
// @ts-ignore: decorator
@inline
export function encryptRound(s: Slices, key: Slices, one: usize, two: usize): void {
  const x0 = s.s7, x1 = s.s6, x2 = s.s5, x3 = s.s4, x4 = s.s3, x5 = s.s2, x6 = s.s1, x7 = s.s0;

  const y14 = xor(x3, x5);
  const y13 = xor(x0, x6);
  const y9 = xor(x0, x3);
  const y8 = xor(x0, x5);
  const t0 = xor(x1, x2);
  const y1 = xor(t0, x7);
  const y4 = xor(y1, x3);
  const y12 = xor(y13, y14);
  const y2 = xor(y1, x0);
  const y5 = xor(y1, x6);
  const y3 = xor(y5, y8);
  const t1 = xor(x4, y12);
  const y15 = xor(t1, x5);
  const y20 = xor(t1, x1);
  const y6 = xor(y15, x7);
  const y10 = xor(y15, t0);
  const y11 = xor(y20, y9);
  const y7 = xor(x7, y11);
  const y17 = xor(y10, y11);
  const y19 = xor(y10, y8);
  const y16 = xor(t0, y11);
  const y21 = xor(y13, y16);
  const y18 = xor(x0, y16);

  const t2 = and(y12, y15);
  const t3 = and(y3, y6);
  const t4 = xor(t3, t2);
  const t5 = and(y4, x7);
  const t6 = xor(t5, t2);
  const t7 = and(y13, y16);
  const t8 = and(y5, y1);
  const t9 = xor(t8, t7);
  const t10 = and(y2, y7);
  const t11 = xor(t10, t7);
  const t12 = and(y9, y11);
  const t13 = and(y14, y17);
  const t14 = xor(t13, t12);
  const t15 = and(y8, y10);
  const t16 = xor(t15, t12);
  const t17 = xor(t4, t14);
  const t18 = xor(t6, t16);
  const t19 = xor(t9, t14);
  const t20 = xor(t11, t16);
  const t21 = xor(t17, y20);
  const t22 = xor(t18, y19);
  const t23 = xor(t19, y21);
  const t24 = xor(t20, y18);

  const t25 = xor(t21, t22);
  const t26 = and(t21, t23);
  const t27 = xor(t24, t26);
  const t28 = and(t25, t27);
  const t29 = xor(t28, t22);
  const t30 = xor(t23, t24);
  const t31 = xor(t22, t26);
  const t32 = and(t31, t30);
  const t33 = xor(t32, t24);
  const t34 = xor(t23, t33);
  const t35 = xor(t27, t33);
  const t36 = and(t24, t35);
  const t37 = xor(t36, t34);
  const t38 = xor(t27, t36);
  const t39 = and(t29, t38);
  const t40 = xor(t25, t39);

  const t41 = xor(t40, t37);
  const t42 = xor(t29, t33);
  const t43 = xor(t29, t40);
  const t44 = xor(t33, t37);
  const t45 = xor(t42, t41);
  const z0 = and(t44, y15);
  const z1 = and(t37, y6);
  const z2 = and(t33, x7);
  const z3 = and(t43, y16);
  const z4 = and(t40, y1);
  const z5 = and(t29, y7);
  const z6 = and(t42, y11);
  const z7 = and(t45, y17);
  const z8 = and(t41, y10);
  const z9 = and(t44, y12);
  const z10 = and(t37, y3);
  const z11 = and(t33, y4);
  const z12 = and(t43, y13);
  const z13 = and(t40, y5);
  const z14 = and(t29, y2);
  const z15 = and(t42, y9);
  const z16 = and(t45, y14);
  const z17 = and(t41, y8);

  const t46 = xor(z15, z16);
  const t47 = xor(z10, z11);
  const t48 = xor(z5, z13);
  const t49 = xor(z9, z10);
  const t50 = xor(z2, z12);
  const t51 = xor(z2, z5);
  const t52 = xor(z7, z8);
  const t53 = xor(z0, z3);
  const t54 = xor(z6, z7);
  const t55 = xor(z16, z17);
  const t56 = xor(z12, t48);
  const t57 = xor(t50, t53);
  const t58 = xor(z4, t46);
  const t59 = xor(z3, t54);
  const t60 = xor(t46, t57);
  const t61 = xor(z14, t57);
  const t62 = xor(t52, t58);
  const t63 = xor(t49, t58);
  const t64 = xor(z4, t59);
  const t65 = xor(t61, t62);
  const t66 = xor(z1, t63);
  const t67 = xor(t64, t65);
  const a7 = xor(t59, t63);
  const a4 = xor(t53, t66);
  const a6 = xor(t64, a4);
  const a5 = xor(t55, t67);
  const a3 = xor(t51, t66);
  const a2 = xor(t47, t65);
  const a1 = xor(t56, t62);
  const a0 = xor(t48, t60);
  if (one != 0) {
    mix(s, a0, a1, a2, a3, a4, a5, a6, a7, key, v128.load(one), v128.load(two));
  } else {
    s.s0 = xor(a0, key.s0);
    s.s1 = xor(a1, key.s1);
    s.s2 = xor(a2, key.s2);
    s.s3 = xor(a3, key.s3);
    s.s4 = xor(a4, key.s4);
    s.s5 = xor(a5, key.s5);
    s.s6 = xor(a6, key.s6);
    s.s7 = xor(a7, key.s7);
  }
}

/** The linear half of the inverse S-box's frame: bit i becomes the sum of bits i+2, i+5 and i+7. */
function unAffine(s: Slices): void {
  const a0 = s.s0, a1 = s.s1, a2 = s.s2, a3 = s.s3, a4 = s.s4, a5 = s.s5, a6 = s.s6, a7 = s.s7;
  s.s0 = xor(xor(a2, a5), a7);
  s.s1 = xor(xor(a3, a6), a0);
  s.s2 = xor(xor(a4, a7), a1);
  s.s3 = xor(xor(a5, a0), a2);
  s.s4 = xor(xor(a6, a1), a3);
  s.s5 = xor(xor(a7, a2), a4);
  s.s6 = xor(xor(a0, a3), a5);
  s.s7 = xor(xor(a1, a4), a6);
}

/**
 * The inverse of SubBytes; `noKey` is zeros. With A the linear part of the S-box and I the inversion in GF(2^8),
 * SubBytes is A·I, so its inverse I·A^-1 is A^-1·(A·I)·A^-1: the same circuit in a linear frame.
 */
// @ts-ignore: decorator
@inline
export function invSubBytes(s: Slices, noKey: Slices): void {
  unAffine(s);
  encryptRound(s, noKey, 0, 0);
  unAffine(s);
}

// --- MixColumns -------------------------------------------------------------------------------
// In a column, MixColumns is b[i] = 2·(a[i] + a[i+1]) + a[i+1] + (a[i+2] + a[i+3]): with R the
// rotation by one row and t = a + R(a), it is 2·t + R(a) + R(R(t)); doubling moves slice k to k+1 and
// adds slice 7 to slices 0, 1, 3 and 4 (the polynomial 0x11b).
//
// ShiftRows is never carried out (fixslicing: Adomnicai and Peyrin, "Fixslicing AES-like ciphers",
// TCHES 2021): the slices stand for SR^e of themselves, e growing by one each round, and MixColumns
// is conjugated by SR^e. In the conjugate, row r of column c takes row r+1 of column c+e where R
// took row r+1 of column c; since SR^4 is the identity there are four forms. Byte j is row j mod 4 of
// column j / 4. `one` is the conjugate of R and `two` that of R·R, both as permutations.
//
//   the lanes as AES's state      which lane each one takes, as `one` for e = 0 and for e = 1
//
//       0   4   8  12                 1   5   9  13             5   9  13   1
//       1   5   9  13                 2   6  10  14             6  10  14   2
//       2   6  10  14                 3   7  11  15             7  11  15   3
//       3   7  11  15                 0   4   8  12             4   8  12   0

/** MixColumns of `a0` to `a7` in the form that `one` and `two` say, and the round key: into `s`. */
// @ts-ignore: decorator
@inline
function mix(
  s: Slices, a0: v128, a1: v128, a2: v128, a3: v128, a4: v128, a5: v128, a6: v128, a7: v128,
  key: Slices, one: v128, two: v128,
): void {
  const r0 = lookup(a0, one), r1 = lookup(a1, one);
  const r2 = lookup(a2, one), r3 = lookup(a3, one);
  const r4 = lookup(a4, one), r5 = lookup(a5, one);
  const r6 = lookup(a6, one), r7 = lookup(a7, one);
  const t0 = xor(a0, r0), t1 = xor(a1, r1), t2 = xor(a2, r2), t3 = xor(a3, r3);
  const t4 = xor(a4, r4), t5 = xor(a5, r5), t6 = xor(a6, r6), t7 = xor(a7, r7);
  s.s0 = xor(xor(xor(r0, key.s0), t7), lookup(t0, two));
  s.s1 = xor(xor(xor(r1, key.s1), xor(t0, t7)), lookup(t1, two));
  s.s2 = xor(xor(xor(r2, key.s2), t1), lookup(t2, two));
  s.s3 = xor(xor(xor(r3, key.s3), xor(t2, t7)), lookup(t3, two));
  s.s4 = xor(xor(xor(r4, key.s4), xor(t3, t7)), lookup(t4, two));
  s.s5 = xor(xor(xor(r5, key.s5), t4), lookup(t5, two));
  s.s6 = xor(xor(xor(r6, key.s6), t5), lookup(t6, two));
  s.s7 = xor(xor(xor(r7, key.s7), t6), lookup(t7, two));
}

/** MixColumns in the form that `one` and `two` say, and the round key. */
// @ts-ignore: decorator
@inline
export function mixColumns(s: Slices, key: Slices, one: v128, two: v128): void {
  mix(s, s.s0, s.s1, s.s2, s.s3, s.s4, s.s5, s.s6, s.s7, key, one, two);
}

/**
 * Makes the next `mixColumns` of the same form undo one: the inverse matrix is the matrix times
 * 5 + 4·x^2 (Daemen and Rijmen, "The Design of Rijndael", 4.1.3), that is a + 4·(a + R(R(a))) first.
 */
// @ts-ignore: decorator
@inline
export function preInvMixColumns(s: Slices, two: v128): void {
  const d0 = xor(s.s0, lookup(s.s0, two)), d1 = xor(s.s1, lookup(s.s1, two));
  const d2 = xor(s.s2, lookup(s.s2, two)), d3 = xor(s.s3, lookup(s.s3, two));
  const d4 = xor(s.s4, lookup(s.s4, two)), d5 = xor(s.s5, lookup(s.s5, two));
  const d6 = xor(s.s6, lookup(s.s6, two)), d7 = xor(s.s7, lookup(s.s7, two));
  // 4·d: slice k to k+2; slices 6 and 7 come back through the polynomial.
  const d67 = xor(d6, d7);
  s.s0 = xor(s.s0, d6);
  s.s1 = xor(s.s1, d67);
  s.s2 = xor(s.s2, xor(d0, d7));
  s.s3 = xor(s.s3, xor(d1, d6));
  s.s4 = xor(s.s4, xor(d2, d67));
  s.s5 = xor(s.s5, xor(d3, d7));
  s.s6 = xor(s.s6, d4);
  s.s7 = xor(s.s7, d5);
}

/** AddRoundKey. */
// @ts-ignore: decorator
@inline
export function addRoundKey(s: Slices, key: Slices): void {
  s.s0 = xor(s.s0, key.s0);
  s.s1 = xor(s.s1, key.s1);
  s.s2 = xor(s.s2, key.s2);
  s.s3 = xor(s.s3, key.s3);
  s.s4 = xor(s.s4, key.s4);
  s.s5 = xor(s.s5, key.s5);
  s.s6 = xor(s.s6, key.s6);
  s.s7 = xor(s.s7, key.s7);
}

// --- Between blocks and slices ----------------------------------------------------------------
/** Bits of `a` and `b` that change places when an exchange moves `b`'s up by `n` into `a`. */
// @ts-ignore: decorator
@inline
function moving(a: v128, b: v128, n: i32, mask: v128): v128 {
  return and(xor(i64x2.shr_u(a, n), b), mask);
}

// @ts-ignore: decorator
@inline
function low(a: v128, b: v128, n: i32, mask: v128): v128 {
  return xor(a, i64x2.shl(moving(a, b, n, mask), n));
}

// @ts-ignore: decorator
@inline
function high(a: v128, b: v128, n: i32, mask: v128): v128 {
  return xor(b, moving(a, b, n, mask));
}

/**
 * Eight blocks into slices, or slices into blocks: in each byte lane, the 8×8 bit matrix (register,
 * bit) is transposed by exchanging quarters at distances 1, 2 and 4 (Hacker's Delight, 7-3).
 */
export function transpose(s: Slices): void {
  const m1 = i8x16.splat(0x55), m2 = i8x16.splat(0x33), m4 = i8x16.splat(0x0f);
  const a0 = s.s0, a1 = s.s1, a2 = s.s2, a3 = s.s3, a4 = s.s4, a5 = s.s5, a6 = s.s6, a7 = s.s7;
  const b0 = low(a0, a1, 1, m1), b1 = high(a0, a1, 1, m1);
  const b2 = low(a2, a3, 1, m1), b3 = high(a2, a3, 1, m1);
  const b4 = low(a4, a5, 1, m1), b5 = high(a4, a5, 1, m1);
  const b6 = low(a6, a7, 1, m1), b7 = high(a6, a7, 1, m1);
  const c0 = low(b0, b2, 2, m2), c2 = high(b0, b2, 2, m2);
  const c1 = low(b1, b3, 2, m2), c3 = high(b1, b3, 2, m2);
  const c4 = low(b4, b6, 2, m2), c6 = high(b4, b6, 2, m2);
  const c5 = low(b5, b7, 2, m2), c7 = high(b5, b7, 2, m2);
  s.s0 = low(c0, c4, 4, m4);
  s.s4 = high(c0, c4, 4, m4);
  s.s1 = low(c1, c5, 4, m4);
  s.s5 = high(c1, c5, 4, m4);
  s.s2 = low(c2, c6, 4, m4);
  s.s6 = high(c2, c6, 4, m4);
  s.s3 = low(c3, c7, 4, m4);
  s.s7 = high(c3, c7, 4, m4);
}

/** For each bit of a byte, it alone in sixteen bytes. */
const BITS: usize = memory.data<i8>([
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
  2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
  4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
  8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
  16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16,
  32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
  64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
  -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128,
], 16);

/** All ones in the bytes of `x` that have the bit set, else zero. */
// @ts-ignore: decorator
@inline
function spread(x: v128, bit: usize): v128 {
  const mask = v128.load(BITS + (bit << 4));
  return i8x16.eq(and(x, mask), mask);
}

/** Eight times the block `x`, sliced. */
// @ts-ignore: decorator
@inline
export function broadcast(s: Slices, x: v128): void {
  s.s0 = spread(x, 0);
  s.s1 = spread(x, 1);
  s.s2 = spread(x, 2);
  s.s3 = spread(x, 3);
  s.s4 = spread(x, 4);
  s.s5 = spread(x, 5);
  s.s6 = spread(x, 6);
  s.s7 = spread(x, 7);
}

/** Clears the group. */
export function clear(s: Slices): void {
  const zero = i64x2.splat(0);
  s.s0 = zero;
  s.s1 = zero;
  s.s2 = zero;
  s.s3 = zero;
  s.s4 = zero;
  s.s5 = zero;
  s.s6 = zero;
  s.s7 = zero;
}
