// What lanes.ts and its kin need of a modulus besides itself. Both answers stand in RESULT.
import { limbs, Modulus, square, toMontgomery } from "./montgomery";
import { clear, get, LIMB, MASK, multiplyAdd, set, subtractOnce } from "./number";
import { REMAINDER, RESULT, TERM } from "./scratch";

/** RESULT = the multiple of m that is -1 modulo 2^bits; at most 56. */
export function minusOneMultiple(m: Modulus, bits: u32): void {
  // -1/m is known modulo 2^28; Newton's step doubles that.
  const lowest = <u64>get(limbs(m), 0) | (<u64>get(limbs(m), 1) << LIMB);
  const inverse = (<u64>m.inverse * (2 + lowest * <u64>m.inverse)) & ((<u64>1 << bits) - 1);
  clear(TERM);
  set(TERM, 0, <u32>inverse & MASK);
  set(TERM, 1, <u32>(inverse >> LIMB));
  clear(RESULT);
  multiplyAdd(RESULT, limbs(m), m.rows, TERM, 2);
}

/** RESULT = 2^(2·power) mod m, for powers of at least m's length. */
export function squaredPower(m: Modulus, power: u32): void {
  // As the square of what 2^h is in Montgomery's form there: r² · 2^(2h) / r, r = 2^(28·m.rows)
  const half = power - (LIMB / 2) * m.rows;
  clear(REMAINDER);
  set(REMAINDER, half / LIMB, 1 << (half % LIMB));
  toMontgomery(RESULT, REMAINDER, half / LIMB + 1, m);
  square(RESULT, RESULT, m);
  subtractOnce(RESULT, limbs(m), m.columns);
}
