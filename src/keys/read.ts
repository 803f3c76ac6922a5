import { type Bytes, needFlag, optionsOf } from "../arguments.js";
import {
  decodeCngRsaKey,
  decodePublicKeyBlob,
  decodePvk,
  decodeStrongName,
  type TextEncoding,
} from "../blob/index.js";
import { wipe, withoutLeadingZeros } from "../bytes.js";
import type { Core } from "../core/index.js";
import { coreOption, coreOr } from "../core/need.js";
import { TwinwrapError } from "../errors.js";
import { parseCertificate } from "./certificate.js";
import { parseJwk } from "./jwk.js";
import { checkPublicKey, completePrivateKey, publicKeyOf, wipePrivateKey } from "./numbers.js";
import {
  type CryptoKeyLike,
  cryptoKeyBytes,
  isCryptoKey,
  type KeyBytes,
  type KeyInput,
  keyBytes,
} from "./objects.js";
import { needPassphrase, type Passphrase, withPassphrase } from "./passphrase.js";
import { parseLock, unlock } from "./pbes2.js";
import { parsePkcs1Private, parsePkcs1Public, parsePkcs8, parseSpki } from "./pkcs.js";
import { openPvk, partsOf } from "./pvk.js";
import { type KeyFile, type KeyStructure, type ReadableKeyForm, recognise } from "./recognise.js";
import { openInAnySpelling } from "./spellings.js";
import {
  type PrivateParts,
  type RsaPrivateKey,
  type RsaPublicKey,
  SECRET_NUMBERS,
} from "./types.js";
import { parseXml } from "./xml.js";

/** How a private key is read. */
export interface ReadKeyOptions {
  /** Opens the key; a function is called only if the key turns out to be locked. */
  passphrase?: Passphrase | undefined;
  /** Says that an empty passphrase is meant: somebody has locked a key under it. */
  allowEmptyPassphrase?: boolean | undefined;
  core?: Core | undefined;
  /**
   * Takes an exponent of one too, with which programs kept session keys in the clear (Microsoft's KB 228786):
   * to look at such a key, or to open what was exported under it. Nothing is wrapped for it.
   */
  allowExponentOne?: boolean | undefined;
}
/** The options of every reader of a locked key. */
export const PASSPHRASE_OPTIONS = {
  passphrase: needPassphrase,
  allowEmptyPassphrase: needFlag,
  core: coreOption,
};
export const READ_OPTIONS = { ...PASSPHRASE_OPTIONS, allowExponentOne: needFlag };
const OPTIONS = optionsOf<ReadKeyOptions>(READ_OPTIONS);

/** How a public key is read. */
export type ReadPublicKeyOptions = Pick<ReadKeyOptions, "allowExponentOne">;
const PUBLIC_OPTIONS = optionsOf<ReadPublicKeyOptions>({ allowExponentOne: needFlag });

const FILE = "the key file";

/** What a key file is, as far as that shows without a passphrase. */
export interface KeyIdentity {
  form: ReadableKeyForm;
  kind: "public" | "private" | "locked";
  structure: KeyStructure;
  /** Set where a binary form was written as text. */
  text?: TextEncoding;
}

/**
 * Tells what a key file is.
 * @throws TwinwrapError as readPublicKey and readPrivateKey do for what they cannot read at all
 */
export function identifyKey(file: Bytes | string): KeyIdentity {
  return withKeyFile(keyBytes(file, FILE), (key) => {
    const { bytes: _, ...rest } = key;
    if (lockOf(key) !== undefined) return { ...rest, kind: "locked" };
    const parts = parseOpen(key);
    try {
      return { ...rest, kind: isPrivate(parts) ? "private" : "public" };
    } finally {
      wipePrivateKey(parts);
    }
  });
}

/**
 * Reads a public key in any form, also from an X.509 certificate, of which nothing else is looked at; or the public half
 * of a private key that is not locked: from a key file's bytes or text, a JWK, a KeyObject or a CryptoKey. What a
 * CryptoKey holds is told later, so of that it is a promise.
 * @throws TwinwrapError BAD_FORMAT; BAD_BLOB (a CryptoApiError) for a bad MS blob; BAD_KEY if it is
 *   no RSA key that can be used; PASSPHRASE_NEEDED if it is a locked private key; LIMIT_EXCEEDED;
 *   BAD_ARGUMENT
 */
export function readPublicKey(
  file: CryptoKeyLike,
  options?: ReadPublicKeyOptions,
): Promise<RsaPublicKey>;
export function readPublicKey(file: KeyInput, options?: ReadPublicKeyOptions): RsaPublicKey;
export function readPublicKey(
  file: KeyInput | CryptoKeyLike,
  options: ReadPublicKeyOptions = {},
): RsaPublicKey | Promise<RsaPublicKey> {
  const { allowExponentOne } = PUBLIC_OPTIONS(options, "options");
  if (isCryptoKey(file, FILE)) {
    return cryptoKeyBytes(file).then((bytes) =>
      withKeyFile(bytes, (key) => publicKeyIn(key, allowExponentOne)),
    );
  }
  return withKeyFile(keyBytes(file, FILE), (key) => publicKeyIn(key, allowExponentOne));
}

function publicKeyIn(key: KeyFile, allowExponentOne?: boolean): RsaPublicKey {
  if (lockOf(key) !== undefined) {
    throw new TwinwrapError(
      "PASSPHRASE_NEEDED",
      "this is a locked private key: its public half cannot be read from it; use the public key",
    );
  }
  const parts = parseOpen(key);
  try {
    checkPublicKey(parts, { allowWeak: true, allowExponentOne });
    // A private half is checked too: wraps for a broken key never open.
    if (isPrivate(parts)) wipePrivateKey(completePrivateKey(parts, { allowExponentOne }));
    return publicKeyOf({
      n: withoutLeadingZeros(parts.n),
      e: withoutLeadingZeros(parts.e),
    });
  } finally {
    wipePrivateKey(parts);
  }
}

