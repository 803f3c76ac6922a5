import { wipe } from "../bytes.js";
import type { Rsadp } from "../core/rsa.js";
import { TwinwrapError } from "../errors.js";
import { nodeCrypto, noNodeCrypto } from "../node-crypto.js";
import { encodePkcs8 } from "./pkcs.js";
import type { RsaPrivateKey } from "./types.js";

// RSADP of the platform's OpenSSL, which blinds it: three to four times as fast as the core. What it gives is still
// padded. The padding comes off in the core.

/** What does RSADP (RFC 8017, section 5.1.2): the core, or OpenSSL by node:crypto. */
export const RSA_ENGINES = ["core", "native"] as const;
export type RsaEngine = (typeof RSA_ENGINES)[number];

/**
 * RSADP by OpenSSL, with a copy of the key that lives as long as the function, and is cleared when that is collected.
 * @throws TwinwrapError UNSUPPORTED where there is no node:crypto; BAD_KEY if OpenSSL does not take the key
 */
export function nativeRsadp(key: RsaPrivateKey): Rsadp {
  const crypto = nodeCrypto();
  if (crypto === undefined) throw noNodeCrypto();
  const der = encodePkcs8(key);
  try {
    const object = crypto.createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    const by = { key: object, padding: crypto.constants.RSA_NO_PADDING };
    return (ciphertext) => crypto.privateDecrypt(by, ciphertext);
  } catch (cause) {
    throw new TwinwrapError("BAD_KEY", "the platform's OpenSSL does not take this RSA key", {
      cause,
    });
  } finally {
    wipe(der);
  }
}

/** What does RSADP in place of the core, if anything does. @throws TwinwrapError as {@link nativeRsadp} */
export function rsadpOf(key: RsaPrivateKey, engine: RsaEngine | undefined): Rsadp | undefined {
  return engine === "native" ? nativeRsadp(key) : undefined;
}
