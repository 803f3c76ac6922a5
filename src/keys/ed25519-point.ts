import { copyBytes, toHex } from "../bytes.js";

// Which 32 bytes are an Ed25519 public key (RFC 8032, section 5.1). A key with a part of small order verifies
// signatures in one library and not in the next, and its owner can write one key in eight ways. So a public key
// counts only if it is in the group of prime order. Keys are public: nothing here has to be constant-time.

const P = 2n ** 255n - 19n;
/** The order of the base point. */
export const ED25519_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
/** A square root of -1, 2^((p - 1) / 4). */
const I = 19681161376707505956807079304988542015446066515923890162744021073123829784752n;
const SIZE = 32;

/** Extended coordinates: x = X / Z, y = Y / Z, T = X · Y / Z. */
interface Point {
  X: bigint;
  Y: bigint;
  Z: bigint;
  T: bigint;
}

/** Verdicts by key: a policy is read again and again, and a verdict takes a scalar multiplication. */
const known = new Map<string, boolean>();
const MAX_KNOWN = 4096;

/**
 * Whether these bytes are a public key: canonical, a point of the curve, of prime order. So not the neutral
 * element, and no point with a part of small order.
 */
export function isEd25519PublicKey(bytes: Uint8Array): boolean {
  if (bytes.length !== SIZE) return false;
  const hex = toHex(bytes);
  const before = known.get(hex);
  if (before !== undefined) return before;
  const point = decode(bytes);
  const isKey = point !== undefined && !isNeutral(point) && isOfPrimeOrder(point);
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(hex, isKey);
  return isKey;
}

/** A number in 32 bytes, the least byte first. */
export function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(copyBytes(bytes).reverse())}`);
}

/** RFC 8032, section 5.1.3; undefined for what is no point or not canonical. */
function decode(bytes: Uint8Array): Point | undefined {
  const both = littleEndian(bytes);
  const sign = both >> 255n;
  const y = both & (2n ** 255n - 1n);
  if (y >= P) return undefined;
  const root = ratioRoot((y * y + P - 1n) % P, (D * y * y + 1n) % P);
  if (root === undefined || (root === 0n && sign === 1n)) return undefined;
  const x = (root & 1n) === sign ? root : P - root;
  return { X: x, Y: y, Z: 1n, T: (x * y) % P };
}

/** A square root of u / v modulo p; undefined if there is none. */
function ratioRoot(u: bigint, v: bigint): bigint | undefined {
  const v3 = (((v * v) % P) * v) % P;
  const v7 = (((v3 * v3) % P) * v) % P;
  const root = (((u * v3) % P) * power((u * v7) % P, (P - 5n) / 8n)) % P;
  const square = (((root * root) % P) * v) % P;
  if (square === u) return root;
  return (square + u) % P === 0n ? (root * I) % P : undefined;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % P;
    if (bit === "1") result = (result * base) % P;
  }
  return result;
}

/** Whether [L]point is the neutral element. */
function isOfPrimeOrder(point: Point): boolean {
  let sum = point;
  // L begins with a bit that is set.
  for (const bit of ED25519_ORDER.toString(2).slice(1)) {
    sum = double(sum);
    if (bit === "1") sum = add(sum, point);
  }
  return isNeutral(sum);
}

function isNeutral({ X, Y, Z }: Point): boolean {
  return X === 0n && Y === Z;
}

/** RFC 8032, section 5.1.4: complete, so no point needs a case of its own. */
function add(p: Point, q: Point): Point {
  const a = ((p.Y - p.X) * (q.Y - q.X)) % P;
  const b = ((p.Y + p.X) * (q.Y + q.X)) % P;
  const c = (((2n * p.T * q.T) % P) * D) % P;
  const d = (2n * p.Z * q.Z) % P;
  return fromFactors(b - a, d - c, d + c, b + a);
}

/** RFC 8032, section 5.1.4. */
function double({ X, Y, Z }: Point): Point {
  const a = (X * X) % P;
  const b = (Y * Y) % P;
  const h = a + b;
  const e = h - (((X + Y) * (X + Y)) % P);
  const g = a - b;
  return fromFactors(e, ((2n * Z * Z) % P) + g, g, h);
}

function fromFactors(e: bigint, f: bigint, g: bigint, h: bigint): Point {
  return { X: reduce(e * f), Y: reduce(g * h), T: reduce(e * h), Z: reduce(f * g) };
}

/** The remainder modulo p from 0 on; that of JavaScript has the sign of the number. */
function reduce(number: bigint): bigint {
  const rest = number % P;
  return rest < 0n ? rest + P : rest;
}
