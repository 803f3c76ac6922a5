import {
  AT_KEYEXCHANGE,
  BLOBHEADER_LENGTH,
  decodePrivateKeyBlob,
  encodePvk,
  type PvkFile,
} from "../blob/index.js";
import { concatBytes, copyBytes, randomBytes, toUtf8, wipe } from "../bytes.js";
import type { Core } from "../core/index.js";
import { wrongPassphrase } from "./pbes2.js";
import { rc4 } from "./rc4.js";
import type { PrivateParts } from "./types.js";

// The lock of PVK files: RC4 under SHA-1(salt ‖ passphrase), cut to 16 bytes, or for export from the
// USA of old to 5 bytes and 11 zeros. A guess costs one hash, so this is no protection;
// nothing is authenticated either.

const SALT = 16;
const KEY = 16;
/** Bytes of the passphrase's hash that count in a "weak" lock, 40 bits. */
const WEAK_KEY = 5;

/** "RSA2": the encrypted part begins with it. */
const MAGIC = Uint8Array.of(0x52, 0x53, 0x41, 0x32);

/**
 * The numbers in a locked PVK file; which of the two locks it has shows when it opens.
 * @throws TwinwrapError WRONG_PASSPHRASE; BAD_BLOB (a CryptoApiError) if what was locked is damaged
 */
export function openPvk(core: Core, file: PvkFile, passphrase: string | Uint8Array): PrivateParts {
  const key = lockKeyOf(core, file.salt, passphrase);
  let blob: Uint8Array | undefined;
  try {
    blob = withLock(key, file.blob);
    if (!isOpen(blob)) {
      wipe(blob);
      key.fill(0, WEAK_KEY);
      blob = withLock(key, file.blob);
      if (!isOpen(blob)) throw wrongPassphrase();
    }
    return partsOf(blob);
  } finally {
    wipe(key, blob);
  }
}

/** The numbers in a PRIVATEKEYBLOB. */
export function partsOf(privateKeyBlob: Uint8Array): PrivateParts {
  const { d, ...parts } = decodePrivateKeyBlob(privateKeyBlob);
  return d === undefined ? parts : { ...parts, d };
}

/** A PRIVATEKEYBLOB in a PVK file that is not locked. */
export function plainPvk(blob: Uint8Array): Uint8Array<ArrayBuffer> {
  return encodePvk({ keySpec: AT_KEYEXCHANGE, salt: new Uint8Array(0), blob });
}

/** A PRIVATEKEYBLOB in a PVK file with the stronger of the two locks and a fresh salt. */
export function lockedPvk(
  core: Core,
  blob: Uint8Array,
  passphrase: string | Uint8Array,
): Uint8Array<ArrayBuffer> {
  const salt = randomBytes(SALT);
  const key = lockKeyOf(core, salt, passphrase);
  try {
    return encodePvk({ keySpec: AT_KEYEXCHANGE, salt, blob: withLock(key, blob) });
  } finally {
    wipe(key);
  }
}

function lockKeyOf(core: Core, salt: Uint8Array, passphrase: string | Uint8Array): Uint8Array {
  const own = typeof passphrase === "string" ? toUtf8(passphrase) : copyBytes(passphrase);
  const hashed = concatBytes(salt, own);
  const digest = core.sha1(hashed);
  try {
    return copyBytes(digest.subarray(0, KEY));
  } finally {
    wipe(own, hashed, digest);
  }
}

/** Locks or opens: all but the BLOBHEADER. */
function withLock(key: Uint8Array, blob: Uint8Array): Uint8Array {
  const body = rc4(key, blob.subarray(BLOBHEADER_LENGTH));
  try {
    return concatBytes(blob.subarray(0, BLOBHEADER_LENGTH), body);
  } finally {
    wipe(body);
  }
}

function isOpen(blob: Uint8Array): boolean {
  return MAGIC.every((byte, i) => blob[BLOBHEADER_LENGTH + i] === byte);
}
