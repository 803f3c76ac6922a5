import {
  type Bytes,
  type Kind,
  needBytes,
  needStableBytes,
  objectOf,
  oneOf,
  optionsOf,
  type Shape,
} from "../arguments.js";
import { copyBytes, newBytes, randomBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { digest, HASH_NAMES, type HashName, hashInfo } from "./hash.js";
import type { Instance } from "./instance.js";
import type { Slots } from "./slots.js";

/** An RSA public key: modulus and exponent, big-endian; zeros in front do not matter. */
export interface RsaPublicComponents {
  n: Uint8Array;
  e: Uint8Array;
}

/** RSAES-OAEP (RFC 8017, section 7.1). */
export interface OaepPadding {
  padding: "oaep";
  /** The hash of the label; SHA-1 by default, as CryptoAPI has it. */
  hash?: HashName | undefined;
  /** The hash of MGF1; by default the same. */
  mgf1Hash?: HashName | undefined;
  /** Empty by default. */
  label?: Bytes | undefined;
}

/** RSAES-PKCS1-v1_5 (RFC 8017, section 7.2). */
export interface Pkcs1Padding {
  padding: "pkcs1-v1_5";
}

export type RsaPadding = OaepPadding | Pkcs1Padding;

/** Where the random bytes stand in the core's parameters, after the hash of the label. */
const RANDOM_AT = 64;
/** Random bytes of a blinding beyond the modulus' length. */
export const BLINDING_EXTRA = 16;
/** The longest modulus: 16384 bits. */
export const MAX_BYTES = 2048;
/** Numbers of a private key that the core takes, each of at most that length. */
const MOST_NUMBERS = 7;

// Paddings, as assembly/rsa/calls.ts numbers them.
const PKCS1 = 0;
const OAEP = 1;

/** A source of random bytes; tests bring their own. */
export type Random = (length: number) => Uint8Array;

function badKey(): TwinwrapError {
  return new TwinwrapError("BAD_KEY", "the RSA key cannot be used");
}

function withoutZeros(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0);
  return bytes.subarray(start < 0 ? bytes.length : start);
}

