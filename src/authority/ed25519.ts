import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { optionsOf } from "../arguments.js";
import { concatBytes, copyBytes, equalBytes, toUtf8, wipe } from "../bytes.js";
import type { Core } from "../core/index.js";
import { coreOr } from "../core/need.js";
import { TwinwrapError } from "../errors.js";
import { keyId, parseNote, type Signer, type VerifierKey } from "../escrow/note.js";
import { DerReader } from "../keys/der.js";
import { withPassphrase } from "../keys/passphrase.js";
import { ITERATIONS, lockKey, parseLock, unlock } from "../keys/pbes2.js";
import { decodePemBody, encodePem, type PemBlock, pemBlocks } from "../keys/pem.js";
import { READ_OPTIONS, type ReadKeyOptions, readPrivateKey, readPublicKey } from "../keys/read.js";
import { MAX_KEY_FILE, outline } from "../keys/recognise.js";
import { openInAnySpelling } from "../keys/spellings.js";
import type { RsaPrivateKey, RsaPublicKey } from "../keys/types.js";
import { LOCK_OPTIONS, writePrivateKey, writePublicKey } from "../keys/write.js";

// Ed25519 keys (RFC 8032) as RFC 8410 writes them, and an officer's two keys in one file: Ed25519 for
// approvals first, then RSA, which receives shares.

export interface LockOptions extends Omit<ReadKeyOptions, "allowExponentOne"> {
  /** PBKDF2 iterations, 600,000 by default. */
  iterations?: number | undefined;
}
const LOCK = optionsOf<LockOptions>(LOCK_OPTIONS);
const UNLOCK = optionsOf<ReadKeyOptions>(READ_OPTIONS);

/** An Ed25519 private key, which stays inside node:crypto. */
export class Ed25519Key {
  readonly #key: KeyObject;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;

  /** @throws TwinwrapError BAD_KEY if it is a key of another kind */
  constructor(key: KeyObject) {
    if (key.type !== "private" || key.asymmetricKeyType !== "ed25519") {
      throw notEd25519();
    }
    this.#key = key;
    this.publicKey = rawPublicKey(createPublicKey(key));
  }

  /** A fresh key. */
  static generate(): Ed25519Key {
    return new Ed25519Key(generateKeyPairSync("ed25519").privateKey);
  }

