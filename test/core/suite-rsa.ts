// RSA's tests, as a function of the build: every build of the core runs the same. Oracles: BigInt
// (rsa-reference.ts) and node:crypto. Broken blocks and published vectors: suite-rsa-blocks.ts.
import {
  createPrivateKey,
  createPublicKey,
  constants as NODE,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from "node:crypto";
import { readFileSync } from "node:fs";
import {
  type Core,
  type HashName,
  type LoadOptions,
  loadCore,
  type RsaPadding,
} from "twinwrap/core";
import { beforeAll, describe, expect, test } from "vitest";
import { isQuick } from "../quick.js";
import {
  type BigKey,
  bitLength,
  byteLength,
  components,
  jwk,
  keyFromPrimes,
  makeKey,
  maskOaep,
  oaepBlock,
  pkcs1Block,
  rawDecrypt,
  rawEncrypt,
  toBytes,
} from "./rsa-reference.js";

const HASHES: HashName[] = ["SHA-1", "SHA-256", "SHA-512"];
const SIZES = { "SHA-1": 20, "SHA-256": 32, "SHA-512": 64 };
const PKCS1 = { padding: "pkcs1-v1_5" } as const;
const OAEP = { padding: "oaep" } as const;

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const failed = expect.objectContaining({ code: "DECRYPTION_FAILED" });
const badKey = expect.objectContaining({ code: "BAD_KEY" });
const badArgument = expect.objectContaining({ code: "BAD_ARGUMENT" });

const readJson = (name: string) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));

