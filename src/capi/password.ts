import { type PlaintextKeyBlob, sessionAlgorithmByName } from "../blob/index.js";
import { concatBytes, copyBytes, newBytes, toUtf8, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { algorithmOf } from "./algorithms.js";
import type { PasswordHash, Platform } from "./platform.js";

// Session keys that programs derive from a password: CryptCreateHash, CryptHashData, CryptDeriveKey. A guess costs
// one hash, so only a long password protects such a file. Such files can be read here, but not made.

/** How programs turn a password into the bytes that they hash. */
export const TEXT_ENCODINGS = ["utf-8", "utf-16le", "utf-16le-half", "windows-1252"] as const;
export type PasswordTextEncoding = (typeof TEXT_ENCODINGS)[number];

export interface DeriveOptions {
  /** sha1 by default. */
  hash?: PasswordHash | undefined;
  /** The name of the algorithm that the key is for: aes-256 by default. */
  algorithm?: string | undefined;
  /** Bits of an RC2 or RC4 key: 40 to 128, a multiple of 8; 128 by default. */
  keyBits?: number | undefined;
}

/** A derived key, and the bytes of the hash that are left over. The caller wipes both. */
export interface DerivedKey {
  session: PlaintextKeyBlob;
  leftOver: Uint8Array;
}

/** The algorithm and length of a derived key. @throws TwinwrapError BAD_ARGUMENT */
export function derivedAlgorithm({ algorithm: name = "aes-256", keyBits }: DeriveOptions) {
  const algorithm = algorithmOf(sessionAlgorithmByName(name).algId);
  if (keyBits === undefined) return { algorithm, length: algorithm.keyLength };
  if (!algorithm.hasLengths) {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      `a ${algorithm.name} key has one length: \`keyBits\` is for RC2 and RC4`,
    );
  }
  if (keyBits % 8 !== 0) throw new TwinwrapError("BAD_ARGUMENT", "`keyBits` is a multiple of 8");
  return { algorithm, length: keyBits / 8 };
}

/**
 * Derives a session key.
 *
 * CryptDeriveKey takes it from the hash of the password. If that hash is too short, it takes two hashes of it, with
 * the pads of HMAC. It does the same for 3DES and AES, unless the hash is of the SHA-2 family (Microsoft's documentation
 * of CryptDeriveKey).
 * @param password as the program hashed it (see {@link encodePassword}); the caller wipes it
 * @throws TwinwrapError BAD_ARGUMENT, UNSUPPORTED
 */
export function deriveKey(
  platform: Platform,
  password: Uint8Array,
  options: DeriveOptions,
): DerivedKey {
  const { hash = "sha1" } = options;
  const { algorithm, length } = derivedAlgorithm(options);
  const base = platform.digest(hash, password);
  const isShortHash = hash === "md5" || hash === "sha1";
  const isExpanded = base.length < length || (isShortHash && algorithm.expandsHash);
  const material = isExpanded ? expand(platform, hash, base) : base;
  try {
    const key = copyBytes(material.subarray(0, length));
    const session = { aiKeyAlg: algorithm.algId, key };
    return { session, leftOver: copyBytes(material.subarray(length)) };
  } finally {
    wipe(base, material);
  }
}

/** Two hashes of a hash, with the pads of HMAC. */
function expand(platform: Platform, hash: PasswordHash, base: Uint8Array): Uint8Array {
  const side = (value: number) => {
    const pad = newBytes(64).fill(value);
    for (const [i, byte] of base.entries()) pad[i]! ^= byte;
    const half = platform.digest(hash, pad);
    wipe(pad);
    return half;
  };
  const [inner, outer] = [side(0x36), side(0x5c)];
  try {
    return concatBytes(inner, outer);
  } finally {
    wipe(inner, outer);
  }
}

/**
 * A password as programs hash it. The caller wipes it.
 * @param encoding utf-16le-half: as many bytes of UTF-16 as there are characters, a mistake of some programs
 * @throws TwinwrapError BAD_ARGUMENT if the encoding lacks one of its characters
 */
export function encodePassword(text: string, encoding: PasswordTextEncoding): Uint8Array {
  if (encoding === "utf-8") return toUtf8(text);
  if (encoding === "windows-1252") return windows1252(text);
  const wide = newBytes(2 * text.length);
  const view = new DataView(wide.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), true);
  if (encoding === "utf-16le") return wide;
  const half = copyBytes(wide.subarray(0, text.length));
  wipe(wide);
  return half;
}

/** 0x80 to 0x9F in Windows-1252. Node's own decoder has taken them for Latin-1. */
const HIGH_1252 = "€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ";

function windows1252(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const high = HIGH_1252.indexOf(character);
    if (high >= 0) return 0x80 + high;
    const code = character.codePointAt(0)!;
    if (code < 0x80 || (code >= 0xa0 && code <= 0xff)) return code;
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      "the password has a character that windows-1252 has not",
    );
  });
}
