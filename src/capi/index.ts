export { type Algorithm, algorithmOf, type Traits } from "./algorithms.js";
export {
  exportSimpleBlob,
  generateSessionKey,
  importKeyBlob,
  importSimpleBlob,
  type Padding,
  setOddParity,
} from "./key-blobs.js";
export { LAYOUTS, type Layout, type LayoutOptions } from "./layout.js";
export { type KeySource, type OldFile, type OldFileOptions, openOldFile } from "./open.js";
export {
  type DerivedKey,
  type DeriveOptions,
  derivedAlgorithm,
  deriveKey,
  encodePassword,
  type PasswordTextEncoding,
  TEXT_ENCODINGS,
} from "./password.js";
export { PASSWORD_HASHES, type PasswordHash, type Platform } from "./platform.js";
export {
  type CipherOptions,
  type CipherSettings,
  cipherSettings,
  MODES,
  type Mode,
  weakness,
} from "./settings.js";
