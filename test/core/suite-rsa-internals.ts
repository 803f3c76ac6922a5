// What only an instance of one's own shows: injected randomness, faults, and what stays in memory. As a
// function of the build and of the digits in which it computes.

import { randomBytes } from "node:crypto";
import { type LoadOptions, loadCore } from "twinwrap/core";
import { beforeAll, describe, expect, test } from "vitest";
import { Instance } from "#build/core/instance.js";
import { RsaPrivateKey } from "#build/core/rsa.js";
import { RsaPublicKey } from "#build/core/rsa-public.js";
import { Slots } from "#build/core/slots.js";
import {
  type BigKey,
  bitLength,
  components,
  makeKey,
  maskOaep,
  oaepBlock,
  rawDecrypt,
  rawEncrypt,
  toBytes,
} from "./rsa-reference.js";

const PKCS1 = { padding: "pkcs1-v1_5" } as const;
const OAEP = { padding: "oaep" } as const;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

/** A number as it stands in the core: limbs of 28 bits in u32, little-endian. */
function limbs(value: bigint): Buffer {
  const words: number[] = [];
  for (let rest = value; rest > 0n; rest >>= 28n) words.push(Number(rest & 0xfffffffn));
  return Buffer.from(Uint32Array.from(words).buffer);
}

/** The multiple of a number that is -1 modulo 2^bits. */
function minusOne(x: bigint, bits: number): bigint {
  let inverse = 1n;
  for (let i = 0; i < 6; i++) inverse *= 2n - x * inverse;
  return x * BigInt.asUintN(bits, -inverse);
}

/** Numbers as they stand side by side in the core: balanced digits of `bits` bits in f64. */
function sideBySide(numbers: bigint[], bits: number): Buffer {
  const digits: number[] = [];
  for (let rest = numbers; rest.some((x) => x > 0n); ) {
    const lowest = rest.map((x) => BigInt.asIntN(bits, x));
    digits.push(...lowest.map(Number));
    rest = rest.map((x, i) => (x - lowest[i]!) >> BigInt(bits));
  }
  return Buffer.from(Float64Array.from(digits).buffer);
}

/** Both primes' multiples. */
const lanes = ({ p, q }: BigKey, bits: number) =>
  sideBySide([minusOne(p, bits), minusOne(q, bits)], bits);

/** The lower digits of the modulus' multiple in one lane, its upper ones in the other; not the lowest. */
function halves({ n }: BigKey): Buffer {
  const rows = Math.ceil((bitLength(n) + 52) / 50 / 4) * 4;
  const digits = sideBySide([minusOne(n, 50), 0n], 50);
  const half = 8 * rows;
  const all = Buffer.concat([digits, Buffer.alloc(2 * half - digits.length)]);
  for (let at = 0; at < half; at += 16) all.copy(all, at + 8, half + at, half + at + 8);
  return all.subarray(16, half);
}

/** How many bytes differ. */
function changed(before: Buffer, after: Buffer): number {
  let count = 0;
  for (let i = 0; i < before.length; i++) if (before[i] !== after[i]) count++;
  return count;
}