  /** Signs notes under a name. */
  signer(name: string): Signer {
    const { publicKey } = this;
    return { name, publicKey, sign: async (message) => this.#sign(message) };
  }

  #sign(message: Uint8Array): Uint8Array {
    return copyBytes(sign(null, message, this.#key));
  }

  /** PKCS#8 in PEM; the caller wipes what is not locked. */
  async write(options: LockOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const lock = LOCK(options, "options");
    const { passphrase, allowEmptyPassphrase, iterations = ITERATIONS, core } = lock;
    const pkcs8 = this.#key.export({ format: "der", type: "pkcs8" });
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
   * Reads what {@link write} wrote, or OpenSSL.
   * @throws TwinwrapError BAD_FORMAT, BAD_KEY, PASSPHRASE_NEEDED, WRONG_PASSPHRASE, LIMIT_EXCEEDED
   */
  static async read(pem: Uint8Array, options: ReadKeyOptions = {}): Promise<Ed25519Key> {
    const [block] = blocksOf(pem);
    return readPrivateBlock(block!, options);
  }
}

/** SubjectPublicKeyInfo in PEM. @param publicKey 32 bytes */
export function writeEd25519PublicKey(publicKey: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodePem("PUBLIC KEY", concatBytes(ED25519_SPKI_PREFIX, publicKey));
}

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
const PUBLIC_KEY = 32;
/** Bytes of a private key, and its algorithm's OID (RFC 8410, section 3). */
const SEED = 32;
const ED25519 = "1.3.101.112";

/**
 * Tells whether one of some keys signed a note; as `verifyNote`, for one's own notes and by the
 * system's Ed25519, which is many times as fast.
 */
export function checkerOf(core: Core, keys: readonly VerifierKey[]): (note: string) => boolean {
  const known = keys.map((key) => ({
    name: key.name,
    id: keyId(core, key),
    object: createPublicKey({
      key: Buffer.concat([ED25519_SPKI_PREFIX, key.publicKey]),
      format: "der",
      type: "spki",
    }),
  }));
  return (note) => {
    const { text, signatures } = parseNote(note);
    return signatures.some((one) =>
      known.some(
        ({ name, id, object }) =>
          one.name === name &&
          equalBytes(one.keyId, id) &&
          verify(null, toUtf8(text), object, one.signature),
      ),
    );
  };
}

function rawPublicKey(key: KeyObject): Uint8Array {
  return copyBytes(key.export({ format: "der", type: "spki" })).subarray(
    ED25519_SPKI_PREFIX.length,
  );
}

function blocksOf(pem: Uint8Array): PemBlock[] {
  if (pem.length > MAX_KEY_FILE) {
    throw new TwinwrapError("LIMIT_EXCEEDED", `a key file is at most ${MAX_KEY_FILE} bytes long`);
  }
  const blocks = pemBlocks(pem);
  if (blocks.length === 0) throw new TwinwrapError("BAD_FORMAT", "this is no key file (PEM)");
  return blocks;
}

async function readPrivateBlock(block: PemBlock, options: ReadKeyOptions): Promise<Ed25519Key> {
  const { passphrase, allowEmptyPassphrase, core } = UNLOCK(options, "options");
  const der = decodePemBody(block.body);
  try {
    // What it is, its bytes say: a label is often another one's.
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

/** OneAsymmetricKey of RFC 8410, section 7, taken apart here first: what is then refused is not malformed. */
function parsePkcs8(der: Uint8Array): Ed25519Key {
  const outer = new DerReader(der);
  const info = outer.sequence();
  outer.end();
  info.smallInteger(1, "the PKCS#8 version");
  const algorithm = info.sequence();
  if (algorithm.oid() !== ED25519) throw notEd25519();
  algorithm.end();
  const inner = new DerReader(info.octetString());
  if (inner.octetString().length !== SEED) {
    throw new TwinwrapError("BAD_FORMAT", "an Ed25519 private key has 32 bytes");
  }
  inner.end();
  let key: KeyObject;
  try {
    key = createPrivateKey({
      key: Buffer.from(der.buffer, der.byteOffset, der.length),
      format: "der",
      type: "pkcs8",
    });
  } catch (cause) {
    throw new TwinwrapError("UNSUPPORTED", "this Node does not take the Ed25519 key", { cause });
  }
  return new Ed25519Key(key);
}

function notEd25519(): TwinwrapError {
  return new TwinwrapError("BAD_KEY", "this is not an Ed25519 private key");
}

function parseSpki(block: PemBlock): Uint8Array {
  const der = decodePemBody(block.body);
  const right =
    der.length === ED25519_SPKI_PREFIX.length + PUBLIC_KEY &&
    equalBytes(der.subarray(0, ED25519_SPKI_PREFIX.length), ED25519_SPKI_PREFIX);
  if (!right) throw new TwinwrapError("BAD_KEY", "this is not an Ed25519 public key");
  return copyBytes(der.subarray(ED25519_SPKI_PREFIX.length));
}

/** What everybody may know of an officer. */
export interface OfficerPublicKeys {
  /** Ed25519, 32 bytes: verifies approvals. */
  publicKey: Uint8Array;
  /** Receives shares. */
  shareKey: RsaPublicKey;
}

/** An officer's keys. */
export interface OfficerKeys {
  key: Ed25519Key;
  shareKey: RsaPrivateKey;
}

function twoBlocks(pem: Uint8Array): [PemBlock, PemBlock] {
  const [first, second, ...more] = blocksOf(pem);
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

/** officer.pem; the caller wipes what is not locked. @throws TwinwrapError BAD_KEY */
export async function writeOfficerKeys(
  { key, shareKey }: OfficerKeys,
  options: LockOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { passphrase, allowEmptyPassphrase } = LOCK(options, "options");
  if (passphrase === undefined) return writeBoth(key, shareKey, options);
  // Asked for once, and used twice.
  return withPassphrase(passphrase, allowEmptyPassphrase, (secret) =>
    writeBoth(key, shareKey, { ...options, passphrase: secret }),
  );
}

async function writeBoth(
  key: Ed25519Key,
  shareKey: RsaPrivateKey,
  options: LockOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const first = await key.write(options);
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
 * @throws TwinwrapError as Ed25519Key.read
 */
export function readOfficerKey(pem: Uint8Array, options: ReadKeyOptions = {}): Promise<Ed25519Key> {
  return readPrivateBlock(twoBlocks(pem)[0], options);
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
  return { publicKey: parseSpki(first), shareKey: readPublicKey(alone(second)) };
}