export function rsaSuite(options: LoadOptions): void {
  let core: Core;
  let key: BigKey;
  beforeAll(async () => {
    core = await loadCore(options);
    key = makeKey(1024);
  });

  /** Both directions with both paddings, against BigInt and, for keys that it takes, node:crypto. */
  function checkKey(big: BigKey, node = true): void {
    const k = byteLength(big.n);
    const publicKey = core.rsaPublicKey(components(big));
    const privateKey = core.rsaPrivateKey(components(big));
    const message = randomBytes(Math.min(16, k - 42));

    const v15 = publicKey.encrypt(message, PKCS1);
    expect(v15.length).toBe(k);
    const block = rawDecrypt(big, v15);
    expect(hex(block.subarray(0, 2))).toBe("0002");
    expect(block.indexOf(0, 1)).toBe(k - 1 - message.length);
    expect(hex(block.subarray(k - message.length))).toBe(hex(message));
    expect(hex(privateKey.decryptChecked(v15, PKCS1))).toBe(hex(message));
    const theirs = rawEncrypt(big, pkcs1Block(k, message));
    expect(hex(privateKey.decrypt(theirs, PKCS1))).toBe(hex(message));

    const oaep = publicKey.encrypt(message, OAEP);
    expect(hex(privateKey.decrypt(oaep, OAEP))).toBe(hex(message));
    if (node) {
      const padding = NODE.RSA_PKCS1_OAEP_PADDING;
      const nodeKey = createPrivateKey({ key: jwk(big), format: "jwk" });
      expect(hex(privateDecrypt({ key: nodeKey, padding }, oaep))).toBe(hex(message));
      const nodes = publicEncrypt({ key: createPublicKey(nodeKey), padding }, message);
      expect(hex(privateKey.decrypt(nodes, OAEP))).toBe(hex(message));
    }
    publicKey.dispose();
    privateKey.dispose();
  }

  describe("RSA keys of every kind", () => {
    test.each([
      ...[512, 513, 514, 515, 516, 517, 518, 519, 520, 533, 560, 561, 1019, 1024, 1032, 1037],
      ...[2048, 2055, 2056, 3072, ...(isQuick ? [] : [4096])],
    ])("%i bits", (bits) => checkKey(makeKey(bits)));

    test.each([3n, 5n, 17n, 257n, 65539n, 2n ** 31n + 11n, 2n ** 32n - 1n])("e = %i", (e) =>
      checkKey(makeKey(768, e)),
    );

    test("p < q as well as p > q", () => {
      const { p, q } = makeKey(1024);
      for (const [a, b] of [
        [p, q],
        [q, p],
      ] as const) {
        checkKey(keyFromPrimes(a, b, 65537n));
      }
    });

    test.each([
      [1024, 324],
      [1024, 700],
      [1031, 401],
      [1031, 630],
      [512, 64],
      [512, 448],
      ...(isQuick ? [] : [[2048, 100]]),
    ] as [number, number][])("%i bits with a p of %i bits", (bits, pBits) =>
      checkKey(makeKey(bits, 65537n, pBits), false),
    );

    test.skipIf(isQuick)("16384 bits", () => {
      const [p, q] = readJson("primes-8192.json").primes.map((text: string) => BigInt(`0x${text}`));
      const big = keyFromPrimes(p, q, 65537n);
      expect(bitLength(big.n)).toBe(16384);
      const publicKey = core.rsaPublicKey(components(big));
      const privateKey = core.rsaPrivateKey(components(big));
      const message = randomBytes(2048 - 11);
      const ciphertext = publicKey.encrypt(message, PKCS1);
      expect(hex(privateKey.decrypt(ciphertext, PKCS1))).toBe(hex(message));
      const nodeKey = createPublicKey({ key: jwk(big), format: "jwk" });
      const block = pkcs1Block(2048, message);
      const nodes = publicEncrypt({ key: nodeKey, padding: NODE.RSA_NO_PADDING }, block);
      expect(hex(nodes)).toBe(hex(rawEncrypt(big, block)));
      expect(hex(privateKey.decryptChecked(nodes, PKCS1))).toBe(hex(message));
    });

    // 2^a - 1 is prime for these a: numbers of nothing but ones, far from and near to each other in length.
    test.each([
      [521, 607],
      [607, 521],
      [1279, 127],
      [89, 2203],
      ...(isQuick ? [] : [[2281, 3217]]),
    ] as [number, number][])("Mersenne primes of %i and %i bits", (a, b) => {
      checkKey(keyFromPrimes(2n ** BigInt(a) - 1n, 2n ** BigInt(b) - 1n, 65537n), false);
    });

    test("zeros in front of the numbers do not matter", () => {
      const padded = Object.fromEntries(
        Object.entries(components(key)).map(([name, b]) => [
          name,
          Buffer.concat([Buffer.alloc(5), b]),
        ]),
      ) as unknown as ReturnType<typeof components>;
      const message = randomBytes(20);
      const ciphertext = core.rsaPublicKey(padded).encrypt(message, OAEP);
      expect(hex(core.rsaPrivateKey(padded).decrypt(ciphertext, OAEP))).toBe(hex(message));
    });

    test("more keys than the core has places for, used in turns", () => {
      const keys = Array.from({ length: 9 }, () => {
        const big = makeKey(512);
        return { publicKey: core.rsaPublicKey(components(big)), ...openPrivate(big) };
      });
      for (let turn = 0; turn < 40; turn++) {
        const { publicKey, privateKey } = keys[(turn * 7) % keys.length]!;
        const message = randomBytes(turn % 23);
        const ciphertext = publicKey.encrypt(message, OAEP);
        expect(hex(privateKey.decrypt(ciphertext, OAEP))).toBe(hex(message));
        if (turn === 20) keys[0]!.privateKey.dispose();
        if (turn === 20) keys.splice(0, 1);
      }
    });

    test("a key that was disposed of refuses everything, and may be disposed of again", () => {
      const publicKey = core.rsaPublicKey(components(key));
      const { privateKey } = openPrivate(key);
      const disposed = expect.objectContaining({ code: "DISPOSED" });
      for (const k of [publicKey, privateKey]) {
        k.dispose();
        k.dispose();
      }
      expect(() => publicKey.encrypt(randomBytes(1), OAEP)).toThrow(disposed);
      expect(() => privateKey.decrypt(randomBytes(128), OAEP)).toThrow(disposed);
      expect(() => privateKey.decryptChecked(randomBytes(1), OAEP)).toThrow(disposed);
      expect(() => privateKey.unwrapKey(randomBytes(1), { ...PKCS1, length: 9 })).toThrow(disposed);
    });
  });

  function openPrivate(big: BigKey) {
    return { privateKey: core.rsaPrivateKey(components(big)) };
  }

  describe("RSA messages of every length", () => {
    test("v1.5, 0 to k - 11 bytes and not one more", () => {
      const big = makeKey(512);
      const publicKey = core.rsaPublicKey(components(big));
      const { privateKey } = openPrivate(big);
      for (let length = 0; length <= 53; length++) {
        const message = randomBytes(length);
        const ciphertext = publicKey.encrypt(message, PKCS1);
        expect(hex(privateKey.decryptChecked(ciphertext, PKCS1))).toBe(hex(message));
        expect(hex(privateKey.decrypt(ciphertext, PKCS1))).toBe(hex(message));
      }
      expect(() => publicKey.encrypt(randomBytes(54), PKCS1)).toThrow(badArgument);
    });

    test("OAEP, 0 to k - 2·hash - 2 bytes and not one more, all hashes and labels", () => {
      const big = makeKey(1304);
      const publicKey = core.rsaPublicKey(components(big));
      const { privateKey } = openPrivate(big);
      const nodeKey = createPrivateKey({ key: jwk(big), format: "jwk" });
      for (const hash of HASHES) {
        const room = 163 - 2 * SIZES[hash] - 2;
        for (const length of [0, 1, 2, room - 1, room]) {
          const label = randomBytes(length % 3 === 0 ? 0 : 100);
          const message = randomBytes(length);
          const ciphertext = publicKey.encrypt(message, { ...OAEP, hash, label });
          expect(hex(privateKey.decrypt(ciphertext, { ...OAEP, hash, label }))).toBe(hex(message));
          const node = { key: nodeKey, oaepHash: hash.replace("-", ""), oaepLabel: label };
          expect(hex(privateDecrypt(node, ciphertext))).toBe(hex(message));
          const nodes = publicEncrypt(node, message);
          expect(hex(privateKey.decryptChecked(nodes, { ...OAEP, hash, label }))).toBe(
            hex(message),
          );
          const other = { ...OAEP, hash, label: randomBytes(3) };
          expect(() => privateKey.decrypt(ciphertext, other)).toThrow(failed);
        }
        expect(() => publicKey.encrypt(randomBytes(room + 1), { ...OAEP, hash })).toThrow(
          badArgument,
        );
      }
    });

    test("a hash of MGF1 that is not the label's", () => {
      const big = makeKey(1304);
      const k = byteLength(big.n);
      const { privateKey } = openPrivate(big);
      for (const hash of HASHES) {
        for (const mgf1Hash of HASHES) {
          const message = randomBytes(10);
          const block = oaepBlock(k, hash, randomBytes(0), message);
          const seed = randomBytes(SIZES[hash]);
          const ciphertext = rawEncrypt(big, maskOaep(mgf1Hash, seed, block));
          expect(hex(privateKey.decrypt(ciphertext, { ...OAEP, hash, mgf1Hash }))).toBe(
            hex(message),
          );
          if (hash !== mgf1Hash) {
            expect(() => privateKey.decrypt(ciphertext, { ...OAEP, hash })).toThrow(failed);
          }
        }
      }
    });

    test("a key too short for the hash, and paddings that do not exist", () => {
      const big = makeKey(512);
      const publicKey = core.rsaPublicKey(components(big));
      const { privateKey } = openPrivate(big);
      const long = { ...OAEP, hash: "SHA-512" } as const;
      expect(() => publicKey.encrypt(randomBytes(0), long)).toThrow(badArgument);
      expect(() => privateKey.decrypt(randomBytes(64), long)).toThrow(badArgument);
      for (const bad of [{ padding: "none" }, {}, { padding: "oaep", hash: "MD5" }]) {
        const padding = bad as unknown as RsaPadding;
        expect(() => publicKey.encrypt(randomBytes(1), padding)).toThrow(badArgument);
        expect(() => privateKey.decrypt(randomBytes(64), padding)).toThrow(badArgument);
      }
    });
  });

  describe("RSA keys that are none", () => {
    test("public: sizes, parity, exponents", () => {
      const { n } = key;
      const e = 65537n;
      const bad: [string, bigint, bigint][] = [
        ["n = 0", 0n, e],
        ["n = 1", 1n, e],
        ["511 bits", makeKey(511).n, e],
        ["16385 bits", 2n ** 16384n + 1n, e],
        ["far too long", 2n ** 100_000n + 1n, e],
        ["even n", n - 1n, e],
        ["e = 0", n, 0n],
        ["e = 1", n, 1n],
        ["e = 2", n, 2n],
        ["even e", n, 65536n],
        ["e = 2^32 + 1", n, 2n ** 32n + 1n],
        ["e as long as n", n, n - 2n],
      ];
      for (const [what, modulus, exponent] of bad) {
        const given = { n: toBytes(modulus), e: toBytes(exponent) };
        expect(() => core.rsaPublicKey(given), what).toThrow(badKey);
      }
      expect(() => core.rsaPublicKey({ n: new Uint8Array(0), e: toBytes(e) })).toThrow(badKey);
      const text = { n: "aa", e: toBytes(e) } as unknown as { n: Uint8Array; e: Uint8Array };
      expect(() => core.rsaPublicKey(text)).toThrow(badArgument);
    });

    test("private: any number altered, swapped, missing or of a foreign size", () => {
      const big = makeKey(768);
      const other = makeKey(768);
      const names = ["n", "e", "d", "p", "q", "dp", "dq", "qi"] as const;
      for (const name of names) {
        const value = big[name];
        const altered = [
          0n,
          1n,
          2n,
          value + 1n,
          value + 2n,
          value ^ (1n << 20n),
          other[name],
          2n ** 768n,
        ];
        altered.push(
          value << 8n,
          value + big.p,
          value + big.q,
          2n ** 16384n - 1n,
          2n ** 16400n + 1n,
        );
        for (const wrong of altered.filter((v) => v !== value)) {
          const given = components({ ...big, [name]: wrong });
          expect(() => core.rsaPrivateKey(given), `${name} = ${wrong}`).toThrow(badKey);
        }
        const missing = { ...components(big), [name]: new Uint8Array(0) };
        expect(() => core.rsaPrivateKey(missing), `no ${name}`).toThrow(badKey);
      }
      const { n, e, d, p, q, dp, dq, qi } = big;
      for (const wrong of [
        { n, e, d, p: q, q: p, dp, dq, qi },
        { n, e, d, p, q, dp: dq, dq: dp, qi },
        { n, e, d, p: n, q: 1n, dp, dq, qi },
        { n, e, d, p: 1n, q: n, dp, dq, qi },
        { n: p * p, e, d, p, q: p, dp, dq: dp, qi },
        { ...big, dp: dp + p - 1n },
      ]) {
        expect(() => core.rsaPrivateKey(components(wrong))).toThrow(badKey);
      }
    });

    test("private: numbers that are right in their lowest 28 bits only", () => {
      const big = makeKey(768);
      const { e, d, p, q, qi } = big;
      const almost = 1n + (1n << 28n); // in place of 1
      const order = (p - 1n) * (q - 1n);
      const other = (d * almost) % order;
      expect((e * other) % (p - 1n)).toBe(almost);
      for (const wrong of [
        { ...big, qi: (qi * almost) % p },
        { ...big, d: other, dp: other % (p - 1n), dq: other % (q - 1n) },
        { ...big, dp: big.dp ^ (1n << 200n) },
        { ...big, n: big.n ^ (1n << 400n) },
      ]) {
        expect(() => core.rsaPrivateKey(components(wrong))).toThrow(badKey);
      }
    });

    test("private: a d of n and more that is right but for its size", () => {
      for (;;) {
        const big = makeKey(768);
        const order = (big.p - 1n) * (big.q - 1n);
        // d is right modulo p - 1 and q - 1, and as long as n.
        const d = big.d + ((big.n - big.d) / order + 1n) * order;
        if (bitLength(d) > 768) continue;
        expect(d >= big.n).toBe(true);
        expect(() => core.rsaPrivateKey(components({ ...big, d }))).toThrow(badKey);
        core.rsaPrivateKey(components(big)).dispose();
        break;
      }
    });

    test("private: a prime of 63 bits, whichever it is", () => {
      const { p, q } = makeKey(512, 65537n, 63);
      for (const [a, b] of [
        [p, q],
        [q, p],
      ] as const) {
        const given = components(keyFromPrimes(a, b, 65537n));
        expect(() => core.rsaPrivateKey(given)).toThrow(badKey);
        core.rsaPublicKey(given).dispose();
      }
    });

    test("a p that is no prime: the result's check tells, not a wrong plaintext", () => {
      const { p: r, q: s } = makeKey(384);
      const big = (() => {
        for (;;) {
          const { p } = makeKey(768);
          try {
            return keyFromPrimes(p, r * s, 65537n);
          } catch {
            // e has no inverse: another p
          }
        }
      })();
      const { privateKey } = openPrivate(big);
      const fault = expect.objectContaining({ code: "FAULT" });
      const ciphertext = rawEncrypt(big, pkcs1Block(96, randomBytes(32)));
      expect(() => privateKey.decrypt(ciphertext, PKCS1)).toThrow(fault);
      expect(() => privateKey.unwrapKey(ciphertext, { ...PKCS1, length: 32 })).toThrow(fault);
    });
  });
}
