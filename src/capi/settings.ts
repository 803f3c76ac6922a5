import { algorithmName, type PlaintextKeyBlob } from "../blob/index.js";
import { newBytes } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { algorithmOf } from "./algorithms.js";

// How a program may have encrypted a file with CryptoAPI. No blob says this, so people have to. Messages name these
// options in backticks, as they are spelt here.

export const MODES = ["cbc", "ecb", "cfb"] as const;
export type Mode = (typeof MODES)[number];

/** The options of a cipher. An option that is left out has CryptoAPI's default. */
export interface CipherOptions {
  /** cbc by default. */
  mode?: Mode | undefined;
  /** Zeros by default. "first": the IV stands right before the ciphertext. */
  iv?: Uint8Array | "first" | undefined;
  /**
   * The salt of an RC2 or RC4 key, 0 to 24 bytes (KP_SALT, KP_SALT_EX). By default 11 zero bytes behind a key of 40
   * bits. "hash": the bytes of a password's hash that are left over (CRYPT_CREATE_SALT). false: none
   * (CRYPT_NO_SALT).
   */
  salt?: Uint8Array | "hash" | false | undefined;
  /** Effective bits of an RC2 key, 1 to 1024 (KP_EFFECTIVE_KEYLEN). By default all bits of the key. */
  effectiveBits?: number | undefined;
  /** The last block has no padding: the program never said that it was the last. */
  unpadded?: boolean | undefined;
  /** The program said Final = TRUE for every buffer of so many bytes: each buffer is padded. */
  finalEvery?: number | undefined;
}

/** How the session key was used. */
export interface CipherSettings {
  mode: Mode;
  /** Stands behind the key (KP_SALT); may be empty. */
  salt: Uint8Array;
  /** The strength of an RC2 key (KP_EFFECTIVE_KEYLEN). */
  effectiveBits: number;
  /** Bytes of a block, 1 for a stream cipher. */
  block: number;
  /** undefined: it stands before the ciphertext. */
  iv: Uint8Array | undefined;
  /** Whether the last block is padded (PKCS#5). */
  padded: boolean;
  /** Bytes of each buffer, if they were encrypted one by one; undefined: it is one message. */
  finalEvery: number | undefined;
}

/** Longest salt that the providers take (KP_SALT_EX), in bytes, behind a key of any length. */
const MAX_SALT = 24;
/** Longest key and salt together that RC2 takes (RFC 2268, section 2). */
const MAX_SALTED = 128;
/** Bytes of key and salt together, where the salt is the rest of a password's hash. */
const SALTED_FROM_HASH = 16;
/** Bytes of a key that has a salt of zeros unless its program set CRYPT_NO_SALT. */
export const SALTED_KEY = 5;
const DEFAULT_SALT = 11;

function refuse(message: string): never {
  throw new TwinwrapError("BAD_ARGUMENT", message);
}

function ivOf({ mode, iv }: CipherOptions, block: number): Uint8Array | undefined {
  if (iv === undefined) return newBytes(block);
  if (mode === "ecb") refuse("`iv` does not go with `mode` ecb, which has none");
  if (iv === "first") return undefined;
  if (iv.length === block) return iv;
  return refuse(`\`iv\` has ${iv.length} bytes; the IV of this cipher has ${block}`);
}

function saltOf(
  { salt }: CipherOptions,
  keyLength: number,
  leftOver: Uint8Array | undefined,
): Uint8Array {
  if (salt === undefined) return newBytes(keyLength === SALTED_KEY ? DEFAULT_SALT : 0);
  if (salt === false) return newBytes(0);
  if (salt === "hash") {
    if (leftOver !== undefined) return leftOver.slice(0, SALTED_FROM_HASH - keyLength);
    return refuse("`salt` hash goes with a key that comes from a password");
  }
  const room = Math.min(MAX_SALT, MAX_SALTED - keyLength);
  if (salt.length <= room) return salt;
  return refuse(
    `\`salt\` has ${salt.length} bytes; behind a key of ${keyLength} bytes there is room for ${room}`,
  );
}

/**
 * How a session key was used: by the options, and by CryptoAPI's defaults for the rest.
 * @param leftOver the bytes of a password's hash that are left over
 * @throws TwinwrapError BAD_ARGUMENT if they do not go with its algorithm
 */
export function cipherSettings(
  { aiKeyAlg, key }: PlaintextKeyBlob,
  options: CipherOptions,
  leftOver?: Uint8Array,
): CipherSettings {
  const { mode, iv, salt, effectiveBits, unpadded = false, finalEvery } = options;
  const { blockLength, hasSalt, hasEffectiveBits } = algorithmOf(aiKeyAlg);
  const hasBlocks = blockLength > 1;
  const need = (name: string, isKnown: boolean, value: unknown) => {
    if (isKnown || value === undefined) return;
    refuse(`the key is of ${algorithmName(aiKeyAlg)}, which knows no \`${name}\``);
  };
  need("mode", hasBlocks, mode);
  need("iv", hasBlocks, iv);
  need("salt", hasSalt, salt);
  need("effectiveBits", hasEffectiveBits, effectiveBits);
  if (unpadded && finalEvery !== undefined && hasBlocks) {
    refuse("`unpadded` and `finalEvery` exclude each other: what is final is padded");
  }
  return {
    mode: mode ?? "cbc",
    salt: hasSalt ? saltOf(options, key.length, leftOver) : newBytes(0),
    effectiveBits: effectiveBits ?? 8 * key.length,
    block: blockLength,
    iv: hasBlocks ? ivOf(options, blockLength) : newBytes(0),
    padded: hasBlocks && !unpadded,
    finalEvery,
  };
}

/** Fewest bits of a key that cannot be found by trying all keys. */
const ENOUGH_BITS = 80;

/** Why nobody should rely on how a file was encrypted; undefined if there is no reason. */
export function weakness(
  { aiKeyAlg, key }: PlaintextKeyBlob,
  { mode, effectiveBits }: CipherSettings,
): string | undefined {
  const { name, blockLength, hasLengths, flaws } = algorithmOf(aiKeyAlg);
  const isEcb = mode === "ecb" && blockLength > 1;
  const bits = Math.min(effectiveBits, 8 * key.length);
  const reasons = [...flaws];
  // For an algorithm with one key length, that is among its flaws.
  if (hasLengths && bits < ENOUGH_BITS) {
    reasons.unshift(`a key of ${bits} bits can be found by trying them all`);
  }
  if (isEcb) reasons.push("ECB shows which blocks are equal");
  const what = `${name}${isEcb ? " in ECB mode" : ""}`;
  return reasons.length === 0 ? undefined : `${what} is weak: ${reasons.join("; ")}`;
}
