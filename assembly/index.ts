// The ABI: exports only.
export { WINDOW_SIZE, INPUT, OUTPUT, PARAMS_SIZE, PARAMS, wipeWindows } from "./memory";
export {
  HASH_CONTEXT_SIZE, hashBegin, hashUpdate, hashFinish, hmacKey, hmacNext, pbkdf2Start, pbkdf2Continue, hashWipe,
} from "./hash/calls";
export { KEY_SLOTS, KEY_SLOT_SIZE, KEYS, aesExpand, aesForget } from "./aes/key";
export { aesCtr } from "./aes/ctr";
export { aesCbcEncrypt, aesCbcDecrypt } from "./aes/cbc";
export {
  GCM_STATE, GCM_STATE_SIZE, gcmSeal, gcmOpen, gcmIv, gcmAad, gcmText, gcmFinish, gcmVerify,
} from "./gcm/gcm";
export { aesKwWrap, aesKwUnwrap, aesKwpWrap, aesKwpUnwrap } from "./kw/kw";
export {
  RSA_SLOTS, rsaLoadPublic, rsaLoadPrivate, rsaUnload, rsaEncrypt, rsaDecrypt, rsaMessageLength,
} from "./rsa/calls";
