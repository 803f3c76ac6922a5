import { whole } from "../arguments.js";
import { newBytes, randomBytes, toUtf8, wipe } from "../bytes.js";
import type { Core, HashName } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import {
  DerReader,
  encodeDer,
  INTEGER,
  nullValue,
  octetString,
  oid,
  SEQUENCE,
  sequence,
  smallInteger,
} from "./der.js";
import { foreignLock } from "./foreign.js";

// Locked private keys: EncryptedPrivateKeyInfo (RFC 5958, section 3) with PBES2 and PBKDF2
// (RFC 8018, sections 6.2 and 5.2) and AES-CBC (RFC 8018, appendix B.2.5).

const PBES2 = "1.2.840.113549.1.5.13";
const PBKDF2 = "1.2.840.113549.1.5.12";
const SCRYPT = "1.3.6.1.4.1.11591.4.11";
const HMAC_SHA_256 = "1.2.840.113549.2.9";
const AES_256_CBC = "2.16.840.1.101.3.4.1.42";

const PRFS: ReadonlyMap<string, HashName> = new Map([
  ["1.2.840.113549.2.7", "SHA-1"],
  [HMAC_SHA_256, "SHA-256"],
  ["1.2.840.113549.2.11", "SHA-512"],
]);

/** Key bytes of the ciphers. */
const CIPHERS: ReadonlyMap<string, number> = new Map([
  ["2.16.840.1.101.3.4.1.2", 16],
  ["2.16.840.1.101.3.4.1.22", 24],
  [AES_256_CBC, 32],
]);

/** PBKDF2 iterations of keys locked here (OWASP's advice for HMAC-SHA-256), and limits. */
export const ITERATIONS = 600_000;
export const MIN_ITERATIONS = 1_000;
export const MAX_ITERATIONS = 10_000_000;
/** An option `iterations`. */
export const needIterations = whole(MIN_ITERATIONS, MAX_ITERATIONS);
const MAX_SALT = 1024;
const SALT = 16;
const BLOCK = 16;

/** How a key is locked. */
interface Lock {
  prf: HashName;
  salt: Uint8Array;
  iterations: number;
  keyLength: number;
  iv: Uint8Array;
  ciphertext: Uint8Array;
}

/**
 * Reads how a key is locked, without a passphrase.
 * @throws TwinwrapError BAD_FORMAT for other ways of locking, LIMIT_EXCEEDED
 */
export function parseLock(der: Uint8Array): Lock {
  const outer = new DerReader(der);
  const info = outer.sequence();
  outer.end();
  const algorithm = info.sequence();
  const ciphertext = info.octetString();
  info.end();
  const scheme = algorithm.oid();
  if (scheme !== PBES2) throw foreignLock(`an old scheme (${scheme})`);
  const parameters = algorithm.sequence();
  algorithm.end();
  const derivation = readDerivation(parameters.sequence());
  const cipher = parameters.sequence();
  parameters.end();
  const cipherOid = cipher.oid();
  const keyLength = CIPHERS.get(cipherOid);
  if (keyLength === undefined) throw foreignLock(`another cipher than AES-CBC (${cipherOid})`);
  const iv = cipher.octetString();
  cipher.end();
  if (derivation.keyLength !== undefined && derivation.keyLength !== keyLength) {
    throw bad("the locked key's length does not fit its cipher");
  }
  if (iv.length !== BLOCK) throw bad("the locked key's IV is not 16 bytes");
  if (ciphertext.length === 0 || ciphertext.length % BLOCK !== 0) {
    throw bad("the locked key's ciphertext is not whole blocks");
  }
  return { ...derivation, keyLength, iv, ciphertext };
}

function readDerivation(
  derivation: DerReader,
): Pick<Lock, "prf" | "salt" | "iterations"> & { keyLength: number | undefined } {
  const name = derivation.oid();
  if (name === SCRYPT) throw foreignLock("scrypt");
  if (name !== PBKDF2) throw foreignLock(`a key derivation other than PBKDF2 (${name})`);
  const parameters = derivation.sequence();
  derivation.end();
  const salt = parameters.octetString();
  if (salt.length === 0) throw bad("the locked key has no salt");
  if (salt.length > MAX_SALT) throw limit(`the salt is longer than ${MAX_SALT} bytes`);
  const iterations = parameters.smallInteger(MAX_ITERATIONS, "the number of PBKDF2 iterations");
  if (iterations === 0) throw bad("the locked key has 0 PBKDF2 iterations");
  const keyLength =
    parameters.peek() === INTEGER ? parameters.smallInteger(64, "the key length") : undefined;
  let prf: HashName | undefined = "SHA-1"; // the default of RFC 8018, appendix A.2
  if (parameters.peek() === SEQUENCE) {
    const algorithm = parameters.sequence();
    const prfOid = algorithm.oid();
    prf = PRFS.get(prfOid);
    if (prf === undefined) throw foreignLock(`PBKDF2 over another function (${prfOid})`);
    algorithm.optionalNull();
    algorithm.end();
  }
  parameters.end();
  return { prf, salt, iterations, keyLength };
}

