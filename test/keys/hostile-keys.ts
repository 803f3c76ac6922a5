import { generatePrimeSync } from "node:crypto";
import {
  bitString,
  type DerNode,
  encodeDer,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  smallInteger,
} from "#build/keys/der.js";
import { type BigKey, bitLength, keyFromPrimes, makeKey, toBytes } from "../core/rsa-reference.js";

// Keys made to break something, and every form of file that can hold them.

export const e = 65537n;
export const good = makeKey(1024);
const other = makeKey(1024);

export type Numbers = Partial<BigKey> & { n: bigint; e: bigint };

const RSA = sequence(oid("1.2.840.113549.1.1.1"), nullValue());
const NAMES = ["n", "e", "d", "p", "q", "dp", "dq", "qi"] as const;
const number = (value: bigint) => integer(toBytes(value));

function pem(label: string, der: Uint8Array): Buffer {
  const text = Buffer.from(der).toString("base64");
  return Buffer.from(`-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`);
}

function littleEndian(value: bigint, length: number): Buffer {
  const text = value.toString(16).padStart(2 * length, "0");
  return Buffer.from(text.slice(-2 * length), "hex").reverse();
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, 4 * i);
  return bytes;
}

/** The blob as it would be if its numbers were a key; undefined if one is too long for its place. */
function blob(key: Numbers): Buffer | undefined {
  const k = Math.ceil(key.n.toString(16).length / 2);
  const half = Math.ceil(k / 2);
  const halves = [key.p, key.q, key.dp, key.dq, key.qi].map((part) => part ?? 0n);
  const fit = halves.every((part) => part < 1n << BigInt(8 * half));
  if (!fit || key.e >= 2n ** 32n || (key.d ?? 0n) >= 1n << BigInt(8 * k)) return undefined;
  const [type, magic] = key.d === undefined ? [6, 0x31415352] : [7, 0x32415352];
  const head = [words(0x200 | type, 0xa400, magic, 8 * k), littleEndian(key.e, 4)];
  const secret = [key.p, key.q, key.dp, key.dq, key.qi].map((part) =>
    part === undefined ? Buffer.alloc(0) : littleEndian(part, half),
  );
  const d = key.d === undefined ? Buffer.alloc(0) : littleEndian(key.d, k);
  return Buffer.concat([...head, littleEndian(key.n, k), ...secret, d]);
}

/** Every file that can hold these numbers. */
export function filesOf(key: Numbers): [string, Buffer][] {
  const json = Object.fromEntries(
    NAMES.filter((name) => key[name] !== undefined).map((name) => [
      name,
      Buffer.from(toBytes(key[name]!)).toString("base64url"),
    ]),
  );
  const files: [string, Buffer][] = [["JWK", Buffer.from(JSON.stringify({ kty: "RSA", ...json }))]];
  const isPublic = key.d === undefined;
  const der = (...[outer, inner, label, innerLabel]: [DerNode, DerNode, string, string]) => {
    for (const [node, name] of [
      [outer, label],
      [inner, innerLabel],
    ] as const) {
      files.push([`${name}, DER`, Buffer.from(encodeDer(node))]);
      files.push([`${name}, PEM`, pem(name, encodeDer(node))]);
    }
  };
  if (isPublic) {
    const inner = sequence(number(key.n), number(key.e));
    der(sequence(RSA, bitString(inner)), inner, "PUBLIC KEY", "RSA PUBLIC KEY");
  } else {
    const values = NAMES.map((name) => number(key[name] ?? 0n));
    const inner = sequence(smallInteger(0), ...values);
    const outer = sequence(smallInteger(0), RSA, octetString(inner));
    der(outer, inner, "PRIVATE KEY", "RSA PRIVATE KEY");
  }
  const bytes = blob(key);
  if (bytes !== undefined) {
    files.push(["MS blob", bytes]);
    if (!isPublic) {
      const head = words(0xb0b5f11e, 0, 1, 0, 0, bytes.length);
      files.push(["PVK", Buffer.concat([head, bytes])]);
    }
  }
  return files;
}

