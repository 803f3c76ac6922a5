import { type Core, sharedCore } from "../core/index.js";
import { encodeSpki } from "./pkcs.js";
import type { RsaPublicKey } from "./types.js";

/**
 * The name of a key: SHA-256 over its DER SubjectPublicKeyInfo (rsaEncryption, NULL parameters,
 * minimal integers), 32 bytes. The same whatever form the key came in.
 */
export async function fingerprint(
  key: RsaPublicKey,
  options: { core?: Core } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const core = options.core ?? (await sharedCore());
  return core.sha256(encodeSpki(key));
}
