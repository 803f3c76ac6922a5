// The hash calls of the ABI. All of them work in PARAMS: a context at 0 (which JavaScript keeps aside
// between the calls of an incremental hash), then HMAC's prepared key, then PBKDF2's block.
// What is hashed comes through INPUT, digests leave through OUTPUT.
import { INPUT, OUTPUT, PARAMS, wipe, WINDOW_SIZE } from "../memory";
import { BAD_ARGUMENT, OK } from "../status";
import { begin, blockSize, CONTEXT_SIZE, finish, isHash, MAX_BLOCK, update, wipeSchedules } from "./hash";
import { HMAC_KEY_SIZE, hmacBegin, hmacFinish, hmacPrepare, PBKDF2_SIZE, pbkdf2Begin, pbkdf2Iterate } from "./hmac";

const CONTEXT: usize = PARAMS;
const PREPARED: usize = PARAMS + CONTEXT_SIZE;
const WORK: usize = PREPARED + HMAC_KEY_SIZE;

/** Bytes of PARAMS that an incremental hash needs kept. */
export const HASH_CONTEXT_SIZE: usize = CONTEXT_SIZE;

/** Starts a hash. */
export function hashBegin(hash: i32): i32 {
  if (!isHash(hash)) return BAD_ARGUMENT;
  begin(hash, CONTEXT);
  return OK;
}

/** Takes `length` bytes of INPUT: into a hash, or into an HMAC. */
export function hashUpdate(hash: i32, length: usize): i32 {
  if (!isHash(hash) || length > WINDOW_SIZE) return BAD_ARGUMENT;
  update(hash, CONTEXT, INPUT, length);
  return OK;
}

/** Writes the digest to OUTPUT and wipes the context. */
export function hashFinish(hash: i32): i32 {
  if (!isHash(hash)) return BAD_ARGUMENT;
  finish(hash, CONTEXT, OUTPUT);
  return OK;
}

/** Prepares the key in INPUT (at most a block) and starts a message under it. */
export function hmacKey(hash: i32, length: usize): i32 {
  if (!isHash(hash) || length > blockSize(hash)) return BAD_ARGUMENT;
  hmacPrepare(hash, PREPARED, INPUT, length, CONTEXT);
  wipe(INPUT, MAX_BLOCK);
  hmacBegin(hash, CONTEXT, PREPARED);
  return OK;
}

/** Writes the code of the message to OUTPUT and starts another message under the same key. */
export function hmacNext(hash: i32): i32 {
  if (!isHash(hash)) return BAD_ARGUMENT;
  hmacFinish(hash, CONTEXT, PREPARED, OUTPUT);
  hmacBegin(hash, CONTEXT, PREPARED);
  return OK;
}

/** Turns the code in OUTPUT, U1, into PBKDF2's T, to which `pbkdf2Continue` adds. */
export function pbkdf2Start(hash: i32): i32 {
  if (!isHash(hash)) return BAD_ARGUMENT;
  pbkdf2Begin(hash, WORK, OUTPUT);
  return OK;
}

/** Adds the next `iterations` U to T in OUTPUT. */
export function pbkdf2Continue(hash: i32, iterations: u32): i32 {
  if (!isHash(hash)) return BAD_ARGUMENT;
  pbkdf2Iterate(hash, PREPARED, WORK, OUTPUT, iterations);
  return OK;
}

/** Wipes whatever of a key, a message or a derivation the hash calls may have left. */
export function hashWipe(): void {
  wipe(CONTEXT, CONTEXT_SIZE + HMAC_KEY_SIZE + PBKDF2_SIZE);
  wipeSchedules();
}
