import { equalBytes, fromBase64, toBase64 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { checkPublicKey, type RsaPublicKey } from "../keys/index.js";
import { encodeSpki, parseSpki } from "../keys/pkcs.js";

export { encodeSpki };

/**
 * An RSA key for new wraps, from DER SubjectPublicKeyInfo in the one
 * spelling whose hash is the key's fingerprint.
 * @throws TwinwrapError BAD_FORMAT; BAD_KEY; WEAK_KEY if it is under 2048 bits or e under 65537
 */
export function decodeSpki(der: Uint8Array, where: string): RsaPublicKey {
  const key = parseSpki(der);
  checkPublicKey(key, { forWrap: true });
  if (!equalBytes(encodeSpki(key), der)) {
    throw new TwinwrapError("BAD_FORMAT", `${where}: not the usual DER of an RSA key`);
  }
  return key;
}

/** The same from base64, as notes hold it. */
export function parseSpkiText(base64: string, where: string): RsaPublicKey {
  return decodeSpki(fromBase64(base64), where);
}

export function formatSpki(key: RsaPublicKey): string {
  return toBase64(encodeSpki(key));
}
