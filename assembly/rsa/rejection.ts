// Implicit rejection: what a block with a wrong padding decrypts to, a message that depends on the
// private key and the ciphertext and cannot be told from a real one without the key
// (draft-irtf-cfrg-rsa-guidance, section 7; OpenSSL since 3.2). Computed for every block, good or bad.
import { isLess, select } from "../ct";
import { SHA256, update } from "../hash/hash";
import { hmacBegin, hmacFinish, hmacPrepare } from "../hash/hmac";
import { wipe } from "../memory";

const CONTEXT: usize = memory.data(208, 16);
/** The prepared key derivation key: HMAC-SHA-256(SHA-256(d), ciphertext). */
const KDK: usize = memory.data(128, 16);
const DIGEST: usize = memory.data(32, 16);
const NUMBERS: usize = memory.data(2, 2);
const LENGTHS: usize = memory.data(256, 16);

/** What the streams are for. "length" and "message" are the draft's; "oaep" is for keys in OAEP. */
export const LENGTH_LABEL: i32 = 0;
export const MESSAGE_LABEL: i32 = 1;
export const OAEP_LABEL: i32 = 2;
const LENGTH_TEXT: usize = memory.data<u8>([0x6c, 0x65, 0x6e, 0x67, 0x74, 0x68]);
const MESSAGE_TEXT: usize = memory.data<u8>([0x6d, 0x65, 0x73, 0x73, 0x61, 0x67, 0x65]);
const OAEP_TEXT: usize = memory.data<u8>([0x6f, 0x61, 0x65, 0x70]);

function updateU16(value: u32): void {
  store<u16>(NUMBERS, bswap(<u16>value));
  update(SHA256, CONTEXT, NUMBERS, 2);
}

/** Derives the key for one ciphertext of k bytes. */
export function beginRejection(dHash: usize, ciphertext: usize, k: u32): void {
  hmacPrepare(SHA256, KDK, dHash, 32, CONTEXT);
  hmacBegin(SHA256, CONTEXT, KDK);
  update(SHA256, CONTEXT, ciphertext, k);
  hmacFinish(SHA256, CONTEXT, KDK, DIGEST);
  hmacPrepare(SHA256, KDK, DIGEST, 32, CONTEXT);
}

/** The draft's IRPRF: blocks HMAC(KDK, number ‖ label ‖ length in bits), numbers of two bytes. */
export function rejectionStream(label: i32, out: usize, length: u32): void {
  const text = label == LENGTH_LABEL ? LENGTH_TEXT : label == MESSAGE_LABEL ? MESSAGE_TEXT : OAEP_TEXT;
  const textLength: usize = label == LENGTH_LABEL ? 6 : label == MESSAGE_LABEL ? 7 : 4;
  for (let at: u32 = 0, number: u32 = 0; at < length; at += 32, number++) {
    hmacBegin(SHA256, CONTEXT, KDK);
    updateU16(number);
    update(SHA256, CONTEXT, text, textLength);
    updateU16(length * 8);
    hmacFinish(SHA256, CONTEXT, KDK, DIGEST);
    memory.copy(out + at, DIGEST, min(32, length - at));
  }
}

/** The length of the synthetic message, 0 to k - 11: the last of 128 candidates that is in range. */
export function rejectionLength(k: u32): u32 {
  const limit = k - 10;
  const mask = (1 << (32 - clz(limit))) - 1;
  rejectionStream(LENGTH_LABEL, LENGTHS, 256);
  let length: u32 = 0;
  for (let i: usize = 0; i < 256; i += 2) {
    const candidate = <u32>bswap(load<u16>(LENGTHS + i)) & mask;
    length = select(isLess(candidate, limit), candidate, length);
  }
  return length;
}

export function endRejection(): void {
  wipe(KDK, 128);
  wipe(DIGEST, 32);
  wipe(LENGTHS, 256);
  wipe(NUMBERS, 2);
}
