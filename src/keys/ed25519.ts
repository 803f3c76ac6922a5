import { optionsOf } from "../arguments.js";
import { concatBytes, copyBytes, equalBytes, newBytes, wipe } from "../bytes.js";
import { coreOr } from "../core/need.js";
import { TwinwrapError } from "../errors.js";
import { DerReader } from "./der.js";
import { isEd25519PublicKey } from "./ed25519-point.js";
import { withPassphrase } from "./passphrase.js";
import { ITERATIONS, lockKey, parseLock, unlock } from "./pbes2.js";
import { decodePemBody, encodePem, type PemBlock, pemBlocks } from "./pem.js";
import { READ_OPTIONS, type ReadKeyOptions } from "./read.js";
import { MAX_KEY_FILE, outline } from "./recognise.js";
import { openInAnySpelling } from "./spellings.js";
import { LOCK_OPTIONS } from "./write.js";

// Ed25519 keys (RFC 8032) as RFC 8410 writes them: bytes to values and back. No key is used here.

export interface LockOptions extends Omit<ReadKeyOptions, "allowExponentOne"> {
  /** PBKDF2 iterations, 600,000 by default. */
  iterations?: number | undefined;
}
export const LOCK = optionsOf<LockOptions>(LOCK_OPTIONS);
const UNLOCK = optionsOf<ReadKeyOptions>(READ_OPTIONS);

/** RFC 8410, section 4: everything in front of the key has one form. */
export const ED25519_SPKI_PREFIX = Uint8Array.of(
  0x30,
  0x2a,
  0x30,
  5,
  6,
  3,
  0x2b,
  0x65,
  0x70,
  3,
  0x21,
  0,
);
/** PrivateKeyInfo in front of the 32 bytes of a private key (RFC 8410, section 7). */
const PKCS8_PREFIX = Uint8Array.of(
  0x30,
  0x2e,
  2,
  1,
  0,
  0x30,
  5,
  6,
  3,
  0x2b,
  0x65,
  0x70,
  4,
  0x22,
  4,
  0x20,
);
const PUBLIC_KEY = 32;
/** Bytes of a private key, and its algorithm's OID (RFC 8410, section 3). */
const SEED = 32;
const ED25519 = "1.3.101.112";

/** PKCS#8 (DER); the caller wipes it. @param seed the private key, 32 bytes (RFC 8032, section 5.1.5) */
export function encodeEd25519(seed: Uint8Array): Uint8Array<ArrayBuffer> {
  const der = newBytes(PKCS8_PREFIX.length + SEED);
  der.set(PKCS8_PREFIX);
  der.set(seed, PKCS8_PREFIX.length);
  return der;
}

/**
 * PKCS#8 in PEM; the caller wipes what is not locked.
 * @param seed the private key, 32 bytes
 */
export async function writeEd25519Key(
  seed: Uint8Array,
  options: LockOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const lock = LOCK(options, "options");
  const { passphrase, allowEmptyPassphrase, iterations = ITERATIONS, core } = lock;
  const pkcs8 = encodeEd25519(seed);
  try {
    if (passphrase === undefined) return encodePem("PRIVATE KEY", pkcs8);
    return await withPassphrase(passphrase, allowEmptyPassphrase, async (secret) => {
      const locked = lockKey(await coreOr(core), pkcs8, secret, iterations);
      return encodePem("ENCRYPTED PRIVATE KEY", locked);
    });
  } finally {
    wipe(pkcs8);
  }
}

/**
 * Reads what {@link writeEd25519Key} wrote, or OpenSSL.
 * @returns the private key, 32 bytes; the caller wipes it
 * @throws TwinwrapError BAD_FORMAT, BAD_KEY, PASSPHRASE_NEEDED, WRONG_PASSPHRASE, LIMIT_EXCEEDED
 */
export async function readEd25519Key(
  pem: Uint8Array,
  options: ReadKeyOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return readEd25519Block(keyBlocks(pem)[0]!, options);
}

/** SubjectPublicKeyInfo in PEM. @param publicKey 32 bytes */
export function writeEd25519PublicKey(publicKey: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodePem("PUBLIC KEY", concatBytes(ED25519_SPKI_PREFIX, publicKey));
}

/** The blocks of a key file, one at least. @throws TwinwrapError BAD_FORMAT, LIMIT_EXCEEDED */
export function keyBlocks(pem: Uint8Array): PemBlock[] {
  if (pem.length > MAX_KEY_FILE) {
    throw new TwinwrapError("LIMIT_EXCEEDED", `a key file is at most ${MAX_KEY_FILE} bytes long`);
  }
  const blocks = pemBlocks(pem);
  if (blocks.length === 0) throw new TwinwrapError("BAD_FORMAT", "this is no key file (PEM)");
  return blocks;
}

/** One block of a key file, as {@link readEd25519Key} reads it. */
export async function readEd25519Block(
  block: PemBlock,
  options: ReadKeyOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { passphrase, allowEmptyPassphrase, core } = UNLOCK(options, "options");
  const der = decodePemBody(block.body);
  try {
    // Its bytes say what it is: labels are often wrong.
    const structure = outline(der);
    if (structure === "PrivateKeyInfo") return parsePkcs8(der);
    if (structure !== "EncryptedPrivateKeyInfo") {
      throw new TwinwrapError("BAD_KEY", `this is a ${block.label}; a private key is needed`);
    }
    const lock = parseLock(der);
    return await withPassphrase(passphrase, allowEmptyPassphrase, async (secret) => {
      const prepared = await coreOr(core);
      return openInAnySpelling(secret, (spelling) => unlock(prepared, lock, spelling, parsePkcs8));
    });
  } finally {
    wipe(der);
  }
}

/** OneAsymmetricKey of RFC 8410, section 7. */
function parsePkcs8(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const outer = new DerReader(der);
  const info = outer.sequence();
  outer.end();
  info.smallInteger(1, "the PKCS#8 version");
  const algorithm = info.sequence();
  if (algorithm.oid() !== ED25519) {
    throw new TwinwrapError("BAD_KEY", "this is not an Ed25519 private key");
  }
  algorithm.end();
  const inner = new DerReader(info.octetString());
  const seed = inner.octetString();
  if (seed.length !== SEED) {
    throw new TwinwrapError("BAD_FORMAT", "an Ed25519 private key has 32 bytes");
  }
  inner.end();
  return copyBytes(seed);
}

/** A public key, 32 bytes. @throws TwinwrapError BAD_FORMAT, BAD_KEY */
export function readEd25519PublicBlock(block: PemBlock): Uint8Array {
  const der = decodePemBody(block.body);
  const right =
    der.length === ED25519_SPKI_PREFIX.length + PUBLIC_KEY &&
    equalBytes(der.subarray(0, ED25519_SPKI_PREFIX.length), ED25519_SPKI_PREFIX);
  if (!right) throw new TwinwrapError("BAD_KEY", "this is not an Ed25519 public key");
  const publicKey = copyBytes(der.subarray(ED25519_SPKI_PREFIX.length));
  if (!isEd25519PublicKey(publicKey)) {
    throw new TwinwrapError("BAD_FORMAT", "this is no Ed25519 public key of prime order");
  }
  return publicKey;
}
