// Big numbers: limbs of 28 bits, each in a u32, least significant first. The four spare bits of a
// limb, and the eight of a product of two, are what lets the Montgomery product put off its carries.
// Sizes are public; what stands in the limbs steers nothing.

/** Bits of a limb, and their mask. */
export const LIMB: u32 = 28;
export const MASK: u32 = 0xfffffff;

/** Limbs that a number has room for: 16384 bits and the zeros that vector loads reach behind them. */
export const CAPACITY: u32 = 592;
export const NUMBER_SIZE: usize = CAPACITY * 4;

/** The longest modulus, in bits and bytes. */
export const MAX_BITS: u32 = 16384;
export const MAX_BYTES: usize = MAX_BITS / 8;

// @ts-ignore: decorator
@inline
export function get(a: usize, i: u32): u32 {
  return load<u32>(a + (<usize>i << 2));
}

// @ts-ignore: decorator
@inline
export function set(a: usize, i: u32, limb: u32): void {
  store<u32>(a + (<usize>i << 2), limb);
}

export function clear(a: usize): void {
  memory.fill(a, 0, NUMBER_SIZE);
}

export function copy(out: usize, a: usize): void {
  memory.copy(out, a, NUMBER_SIZE);
}

/** Reads `length` bytes, big-endian, at most 2072. */
export function readNumber(out: usize, bytes: usize, length: usize): void {
  clear(out);
  let held: u32 = 0;
  let buffer: u64 = 0;
  let i: u32 = 0;
  while (length > 0) {
    buffer |= <u64>load<u8>(bytes + --length) << held;
    held += 8;
    if (held >= LIMB) {
      set(out, i++, <u32>buffer & MASK);
      buffer >>= LIMB;
      held -= LIMB;
    }
  }
  if (held > 0) set(out, i, <u32>buffer);
}

/** Writes the lowest `length` bytes, big-endian. */
export function writeNumber(bytes: usize, length: usize, a: usize): void {
  let held: u32 = 0;
  let buffer: u64 = 0;
  let i: u32 = 0;
  while (length > 0) {
    if (held < 8) {
      buffer |= <u64>get(a, i++) << held;
      held += LIMB;
    }
    store<u8>(bytes + --length, <u8>buffer);
    buffer >>= 8;
    held -= 8;
  }
}

/** The length in bits, which is public; 0 has none. */
export function bitLength(a: usize): u32 {
  let i = CAPACITY;
  while (i > 0 && get(a, i - 1) == 0) i--;
  return i == 0 ? 0 : i * LIMB - (clz(get(a, i - 1)) - (32 - LIMB));
}

/** Bit `i`. */
export function bit(a: usize, i: u32): u32 {
  return (get(a, i / LIMB) >> (i % LIMB)) & 1;
}

/** All ones if a < b, else 0, over `count` limbs. */
export function lessThan(a: usize, b: usize, count: u32): u32 {
  let borrow: i32 = 0;
  for (let i: u32 = 0; i < count; i++) borrow = (<i32>get(a, i) - <i32>get(b, i) + borrow) >> 31;
  return <u32>borrow;
}

/** All zeros if a = b, over `count` limbs. */
export function difference(a: usize, b: usize, count: u32): u32 {
  let bits: u32 = 0;
  for (let i: u32 = 0; i < count; i++) bits |= get(a, i) ^ get(b, i);
  return bits;
}

/** All zeros if a = 1, over `count` limbs. */
export function differenceFromOne(a: usize, count: u32): u32 {
  let bits = get(a, 0) ^ 1;
  for (let i: u32 = 1; i < count; i++) bits |= get(a, i);
  return bits;
}

/** out = a + b, over `count` limbs. */
export function add(out: usize, a: usize, b: usize, count: u32): void {
  let carry: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    carry += get(a, i) + get(b, i);
    set(out, i, carry & MASK);
    carry >>= LIMB;
  }
}

