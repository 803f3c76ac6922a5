import { type Bytes, needBytes } from "../arguments.js";
import { copyBytes, newBytes, wipe } from "../bytes.js";
import { decryptionFailed, TwinwrapError } from "../errors.js";
import { AesKey, type AesUnit, BLOCK, needLength, needWindow, resultArray } from "./aes.js";

type Call = (slot: number, length: number) => number;

/** `data` through one of the core's calls, a window at a time; wipes everything that is not public. */
function pass(unit: AesUnit, call: Call, slot: number, data: Uint8Array, result: Uint8Array): void {
  const { instance, input, output } = unit;
  const { windowSize } = instance;
  try {
    for (let at = 0; at < data.length; at += windowSize) {
      const piece = data.subarray(at, at + windowSize);
      input.set(piece);
      instance.check(call(slot, piece.length));
      result.set(output.subarray(0, piece.length), at);
    }
  } finally {
    const used = Math.min(data.length, windowSize);
    input.fill(0, 0, used);
    output.fill(0, 0, used);
    instance.params.fill(0, 0, BLOCK);
  }
}

/** A key for AES in counter mode (NIST SP 800-38A, section 6.5). */
export class AesCtr extends AesKey {
  readonly #unit: AesUnit;
  readonly #ctr: Call;

  /** Use `core.aesCtr(key)`. */
  constructor(unit: AesUnit, key: Bytes) {
    super(unit, key);
    this.#unit = unit;
    this.#ctr = unit.instance.function("aesCtr");
  }

