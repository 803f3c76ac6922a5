import type { Mode } from "./settings.js";

/** The hashes that keys are derived from passwords with. */
export const PASSWORD_HASHES = ["md5", "sha1", "sha256", "sha384", "sha512"] as const;
export type PasswordHash = (typeof PASSWORD_HASHES)[number];

/**
 * What this room needs and neither has nor finds in the core, since only old files need it. `platform.node.ts`
 * takes it from Node; WebCrypto has none of it.
 */
export interface Platform {
  /**
   * Decrypts Triple DES, piece by piece and without a look at the padding.
   * @param key 24 bytes, which stay the caller's to wipe
   * @param iv 8 bytes; in ECB it does not matter
   * @returns takes whole blocks (in CFB, of 8 bits, any number of bytes) and gives as many bytes
   * @throws TwinwrapError UNSUPPORTED
   */
  tripleDes(key: Uint8Array, mode: Mode, iv: Uint8Array): (data: Uint8Array) => Uint8Array;
  /** @throws TwinwrapError UNSUPPORTED */
  digest(hash: PasswordHash, data: Uint8Array): Uint8Array;
}