/** With digits of 50 bits if that is known, of 24, or of what the processor allows. */
export function rsaInternalsSuite(options: LoadOptions, known?: 24 | 50): void {
  const load = async () => Instance.create((await loadCore(options)).module);
  describe("RSA inside", () => {
    let instance: Instance;
    let memory: Buffer;
    let big: BigKey;
    const newSlots = () => new Slots(instance.constant("RSA_SLOTS"));
    beforeAll(async () => {
      instance = await load();
      memory = Buffer.from(instance.input.buffer);
      big = makeKey(1024);
    });

    test("OAEP is what RFC 8017 makes of a given seed, as long as the label's hash", () => {
      const wide = makeKey(1304);
      for (const [hash, mgf1Hash, size] of [
        ["SHA-1", "SHA-1", 20],
        ["SHA-256", "SHA-256", 32],
        ["SHA-512", "SHA-1", 64],
        ["SHA-1", "SHA-512", 20],
      ] as const) {
        const seed = randomBytes(size);
        const key = new RsaPublicKey(instance, newSlots(), components(wide), (length) => {
          expect(length).toBe(size);
          return Buffer.from(seed);
        });
        const label = randomBytes(7);
        const message = randomBytes(30);
        const block = maskOaep(mgf1Hash, seed, oaepBlock(163, hash, label, message));
        expect(hex(key.encrypt(message, { ...OAEP, hash, mgf1Hash, label }))).toBe(
          hex(rawEncrypt(wide, block)),
        );
      }
    });

    test("v1.5 filler: zeros are drawn again, nothing else is changed", () => {
      const drawn: Buffer[] = [];
      const key = new RsaPublicKey(instance, newSlots(), components(big), (length) => {
        drawn.push(randomBytes(length).fill(0, (length + 1) >> 1));
        return Buffer.from(drawn.at(-1)!);
      });
      const message = randomBytes(32);
      const block = rawDecrypt(big, key.encrypt(message, PKCS1));
      const filler = Buffer.concat(drawn).filter((byte) => byte !== 0);
      expect(drawn.length).toBeGreaterThan(1);
      expect(filler.length).toBe(128 - 3 - 32);
      expect(hex(block)).toBe(`0002${hex(filler)}00${hex(message)}`);
    });

    test("fresh randomness makes every ciphertext another", () => {
      const key = new RsaPublicKey(instance, newSlots(), components(big));
      const message = randomBytes(16);
      for (const padding of [PKCS1, OAEP]) {
        const seen = new Set(Array.from({ length: 20 }, () => hex(key.encrypt(message, padding))));
        expect(seen.size).toBe(20);
      }
    });

    test("any blinding gives the same result, extreme ones too", () => {
      const message = randomBytes(32);
      const ciphertext = rawEncrypt(big, oaepMasked(message));
      const blindings = [
        toBytes(1n, 144),
        toBytes(big.n - 1n, 144),
        toBytes(big.n + 1n, 144),
        toBytes(2n ** 1152n - 1n, 144),
        ...Array.from({ length: 30 }, () => randomBytes(144)),
      ];
      for (const blinding of blindings) {
        const key = new RsaPrivateKey(instance, newSlots(), components(big), () =>
          Uint8Array.from(blinding),
        );
        expect(hex(key.decrypt(ciphertext, OAEP))).toBe(hex(message));
      }
    });

    test("a blinding is asked for in full, anew for each call, and every byte of it counts", () => {
      const ciphertext = rawEncrypt(big, oaepMasked(randomBytes(32)));
      const asked: number[] = [];
      let next: Uint8Array = randomBytes(144);
      const key = new RsaPrivateKey(instance, newSlots(), components(big), (length) => {
        asked.push(length);
        return Uint8Array.from(next);
      });
      key.decrypt(ciphertext, OAEP);
      key.decryptChecked(ciphertext, OAEP);
      key.unwrapKey(ciphertext, { ...OAEP, length: 32 });
      expect(asked).toEqual([144, 144, 144]);
      // p is a blinding without inverse. Where p + 2^8i gives a result, byte i went in.
      const fault = expect.objectContaining({ code: "FAULT" });
      next = toBytes(big.p, 144);
      expect(() => key.decrypt(ciphertext, OAEP)).toThrow(fault);
      for (let byte = 0; byte < 144; byte++) {
        next = toBytes(big.p, 144);
        next[byte]! ^= 1;
        key.decrypt(ciphertext, OAEP);
      }
    });

    const oaepMasked = (message: Uint8Array) =>
      maskOaep("SHA-1", randomBytes(20), oaepBlock(128, "SHA-1", Buffer.alloc(0), message));

    test("a blinding without inverse ends in a fault, not in a result", () => {
      const ciphertext = rawEncrypt(big, oaepMasked(randomBytes(32)));
      for (const blinding of [0n, big.p, big.q, big.n, 3n * big.p]) {
        const key = new RsaPrivateKey(instance, newSlots(), components(big), () =>
          toBytes(blinding, 144),
        );
        expect(() => key.decrypt(ciphertext, OAEP)).toThrow(
          expect.objectContaining({ code: "FAULT" }),
        );
      }
    });

    test("a flipped bit in any number of the loaded key: FAULT, and nothing in the windows", () => {
      const key = new RsaPrivateKey(instance, newSlots(), components(big));
      const message = randomBytes(32);
      const ciphertext = rawEncrypt(big, oaepMasked(message));
      const numbers: [string, Buffer, number[]][] = (
        ["p", "q", "dp", "dq", "qi", "n"] as const
      ).map((name) => [name, limbs(big[name]), [0, 1, 13, 40]]);
      // Of an f64 also sign and exponent: what becomes of it may be no number, and must not trap.
      const bits = known ?? (memory.includes(lanes(big, 50)) ? 50 : 24);
      numbers.push(["both primes", lanes(big, bits), [21, 22, 23, 30, 31, 39, 135]]);
      if (bits === 50) numbers.push(["n in halves", halves(big), [6, 7, 13, 14, 15, 22, 77]]);
      for (const [name, bytes, places] of numbers) {
        const at = memory.indexOf(bytes);
        expect(at, name).toBeGreaterThan(0);
        for (const byte of places) {
          memory[at + byte]! ^= 4;
          const fault = expect.objectContaining({ code: "FAULT" });
          for (const padding of [PKCS1, OAEP]) {
            expect(() => key.decrypt(ciphertext, padding), `${name}, ${byte}`).toThrow(fault);
            const options = { ...padding, length: 32 };
            expect(() => key.unwrapKey(ciphertext, options), `${name}, ${byte}`).toThrow(fault);
          }
          expect(instance.output.every((value) => value === 0)).toBe(true);
          memory[at + byte]! ^= 4;
        }
      }
      expect(hex(key.decrypt(ciphertext, OAEP))).toBe(hex(message));
    });

    test("an operation leaves the memory as it was, and so does a key that is disposed of", async () => {
      const own = await load();
      const bytes = Buffer.from(own.input.buffer);
      const blocks = Array.from({ length: 3 }, () => rawEncrypt(big, oaepMasked(randomBytes(32))));
      const empty = Buffer.from(bytes);
      const key = new RsaPrivateKey(own, newSlots(), components(big));
      const loaded = Buffer.from(bytes);
      expect(changed(empty, loaded)).toBeGreaterThan(1000);
      for (const block of [...blocks, rawEncrypt(big, Buffer.alloc(128, 1))]) {
        for (const padding of [OAEP, PKCS1]) {
          key.unwrapKey(block, { ...padding, length: 32 });
          expect(changed(loaded, bytes)).toBe(0);
        }
      }
      key.dispose();
      expect(changed(empty, bytes)).toBe(0);
    });

    test("a key that is refused leaves nothing of its numbers", async () => {
      const own = await load();
      const bytes = Buffer.from(own.input.buffer);
      // All of it is right but qi, the last number that is looked at.
      const given = components({ ...big, qi: big.qi ^ 2n });
      expect(() => new RsaPrivateKey(own, newSlots(), given)).toThrow(
        expect.objectContaining({ code: "BAD_KEY" }),
      );
      for (const name of ["d", "p", "q", "dp", "dq", "qi"] as const) {
        expect(bytes.includes(limbs(big[name]).subarray(8, 24)), name).toBe(false);
        expect(bytes.includes(Buffer.from(toBytes(big[name]).subarray(0, 12))), name).toBe(false);
      }
    });

    test("nothing of the message stays in memory, nor of the key once it is disposed of", () => {
      const key = new RsaPrivateKey(instance, newSlots(), components(big));
      const message = randomBytes(32);
      const block = oaepMasked(message);
      const ciphertext = rawEncrypt(big, block);
      for (const call of [
        () => key.decrypt(ciphertext, OAEP),
        () => key.decryptChecked(ciphertext, OAEP),
        () => key.unwrapKey(ciphertext, { ...OAEP, length: 32 }),
        () => key.decrypt(rawEncrypt(big, Buffer.alloc(128, 1)), PKCS1),
        () => new RsaPublicKey(instance, newSlots(), components(big)).encrypt(message, PKCS1),
      ]) {
        call();
        expect(memory.includes(message.subarray(0, 8))).toBe(false);
        expect(memory.includes(block.subarray(1, 9))).toBe(false);
      }
      const secrets = ["d", "p", "q", "dp", "dq", "qi"] as const;
      const reloaded = new RsaPrivateKey(instance, newSlots(), components(big));
      expect(memory.includes(limbs(big.p))).toBe(true);
      for (const k of [key, reloaded]) k.dispose();
      for (const name of secrets) {
        expect(memory.includes(limbs(big[name]).subarray(8, 24)), name).toBe(false);
        expect(memory.includes(Buffer.from(toBytes(big[name]).subarray(0, 12))), name).toBe(false);
      }
    });
  });
}
