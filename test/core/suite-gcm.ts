// The tests of AES-GCM, as a function of the build: every build of the core runs the same.
import { createCipheriv, randomBytes } from "node:crypto";
import type { AesCore, Core } from "twinwrap/core";
import { beforeAll, describe, expect, test } from "vitest";
import { some, stride } from "../quick.js";
import { haveVectors, readVectorsJson } from "../vectors.js";
import { ivFor, times } from "./gcm-reference.js";

const hex = (data: Uint8Array) => Buffer.from(data).toString("hex");
const bytes = (text: string) => new Uint8Array(Buffer.from(text, "hex"));
const EMPTY = new Uint8Array(0);
const KEY_SIZES = [16, 24, 32];
/** Lengths about the borders of blocks, groups, GHASH's sixteen lanes and windows. */
const BORDERS = [512, 768, 1024, 4096, 16384, 65536, 131072].flatMap((border) =>
  [-97, -96, -95, -33, -32, -31, -17, -16, -15, -1, 0, 1, 15, 16, 17, 96].map((n) => border + n),
);

/** Whether a core has more than AES. */
const isWhole = (core: AesCore): core is Core => "aesCbc" in core;

/** node:crypto's ciphertext‖tag. */
function nodeSeal(key: Uint8Array, iv: Uint8Array, data: Uint8Array, aad: Uint8Array) {
  const name = `aes-${key.length * 8}-gcm` as "aes-256-gcm";
  const cipher = createCipheriv(name, key, iv);
  cipher.setAAD(aad);
  return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]);
}

/** GHASH, bit by bit (SP 800-38D, section 6.4), of `data` filled up with zeros to whole blocks. */
function slowHash(h: bigint, data: Uint8Array): bigint {
  let y = 0n;
  for (let at = 0; at < data.length; at += 16) {
    y = times(y ^ BigInt(`0x${hex(data.subarray(at, at + 16)).padEnd(32, "0")}`), h);
  }
  return y;
}

/** Ciphertext‖tag for an IV longer than the 128 bytes that OpenSSL takes, without additional data. */
function slowSeal(key: Uint8Array, iv: Uint8Array, data: Uint8Array) {
  const block = (value: bigint) => bytes(value.toString(16).padStart(32, "0"));
  const ecb = (text: Uint8Array) =>
    createCipheriv(`aes-${key.length * 8}-ecb`, key, null).update(text);
  const h = BigInt(`0x${hex(ecb(new Uint8Array(16)))}`);
  const first = times(slowHash(h, iv) ^ BigInt(iv.length * 8), h);
  const mask = BigInt(`0x${hex(ecb(block(first)))}`);
  const low = (first + 1n) & 0xffffffffn;
  const ctr = createCipheriv(
    `aes-${key.length * 8}-ctr`,
    key,
    block(((first >> 32n) << 32n) | low),
  );
  const ciphertext = ctr.update(data);
  const tag = times(slowHash(h, ciphertext) ^ BigInt(data.length * 8), h) ^ mask;
  return Buffer.concat([ciphertext, block(tag)]);
}

interface Case {
  tcId: number;
  key: string;
  iv: string;
  aad: string;
  msg: string;
  ct: string;
  tag: string;
  result: "valid" | "invalid";
  flags: string[];
}