/**
 * Opens a lock; gives the PKCS#8 inside, if the passphrase is right. With a wrong one this throws,
 * or gives bytes that are no key.
 * @throws TwinwrapError WRONG_PASSPHRASE
 */
function openLock(core: Core, lock: Lock, passphrase: string | Uint8Array): Uint8Array {
  const { prf, salt, iterations, keyLength } = lock;
  try {
    return withKey(core, passphrase, [prf, salt, iterations, keyLength], (cipher) =>
      cipher.decrypt(lock.iv, lock.ciphertext),
    );
  } catch (error) {
    if (error instanceof TwinwrapError && error.code === "DECRYPTION_FAILED") {
      throw wrongPassphrase();
    }
    throw error;
  }
}

/**
 * Opens a lock, and reads the key in its PKCS#8, which is wiped.
 * @throws TwinwrapError WRONG_PASSPHRASE; what `read` throws at a key that is well-formed, such as BAD_KEY
 */
export function unlock<T>(
  core: Core,
  lock: Lock,
  passphrase: string | Uint8Array,
  read: (pkcs8: Uint8Array) => T,
): T {
  const pkcs8 = openLock(core, lock, passphrase);
  try {
    return read(pkcs8);
  } catch (error) {
    // A wrong key's padding fits once in 256 times: then the plaintext is no DER.
    const noDer =
      error instanceof TwinwrapError &&
      (error.code === "BAD_FORMAT" || error.code === "LIMIT_EXCEEDED");
    throw noDer ? wrongPassphrase() : error;
  } finally {
    wipe(pkcs8);
  }
}

/** One error for bad padding and for a plaintext that is no key. */
export function wrongPassphrase(): TwinwrapError {
  return new TwinwrapError("WRONG_PASSPHRASE", "the passphrase does not open the key");
}

/** Locks a PKCS#8: PBKDF2-HMAC-SHA-256, a fresh salt of 16 bytes, AES-256-CBC. */
export function lockKey(
  core: Core,
  pkcs8: Uint8Array,
  passphrase: string | Uint8Array,
  iterations: number,
): Uint8Array<ArrayBuffer> {
  const salt = randomBytes(SALT);
  const iv = randomBytes(BLOCK);
  const ciphertext = withKey(core, passphrase, ["SHA-256", salt, iterations, 32], (cipher) =>
    cipher.encrypt(iv, pkcs8),
  );
  const prf = sequence(oid(HMAC_SHA_256), nullValue());
  const parameters = sequence(octetString(salt), smallInteger(iterations), prf);
  const derivation = sequence(oid(PBKDF2), parameters);
  const cipher = sequence(oid(AES_256_CBC), octetString(iv));
  const algorithm = sequence(oid(PBES2), sequence(derivation, cipher));
  return encodeDer(sequence(algorithm, octetString(ciphertext)));
}

/** Works with AES-CBC under the key that a passphrase gives. Text counts as UTF-8, as it is. */
function withKey(
  core: Core,
  passphrase: string | Uint8Array,
  [prf, salt, iterations, length]: [HashName, Uint8Array, number, number],
  work: (cipher: ReturnType<Core["aesCbc"]>) => Uint8Array,
): Uint8Array {
  const own = typeof passphrase === "string" ? toUtf8(passphrase) : undefined;
  const password = own ?? (passphrase as Uint8Array);
  let key: Uint8Array = newBytes(0);
  try {
    key = core.pbkdf2(prf, password, salt, iterations, length);
    const cipher = core.aesCbc(key);
    try {
      return work(cipher);
    } finally {
      cipher.dispose();
    }
  } finally {
    wipe(own, key);
  }
}

function bad(message: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", message);
}

function limit(message: string): TwinwrapError {
  return new TwinwrapError("LIMIT_EXCEEDED", message);
}
