// The RSA calls of the ABI. INPUT holds the key's numbers, the message or the ciphertext, PARAMS the
// hash of the label and, from 64 on, random bytes; the answer goes to OUTPUT.
import { equalMask, select } from "../ct";
import { isHash, wipeSchedules } from "../hash/hash";
import { INPUT, OUTPUT, PARAMS, WINDOW_SIZE } from "../memory";
import { BAD_ARGUMENT, BAD_KEY, FAULT, NOT_AUTHENTIC, OK } from "../status";
import {
  isPrivate, isPublic, isSlot, Key, keyAt, readPrivate, readPublic, wipeKey,
} from "./key";
import { limbs } from "./montgomery";
import { CAPACITY, lessThan, readNumber, writeNumber } from "./number";
import { isRight, privateOperation, publicOperation } from "./operation";
import {
  decodeOaep, decodePkcs1, encodeOaep, encodePkcs1, NO_MESSAGE, oaepRoom, pkcs1Room,
} from "./padding";
import {
  beginRejection, endRejection, MESSAGE_LABEL, OAEP_LABEL, rejectionLength, rejectionStream,
} from "./rejection";
import { EM, INPUT_NUMBER, RESULT, SYNTHETIC, wipeScratch } from "./scratch";

export { RSA_SLOTS } from "./key";

/** Where the random bytes stand in PARAMS. */
const RANDOM: usize = PARAMS + 64;

// Paddings
const PKCS1: i32 = 0;
const OAEP: i32 = 1;

// Ways to decrypt
const DECRYPT: i32 = 0;
const CHECKED: i32 = 1;
const UNWRAP: i32 = 2;
/** Together with one of these: the platform did the private operation. */
const GIVEN: i32 = 4;

let messageLength: u32 = 0;

/** Bytes of the last decrypted message; it is the end of the first k bytes of OUTPUT. */
export function rsaMessageLength(): u32 {
  return messageLength;
}

function finished(status: i32): i32 {
  endRejection();
  wipeScratch();
  wipeSchedules();
  return status;
}

/** Writes bytes `from` to `to` of EM where `good` is all ones, of SYNTHETIC where it is 0. */
function mix(out: usize, good: u32, from: u32, to: u32): void {
  for (let i = from; i < to; i++, out++) {
    store<u8>(out, select(good, load<u8>(EM + i), load<u8>(SYNTHETIC + i)));
  }
}

/** Puts a public key into a slot: n in INPUT. BAD_KEY if it cannot be one. */
export function rsaLoadPublic(slot: i32, length: usize, e: u32): i32 {
  if (!isSlot(slot) || length > WINDOW_SIZE) return BAD_ARGUMENT;
  const key = keyAt(slot);
  if (readPublic(key, length, e)) return finished(OK);
  wipeKey(key);
  return finished(BAD_KEY);
}

/** Puts a private key into a slot: n, d, p, q, dp, dq, qi in INPUT, one after the other. */
export function rsaLoadPrivate(
  slot: i32, e: u32, n: usize, d: usize, p: usize, q: usize, dp: usize, dq: usize, qi: usize,
): i32 {
  if (!isSlot(slot) || <u64>n + d + p + q + dp + dq + qi > WINDOW_SIZE) return BAD_ARGUMENT;
  const key = keyAt(slot);
  if (readPrivate(key, e, n, d, p, q, dp, dq, qi)) return finished(OK);
  wipeKey(key);
  return finished(BAD_KEY);
}

/** Wipes a slot. */
export function rsaUnload(slot: i32): i32 {
  if (!isSlot(slot)) return BAD_ARGUMENT;
  wipeKey(keyAt(slot));
  return OK;
}

/**
 * Encrypts `length` bytes of INPUT. Random bytes: OAEP's seed, or for v1.5 k - 3 - length bytes that are
 * not 0. The ciphertext, k bytes, goes to OUTPUT.
 */
export function rsaEncrypt(slot: i32, padding: i32, hash: i32, mgf: i32, length: i32): i32 {
  if (!isSlot(slot) || !isHash(hash) || !isHash(mgf)) return BAD_ARGUMENT;
  const key = keyAt(slot);
  if (!isPublic(key)) return BAD_ARGUMENT;
  const k = key.k;
  if (length < 0 || length > (padding == OAEP ? oaepRoom(k, hash) : pkcs1Room(k))) return BAD_ARGUMENT;
  if (padding == OAEP) encodeOaep(k, hash, mgf, PARAMS, RANDOM, INPUT, length);
  else encodePkcs1(k, RANDOM, INPUT, length);
  readNumber(INPUT_NUMBER, EM, k);
  publicOperation(key);
  writeNumber(OUTPUT, k, RESULT);
  return finished(OK);
}

/** RESULT = the k bytes behind the ciphertext, which are believed only if the public key leads back to that. */
function takeResult(key: Key): bool {
  readNumber(RESULT, INPUT + key.k, key.k);
  return lessThan(RESULT, limbs(key.n), CAPACITY) != 0 && isRight(key);
}

/**
 * Decrypts the k bytes of INPUT; k + 16 random bytes blind the operation. With GIVEN its result stands in INPUT, too.
 * DECRYPT: a wrong v1.5 padding gives a synthetic message, a wrong OAEP NOT_AUTHENTIC. CHECKED: both give
 * NOT_AUTHENTIC. For these two see `rsaMessageLength`. UNWRAP: `length` bytes at the start of OUTPUT, the
 * message if it has this length and its padding is right, else pseudo-random ones; always OK.
 */
export function rsaDecrypt(slot: i32, how: i32, padding: i32, hash: i32, mgf: i32, length: i32): i32 {
  if (!isSlot(slot) || !isHash(hash) || !isHash(mgf)) return BAD_ARGUMENT;
  const key = keyAt(slot);
  if (!isPrivate(key)) return BAD_ARGUMENT;
  const way = how & ~GIVEN;
  const k = key.k;
  const room = padding == OAEP ? oaepRoom(k, hash) : pkcs1Room(k);
  if (room < 0 || (way == UNWRAP && (length < 0 || length > room))) return BAD_ARGUMENT;
  readNumber(INPUT_NUMBER, INPUT, k);
  if (lessThan(INPUT_NUMBER, limbs(key.n), CAPACITY) == 0) return finished(NOT_AUTHENTIC);
  if (!(how & GIVEN ? takeResult(key) : privateOperation(key, RANDOM))) return finished(FAULT);
  writeNumber(EM, k, RESULT);

  const message = padding == OAEP ? decodeOaep(k, hash, mgf, PARAMS) : decodePkcs1(k);
  let good = ~equalMask(message, NO_MESSAGE);
  if (way == UNWRAP) {
    good &= equalMask(message, length);
    beginRejection(key.dHash, INPUT, k);
    if (padding == OAEP) rejectionStream(OAEP_LABEL, SYNTHETIC + k - length, length);
    else rejectionStream(MESSAGE_LABEL, SYNTHETIC, k);
    mix(OUTPUT, good, k - length, k);
    return finished(OK);
  }
  // Without implicit rejection a wrong padding gives zeros, which the status makes public anyway.
  let other: u32 = 0;
  let status = select(good, OK, NOT_AUTHENTIC);
  if (way == DECRYPT && padding == PKCS1) {
    beginRejection(key.dHash, INPUT, k);
    rejectionStream(MESSAGE_LABEL, SYNTHETIC, k);
    other = rejectionLength(k);
    status = OK;
  }
  mix(OUTPUT, good, 0, k);
  messageLength = select(good, message, other);
  return finished(status);
}
