import { concatBytes, copyBytes, newBytes, toUtf8, wipe } from "../bytes.js";
import type { GcmKey } from "../core/gcm-key.js";
import type { SealingCore } from "../core/sealing.js";
import { decryptionFailed, overLimit, TwinwrapError } from "../errors.js";

// The body of a sealed file: c2sp.org/chunked-encryption, instance Cobblestone-256
// (HKDF-Expand-SHA-512 and AES-256-GCM). Every chunk but the last holds 16 KiB, the last one less.

/** Bytes of plaintext in every chunk but the last. */
export const CHUNK = 16384;
/** Bytes of the tag behind every chunk. */
export const TAG = 16;
/** Bytes of a whole sealed chunk. */
export const SEALED_CHUNK = CHUNK + TAG;
/** Bytes of the salt at the body's start. */
export const SALT = 24;
/** Bytes of the commitment behind the salt. */
export const COMMITMENT = 32;
/** Bytes in front of the first chunk. */
export const BODY_HEADER = SALT + COMMITMENT;
/** Bytes of the input key. */
export const KEY = 32;
/** The specification's limit: 2^38 chunks, 4 PiB. */
const MAX_CHUNKS = 2 ** 38;

const INFO = concatBytes(
  toUtf8("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM"),
  Uint8Array.of(0),
);

/** Bytes of a body that holds `plaintext` bytes. */
export function bodyLength(plaintext: number): number {
  return BODY_HEADER + plaintext + (Math.floor(plaintext / CHUNK) + 1) * TAG;
}

/**
 * Bytes of plaintext in a body of `body` bytes.
 * @throws TwinwrapError BAD_FORMAT if no message has a body of this length: it was cut
 */
export function plaintextLength(body: number): number {
  const chunks = body - BODY_HEADER;
  const last = chunks % SEALED_CHUNK;
  if (chunks < TAG || last < TAG) {
    throw new TwinwrapError("BAD_FORMAT", "the file is truncated: its body ends inside a chunk");
  }
  const whole = Math.floor(chunks / SEALED_CHUNK);
  if (whole >= MAX_CHUNKS) throw overLimit("the file's body is longer than 2^38 chunks");
  return whole * CHUNK + last - TAG;
}

/** What a message's chunks are sealed with, derived from key, salt and context. */
export interface ChunkKeys {
  /** The AES-256 key, 32 bytes. */
  key: Uint8Array<ArrayBuffer>;
  /** 12 bytes; every chunk's nonce is made from it. */
  baseNonce: Uint8Array<ArrayBuffer>;
}

/**
 * Writes the nonce of chunk `index` into the 12 bytes of `nonce`.
 * @throws TwinwrapError LIMIT_EXCEEDED
 */
export function setChunkNonce(nonce: Uint8Array, baseNonce: Uint8Array, index: number): void {
  if (index >= MAX_CHUNKS) {
    throw new TwinwrapError("LIMIT_EXCEEDED", "a sealed file holds at most 4 PiB");
  }
  // The number as a 96-bit big-endian integer; only its last 5 bytes can differ from 0.
  nonce.set(baseNonce);
  const high = Math.floor(index / 2 ** 32);
  nonce[7]! ^= high;
  nonce[8]! ^= index >>> 24;
  nonce[9]! ^= index >>> 16;
  nonce[10]! ^= index >>> 8;
  nonce[11]! ^= index;
}

/** Seals and opens the chunks of one message. */
export interface ChunkCipher {
  /** Seals chunk `index` into `into`, which is 16 bytes longer, and may overlap it. */
  sealChunk(index: number, chunk: Uint8Array, into: Uint8Array<ArrayBuffer>): void;
  /**
   * Opens chunk `index` into `into`, which is 16 bytes shorter, and may overlap it.
   * @throws TwinwrapError DECRYPTION_FAILED; `into` is left as it was
   */
  openChunk(index: number, sealed: Uint8Array, into: Uint8Array<ArrayBuffer>): void;
  /** Wipes the keys. */
  dispose(): void;
}

/** Seals and opens a message's chunks, in any order, with the core. */
export class CoreCipher implements ChunkCipher {
  readonly #aead: GcmKey;
  readonly #baseNonce: Uint8Array;
  readonly #nonce = newBytes(12);

  /**
   * @param aead the message's AES key; disposed of with this
   * @param baseNonce 12 bytes; wiped with this
   */
  constructor(aead: GcmKey, baseNonce: Uint8Array) {
    this.#aead = aead;
    this.#baseNonce = baseNonce;
  }

  #nonceOf(index: number): Uint8Array {
    setChunkNonce(this.#nonce, this.#baseNonce, index);
    return this.#nonce;
  }

  // A chunk passes through the core's windows whole, so `into` may overlap its input.

  sealChunk(index: number, chunk: Uint8Array, into: Uint8Array<ArrayBuffer>): void {
    this.#aead.encrypt(this.#nonceOf(index), chunk, undefined, into);
  }

  openChunk(index: number, sealed: Uint8Array, into: Uint8Array<ArrayBuffer>): void {
    if (sealed.length < TAG) throw decryptionFailed();
    this.#aead.decrypt(this.#nonceOf(index), sealed, undefined, into);
  }

  dispose(): void {
    this.#aead.dispose();
    wipe(this.#baseNonce, this.#nonce);
  }
}

/** One message: its commitment, its keys and what works with them. */
export class Cobblestone {
  /** The core that its keys were derived in. */
  readonly core: SealingCore;
  /** 32 bytes that bind key, salt and context; stand in front of the chunks. */
  readonly commitment: Uint8Array<ArrayBuffer>;
  /** Seals and opens its chunks here. */
  readonly cipher: CoreCipher;
  readonly #keys: ChunkKeys;
  #disposed = false;

  /**
   * @param key the input key, 32 bytes; the caller keeps and wipes it
   * @param salt 24 bytes, never twice for one key
   * @param context what the message is bound to; any length
   * @throws TwinwrapError BAD_ARGUMENT if key or salt has another length
   */
  constructor(core: SealingCore, key: Uint8Array, salt: Uint8Array, context: Uint8Array) {
    if (key.length !== KEY || salt.length !== SALT) {
      throw new TwinwrapError(
        "BAD_ARGUMENT",
        "Cobblestone-256 takes a key of 32 bytes and a salt of 24",
      );
    }
    const derived = core.hkdfExpand(
      "SHA-512",
      key,
      concatBytes(INFO, salt, context),
      32 + 12 + COMMITMENT,
    );
    this.core = core;
    this.#keys = { key: derived.slice(0, 32), baseNonce: derived.slice(32, 44) };
    this.commitment = derived.slice(44);
    this.cipher = new CoreCipher(core.aesGcm(this.#keys.key), derived.slice(32, 44));
    wipe(derived);
  }

  /** The commitment's check: the only test of a key, made before a chunk is read. */
  commitsTo(commitment: Uint8Array): boolean {
    return this.core.equal(this.commitment, commitment);
  }

  /**
   * Copies of the keys, for work that is done elsewhere; the caller wipes them.
   * @throws TwinwrapError DISPOSED
   */
  copyKeys(): ChunkKeys {
    if (this.#disposed) throw new TwinwrapError("DISPOSED", "the key was disposed of");
    const { key, baseNonce } = this.#keys;
    return { key: copyBytes(key), baseNonce: copyBytes(baseNonce) };
  }

  /** Wipes the keys. */
  dispose(): void {
    this.#disposed = true;
    this.cipher.dispose();
    wipe(this.#keys.key, this.#keys.baseNonce);
  }
}
