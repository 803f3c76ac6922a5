import { copyBytes, fromBase64Url, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { encodeEd25519 } from "../keys/ed25519.js";

/** An Ed25519 private key inside the platform's cryptography. */
export interface EngineKey {
  /** 32 bytes. */
  publicKey: Uint8Array;
  /** The signature of `message` (RFC 8032, section 5.1.6), 64 bytes. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/**
 * By WebCrypto (Secure Curves). Only the public half of what is imported can be had out again.
 * @param seed the private key, 32 bytes
 * @throws TwinwrapError UNSUPPORTED
 */
export async function importEd25519(seed: Uint8Array): Promise<EngineKey> {
  const subtle = globalThis.crypto?.subtle;
  if (subtle === undefined) throw unsupported();
  const pkcs8 = encodeEd25519(seed);
  try {
    const readable = await subtle.importKey("pkcs8", pkcs8, "Ed25519", true, ["sign"]);
    // The JWK holds the private key too, as text that nobody can wipe; no other call tells the public half.
    const { x } = await subtle.exportKey("jwk", readable);
    const key = await subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
    return {
      publicKey: fromBase64Url(x!),
      sign: async (message) =>
        new Uint8Array(await subtle.sign("Ed25519", key, copyBytes(message))),
    };
  } catch (cause) {
    throw unsupported(cause);
  } finally {
    wipe(pkcs8);
  }
}

function unsupported(cause?: unknown): TwinwrapError {
  return new TwinwrapError(
    "UNSUPPORTED",
    "this engine does not sign with Ed25519: Chrome does from 137 on, Firefox from 129, Safari from 17, over HTTPS",
    { cause },
  );
}
