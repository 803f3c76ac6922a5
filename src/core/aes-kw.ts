import { type Bytes, needBytes } from "../arguments.js";
import { copyBytes } from "../bytes.js";
import { decryptionFailed, TwinwrapError } from "../errors.js";
import { AesKey, type AesUnit } from "./aes.js";

/** Bytes of A, of RFC 3394's semiblock. */
const SEMIBLOCK = 8;
/** Bytes of the length that the core leaves beside a key from KWP. */
const LENGTH = 4;

/** What KW and KWP share: one call of the core each way, on data that fits its windows. */
abstract class KeyWrap extends AesKey {
  readonly #unit: AesUnit;

  constructor(unit: AesUnit, kek: Bytes) {
    super(unit, kek);
    this.#unit = unit;
  }

  /** The longest key that can be wrapped, in bytes. */
  protected get longest(): number {
    return this.#unit.instance.windowSize - SEMIBLOCK;
  }

  /** The result of `call`: as many bytes of the output, from `begin` on, as `length` says afterwards. */
  protected run(
    call: string,
    data: Uint8Array,
    begin: number,
    length: () => number,
  ): Uint8Array<ArrayBuffer> {
    const { instance, input, output } = this.#unit;
    const slot = this.slot();
    try {
      input.set(data);
      instance.check(instance.function(call)(slot, data.length));
      return copyBytes(output.subarray(begin, begin + length()));
    } finally {
      input.fill(0, 0, data.length);
      output.fill(0, 0, data.length + 2 * SEMIBLOCK);
      instance.params.fill(0, 0, LENGTH);
    }
  }

  /** The unwrapped length that the core left beside the unwrapped key. */
  protected get unwrappedLength(): number {
    const { params } = this.#unit.instance;
    return new DataView(params.buffer, params.byteOffset).getUint32(0, true);
  }
}

/** A key-encryption key for AES Key Wrap (RFC 3394; KW of NIST SP 800-38F). */
export class AesKw extends KeyWrap {
  /**
   * Wraps a key: 8 bytes more.
   * @param key at least 16 bytes, a multiple of 8, at most 65,528
   * @throws TwinwrapError BAD_ARGUMENT, DISPOSED
   */
  wrap(key: Bytes): Uint8Array<ArrayBuffer> {
    const bytes = needBytes(key, "the key to wrap");
    const { length } = bytes;
    if (length < 2 * SEMIBLOCK || length % SEMIBLOCK !== 0 || length > this.longest) {
      throw new TwinwrapError(
        "BAD_ARGUMENT",
        `AES-KW wraps 16 to ${this.longest} bytes, a multiple of 8`,
      );
    }
    return this.run("aesKwWrap", bytes, 0, () => length + SEMIBLOCK);
  }

  /**
   * Unwraps a key.
   * @throws TwinwrapError DECRYPTION_FAILED if the key-encryption key is not the right one, or
   * `wrapped` was altered or has an impossible length; BAD_ARGUMENT, DISPOSED
   */
  unwrap(wrapped: Bytes): Uint8Array<ArrayBuffer> {
    const bytes = needBytes(wrapped, "the wrapped key");
    if (bytes.length > this.longest + SEMIBLOCK) throw decryptionFailed();
    return this.run("aesKwUnwrap", bytes, SEMIBLOCK, () => bytes.length - SEMIBLOCK);
  }
}

/** A key-encryption key for AES Key Wrap with Padding (RFC 5649; KWP of NIST SP 800-38F). */
export class AesKwp extends KeyWrap {
  /**
   * Wraps a key, or a key file: 8 bytes more, and up to the next multiple of 8.
   * @param key 1 to 65,528 bytes
   * @throws TwinwrapError BAD_ARGUMENT, DISPOSED
   */
  wrap(key: Bytes): Uint8Array<ArrayBuffer> {
    const bytes = needBytes(key, "the key to wrap");
    if (bytes.length < 1 || bytes.length > this.longest) {
      throw new TwinwrapError("BAD_ARGUMENT", `AES-KWP wraps 1 to ${this.longest} bytes`);
    }
    const length = SEMIBLOCK * (1 + Math.ceil(bytes.length / SEMIBLOCK));
    return this.run("aesKwpWrap", bytes, 0, () => length);
  }

  /**
   * Unwraps a key.
   * @throws TwinwrapError DECRYPTION_FAILED if the key-encryption key is not the right one, or
   * `wrapped` was altered or has an impossible length; BAD_ARGUMENT, DISPOSED
   */
  unwrap(wrapped: Bytes): Uint8Array<ArrayBuffer> {
    const bytes = needBytes(wrapped, "the wrapped key");
    if (bytes.length > this.longest + SEMIBLOCK) throw decryptionFailed();
    return this.run("aesKwpUnwrap", bytes, SEMIBLOCK, () => this.unwrappedLength);
  }
}
