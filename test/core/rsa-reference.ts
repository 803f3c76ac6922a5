// RSA as RFC 8017 and draft-irtf-cfrg-rsa-guidance write it, on BigInt and node:crypto: what the
// core's results are compared with. Neither fast nor constant-time.
import { createHash, createHmac, generatePrimeSync } from "node:crypto";
import type { HashName } from "twinwrap/core";

export interface BigKey {
  n: bigint;
  e: bigint;
  d: bigint;
  p: bigint;
  q: bigint;
  dp: bigint;
  dq: bigint;
  qi: bigint;
}

export const toBig = (bytes: Uint8Array) => BigInt(`0x0${Buffer.from(bytes).toString("hex")}`);

export function toBytes(value: bigint, length?: number): Uint8Array<ArrayBuffer> {
  const hex = value.toString(16);
  const size = length ?? Math.ceil(hex.length / 2);
  return new Uint8Array(Buffer.from(hex.padStart(2 * size, "0"), "hex"));
}

export const bitLength = (value: bigint) => value.toString(2).length;
export const byteLength = (value: bigint) => Math.ceil(bitLength(value) / 8);

export function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

function modInverse(a: bigint, m: bigint): bigint {
  let [r0, r1, s0, s1] = [m, ((a % m) + m) % m, 0n, 1n];
  while (r1 > 0n) {
    const quotient = r0 / r1;
    [r0, r1, s0, s1] = [r1, r0 - quotient * r1, s1, s0 - quotient * s1];
  }
  if (r0 !== 1n) throw new Error("no inverse");
  return ((s0 % m) + m) % m;
}

/** A whole key from its primes, in the order given. */
export function keyFromPrimes(p: bigint, q: bigint, e: bigint): BigKey {
  const d = modInverse(e, (p - 1n) * (q - 1n));
  const [dp, dq] = [d % (p - 1n), d % (q - 1n)];
  return { n: p * q, e, d, p, q, dp, dq, qi: modInverse(q, p) };
}

/** A prime of exactly `bits` bits that goes with e. */
function prime(bits: number, e: bigint): bigint {
  for (;;) {
    const p = generatePrimeSync(bits, { bigint: true });
    let [a, b] = [e, (p - 1n) % e];
    while (b > 0n) [a, b] = [b, a % b];
    if (a === 1n && bitLength(p) === bits) return p;
  }
}

/** A fresh key whose modulus has exactly `bits` bits; p has `pBits`, by default half of them. */
export function makeKey(bits: number, e = 65537n, pBits = Math.ceil(bits / 2)): BigKey {
  for (;;) {
    const [p, q] = [prime(pBits, e), prime(bits - pBits, e)];
    if (p !== q && bitLength(p * q) === bits) return keyFromPrimes(p, q, e);
  }
}

/** The key's numbers as the core takes them. */
export function components(key: BigKey): Record<keyof BigKey, Uint8Array<ArrayBuffer>> {
  return Object.fromEntries(
    Object.entries(key).map(([name, value]) => [name, toBytes(value as bigint)]),
  ) as Record<keyof BigKey, Uint8Array<ArrayBuffer>>;
}

export const jwk = (key: BigKey) => ({
  kty: "RSA",
  ...Object.fromEntries(
    Object.entries(components(key)).map(([name, b]) => [
      name,
      Buffer.from(b).toString("base64url"),
    ]),
  ),
});

/** A key from the strings of a JWK. */
export function fromJwk(key: Record<string, string>): BigKey {
  const names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"] as const;
  const big = (name: string) => toBig(Buffer.from(key[name]!, "base64url"));
  return Object.fromEntries(names.map((name) => [name, big(name)])) as unknown as BigKey;
}

/** RSAEP and RSADP on bytes. */
export const rawEncrypt = (key: BigKey, block: Uint8Array) =>
  toBytes(modPow(toBig(block), key.e, key.n), byteLength(key.n));
export const rawDecrypt = (key: BigKey, ciphertext: Uint8Array) =>
  toBytes(modPow(toBig(ciphertext), key.d, key.n), byteLength(key.n));

/** A v1.5 block: 00 ‖ 02 ‖ filler ‖ 00 ‖ message. */
export function pkcs1Block(k: number, message: Uint8Array): Buffer {
  const filler = Buffer.alloc(k - 3 - message.length, 0xa5);
  return Buffer.concat([[0, 2], filler, [0], message].map(Buffer.from));
}

const nodeName = (hash: HashName) => hash.toLowerCase().replace("-", "");

function mgf1(hash: HashName, seed: Uint8Array, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let i = 0, got = 0; got < length; i++) {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(i);
    const block = createHash(nodeName(hash)).update(seed).update(counter).digest();
    blocks.push(block);
    got += block.length;
  }
  return Buffer.concat(blocks).subarray(0, length);
}

const xor = (a: Uint8Array, b: Uint8Array) => Buffer.from(a.map((byte, i) => byte ^ b[i]!));

/** OAEP's masking of a seed and a data block of any content (RFC 8017, section 7.1.1). */
export function maskOaep(mgf: HashName, seed: Uint8Array, block: Uint8Array, first = 0): Buffer {
  const masked = xor(block, mgf1(mgf, seed, block.length));
  return Buffer.concat(
    [[first], xor(seed, mgf1(mgf, masked, seed.length)), masked].map(Buffer.from),
  );
}

/** OAEP's data block: lHash ‖ zeros ‖ 01 ‖ message. */
export function oaepBlock(
  k: number,
  hash: HashName,
  label: Uint8Array,
  message: Uint8Array,
): Buffer {
  const labelHash = createHash(nodeName(hash)).update(label).digest();
  const zeros = Buffer.alloc(k - 2 * labelHash.length - 2 - message.length);
  return Buffer.concat([labelHash, zeros, [1], message].map(Buffer.from));
}

/** The streams of implicit rejection under the key derived from d and the ciphertext. */
export function rejectionStream(
  key: BigKey,
  ciphertext: Uint8Array,
  label: string,
  length: number,
): Buffer {
  const d = createHash("sha256")
    .update(toBytes(key.d, byteLength(key.n)))
    .digest();
  const kdk = createHmac("sha256", d).update(ciphertext).digest();
  const u16 = (value: number) => Buffer.from([value >> 8, value & 255]);
  const blocks: Buffer[] = [];
  for (let i = 0; i * 32 < length; i++) {
    const mac = createHmac("sha256", kdk)
      .update(u16(i))
      .update(label)
      .update(u16(8 * length));
    blocks.push(mac.digest());
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** What a v1.5 ciphertext with a wrong padding decrypts to. */
export function syntheticMessage(key: BigKey, ciphertext: Uint8Array): Buffer {
  const k = byteLength(key.n);
  const lengths = rejectionStream(key, ciphertext, "length", 256);
  const mask = 2 ** bitLength(BigInt(k - 10)) - 1;
  let length = 0;
  for (let i = 0; i < 256; i += 2) {
    const candidate = lengths.readUInt16BE(i) & mask;
    if (candidate <= k - 11) length = candidate;
  }
  return rejectionStream(key, ciphertext, "message", k).subarray(k - length);
}
