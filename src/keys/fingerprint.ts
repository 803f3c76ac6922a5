import { optionsOf } from "../arguments.js";
import type { Core } from "../core/index.js";
import { coreOption, coreOr } from "../core/need.js";
import { encodeSpki } from "./pkcs.js";
import { needPublicKey, type RsaPublicKey } from "./types.js";

interface FingerprintOptions {
  core?: Core | undefined;
}
const OPTIONS = optionsOf<FingerprintOptions>({ core: coreOption });

/**
 * The name of a key: SHA-256 over its DER SubjectPublicKeyInfo (rsaEncryption, NULL parameters,
 * minimal integers), 32 bytes. The same whatever form the key came in.
 * @throws TwinwrapError BAD_ARGUMENT
 */
export async function fingerprint(
  key: RsaPublicKey,
  options: FingerprintOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { core } = OPTIONS(options, "options");
  const spki = encodeSpki(needPublicKey(key));
  return (await coreOr(core)).sha256(spki);
}
