// Short names for the vector operations (AssemblyScript has no operators on v128), and the one way to look up and to
// permute bytes.
//
// Constants that work is done with again and again stand in memory, and are loaded. Some versions of V8 (Node 24's)
// make a literal anew wherever it is used, from three or four instructions.

// @ts-ignore: decorator
@inline
export function xor(a: v128, b: v128): v128 { return v128.xor(a, b); }

// @ts-ignore: decorator
@inline
export function and(a: v128, b: v128): v128 { return v128.and(a, b); }

// @ts-ignore: decorator
@inline
export function zero(): v128 { return i64x2.splat(0); }

const FIFTEEN: usize = memory.data<i8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15], 16);
const REVERSE: usize = memory.data<i8>([15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0], 16);

/** 15 in each byte. */
// @ts-ignore: decorator
@inline
export function fifteen(): v128 { return v128.load(FIFTEEN); }

/** The upper nibble of each byte. */
// @ts-ignore: decorator
@inline
export function upperNibbles(x: v128): v128 { return and(i16x8.shr_u(x, 4), fifteen()); }

/** The lower nibble of each byte. */
// @ts-ignore: decorator
@inline
export function lowerNibbles(x: v128): v128 { return and(x, fifteen()); }

/**
 * The byte of `table` that each byte of `places` says, below 16; 128 and above gives 0. Nothing between is
 * allowed: there relaxed SIMD may answer either.
 */
// @ts-ignore: decorator
@inline
export function lookup(table: v128, places: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(table, places);
  return i8x16.swizzle(table, places);
}

/** The 16 bytes in the opposite order. */
// @ts-ignore: decorator
@inline
export function reverse(a: v128): v128 {
  return lookup(a, v128.load(REVERSE));
}

/**
 * a · b + c in both lanes. Only where product and sum are exact: whether a processor rounds between them
 * is then all the same, and relaxed SIMD may do it in one step.
 */
// @ts-ignore: decorator
@inline
export function multiplyAndAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f64x2.relaxed_madd(a, b, c);
  return f64x2.add(f64x2.mul(a, b), c);
}

/** a · b + c in both lanes, rounded once, where `isFused` (rsa/fused.ts) has found it so. */
// @ts-ignore: decorator
@inline
export function fusedMultiplyAndAdd(a: v128, b: v128, c: v128): v128 {
  return f64x2.relaxed_madd(a, b, c);
}
