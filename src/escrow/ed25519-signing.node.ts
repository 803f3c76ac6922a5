import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { copyBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { ED25519_SPKI_PREFIX, encodeEd25519 } from "../keys/ed25519.js";
import type { EngineKey } from "./ed25519-signing.js";

/** Like ed25519-signing.ts, by node:crypto: in Node 20 WebCrypto's warns that it is experimental. */
export async function importEd25519(seed: Uint8Array): Promise<EngineKey> {
  const pkcs8 = encodeEd25519(seed);
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: Buffer.from(pkcs8.buffer), format: "der", type: "pkcs8" });
  } catch (cause) {
    throw new TwinwrapError("UNSUPPORTED", "this Node does not sign with Ed25519", { cause });
  } finally {
    wipe(pkcs8);
  }
  const spki = createPublicKey(key).export({ format: "der", type: "spki" });
  return {
    publicKey: copyBytes(spki.subarray(ED25519_SPKI_PREFIX.length)),
    sign: async (message) => copyBytes(sign(null, message, key)),
  };
}
