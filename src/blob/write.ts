import { concatBytes, copyBytes, newBytes } from "../bytes.js";
import { CALG_RSA_KEYX, CUR_BLOB_VERSION, SIMPLEBLOB } from "./numbers.js";

// The bytes of blobs, of values that were checked.

/** A BLOBHEADER. */
export function header(bType: number, aiKeyAlg: number): Uint8Array {
  const bytes = newBytes(8);
  bytes[0] = bType;
  bytes[1] = CUR_BLOB_VERSION;
  bytes.set(littleEndian(aiKeyAlg, 4), 4);
  return bytes;
}

/** A SIMPLEBLOB. @param encryptedKey the RSA block, big-endian */
export function writeSimpleBlob(
  aiKeyAlg: number,
  encryptedKey: Uint8Array,
  trailing: Uint8Array = newBytes(0),
): Uint8Array<ArrayBuffer> {
  const algid = littleEndian(CALG_RSA_KEYX, 4);
  return concatBytes(header(SIMPLEBLOB, aiKeyAlg), algid, reversed(encryptedKey), trailing);
}

export function reversed(bytes: Uint8Array): Uint8Array {
  return copyBytes(bytes).reverse();
}

export function littleEndian(value: number, length: number): Uint8Array {
  const bytes = newBytes(length);
  for (let i = 0; i < length; i++) bytes[i] = value >>> (8 * i);
  return bytes;
}
