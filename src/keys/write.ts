import { CALG_RSA_KEYX, encodePrivateKeyBlob, encodePublicKeyBlob } from "../blob/index.js";
import { wipe, withoutLeadingZeros } from "../bytes.js";
import { type Core, sharedCore } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import { encodeJwk } from "./jwk.js";
import { checkPublicKey, validatePrivateKey } from "./numbers.js";
import { ITERATIONS, lockKey } from "./pbes2.js";
import { encodePem } from "./pem.js";
import { encodePkcs8, encodeSpki } from "./pkcs.js";
import { KEY_FORMS, type KeyForm } from "./recognise.js";
import type { RsaPrivateKey, RsaPublicKey } from "./types.js";

function checkForm(form: KeyForm): void {
  if (!KEY_FORMS.includes(form)) {
    throw new TwinwrapError("BAD_ARGUMENT", `a key is written as one of ${KEY_FORMS.join(", ")}`);
  }
}

/**
 * A public key as SubjectPublicKeyInfo in PEM or DER, as a JWK, or as a PUBLICKEYBLOB.
 * @throws TwinwrapError BAD_KEY if the key cannot be used
 */
export function writePublicKey(key: RsaPublicKey, form: KeyForm): Uint8Array<ArrayBuffer> {
  checkForm(form);
  checkPublicKey(key, { allowWeak: true });
  if (form === "der") return encodeSpki(key);
  if (form === "pem") return encodePem("PUBLIC KEY", encodeSpki(key));
  if (form === "jwk") return encodeJwk({ n: key.n, e: key.e });
  const { n, e } = key;
  return encodePublicKeyBlob({ aiKeyAlg: CALG_RSA_KEYX, n: withoutLeadingZeros(n), e });
}

/**
 * A private key as PKCS#8 in PEM or DER, as a JWK, or as a PRIVATEKEYBLOB. With a passphrase, PEM
 * and DER are locked: PBES2 with PBKDF2-HMAC-SHA-256 (600,000 iterations unless told otherwise, a
 * salt of 16 bytes) and AES-256-CBC. Text counts as UTF-8, without normalisation. The caller wipes
 * what is not locked.
 * @throws TwinwrapError BAD_KEY if the key is inconsistent; BAD_ARGUMENT for a form that cannot be
 *   locked, an empty passphrase, or iterations outside 1,000 to 10,000,000
 */
export async function writePrivateKey(
  key: RsaPrivateKey,
  form: KeyForm,
  options: { passphrase?: string | Uint8Array; iterations?: number; core?: Core } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  checkForm(form);
  validatePrivateKey(key);
  const { passphrase, iterations = ITERATIONS } = options;
  if (form === "jwk" || form === "msblob") {
    if (passphrase !== undefined) {
      throw new TwinwrapError(
        "BAD_ARGUMENT",
        `a ${form} cannot be locked with a passphrase; pem and der can`,
      );
    }
    if (form === "jwk") return encodeJwk(key);
    return encodePrivateKeyBlob({
      ...key,
      aiKeyAlg: CALG_RSA_KEYX,
      n: withoutLeadingZeros(key.n),
    });
  }
  const pkcs8 = encodePkcs8(key);
  let der = pkcs8;
  let returned = false;
  try {
    if (passphrase !== undefined) {
      der = lockKey(options.core ?? (await sharedCore()), pkcs8, passphrase, iterations);
    }
    const label = passphrase === undefined ? "PRIVATE KEY" : "ENCRYPTED PRIVATE KEY";
    if (form === "pem") return encodePem(label, der);
    returned = der === pkcs8;
    return der;
  } finally {
    if (!returned) wipe(pkcs8);
  }
}
