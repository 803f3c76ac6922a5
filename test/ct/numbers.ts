// Numbers whose limbs and digits are chosen: random ones hardly ever have a limb of nothing but zeros or
// ones, or a window of an exponent like that, and what a kernel does with those would never be seen.

import { checkPrimeSync } from "node:crypto";
import { toBig } from "../core/rsa-reference.js";
import type { Secrets } from "./trace.js";

/** Bits of a limb (assembly/rsa/number.ts). */
const LIMB = 28;
const ONES = (1n << BigInt(LIMB)) - 1n;

/** How a limb comes to be, by its place. */
const KINDS: ((at: number, random: () => bigint, count: number) => bigint)[] = [
  () => 0n,
  () => ONES,
  (at) => (at % 2 === 0 ? 0n : ONES),
  (at) => (at % 2 === 0 ? ONES : 0n),
  (at, random) => (at % 5 === 2 ? ONES : random()),
  (at, random) => (at % 5 === 2 ? 0n : random()),
  (at, random, count) => (at < count / 2 ? ONES : random()),
  (_, random) => [0n, ONES, random()][Number(random() % 3n)]!,
  (_, random) => random(),
  (at, random) => [1n, ONES - 1n, 1n << BigInt(LIMB - 1), random()][at % 4]!,
];

/** As many kinds of numbers. */
export const NUMBER_KINDS = KINDS.length;

/** A number below 2^bits whose limbs are of a kind; that of `kind` modulo `NUMBER_KINDS`. */
export function number(bits: number, kind: number, random: Secrets): bigint {
  const count = Math.ceil(bits / LIMB);
  const limb = () => toBig(random(4)) & ONES;
  let value = 0n;
  for (let at = 0; at < count; at++) {
    value |= KINDS[kind % NUMBER_KINDS]!(at, limb, count) << BigInt(at * LIMB);
  }
  return BigInt.asUintN(bits, value);
}

/** A prime by chance among those of a shape: `of` makes candidates from a small odd number. */
function search(bits: number, e: bigint, of: (low: bigint) => bigint): bigint {
  for (let low = BigInt(Math.floor(Math.random() * 2 ** 40)) * 2n + 1n; ; low += 2n) {
    const candidate = of(low);
    if (candidate.toString(2).length !== bits || (candidate - 1n) % e === 0n) continue;
    if (checkPrimeSync(candidate)) return candidate;
  }
}

/** A prime of `bits` bits, the highest two set, all others but for the lowest limbs of one kind. */
export function chosenPrime(bits: number, kind: number): bigint {
  const shape = (number(bits, kind, () => Buffer.alloc(4)) >> 56n) << 56n;
  const top = 3n << BigInt(bits - 2);
  return search(bits, 65537n, (low) => shape | top | low);
}

/**
 * A prime p whose exponent dp = 1/e mod p - 1 has windows of five bits that are nothing but zeros or ones:
 * p = (e·dp + 1)/2.
 */
export function primeOfExponent(bits: number, e: bigint): bigint {
  const length = bits + 2 - e.toString(2).length;
  let exponent = 3n << BigInt(length - 2);
  for (let at = 60; at + 5 < length - 5; at += 5) {
    if (at % 10 === 0) exponent |= 31n << BigInt(at);
  }
  return search(bits, e, (low) => (e * (exponent | low) + 1n) / 2n);
}
