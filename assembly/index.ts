// The ABI: exports only.
export * from "./aes";
export { aesCbcEncrypt, aesCbcDecrypt } from "./aes/cbc";
export { aesCfb8Decrypt } from "./aes/cfb8";
export { compareInput } from "./compare";
export {
  HASH_CONTEXT_SIZE, hashBegin, hashUpdate, hashFinish, hmacKey, hmacNext, pbkdf2Start, pbkdf2Continue, hashWipe,
} from "./hash/calls";
export {
  RSA_SLOTS, rsaLoadPublic, rsaLoadPrivate, rsaUnload, rsaEncrypt, rsaDecrypt, rsaMessageLength,
} from "./rsa/calls";
