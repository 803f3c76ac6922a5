export type { AnyPrivateKey, AnyPublicKey } from "./any.js";
export { fingerprint } from "./fingerprint.js";
export { DEFAULT_BITS, generateKeyPair } from "./generate.js";
export {
  bitLength,
  type CheckOptions,
  checkPublicKey,
  publicKeyOf,
  validatePrivateKey,
  wipePrivateKey,
} from "./numbers.js";
export type { CryptoKeyLike, JwkObject, KeyInput, KeyObjectLike } from "./objects.js";
export type { Passphrase } from "./passphrase.js";
export {
  identifyKey,
  type KeyIdentity,
  type ReadKeyOptions,
  type ReadPublicKeyOptions,
  readPrivateKey,
  readPublicKey,
} from "./read.js";
export { KEY_FORMS, type KeyForm, type KeyStructure, type ReadableKeyForm } from "./recognise.js";
export type { RsaPrivateKey, RsaPublicKey } from "./types.js";
export { type WriteKeyOptions, writePrivateKey, writePublicKey } from "./write.js";
