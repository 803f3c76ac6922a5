import { type Bytes, needBytes, whole } from "../arguments.js";
import { copyBytes, newBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { clear, feed, type HashName, hashInfo, startHmac } from "./hash.js";
import type { Instance } from "./instance.js";

// What only the whole core does with hashes. It is a file of its own because a bundler that splits loads files whole.

/** Iterations of PBKDF2 in one call of the core: some milliseconds. */
const PBKDF2_PIECE = 10_000;

const ITERATIONS = /* @__PURE__ */ whole(1, 0xffffffff);
const DERIVED = /* @__PURE__ */ whole(1, 1 << 20);

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
