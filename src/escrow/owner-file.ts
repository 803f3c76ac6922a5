import { toBase64Url, wipe } from "../bytes.js";
import { readBack, TwinwrapError } from "../errors.js";
import { decodeJcs, encodeJcs, Members } from "../jcs.js";
import {
  keyBlocks,
  type LockOptions,
  readEd25519Block,
  readEd25519PublicBlock,
  writeEd25519Key,
  writeEd25519PublicKey,
} from "../keys/ed25519.js";
import type { PemBlock } from "../keys/pem.js";
import type { ReadKeyOptions } from "../keys/read.js";
import { checkName, checkOrigin } from "./names.js";
import { SigningKey } from "./signing-key.js";

// What an enrolled owner has: a control key, which signs vetoes, and a file from the authority with the secret that
// tells which entries of its log are theirs.

function onlyBlock(pem: Uint8Array): PemBlock {
  const [block, ...more] = keyBlocks(pem);
  if (block !== undefined && more.length === 0) return block;
  throw new TwinwrapError("BAD_FORMAT", "a control key's file holds one key, Ed25519");
}

/**
 * control.pem; the caller wipes it if it is not locked.
 * @param seed the Ed25519 private key, 32 bytes (RFC 8032, section 5.1.5)
 * @throws TwinwrapError BAD_ARGUMENT
 */
export function writeControlKey(
  seed: Uint8Array,
  options: LockOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  return writeEd25519Key(seed, options);
}

/** control.pub.pem. @param publicKey 32 bytes */
export function writeControlPublicKey(publicKey: Uint8Array): Uint8Array<ArrayBuffer> {
  return writeEd25519PublicKey(publicKey);
}

/**
 * The key in control.pem, which signs vetoes.
 * @throws TwinwrapError BAD_FORMAT, BAD_KEY, PASSPHRASE_NEEDED, WRONG_PASSPHRASE, LIMIT_EXCEEDED;
 *   UNSUPPORTED where the engine does not sign with Ed25519
 */
export async function readControlKey(
  pem: Uint8Array,
  options: ReadKeyOptions = {},
): Promise<SigningKey> {
  const seed = await readEd25519Block(onlyBlock(pem), options);
  return SigningKey.from(seed).finally(() => wipe(seed));
}

/** The key in control.pub.pem, 32 bytes. @throws TwinwrapError BAD_FORMAT, BAD_KEY, LIMIT_EXCEEDED */
export function readControlPublicKey(pem: Uint8Array): Uint8Array {
  return readEd25519PublicBlock(onlyBlock(pem));
}

const TYPE = "twinwrap/owner/v1";
/** Bytes of an owner's file at most. */
export const MAX_OWNER_FILE = 4096;

/** What an authority gives to an owner whom it has enrolled. */
export interface OwnerFile {
  /** The authority's origin. */
  authority: string;
  /** The authority's fingerprint, 32 bytes. */
  fingerprint: Uint8Array;
  /** The owner's ID there. */
  owner: string;
  /** Tells which leaves of the log are about this owner, 32 bytes. */
  secret: Uint8Array;
}

/**
 * The bytes of an owner's file; the caller wipes them.
 * @throws TwinwrapError BAD_ARGUMENT, LIMIT_EXCEEDED if they could not be read back
 */
export function encodeOwnerFile(file: OwnerFile): Uint8Array<ArrayBuffer> {
  const bytes = encodeJcs({
    authority: file.authority,
    fingerprint: toBase64Url(file.fingerprint),
    owner: file.owner,
    secret: toBase64Url(file.secret),
    type: TYPE,
  });
  readBack(() => wipe(decodeOwnerFile(bytes).secret));
  return bytes;
}

/** The secret in it is the caller's to wipe. @throws TwinwrapError BAD_FORMAT, LIMIT_EXCEEDED */
export function decodeOwnerFile(bytes: Uint8Array): OwnerFile {
  const members = new Members(decodeJcs(bytes, MAX_OWNER_FILE), "owner's file");
  members.exactly("type", TYPE);
  const file: OwnerFile = {
    authority: checkOrigin(members.text("authority", 255)),
    fingerprint: members.bytes("fingerprint", 32),
    owner: checkName(members.text("owner", 255), "the owner ID"),
    secret: members.bytes("secret", 32),
  };
  members.end();
  return file;
}
