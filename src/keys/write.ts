import { needFlag, oneOf, optionsOf } from "../arguments.js";
import { CALG_RSA_KEYX, encodePrivateKeyBlob, encodePublicKeyBlob } from "../blob/index.js";
import { wipe, withoutLeadingZeros } from "../bytes.js";
import type { Core } from "../core/index.js";
import { coreOr } from "../core/need.js";
import { TwinwrapError } from "../errors.js";
import { encodeJwk } from "./jwk.js";
import { checkPublicKey, validatePrivateKey } from "./numbers.js";
import { type Passphrase, withPassphrase } from "./passphrase.js";
import { ITERATIONS, lockKey, needIterations } from "./pbes2.js";
import { encodePem } from "./pem.js";
import { encodePkcs8, encodeSpki } from "./pkcs.js";
import { lockedPvk, plainPvk } from "./pvk.js";
import { PASSPHRASE_OPTIONS } from "./read.js";
import { KEY_FORMS, type KeyForm } from "./recognise.js";
import { needPrivateKey, needPublicKey, type RsaPrivateKey, type RsaPublicKey } from "./types.js";

const needForm = oneOf(...KEY_FORMS);

/**
 * A public key as SubjectPublicKeyInfo in PEM or DER, as a JWK, or as a PUBLICKEYBLOB.
 * @throws TwinwrapError BAD_KEY if the key cannot be used; BAD_ARGUMENT, also for PVK, which holds private
 *   keys only
 */
export function writePublicKey(publicKey: RsaPublicKey, form: KeyForm): Uint8Array<ArrayBuffer> {
  const key = needPublicKey(publicKey, "the public key");
  needForm(form, "the form");
  if (form === "pvk") {
    throw new TwinwrapError("BAD_ARGUMENT", "a PVK file holds a private key; msblob is for both");
  }
  checkPublicKey(key, { allowWeak: true });
  if (form === "der") return encodeSpki(key);
  if (form === "pem") return encodePem("PUBLIC KEY", encodeSpki(key));
  if (form === "jwk") return encodeJwk({ n: key.n, e: key.e });
  const { n, e } = key;
  return encodePublicKeyBlob({ aiKeyAlg: CALG_RSA_KEYX, n: withoutLeadingZeros(n), e });
}

/** How a private key is written. */
export interface WriteKeyOptions {
  /** Locks the key. Text counts as UTF-8, without normalisation. */
  passphrase?: Passphrase | undefined;
  /** Says that an empty passphrase is meant, which protects nothing. */
  allowEmptyPassphrase?: boolean | undefined;
  /** Of PBKDF2: 1,000 to 10,000,000. */
  iterations?: number | undefined;
  /** Allows the lock of PVK files, which is no protection. */
  allowWeakLock?: boolean | undefined;
  core?: Core | undefined;
}
/** The options of everything that locks a key with a passphrase. */
export const LOCK_OPTIONS = { ...PASSPHRASE_OPTIONS, iterations: needIterations };
const OPTIONS = optionsOf<WriteKeyOptions>({ ...LOCK_OPTIONS, allowWeakLock: needFlag });

/**
 * A private key as PKCS#8 in PEM or DER, as a JWK, as a PRIVATEKEYBLOB, or as a PVK file, the latter
 * two byte for byte as OpenSSL writes them. With a passphrase, PEM and DER are locked: PBES2 with
 * PBKDF2-HMAC-SHA-256 (600,000 iterations unless told otherwise, a salt of 16 bytes) and
 * AES-256-CBC. A PVK file is locked with RC4 under one round of SHA-1 (as `openssl rsa -pvk-strong`
 * does), which protects nothing from anybody who can try passphrases, so `allowWeakLock` must ask
 * for it. The caller wipes a key that is not locked.
 * @throws TwinwrapError BAD_KEY if the key is inconsistent; BAD_ARGUMENT, also for a form that cannot be
 *   locked, a passphrase that is empty or a promise, iterations outside 1,000 to 10,000,000, or primes too unequal for
 *   CryptoAPI's layout
 */
export async function writePrivateKey(
  privateKey: RsaPrivateKey,
  form: KeyForm,
  given: WriteKeyOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const key = needPrivateKey(privateKey);
  const options = OPTIONS(given, "options");
  needForm(form, "the form");
  checkLock(form, options);
  validatePrivateKey(key);
  if (form === "jwk") return encodeJwk(key);
  if (form === "msblob") return privateKeyBlob(key);
  if (form === "pvk") return writePvk(key, options);
  return writePkcs8(key, form, options);
}

/** @throws TwinwrapError BAD_ARGUMENT if the form cannot be locked as asked */
function checkLock(form: KeyForm, { passphrase, allowWeakLock }: WriteKeyOptions): void {
  if (passphrase === undefined) return;
  if (form === "jwk" || form === "msblob") {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      `a ${form} cannot be locked with a passphrase; pem and der can`,
    );
  }
  if (form === "pvk" && allowWeakLock !== true) {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      "the lock of a PVK file, RC4 under one round of SHA-1, is no protection; pem and der have one",
    );
  }
}

function privateKeyBlob(key: RsaPrivateKey): Uint8Array<ArrayBuffer> {
  return encodePrivateKeyBlob({ ...key, aiKeyAlg: CALG_RSA_KEYX, n: withoutLeadingZeros(key.n) });
}

async function writePvk(
  key: RsaPrivateKey,
  { passphrase, allowEmptyPassphrase, core }: WriteKeyOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const blob = privateKeyBlob(key);
  try {
    if (passphrase === undefined) return plainPvk(blob);
    return await withPassphrase(passphrase, allowEmptyPassphrase, async (secret) =>
      lockedPvk(await coreOr(core), blob, secret),
    );
  } finally {
    wipe(blob);
  }
}

async function writePkcs8(
  key: RsaPrivateKey,
  form: "pem" | "der",
  { passphrase, allowEmptyPassphrase, iterations = ITERATIONS, core }: WriteKeyOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const pkcs8 = encodePkcs8(key);
  let returned = false;
  try {
    if (passphrase !== undefined) {
      const der = await withPassphrase(passphrase, allowEmptyPassphrase, async (secret) =>
        lockKey(await coreOr(core), pkcs8, secret, iterations),
      );
      return form === "pem" ? encodePem("ENCRYPTED PRIVATE KEY", der) : der;
    }
    if (form === "pem") return encodePem("PRIVATE KEY", pkcs8);
    returned = true;
    return pkcs8;
  } finally {
    if (!returned) wipe(pkcs8);
  }
}
