export {
  type BlobDescription,
  type Decoded,
  type DecodedBlob,
  decodeBlob,
  decodePlaintextKeyBlob,
  decodePrivateKeyBlob,
  decodePublicKeyBlob,
  decodeSimpleBlob,
  describeBlob,
  encodePlaintextKeyBlob,
  encodePrivateKeyBlob,
  encodePublicKeyBlob,
  encodeSimpleBlob,
  MAX_MODULUS_BITS,
  MAX_TRAILING,
  MIN_MODULUS_BITS,
  type PlaintextKeyBlob,
  type PrivateKeyBlob,
  type PublicKeyBlob,
  type SimpleBlob,
} from "./blobs.js";
export type { BlobField } from "./reader.js";
export * from "./wincrypt.js";
