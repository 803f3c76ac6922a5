import type { Mode } from "./settings.js";

/** The hashes that derive keys from passwords. */
export const PASSWORD_HASHES = ["md5", "sha1", "sha256", "sha384", "sha512"] as const;
export type PasswordHash = (typeof PASSWORD_HASHES)[number];

/**
 * What this room takes from the platform. The core has none of it, since only old files need it. `platform.node.ts`
 * takes it from Node. WebCrypto has none of it.
 */
export interface Platform {
  /**
   * Decrypts Triple DES, piece by piece. Does not look at the padding.
   * @param key 24 bytes; the caller wipes it
   * @param iv 8 bytes; ignored in ECB
   * @returns takes whole blocks (in 8-bit CFB any number of bytes) and gives as many bytes
   * @throws TwinwrapError UNSUPPORTED
   */
  tripleDes(key: Uint8Array, mode: Mode, iv: Uint8Array): (data: Uint8Array) => Uint8Array;
  /** @throws TwinwrapError UNSUPPORTED */
  digest(hash: PasswordHash, data: Uint8Array): Uint8Array;
}
