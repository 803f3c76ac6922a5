import { createCipheriv } from "node:crypto";

// What a CryptoAPI program encrypts, done without one: AES and the DES family by node:crypto, RC2 and
// RC4, which OpenSSL no longer has by default, from their descriptions (ciphers.test.ts proves them).

export interface CipherOptions {
  mode?: "cbc" | "ecb";
  /** 8 bytes, 16 for AES; zeros by default, as in CryptoAPI. */
  iv?: Uint8Array;
  /** RC2's effective key length (KP_EFFECTIVE_KEYLEN); by default all bits of the key. */
  effectiveBits?: number;
  /** Bytes appended to an RC2 or RC4 key (KP_SALT); none by default. */
  salt?: Uint8Array;
}

/** Encrypts a message as CryptEncrypt does under a session key of the algorithm "CALG_…". */
export function encryptAs(
  algorithm: string,
  key: Uint8Array,
  plain: Uint8Array,
  {
    mode = "cbc",
    iv,
    effectiveBits = 8 * key.length,
    salt = new Uint8Array(0),
  }: CipherOptions = {},
): Buffer {
  const salted = Buffer.concat([key, salt]);
  if (algorithm === "CALG_RC4") return rc4(salted, plain);
  if (algorithm === "CALG_RC2") {
    return rc2(salted, effectiveBits, plain, mode === "cbc" ? (iv ?? Buffer.alloc(8)) : undefined);
  }
  const aes = algorithm.startsWith("CALG_AES_");
  const name = aes ? `aes-${8 * key.length}-${mode}` : `des-ede3${mode === "cbc" ? "-cbc" : ""}`;
  // DES is triple DES with one key three times; of two keys the first comes again.
  const whole = aes ? key : Buffer.concat([key, key, key]).subarray(0, 24);
  const start = mode === "cbc" ? (iv ?? Buffer.alloc(aes ? 16 : 8)) : null;
  const cipher = createCipheriv(name, whole, start);
  return Buffer.concat([cipher.update(plain), cipher.final()]);
}

/** RC4, as RFC 6229 has vectors of. */
export function rc4(key: Uint8Array, data: Uint8Array): Buffer {
  const state = Uint8Array.from({ length: 256 }, (_, i) => i);
  const swap = (i: number, j: number) => {
    [state[i], state[j]] = [state[j]!, state[i]!];
  };
  for (let i = 0, j = 0; i < 256; i++) {
    j = (j + state[i]! + key[i % key.length]!) & 255;
    swap(i, j);
  }
  let [i, j] = [0, 0];
  return Buffer.from(
    data.map((byte) => {
      i = (i + 1) & 255;
      j = (j + state[i]!) & 255;
      swap(i, j);
      return byte ^ state[(state[i]! + state[j]!) & 255]!;
    }),
  );
}

/** PITABLE of RFC 2268, section 2. */
const PITABLE = Buffer.from(
  `d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2179a59f587b34f1361456d8d09817d32
   bd8f40eb86b77b0bf09521225c6b4e8254d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626
   6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed708e8eade8052eef784aa72ac354d6a2a
   961ad2715a1549744b9fd05e0418a4ecc2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731
   2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a90d38341bab33ffb0bb480c5fb9b1cd2e
   c5f3db47e5a59c770aa62068fe7fc1ad`.replace(/\s/g, ""),
  "hex",
);

/** RC2's key expansion (RFC 2268, section 2): 64 words of 16 bits. */
function expandRc2(key: Uint8Array, effectiveBits: number): number[] {
  const bytes = new Uint8Array(128);
  bytes.set(key);
  for (let i = key.length; i < 128; i++) {
    bytes[i] = PITABLE[(bytes[i - 1]! + bytes[i - key.length]!) & 255]!;
  }
  const t8 = Math.ceil(effectiveBits / 8);
  bytes[128 - t8] = PITABLE[bytes[128 - t8]! & (255 >> (8 * t8 - effectiveBits))]!;
  for (let i = 127 - t8; i >= 0; i--) bytes[i] = PITABLE[bytes[i + 1]! ^ bytes[i + t8]!]!;
  return Array.from({ length: 64 }, (_, i) => bytes[2 * i]! | (bytes[2 * i + 1]! << 8));
}

/** One block (RFC 2268, section 3): 16 rounds of mixing, mashing after the 5th and 11th. */
function rc2Block(words: number[], block: Uint8Array): Buffer {
  const r = [0, 2, 4, 6].map((at) => block[at]! | (block[at + 1]! << 8));
  const rotations = [1, 2, 3, 5];
  for (let round = 0; round < 16; round++) {
    for (let i = 0; i < 4; i++) {
      const [a, b, c] = [r[(i + 3) % 4]!, r[(i + 2) % 4]!, r[(i + 1) % 4]!];
      const sum = (r[i]! + words[4 * round + i]! + (a & b) + (~a & c)) & 0xffff;
      r[i] = ((sum << rotations[i]!) | (sum >> (16 - rotations[i]!))) & 0xffff;
    }
    if (round === 4 || round === 10) {
      for (let i = 0; i < 4; i++) r[i] = (r[i]! + words[r[(i + 3) % 4]! & 63]!) & 0xffff;
    }
  }
  return Buffer.from(r.flatMap((word) => [word & 255, word >> 8]));
}

/** RC2 with PKCS#5 padding: CBC, or ECB if there is no IV. */
export function rc2(
  key: Uint8Array,
  effectiveBits: number,
  plain: Uint8Array,
  iv?: Uint8Array,
): Buffer {
  const words = expandRc2(key, effectiveBits);
  const padding = 8 - (plain.length % 8);
  const padded = Buffer.concat([plain, Buffer.alloc(padding, padding)]);
  const blocks: Buffer[] = [];
  for (let at = 0; at < padded.length; at += 8) {
    const block = padded.subarray(at, at + 8);
    const chain = iv === undefined ? undefined : (blocks.at(-1) ?? iv);
    blocks.push(rc2Block(words, chain ? block.map((byte, i) => byte ^ chain[i]!) : block));
  }
  return Buffer.concat(blocks);
}
