// Implicit rejection: what a block with a wrong padding decrypts to, a message that depends on the
// private key and the ciphertext and cannot be told from a real one without the key
// (draft-irtf-cfrg-rsa-guidance, section 7; OpenSSL since 3.2). Computed for every block, good or bad.
import { lessMask, select } from "../ct";
import { CONTEXT_SIZE, SHA256, update } from "../hash/hash";
import { HMAC_KEY_SIZE, hmacBegin, hmacFinish, hmacPrepare } from "../hash/hmac";
import { wipe } from "../memory";

/** Bytes of a SHA-256 digest. */
const DIGEST_SIZE: usize = 32;
/** Bytes of the 128 candidates for a length. */
const LENGTHS_SIZE: usize = 2 * 128;

const CONTEXT: usize = memory.data(<i32>CONTEXT_SIZE, 16);
/** The prepared key derivation key: HMAC-SHA-256(SHA-256(d), ciphertext). */
const KDK: usize = memory.data(<i32>HMAC_KEY_SIZE, 16);
const DIGEST: usize = memory.data(<i32>DIGEST_SIZE, 16);
const NUMBERS: usize = memory.data(2, 2);
const LENGTHS: usize = memory.data(<i32>LENGTHS_SIZE, 16);

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
  hmacPrepare(SHA256, KDK, dHash, DIGEST_SIZE, CONTEXT);
  hmacBegin(SHA256, CONTEXT, KDK);
  update(SHA256, CONTEXT, ciphertext, k);
  hmacFinish(SHA256, CONTEXT, KDK, DIGEST);
  hmacPrepare(SHA256, KDK, DIGEST, DIGEST_SIZE, CONTEXT);
}

/** The draft's IRPRF: blocks HMAC(KDK, number ‖ label ‖ length in bits), numbers of two bytes. */
export function rejectionStream(label: i32, out: usize, length: u32): void {
  const text = label == LENGTH_LABEL ? LENGTH_TEXT : label == MESSAGE_LABEL ? MESSAGE_TEXT : OAEP_TEXT;
  const textLength: usize = label == LENGTH_LABEL ? 6 : label == MESSAGE_LABEL ? 7 : 4;
  for (let at: u32 = 0, number: u32 = 0; at < length; at += <u32>DIGEST_SIZE, number++) {
    hmacBegin(SHA256, CONTEXT, KDK);
    updateU16(number);
    update(SHA256, CONTEXT, text, textLength);
    updateU16(length * 8);
    hmacFinish(SHA256, CONTEXT, KDK, DIGEST);
    memory.copy(out + at, DIGEST, min(<u32>DIGEST_SIZE, length - at));
  }
}

/** The length of the synthetic message, 0 to k - 11: the last of 128 candidates that is in range. */
export function rejectionLength(k: u32): u32 {
  const limit = k - 10;
  const mask = (1 << (32 - clz(limit))) - 1;
  rejectionStream(LENGTH_LABEL, LENGTHS, <u32>LENGTHS_SIZE);
  let length: u32 = 0;
  for (let i: usize = 0; i < LENGTHS_SIZE; i += 2) {
    const candidate = <u32>bswap(load<u16>(LENGTHS + i)) & mask;
    length = select(lessMask(candidate, limit), candidate, length);
  }
  return length;
}

export function endRejection(): void {
  wipe(KDK, HMAC_KEY_SIZE);
  wipe(DIGEST, DIGEST_SIZE);
  wipe(LENGTHS, LENGTHS_SIZE);
  wipe(NUMBERS, 2);
}
