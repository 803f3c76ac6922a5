// Cipher feedback with segments of 8 bits (NIST SP 800-38A, section 6.3), what CryptoAPI calls CFB.
// Decryption only, for old files. It takes one block for every byte, so nobody should make new ones.

import { BAD_ARGUMENT, OK } from "../status";
import { INPUT, OUTPUT, PARAMS, WINDOW_SIZE } from "../memory";
import { encryptBlock } from "./cipher";
import { isMissing, keyIn } from "./key";

/** `length` bytes of INPUT to OUTPUT; the IV in PARAMS becomes that of the next call. */
export function aesCfb8Decrypt(slot: i32, length: u32): i32 {
  const key = keyIn(slot);
  if (isMissing(key) || length > <u32>WINDOW_SIZE) return BAD_ARGUMENT;
  // The last 16 bytes of ciphertext.
  let register = v128.load(PARAMS);
  for (let at: usize = 0; at < length; at++) {
    const byte = load<u8>(INPUT + at);
    store<u8>(OUTPUT + at, byte ^ i8x16.extract_lane_u(encryptBlock(key, register), 0));
    register = i8x16.shuffle(register, register, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0);
    register = i8x16.replace_lane(register, 15, byte);
  }
  v128.store(PARAMS, register);
  return OK;
}
