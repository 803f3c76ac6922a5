import { type Bytes, needBytes } from "../arguments.js";
import { copyBytes, newBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import type { Instance } from "./instance.js";

/** The hashes of the core (FIPS 180-4). */
export type HashName = "SHA-1" | "SHA-256" | "SHA-512";

/** Number in the core (assembly/hash/hash.ts), digest and block size in bytes. */
const HASHES = new Map<HashName, { number: number; digest: number; block: number }>([
  ["SHA-1", { number: 0, digest: 20, block: 64 }],
  ["SHA-256", { number: 1, digest: 32, block: 64 }],
  ["SHA-512", { number: 2, digest: 64, block: 128 }],
]);

export const HASH_NAMES: readonly HashName[] = [...HASHES.keys()];

/** What the core knows of a hash. @throws TwinwrapError BAD_ARGUMENT if there is no such hash */
export function hashInfo(hash: HashName): { number: number; digest: number; block: number } {
  const info = HASHES.get(hash);
  if (info === undefined) {
    throw new TwinwrapError("BAD_ARGUMENT", 'the hash must be "SHA-1", "SHA-256" or "SHA-512"');
  }
  return info;
}

/** Takes `data` into the hash or HMAC at work, a window at a time. */
export function feed(instance: Instance, hash: number, data: Uint8Array): void {
  const { input, windowSize } = instance;
  const update = instance.function("hashUpdate");
  for (let at = 0; at < data.length; at += windowSize) {
    const piece = data.subarray(at, at + windowSize);
    input.set(piece);
    instance.check(update(hash, piece.length));
  }
}

/** Clears what a hash of `length` bytes left in the core and its windows. */
export function clear(instance: Instance, length: number): void {
  instance.function("hashWipe")();
  instance.input.fill(0, 0, Math.min(length, instance.windowSize));
  instance.output.fill(0, 0, 64);
}

/** The digest of `data`. */
export function digest(instance: Instance, name: HashName, data: Bytes): Uint8Array<ArrayBuffer> {
  const { number, digest } = hashInfo(name);
  const bytes = needBytes(data, "the data");
  try {
    instance.check(instance.function("hashBegin")(number));
    feed(instance, number, bytes);
    instance.check(instance.function("hashFinish")(number));
    return copyBytes(instance.output.subarray(0, digest));
  } finally {
    clear(instance, bytes.length);
  }
}

/** Prepares an HMAC key of any length and starts a message under it. */
export function startHmac(instance: Instance, name: HashName, key: Uint8Array): void {
  const { number, block } = hashInfo(name);
  const short = key.length > block ? digest(instance, name, key) : key;
  try {
    instance.input.set(short);
    instance.check(instance.function("hmacKey")(number, short.length));
  } finally {
    if (short !== key) wipe(short);
  }
}

/** HKDF-Expand (RFC 5869, section 2.3). */
export function hkdfExpand(
  instance: Instance,
  name: HashName,
  prk: Bytes,
  info: Bytes,
  length: number,
): Uint8Array<ArrayBuffer> {
  const { number, digest } = hashInfo(name);
  const secret = needBytes(prk, "the prk");
  const context = needBytes(info, "the info");
  if (!Number.isInteger(length) || length < 0 || length > 255 * digest) {
    throw new TwinwrapError("BAD_ARGUMENT", `HKDF gives 0 to ${255 * digest} bytes with ${name}`);
  }
  const key = newBytes(length);
  const { output } = instance;
  try {
    startHmac(instance, name, secret);
    for (let at = 0, counter = 1; at < length; at += digest, counter++) {
      if (at > 0) feed(instance, number, output.subarray(0, digest));
      feed(instance, number, context);
      feed(instance, number, Uint8Array.of(counter));
      instance.check(instance.function("hmacNext")(number));
      key.set(output.subarray(0, Math.min(digest, length - at)), at);
    }
    return key;
  } finally {
    clear(instance, Math.max(digest, context.length));
  }
}
