export {
  type Decoded,
  type DecodedBlob,
  decodeBlob,
  decodePlaintextKeyBlob,
  decodePrivateKeyBlob,
  decodePublicKeyBlob,
  decodeSimpleBlob,
  keyInPlainBlock,
  MAX_MODULUS_BITS,
  MAX_TRAILING,
  MIN_MODULUS_BITS,
  type PlaintextKeyBlob,
  type PrivateKeyBlob,
  type PublicKeyBlob,
  type SimpleBlob,
} from "./blobs.js";
export { type CngBlobType, type CngRsaKey, cngBlobType, decodeCngRsaKey } from "./cng.js";
export { type BlobDescription, describeBlob, problemField } from "./describe.js";
export {
  encodePlaintextKeyBlob,
  encodePrivateKeyBlob,
  encodePublicKeyBlob,
  encodeSimpleBlob,
} from "./encode.js";
export {
  AT_KEYEXCHANGE,
  AT_SIGNATURE,
  BLOBHEADER_LENGTH,
  decodePvk,
  encodePvk,
  isPvk,
  PVK_MAGIC,
  type PvkFile,
} from "./pvk.js";
export type { BlobField } from "./reader.js";
export { decodeStrongName, isStrongName } from "./strong-name.js";
export { type DecodedText, decodeBlobText, type TextEncoding } from "./text.js";
export * from "./wincrypt.js";
