// Encryption paddings: RSAES-OAEP and RSAES-PKCS1-v1_5 (RFC 8017, sections 7.1 and 7.2). Decoding takes
// the same steps whatever stands in the block: every condition goes into one mask.
import { equalBytes, equalMask, lessMask, select, zeroMask } from "../ct";
import { begin, CONTEXT_SIZE, digestSize, finish, MAX_DIGEST, update } from "../hash/hash";
import { wipe } from "../memory";
import { EM } from "./scratch";

/** What decoding answers for a block without a message in it. */
export const NO_MESSAGE: u32 = 0xffffffff;

const CONTEXT: usize = memory.data(<i32>CONTEXT_SIZE, 16);
const MASK_BLOCK: usize = memory.data(<i32>MAX_DIGEST, 16);
const COUNTER: usize = memory.data(4, 4);

/** Adds MGF1(seed) to `length` bytes at `target` (RFC 8017, appendix B.2.1). */
function addMask(hash: i32, target: usize, length: usize, seed: usize, seedLength: usize): void {
  const size = digestSize(hash);
  for (let at: usize = 0, counter: u32 = 0; at < length; at += size, counter++) {
    store<u32>(COUNTER, bswap(counter));
    begin(hash, CONTEXT);
    update(hash, CONTEXT, seed, seedLength);
    update(hash, CONTEXT, COUNTER, 4);
    finish(hash, CONTEXT, MASK_BLOCK);
    const count = min(size, length - at);
    for (let i: usize = 0; i < count; i++) {
      store<u8>(target + at + i, load<u8>(target + at + i) ^ load<u8>(MASK_BLOCK + i));
    }
  }
  wipe(MASK_BLOCK, MAX_DIGEST);
  wipe(COUNTER, 4);
}

/** Bytes that OAEP leaves for the message in k, less than none included. */
export function oaepRoom(k: u32, hash: i32): i32 {
  return <i32>k - 2 * <i32>digestSize(hash) - 2;
}

/** EM = 00 ‖ seed ‖ (lHash ‖ 00… ‖ 01 ‖ message), masked. The caller has checked that there is room. */
export function encodeOaep(
  k: u32, hash: i32, mgf: i32, labelHash: usize, seed: usize, message: usize, length: usize,
): void {
  const size = digestSize(hash);
  const block = EM + 1 + size;
  const blockLength = <usize>k - 1 - size;
  memory.fill(EM, 0, k);
  memory.copy(EM + 1, seed, size);
  memory.copy(block, labelHash, size);
  memory.copy(EM + k - length, message, length);
  store<u8>(EM + k - length - 1, 1);
  addMask(mgf, block, blockLength, EM + 1, size);
  addMask(mgf, EM + 1, size, block, blockLength);
}

/** Unmasks EM. The length of the message, which is the end of EM, or NO_MESSAGE. */
export function decodeOaep(k: u32, hash: i32, mgf: i32, labelHash: usize): u32 {
  const size = <u32>digestSize(hash);
  const block = EM + 1 + size;
  const blockLength = k - 1 - size;
  addMask(mgf, EM + 1, size, block, blockLength);
  addMask(mgf, block, blockLength, EM + 1, size);
  let good = zeroMask(load<u8>(EM)) & equalBytes(block, labelHash, size);
  // The first byte that is not 0 must be 1.
  let searching: u32 = ~0;
  let start: u32 = 0;
  for (let i = size; i < blockLength; i++) {
    const byte = <u32>load<u8>(block + i);
    const found = searching & ~zeroMask(byte);
    good &= ~found | equalMask(byte, 1);
    start = select(found, i + 1, start);
    searching &= ~found;
  }
  good &= ~searching;
  return select(good, blockLength - start, NO_MESSAGE);
}

/** Bytes that v1.5 leaves for the message in k. */
export function pkcs1Room(k: u32): i32 {
  return <i32>k - 11;
}

/** EM = 00 ‖ 02 ‖ filler ‖ 00 ‖ message; `filler` holds enough random bytes, none of them 0. */
export function encodePkcs1(k: u32, filler: usize, message: usize, length: usize): void {
  store<u8>(EM, 0);
  store<u8>(EM, 2, 1);
  memory.copy(EM + 2, filler, <usize>k - 3 - length);
  store<u8>(EM + k - length - 1, 0);
  memory.copy(EM + k - length, message, length);
}

/** The length of the message, which is the end of EM, or NO_MESSAGE. */
export function decodePkcs1(k: u32): u32 {
  let good = zeroMask(load<u8>(EM)) & equalMask(load<u8>(EM, 1), 2);
  let searching: u32 = ~0;
  let start: u32 = 0;
  for (let i: u32 = 2; i < k; i++) {
    const found = searching & zeroMask(load<u8>(EM + i));
    start = select(found, i + 1, start);
    searching &= ~found;
  }
  // At least eight bytes of filler: the separator is at 10 or later. Without one, start is 0.
  good &= ~lessMask(start, 11);
  return select(good, k - start, NO_MESSAGE);
}
