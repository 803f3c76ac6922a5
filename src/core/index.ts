import { part } from "#embedded";
import { part as opening } from "#embedded-opening";
import { part as sealing } from "#embedded-sealing";
import { type Bytes, needBytes } from "../arguments.js";
import { markCore } from "../known.js";
import { AesCore } from "./aes-core.js";
import { AesCbc, AesCfb8 } from "./aes-modes.js";
import { assemble } from "./bodies.js";
import { digest, type HashName, hkdfExpand } from "./hash.js";
import { Hasher, hmac, pbkdf2 } from "./hmac.js";
import { Instance } from "./instance.js";
import { type CoreSource, compileCore, type LoadOptions } from "./load.js";
import { type Rsadp, type RsaPrivateComponents, RsaPrivateKey } from "./rsa.js";
import { type RsaPublicComponents, RsaPublicKey } from "./rsa-public.js";
import { sharedAt } from "./shared.js";
import { Slots } from "./slots.js";

export type { Bytes } from "../arguments.js";
export type { AesCore } from "./aes-core.js";
export type { AesGcm, GcmEncryptor, UnverifiedGcmDecryptor } from "./aes-gcm.js";
export type { AesKw, AesKwp } from "./aes-kw.js";
export type { AesCbc, AesCfb8, AesCtr } from "./aes-modes.js";
export type { HashName } from "./hash.js";
export type { Hasher } from "./hmac.js";
export { type CoreBuild, hasRelaxedSimd, type LoadOptions } from "./load.js";
export type {
  Rsadp,
  RsaPrivateComponents,
  RsaPrivateKey as PreparedRsaPrivateKey,
} from "./rsa.js";
export type {
  OaepPadding,
  Pkcs1Padding,
  RsaPadding,
  RsaPublicComponents,
  RsaPublicKey as PreparedRsaPublicKey,
} from "./rsa-public.js";
export { useWasm } from "./shared.js";

const SOURCE: CoreSource = {
  parts: [sealing, opening, part],
  assemble,
  simd: "core.wasm",
  relaxed: "core-relaxed.wasm",
};

/** The core: one instance of the WebAssembly module, with a typed face. */
export class Core extends AesCore {
  readonly #rsaSlots: Slots;

  constructor(instance: Instance) {
    super(instance);
    this.#rsaSlots = new Slots(instance.constant("RSA_SLOTS"));
    markCore(this);
  }

  /**
   * A key for AES-CBC with PKCS#7 padding (NIST SP 800-38A, RFC 5652). Not authenticated.
   * @throws TwinwrapError BAD_ARGUMENT unless `key` has 16, 24 or 32 bytes
   */
  aesCbc(key: Bytes): AesCbc {
    return new AesCbc(this.aes, key);
  }

  /**
   * A key for AES-CFB8 (NIST SP 800-38A), to read what old programs wrote. Not authenticated.
   * @throws TwinwrapError BAD_ARGUMENT unless `key` has 16, 24 or 32 bytes
   */
  aesCfb8(key: Bytes): AesCfb8 {
    return new AesCfb8(this.aes, key);
  }

  // Data, keys and passwords are bytes here: text is BAD_ARGUMENT, as its encoding is unknown.

  /** SHA-1 (FIPS 180-4): 20 bytes. For OAEP and fingerprints of old formats only. */
  sha1(data: Bytes): Uint8Array<ArrayBuffer> {
    return digest(this.instance, "SHA-1", data);
  }

  /** SHA-256 (FIPS 180-4): 32 bytes. */
  sha256(data: Bytes): Uint8Array<ArrayBuffer> {
    return digest(this.instance, "SHA-256", data);
  }

  /** SHA-512 (FIPS 180-4): 64 bytes. */
  sha512(data: Bytes): Uint8Array<ArrayBuffer> {
    return digest(this.instance, "SHA-512", data);
  }

  /**
   * Whether two byte strings are the same, in a time that depends on their lengths alone: for a tag or a
   * commitment, where one of them was computed from a secret.
   * @throws TwinwrapError BAD_ARGUMENT if they have more than 32,768 bytes
   */
  equal(a: Bytes, b: Bytes): boolean {
    return this.instance.compare(
      needBytes(a, "the first byte string"),
      needBytes(b, "the second byte string"),
    );
  }

  /** A hash over a message that comes in pieces: `.update(data)`, then `.digest()`. */
  hasher(hash: HashName): Hasher {
    return new Hasher(this.instance, hash);
  }

  /** HMAC (RFC 2104) of `data` under a key of any length; as many bytes as the hash has. */
  hmac(hash: HashName, key: Bytes, data: Bytes): Uint8Array<ArrayBuffer> {
    return hmac(this.instance, hash, key, data);
  }

  /**
   * HKDF-Expand (RFC 5869, section 2.3): `length` bytes from a uniformly random `prk`.
   * (HKDF-Extract is `hmac(hash, salt, inputKeyMaterial)`.)
   * @throws TwinwrapError BAD_ARGUMENT, also if `length` is over 255 times the hash's
   */
  hkdfExpand(hash: HashName, prk: Bytes, info: Bytes, length: number): Uint8Array<ArrayBuffer> {
    return hkdfExpand(this.instance, hash, prk, info, length);
  }

  /**
   * PBKDF2 with HMAC (RFC 8018, section 5.2): `length` bytes, at most 1 MiB. Cap a number of iterations
   * read from a file first: this call runs to its end.
   * @throws TwinwrapError BAD_ARGUMENT if `iterations` or `length` is out of range
   */
  pbkdf2(
    hash: HashName,
    password: Bytes,
    salt: Bytes,
    iterations: number,
    length: number,
  ): Uint8Array<ArrayBuffer> {
    return pbkdf2(this.instance, hash, password, salt, iterations, length);
  }

  /**
   * Prepares an RSA public key: 512 to 16384 bits, e odd, 3 to 2^32 - 1.
   * @throws TwinwrapError BAD_ARGUMENT, BAD_KEY
   */
  rsaPublicKey(components: RsaPublicComponents): RsaPublicKey {
    return new RsaPublicKey(this.instance, this.#rsaSlots, components);
  }

  /**
   * Prepares an RSA private key. All its numbers must fit together; p and q may stand in any order
   * and have any lengths from 64 bits on.
   * @param rsadp does the private operation in place of the core
   * @throws TwinwrapError BAD_ARGUMENT, BAD_KEY
   */
  rsaPrivateKey(components: RsaPrivateComponents, rsadp?: Rsadp): RsaPrivateKey {
    return new RsaPrivateKey(this.instance, this.#rsaSlots, components, undefined, rsadp);
  }
}

/**
 * Loads the core into an instance of its own.
 * @throws TwinwrapError BAD_ARGUMENT, UNSUPPORTED if the engine lacks WebAssembly SIMD
 */
export async function loadCore(options: LoadOptions = {}): Promise<Core> {
  return new Core(await Instance.create(await compileCore(SOURCE, options)));
}

/** The shared instance, used where no other is given. */
export function sharedCore(): Promise<Core> {
  return sharedAt("whole", SOURCE, (instance) => new Core(instance), true);
}
