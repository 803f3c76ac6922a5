import { createCipheriv, createHash, randomBytes } from "node:crypto";
import {
  decodePlaintextKeyBlob,
  encodePlaintextKeyBlob,
  sessionAlgorithmByName,
} from "twinwrap/blob";
import { readPrivateKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { importSimpleBlob } from "#build/capi/index.js";
import { read, write } from "../cli/old-files.js";
import { captured } from "./capture.js";
import { checkWraps, type FinalsCase, type WrapGroup } from "./checks.js";
import { encryptAs } from "./ciphers.js";
import { checkDerived, type DerivedCase, HASHES } from "./derived.js";

// What one live run has kept of programs that use their keys in unusual ways, opened as files.

const salts = captured<WrapGroup>("salts");
const derived = captured<DerivedCase>("derive");
const finals = captured<FinalsCase>("finals");
const [ones] = captured<WrapGroup>("exponent");

describe("a salt of its own (KP_SALT_EX)", () => {
  test.each(salts)("is what the documents say", checkWraps);

  test("every file opens, with the SIMPLEBLOB and with the key in the clear", async () => {
    const seen = new Set<number>();
    for (const { privatekeyblob, wraps } of salts) {
      const key = write("salts.key", privatekeyblob);
      for (const { simpleblob, plaintextkeyblob, cipher, plain, encrypted } of wraps) {
        const salt = Buffer.from(cipher!.salt!).toString("hex");
        const { effectiveBits } = cipher!;
        const options = { salt, ...(effectiveBits === undefined ? {} : { effectiveBits }) };
        const file = write("salts.enc", encrypted);
        const wrapped = { key, blob: write("salts.blob", simpleblob), allowWeak: true };
        const open = { blob: write("salts.open", plaintextkeyblob) };
        expect((await read(file, { ...options, ...wrapped })).plain).toEqual(plain);
        expect((await read(file, { ...options, ...open })).plain).toEqual(plain);
        seen.add(cipher!.salt!.length);
      }
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([1, 8, 11, 16, 24]);
  });

  test("a long RC2 key leaves room for less", async () => {
    const key = randomBytes(120);
    const { algId } = sessionAlgorithmByName("rc2");
    const blob = write("long.open", encodePlaintextKeyBlob({ aiKeyAlg: algId, key }));
    const [salt, plain] = [randomBytes(8), randomBytes(20)];
    const file = write(
      "long.enc",
      encryptAs("CALG_RC2", key, plain, { salt, effectiveBits: 1024 }),
    );
    const options = { blob, salt: salt.toString("hex"), effectiveBits: 1024 };
    expect((await read(file, options)).plain).toEqual(plain);
    const longer = read(file, { ...options, salt: "00".repeat(9) });
    await expect(longer).rejects.toThrow(/there is room for 8/);
  });
});

describe("a key derived from a password (CryptDeriveKey)", () => {
  const titled = derived.map((one, i) => [`${i}: ${one.algorithm} from ${one.hash}`, one] as const);

  test.each(titled)("%s", async (_, one) => {
    checkDerived(one);
    const { hash, algorithm, password, salt, plaintextkeyblob, plain, encrypted } = one;
    const bits = 8 * (plaintextkeyblob.length - 12);
    const options = {
      passwordFile: write("password", password),
      passwordEncoding: "raw" as const,
      derive: hash,
      alg: algorithm,
      ...(/RC/.test(algorithm) ? { keyBits: bits } : {}),
      ...(salt === "none" ? { salt: false } : salt === "hash" ? { salt } : {}),
    };
    const found = await read(write("derived.enc", encrypted), options);
    expect([found.key, found.plain]).toEqual([plaintextkeyblob.toString("hex", 12), plain]);
    expect(found.doubt).toEqual(algorithm === "CALG_RC4" ? expect.any(String) : undefined);
  });

  test("every hash and every cipher is among them", () => {
    const pairs = new Set(derived.map(({ hash, algorithm }) => `${hash} ${algorithm}`));
    expect(pairs.size).toBe(8 * Object.keys(HASHES).length);
  });

  describe("the password's bytes", () => {
    const text = "Grüße 100 €";
    const wide = Buffer.from(text, "utf16le");
    const ansi = Buffer.concat([
      Buffer.from("Grüße 100 ", "latin1"),
      Buffer.of(0x80), // the euro sign in Windows-1252
    ]);
    const zero = (bytes: number) => Buffer.alloc(bytes);
    test.each([
      ["UTF-8 by default", Buffer.from(text), {}],
      ["with its zero", Buffer.concat([Buffer.from(text), zero(1)]), { passwordZero: true }],
      ["UTF-16", wide, { passwordEncoding: "utf-16le" }],
      [
        "UTF-16 with its zero",
        Buffer.concat([wide, zero(2)]),
        { passwordEncoding: "utf-16le", passwordZero: true },
      ],
      [
        "as many bytes of UTF-16 as there are characters",
        wide.subarray(0, text.length),
        { passwordEncoding: "utf-16le-half" },
      ],
      ["Windows-1252", ansi, { passwordEncoding: "windows-1252" }],
    ] as const)("%s", async (_, hashed, options) => {
      // SHA-256 gives an AES-256 key as it is.
      const key = createHash("sha256").update(hashed).digest();
      const cipher = createCipheriv("aes-256-cbc", key, Buffer.alloc(16));
      const file = write("text.enc", Buffer.concat([cipher.update("what it was"), cipher.final()]));
      const passwordFile = write("text.password", `\ufeff${text}\r\nanother line\n`);
      const found = await read(file, { passwordFile, derive: "sha256", ...options });
      expect(found.plain.toString()).toBe("what it was");
      const other = { passwordFile: write("other", "nope"), derive: "sha256" as const, ...options };
      await expect(read(file, other)).rejects.toMatchObject({
        code: "DECRYPTION_FAILED",
        message: expect.stringMatching(/another password, --derive, --alg, --password-encoding/),
      });
    });
  });

  test.each([
    [{ alg: "rot13" }, /no session algorithm is called "rot13"/],
    [{ keyBits: 40 }, /--key-bits is for RC2 and RC4/],
    [{ alg: "rc4", keyBits: 41 }, /multiple of 8/],
    [{ passwordEncoding: "raw", passwordZero: true }, /does not go with raw/],
    [{ passwordEncoding: "windows-1252" }, /windows-1252 has not/],
    [{ key: "x" }, /-k does not go with --password-file/],
    [{ blob: "x" }, /where is the session key/],
  ] as const)("%j is a wrong command line", async (options, message) => {
    const passwordFile = write("usage.password", "電池");
    await expect(read("none", { passwordFile, ...options })).rejects.toThrow(message);
  });

  test("its options alone are one too", async () => {
    for (const option of ["derive", "alg", "keyBits", "passwordEncoding", "passwordZero"]) {
      const alone = read("none", { key: "x", blob: "y", [option]: "z" });
      await expect(alone).rejects.toThrow(/goes with --password-file/);
    }
  });
});

describe("buffers that were final one by one", () => {
  const titled = finals.map((one) => {
    const { aiKeyAlg } = decodePlaintextKeyBlob(one.plaintextkeyblob);
    return [`ALG_ID ${aiKeyAlg}, ${one.mode ?? "stream"}, ${one.every} bytes`, one] as const;
  });

  test.each(titled)("%s", async (_, { mode, every, iv, plaintextkeyblob, plain, encrypted }) => {
    const options = {
      blob: write("final.key", plaintextkeyblob),
      ...(mode === undefined ? {} : { mode }),
      ...(iv === undefined ? {} : { iv: iv.toString("hex") }),
      finalEvery: every,
    };
    expect((await read(write("final.enc", encrypted), options)).plain).toEqual(plain);
  });

  const key = randomBytes(32);
  const blob = () => write("aes.key", encodePlaintextKeyBlob({ aiKeyAlg: 0x6610, key }));

  /** Buffers of some lengths, each encrypted by itself. */
  function encrypted(plain: Buffer, every: number): Buffer {
    const pieces: Buffer[] = [];
    for (let at = 0; at < plain.length || at === 0; at += every) {
      const cipher = createCipheriv("aes-256-cbc", key, Buffer.alloc(16));
      pieces.push(cipher.update(plain.subarray(at, at + every)), cipher.final());
    }
    return Buffer.concat(pieces);
  }

  // About the pieces of 256 KiB that are decrypted together, and the borders of blocks.
  test.each([1, 15, 16, 1000, 4096, 262_127, 262_128, 262_144, 300_000])(
    "%i bytes, lengths about the borders",
    async (every) => {
      const counts = every < 1000 ? [0, 1, 2, 500] : [0, 1, 3];
      for (const size of counts.flatMap((n) => [every * n, every * n + 1]).slice(1)) {
        const plain = randomBytes(size);
        const path = write("sizes.enc", encrypted(plain, every));
        const found = await read(path, { blob: blob(), finalEvery: every });
        expect(Buffer.compare(found.plain, plain), `${size} bytes`).toBe(0);
      }
    },
  );

  test("another length than the program's is told, and nothing is taken for the plaintext", async () => {
    const path = write("other.enc", encrypted(randomBytes(5000), 1000));
    for (const finalEvery of [991, 999, 1001, 1007, 1008, 2000, 16, 500]) {
      const code = { code: "DECRYPTION_FAILED", message: expect.stringMatching(/--final-every/) };
      await expect(read(path, { blob: blob(), finalEvery })).rejects.toMatchObject(code);
    }
    // A short buffer in the midst of it.
    const first = encrypted(randomBytes(999), 1000);
    const mixed = write("mixed.enc", Buffer.concat([first, encrypted(randomBytes(50), 1000)]));
    await expect(read(mixed, { blob: blob(), finalEvery: 1000 })).rejects.toThrow(
      /ends at byte 1072 does not hold 1000 bytes|ends at byte 1008 does not hold 1000 bytes/,
    );
  });

  test("opened as one message, the paddings are noticed", async () => {
    const text = Buffer.from(Array.from({ length: 40_000 }, (_, i) => `line ${i}\n`).join(""));
    for (const every of [1000, 1024, 4096, 65_536, 200_000]) {
      const path = write("doubt.enc", encrypted(text, every));
      const { doubt } = await read(path, { blob: blob() });
      expect(doubt).toMatch(new RegExp(`try --final-every ${every}$`));
    }
  });

  test("and not where there are none", async () => {
    const plains = [randomBytes(1_000_000), Buffer.alloc(100_000), Buffer.from("short")];
    for (const plain of plains) {
      const path = write("whole.enc", encrypted(plain, plain.length));
      expect((await read(path, { blob: blob() })).doubt).toBeUndefined();
    }
  });
});

describe("an exponent of one", () => {
  const { privatekeyblob, wraps } = ones!;

  test("what a program exported under it opens, where that is said", async () => {
    const one = await readPrivateKey(privatekeyblob, { allowExponentOne: true });
    expect([...one.e]).toEqual([1]);
    const key = write("one.key", privatekeyblob);
    for (const { simpleblob, plaintextkeyblob, plain, encrypted } of wraps) {
      const session = await importSimpleBlob(simpleblob, one, "pkcs1-v1_5");
      expect(Buffer.from(session.key)).toEqual(plaintextkeyblob.subarray(12));
      const blob = write("one.blob", simpleblob);
      const file = write("one.enc", encrypted);
      expect((await read(file, { key, blob, allowWeak: true })).plain).toEqual(plain);
      await expect(read(file, { key, blob })).rejects.toMatchObject({ code: "WEAK_KEY" });
    }
    expect(wraps.length).toBe(8);
  });

  test("nowhere else", async () => {
    await expect(readPrivateKey(privatekeyblob)).rejects.toMatchObject({ code: "BAD_KEY" });
    const one = await readPrivateKey(privatekeyblob, { allowExponentOne: true });
    const blob = wraps[0]!.simpleblob;
    await expect(importSimpleBlob(blob, one, "oaep")).rejects.toMatchObject({
      nte: "NTE_BAD_DATA",
    });
    const altered = Buffer.from(blob);
    altered[altered.length - 2] = 1; // the block type
    await expect(importSimpleBlob(altered, one, "pkcs1-v1_5")).rejects.toMatchObject({
      nte: "NTE_BAD_DATA",
    });
  });
});
