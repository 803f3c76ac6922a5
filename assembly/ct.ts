// Constant-time helpers: no branch and no address depends on their arguments' values. A mask is all
// ones (true) or all zeros (false). BearSSL's "constant-time crypto" pages explain the idioms.

/** All ones if `x` is 0, else 0. */
// @ts-ignore: decorator
@inline
export function zeroMask(x: u32): u32 {
  // The top bit of x | -x is set exactly when x is not zero.
  return ((x | (0 - x)) >> 31) - 1;
}

/** All ones if `a` equals `b`, else 0. */
// @ts-ignore: decorator
@inline
export function equalMask(a: u32, b: u32): u32 {
  return zeroMask(a ^ b);
}

/** All ones if `a` < `b` as unsigned numbers, else 0. */
// @ts-ignore: decorator
@inline
export function lessMask(a: u32, b: u32): u32 {
  return <u32>((<i64>(<u64>a) - <i64>(<u64>b)) >> 63);
}

/** `a` where `mask` is all ones, `b` where it is zero. */
// @ts-ignore: decorator
@inline
export function select(mask: u32, a: u32, b: u32): u32 {
  return b ^ (mask & (a ^ b));
}

/** All ones if the `length` bytes at `a` and at `b` are the same, else 0. Looks at all of them. */
export function equalBytes(a: usize, b: usize, length: usize): u32 {
  let difference: u32 = 0;
  for (let i: usize = 0; i < length; i++) difference |= <u32>load<u8>(a + i) ^ <u32>load<u8>(b + i);
  return zeroMask(difference);
}
