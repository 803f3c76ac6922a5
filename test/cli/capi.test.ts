import { spawnSync } from "node:child_process";
import { createCipheriv, randomBytes } from "node:crypto";
import { sessionAlgorithmByName } from "twinwrap/blob";
import { readPublicKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { exportSimpleBlob } from "#build/capi/index.js";
import type { OldFileOptions } from "#build/cli/capi-options.js";
import { testKey } from "../keys/material.js";
import { openssl } from "../openssl.js";
import { isQuick } from "../quick.js";
import { haveVectors, readVectors, readVectorsJson } from "../vectors.js";
import wine from "./capi-vectors.json" with { type: "json" };
import { hex, read, write } from "./old-files.js";

// Old files, against what a real CryptoAPI wrote (Wine's: capi-vectors.json, and ../shared/vectors), and
// for sizes about the borders of pieces against node:crypto and OpenSSL.

const bytes = (text: string) => Buffer.from(text, "hex");

interface WineCase {
  alg: string;
  padding: string;
  mode: string;
  final: boolean;
  key: string;
  simpleblob: string;
  plain: string;
  cipher: string;
  iv?: string;
  salt?: string;
  effectiveBits?: number;
}

/** The options for a case; those at which a program left the default are left away. */
function optionsOf(one: WineCase): OldFileOptions {
  return {
    key: "",
    padding: one.padding as "oaep" | "pkcs1-v1_5",
    allowWeak: true,
    ...(one.mode === "stream" || one.mode === "cbc" ? {} : { mode: one.mode as "ecb" | "cfb" }),
    ...(one.iv === undefined ? {} : { iv: one.iv }),
    ...(/^rc/.test(one.alg) ? { salt: one.salt ?? false } : {}),
    ...(one.effectiveBits === undefined ? {} : { effectiveBits: one.effectiveBits }),
    ...(one.final ? {} : { unpadded: true }),
  };
}

const title = ({ alg, padding, mode, final, key, iv, salt, effectiveBits }: WineCase) =>
  `${alg}, ${key.length / 2} bytes, ${padding}, ${mode}${iv ? ", IV" : ""}${salt ? `, salt ${salt}` : ""}${effectiveBits ? `, ${effectiveBits} effective bits` : ""}${final ? "" : ", not final"}`;

describe("files of a real CryptoAPI", () => {
  const key = write("wine.pem", wine.privateKey);
  const cases = wine.cases as WineCase[];

  test.each(cases.map((one, i) => [`${i}: ${title(one)}`, one] as const))("%s", async (_, one) => {
    const blob = write("wine.simpleblob", bytes(one.simpleblob));
    const cipher = write("wine.bin", bytes(one.cipher));
    const options = { ...optionsOf(one), key };
    const found = await read(cipher, { ...options, blob });
    expect([found.key, hex(found.plain)]).toEqual([one.key, one.plain]);
  });

  test("all in one file: each layout gives the same", async () => {
    for (const one of cases.filter(({ final }) => final)) {
      const [blob, cipher] = [bytes(one.simpleblob), bytes(one.cipher)];
      const length = Buffer.alloc(4);
      length.writeUInt32LE(blob.length);
      const head = Buffer.from("a header");
      for (const [layout, content] of [
        ["length32", Buffer.concat([head, length, blob, cipher])],
        ["blob-first", Buffer.concat([head, blob, cipher])],
        ["blob-last", Buffer.concat([head, cipher, blob])],
      ] as const) {
        const path = write("layout.bin", content);
        const found = await read(path, { ...optionsOf(one), key, layout, skip: head.length });
        expect([layout, hex(found.plain)]).toEqual([layout, one.plain]);
      }
    }
  });

  test("an IV that stands before the ciphertext", async () => {
    const withIv = cases.filter(({ iv, final }) => iv !== undefined && final);
    expect(withIv.length).toBeGreaterThan(10);
    for (const one of withIv) {
      const parts = [one.simpleblob, one.iv!, one.cipher].map(bytes);
      const path = write("iv.bin", Buffer.concat(parts));
      const options = { ...optionsOf(one), key, layout: "blob-first", iv: "first" } as const;
      expect(hex((await read(path, options)).plain)).toBe(one.plain);
    }
  });

  test("zero salt is the default of a key of 40 bits, and 8 times the bytes of RC2's effective bits", async () => {
    const zero = "0".repeat(22);
    const defaults = cases.filter(
      ({ key, salt, iv, effectiveBits, final }) =>
        salt === (key.length === 10 ? zero : undefined) &&
        !iv &&
        effectiveBits === undefined &&
        final,
    );
    expect(defaults.filter(({ alg }) => alg === "rc2").length).toBeGreaterThan(1);
    expect(defaults.filter(({ alg }) => alg === "rc4").length).toBeGreaterThan(1);
    for (const one of defaults) {
      const { salt: _, ...options } = optionsOf(one);
      const blob = write("wine.simpleblob", bytes(one.simpleblob));
      const cipher = write("wine.bin", bytes(one.cipher));
      expect(hex((await read(cipher, { ...options, key, blob })).plain)).toBe(one.plain);
    }
  });

  test("every cut of a padded file is refused, and every other last byte that makes no padding", async () => {
    const one = cases.find(({ alg, final }) => alg === "aes-256" && final)!;
    const options = { ...optionsOf(one), key, blob: write("cut.blob", bytes(one.simpleblob)) };
    const cipher = bytes(one.cipher);
    for (let length = 0; length < cipher.length; length++) {
      const path = write("cut.bin", cipher.subarray(0, length));
      const code = length > 0 && length % 16 === 0 ? "DECRYPTION_FAILED" : "BAD_FORMAT";
      await expect(read(path, options), `${length} bytes`).rejects.toMatchObject({ code });
    }
  });
});

describe.skipIf(!haveVectors)("a real CryptoAPI's files (needs ../shared/vectors)", () => {
  const capi = (path: string) => readVectors(`capi/${path}`);
  const load = (name: string) => (haveVectors ? readVectorsJson(`capi/${name}`).cases : []);
  const paddings = { pkcs1: "pkcs1-v1_5", oaep: "oaep" } as const;
  type Padding = keyof typeof paddings;

  test("every case, opened by owner and by authority", async () => {
    let count = 0;
    for (const one of load("manifest.json")) {
      if (one.cipher === undefined) continue;
      for (const who of ["owner", "authority"]) {
        const blob = write("blob", capi(one[`${who}_simpleblob`]));
        const key = write("key", capi(`keys/${one[who]}.privatekeyblob`));
        const padding = paddings[one.padding as Padding];
        const path = write("cipher", capi(one.cipher));
        const found = await read(path, { key, blob, padding, allowWeak: true });
        expect([one.id, found.key]).toEqual([one.id, one.session_key]);
        expect(Buffer.compare(found.plain, capi(one.plain)), one.id).toBe(0);
        count++;
      }
    }
    expect(count).toBe(76);
  });

  test("odd key lengths, without salt and with zeros", async () => {
    for (const one of load("extra.json")) {
      const key = write("key", capi(`keys/${one.owner}.privatekeyblob`));
      const blob = write("blob", capi(one["owner.simpleblob"].file));
      const options = { key, blob, padding: paddings[one.padding as Padding], allowWeak: true };
      const noSalt = /^rc/.test(one.alg) ? { salt: false } : {};
      const plain = capi(one["plain.bin"].file);
      const found = await read(write("c", capi(one["cipher.bin"].file)), { ...options, ...noSalt });
      expect(Buffer.compare(found.plain, plain), one.id).toBe(0);
      const zeros = one["cipher-zero-salt.bin"];
      if (zeros === undefined) continue;
      const salted = await read(write("c", capi(zeros.file)), options);
      expect(Buffer.compare(salted.plain, plain), `${one.id}, zero salt`).toBe(0);
    }
  });
});

/** A SIMPLEBLOB for the test key, made by us, and the options that open it. */
async function wrapped(alg: string, key: Buffer): Promise<OldFileOptions> {
  const { algId } = sessionAlgorithmByName(alg);
  const publicKey = await readPublicKey(Buffer.from(testKey()));
  const simpleBlob = await exportSimpleBlob(key, algId, publicKey, "pkcs1-v1_5");
  return {
    key: write("test.pem", testKey()),
    blob: write("test.blob", simpleBlob),
    allowWeak: true,
  };
}

/** About the borders of blocks, and of the pieces of 256 KiB that are decrypted together. */
const SIZES = [0, 1, 15, 16, 17, 262_127, 262_128, 262_143, 262_144, 262_145, 524_288, 700_001];
/** Of what is slow, and reads in the same pieces, one size about each border. */
const FEW_SIZES = isQuick ? [0, 1, 15, 16, 17, 262_145] : SIZES;

describe("sizes about the borders", () => {
  const MODES = { cbc: "cbc", ecb: "ecb", cfb: "cfb8" } as const;
  test.each([
    ["aes-128", 16, "aes-128", 16],
    ["aes-192", 24, "aes-192", 16],
    ["aes-256", 32, "aes-256", 16],
    ["3des-112", 16, "des-ede", 8],
    ["3des", 24, "des-ede3", 8],
  ] as const)("%s against node:crypto", async (alg, keyLength, name, block) => {
    const key = randomBytes(keyLength);
    const options = await wrapped(alg, key);
    for (const mode of ["cbc", "ecb", "cfb"] as const) {
      // Node has no two-key CFB8: its key is k1 ‖ k2 ‖ k1.
      const twoKeyCfb = mode === "cfb" && name === "des-ede";
      const cipherKey = twoKeyCfb ? Buffer.concat([key, key.subarray(0, 8)]) : key;
      const nodeName = `${twoKeyCfb ? "des-ede3" : name}-${MODES[mode]}`;
      const iv = mode === "ecb" ? null : randomBytes(block);
      for (const size of mode === "cfb" || block === 8 ? FEW_SIZES : SIZES) {
        const plain = randomBytes(size);
        const cipher = createCipheriv(nodeName, cipherKey, iv).setAutoPadding(mode !== "cfb");
        // CryptoAPI pads in CFB too.
        const pad = block - (size % block);
        const tail = mode === "cfb" ? Buffer.alloc(pad, pad) : Buffer.alloc(0);
        const sealed = Buffer.concat([cipher.update(Buffer.concat([plain, tail])), cipher.final()]);
        const path = write("sizes.bin", sealed);
        const found = await read(path, { ...options, mode, ...(iv && { iv: hex(iv) }) });
        expect(Buffer.compare(found.plain, plain), `${mode}, ${size} bytes`).toBe(0);
      }
    }
  });

  const LEGACY = ["-provider", "legacy", "-provider", "default"];
  const haveLegacy = spawnSync("openssl", ["list", "-providers", ...LEGACY]).status === 0;

  test.skipIf(!haveLegacy).each([
    ["des", 8, "des-cbc"],
    ["des", 8, "des-ecb"],
    ["des", 8, "des-cfb8"],
    ["rc2", 16, "rc2-cbc"],
    ["rc2", 16, "rc2-ecb"],
    ["rc2", 5, "rc2-40-cbc"],
    ["rc2", 8, "rc2-64-cbc"],
    ["rc4", 16, "rc4"],
    ["rc4", 5, "rc4-40"],
  ] as const)(
    "%s, %i bytes: OpenSSL's %s (needs its legacy provider)",
    async (alg, length, name) => {
      const key = randomBytes(length);
      const mode = name.includes("ecb") ? "ecb" : name.includes("cfb") ? "cfb" : "cbc";
      const hasIv = alg !== "rc4" && mode !== "ecb";
      const iv = hasIv ? hex(randomBytes(8)) : undefined;
      const options: OldFileOptions = {
        ...(await wrapped(alg, key)),
        ...(alg === "rc4" ? {} : { mode }),
        ...(iv === undefined ? {} : { iv }),
        ...(length === 5 ? { salt: false } : {}),
        ...(mode === "cfb" ? { unpadded: true } : {}),
      };
      const ivArgs = iv === undefined ? [] : ["-iv", iv];
      for (const size of FEW_SIZES) {
        const plain = randomBytes(size);
        const args = ["enc", `-${name}`, "-K", hex(key), ...ivArgs, ...LEGACY];
        const path = write("openssl.bin", openssl(args, plain));
        const found = await read(path, options);
        expect(Buffer.compare(found.plain, plain), `${size} bytes`).toBe(0);
      }
    },
  );
});

describe("what does not go together", () => {
  const key = write("usage.pem", wine.privateKey);
  const first = (alg: string) => (wine.cases as WineCase[]).find((one) => one.alg === alg)!;
  const refused: [string, string, Partial<OldFileOptions>, RegExp][] = [
    ["an IV for RC4", "rc4", { iv: "00" }, /CALG_RC4, which knows no --iv/],
    ["a mode for RC4", "rc4", { mode: "ecb" }, /CALG_RC4, which knows no --mode/],
    ["effective bits for RC4", "rc4", { effectiveBits: 40 }, /knows no --effective-bits/],
    ["a salt for AES", "aes-128", { salt: "00" }, /CALG_AES_128, which knows no --salt/],
    ["no salt for DES", "des", { salt: false }, /CALG_DES, which knows no --salt/],
    ["effective bits for 3DES", "3des", { effectiveBits: 40 }, /knows no --effective-bits/],
    ["an IV for ECB", "aes-128", { iv: "first", mode: "ecb" }, /--iv does not go with --mode ecb/],
    ["a short IV", "aes-128", { iv: "00".repeat(8) }, /--iv has 8 bytes; .* has 16/],
    ["a long IV", "des", { iv: "00".repeat(16) }, /--iv has 16 bytes; .* has 8/],
    ["an IV that is no hexadecimal", "des", { iv: "0g" }, /--iv takes whole bytes in hexadecimal/],
    ["a salt that is too long", "rc2", { salt: "00".repeat(25) }, /there is room for 24/],
    ["a salt of a hash", "rc4", { salt: "hash" }, /--salt hash goes with --password-file/],
    ["unpadded buffers", "aes-128", { unpadded: true, finalEvery: 8 }, /exclude each other/],
    ["a salt that is no hexadecimal", "rc4", { salt: "0" }, /--salt takes whole bytes/],
  ];
  test.each(refused)("%s", async (_, alg, more, message) => {
    const one = first(alg);
    const blob = write("usage.blob", bytes(one.simpleblob));
    const path = write("usage.bin", bytes(one.cipher));
    const { padding } = optionsOf(one);
    const options = { key, blob, padding: padding!, allowWeak: true, ...more };
    await expect(read(path, options)).rejects.toThrow(message);
  });

  test("neither --blob nor --layout, and both", async () => {
    const where = /where is the session key/;
    await expect(read("x", { key })).rejects.toThrow(where);
    await expect(read("x", { key, blob: "y", layout: "length32" })).rejects.toThrow(where);
  });
});
