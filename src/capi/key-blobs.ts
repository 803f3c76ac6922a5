import { isKeyLength } from "../blob/blobs.js";
import {
  algorithmName,
  CryptoApiError,
  decodeSimpleBlob,
  encodeSimpleBlob,
  keyInPlainBlock,
  MAX_TRAILING,
  type PlaintextKeyBlob,
  type SessionAlgorithm,
} from "../blob/index.js";
import { copyBytes, randomBytes, wipe } from "../bytes.js";
import { type Core, type RsaPadding, sharedCore } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import { bitLength, type RsaPrivateKey, type RsaPublicKey, readPublicKey } from "../keys/index.js";
import { algorithmOf } from "./algorithms.js";

// What CryptGenKey, CryptImportKey and CryptExportKey do with blobs. Import says why it fails: it is for a person's
// own blobs at the command line, never for blobs that others send in.

/** How a session key was padded before RSA. OAEP is with SHA-1, as in CryptoAPI. */
export type Padding = RsaPadding["padding"];

/** Bytes that each padding takes from the modulus (RFC 8017, sections 7.1.1 and 7.2.1). */
const OVERHEAD: Record<Padding, number> = { oaep: 42, "pkcs1-v1_5": 11 };

/** Where the RSA block begins in a SIMPLEBLOB, and the numbers in the blob of an RSA key. */
export const BLOCK_AT = 12;
const NUMBERS_AT = 16;

/** Sets the lowest bit of every byte so that its number of ones is odd (FIPS 46-3). */
export function setOddParity(key: Uint8Array): void {
  for (let i = 0; i < key.length; i++) {
    let ones = key[i]! >> 1;
    ones ^= ones >> 4;
    ones ^= ones >> 2;
    ones ^= ones >> 1;
    key[i] = (key[i]! & 0xfe) | (~ones & 1);
  }
}

/** A new session key, of the usual length. The caller wipes it. */
export function generateSessionKey({ algId, keyLength }: SessionAlgorithm): PlaintextKeyBlob {
  const key = randomBytes(keyLength);
  if (algorithmOf(algId).hasParity) setOddParity(key);
  return { aiKeyAlg: algId, key };
}

/** Bytes of an RSA block under this key. */
export function blockLength(key: RsaPublicKey): number {
  return Math.ceil(bitLength(key.n) / 8);
}

/**
 * Opens a SIMPLEBLOB.
 * @param privateKey the key that opens it: there is no key container to find one in
 * @returns the session key and its ALG_ID; the caller wipes the key
 * @throws CryptoApiError with the error that is documented for CryptImportKey
 */
export async function importSimpleBlob(
  bytes: Uint8Array,
  privateKey: RsaPrivateKey | undefined,
  padding: Padding,
  options: { core?: Core | undefined } = {},
): Promise<PlaintextKeyBlob> {
  if (privateKey === undefined) {
    throw new CryptoApiError("NTE_NO_KEY", BLOCK_AT, "there is no private key to open it with");
  }
  const { aiKeyAlg, encryptedKey } = decodeFor(bytes, privateKey);
  const key = isExponentOne(privateKey)
    ? openPlainBlock(encryptedKey, padding)
    : decryptBlock(options.core ?? (await sharedCore()), encryptedKey, privateKey, padding);
  const { length } = key;
  if (isKeyLength(aiKeyAlg, length)) return { aiKeyAlg, key };
  wipe(key);
  throw new CryptoApiError(
    "NTE_BAD_DATA",
    BLOCK_AT,
    `the block holds ${length} bytes, which is no length of a ${algorithmName(aiKeyAlg)} key`,
  );
}

/** Decodes the blob, and checks that its block is as long as the key's modulus. */
function decodeFor(bytes: Uint8Array, key: RsaPublicKey) {
  const needed = blockLength(key);
  const { length } = decodeSimpleBlob(bytes).encryptedKey;
  if (length < needed || length > needed + MAX_TRAILING) {
    throw new CryptoApiError(
      "NTE_BAD_DATA",
      BLOCK_AT,
      `the encryptedkey has ${length} bytes, and a key of ${bitLength(key.n)} bits opens ${needed}: made for another key, or cut`,
    );
  }
  return decodeSimpleBlob(bytes, needed);
}

function isExponentOne({ e }: RsaPublicKey): boolean {
  return e.length === 1 && e[0] === 1;
}

/** With exponent one RSA changes nothing: the block is the padded key (Microsoft's KB 228786). Wipes the block. */
function openPlainBlock(block: Uint8Array, padding: Padding): Uint8Array {
  try {
    const key = padding === "pkcs1-v1_5" ? keyInPlainBlock(block) : undefined;
    if (key === undefined) throw doesNotOpen(padding);
    return copyBytes(key);
  } finally {
    wipe(block);
  }
}

function doesNotOpen(padding: Padding): CryptoApiError {
  return new CryptoApiError(
    "NTE_BAD_DATA",
    BLOCK_AT,
    `the encryptedkey does not open with ${padding}: made for another key, padded in another way, or altered`,
  );
}

function decryptBlock(
  core: Core,
  block: Uint8Array,
  privateKey: RsaPrivateKey,
  padding: Padding,
): Uint8Array {
  const rsa = core.rsaPrivateKey(privateKey);
  try {
    return rsa.decryptChecked(block, { padding });
  } catch (error) {
    if (!(error instanceof TwinwrapError && error.code === "DECRYPTION_FAILED")) throw error;
    throw doesNotOpen(padding);
  } finally {
    rsa.dispose();
  }
}

/**
 * Wraps a session key for a public key.
 * @throws CryptoApiError NTE_BAD_LEN if the key does not fit into the modulus
 */
export async function exportSimpleBlob(
  key: Uint8Array,
  aiKeyAlg: number,
  publicKey: RsaPublicKey,
  padding: Padding,
  options: { core?: Core | undefined } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const room = blockLength(publicKey) - OVERHEAD[padding];
  if (key.length > room) {
    throw new CryptoApiError(
      "NTE_BAD_LEN",
      BLOCK_AT,
      `a session key of ${key.length} bytes is too long for an RSA key of ${bitLength(publicKey.n)} bits with ${padding}, which takes ${room}`,
    );
  }
  const rsa = (options.core ?? (await sharedCore())).rsaPublicKey(publicKey);
  try {
    return encodeSimpleBlob({ aiKeyAlg, encryptedKey: rsa.encrypt(key, { padding }) });
  } finally {
    rsa.dispose();
  }
}

/**
 * Imports a PUBLICKEYBLOB or PRIVATEKEYBLOB. Checks that its numbers are a key and belong together.
 * @returns the public key
 * @throws CryptoApiError NTE_BAD_KEY if the numbers are no key; as the blob's decoder
 */
export function importKeyBlob(bytes: Uint8Array): RsaPublicKey {
  try {
    return readPublicKey(bytes);
  } catch (error) {
    if (!(error instanceof TwinwrapError && error.code === "BAD_KEY")) throw error;
    throw new CryptoApiError("NTE_BAD_KEY", NUMBERS_AT, error.message);
  }
}
