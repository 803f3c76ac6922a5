// The ABI of the core that has AES alone: exports only.
export { WINDOW_SIZE, INPUT, OUTPUT, PARAMS_SIZE, PARAMS, wipeWindows } from "./memory";
export { KEY_SLOTS, KEY_SLOT_SIZE, KEYS, aesExpand, aesForget } from "./aes/key";
export { aesCtr } from "./aes/ctr";
export {
  GCM_STATE, GCM_STATE_SIZE, gcmSeal, gcmOpen, gcmIv, gcmAad, gcmText, gcmFinish, gcmVerify,
} from "./gcm/gcm";
export { aesKwWrap, aesKwUnwrap, aesKwpWrap, aesKwpUnwrap } from "./kw/kw";
