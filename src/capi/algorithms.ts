import {
  CALG_3DES,
  CALG_3DES_112,
  CALG_AES_128,
  CALG_AES_192,
  CALG_AES_256,
  CALG_DES,
  CALG_RC2,
  CALG_RC4,
  type SessionAlgorithm,
  sessionAlgorithm,
} from "../blob/index.js";

// All that is known about an ALG_ID, except its name and the lengths of its keys: the codec of blobs knows these.

/** What has to be known about an algorithm to use its keys. */
export interface Traits {
  readonly cipher: "aes" | "des" | "rc2" | "rc4";
  /** Bytes of a block. 1: a stream cipher, which has neither mode nor IV nor padding. */
  readonly blockLength: number;
  /** Whether every byte of a key has a parity bit. */
  readonly hasParity: boolean;
  /** Whether a salt may stand behind a key (KP_SALT). */
  readonly hasSalt: boolean;
  /** Whether the strength of a key can be cut down (KP_EFFECTIVE_KEYLEN). */
  readonly hasEffectiveBits: boolean;
  /** Whether CryptDeriveKey expands MD5 and SHA-1 for it, even where the hash is long enough. */
  readonly expandsHash: boolean;
  /** Why it is outdated; empty if it is not. */
  readonly flaws: readonly string[];
}

export interface Algorithm extends SessionAlgorithm, Traits {
  /** Whether keys of several lengths are made. */
  readonly hasLengths: boolean;
}

const SMALL_BLOCKS =
  "its blocks of 64 bits repeat within some GiB and then tell about the plaintext";

const AES: Traits = {
  cipher: "aes",
  blockLength: 16,
  hasParity: false,
  hasSalt: false,
  hasEffectiveBits: false,
  expandsHash: true,
  flaws: [],
};
const DES: Traits = {
  cipher: "des",
  blockLength: 8,
  hasParity: true,
  hasSalt: false,
  hasEffectiveBits: false,
  expandsHash: false,
  flaws: ["its keys of 56 bits can be found by trying them all"],
};

const TRAITS: ReadonlyMap<number, Traits> = new Map([
  [CALG_AES_128, AES],
  [CALG_AES_192, AES],
  [CALG_AES_256, AES],
  [CALG_DES, DES],
  [CALG_3DES, { ...DES, expandsHash: true, flaws: [SMALL_BLOCKS] }],
  [
    CALG_3DES_112,
    {
      ...DES,
      expandsHash: false, // Microsoft's documents do not say it. Wine does it like this.
      flaws: ["two keys give it 80 to 112 bits of strength", SMALL_BLOCKS],
    },
  ],
  [
    CALG_RC2,
    {
      cipher: "rc2",
      blockLength: 8,
      hasParity: false,
      hasSalt: true,
      hasEffectiveBits: true,
      expandsHash: false,
      flaws: [SMALL_BLOCKS],
    },
  ],
  [
    CALG_RC4,
    {
      cipher: "rc4",
      blockLength: 1,
      hasParity: false,
      hasSalt: true,
      hasEffectiveBits: false,
      expandsHash: false,
      flaws: ["its keystream is not random enough (RFC 7465)"],
    },
  ],
]);

/** @param aiKeyAlg the ALG_ID of a session key, from a blob that was read or from the list of names */
export function algorithmOf(aiKeyAlg: number): Algorithm {
  const session = sessionAlgorithm(aiKeyAlg)!;
  const hasLengths = session.minKeyLength < session.maxKeyLength;
  return { ...session, ...TRAITS.get(aiKeyAlg)!, hasLengths };
}
