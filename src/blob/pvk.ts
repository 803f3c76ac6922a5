import { type Bytes, needBytes, needStableBytes, objectOf, optional, whole } from "../arguments.js";
import { concatBytes, copyBytes, newBytes } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import {
  type Decoded,
  isRsa,
  readHeader,
  readPrivateKeyBlob,
  readTrailing,
  readType,
} from "./blobs.js";
import { BlobReader } from "./reader.js";
import { PRIVATEKEYBLOB } from "./wincrypt.js";

// PVK files: a PRIVATEKEYBLOB behind a header (PVK_FILE_HDR, as Microsoft's tools call it). Microsoft
// never documented them; this is what Dr S. Henson found out and OpenSSL does
// (https://web.archive.org/web/20170810033553/http://www.drh-consultancy.demon.co.uk/pvk.html).

/** PVK_FILE_HDR.dwMagic. */
export const PVK_MAGIC = 0xb0b5f11e;

/** PVK_FILE_HDR.dwKeySpec. */
export const AT_KEYEXCHANGE = 1;
export const AT_SIGNATURE = 2;

/** PVK_FILE_HDR.dwEncryptType. */
const PVK_NO_ENCRYPT = 0;
const PVK_RC4_PASSWORD_ENCRYPT = 1;
const PVK_RC2_CBC_PASSWORD_ENCRYPT = 2;

/** Bytes of a BLOBHEADER, which stays in the clear. */
export const BLOBHEADER_LENGTH = 8;

/** Bytes behind the BLOBHEADER of the smallest private key, 384 bits without d. */
const LEAST = 12 + 48 + 5 * 24;

/** An RSA private key in a PVK file. */
export interface PvkFile {
  /** AT_KEYEXCHANGE or AT_SIGNATURE: what the key is for. */
  keySpec: number;
  /** Goes into the key of the lock together with the passphrase; empty if the file is not locked. */
  salt: Uint8Array;
  /** The PRIVATEKEYBLOB; in a locked file RC4 covers all of it but the BLOBHEADER. */
  blob: Uint8Array;
  trailing?: Uint8Array;
}

/** Whether a file begins as a PVK file does. */
export function isPvk(bytes: Bytes): boolean {
  const start = needBytes(bytes, "the file");
  return [0x1e, 0xf1, 0xb5, 0xb0].every((byte, i) => start[i] === byte);
}

/**
 * Reads a PVK file; what is in the clear is checked as in any PRIVATEKEYBLOB. The caller wipes
 * `blob` and `trailing`.
 * @throws CryptoApiError NTE_BAD_DATA, NTE_BAD_TYPE, NTE_BAD_VER, NTE_BAD_ALGID; offsets are the
 *   file's; TwinwrapError BAD_ARGUMENT
 */
export function decodePvk(file: Bytes): Decoded<PvkFile> {
  const bytes = needStableBytes(file, "the file");
  const reader = new BlobReader(bytes);
  try {
    const { keySpec, salt, at, length } = readPvk(reader);
    return {
      keySpec,
      salt,
      blob: copyBytes(bytes.subarray(at, at + length)),
      trailing: copyBytes(bytes.subarray(at + length)),
    };
  } finally {
    reader.wipeSecrets();
  }
}

/** Reads all fields; gives where the blob stands. */
export function readPvk(reader: BlobReader) {
  const { keySpec, isLocked, saltLength, length } = readFileHeader(reader);
  const salt = reader.bytes("(salt)", saltLength, "goes before the passphrase into SHA-1");
  const at = reader.offset;
  const { left } = reader;
  if (length > left) {
    reader.refuse(
      "NTE_BAD_DATA",
      20,
      `cbPvk is ${length}, but ${left} bytes follow: cut, or wrong`,
    );
  }
  reader.inside(Math.min(length, left), () => {
    if (isLocked) readLockedBlob(reader);
    else {
      readType(reader, PRIVATEKEYBLOB);
      readPrivateKeyBlob(reader);
    }
  });
  readTrailing(reader, true);
  return { keySpec, salt, at, length };
}

