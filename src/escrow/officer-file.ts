import { concatBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import {
  keyBlocks,
  LOCK,
  type LockOptions,
  readEd25519Block,
  readEd25519PublicBlock,
  writeEd25519Key,
  writeEd25519PublicKey,
} from "../keys/ed25519.js";
import { withPassphrase } from "../keys/passphrase.js";
import { decodePemBody, encodePem, type PemBlock } from "../keys/pem.js";
import { type ReadKeyOptions, readPrivateKey, readPublicKey } from "../keys/read.js";
import type { RsaPrivateKey, RsaPublicKey } from "../keys/types.js";
import { writePrivateKey, writePublicKey } from "../keys/write.js";
import { SigningKey } from "./signing-key.js";

// An officer's two keys in one file: Ed25519, which signs approvals, then RSA, which receives shares.

/** An officer's public keys. */
export interface OfficerPublicKeys {
  /** Ed25519, 32 bytes: verifies approvals. */
  publicKey: Uint8Array;
  /** Receives shares. */
  shareKey: RsaPublicKey;
}

/** An officer's keys. */
export interface OfficerKeys {
  /** The Ed25519 private key, 32 bytes. */
  seed: Uint8Array;
  shareKey: RsaPrivateKey;
}

function twoBlocks(pem: Uint8Array): [PemBlock, PemBlock] {
  const [first, second, ...more] = keyBlocks(pem);
  if (first === undefined || second === undefined || more.length > 0) {
    throw new TwinwrapError("BAD_FORMAT", "an officer's key file holds two keys: Ed25519 and RSA");
  }
  return [first, second];
}

/** A block as a file of its own. */
function alone(block: PemBlock): Uint8Array {
  const der = decodePemBody(block.body);
  try {
    return encodePem(block.label, der);
  } finally {
    wipe(der);
  }
}

/**
 * officer.pem; the caller wipes it if it is not locked.
 * @throws TwinwrapError BAD_KEY, BAD_ARGUMENT
 */
export async function writeOfficerKeys(
  keys: OfficerKeys,
  options: LockOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { passphrase, allowEmptyPassphrase } = LOCK(options, "options");
  if (passphrase === undefined) return writeBoth(keys, options);
  // Asked for once, and used twice.
  return withPassphrase(passphrase, allowEmptyPassphrase, (secret) =>
    writeBoth(keys, { ...options, passphrase: secret }),
  );
}

async function writeBoth(
  { seed, shareKey }: OfficerKeys,
  options: LockOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const first = await writeEd25519Key(seed, options);
  let second: Uint8Array | undefined;
  try {
    second = await writePrivateKey(shareKey, "pem", options);
    return concatBytes(first, second);
  } finally {
    wipe(first, second);
  }
}

/** officer.pub.pem. @throws TwinwrapError BAD_KEY */
export function writeOfficerPublicKeys(keys: OfficerPublicKeys): Uint8Array<ArrayBuffer> {
  return concatBytes(writeEd25519PublicKey(keys.publicKey), writePublicKey(keys.shareKey, "pem"));
}

/**
 * The key in officer.pem that signs approvals.
 * @throws TwinwrapError BAD_FORMAT, BAD_KEY, PASSPHRASE_NEEDED, WRONG_PASSPHRASE, LIMIT_EXCEEDED;
 *   UNSUPPORTED where the engine does not sign with Ed25519
 */
export async function readOfficerKey(
  pem: Uint8Array,
  options: ReadKeyOptions = {},
): Promise<SigningKey> {
  const seed = await readEd25519Block(twoBlocks(pem)[0], options);
  return SigningKey.from(seed).finally(() => wipe(seed));
}

/**
 * The key in officer.pem that receives shares; the caller wipes it.
 * @throws TwinwrapError as readPrivateKey
 */
export async function readOfficerShareKey(
  pem: Uint8Array,
  options: ReadKeyOptions = {},
): Promise<RsaPrivateKey> {
  const file = alone(twoBlocks(pem)[1]);
  try {
    return await readPrivateKey(file, options);
  } finally {
    wipe(file);
  }
}

/** officer.pub.pem. @throws TwinwrapError BAD_FORMAT, BAD_KEY, LIMIT_EXCEEDED */
export function readOfficerPublicKeys(pem: Uint8Array): OfficerPublicKeys {
  const [first, second] = twoBlocks(pem);
  return { publicKey: readEd25519PublicBlock(first), shareKey: readPublicKey(alone(second)) };
}