/** a = a - b if `mask` is all ones, a if it is 0, over `count` limbs. */
export function subtractMasked(a: usize, b: usize, mask: u32, count: u32): void {
  let borrow: i32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    borrow += <i32>get(a, i) - <i32>(get(b, i) & mask);
    set(a, i, <u32>borrow & MASK);
    borrow >>= LIMB;
  }
}

/** a = a - m if a ≥ m. Less than 2m before is less than m after. */
export function subtractOnce(a: usize, m: usize, count: u32): void {
  subtractMasked(a, m, ~lessThan(a, m, count), count);
}

/** a = 2a + bit mod m, for a < m. */
export function shiftIn(a: usize, bit: u32, m: usize, count: u32): void {
  let carry = bit;
  let borrow: i32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    carry |= get(a, i) << 1;
    const limb = carry & MASK;
    set(a, i, limb);
    borrow = (<i32>limb - <i32>get(m, i) + borrow) >> 31;
    carry >>= LIMB;
  }
  subtractMasked(a, m, ~<u32>borrow, count);
}

/** a / 2^bits to 53 bits, for a below about 2^bits; `bits` is 57 or more. */
function fraction(a: usize, bits: u32): f64 {
  const top = (bits - 1) / LIMB;
  const value = (<f64>get(a, top) * <f64>(1 << LIMB) + <f64>get(a, top - 1)) * <f64>(1 << LIMB) + <f64>get(a, top - 2);
  return value * reinterpret<f64>(<u64>(1023 + (top - 2) * LIMB - bits) << 52);
}

/** 2^bits / m, for m of `bits` bits: Newton's iteration, and no division, whose time differs. */
export function reciprocal(m: usize, bits: u32): f64 {
  const x = fraction(m, bits);
  let r = 48.0 / 17.0 - (32.0 / 17.0) * x;
  for (let i = 0; i < 4; i++) r *= 2.0 - x * r;
  return r;
}

/** a = 2^28 · a mod m, for a < m, by the reciprocal of m. */
export function shiftLimbIn(a: usize, m: usize, bits: u32, count: u32, reciprocal: f64): void {
  // One too many or too few at most
  const quotient = <i64>(fraction(a, bits) * reciprocal * <f64>(1 << LIMB));
  let carry: i64 = 0;
  let below: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const limb = get(a, i);
    carry += <i64>below - quotient * <i64>get(m, i);
    set(a, i, <u32>carry & MASK);
    carry >>= LIMB;
    below = limb;
  }
  const negative = <u32>((carry + <i64>below) >> 63);
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    sum += get(a, i) + (get(m, i) & negative);
    set(a, i, sum & MASK);
    sum >>= LIMB;
  }
  subtractOnce(a, m, count);
}

/**
 * out = x mod m for x of `bits` bits and any m of `mBits`, bit by bit: for the checks of a key, where
 * m = p - 1 is even.
 */
export function remainder(out: usize, x: usize, bits: u32, m: usize, mBits: u32, count: u32): void {
  clear(out);
  // The highest bits, one less than m has, are below m as they stand.
  const rest = bits - min(bits, mBits - 1);
  for (let i = rest; i < bits; i++) {
    const at = i - rest;
    set(out, at / LIMB, get(out, at / LIMB) | (bit(x, i) << (at % LIMB)));
  }
  for (let i = rest; i > 0; i--) shiftIn(out, bit(x, i - 1), m, count);
}

/** out = out + a · b, for a of `rows` limbs and b of `columns`; there is room for the carries. */
export function multiplyAdd(out: usize, a: usize, rows: u32, b: usize, columns: u32): void {
  for (let i: u32 = 0; i < rows; i++) {
    const limb = <u64>get(a, i);
    let carry: u64 = 0;
    for (let j: u32 = 0; j < columns; j++) {
      carry += limb * <u64>get(b, j) + <u64>get(out, i + j);
      set(out, i + j, <u32>carry & MASK);
      carry >>= LIMB;
    }
    for (let j = i + columns; j < rows + columns; j++) {
      carry += <u64>get(out, j);
      set(out, j, <u32>carry & MASK);
      carry >>= LIMB;
    }
  }
}
