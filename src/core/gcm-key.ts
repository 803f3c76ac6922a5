import { type Bytes, needBytes } from "../arguments.js";
import { newBytes } from "../bytes.js";
import { decryptionFailed, TwinwrapError } from "../errors.js";
import { AesKey, type AesUnit, BLOCK, resultArray } from "./aes.js";
import type { Instance } from "./instance.js";

/** Bytes of plaintext that one message may have (NIST SP 800-38D, section 5.2.1.1). */
const LONGEST = 2 ** 36 - 32;
const NOTHING = /* @__PURE__ */ newBytes(0);

export function needIv(value: unknown): Uint8Array {
  const iv = needBytes(value, "the IV");
  if (iv.length === 0) throw new TwinwrapError("BAD_ARGUMENT", "the IV must not be empty");
  return iv;
}

/** Additional data; usually there is none, and then nothing is checked. */
export function needAad(value: unknown): Uint8Array {
  return value === undefined ? NOTHING : needBytes(value, "the additional data");
}

export function needRoom(length: number): void {
  if (length > LONGEST) {
    throw new TwinwrapError("BAD_ARGUMENT", "AES-GCM takes at most 2^36 - 32 bytes a message");
  }
}

/** Whether text, IV and additional data fit the core's windows together. */
export function fits({ windowSize, params }: Instance, length: number, rest: number): boolean {
  return length <= windowSize && rest <= params.length;
}

/** What takes messages that do not fit: `data` into an array of the right length. */
export interface LongMessages {
  seal(iv: Uint8Array, data: Uint8Array, aad: Uint8Array, to: Uint8Array): void;
  open(iv: Uint8Array, data: Uint8Array, aad: Uint8Array, to: Uint8Array): void;
}

function tooLong(): never {
  throw new TwinwrapError("BAD_ARGUMENT", "the message is longer than the core's windows");
}

/** Nothing does: the chunks of a sealed file fit. */
const NO_LONG_ONES: LongMessages = { seal: tooLong, open: tooLong };

/** A key for AES-GCM (NIST SP 800-38D) with tags of 16 bytes. {@link AesGcm} can do more. */
export class GcmKey extends AesKey {
  readonly #unit: AesUnit;
  readonly #seal: (slot: number, iv: number, aad: number, length: number) => number;
  readonly #open: (slot: number, iv: number, aad: number, length: number) => number;
  readonly #long: LongMessages;

  /** Use `core.aesGcm(key)`. */
  constructor(unit: AesUnit, key: Bytes, long = NO_LONG_ONES) {
    super(unit, key);
    this.#unit = unit;
    this.#seal = unit.instance.function("gcmSeal");
    this.#open = unit.instance.function("gcmOpen");
    this.#long = long;
  }

  /**
   * Encrypts one message: ciphertext‖tag, 16 bytes more than `plaintext`.
   * @param iv 1 byte or more, 12 as a rule; none may ever serve twice under one key
   * @param plaintext at most 2^36 - 32 bytes
   * @param aad authenticated with the message, but not part of the result
   * @param into takes the result at its beginning instead of a new array; may begin where
   * `plaintext` begins, but not overlap it otherwise
   * @throws TwinwrapError BAD_ARGUMENT, DISPOSED
   */
  encrypt(
    iv: Bytes,
    plaintext: Bytes,
    aad?: Bytes,
    into?: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> {
    const nonce = needIv(iv);
    const extra = needAad(aad);
    const data = needBytes(plaintext, "the plaintext");
    const { length } = data;
    needRoom(length);
    if (!fits(this.#unit.instance, length, nonce.length + extra.length)) {
      const result = resultArray(length + BLOCK, into);
      this.#long.seal(nonce, data, extra, result);
      return result;
    }
    const result = into === undefined ? undefined : resultArray(length + BLOCK, into);
    const slot = this.slot();
    const { instance, input, output } = this.#unit;
    instance.params.set(nonce);
    if (extra.length > 0) instance.params.set(extra, nonce.length);
    try {
      input.set(data);
      instance.check(this.#seal(slot, nonce.length, extra.length, length));
      // Nothing here is secret, so a plain copy will do, which is the quickest.
      if (result === undefined) return output.slice(0, length + BLOCK);
      result.set(output.subarray(0, length + BLOCK));
      return result;
    } finally {
      input.fill(0, 0, length);
    }
  }

  /**
   * Decrypts one message: 16 bytes less than `sealed`. If the tag is wrong nothing is given out,
   * and `into` is left with zeros or as it was.
   * @param sealed ciphertext‖tag
   * @param into takes the result at its beginning instead of a new array; may begin where `sealed`
   * begins, but not overlap it otherwise
   * @throws TwinwrapError DECRYPTION_FAILED if the key or the IV is not the right one, or `sealed`
   * or `aad` was altered, or `sealed` is shorter than a tag; BAD_ARGUMENT, DISPOSED
   */
  decrypt(
    iv: Bytes,
    sealed: Bytes,
    aad?: Bytes,
    into?: Uint8Array<ArrayBuffer>,
  ): Uint8Array<ArrayBuffer> {
    const nonce = needIv(iv);
    const extra = needAad(aad);
    const data = needBytes(sealed, "the sealed message");
    const length = data.length - BLOCK;
    needRoom(length);
    const slot = this.slot();
    if (length < 0) throw decryptionFailed();
    const result = resultArray(length, into);
    if (!fits(this.#unit.instance, length, nonce.length + extra.length)) {
      this.#long.open(nonce, data, extra, result);
      return result;
    }
    const { instance, input, output } = this.#unit;
    instance.params.set(nonce);
    if (extra.length > 0) instance.params.set(extra, nonce.length);
    input.set(data);
    try {
      instance.check(this.#open(slot, nonce.length, extra.length, length));
      result.set(output.subarray(0, length));
    } finally {
      output.fill(0, 0, length);
    }
    return result;
  }
}