export function gcmSuite(load: () => Promise<AesCore>): void {
  let core: AesCore;
  beforeAll(async () => {
    core = await load();
  });

  const badArgument = expect.objectContaining({ code: "BAD_ARGUMENT" });
  const decryptionFailed = expect.objectContaining({ code: "DECRYPTION_FAILED" });
  const disposed = expect.objectContaining({ code: "DISPOSED" });

  /** Encrypts and decrypts with the core and compares both with node:crypto. */
  function compare(key: Uint8Array, iv: Uint8Array, data: Uint8Array, aad: Uint8Array) {
    const gcm = core.aesGcm(key);
    const expected = nodeSeal(key, iv, data, aad);
    const what = `${data.length} bytes, AAD ${aad.length}, IV ${iv.length}`;
    expect(Buffer.compare(gcm.encrypt(iv, data, aad), expected), what).toBe(0);
    expect(Buffer.compare(gcm.decrypt(iv, expected, aad), data), what).toBe(0);
    gcm.dispose();
  }

  describe("AES-GCM", () => {
    // The GCM specification by McGrew and Viega (which SP 800-38D refers to), test cases 1, 2, 4, 6,
    // 14, 16 and 18
    const KEY = "feffe9928665731c6d6a8f9467308308";
    const AAD = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
    const TEXT =
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
    const LONG_IV =
      "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b";
    test.each([
      ["1", "00".repeat(16), "00".repeat(12), "", "", "58e2fccefa7e3061367f1d57a4e7455a"],
      [
        "2",
        "00".repeat(16),
        "00".repeat(12),
        "00".repeat(16),
        "",
        "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf",
      ],
      [
        "4",
        KEY,
        "cafebabefacedbaddecaf888",
        TEXT,
        AAD,
        "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47",
      ],
      [
        "6",
        KEY,
        LONG_IV,
        TEXT,
        AAD,
        "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca701e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5619cc5aefffe0bfa462af43c1699d050",
      ],
      [
        "14",
        "00".repeat(32),
        "00".repeat(12),
        "00".repeat(16),
        "",
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
      ],
      [
        "16",
        KEY + KEY,
        "cafebabefacedbaddecaf888",
        TEXT,
        AAD,
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b",
      ],
      [
        "18",
        KEY + KEY,
        LONG_IV,
        TEXT,
        AAD,
        "5a8def2f0c9e53f1f75d7853659e2a20eeb2b22aafde6419a058ab4f6f746bf40fc0c3b780f244452da3ebf1c5d82cdea2418997200ef82e44ae7e3fa44a8266ee1c8eb0c8b5d4cf5ae9f19a",
      ],
    ])("the specification's test case %s", (_, key, iv, text, aad, sealed) => {
      const gcm = core.aesGcm(bytes(key));
      expect(hex(gcm.encrypt(bytes(iv), bytes(text), bytes(aad)))).toBe(sealed);
      expect(hex(gcm.decrypt(bytes(iv), bytes(sealed), bytes(aad)))).toBe(text);
    });

    test.each(KEY_SIZES)(
      "every length from 0 to 600 and about each border, key of %i bytes",
      (size) => {
        for (const length of [...some([...Array(601).keys()], 3), ...BORDERS]) {
          compare(
            randomBytes(size),
            randomBytes(12),
            randomBytes(length),
            randomBytes(length % 21),
          );
        }
      },
    );

    test("messages of 1 to 8192 blocks, each number once", () => {
      const data = randomBytes(16 * 8192);
      let key = randomBytes(32);
      let gcm = core.aesGcm(key);
      let served = 1;
      // In steps of an odd number, so that lengths, keys and sizes of keys meet in many ways.
      for (let blocks = 1; blocks <= 8192; blocks += stride(17)) {
        // A key serves some messages, short ones and long ones in turn, so that its tables grow with it.
        if (served++ % 32 === 0) {
          gcm.dispose();
          key = randomBytes(KEY_SIZES[(served >> 5) % 3]!);
          gcm = core.aesGcm(key);
        }
        const length = 16 * (blocks % 2 === 0 ? blocks : 8192 - blocks) - (blocks % 5);
        const text = data.subarray(0, length);
        const iv = randomBytes(12);
        const cipher = createCipheriv(`aes-${key.length * 8}-gcm` as "aes-256-gcm", key, iv);
        const expected = Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
        if (Buffer.compare(gcm.encrypt(iv, text), expected) !== 0) expect.fail(`${length} bytes`);
      }
    });

    test("every length of AAD from 0 to 300, about the small window's border, and over the large", () => {
      const lengths = [4083, 4084, 4085, 4096, 5000, 65535, 65536, 65537, 200_001];
      for (const length of [...some([...Array(301).keys()], 3), ...lengths]) {
        compare(randomBytes(32), randomBytes(12), randomBytes(50), randomBytes(length));
      }
    });

    test("every length of IV from 1 to 200, about the small window's border, and over the large", () => {
      for (let length = 1; length <= 128; length += stride(3)) {
        compare(randomBytes(32), randomBytes(length), randomBytes(50), randomBytes(20));
      }
      const lengths = [4095, 4096, 4097, 65535, 65536, 65537, 100_001];
      for (const length of [...some([...Array(75).keys()], 3).map((i) => i + 126), ...lengths]) {
        const [key, iv, data] = [randomBytes(32), randomBytes(length), randomBytes(50)];
        const gcm = core.aesGcm(key);
        const expected = slowSeal(key, iv, data);
        expect(Buffer.compare(gcm.encrypt(iv, data), expected), `IV ${length}`).toBe(0);
        expect(Buffer.compare(gcm.decrypt(iv, expected), data), `IV ${length}`).toBe(0);
      }
    });

    test("a counter that wraps modulo 2^32, at every place of a group", () => {
      const key = randomBytes(32);
      for (let before = 0; before <= 40; before += stride(3)) {
        const last = (0xffffffff - before).toString(16);
        const iv = ivFor(key, hex(randomBytes(12)) + last);
        compare(key, iv, randomBytes(1100), randomBytes(5));
      }
      compare(key, ivFor(key, `${"ff".repeat(12)}fffff000`), randomBytes(100_000), EMPTY);
    });

    test("a key in a slot that is used again has nothing of the hash of the one before", async () => {
      // Lengths from which on one power, then four powers of the hash's key are kept in the slot.
      const own = await load();
      for (const length of [100, 1000, 20_000]) {
        const data = randomBytes(length);
        // Sixteen slots: each key has that of one before it, which no one has disposed of.
        for (let i = 0; i < 48; i++) {
          const [key, iv] = [randomBytes(16), randomBytes(12)];
          const [got, expected] = [own.aesGcm(key), nodeSeal(key, iv, data, EMPTY)];
          expect(Buffer.compare(got.encrypt(iv, data), expected), `key ${i}, ${length}`).toBe(0);
        }
      }
    });

    test("the product of any two powers of x", () => {
      // A message of one block, hashed alone: each bit of it, under many hash keys, long and short.
      for (let bit = 0; bit < 128; bit++) {
        const block = new Uint8Array(16 * 64);
        block[bit >> 3] = 0x80 >> (bit & 7);
        compare(randomBytes(16), randomBytes(12), EMPTY, block.subarray(0, 16));
        compare(randomBytes(16), randomBytes(12), EMPTY, block);
      }
    });

    test("a wrong bit in tag, ciphertext, AAD or IV is noticed, and nothing is given out", () => {
      const key = randomBytes(32);
      const gcm = core.aesGcm(key);
      for (const length of [1, 40, 700]) {
        const iv = Uint8Array.from(randomBytes(12));
        const aad = Uint8Array.from(randomBytes(13));
        const sealed = gcm.encrypt(iv, randomBytes(length), aad);
        for (const part of [iv, aad, sealed]) {
          const step = part === sealed && length > 40 ? 7 * stride(5) : stride(3);
          for (let bit = 0; bit < part.length * 8; bit += step) {
            const into = new Uint8Array(length).fill(0x55);
            part[bit >> 3]! ^= 1 << (bit & 7);
            expect(() => gcm.decrypt(iv, sealed, aad, into)).toThrow(decryptionFailed);
            part[bit >> 3]! ^= 1 << (bit & 7);
            expect(into.every((byte) => byte === 0x55)).toBe(true);
          }
        }
        for (let bit = 0; bit < 128; bit++) {
          const altered = sealed.slice();
          altered[length + (bit >> 3)]! ^= 1 << (bit & 7);
          expect(() => gcm.decrypt(iv, altered, aad), `tag bit ${bit}`).toThrow(decryptionFailed);
        }
        gcm.decrypt(iv, sealed, aad);
      }
    });

    test("over several windows a wrong tag leaves zeros in the caller's array", () => {
      const gcm = core.aesGcm(randomBytes(32));
      const iv = randomBytes(12);
      const sealed = gcm.encrypt(iv, randomBytes(150_000));
      sealed[150_003]! ^= 1;
      const into = new Uint8Array(150_000).fill(0x55);
      expect(() => gcm.decrypt(iv, sealed, EMPTY, into)).toThrow(decryptionFailed);
      expect(into.every((byte) => byte === 0)).toBe(true);
    });

    test("into: in place, at the beginning of a longer array, never into a shorter", () => {
      const key = randomBytes(32);
      const gcm = core.aesGcm(key);
      for (const length of [0, 100, 16384, 150_000]) {
        const iv = randomBytes(12);
        const data = randomBytes(length);
        const expected = nodeSeal(key, iv, data, EMPTY);
        const place = new Uint8Array(length + 20).fill(7);
        place.set(data);
        const sealed = gcm.encrypt(iv, place.subarray(0, length), EMPTY, place);
        expect(Buffer.compare(sealed, expected)).toBe(0);
        expect(hex(place.subarray(length + 16))).toBe("07070707");
        const opened = gcm.decrypt(iv, sealed, EMPTY, place);
        expect(Buffer.compare(opened, data)).toBe(0);
        expect(opened.buffer).toBe(place.buffer);
        expect(() => gcm.encrypt(iv, data, EMPTY, new Uint8Array(length + 15))).toThrow(
          badArgument,
        );
        if (length === 0) continue;
        const short = new Uint8Array(length - 1);
        expect(() => gcm.decrypt(iv, expected, EMPTY, short)).toThrow(badArgument);
      }
    });

    test("in the core's windows, without a copy", () => {
      for (const length of [0, 1, 100, 5000, core.input.length]) {
        const [key, iv, aad] = [randomBytes(32), randomBytes(12), randomBytes(7)];
        const data = randomBytes(length);
        const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(aad);
        const expected = Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]);
        const gcm = core.aesGcm(key);
        core.input.set(data);
        gcm.encryptWindow(iv, length, aad);
        expect(Buffer.compare(core.output.subarray(0, length), expected.subarray(0, length))).toBe(
          0,
        );
        expect(hex(gcm.tag)).toBe(hex(expected.subarray(length)));

        core.input.set(expected.subarray(0, length));
        gcm.decryptWindow(iv, length, expected.subarray(length), aad);
        expect(Buffer.compare(core.output.subarray(0, length), data)).toBe(0);

        core.input.set(expected.subarray(0, length));
        expected[length]! ^= 1;
        const wrong = () => gcm.decryptWindow(iv, length, expected.subarray(length), aad);
        expect(wrong).toThrow(decryptionFailed);
        expect(core.output.subarray(0, length).every((byte) => byte === 0)).toBe(true);
        core.wipe();
        expect(core.input.every((byte) => byte === 0)).toBe(true);
      }
      const gcm = core.aesGcm(randomBytes(16));
      const [iv, tag] = [randomBytes(12), randomBytes(16)];
      for (const length of [-1, 1.5, core.input.length + 1, Number.NaN]) {
        expect(() => gcm.encryptWindow(iv, length)).toThrow(badArgument);
        expect(() => gcm.decryptWindow(iv, length, tag)).toThrow(badArgument);
      }
      expect(() => gcm.encryptWindow(EMPTY, 1)).toThrow(badArgument);
      expect(() => gcm.encryptWindow(randomBytes(5000), 1)).toThrow(badArgument);
      expect(() => gcm.decryptWindow(iv, 1, tag.subarray(1))).toThrow(decryptionFailed);
    });

    test("arguments of a wrong kind or size are refused", () => {
      const gcm = core.aesGcm(new Uint8Array(16));
      const iv = new Uint8Array(12);
      const huge = Object.defineProperty(new Uint8Array(1), "length", { value: 2 ** 36 - 31 });
      expect(() => gcm.encrypt(iv, huge)).toThrow(badArgument);
      const hugeSealed = Object.defineProperty(new Uint8Array(1), "length", {
        value: 2 ** 36 - 15,
      });
      expect(() => gcm.decrypt(iv, hugeSealed)).toThrow(badArgument);
      for (const call of [gcm.encrypt, gcm.decrypt]) {
        expect(() => call.call(gcm, EMPTY, new Uint8Array(16))).toThrow(badArgument);
        expect(() => call.call(gcm, "iv" as never, EMPTY)).toThrow(badArgument);
        expect(() => call.call(gcm, iv, "text" as never)).toThrow(badArgument);
        expect(() => call.call(gcm, iv, new Uint8Array(16), "aad" as never)).toThrow(badArgument);
        expect(() => call.call(gcm, iv, new Uint8Array(16), EMPTY, {} as never)).toThrow(
          badArgument,
        );
      }
      for (let length = 0; length < 16; length++) {
        expect(() => gcm.decrypt(iv, new Uint8Array(length))).toThrow(decryptionFailed);
      }
      for (const begin of ["encryptor", "decryptor"] as const) {
        expect(() => gcm[begin](EMPTY)).toThrow(badArgument);
        expect(() => gcm[begin](iv, "aad" as never)).toThrow(badArgument);
        expect(() => gcm[begin](iv).update("text" as never)).toThrow(badArgument);
      }
    });

    test.skipIf(!haveVectors)("Wycheproof (needs ../shared/vectors)", () => {
      const file = readVectorsJson("wycheproof/aes_gcm_test.json");
      const cases: Case[] = file.testGroups.flatMap((group: { tests: Case[] }) => group.tests);
      expect(cases.length).toBe(316);
      for (const { tcId, key, iv, aad, msg, ct, tag, result, flags } of cases) {
        const gcm = core.aesGcm(bytes(key));
        const open = () => gcm.decrypt(bytes(iv), bytes(ct + tag), bytes(aad));
        if (result === "valid") {
          const sealed = gcm.encrypt(bytes(iv), bytes(msg), bytes(aad));
          expect(hex(sealed), `case ${tcId}`).toBe(ct + tag);
          expect(hex(open()), `case ${tcId}`).toBe(msg);
        } else {
          const refused = flags.includes("ZeroLengthIv") ? badArgument : decryptionFailed;
          expect(open, `case ${tcId}`).toThrow(refused);
        }
        gcm.dispose();
      }
    });
  });

  describe("AES-GCM in pieces", () => {
    /** Encrypts `data` cut at `cuts`, then decrypts the result cut at the same places. */
    function inPieces(key: Uint8Array, data: Uint8Array, cuts: number[], aad = EMPTY) {
      const gcm = core.aesGcm(key);
      const iv = randomBytes(12);
      const pieces = (whole: Uint8Array) =>
        [0, ...cuts].map((from, i) => whole.subarray(from, cuts[i] ?? whole.length));
      const encryptor = gcm.encryptor(iv, aad);
      const sealed = pieces(data).map((piece) => {
        const out = encryptor.update(piece);
        expect(out.length).toBe(piece.length);
        return out;
      });
      const whole = Buffer.concat([...sealed, encryptor.final()]);
      expect(Buffer.compare(whole, nodeSeal(key, iv, data, aad)), `cut at ${cuts}`).toBe(0);
      const decryptor = gcm.decryptor(iv, aad);
      const opened = Buffer.concat(pieces(whole).map((piece) => decryptor.update(piece)));
      decryptor.final();
      expect(Buffer.compare(opened, data), `cut at ${cuts}`).toBe(0);
      gcm.dispose();
    }

    test("every cut in two and every cut in three of a short message", () => {
      const key = randomBytes(32);
      const data = randomBytes(70);
      for (let first = 0; first <= 70; first++) {
        inPieces(key, data, [first]);
        for (let second = first; second <= 70; second += stride(4)) {
          inPieces(key, data, [first, second]);
        }
      }
      for (let first = 0; first <= 700; first += stride(5))
        inPieces(key, randomBytes(700), [first]);
    });

    test("byte by byte", () => {
      const data = randomBytes(150);
      inPieces(
        randomBytes(16),
        data,
        Array.from({ length: 149 }, (_, i) => i + 1),
        randomBytes(33),
      );
    });

    test("random cuts of a message over several windows", () => {
      for (let round = 0; round < 12; round++) {
        const length = 300_000;
        const cuts = Array.from({ length: round }, () => Math.floor(Math.random() * length));
        inPieces(
          randomBytes(24),
          randomBytes(length),
          cuts.sort((a, b) => a - b),
          randomBytes(round),
        );
      }
    });

    test("long IVs and long AAD", () => {
      const key = randomBytes(32);
      const gcm = core.aesGcm(key);
      const data = randomBytes(33);
      for (const length of [15, 129, 65_536, 65_537]) {
        const iv = randomBytes(length);
        const encryptor = gcm.encryptor(iv);
        const sealed = Buffer.concat([encryptor.update(data), encryptor.final()]);
        expect(Buffer.compare(sealed, slowSeal(key, iv, data)), `IV ${length}`).toBe(0);
      }
      for (const length of [65_536, 70_000, 131_073]) {
        const [iv, aad] = [randomBytes(12), randomBytes(length)];
        const encryptor = gcm.encryptor(iv, aad);
        const sealed = Buffer.concat([encryptor.update(data), encryptor.final()]);
        expect(Buffer.compare(sealed, nodeSeal(key, iv, data, aad)), `AAD ${length}`).toBe(0);
      }
    });

    test("a counter that wraps between and inside pieces", () => {
      const key = randomBytes(16);
      const iv = ivFor(key, `${hex(randomBytes(12))}fffffffb`);
      const data = randomBytes(200);
      const encryptor = core.aesGcm(key).encryptor(iv);
      const sealed: Uint8Array[] = [];
      for (let at = 0; at < 200; at += 23)
        sealed.push(encryptor.update(data.subarray(at, at + 23)));
      const whole = Buffer.concat([...sealed, encryptor.final()]);
      expect(Buffer.compare(whole, nodeSeal(key, iv, data, EMPTY))).toBe(0);
    });

    test("many messages under more keys than slots, all at work at once, with other calls between", () => {
      const runs = Array.from({ length: 40 }, () => {
        const [key, iv, aad] = [randomBytes(32), randomBytes(12), randomBytes(9)];
        const gcm = core.aesGcm(key);
        const data = randomBytes(2000);
        const [encryptor, decryptor] = [gcm.encryptor(iv, aad), gcm.decryptor(iv, aad)];
        const parts = { sealed: [] as Uint8Array[], opened: [] as Uint8Array[] };
        return { key, iv, aad, gcm, data, encryptor, decryptor, ...parts, at: 0 };
      });
      for (let step = 0; step < 2000; step++) {
        const run = runs[Math.floor(Math.random() * runs.length)]!;
        const end = Math.min(2000, run.at + Math.floor(Math.random() * 150));
        const part = run.encryptor.update(run.data.subarray(run.at, end));
        run.sealed.push(part);
        run.opened.push(run.decryptor.update(part));
        run.at = end;
        if (step % 50 === 0) compare(run.key, randomBytes(12), randomBytes(80), EMPTY);
      }
      for (const run of runs) {
        const rest = run.encryptor.update(run.data.subarray(run.at));
        const tag = run.encryptor.final();
        const whole = Buffer.concat([...run.sealed, rest, tag]);
        expect(Buffer.compare(whole, nodeSeal(run.key, run.iv, run.data, run.aad))).toBe(0);
        run.opened.push(run.decryptor.update(rest), run.decryptor.update(tag));
        run.decryptor.final();
        expect(Buffer.compare(Buffer.concat(run.opened), run.data)).toBe(0);
      }
    });

    /** Something that says that it is so long. */
    const ofLength = (length: number) =>
      Object.defineProperty(new Uint8Array(1), "length", { value: length });

    test("over 2^36 - 32 bytes only together: refused before anything of it goes in", () => {
      const [key, iv, data] = [randomBytes(32), randomBytes(12), randomBytes(75)];
      const expected = nodeSeal(key, iv, data, EMPTY);
      const gcm = core.aesGcm(key);
      const [encryptor, decryptor] = [gcm.encryptor(iv), gcm.decryptor(iv)];
      const parts: { sealed: Uint8Array[]; opened: Uint8Array[] } = { sealed: [], opened: [] };
      for (const [from, to] of [
        [0, 17],
        [17, 50],
        [50, 75],
      ] as const) {
        parts.sealed.push(encryptor.update(data.subarray(from, to)));
        parts.opened.push(decryptor.update(expected.subarray(from, to)));
        // Of what was decrypted, 16 bytes may be the tag.
        for (let again = 0; again < 2; again++) {
          const rest = 2 ** 36 - 32 - to;
          expect(() => encryptor.update(ofLength(rest + 1))).toThrow(badArgument);
          expect(() => decryptor.update(ofLength(rest + 17))).toThrow(badArgument);
        }
      }
      parts.sealed.push(encryptor.final());
      parts.opened.push(decryptor.update(expected.subarray(75)));
      decryptor.final();
      expect(hex(Buffer.concat(parts.sealed))).toBe(hex(expected));
      expect(hex(Buffer.concat(parts.opened))).toBe(hex(data));
    });

    test("an altered or cut message is refused at the end", () => {
      const gcm = core.aesGcm(randomBytes(32));
      const iv = randomBytes(12);
      const sealed = gcm.encrypt(iv, randomBytes(100));
      for (let length = 0; length < sealed.length; length++) {
        const decryptor = gcm.decryptor(iv);
        decryptor.update(sealed.subarray(0, length));
        expect(() => decryptor.final(), `${length} bytes`).toThrow(decryptionFailed);
        expect(() => decryptor.update(EMPTY)).toThrow(disposed);
      }
      for (let bit = 0; bit < sealed.length * 8; bit++) {
        const altered = sealed.slice();
        altered[bit >> 3]! ^= 1 << (bit & 7);
        const decryptor = gcm.decryptor(iv);
        decryptor.update(altered);
        expect(() => decryptor.final(), `bit ${bit}`).toThrow(decryptionFailed);
      }
    });

    test("a tag cut short is none, even if what is missing would be zeros", () => {
      const gcm = core.aesGcm(randomBytes(32));
      for (let found = 0; found < 3; ) {
        const iv = randomBytes(12);
        const sealed = gcm.encrypt(iv, randomBytes(16 * found));
        if (sealed.at(-1) !== 0) continue;
        const tag = sealed.subarray(-16, -1);
        core.wipe();
        const decryptor = gcm.decryptor(iv);
        decryptor.update(sealed.subarray(0, -1));
        expect(() => decryptor.final()).toThrow(decryptionFailed);
        const length = sealed.length - 16;
        core.wipe();
        core.input.set(sealed.subarray(0, length));
        expect(() => gcm.decryptWindow(iv, length, tag)).toThrow(decryptionFailed);
        expect(() => gcm.decrypt(iv, sealed.subarray(0, -1))).toThrow(decryptionFailed);
        found++;
      }
    });

    test("after final() or dispose(), of the message or of its key, every call throws DISPOSED", () => {
      const key = core.aesGcm(randomBytes(32));
      const iv = randomBytes(12);
      const finished = key.encryptor(iv);
      finished.final();
      const [given, opened, orphan] = [key.encryptor(iv), key.decryptor(iv), key.encryptor(iv)];
      given.dispose();
      opened.dispose();
      key.dispose();
      for (const run of [finished, given, orphan]) {
        expect(() => run.update(iv)).toThrow(disposed);
        expect(() => run.final()).toThrow(disposed);
      }
      expect(() => opened.update(new Uint8Array(20))).toThrow(disposed);
      expect(() => opened.final()).toThrow(disposed);
      expect(() => key.encrypt(iv, iv)).toThrow(disposed);
      expect(() => key.decrypt(iv, new Uint8Array(20))).toThrow(disposed);
      expect(() => key.encryptor(iv)).toThrow(disposed);
      expect(() => key.decryptor(iv)).toThrow(disposed);
    });
  });

  test("no plaintext and no key stays in the core's memory", async () => {
    // The module's own memory is out of reach of the interface, so look at all of it from outside.
    const memories: WebAssembly.Memory[] = [];
    const { instantiate, Instance } = WebAssembly;
    // Node's way is the constructor, browsers' the function.
    WebAssembly.Instance = new Proxy(Instance, {
      construct(target, given) {
        const made = Reflect.construct(target, given) as WebAssembly.Instance;
        memories.push(made.exports.memory as WebAssembly.Memory);
        return made;
      },
    });
    // biome-ignore lint/suspicious/noExplicitAny: one function for all its overloads
    (WebAssembly as any).instantiate = async (...args: [any, any]) => {
      // biome-ignore lint/suspicious/noExplicitAny: as above
      const result: any = await instantiate(...args);
      memories.push((result.instance ?? result).exports.memory);
      return result;
    };
    const watched = await load().finally(() =>
      Object.assign(WebAssembly, { instantiate, Instance }),
    );
    expect(memories.length).toBe(1);
    const memory = Buffer.from(memories[0]!.buffer);
    /** How often `needle` stands there. */
    const count = (needle: Uint8Array) => {
      let found = 0;
      for (let at = memory.indexOf(needle); at >= 0; at = memory.indexOf(needle, at + 1)) found++;
      return found;
    };
    const [key, iv, zero] = [randomBytes(32), randomBytes(12), new Uint8Array(16)];
    for (const length of [40, 700, 20_000, 150_000]) {
      const secret = randomBytes(16);
      const data = new Uint8Array(length).map((_, i) => secret[i % 16]!);
      let prepared = 0;
      /** The result of one call, which must leave no plaintext, and a key only in its slot. */
      const clean = <T>(what: string, call: () => T): T => {
        const result = call();
        expect(count(secret), `${what}, ${length} bytes`).toBe(0);
        expect(count(key), `key after ${what}`).toBe(prepared);
        return result;
      };
      const gcm = watched.aesGcm(key);
      prepared++;
      const sealed = clean("encrypt", () => gcm.encrypt(iv, data));
      clean("decrypt", () => gcm.decrypt(iv, sealed));
      const altered = sealed.slice();
      altered[length]! ^= 1;
      clean("failed decrypt", () => expect(() => gcm.decrypt(iv, altered)).toThrow());
      const [encryptor, decryptor] = [gcm.encryptor(iv), gcm.decryptor(iv)];
      clean("encryptor", () => encryptor.update(data));
      clean("encryptor's end", () => encryptor.final());
      clean("decryptor", () => decryptor.update(sealed));
      clean("decryptor's end", () => decryptor.final());
      const ctr = watched.aesCtr(key);
      prepared++;
      const hidden = clean("CTR", () => ctr.xor(zero, data));
      clean("CTR again", () => ctr.xor(zero, hidden));
      const used: { dispose(): void }[] = [gcm, ctr];
      if (isWhole(watched)) {
        const cbc = watched.aesCbc(key);
        prepared++;
        used.push(cbc);
        const chained = clean("CBC encrypt", () => cbc.encrypt(zero, data));
        clean("CBC decrypt", () => cbc.decrypt(zero, chained));
      }
      for (const one of used) {
        one.dispose();
        prepared--;
      }
      clean("dispose", () => {});
      expect(count(key.subarray(0, 16)) + count(key.subarray(16))).toBe(0);
      if (length > 65_528) continue;
      const kwp = watched.aesKwp(key);
      prepared++;
      const wrapped = clean("KWP wrap", () => kwp.wrap(data));
      clean("KWP unwrap", () => kwp.unwrap(wrapped));
      kwp.dispose();
    }
  });
}
