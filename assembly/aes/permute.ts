// AES on one block by vector permutations (M. Hamburg, "Accelerating AES with Vector Permute
// Instructions", CHES 2009): where there is a single block, bitslicing would work on eight for one. All
// tables are read whole and looked up by `lookup`, so no address depends on data or key.
//
// The S-box inverts in GF(2^8), taken as pairs over GF(2^4) = {0, g, …}, g = 0x0d: a byte is i·z + j·Z
// with z = 0x12, Z = z^16, z + Z = 1. A nibble's bits stand for 1, g, g^2, g^3. With k = i + j and
// a = 1/(z·Z) = 0xe1 its inverse comes from u = j + 1/(1/i + a/k) and t = i + 1/(1/j + a/k), as the sum
// of a function of u and one of t, which are tables again, with whatever linear map follows in them.
// 1/0 is infinity: 0x80, which stays there when a nibble is added, and is looked up as 0.
//
// Between rounds the state stays in these terms, i in the upper nibbles and k in the lower ("tower").

import { lookup, lowerNibbles as lower, upperNibbles as upper, xor } from "../simd";

// --- The S-box --------------------------------------------------------------------------------
/** A linear map of bytes, given by its values on the upper and on the lower nibble. */
// @ts-ignore: decorator
@inline
function map(x: v128, onUpper: v128, onLower: v128): v128 {
  return xor(lookup(onUpper, upper(x)), lookup(onLower, lower(x)));
}

const INVERSE: usize = memory.data<i8>([-128, 1, 12, 8, 6, 15, 4, 14, 3, 13, 11, 10, 2, 9, 7, 5], 16);

/** 1/x */
// @ts-ignore: decorator
@inline
function inverse(x: v128): v128 {
  return lookup(v128.load(INVERSE), x);
}

const RATIO: usize = memory.data<i8>([-128, 12, 6, 4, 3, 11, 2, 7, 13, 10, 9, 5, 1, 8, 15, 14], 16);

