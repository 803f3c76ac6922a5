// AES on one block by vector permutations (M. Hamburg, "Accelerating AES with Vector Permute
// Instructions", CHES 2009): where there is a single block, bitslicing would work on eight for one. All
// tables stand in registers and are looked up by `lookup`, so no address depends on data or key.
//
// The S-box inverts in GF(2^8), taken as pairs over GF(2^4) = {0, g, …}, g = 0x0d: a byte is i·z + j·Z
// with z = 0x12, Z = z^16, z + Z = 1. A nibble's bits stand for 1, g, g^2, g^3. With k = i + j and
// a = 1/(z·Z) = 0xe1 its inverse comes from u = j + 1/(1/i + a/k) and t = i + 1/(1/j + a/k), as the sum
// of a function of u and one of t, which are tables again, with whatever linear map follows in them.
// 1/0 is infinity: 0x80, which stays there when a nibble is added, and is looked up as 0.
//
// Between rounds the state stays in these terms, i in the upper nibbles and k in the lower ("tower").

import { and, lookup, permute, xor } from "../simd";

// --- The S-box --------------------------------------------------------------------------------
// @ts-ignore: decorator
@inline
function upper(x: v128): v128 { return and(i16x8.shr_u(x, 4), i8x16.splat(15)); }
// @ts-ignore: decorator
@inline
function lower(x: v128): v128 { return and(x, i8x16.splat(15)); }

/** A linear map of bytes, given by its values on the upper and on the lower nibble. */
// @ts-ignore: decorator
@inline
function map(x: v128, onUpper: v128, onLower: v128): v128 {
  return xor(lookup(onUpper, upper(x)), lookup(onLower, lower(x)));
}

/** 1/x */
// @ts-ignore: decorator
@inline
function inverse(x: v128): v128 {
  return lookup(i8x16(-128, 1, 12, 8, 6, 15, 4, 14, 3, 13, 11, 10, 2, 9, 7, 5), x);
}

/** a/x */
// @ts-ignore: decorator
@inline
function ratio(x: v128): v128 {
  return lookup(i8x16(-128, 12, 6, 4, 3, 11, 2, 7, 13, 10, 9, 5, 1, 8, 15, 14), x);
}

// Both are inlined next to each other; the compiler computes what they share once.
// @ts-ignore: decorator
@inline
function u(x: v128): v128 {
  const i = upper(x), k = lower(x);
  return xor(xor(i, k), inverse(xor(inverse(i), ratio(k))));
}

// @ts-ignore: decorator
@inline
function t(x: v128): v128 {
  const i = upper(x), k = lower(x);
  return xor(i, inverse(xor(inverse(xor(i, k)), ratio(k))));
}

/** Bytes to tower. */
// @ts-ignore: decorator
@inline
export function toTower(x: v128): v128 {
  return map(
    x,
    i8x16(0, 87, 41, 126, 7, 80, 46, 121, -2, -87, -41, -128, -7, -82, -48, -121),
    i8x16(0, 16, 70, 86, -83, -67, -21, -5, -99, -115, -37, -53, 48, 32, 118, 102),
  );
}

/** SubBytes of a state in tower, without its constant 0x63: to bytes. */
// @ts-ignore: decorator
@inline
function subBytes(x: v128): v128 {
  return xor(
    lookup(i8x16(0, 75, -75, 42, -93, -62, -97, -119, 119, -2, 93, 22, 60, 97, -24, -44), u(x)),
    lookup(i8x16(0, 84, 1, -73, 17, -14, -74, -90, -13, 85, 68, 16, -89, -29, 69, -30), t(x)),
  );
}

/** The same to tower. */
// @ts-ignore: decorator
@inline
function subTower(x: v128): v128 {
  return xor(
    lookup(i8x16(0, -52, 61, -14, -127, -65, -49, 115, -126, -15, 112, -68, 78, 62, 77, 3), u(x)),
    lookup(i8x16(0, -3, 16, 123, 71, -63, 107, 60, -47, -19, -86, 87, 44, -122, -70, -106), t(x)),
  );
}

/** The same, doubled in GF(2^8). */
// @ts-ignore: decorator
@inline
function subTowerDoubled(x: v128): v128 {
  return xor(
    lookup(i8x16(0, 66, 105, -3, 112, -49, -108, -115, -90, 43, 91, 25, -28, -65, 50, -42), u(x)),
    lookup(i8x16(0, 74, 70, -60, 111, -31, -126, -85, -89, 12, 99, 41, -19, -114, 37, -56), t(x)),
  );
}

/** SubWord (FIPS 197, section 5.2) of the four bytes of `word`, in whatever order. */
export function subWord(word: u32): u32 {
  return i32x4.extract_lane(subBytes(toTower(i32x4.splat(word))), 0) ^ 0x63636363;
}

// --- Encryption -------------------------------------------------------------------------------
// ShiftRows followed by "row r becomes row r + n", n = 0, 1, 2, 3; MixColumns is
// b[r] = 2·a[r] + 3·a[r+1] + a[r+2] + a[r+3] in each column.
// @ts-ignore: decorator
@inline
function shifted0(): v128 { return i8x16(0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11); }
// @ts-ignore: decorator
@inline
function shifted1(): v128 { return i8x16(5, 10, 15, 0, 9, 14, 3, 4, 13, 2, 7, 8, 1, 6, 11, 12); }
// @ts-ignore: decorator
@inline
function shifted2(): v128 { return i8x16(10, 15, 0, 5, 14, 3, 4, 9, 2, 7, 8, 13, 6, 11, 12, 1); }
// @ts-ignore: decorator
@inline
function shifted3(): v128 { return i8x16(15, 0, 5, 10, 3, 4, 9, 14, 7, 8, 13, 2, 11, 12, 1, 6); }

