// Numbers as the kernels of lanes.ts and fused.ts take them: p in one lane of every vector and q in the
// other, balanced digits, each a whole number in an f64. How many bits a digit has is the kernel's choice.
import { zero } from "../simd";
import { clear, get, LIMB, MASK, set } from "./number";

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

/** Puts the number `x`, below 2^(bits·rows - 2), into one lane of `out`. Four zeros follow. */
export function writeLane(out: usize, lane: u32, x: usize, rows: u32, bits: u32): void {
  const mask = (<u64>1 << bits) - 1;
  const half = <i64>1 << (bits - 1);
  out += <usize>lane << 3;
  let at: u32 = 0;
  let shift: u32 = 0;
  let carry: i64 = 0;
  for (let i: u32 = 0; i < rows; i++, out += 16) {
    const three = (<u64>get(x, at) >> shift) | (<u64>get(x, at + 1) << (LIMB - shift))
      | (<u64>get(x, at + 2) << (2 * LIMB - shift));
    const digit = carry + <i64>(three & mask);
    carry = (digit + half) >> bits;
    store<f64>(out, <f64>(digit - (carry << bits)));
    for (shift += bits; shift >= LIMB; shift -= LIMB) at++;
  }
  for (let i = 0; i < 4; i++, out += 16) store<f64>(out, 0);
}

/** out = one lane of `x` + m, limbs; x is above -m. */
export function readLane(out: usize, lane: u32, x: usize, m: usize, rows: u32, bits: u32): void {
  const mask = (<u64>1 << bits) - 1;
  clear(out);
  x += <usize>lane << 3;
  m += <usize>lane << 3;
  let at: u32 = 0;
  let shift: u32 = 0;
  let carry: i64 = 0;
  for (let i: u32 = 0; i < rows; i++, x += 16, m += 16) {
    carry += <i64>load<f64>(x) + <i64>load<f64>(m);
    const digit = <u64>carry & mask;
    carry >>= bits;
    set(out, at, get(out, at) | (<u32>(digit << shift) & MASK));
    set(out, at + 1, <u32>(digit >> (LIMB - shift)) & MASK);
    set(out, at + 2, <u32>(digit >> (2 * LIMB - shift)));
    for (shift += bits; shift >= LIMB; shift -= LIMB) at++;
  }
}
