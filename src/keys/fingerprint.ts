import { optionsOf } from "../arguments.js";
import type { Core } from "../core/index.js";
import { coreOption, coreOr } from "../core/need.js";
import { type AnyPublicKey, needAnyPublicKey, publicKeyFrom } from "./any.js";
import { encodeSpki } from "./pkcs.js";

interface FingerprintOptions {
  core?: Core | undefined;
}
const OPTIONS = optionsOf<FingerprintOptions>({ core: coreOption });

/**
 * The name of a key: SHA-256 over its DER SubjectPublicKeyInfo (rsaEncryption, NULL parameters,
 * minimal integers), 32 bytes. The same whatever form the key came in.
 * @throws TwinwrapError BAD_ARGUMENT; what {@link publicKeyFrom} throws
 */
export async function fingerprint(
  key: AnyPublicKey,
  options: FingerprintOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { core } = OPTIONS(options, "options");
  const spki = encodeSpki(await publicKeyFrom(needAnyPublicKey(key, "the key")));
  return (await coreOr(core)).sha256(spki);
}
