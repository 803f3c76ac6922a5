import { type Bytes, needBytes, whole } from "../arguments.js";
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

/** Iterations of PBKDF2 in one call of the core: some milliseconds. */
const PBKDF2_PIECE = 10_000;

const ITERATIONS = whole(1, 0xffffffff);
const DERIVED = whole(1, 1 << 20);

/** What the core knows of a hash. @throws TwinwrapError BAD_ARGUMENT if there is no such hash */
export function hashInfo(hash: HashName): { number: number; digest: number; block: number } {
  const info = HASHES.get(hash);
  if (info === undefined) {
    throw new TwinwrapError("BAD_ARGUMENT", 'the hash must be "SHA-1", "SHA-256" or "SHA-512"');
  }
  return info;
}

/** Takes `data` into the hash or HMAC at work, a window at a time. */
function feed(instance: Instance, hash: number, data: Uint8Array): void {
  const { input, windowSize } = instance;
  const update = instance.function("hashUpdate");
  for (let at = 0; at < data.length; at += windowSize) {
    const piece = data.subarray(at, at + windowSize);
    input.set(piece);
    instance.check(update(hash, piece.length));
  }
}

/** Clears what a hash of `length` bytes left in the core and its windows. */
function clear(instance: Instance, length: number): void {
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

/** A hash that takes its message in pieces. Any number of them can be at work at a time. */
export class Hasher {
  readonly #instance: Instance;
  readonly #hash: { number: number; digest: number };
  #context: Uint8Array | undefined;

  /** Use `core.hasher(name)`. */
  constructor(instance: Instance, name: HashName) {
    this.#instance = instance;
    this.#hash = hashInfo(name);
    try {
      instance.check(instance.function("hashBegin")(this.#hash.number));
      this.#context = this.#save();
    } finally {
      clear(instance, 0);
    }
  }

  #save(): Uint8Array {
    return copyBytes(
      this.#instance.params.subarray(0, this.#instance.constant("HASH_CONTEXT_SIZE")),
    );
  }

  #load(): Uint8Array {
    if (!this.#context) throw new TwinwrapError("DISPOSED", "the hash is finished");
    this.#instance.params.set(this.#context);
    return this.#context;
  }

  /**
   * Takes the next bytes of the message.
   * @throws TwinwrapError BAD_ARGUMENT; DISPOSED after `digest` or `dispose`
   */
  update(data: Bytes): this {
    const bytes = needBytes(data, "the data");
    const before = this.#load();
    try {
      feed(this.#instance, this.#hash.number, bytes);
      this.#context = this.#save();
      wipe(before);
      return this;
    } finally {
      clear(this.#instance, bytes.length);
    }
  }

  /**
   * The digest of all bytes taken; ends the hash.
   * @throws TwinwrapError DISPOSED after `digest` or `dispose`
   */
  digest(): Uint8Array<ArrayBuffer> {
    this.#load();
    try {
      this.#instance.check(this.#instance.function("hashFinish")(this.#hash.number));
      return copyBytes(this.#instance.output.subarray(0, this.#hash.digest));
    } finally {
      clear(this.#instance, 0);
      this.dispose();
    }
  }

  /** Ends the hash without a digest and wipes what was kept of it. */
  dispose(): void {
    wipe(this.#context);
    this.#context = undefined;
  }
}

/** Prepares an HMAC key of any length and starts a message under it. */
function startHmac(instance: Instance, name: HashName, key: Uint8Array): void {
  const { number, block } = hashInfo(name);
  const short = key.length > block ? digest(instance, name, key) : key;
  try {
    instance.input.set(short);
    instance.check(instance.function("hmacKey")(number, short.length));
  } finally {
    if (short !== key) wipe(short);
  }
}

/** HMAC (RFC 2104): as many bytes as the hash has. */
export function hmac(
  instance: Instance,
  name: HashName,
  key: Bytes,
  data: Bytes,
): Uint8Array<ArrayBuffer> {
  const { number, digest } = hashInfo(name);
  const secret = needBytes(key, "the key");
  const bytes = needBytes(data, "the data");
  try {
    startHmac(instance, name, secret);
    feed(instance, number, bytes);
    instance.check(instance.function("hmacNext")(number));
    return copyBytes(instance.output.subarray(0, digest));
  } finally {
    clear(instance, bytes.length);
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

/** PBKDF2 with HMAC (RFC 8018, section 5.2). */
export function pbkdf2(
  instance: Instance,
  name: HashName,
  password: Bytes,
  salt: Bytes,
  iterations: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  const { number, digest } = hashInfo(name);
  const secret = needBytes(password, "the password");
  const saltBytes = needBytes(salt, "the salt");
  ITERATIONS(iterations, "the number of iterations");
  DERIVED(length, "the length");
  const key = newBytes(length);
  const { output } = instance;
  const more = instance.function("pbkdf2Continue");
  try {
    startHmac(instance, name, secret);
    for (let at = 0, block = 1; at < length; at += digest, block++) {
      feed(instance, number, saltBytes);
      feed(instance, number, bigEndian(block));
      instance.check(instance.function("hmacNext")(number));
      instance.check(instance.function("pbkdf2Start")(number));
      for (let left = iterations - 1; left > 0; left -= PBKDF2_PIECE) {
        instance.check(more(number, Math.min(left, PBKDF2_PIECE)));
      }
      key.set(output.subarray(0, Math.min(digest, length - at)), at);
    }
    return key;
  } finally {
    clear(instance, saltBytes.length);
  }
}

/** A number as four bytes, big-endian. */
function bigEndian(value: number): Uint8Array {
  const bytes = newBytes(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
