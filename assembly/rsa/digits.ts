// Numbers as the kernels of lanes.ts and fused.ts take them: p in one lane of every vector and q in the
// other, balanced digits, each a whole number in an f64. How many bits a digit has is the kernel's choice.
import { zero } from "../simd";
import { CAPACITY, clear, get, LIMB, MASK, set } from "./number";

/** Bytes of a number: room for 16384 + 24 bits in digits of 24, for rounding up to four, and four zeros. */
export const LANES_SIZE: usize = 704 * 16;

/** Sets the four digits at `out` to 0. */
// @ts-ignore: decorator
@inline
export function storeZeros(out: usize): void {
  v128.store(out, zero());
  v128.store(out, zero(), 16);
  v128.store(out, zero(), 32);
  v128.store(out, zero(), 48);
}

/** out = 1 in both lanes. */
export function setOne(out: usize, rows: u32): void {
  const end = out + (<usize>(rows + 4) << 4);
  v128.store(out, f64x2.splat(1));
  for (out += 16; out < end; out += 16) v128.store(out, zero());
}

/** Limb `i`. Digits of 50 bits may reach beyond what a number has room for; those of 24 do not. */
// @ts-ignore: decorator
@inline
function limb(x: usize, i: u32): u64 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (i >= CAPACITY) return 0;
  }
  return <u64>get(x, i);
}

/** Puts bits into limb `i`, where none are. */
// @ts-ignore: decorator
@inline
function addBits(out: usize, i: u32, bits: u64): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    if (i >= CAPACITY) return;
  }
  set(out, i, get(out, i) | (<u32>bits & MASK));
}

/**
 * Writes the number `x`, below 2^(bits·rows - 2), as digits: `turn` of them in the lane at `out`, and what is
 * left in the next one, from the start.
 */
export function writeDigits(out: usize, x: usize, rows: u32, turn: u32, bits: u32): void {
  const mask = (<u64>1 << bits) - 1;
  const half = <i64>1 << (bits - 1);
  let at: u32 = 0;
  let shift: u32 = 0;
  let carry: i64 = 0;
  for (let i: u32 = 0; i < rows; i++, out += 16) {
    if (i == turn) out -= (<usize>turn << 4) - 8;
    const three = (limb(x, at) >> shift) | (limb(x, at + 1) << (LIMB - shift))
      | (limb(x, at + 2) << (2 * LIMB - shift));
    const digit = carry + <i64>(three & mask);
    carry = (digit + half) >> bits;
    store<f64>(out, <f64>(digit - (carry << bits)));
    for (shift += bits; shift >= LIMB; shift -= LIMB) at++;
  }
}

/** out = x + m, limbs, of two numbers in digits that stand like that; x is above -m. */
export function readDigits(out: usize, x: usize, m: usize, rows: u32, turn: u32, bits: u32): void {
  const mask = (<u64>1 << bits) - 1;
  clear(out);
  let at: u32 = 0;
  let shift: u32 = 0;
  let carry: i64 = 0;
  for (let i: u32 = 0; i < rows; i++, x += 16, m += 16) {
    if (i == turn) {
      x -= (<usize>turn << 4) - 8;
      m -= (<usize>turn << 4) - 8;
    }
    carry += <i64>load<f64>(x) + <i64>load<f64>(m);
    const digit = <u64>carry & mask;
    carry >>= bits;
    addBits(out, at, digit << shift);
    addBits(out, at + 1, digit >> (LIMB - shift));
    addBits(out, at + 2, digit >> (2 * LIMB - shift));
    for (shift += bits; shift >= LIMB; shift -= LIMB) at++;
  }
}

/** Puts the number `x` into one lane of `out`. Four zeros follow. */
export function writeLane(out: usize, lane: u32, x: usize, rows: u32, bits: u32): void {
  out += <usize>lane << 3;
  writeDigits(out, x, rows, rows, bits);
  out += <usize>rows << 4;
  for (let i = 0; i < 4; i++, out += 16) store<f64>(out, 0);
}

/** out = one lane of `x` + m, limbs; x is above -m. */
export function readLane(out: usize, lane: u32, x: usize, m: usize, rows: u32, bits: u32): void {
  lane <<= 3;
  readDigits(out, x + lane, m + lane, rows, rows, bits);
}