/** a/x */
// @ts-ignore: decorator
@inline
function ratio(x: v128): v128 {
  return lookup(v128.load(RATIO), x);
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

const TO_TOWER_UPPER: usize = memory.data<i8>(
  [0, 87, 41, 126, 7, 80, 46, 121, -2, -87, -41, -128, -7, -82, -48, -121], 16,
);
const TO_TOWER_LOWER: usize = memory.data<i8>(
  [0, 16, 70, 86, -83, -67, -21, -5, -99, -115, -37, -53, 48, 32, 118, 102], 16,
);

/** Bytes to tower. */
// @ts-ignore: decorator
@inline
export function toTower(x: v128): v128 {
  return map(x, v128.load(TO_TOWER_UPPER), v128.load(TO_TOWER_LOWER));
}

const BYTES_OF_U: usize = memory.data<i8>(
  [0, 75, -75, 42, -93, -62, -97, -119, 119, -2, 93, 22, 60, 97, -24, -44], 16,
);
const BYTES_OF_T: usize = memory.data<i8>([0, 84, 1, -73, 17, -14, -74, -90, -13, 85, 68, 16, -89, -29, 69, -30], 16);

/** SubBytes of a state in tower, without its constant 0x63: to bytes. */
// @ts-ignore: decorator
@inline
function subBytes(x: v128): v128 {
  return xor(lookup(v128.load(BYTES_OF_U), u(x)), lookup(v128.load(BYTES_OF_T), t(x)));
}

const TOWER_OF_U: usize = memory.data<i8>(
  [0, -52, 61, -14, -127, -65, -49, 115, -126, -15, 112, -68, 78, 62, 77, 3], 16,
);
const TOWER_OF_T: usize = memory.data<i8>(
  [0, -3, 16, 123, 71, -63, 107, 60, -47, -19, -86, 87, 44, -122, -70, -106], 16,
);

/** The same to tower. */
// @ts-ignore: decorator
@inline
function subTower(x: v128): v128 {
  return xor(lookup(v128.load(TOWER_OF_U), u(x)), lookup(v128.load(TOWER_OF_T), t(x)));
}

const DOUBLED_OF_U: usize = memory.data<i8>(
  [0, 66, 105, -3, 112, -49, -108, -115, -90, 43, 91, 25, -28, -65, 50, -42], 16,
);
const DOUBLED_OF_T: usize = memory.data<i8>(
  [0, 74, 70, -60, 111, -31, -126, -85, -89, 12, 99, 41, -19, -114, 37, -56], 16,
);

/** The same, doubled in GF(2^8). */
// @ts-ignore: decorator
@inline
function subTowerDoubled(x: v128): v128 {
  return xor(lookup(v128.load(DOUBLED_OF_U), u(x)), lookup(v128.load(DOUBLED_OF_T), t(x)));
}

/** SubWord (FIPS 197, section 5.2) of the four bytes of `word`, in whatever order. */
export function subWord(word: u32): u32 {
  return i32x4.extract_lane(subBytes(toTower(i32x4.splat(word))), 0) ^ 0x63636363;
}

// --- Encryption -------------------------------------------------------------------------------
// ShiftRows followed by "row r becomes row r + n", n = 0, 1, 2, 3; MixColumns is
// b[r] = 2·a[r] + 3·a[r+1] + a[r+2] + a[r+3] in each column.
const SHIFTED_0: usize = memory.data<i8>([0, 5, 10, 15, 4, 9, 14, 3, 8, 13, 2, 7, 12, 1, 6, 11], 16);
const SHIFTED_1: usize = memory.data<i8>([5, 10, 15, 0, 9, 14, 3, 4, 13, 2, 7, 8, 1, 6, 11, 12], 16);
const SHIFTED_2: usize = memory.data<i8>([10, 15, 0, 5, 14, 3, 4, 9, 2, 7, 8, 13, 6, 11, 12, 1], 16);
const SHIFTED_3: usize = memory.data<i8>([15, 0, 5, 10, 3, 4, 9, 14, 7, 8, 13, 2, 11, 12, 1, 6], 16);

/**
 * Encrypts one block. At `keys` stand the round keys: those from 1 on with 0x63 added, all but the last
 * in tower.
 */
export function encrypt(x: v128, keys: usize, rounds: i32): v128 {
  const last = keys + (<usize>rounds << 4);
  x = xor(toTower(x), v128.load(keys));
  for (let key = keys + 16; key < last; key += 16) {
    const s = subTower(x), d = subTowerDoubled(x);
    const ab = xor(lookup(d, v128.load(SHIFTED_0)), lookup(xor(s, d), v128.load(SHIFTED_1)));
    x = xor(xor(xor(lookup(s, v128.load(SHIFTED_2)), v128.load(key)), lookup(s, v128.load(SHIFTED_3))), ab);
  }
  return xor(lookup(subBytes(x), v128.load(SHIFTED_0)), v128.load(last));
}

// --- Decryption -------------------------------------------------------------------------------
// ShiftRows^-1 after "row r becomes row r + n".
const BACK_0: usize = memory.data<i8>([0, 13, 10, 7, 4, 1, 14, 11, 8, 5, 2, 15, 12, 9, 6, 3], 16);
const BACK_1: usize = memory.data<i8>([1, 14, 11, 4, 5, 2, 15, 8, 9, 6, 3, 12, 13, 10, 7, 0], 16);
const BACK_2: usize = memory.data<i8>([2, 15, 8, 5, 6, 3, 12, 9, 10, 7, 0, 13, 14, 11, 4, 1], 16);
const BACK_3: usize = memory.data<i8>([3, 12, 9, 6, 7, 0, 13, 10, 11, 4, 1, 14, 15, 8, 5, 2], 16);

const UNAFFINE_BYTES_UPPER: usize = memory.data<i8>(
  [0, 122, -118, -16, -17, -107, 101, 31, -108, -18, 30, 100, 123, 1, -15, -117], 16,
);
const UNAFFINE_BYTES_LOWER: usize = memory.data<i8>(
  [0, -36, 4, -40, -92, 120, -96, 124, 22, -54, 18, -50, -78, 110, -74, 106], 16,
);

/** The S-box's affine map undone, but for its constant: bytes to tower. */
// @ts-ignore: decorator
@inline
function unAffineBytes(x: v128): v128 {
  return map(x, v128.load(UNAFFINE_BYTES_UPPER), v128.load(UNAFFINE_BYTES_LOWER));
}

const UNAFFINE_TOWER_UPPER: usize = memory.data<i8>(
  [0, -36, 110, -78, 73, -107, 39, -5, 100, -72, 10, -42, 45, -15, 67, -97], 16,
);
const UNAFFINE_TOWER_LOWER: usize = memory.data<i8>(
  [0, -94, 7, -91, 74, -24, 77, -17, 70, -28, 65, -29, 12, -82, 11, -87], 16,
);

/** The same, tower to tower. */
// @ts-ignore: decorator
@inline
function unAffineTower(x: v128): v128 {
  return map(x, v128.load(UNAFFINE_TOWER_UPPER), v128.load(UNAFFINE_TOWER_LOWER));
}

const INVERSE_BYTES_OF_U: usize = memory.data<i8>(
  [0, 30, -85, -113, -78, 35, 36, 61, -120, -75, 7, 25, -106, -111, -84, 58], 16,
);
const INVERSE_BYTES_OF_T: usize = memory.data<i8>(
  [0, 31, 74, 63, -18, -50, 117, -47, -124, 85, -69, -92, -101, 32, -15, 106], 16,
);

/** The inverse in GF(2^8): tower to bytes. */
// @ts-ignore: decorator
@inline
function invertBytes(x: v128): v128 {
  return xor(lookup(v128.load(INVERSE_BYTES_OF_U), u(x)), lookup(v128.load(INVERSE_BYTES_OF_T), t(x)));
}

const INVERSE_TOWER_OF_U: usize = memory.data<i8>(
  [0, 33, 28, -104, -58, 127, -124, 94, 99, 61, -5, -38, 66, -71, -25, -91], 16,
);
const INVERSE_TOWER_OF_T: usize = memory.data<i8>(
  [0, 49, -36, 24, -90, -113, -60, -66, 83, -19, 75, 122, 98, 41, -105, -11], 16,
);

/** The same, tower to tower. */
// @ts-ignore: decorator
@inline
function invertTower(x: v128): v128 {
  return xor(lookup(v128.load(INVERSE_TOWER_OF_U), u(x)), lookup(v128.load(INVERSE_TOWER_OF_T), t(x)));
}

const DOUBLED_UPPER: usize = memory.data<i8>(
  [0, 70, -116, -54, -111, -41, 29, 91, -78, -12, 62, 120, 35, 101, -81, -23], 16,
);
const DOUBLED_LOWER: usize = memory.data<i8>(
  [0, -62, 20, -42, 40, -22, 60, -2, 73, -117, 93, -97, 97, -93, 117, -73], 16,
);

/** Times 2 in GF(2^8), in tower. */
// @ts-ignore: decorator
@inline
function doubled(x: v128): v128 {
  return map(x, v128.load(DOUBLED_UPPER), v128.load(DOUBLED_LOWER));
}

const QUADRUPLED_UPPER: usize = memory.data<i8>(
  [0, -83, -45, 126, 54, -101, -27, 72, 108, -63, -65, 18, 90, -9, -119, 36], 16,
);
const QUADRUPLED_LOWER: usize = memory.data<i8>(
  [0, 55, 110, 89, -59, -14, -85, -100, 26, 45, 116, 67, -33, -24, -79, -122], 16,
);

/** Times 4. */
// @ts-ignore: decorator
@inline
function quadrupled(x: v128): v128 {
  return map(x, v128.load(QUADRUPLED_UPPER), v128.load(QUADRUPLED_LOWER));
}

const ACROSS: usize = memory.data<i8>([2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13], 16);

/**
 * Decrypts one block with the round keys of `encrypt`; `first` is round key 0 as bytes. The 0x63 in the
 * others is the constant that the inverse S-box wants; InvMixColumns leaves it as it is.
 */
export function decrypt(x: v128, keys: usize, rounds: i32, first: v128): v128 {
  let key = keys + (<usize>rounds << 4);
  x = unAffineBytes(lookup(xor(x, v128.load(key)), v128.load(BACK_0)));
  for (key -= 16; key > keys; key -= 16) {
    let y = xor(invertTower(x), v128.load(key));
    // InvMixColumns is MixColumns of a + 4·(a + a two rows on) (slices.ts).
    const across = lookup(y, v128.load(ACROSS));
    y = xor(y, quadrupled(xor(y, across)));
    const d = doubled(y);
    const ab = xor(lookup(d, v128.load(BACK_0)), lookup(xor(y, d), v128.load(BACK_1)));
    x = unAffineTower(xor(xor(lookup(y, v128.load(BACK_2)), lookup(y, v128.load(BACK_3))), ab));
  }
  return xor(invertBytes(x), first);
}
