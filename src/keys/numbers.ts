import { type Bytes, needBytes, needFlag, objectOf, optional, optionsOf } from "../arguments.js";
import { copyBytes, newBytes, toHex, wipe, withoutLeadingZeros } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import {
  needPrivateKey,
  needPublicKey,
  type PrivateParts,
  type RsaPrivateKey,
  type RsaPublicKey,
  SECRET_NUMBERS,
} from "./types.js";

// Arithmetic on key files, with BigInt: not constant-time and not wiped. It runs when a key is read
// or made, never when it is used; parsing is outside the constant-time claim (SECURITY.md).

/** RSA moduli in bits that can be used at all, and the least that new wraps should have. */
export const MIN_BITS = 512;
export const MAX_BITS = 16384;
export const STRONG_BITS = 2048;

/** The exponent of keys made here, and the least that new wraps should have. */
export const USUAL_EXPONENT = 65537;

/** Length in bits of a big-endian number. @throws TwinwrapError BAD_ARGUMENT */
export function bitLength(number: Bytes): number {
  const minimal = withoutLeadingZeros(needBytes(number, "the number"));
  return 8 * minimal.length - (Math.clz32(minimal[0] ?? 0xff) - 24);
}

function bad(message: string): TwinwrapError {
  return new TwinwrapError("BAD_KEY", message);
}

/** What checkPublicKey tolerates. */
export interface CheckOptions {
  /** Takes keys that are too short or have too small an exponent. */
  allowWeak?: boolean | undefined;
  /** The key is for new wraps, so that its exponent matters too. */
  forWrap?: boolean | undefined;
  /** Takes an exponent of one for a weak key, which only opens: nothing is wrapped for it. */
  allowExponentOne?: boolean | undefined;
}

const CHECK = optionsOf<CheckOptions>({
  allowWeak: needFlag,
  forWrap: needFlag,
  allowExponentOne: needFlag,
});
const VALIDATE = optionsOf<Pick<CheckOptions, "allowExponentOne">>({ allowExponentOne: needFlag });

/**
 * Checks what can be known of a public key: a modulus of 512 to 16384 bits, odd; an exponent from 3
 * to 2^32 - 1, odd. Without `allowWeak`, at least 2048 bits, and for new wraps e of at least 65537.
 * @throws TwinwrapError BAD_KEY if the key cannot be used, WEAK_KEY if it should not be, BAD_ARGUMENT
 */
export function checkPublicKey(given: RsaPublicKey, options: CheckOptions = {}): void {
  const key = needPublicKey(given);
  const { allowWeak, forWrap, allowExponentOne } = CHECK(options, "options");
  const bits = bitLength(key.n);
  if (bits < MIN_BITS || bits > MAX_BITS) {
    throw bad(`an RSA key of ${bits} bits; ${MIN_BITS} to ${MAX_BITS} can be used`);
  }
  if ((key.n.at(-1)! & 1) === 0) throw bad("the RSA modulus is even");
  const e = withoutLeadingZeros(key.e);
  const exponent = e.length > 4 ? Number.POSITIVE_INFINITY : Number(toBigInt(e));
  if (exponent === 1) {
    const what = "the RSA exponent e is 1: such a key encrypts nothing";
    if (!allowExponentOne || forWrap) throw bad(what);
    if (allowWeak) return;
    throw new TwinwrapError("WEAK_KEY", what);
  }
  if (exponent < 3 || exponent >= 2 ** 32 || exponent % 2 === 0) {
    throw bad("the RSA exponent e is not an odd number from 3 to 2^32 - 1");
  }
  if (allowWeak) return;
  if (bits < STRONG_BITS) {
    throw new TwinwrapError("WEAK_KEY", `an RSA key of ${bits} bits is too short (${STRONG_BITS})`);
  }
  if (forWrap && exponent < USUAL_EXPONENT) {
    throw new TwinwrapError(
      "WEAK_KEY",
      `the RSA exponent ${exponent} is too small for new wraps (${USUAL_EXPONENT})`,
    );
  }
}

/**
 * Checks that the numbers of a private key belong together: n = p·q, d·e ≡ 1 modulo p - 1 and
 * q - 1, dp, dq and qi. Whether p and q are prime is not tested.
 * @throws TwinwrapError BAD_KEY with the relation that fails, BAD_ARGUMENT
 */
export function validatePrivateKey(
  given: RsaPrivateKey,
  options: Pick<CheckOptions, "allowExponentOne"> = {},
): void {
  const key = needPrivateKey(given);
  const { allowExponentOne } = VALIDATE(options, "options");
  checkPublicKey(key, { allowWeak: true, allowExponentOne });
  const need = (holds: boolean, relation: string) => {
    if (!holds) throw bad(`the private key is inconsistent: ${relation}`);
  };
  for (const name of SECRET_NUMBERS) {
    need(bitLength(key[name]) <= bitLength(key.n), `${name} is longer than n`);
  }
  const [n, e, d] = [toBigInt(key.n), toBigInt(key.e), toBigInt(key.d)];
  const [p, q] = [toBigInt(key.p), toBigInt(key.q)];
  need(p > 2n && q > 2n && p !== q && n === p * q, "n is not the product of two primes p and q");
  need(d > 0n && d < n, "d is not between 0 and n");
  need((d * e) % (p - 1n) === 1n, "d·e is not 1 modulo p - 1");
  need((d * e) % (q - 1n) === 1n, "d·e is not 1 modulo q - 1");
  need(toBigInt(key.dp) === d % (p - 1n), "dp is not d modulo p - 1");
  need(toBigInt(key.dq) === d % (q - 1n), "dq is not d modulo q - 1");
  const qi = toBigInt(key.qi);
  need(qi < p && (qi * q) % p === 1n, "qi is not the inverse of q modulo p");
}

