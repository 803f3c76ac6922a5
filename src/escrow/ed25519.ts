import { copyBytes } from "../bytes.js";
import type { Core } from "../core/index.js";

/** Bytes of a public key and of a signature (RFC 8032, section 5.1). */
export const ED25519_KEY = 32;
export const ED25519_SIGNATURE = 64;

/**
 * Verifies an Ed25519 signature (RFC 8032, section 5.1.7). Strict: encodings that are not canonical,
 * s ≥ L and public keys of small order are refused.
 * @param publicKey 32 bytes
 * @param signature 64 bytes; other lengths verify as little as any wrong signature
 */
export async function verifyEd25519(
  core: Core,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== ED25519_KEY || signature.length !== ED25519_SIGNATURE) return false;
  // Loaded only when a signature is verified.
  const { hashes, verify } = await import("@noble/ed25519");
  // The library accepts only bytes of its own realm.
  const own = [signature, message, publicKey].map(copyBytes) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  // The library's own hash is WebCrypto's, which a page without HTTPS does not have. The slot is the
  // whole process's: nothing can run before it is put back.
  const { sha512 } = hashes;
  hashes.sha512 = (bytes) => core.sha512(bytes);
  try {
    return verify(...own, { zip215: false });
  } finally {
    hashes.sha512 = sha512;
  }
}
