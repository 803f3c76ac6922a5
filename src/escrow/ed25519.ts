import { concatBytes, copyBytes, equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { ED25519_ORDER, isEd25519PublicKey, littleEndian } from "../keys/ed25519-point.js";

/** Bytes of a public key and of a signature (RFC 8032, section 5.1). */
export const ED25519_KEY = 32;
export const ED25519_SIGNATURE = 64;

/**
 * Whether these bytes can be a signature at all: R ‖ S with S < L, and R not the neutral element. Verifying
 * compares R with the canonical encoding of a point of prime order, so nothing else need be asked of it.
 */
export function isEd25519Signature(signature: Uint8Array): boolean {
  if (signature.length !== ED25519_SIGNATURE) return false;
  const isNeutral = littleEndian(signature.subarray(0, ED25519_KEY)) === 1n;
  return !isNeutral && littleEndian(signature.subarray(ED25519_KEY)) < ED25519_ORDER;
}

/**
 * Verifies an Ed25519 signature (RFC 8032, section 5.1.7) by one rule on every platform: the key is in the group of
 * prime order, S < L, and R is the encoding of [S]B - [k]A, byte for byte and without the cofactor. `verify` of
 * the library multiplies by the cofactor. So only its points are used.
 * @param publicKey 32 bytes
 * @param signature 64 bytes; other lengths verify as little as any wrong signature
 */
export async function verifyEd25519(
  core: Core,
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (!isEd25519PublicKey(publicKey) || !isEd25519Signature(signature)) return false;
  // Loaded only when a signature is verified.
  const { Point } = await import("@noble/ed25519");
  const R = copyBytes(signature.subarray(0, ED25519_KEY));
  const S = littleEndian(signature.subarray(ED25519_KEY));
  const k = littleEndian(core.sha512(concatBytes(R, publicKey, message))) % ED25519_ORDER;
  // The library accepts only bytes of its own realm.
  const A = Point.fromBytes(copyBytes(publicKey));
  const right = Point.BASE.multiply(S, false).subtract(A.multiply(k, false));
  return equalBytes(right.toBytes(), R);
}