/**
 * A whole private key from n, e and either d or both primes, all numbers without leading zeros;
 * what is missing is computed, what is there is checked.
 * @throws TwinwrapError BAD_KEY if that is not enough, or does not belong together
 */
export function completePrivateKey(
  parts: PrivateParts,
  options: Pick<CheckOptions, "allowExponentOne"> = {},
): RsaPrivateKey {
  checkPublicKey(parts, { ...options, allowWeak: true });
  for (const name of SECRET_NUMBERS) {
    const part = parts[name];
    if (part !== undefined && bitLength(part) > bitLength(parts.n)) {
      throw bad(`the private key is inconsistent: ${name} is longer than n`);
    }
  }
  const [n, e] = [toBigInt(parts.n), toBigInt(parts.e)];
  const [p, q] = primes(parts, n, e);
  // Also keeps zero out of what follows, which divides by these.
  if (p < 3n || q < 3n || p * q !== n) {
    throw bad("the private key is inconsistent: n is not the product of two primes p and q");
  }
  const value = (part: Uint8Array | undefined, compute: () => bigint) =>
    part === undefined ? fromBigInt(compute()) : copyBytes(withoutLeadingZeros(part));
  const d = parts.d ? toBigInt(parts.d) : inverse(e, lcm(p - 1n, q - 1n));
  const key: RsaPrivateKey = {
    n: copyBytes(withoutLeadingZeros(parts.n)),
    e: copyBytes(withoutLeadingZeros(parts.e)),
    d: value(parts.d, () => d),
    p: fromBigInt(p),
    q: fromBigInt(q),
    dp: value(parts.dp, () => d % (p - 1n)),
    dq: value(parts.dq, () => d % (q - 1n)),
    qi: value(parts.qi, () => inverse(q, p)),
  };
  try {
    validatePrivateKey(key, options);
  } catch (error) {
    wipePrivateKey(key);
    throw error;
  }
  return key;
}

const secret = optional(needBytes) as typeof needBytes;
const needSecrets = optional(
  objectOf<Partial<Omit<RsaPrivateKey, "n" | "e">>>({
    d: secret,
    p: secret,
    q: secret,
    dp: secret,
    dq: secret,
    qi: secret,
  }),
);

/**
 * Overwrites the secret numbers of a key that is no longer needed.
 * @throws TwinwrapError BAD_ARGUMENT
 */
export function wipePrivateKey(key: PrivateParts | undefined): void {
  wipe(...Object.values(needSecrets(key, "the private key") ?? {}));
}

/** The public half of a key, as a copy. @throws TwinwrapError BAD_ARGUMENT */
export function publicKeyOf(key: RsaPublicKey): RsaPublicKey {
  const { n, e } = needPublicKey(key);
  return { n: copyBytes(n), e: copyBytes(e) };
}

function primes(parts: PrivateParts, n: bigint, e: bigint): [bigint, bigint] {
  if (parts.p !== undefined && parts.q !== undefined) return [toBigInt(parts.p), toBigInt(parts.q)];
  if (parts.d === undefined) throw bad("the private key has neither d nor both primes");
  return factor(n, e, toBigInt(parts.d));
}

/**
 * The primes from n, e and d (SP 800-56B revision 2, appendix C.2): d·e - 1 times the greatest
 * divisor that it shares with n - 1 is a multiple of (p - 1)(q - 1), so near to one of n that it
 * tells p + q. Takes a few divisions whatever the numbers are, where a search by random bases would
 * take minutes on numbers made for it. It does not find primes of very unequal length, or ones with
 * an enormous gcd(p - 1, q - 1), which no sound key has.
 */
function factor(n: bigint, e: bigint, d: bigint): [bigint, bigint] {
  const multiple = (d * e - 1n) * gcd(n - 1n, d * e - 1n);
  if (d > 0n) {
    const [times, rest] = [multiple / n + 1n, n - (multiple % n)];
    const sum = rest / times + 1n;
    const square = sum * sum - 4n * n;
    const root = square > 0n ? squareRoot(square) : 0n;
    if (root > 0n && root * root === square) return [(sum + root) / 2n, (sum - root) / 2n];
  }
  throw bad("the private key is inconsistent: d does not belong to n and e");
}

/** An integer from big-endian bytes. */
export function toBigInt(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`);
}

/** A non-negative integer as big-endian bytes without leading zeros. */
export function fromBigInt(value: bigint): Uint8Array<ArrayBuffer> {
  const hex = value.toString(16);
  const bytes = newBytes(Math.ceil(hex.length / 2));
  for (let i = bytes.length - 1, end = hex.length; i >= 0; i--, end -= 2) {
    bytes[i] = Number.parseInt(hex.slice(Math.max(end - 2, 0), end), 16);
  }
  return bytes;
}

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

function lcm(a: bigint, b: bigint): bigint {
  return (a / gcd(a, b)) * b;
}

/** The greatest integer whose square is not above `value` (Newton's method from above). */
function squareRoot(value: bigint): bigint {
  let root = 1n << BigInt(Math.ceil(value.toString(16).length / 2) * 4);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** a^-1 modulo m, by Euclid's extended algorithm. */
function inverse(a: bigint, m: bigint): bigint {
  let [low, high] = [m, a % m];
  let [x, y] = [0n, 1n];
  while (high !== 0n) {
    const quotient = low / high;
    [low, high] = [high, low - quotient * high];
    [x, y] = [y, x - quotient * y];
  }
  if (low !== 1n) throw bad("the private key is inconsistent: a number has no inverse");
  return x < 0n ? x + m : x;
}
