import { type Bytes, needStableBytes } from "../arguments.js";
import {
  type Decoded,
  type PublicKeyBlob,
  readPublicKeyBlob,
  readTrailing,
  readType,
} from "./blobs.js";
import { BlobReader } from "./reader.js";
import { algorithmName, PUBLICKEYBLOB } from "./wincrypt.js";

// The public half of a strong name key (PublicKeyBlob of strongname.h), as .NET's `sn -p` writes it and
// assemblies show it in hexadecimal: 12 bytes, then a PUBLICKEYBLOB. A whole .snk is a PRIVATEKEYBLOB.

const HEADER = 12;
/** GET_ALG_CLASS of wincrypt.h. */
const CLASS_MASK = 0xe000;
const ALG_CLASS_SIGNATURE = 0x2000;
const ALG_CLASS_HASH = 0x8000;

/** Whether a file begins as the public half of a strong name key does. @throws TwinwrapError BAD_ARGUMENT */
export function isStrongName(file: Bytes): boolean {
  const bytes = needStableBytes(file, "the file");
  if (bytes.length < HEADER + 2 || bytes[HEADER] !== PUBLICKEYBLOB) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER);
  const [signature, hash] = [view.getUint32(0, true), view.getUint32(4, true)];
  return isClass(signature, ALG_CLASS_SIGNATURE) && isClass(hash, ALG_CLASS_HASH);
}

/**
 * Reads the public half of a strong name key.
 * @throws CryptoApiError NTE_BAD_DATA, NTE_BAD_TYPE, NTE_BAD_VER, NTE_BAD_ALGID; offsets are the file's;
 *   TwinwrapError BAD_ARGUMENT
 */
export function decodeStrongName(file: Bytes): Decoded<PublicKeyBlob> {
  return readStrongName(new BlobReader(needStableBytes(file, "the file")));
}

export function readStrongName(reader: BlobReader): Decoded<PublicKeyBlob> {
  readAlgorithm(reader, "SigAlgID", ALG_CLASS_SIGNATURE);
  readAlgorithm(reader, "HashAlgID", ALG_CLASS_HASH);
  const length = reader.integer("cbPublicKey", 4, (bytes) => `key of ${bytes} bytes`);
  const { left } = reader;
  if (length > left) {
    const what = `cbPublicKey is ${length}, but ${left} bytes follow: cut, or wrong`;
    reader.refuse("NTE_BAD_DATA", 8, what);
  }
  const key = reader.inside(Math.min(length, left), () => {
    readType(reader, PUBLICKEYBLOB);
    return readPublicKeyBlob(reader);
  });
  return { ...key, trailing: readTrailing(reader) };
}

function isClass(algId: number, algClass: number): boolean {
  return algId <= 0xffff && (algId & CLASS_MASK) === algClass;
}

function readAlgorithm(reader: BlobReader, name: string, algClass: number): void {
  const at = reader.offset;
  const algId = reader.integer(name, 4, algorithmName);
  if (isClass(algId, algClass)) return;
  const what = algClass === ALG_CLASS_HASH ? "a hash" : "an algorithm for signatures";
  reader.refuse("NTE_BAD_ALGID", at, `${name} ${algorithmName(algId)} is not ${what}`);
}