  /**
   * Encrypts or decrypts `data`, which is the same: as many bytes as `data` has. Nothing is
   * authenticated, and no counter block may ever serve twice under one key.
   * @param counterBlock the first of the counter blocks, 16 bytes; the count is modulo 2^128
   * @param into takes the result at its beginning instead of a new array; may be `data` itself
   * @throws TwinwrapError BAD_ARGUMENT, DISPOSED
   */
  xor(counterBlock: Bytes, data: Bytes, into?: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const counter = needLength(counterBlock, BLOCK, "the counter block");
    const bytes = needBytes(data, "the data");
    const result = resultArray(bytes.length, into);
    const slot = this.slot();
    this.#unit.instance.params.set(counter);
    pass(this.#unit, this.#ctr, slot, bytes, result);
    return result;
  }

  /**
   * The same on the first `length` bytes of `core.input`, into `core.output`, without a copy. Both are the
   * caller's until the next call of anything of this core; `core.wipe()` clears them.
   * @param length in bytes, at most `core.input.length`
   * @throws TwinwrapError BAD_ARGUMENT, DISPOSED
   */
  xorWindow(counterBlock: Bytes, length: number): void {
    const counter = needLength(counterBlock, BLOCK, "the counter block");
    const { instance } = this.#unit;
    needWindow(instance, length);
    const slot = this.slot();
    instance.params.set(counter);
    instance.check(this.#ctr(slot, length));
  }
}

/**
 * A key for AES in CBC mode (NIST SP 800-38A, section 6.2) with PKCS#7 padding (RFC 5652, section
 * 6.3). Nothing is authenticated: for formats that demand it.
 */
export class AesCbc extends AesKey {
  readonly #unit: AesUnit;
  readonly #encrypt: Call;
  readonly #decrypt: Call;

  /** Use `core.aesCbc(key)`. */
  constructor(unit: AesUnit, key: Bytes) {
    super(unit, key);
    this.#unit = unit;
    this.#encrypt = unit.instance.function("aesCbcEncrypt");
    this.#decrypt = unit.instance.function("aesCbcDecrypt");
  }

  /**
   * Pads and encrypts: 1 to 16 bytes more than `data`, a multiple of 16.
   * @param iv 16 bytes that nobody could foresee
   * @throws TwinwrapError BAD_ARGUMENT, DISPOSED
   */
  encrypt(iv: Bytes, data: Bytes): Uint8Array<ArrayBuffer> {
    const start = needLength(iv, BLOCK, "the IV");
    const bytes = needBytes(data, "the data");
    const padding = BLOCK - (bytes.length % BLOCK);
    // Padded in the result's place; every piece is read before it is written.
    const result = newBytes(bytes.length + padding);
    const slot = this.slot();
    result.set(bytes);
    result.fill(padding, bytes.length);
    this.#unit.instance.params.set(start);
    pass(this.#unit, this.#encrypt, slot, result, result);
    return result;
  }

  /**
   * Decrypts and takes the padding off. An error, or none, shows whether the padding was right: this is
   * not constant-time, and must not be offered to anybody who can send altered data.
   * @param iv 16 bytes
   * @throws TwinwrapError DECRYPTION_FAILED if `data` is not of whole blocks or wrongly padded;
   * BAD_ARGUMENT, DISPOSED
   */
  decrypt(iv: Bytes, data: Bytes): Uint8Array<ArrayBuffer> {
    const start = needLength(iv, BLOCK, "the IV");
    const bytes = needBytes(data, "the data");
    if (bytes.length === 0 || bytes.length % BLOCK !== 0) {
      this.slot(); // the error of a disposed key comes first
      throw decryptionFailed();
    }
    const padded = this.decryptBlocks(start, bytes);
    try {
      const padding = padded[padded.length - 1]!;
      const end = padded.length - padding;
      if (padding === 0 || padding > BLOCK) throw decryptionFailed();
      if (!padded.subarray(end).every((byte) => byte === padding)) throw decryptionFailed();
      return copyBytes(padded.subarray(0, end));
    } finally {
      wipe(padded);
    }
  }

  /**
   * Decrypts whole blocks and leaves the padding on: for data that comes in pieces, where the last
   * ciphertext block of one piece is the IV of the next.
   * @param iv 16 bytes
   * @throws TwinwrapError BAD_ARGUMENT unless `data` is a multiple of 16 bytes long; DISPOSED
   */
  decryptBlocks(iv: Bytes, data: Bytes): Uint8Array<ArrayBuffer> {
    const start = needLength(iv, BLOCK, "the IV");
    const bytes = needBytes(data, "the data");
    if (bytes.length % BLOCK !== 0) {
      throw new TwinwrapError("BAD_ARGUMENT", "CBC takes whole blocks of 16 bytes");
    }
    const result = newBytes(bytes.length);
    const slot = this.slot();
    this.#unit.instance.params.set(start);
    pass(this.#unit, this.#decrypt, slot, bytes, result);
    return result;
  }
}

/**
 * A key for AES in CFB mode with segments of 8 bits (NIST SP 800-38A, section 6.3): CryptoAPI's CFB.
 * Decrypts only, for old files. Nothing is authenticated.
 */
export class AesCfb8 extends AesKey {
  readonly #unit: AesUnit;
  readonly #decrypt: Call;

  /** Use `core.aesCfb8(key)`. */
  constructor(unit: AesUnit, key: Bytes) {
    super(unit, key);
    this.#unit = unit;
    this.#decrypt = unit.instance.function("aesCfb8Decrypt");
  }

  /**
   * Decrypts any number of bytes into as many. For data that comes in pieces: the IV of the next is
   * the last 16 bytes of IV ‖ ciphertext.
   * @param iv 16 bytes
   * @throws TwinwrapError BAD_ARGUMENT, DISPOSED
   */
  decrypt(iv: Bytes, data: Bytes): Uint8Array<ArrayBuffer> {
    const start = needLength(iv, BLOCK, "the IV");
    const bytes = needBytes(data, "the data");
    const result = newBytes(bytes.length);
    const slot = this.slot();
    this.#unit.instance.params.set(start);
    pass(this.#unit, this.#decrypt, slot, bytes, result);
    return result;
  }
}
