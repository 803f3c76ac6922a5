import { optionsOf } from "../arguments.js";
import type { Core } from "../core/index.js";
import { coreOption, sealingCoreOr } from "../core/need.js";
import type { SealingCore } from "../core/sealing.js";
import { type AnyPublicKey, needAnyPublicKey, publicKeyFrom } from "./any.js";
import { encodeSpki } from "./pkcs.js";
import type { RsaPublicKey } from "./types.js";

interface FingerprintOptions {
  core?: Core | undefined;
}
const OPTIONS = /* @__PURE__ */ optionsOf<FingerprintOptions>({ core: coreOption });

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
  const numbers = await publicKeyFrom(needAnyPublicKey(key, "the key"));
  return fingerprintOf(await sealingCoreOr(core, 0), numbers);
}

/** The same of a key that was read. */
export function fingerprintOf(core: SealingCore, key: RsaPublicKey): Uint8Array<ArrayBuffer> {
  return core.sha256(encodeSpki(key));
}
