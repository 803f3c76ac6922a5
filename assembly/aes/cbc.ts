// Cipher block chaining (NIST SP 800-38A, section 6.2) of whole blocks; padding is the caller's.

import { BAD_ARGUMENT, OK } from "../status";
import { INPUT, OUTPUT, PARAMS, WINDOW_SIZE } from "../memory";
import { xor } from "../simd";
import { clearState, decryptBlocks, encryptBlock, GROUPS, STATE } from "./cipher";
import { isMissing, keyIn } from "./key";
import { GROUP } from "./slices";

/** `length` bytes of INPUT to OUTPUT; the IV in PARAMS becomes that of the next call. */
export function aesCbcEncrypt(slot: i32, length: u32): i32 {
  const key = keyIn(slot);
  if (isMissing(key) || length > <u32>WINDOW_SIZE || (length & 15) != 0) return BAD_ARGUMENT;
  let chain = v128.load(PARAMS);
  for (let at: usize = 0; at < length; at += 16) {
    chain = encryptBlock(key, xor(chain, v128.load(INPUT + at)));
    v128.store(OUTPUT + at, chain);
  }
  v128.store(PARAMS, chain);
  return OK;
}

/** `length` bytes of INPUT to OUTPUT; the IV in PARAMS becomes that of the next call. */
export function aesCbcDecrypt(slot: i32, length: u32): i32 {
  const key = keyIn(slot);
  if (isMissing(key) || length > <u32>WINDOW_SIZE || (length & 15) != 0) return BAD_ARGUMENT;
  let chain = v128.load(PARAMS);
  for (let at: usize = 0; at < length; at += <usize>GROUP * GROUPS) {
    const bytes = min(<usize>GROUPS * GROUP, <usize>length - at);
    memory.copy(STATE, INPUT + at, bytes);
    decryptBlocks(key, <i32>((bytes + GROUP - 1) / GROUP));
    for (let i: usize = 0; i < bytes; i += 16) {
      v128.store(OUTPUT + at + i, xor(chain, v128.load(STATE + i)));
      chain = v128.load(INPUT + at + i);
    }
  }
  v128.store(PARAMS, chain);
  clearState(GROUPS);
  return OK;
}