/** With numbers that no RSA key has. */
export const publicKeys: [string, Numbers][] = [
  ["n of 0 bits", { n: 0n, e }],
  ["n = 1", { n: 1n, e }],
  ["511 bits", { n: makeKey(511).n, e }],
  ["16385 bits", { n: 2n ** 16384n + 1n, e }],
  ["16392 bits", { n: 2n ** 16392n - 1n, e }],
  ["100,000 bits", { n: 2n ** 100_000n - 1n, e }],
  ["more than a file may have", { n: 2n ** 600_000n - 1n, e }],
  ["an even modulus", { n: good.n - 1n, e }],
  ["e = 0", { n: good.n, e: 0n }],
  ["e = 1", { n: good.n, e: 1n }],
  ["e = 2", { n: good.n, e: 2n }],
  ["an even e", { n: good.n, e: 65536n }],
  ["e = 2^32 - 2", { n: good.n, e: 2n ** 32n - 2n }],
  ["e = 2^32 + 1", { n: good.n, e: 2n ** 32n + 1n }],
  ["e as long as n", { n: good.n, e: good.n - 2n }],
  ["e longer than n", { n: good.n, e: 2n ** 20_000n + 1n }],
];

const { n, d, p, q, dp, dq, qi } = good;
const order = (p - 1n) * (q - 1n);
/** The same with a sound private half, and private halves that do not belong. */
export const privateKeys: [string, Numbers][] = [
  ...publicKeys.map(([what, key]): [string, Numbers] => [what, { ...good, ...key }]),
  ["n is not p·q", { ...good, n: n + 2n }],
  ["n of another key", { ...good, n: other.n }],
  ["p of another key", { ...good, p: other.p }],
  ["p = 0", { ...good, p: 0n }],
  ["p = 1 and q = n", { ...good, p: 1n, q: n }],
  ["p = n and q = 1", { ...good, p: n, q: 1n }],
  ["p = q", { ...keyOfSquare() }],
  ["p and q exchanged, the rest not", { ...good, p: q, q: p }],
  ["p and q both negated modulo n", { ...good, p: n - p, q: n - q }],
  ["d = 0", { ...good, d: 0n }],
  ["d = 1", { ...good, d: 1n }],
  ["d + 2", { ...good, d: d + 2n }],
  ["d + (p - 1)(q - 1), over n", { ...good, d: d + order }],
  ["d over n by no more than makes it as long, and right otherwise", largeExponent()],
  ["d as long as n is not", { ...good, d: 2n ** 1100n + d }],
  ["d of another key", { ...good, d: other.d }],
  ["dp = 0", { ...good, dp: 0n }],
  ["dp + p - 1", { ...good, dp: dp + p - 1n }],
  ["dp and dq exchanged", { ...good, dp: dq, dq: dp }],
  ["qi = 0", { ...good, qi: 0n }],
  ["qi + p", { ...good, qi: qi + p }],
  ["qi of another key", { ...good, qi: other.qi }],
  ["an exponent that has no inverse", noInverse()],
];

/** n = p²: what is wrapped for it does not come out again in the usual way. */
function keyOfSquare(): BigKey {
  return { ...good, n: p * p, q: p, dq: dp };
}

/** d of n and more that is right modulo p - 1 and q - 1, and has no more bits than n. */
function largeExponent(): BigKey {
  for (;;) {
    const key = makeKey(1024);
    const order = (key.p - 1n) * (key.q - 1n);
    const d = key.d + ((key.n - key.d) / order + 1n) * order;
    if (bitLength(d) === 1024) return { ...key, d };
  }
}

/** e and p - 1 share a factor, e itself. */
function noInverse(): BigKey {
  const unfit = generatePrimeSync(512, { bigint: true, add: 2n * e, rem: 1n });
  return { ...keyFromPrimes(unfit, q, 65539n), e };
}