/**
 * Reads a private key in any form, as {@link readPublicKey} does. Missing numbers (a PRIVATEKEYBLOB without d, a JWK
 * with only n, e and d) are computed, and all are checked against each other. The caller wipes the result
 * (wipePrivateKey).
 * @throws TwinwrapError BAD_FORMAT; BAD_BLOB (a CryptoApiError) for a bad MS blob; BAD_KEY if it is
 *   no RSA private key, its numbers don't belong together, or it is a CryptoKey that is not extractable;
 *   PASSPHRASE_NEEDED; WRONG_PASSPHRASE; LIMIT_EXCEEDED; BAD_ARGUMENT, also for a passphrase that is empty or a promise
 */
export async function readPrivateKey(
  file: KeyInput | CryptoKeyLike,
  options: ReadKeyOptions = {},
): Promise<RsaPrivateKey> {
  const checked = OPTIONS(options, "options");
  const { passphrase, allowEmptyPassphrase, core } = checked;
  const key = recogniseGiven(
    isCryptoKey(file, FILE) ? await cryptoKeyBytes(file) : keyBytes(file, FILE),
  );
  try {
    const open = lockOf(key, checked);
    if (open !== undefined) {
      return await withPassphrase(passphrase, allowEmptyPassphrase, async (secret) => {
        const prepared = await coreOr(core);
        return openInAnySpelling(secret, (spelling) => open(prepared, spelling));
      });
    }
    const parts = parseOpen(key);
    if (!isPrivate(parts)) {
      const what = key.structure === "Certificate" ? "a certificate" : "a public key";
      throw new TwinwrapError("BAD_KEY", `this is ${what}; the private key is needed`);
    }
    return complete(parts, checked);
  } finally {
    wipe(key.bytes);
  }
}

type Unlock = (core: Core, passphrase: string | Uint8Array) => RsaPrivateKey;

/**
 * How to open a locked key; undefined if it is not locked. Checks everything that can be read without
 * the passphrase: a damaged public key may look like a locked one from outside.
 */
function lockOf({ structure, bytes }: KeyFile, options?: ReadKeyOptions): Unlock | undefined {
  if (structure === "EncryptedPrivateKeyInfo") {
    const lock = parseLock(bytes);
    const read = (pkcs8: Uint8Array) => complete(parsePkcs8(pkcs8), options);
    return (core, passphrase) => unlock(core, lock, passphrase, read);
  }
  if (structure !== "PVK") return undefined;
  const file = decodePvk(bytes);
  if (file.salt.length > 0) {
    return (core, passphrase) => complete(openPvk(core, file, passphrase), options);
  }
  wipe(file.blob, file.trailing);
  return undefined;
}

/** Recognises a key file. What was made of it is wiped, but not what the caller gave. */
function recogniseGiven({ bytes, isMade, isName }: KeyBytes): KeyFile {
  try {
    return recognise(bytes);
  } catch (error) {
    if (!isName || !(error instanceof TwinwrapError) || error.code !== "BAD_FORMAT") throw error;
    const message = `${error.message}; text is taken for the key itself, not for a file's name`;
    throw new TwinwrapError("BAD_FORMAT", message);
  } finally {
    if (isMade) wipe(bytes);
  }
}

function withKeyFile<T>(given: KeyBytes, work: (key: KeyFile) => T): T {
  const key = recogniseGiven(given);
  try {
    return work(key);
  } finally {
    wipe(key.bytes);
  }
}

function isPrivate(parts: PrivateParts): boolean {
  return SECRET_NUMBERS.some((name) => parts[name] !== undefined);
}

/** The numbers of a key that is not locked: views of the file's bytes, or copies (MS blob, JWK). */
function parseOpen({ structure, bytes }: KeyFile): PrivateParts {
  switch (structure) {
    case "SubjectPublicKeyInfo":
      return parseSpki(bytes);
    case "RSAPublicKey":
      return parsePkcs1Public(bytes);
    case "Certificate":
      return parseCertificate(bytes);
    case "PrivateKeyInfo":
      return parsePkcs8(bytes);
    case "RSAPrivateKey":
      return parsePkcs1Private(bytes);
    case "JWK":
      return parseJwk(bytes);
    case "PUBLICKEYBLOB":
      return decodePublicKeyBlob(bytes);
    case "PRIVATEKEYBLOB":
      return partsOf(bytes);
    case "PublicKeyBlob":
      return decodeStrongName(bytes);
    case "BCRYPT_RSAPUBLIC_BLOB":
    case "BCRYPT_RSAPRIVATE_BLOB":
    case "BCRYPT_RSAFULLPRIVATE_BLOB":
      return decodeCngRsaKey(bytes);
    case "RSAKeyValue":
      return parseXml(bytes);
    case "PVK": {
      const { blob, trailing } = decodePvk(bytes);
      try {
        return partsOf(blob);
      } finally {
        wipe(blob, trailing);
      }
    }
    case "EncryptedPrivateKeyInfo":
      throw new TwinwrapError("PASSPHRASE_NEEDED", "the key is locked with a passphrase");
  }
}

/** Completes and checks the numbers, and wipes the parts. */
function complete(parts: PrivateParts, options: ReadKeyOptions = {}): RsaPrivateKey {
  try {
    return completePrivateKey(parts, { allowExponentOne: options.allowExponentOne });
  } finally {
    wipePrivateKey(parts);
  }
}
