// RSA's blocks, good and broken, and the published vectors: tests as a function of the build.
import { createPrivateKey, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  type Core,
  type HashName,
  type LoadOptions,
  loadCore,
  type Rsadp,
  type RsaPadding,
} from "twinwrap/core";
import { beforeAll, describe, expect, test } from "vitest";
import { haveVectors, readVectorsJson } from "../vectors.js";
import {
  type BigKey,
  components,
  fromJwk,
  makeKey,
  maskOaep,
  oaepBlock,
  pkcs1Block,
  rawEncrypt,
  rejectionStream,
  syntheticMessage,
  toBig,
  toBytes,
} from "./rsa-reference.js";

const PKCS1 = { padding: "pkcs1-v1_5" } as const;
const OAEP = { padding: "oaep" } as const;

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const failed = expect.objectContaining({ code: "DECRYPTION_FAILED" });
const badArgument = expect.objectContaining({ code: "BAD_ARGUMENT" });

const readJson = (name: string) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));

/**
 * @param rsadp makes what does RSADP in place of the core
 */
export function rsaBlocksSuite(
  options: LoadOptions,
  rsadp: (key: ReturnType<typeof components>) => Rsadp | undefined = () => undefined,
): void {
  let core: Core;
  let key: BigKey;
  beforeAll(async () => {
    core = await loadCore(options);
    key = makeKey(1024);
  });

  function openPrivate(big: BigKey) {
    const numbers = components(big);
    return { privateKey: core.rsaPrivateKey(numbers, rsadp(numbers)) };
  }

  describe("RSA blocks that are not in order", () => {
    const k = 128;

    /** v1.5 blocks: one rule broken in each. */
    function brokenPkcs1(): [string, Uint8Array][] {
      const good = () => pkcs1Block(k, Buffer.alloc(32, 7));
      const change = (at: number, value: number) => {
        const block = good();
        block[at] = value;
        return block;
      };
      const noSeparator = good().fill(0xa5, 2);
      return [
        ["first byte 01", change(0, 1)],
        ["second byte 00", change(1, 0)],
        ["second byte 01", change(1, 1)],
        ["second byte 03", change(1, 3)],
        ["no separator", noSeparator],
        ["all zeros", Buffer.alloc(k)],
        ...Array.from({ length: 8 }, (_, i): [string, Uint8Array] => [
          `separator after ${i} bytes of filler`,
          change(2 + i, 0),
        ]),
      ];
    }

    test("v1.5: decryptChecked fails, decrypt and unwrapKey give what implicit rejection demands", () => {
      const { privateKey } = openPrivate(key);
      for (const [what, block] of brokenPkcs1()) {
        const ciphertext = rawEncrypt(key, block);
        expect(() => privateKey.decryptChecked(ciphertext, PKCS1), what).toThrow(failed);
        const synthetic = hex(syntheticMessage(key, ciphertext));
        expect(hex(privateKey.decrypt(ciphertext, PKCS1)), what).toBe(synthetic);
        for (const length of [0, 16, 32, k - 11]) {
          const stream = rejectionStream(key, ciphertext, "message", k);
          expect(hex(privateKey.unwrapKey(ciphertext, { ...PKCS1, length })), what).toBe(
            hex(stream.subarray(k - length)),
          );
        }
      }
    });

    test("v1.5: eight bytes of filler are enough", () => {
      const block = pkcs1Block(k, Buffer.alloc(k - 11, 9));
      const ciphertext = rawEncrypt(key, block);
      expect(hex(openPrivate(key).privateKey.decryptChecked(ciphertext, PKCS1))).toBe(
        "09".repeat(k - 11),
      );
    });

    test("OAEP: decrypt and decryptChecked fail, unwrapKey gives a key that d and the block determine", () => {
      const { privateKey } = openPrivate(key);
      const seed = randomBytes(20);
      const message = Buffer.alloc(32, 7);
      const good = oaepBlock(k, "SHA-1", Buffer.alloc(0), message);
      const change = (at: number, value: number) => {
        const block = Buffer.from(good);
        block[at] = value;
        return maskOaep("SHA-1", seed, block);
      };
      const one = good.indexOf(1, 20);
      const broken: [string, Uint8Array][] = [
        ["first byte 01", maskOaep("SHA-1", seed, good, 1)],
        ["first bit of the label's hash", change(0, good[0]! ^ 0x80)],
        ["last bit of the label's hash", change(19, good[19]! ^ 1)],
        ["02 in place of 01", change(one, 2)],
        ["ff in place of 01", change(one, 255)],
        ["a byte among the zeros", change(30, 4)],
        ["no 01", maskOaep("SHA-1", seed, Buffer.concat([good.subarray(0, 20), Buffer.alloc(87)]))],
        ["a zero block", Buffer.alloc(k)],
      ];
      for (const [what, block] of broken) {
        const ciphertext = rawEncrypt(key, block);
        expect(() => privateKey.decrypt(ciphertext, OAEP), what).toThrow(failed);
        expect(() => privateKey.decryptChecked(ciphertext, OAEP), what).toThrow(failed);
        for (const length of [16, 32, 86]) {
          expect(hex(privateKey.unwrapKey(ciphertext, { ...OAEP, length })), what).toBe(
            hex(rejectionStream(key, ciphertext, "oaep", length)),
          );
        }
      }
      const ciphertext = rawEncrypt(key, maskOaep("SHA-1", seed, good));
      expect(hex(privateKey.unwrapKey(ciphertext, { ...OAEP, length: 32 }))).toBe(hex(message));
    });

    test.each([PKCS1, OAEP])(
      "unwrapKey, $padding: a message of another length gives no part of it",
      (padding) => {
        const publicKey = core.rsaPublicKey(components(key));
        const { privateKey } = openPrivate(key);
        for (const length of [0, 1, 31, 32, 33, 64]) {
          const message = randomBytes(length);
          const ciphertext = publicKey.encrypt(message, padding);
          const got = hex(privateKey.unwrapKey(ciphertext, { ...padding, length: 32 }));
          const stream =
            padding === OAEP
              ? rejectionStream(key, ciphertext, "oaep", 32)
              : rejectionStream(key, ciphertext, "message", k).subarray(k - 32);
          expect(got).toBe(hex(length === 32 ? message : stream));
        }
        for (const length of [-1, 1.5, k - 10]) {
          const ciphertext = randomBytes(k);
          expect(() => privateKey.unwrapKey(ciphertext, { ...padding, length })).toThrow(
            badArgument,
          );
        }
      },
    );

    test("ciphertexts that are no number below n of k bytes fail alike in all three calls", () => {
      const { privateKey } = openPrivate(key);
      const n = key.n;
      const wrong = [n, n + 1n, 2n ** 1024n - 1n].map((c) => toBytes(c, k));
      wrong.push(randomBytes(0), randomBytes(k - 1), toBytes(5n, k + 1));
      for (const padding of [PKCS1, OAEP]) {
        for (const ciphertext of wrong) {
          expect(() => privateKey.decrypt(ciphertext, padding)).toThrow(failed);
          expect(() => privateKey.decryptChecked(ciphertext, padding)).toThrow(failed);
          expect(() => privateKey.unwrapKey(ciphertext, { ...padding, length: 32 })).toThrow(
            failed,
          );
        }
      }
      for (const c of [0n, 1n, 2n, n - 2n, n - 1n, key.p, key.q, n - key.p]) {
        const ciphertext = toBytes(c, k);
        expect(hex(privateKey.decrypt(ciphertext, PKCS1))).toBe(
          hex(syntheticMessage(key, ciphertext)),
        );
      }
    });

    test("v1.5: a synthetic message has k - 11 bytes at most, and may have them all", () => {
      const { privateKey } = openPrivate(key);
      const length = (candidates: Buffer, most: number) => {
        let found = 0;
        for (let i = 0; i < 256; i += 2) {
          const candidate = candidates.readUInt16BE(i) & 127; // 7 bits hold all to k - 11
          if (candidate <= most) found = candidate;
        }
        return found;
      };
      // Ciphertexts of which the last candidate to count is the longest, or would be one more.
      for (const wanted of [k - 11, k - 10]) {
        for (let c = 2n; ; c++) {
          const ciphertext = toBytes(c, k);
          const candidates = rejectionStream(key, ciphertext, "length", 256);
          if (length(candidates, wanted) !== wanted) continue;
          const message = privateKey.decrypt(ciphertext, PKCS1);
          expect(message.length).toBe(length(candidates, k - 11));
          expect(hex(message)).toBe(hex(syntheticMessage(key, ciphertext)));
          break;
        }
      }
    });

    test("OpenSSL's vectors of implicit rejection", () => {
      let [cases, truncated] = [0, 0];
      for (const group of readJson("implicit-rejection.json").groups) {
        const der = {
          key: Buffer.from(group.key, "base64"),
          format: "der",
          type: "pkcs1",
        } as const;
        const big = fromJwk(
          createPrivateKey(der).export({ format: "jwk" }) as Record<string, string>,
        );
        const { privateKey } = openPrivate(big);
        for (const { what, wellFormed, ciphertext, message } of group.cases) {
          const bytes = new Uint8Array(Buffer.from(ciphertext, "hex"));
          expect(hex(privateKey.decrypt(bytes, PKCS1)), what).toBe(message);
          const checked = () => hex(privateKey.decryptChecked(bytes, PKCS1));
          if (wellFormed) expect(checked(), what).toBe(message);
          else expect(checked, what).toThrow(failed);
          // OpenSSL has some of these once more without their zeros, and takes them. RFC 8017, section
          // 7.2.2, does not: a ciphertext is as long as the modulus.
          if (bytes[0] === 0) {
            const cut = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
            expect(() => privateKey.decrypt(cut, PKCS1), what).toThrow(failed);
            truncated++;
          }
          cases++;
        }
      }
      expect([cases, truncated]).toEqual([42, 12]);
    });
  });

  describe.skipIf(!haveVectors)("RSA, Wycheproof (needs ../shared/vectors)", () => {
    interface Case {
      tcId: number;
      msg: string;
      ct: string;
      label?: string;
      result: string;
    }
    interface Group {
      privateKeyJwk: Record<string, string>;
      sha?: HashName;
      mgfSha?: HashName;
      tests: Case[];
    }
    test.each([
      ["rsa_pkcs1_2048", { valid: 42, invalid: 25 }],
      ["rsa_oaep_2048_sha1_mgf1sha1", { valid: 17, invalid: 19 }],
      ["rsa_oaep_2048_sha256_mgf1sha256", { valid: 18, invalid: 19 }],
    ])("%s: every case", (name, expected) => {
      const seen = { valid: 0, invalid: 0 };
      for (const group of readVectorsJson(`wycheproof/${name}_test.json`).testGroups as Group[]) {
        const big = fromJwk(group.privateKeyJwk);
        const { privateKey } = openPrivate(big);
        for (const { tcId, msg, ct, label, result } of group.tests) {
          const what = `case ${tcId}`;
          const ciphertext = new Uint8Array(Buffer.from(ct, "hex"));
          const padding: RsaPadding = group.sha
            ? {
                ...OAEP,
                hash: group.sha,
                mgf1Hash: group.mgfSha,
                label: Buffer.from(label!, "hex"),
              }
            : PKCS1;
          const decrypt = () => hex(privateKey.decrypt(ciphertext, padding));
          const checked = () => hex(privateKey.decryptChecked(ciphertext, padding));
          if (result === "valid") {
            expect(decrypt(), what).toBe(msg);
            expect(checked(), what).toBe(msg);
          } else {
            expect(checked, what).toThrow(failed);
            const block = ciphertext.length === 256 && toBig(ciphertext) < big.n;
            if (group.sha || !block) expect(decrypt, what).toThrow(failed);
            else expect(decrypt(), what).toBe(hex(syntheticMessage(big, ciphertext)));
          }
          seen[result as keyof typeof seen]++;
        }
        privateKey.dispose();
      }
      expect(seen).toEqual(expected);
    });
  });
}