/** e as a number. @throws TwinwrapError BAD_KEY if it has more than 32 bits */
export function exponent(e: Uint8Array): number {
  const bytes = withoutZeros(e);
  if (bytes.length > 4) throw badKey();
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

const needHash = /* @__PURE__ */ oneOf(...HASH_NAMES);
/** All options; which of them belong together is checked afterwards. */
export interface GivenPadding {
  padding: RsaPadding["padding"];
  hash?: HashName;
  mgf1Hash?: HashName;
  label?: Uint8Array;
}
export const PADDING: Shape<GivenPadding> = {
  padding: /* @__PURE__ */ oneOf("oaep", "pkcs1-v1_5"),
  hash: needHash,
  mgf1Hash: needHash,
  label: needBytes,
};
export const PADDED: Kind<GivenPadding & { length?: number }> = /* @__PURE__ */ optionsOf(PADDING, [
  "padding",
]);
/** A padding as the core takes it, checked. */
export function parsePadding(given: unknown, kind = PADDED) {
  const { padding, hash, mgf1Hash, label, length = 0 } = kind(given, "options");
  if (padding === "oaep") {
    const used = hash ?? "SHA-1";
    return { padding: OAEP, hash: used, mgf1: mgf1Hash ?? used, label, length };
  }
  if (hash === undefined && mgf1Hash === undefined && label === undefined) {
    return { padding: PKCS1, hash: "SHA-1", mgf1: "SHA-1", label, length } as const;
  }
  throw new TwinwrapError("BAD_ARGUMENT", "pkcs1-v1_5 has neither hash nor mgf1Hash nor label");
}

/** What both kinds of keys share: their own components, and a slot in the core while they are used. */
export abstract class RsaKey<Components extends RsaPublicComponents> {
  protected readonly instance: Instance;
  protected readonly random: Random;
  readonly #slots: Slots;
  #components: Components | undefined;
  /** The length of the modulus in bytes. */
  protected readonly k: number;

  constructor(
    instance: Instance,
    slots: Slots,
    names: (keyof Components)[],
    given: Components,
    random: Random,
  ) {
    this.instance = instance;
    this.random = random;
    this.#slots = slots;
    const shape = Object.fromEntries(names.map((name) => [name, needStableBytes]));
    const bytes = objectOf(shape as unknown as Shape<Components>)(given, "the RSA key");
    const parts = names.map((name) => withoutZeros(bytes[name] as Uint8Array));
    if (parts.some((part) => part.length > MAX_BYTES)) throw badKey();
    this.#components = Object.fromEntries(
      names.map((name, i) => [name, copyBytes(parts[i]!)]),
    ) as unknown as Components;
    this.k = this.#components.n.length;
    try {
      this.slot();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  protected abstract load(slot: number, components: Components): number;

  /** The slot that holds the key; loads it if its place was given away. */
  protected slot(): number {
    if (!this.#components) throw new TwinwrapError("DISPOSED", "the key was disposed of");
    const { slot, loaded } = this.#slots.take(this);
    if (loaded) return slot;
    try {
      this.instance.check(this.load(slot, this.#components));
      return slot;
    } catch (error) {
      this.#slots.release(this);
      throw error;
    } finally {
      this.instance.input.fill(0, 0, MOST_NUMBERS * MAX_BYTES);
    }
  }

  /** Puts `parts` into the input window, one after the other; returns their lengths. */
  protected fill(parts: Uint8Array[]): number[] {
    let at = 0;
    for (const part of parts) {
      this.instance.input.set(part, at);
      at += part.length;
    }
    return parts.map((part) => part.length);
  }

  /** Sets the parameters of one operation: the label's hash and random bytes. */
  protected setParams(
    { padding, hash, label }: ReturnType<typeof parsePadding>,
    random: Uint8Array,
  ): void {
    const { params } = this.instance;
    if (padding === OAEP) params.set(digest(this.instance, hash, label ?? newBytes(0)));
    params.set(random, RANDOM_AT);
  }

  /** Clears what an operation left in the windows. */
  protected clear(inputLength: number): void {
    this.instance.input.fill(0, 0, inputLength);
    this.instance.output.fill(0, 0, this.k);
    this.instance.params.fill(0, 0, RANDOM_AT + MAX_BYTES + BLINDING_EXTRA);
  }

  /** Bytes that the padding leaves for the message. @throws TwinwrapError BAD_ARGUMENT if below 0 */
  protected room(padding: number, hash: HashName): number {
    const room = padding === OAEP ? this.k - 2 * hashInfo(hash).digest - 2 : this.k - 11;
    if (room < 0) throw new TwinwrapError("BAD_ARGUMENT", `the RSA key is too short for ${hash}`);
    return room;
  }

  /** Wipes the key, here and in the core. */
  dispose(): void {
    const slot = this.#slots.release(this);
    if (slot !== undefined) this.instance.function("rsaUnload")(slot);
    wipe(...Object.values(this.#components ?? {}));
    this.#components = undefined;
  }
}

/** An RSA public key at hand. */
export class RsaPublicKey extends RsaKey<RsaPublicComponents> {
  /** Use `core.rsaPublicKey(components)`. */
  constructor(
    instance: Instance,
    slots: Slots,
    components: RsaPublicComponents,
    random: Random = randomBytes,
  ) {
    super(instance, slots, ["n", "e"], components, random);
  }

  protected override load(slot: number, { n, e }: RsaPublicComponents): number {
    this.fill([n]);
    return this.instance.function("rsaLoadPublic")(slot, n.length, exponent(e));
  }

  /**
   * Encrypts a message of at most k - 2·hashLength - 2 bytes with OAEP, k - 11 with v1.5.
   * @returns k bytes, big-endian
   * @throws TwinwrapError BAD_ARGUMENT, also if the message is too long; DISPOSED
   */
  encrypt(message: Bytes, options: RsaPadding): Uint8Array<ArrayBuffer> {
    const parsed = parsePadding(options);
    const { padding, hash, mgf1 } = parsed;
    const bytes = needBytes(message, "the message");
    const { length } = bytes;
    const numbers = [hashInfo(hash).number, hashInfo(mgf1).number] as const;
    const room = this.room(padding, hash);
    if (length > room) {
      throw new TwinwrapError("BAD_ARGUMENT", `this RSA key takes at most ${room} bytes`);
    }
    const slot = this.slot();
    const random =
      padding === OAEP ? this.random(hashInfo(hash).digest) : this.#filler(this.k - 3 - length);
    try {
      this.setParams(parsed, random);
      this.instance.input.set(bytes);
      const encrypt = this.instance.function("rsaEncrypt");
      this.instance.check(encrypt(slot, padding, ...numbers, length));
      return copyBytes(this.instance.output.subarray(0, this.k));
    } finally {
      wipe(random);
      this.clear(length);
    }
  }

  /** Random bytes that are not 0: a 0 is drawn again, so that the others stay equally likely. */
  #filler(length: number): Uint8Array {
    const filler = newBytes(length);
    for (let at = 0; at < length; ) {
      const drawn = this.random(length - at);
      for (const byte of drawn) if (byte !== 0) filler[at++] = byte;
      wipe(drawn);
    }
    return filler;
  }
}
