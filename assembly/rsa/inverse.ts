// The inverse modulo an odd number in constant time: Bernstein and Yang, "Fast constant-time gcd
// computation and modular inversion" (2019). Division steps are taken 28 at a time on the lowest
// limbs and then applied to the whole numbers as one matrix, as Wuille describes for libsecp256k1; with
// delta starting at 1/2, also Wuille's, a fifth fewer of them are needed.
// f and g are signed here: the limbs are unsigned but for the highest.
import { wipe } from "../memory";
import { clear, copy, get, LIMB, MASK, set } from "./number";
import { D, E, F, G } from "./scratch";
import { limbs, Modulus } from "./montgomery";

// The matrix of 28 division steps, times 2^28: every |u| + |v| and |q| + |r| is at most 2^28.
@unmanaged
class Matrix {
  u: i32;
  v: i32;
  q: i32;
  r: i32;
}
const MATRIX: Matrix = changetype<Matrix>(memory.data(<i32>offsetof<Matrix>(), 16));

/** Takes 28 division steps; `zeta` is -(delta + 1/2). */
function divisionSteps(zeta: i32, f: i32, g: i32): i32 {
  let u: i32 = 1;
  let v: i32 = 0;
  let q: i32 = 0;
  let r: i32 = 1;
  for (let i = 0; i < 28; i++) {
    let swap = zeta >> 31;
    const odd = -(g & 1);
    // g += ±f if g is odd; then f becomes the old g if delta was positive, too.
    g += ((f ^ swap) - swap) & odd;
    q += ((u ^ swap) - swap) & odd;
    r += ((v ^ swap) - swap) & odd;
    swap &= odd;
    zeta = (zeta ^ swap) - 1;
    f += g & swap;
    u += q & swap;
    v += r & swap;
    g >>= 1;
    u <<= 1;
    v <<= 1;
  }
  MATRIX.u = u;
  MATRIX.v = v;
  MATRIX.q = q;
  MATRIX.r = r;
  return zeta;
}

// @ts-ignore: decorator
@inline
function times(x: i64, a: usize, i: u32): i64 {
  return x * <i64><i32>get(a, i);
}

/** (f, g) = matrix · (f, g) / 2^28, which is exact. */
function updateFG(count: u32): void {
  const u = <i64>MATRIX.u;
  const v = <i64>MATRIX.v;
  const q = <i64>MATRIX.q;
  const r = <i64>MATRIX.r;
  let f: i64 = 0;
  let g: i64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    f += times(u, F, i) + times(v, G, i);
    g += times(q, F, i) + times(r, G, i);
    if (i > 0) {
      set(F, i - 1, <u32>f & MASK);
      set(G, i - 1, <u32>g & MASK);
    }
    f >>= LIMB;
    g >>= LIMB;
  }
  set(F, count - 1, <u32>f);
  set(G, count - 1, <u32>g);
}

/** (d, e) = matrix · (d, e) / 2^28 mod m; both stay above -2m and below m. */
function updateDE(m: Modulus): void {
  const count = m.rows;
  const n = limbs(m);
  const u = MATRIX.u;
  const v = MATRIX.v;
  const q = MATRIX.q;
  const r = MATRIX.r;
  const negativeD = <i32>get(D, count - 1) >> 31;
  const negativeE = <i32>get(E, count - 1) >> 31;
  // The multiples of m: one m for each negative number, and what makes the lowest limbs vanish.
  let md = (u & negativeD) + (v & negativeE);
  let me = (q & negativeD) + (r & negativeE);
  const lowD = u * <i32>get(D, 0) + v * <i32>get(E, 0);
  const lowE = q * <i32>get(D, 0) + r * <i32>get(E, 0);
  md -= <i32>((<u32>md - m.inverse * <u32>lowD) & MASK);
  me -= <i32>((<u32>me - m.inverse * <u32>lowE) & MASK);
  let d: i64 = 0;
  let e: i64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    d += times(u, D, i) + times(v, E, i) + times(md, n, i);
    e += times(q, D, i) + times(r, E, i) + times(me, n, i);
    if (i > 0) {
      set(D, i - 1, <u32>d & MASK);
      set(E, i - 1, <u32>e & MASK);
    }
    d >>= LIMB;
    e >>= LIMB;
  }
  set(D, count - 1, <u32>d);
  set(E, count - 1, <u32>e);
}

/** a = -a if `mask` is all ones, with the highest limb signed; then + m if that is negative. */
function negateAndLift(a: usize, mask: i32, m: Modulus): void {
  const count = m.rows;
  const n = limbs(m);
  let carry: i32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    carry += (<i32>get(a, i) ^ mask) - mask;
    // The highest limb keeps its sign.
    set(a, i, i + 1 < count ? <u32>carry & MASK : <u32>carry);
    carry >>= LIMB;
  }
  const negative = <u32>(<i32>get(a, count - 1) >> 31);
  carry = 0;
  for (let i: u32 = 0; i < count; i++) {
    carry += <i32>get(a, i) + <i32>(get(n, i) & negative);
    set(a, i, i + 1 < count ? <u32>carry & MASK : <u32>carry);
    carry >>= LIMB;
  }
}

/** out = 1/x mod m for 0 < x < m; a number without meaning if there is no inverse. */
export function invert(out: usize, x: usize, m: Modulus): void {
  const count = m.rows;
  copy(F, limbs(m));
  copy(G, x);
  clear(D);
  clear(E);
  set(E, 0, 1);
  // So many steps bring g to 0: DIVSTEP_ENDTOEND_BITS_SIMPLE, proved in HOL Light (Divstep/divstep_bounds.ml).
  const steps: u32 = (9437 * m.bits + 1 + 4095) / 4096;
  let zeta: i32 = -1;
  for (let done: u32 = 0; done < steps; done += <u32>LIMB) {
    zeta = divisionSteps(zeta, <i32>get(F, 0), <i32>get(G, 0));
    updateDE(m);
    updateFG(count);
  }
  // f is 1 or -1 and d is f/x.
  negateAndLift(D, 0, m);
  negateAndLift(D, <i32>get(F, count - 1) >> 31, m);
  copy(out, D);
  wipe(changetype<usize>(MATRIX), offsetof<Matrix>());
}