/**
 * Encrypts one block. At `keys` stand the round keys: those from 1 on with 0x63 added, all but the last
 * in tower.
 */
export function encrypt(x: v128, keys: usize, rounds: i32): v128 {
  const last = keys + (<usize>rounds << 4);
  x = xor(toTower(x), v128.load(keys));
  for (let key = keys + 16; key < last; key += 16) {
    const s = subTower(x), d = subTowerDoubled(x);
    const ab = xor(permute(d, shifted0()), permute(xor(s, d), shifted1()));
    x = xor(xor(xor(permute(s, shifted2()), v128.load(key)), permute(s, shifted3())), ab);
  }
  return xor(permute(subBytes(x), shifted0()), v128.load(last));
}

// --- Decryption -------------------------------------------------------------------------------
// ShiftRows^-1 after "row r becomes row r + n".
// @ts-ignore: decorator
@inline
function back0(): v128 { return i8x16(0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3); }
// @ts-ignore: decorator
@inline
function back1(): v128 { return i8x16(1, 14, 11, 4, 5, 2, 15, 8, 9, 6, 3, 12, 13, 10, 7, 0); }
// @ts-ignore: decorator
@inline
function back2(): v128 { return i8x16(2, 15, 8, 5, 6, 3, 12, 9, 10, 7, 0, 13, 14, 11, 4, 1); }
// @ts-ignore: decorator
@inline
function back3(): v128 { return i8x16(3, 12, 9, 6, 7, 0, 13, 10, 11, 4, 1, 14, 15, 8, 5, 2); }

/** The S-box's affine map undone, but for its constant: bytes to tower. */
// @ts-ignore: decorator
@inline
function unAffineBytes(x: v128): v128 {
  return map(
    x,
    i8x16(0, 122, -118, -16, -17, -107, 101, 31, -108, -18, 30, 100, 123, 1, -15, -117),
    i8x16(0, -36, 4, -40, -92, 120, -96, 124, 22, -54, 18, -50, -78, 110, -74, 106),
  );
}

/** The same, tower to tower. */
// @ts-ignore: decorator
@inline
function unAffineTower(x: v128): v128 {
  return map(
    x,
    i8x16(0, -36, 110, -78, 73, -107, 39, -5, 100, -72, 10, -42, 45, -15, 67, -97),
    i8x16(0, -94, 7, -91, 74, -24, 77, -17, 70, -28, 65, -29, 12, -82, 11, -87),
  );
}

/** The inverse in GF(2^8): tower to bytes. */
// @ts-ignore: decorator
@inline
function invertBytes(x: v128): v128 {
  return xor(
    lookup(i8x16(0, 30, -85, -113, -78, 35, 36, 61, -120, -75, 7, 25, -106, -111, -84, 58), u(x)),
    lookup(i8x16(0, 31, 74, 63, -18, -50, 117, -47, -124, 85, -69, -92, -101, 32, -15, 106), t(x)),
  );
}

/** The same, tower to tower. */
// @ts-ignore: decorator
@inline
function invertTower(x: v128): v128 {
  return xor(
    lookup(i8x16(0, 33, 28, -104, -58, 127, -124, 94, 99, 61, -5, -38, 66, -71, -25, -91), u(x)),
    lookup(i8x16(0, 49, -36, 24, -90, -113, -60, -66, 83, -19, 75, 122, 98, 41, -105, -11), t(x)),
  );
}

/** Times 2 in GF(2^8), in tower. */
// @ts-ignore: decorator
@inline
function doubled(x: v128): v128 {
  return map(
    x,
    i8x16(0, 70, -116, -54, -111, -41, 29, 91, -78, -12, 62, 120, 35, 101, -81, -23),
    i8x16(0, -62, 20, -42, 40, -22, 60, -2, 73, -117, 93, -97, 97, -93, 117, -73),
  );
}

/** Times 4. */
// @ts-ignore: decorator
@inline
function quadrupled(x: v128): v128 {
  return map(
    x,
    i8x16(0, -83, -45, 126, 54, -101, -27, 72, 108, -63, -65, 18, 90, -9, -119, 36),
    i8x16(0, 55, 110, 89, -59, -14, -85, -100, 26, 45, 116, 67, -33, -24, -79, -122),
  );
}

/**
 * Decrypts one block with the round keys of `encrypt`; `first` is round key 0 as bytes. The 0x63 in the
 * others is the constant that the inverse S-box wants; InvMixColumns leaves it as it is.
 */
export function decrypt(x: v128, keys: usize, rounds: i32, first: v128): v128 {
  let key = keys + (<usize>rounds << 4);
  x = unAffineBytes(permute(xor(x, v128.load(key)), back0()));
  for (key -= 16; key > keys; key -= 16) {
    let y = xor(invertTower(x), v128.load(key));
    // InvMixColumns is MixColumns of a + 4·(a + a two rows on) (slices.ts).
    const across = permute(y, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
    y = xor(y, quadrupled(xor(y, across)));
    const d = doubled(y);
    const ab = xor(permute(d, back0()), permute(xor(y, d), back1()));
    x = unAffineTower(xor(xor(permute(y, back2()), permute(y, back3())), ab));
  }
  return xor(invertBytes(x), first);
}
