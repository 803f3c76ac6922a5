import { fromHex, newBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";

/** The random bytes of RFC 2268, section 2: digits of pi. */
const PI = fromHex(
  [
    "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2",
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82",
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626",
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7",
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec",
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731",
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9",
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad",
  ].join(""),
);

/** The rotation of each of the four words, in bits. */
const SHIFTS = [1, 2, 3, 5] as const;

/** Mixing rounds, in groups. Between groups the block is mashed. */
const ROUNDS = [5, 6, 5] as const;

/**
 * The block cipher RC2 (RFC 2268), with blocks of 8 bytes, for old CryptoAPI files. OpenSSL 3, and so Node, has
 * switched it off. node-forge (1.4.3) expands keys wrongly if their effective bits are no multiple of 8. This code is
 * not constant-time: its table look-ups depend on the key.
 */
export class Rc2 {
  readonly #key = new Uint16Array(64);
  readonly #words = new Uint16Array(4);

  /**
   * @param key 1 to 128 bytes
   * @param effectiveBits the strength of the key, 1 to 1024
   * @throws TwinwrapError BAD_ARGUMENT
   */
  constructor(key: Uint8Array, effectiveBits: number) {
    if (key.length < 1 || key.length > 128) {
      throw new TwinwrapError("BAD_ARGUMENT", "an RC2 key has 1 to 128 bytes");
    }
    if (!Number.isInteger(effectiveBits) || effectiveBits < 1 || effectiveBits > 1024) {
      throw new TwinwrapError("BAD_ARGUMENT", "RC2 has 1 to 1024 effective bits");
    }
    // Section 2, with its names: L the bytes, T the key's length, T8 and TM for the effective bits.
    const L = newBytes(128);
    const T = key.length;
    const T8 = Math.ceil(effectiveBits / 8);
    const TM = 0xff >> (8 * T8 - effectiveBits);
    L.set(key);
    for (let i = T; i < 128; i++) L[i] = PI[(L[i - 1]! + L[i - T]!) & 0xff]!;
    L[128 - T8] = PI[L[128 - T8]! & TM]!;
    for (let i = 127 - T8; i >= 0; i--) L[i] = PI[L[i + 1]! ^ L[i + T8]!]!;
    for (let i = 0; i < 64; i++) this.#key[i] = L[2 * i]! | (L[2 * i + 1]! << 8);
    wipe(L);
  }

  /** The block at `from` of `input`, encrypted, to `to` of `output` (section 3). */
  encryptBlock(input: Uint8Array, from: number, output: Uint8Array, to: number): void {
    const [R, K] = [this.#load(input, from), this.#key];
    let j = 0;
    for (const [part, rounds] of ROUNDS.entries()) {
      if (part > 0) for (let i = 0; i < 4; i++) R[i]! += K[R[(i + 3) & 3]! & 63]!;
      for (let end = j + 4 * rounds; j < end; j++) {
        const i = j & 3;
        const [a, b, c] = [R[(i + 3) & 3]!, R[(i + 2) & 3]!, R[(i + 1) & 3]!];
        R[i]! += K[j]! + (a & b) + (~a & c);
        R[i] = (R[i]! << SHIFTS[i]!) | (R[i]! >> (16 - SHIFTS[i]!));
      }
    }
    this.#store(output, to);
  }

  /** The block at `from` of `input`, decrypted, to `to` of `output` (section 4). */
  decryptBlock(input: Uint8Array, from: number, output: Uint8Array, to: number): void {
    const [R, K] = [this.#load(input, from), this.#key];
    let j = 63;
    for (const [part, rounds] of ROUNDS.entries()) {
      if (part > 0) for (let i = 3; i >= 0; i--) R[i]! -= K[R[(i + 3) & 3]! & 63]!;
      for (let end = j - 4 * rounds; j > end; j--) {
        const i = j & 3;
        const [a, b, c] = [R[(i + 3) & 3]!, R[(i + 2) & 3]!, R[(i + 1) & 3]!];
        R[i] = (R[i]! >> SHIFTS[i]!) | (R[i]! << (16 - SHIFTS[i]!));
        R[i]! -= K[j]! + (a & b) + (~a & c);
      }
    }
    this.#store(output, to);
  }

  /** Wipes the key. */
  dispose(): void {
    this.#key.fill(0);
    this.#words.fill(0);
  }

  #load(bytes: Uint8Array, at: number): Uint16Array {
    const words = this.#words;
    for (let i = 0; i < 4; i++) words[i] = bytes[at + 2 * i]! | (bytes[at + 2 * i + 1]! << 8);
    return words;
  }

  #store(bytes: Uint8Array, at: number): void {
    for (const [i, word] of this.#words.entries()) {
      bytes[at + 2 * i] = word;
      bytes[at + 2 * i + 1] = word >> 8;
    }
  }
}
