// Short names for the vector operations (AssemblyScript has no operators on v128) and the one way to
// permute bytes: `i8x16.swizzle` by a literal, which engines turn into a single instruction.

// @ts-ignore: decorator
@inline
export function xor(a: v128, b: v128): v128 { return v128.xor(a, b); }

// @ts-ignore: decorator
@inline
export function and(a: v128, b: v128): v128 { return v128.and(a, b); }

// @ts-ignore: decorator
@inline
export function zero(): v128 { return i64x2.splat(0); }

/** The 16 bytes in the opposite order. */
// @ts-ignore: decorator
@inline
export function reverse(a: v128): v128 {
  return i8x16.swizzle(a, i8x16(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
}