function readFileHeader(reader: BlobReader) {
  const magic = reader.integer("dwMagic", 4, (value) =>
    value === PVK_MAGIC ? "a PVK file" : "no PVK file",
  );
  if (magic !== PVK_MAGIC) reader.stop("NTE_BAD_DATA", 0, "dwMagic is not that of a PVK file");
  const version = reader.integer("dwVersion", 4, String);
  if (version !== 0) reader.refuse("NTE_BAD_VER", 4, `dwVersion is ${version}, not 0`);
  const keySpec = reader.integer("dwKeySpec", 4, keySpecName);
  if (keySpec !== AT_KEYEXCHANGE && keySpec !== AT_SIGNATURE) {
    const wanted = "1 (AT_KEYEXCHANGE) or 2 (AT_SIGNATURE)";
    reader.refuse("NTE_BAD_DATA", 8, `dwKeySpec is ${keySpec}, not ${wanted}`);
  }
  const encryptType = reader.integer("dwEncryptType", 4, encryptTypeName);
  const isLocked = encryptType === PVK_RC4_PASSWORD_ENCRYPT;
  if (!isLocked && encryptType !== PVK_NO_ENCRYPT) {
    const what = `dwEncryptType is ${encryptType} (${encryptTypeName(encryptType)})`;
    reader.stop("NTE_BAD_DATA", 12, `${what}: only 0 and 1 (RC4) are read here`);
  }
  const saltLength = reader.integer("cbEncryptData", 4, (bytes) => `salt of ${bytes} bytes`);
  if (saltLength === 0 && isLocked) {
    reader.refuse("NTE_BAD_DATA", 16, "cbEncryptData is 0: a locked file has a salt");
  }
  if (saltLength > 0 && !isLocked) {
    const what = `cbEncryptData is ${saltLength}`;
    reader.refuse("NTE_BAD_DATA", 16, `${what}: a file that is not locked has no salt`);
  }
  const length = reader.integer("cbPvk", 4, (bytes) => `key of ${bytes} bytes`);
  return { keySpec, isLocked, saltLength, length };
}

function readLockedBlob(reader: BlobReader): void {
  readType(reader, PRIVATEKEYBLOB);
  readHeader(reader, isRsa, "CALG_RSA_KEYX or CALG_RSA_SIGN");
  const { left } = reader;
  if (left < LEAST) {
    reader.refuse("NTE_BAD_DATA", reader.offset, `${left} encrypted bytes are too few for a key`);
  }
  reader.bytes("(encrypted)", left, "the rest of the key, under RC4", true);
}

function keySpecName(keySpec: number): string {
  if (keySpec === AT_KEYEXCHANGE) return "AT_KEYEXCHANGE, for encryption";
  return keySpec === AT_SIGNATURE ? "AT_SIGNATURE, for signatures" : String(keySpec);
}

function encryptTypeName(encryptType: number): string {
  if (encryptType === PVK_NO_ENCRYPT) return "not locked";
  if (encryptType === PVK_RC4_PASSWORD_ENCRYPT) return "locked, RC4";
  return encryptType === PVK_RC2_CBC_PASSWORD_ENCRYPT ? "locked, RC2 in CBC" : "unknown";
}

const needFile = objectOf<PvkFile>({
  keySpec: whole(0),
  salt: needStableBytes,
  blob: needStableBytes,
  trailing: optional(needStableBytes) as typeof needStableBytes,
});

/** @throws TwinwrapError BAD_ARGUMENT, also for another keySpec than there are */
export function encodePvk(file: PvkFile): Uint8Array<ArrayBuffer> {
  const { keySpec, salt, blob, trailing } = needFile(file, "the file");
  if (keySpec !== AT_KEYEXCHANGE && keySpec !== AT_SIGNATURE) {
    throw new TwinwrapError("BAD_ARGUMENT", "keySpec is neither AT_KEYEXCHANGE nor AT_SIGNATURE");
  }
  const header = newBytes(24);
  const isLocked = salt.length > 0;
  const encryptType = isLocked ? PVK_RC4_PASSWORD_ENCRYPT : PVK_NO_ENCRYPT;
  const view = new DataView(header.buffer);
  const fields = [PVK_MAGIC, 0, keySpec, encryptType, salt.length, blob.length];
  for (const [i, field] of fields.entries()) view.setUint32(4 * i, field, true);
  return concatBytes(header, salt, blob, trailing ?? newBytes(0));
}
