// The hashes' tests, as a function of the build: every build of the core runs the same.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { type Core, type HashName, type LoadOptions, loadCore } from "twinwrap/core";
import { beforeAll, describe, expect, test } from "vitest";
import { haveVectors, readVectorsJson } from "../vectors.js";

const HASHES = [
  { name: "SHA-1", node: "sha1", size: 20, block: 64 },
  { name: "SHA-256", node: "sha256", size: 32, block: 64 },
  { name: "SHA-512", node: "sha512", size: 64, block: 128 },
] as const;

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const utf8 = (text: string) => new TextEncoder().encode(text);
const bytes = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

export function hashSuite(options: LoadOptions): void {
  let core: Core;
  beforeAll(async () => {
    core = await loadCore(options);
  });

  const digest = (name: HashName, data: Uint8Array) =>
    name === "SHA-1" ? core.sha1(data) : name === "SHA-256" ? core.sha256(data) : core.sha512(data);

  describe("hashes", () => {
    // FIPS 180-2, appendices A to C (the examples that NIST publishes for each hash)
    const TWO_BLOCKS = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    const TWO_LONG_BLOCKS =
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    test.each([
      ["SHA-1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
      ["SHA-1", TWO_BLOCKS, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"],
      ["SHA-1", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
      ["SHA-256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
      ["SHA-256", TWO_BLOCKS, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"],
      ["SHA-256", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
      [
        "SHA-512",
        "abc",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
      ],
      [
        "SHA-512",
        TWO_LONG_BLOCKS,
        "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
      ],
    ] as const)("%s of %j as FIPS 180 prints it", (name, text, expected) => {
      expect(hex(digest(name, utf8(text)))).toBe(expected);
    });

    describe.each(HASHES)("$name", ({ name, node, size, block }) => {
      test("equals node:crypto at every length to 300 and around block and window ends", () => {
        const data = randomBytes(2 * 65536 + block + 1);
        const lengths = Array.from({ length: 301 }, (_, i) => i);
        for (const edge of [1024, 65536 - block, 65536, 65536 + block, 2 * 65536]) {
          for (let i = -1; i <= 1; i++) lengths.push(edge + i);
        }
        for (const length of lengths) {
          const part = data.subarray(0, length);
          expect(hex(digest(name, part)), `${length} bytes`).toBe(
            createHash(node).update(part).digest("hex"),
          );
        }
      });

      test("takes a message in any two pieces", () => {
        const data = randomBytes(2 * block + 5);
        const expected = createHash(node).update(data).digest("hex");
        for (let cut = 0; cut <= data.length; cut++) {
          const hasher = core.hasher(name);
          hasher.update(data.subarray(0, cut)).update(data.subarray(cut));
          expect(hex(hasher.digest()), `cut at ${cut}`).toBe(expected);
        }
      });

      test("takes a long message in uneven pieces, larger than the window too", () => {
        const data = randomBytes(400_000);
        const hasher = core.hasher(name);
        for (let at = 0, length = 1; at < data.length; at += length, length = length * 3 + 1) {
          hasher.update(data.subarray(at, at + length));
        }
        expect(hex(hasher.digest())).toBe(createHash(node).update(data).digest("hex"));
      });

      test("HMAC equals node:crypto for keys around the block size and messages around block ends", () => {
        const data = randomBytes(65536 + 200);
        for (const keyLength of [0, 1, size, block - 1, block, block + 1, 200, 70_000]) {
          const key = randomBytes(keyLength);
          for (const length of [0, 1, block - size, block - 9, block, block + 1, 65536, 65736]) {
            const part = data.subarray(0, length);
            expect(hex(core.hmac(name, key, part)), `${keyLength}, ${length}`).toBe(
              createHmac(node, key).update(part).digest("hex"),
            );
          }
        }
      });

      test("PBKDF2 equals node:crypto: iterations, lengths, passwords and salts of all sizes", () => {
        for (const [password, salt, iterations, length] of [
          [0, 0, 1, 1],
          [8, 16, 2, size],
          [block, 16, 3, size - 1],
          [block + 1, 64, 100, size + 1],
          [300, 70_000, 5, 3 * size + 7],
          [20, 16, 10_001, size],
          [20, 16, 20_001, 2 * size],
        ] as const) {
          const p = randomBytes(password);
          const s = randomBytes(salt);
          expect(hex(core.pbkdf2(name, p, s, iterations, length))).toBe(
            pbkdf2Sync(p, s, iterations, length, node).toString("hex"),
          );
        }
      });

      test("HKDF-Expand gives the 255 blocks that it may, and not a byte more", () => {
        const prk = randomBytes(size);
        const info = randomBytes(80);
        // RFC 5869, section 2.3, by node's HMAC
        let previous = Buffer.alloc(0);
        const blocks: Buffer[] = [];
        for (let i = 1; i <= 255; i++) {
          previous = createHmac(node, prk)
            .update(previous)
            .update(info)
            .update(Uint8Array.of(i))
            .digest();
          blocks.push(previous);
        }
        const whole = Buffer.concat(blocks);
        for (const length of [0, 1, size - 1, size, size + 1, 100, 255 * size]) {
          expect(hex(core.hkdfExpand(name, prk, info, length))).toBe(
            hex(whole.subarray(0, length)),
          );
        }
        for (const length of [255 * size + 1, -1, 0.5, Number.NaN]) {
          expect(() => core.hkdfExpand(name, prk, info, length)).toThrow(
            expect.objectContaining({ code: "BAD_ARGUMENT" }),
          );
        }
      });
    });

    test("several hashes at work at a time do not mix", () => {
      const data = randomBytes(3000);
      const open = HASHES.flatMap((hash) => [hash, hash]).map((hash, i) => ({
        hasher: core.hasher(hash.name),
        node: createHash(hash.node),
        step: 11 + 7 * i,
      }));
      for (let turn = 0; turn < 20; turn++) {
        for (const { hasher, node, step } of open) {
          const part = data.subarray(turn * step, (turn + 1) * step);
          hasher.update(part);
          node.update(part);
          core.hmac("SHA-512", part, part);
        }
      }
      for (const { hasher, node } of open) expect(hex(hasher.digest())).toBe(node.digest("hex"));
    });

    test("a finished hash takes and gives nothing more", () => {
      const hasher = core.hasher("SHA-256");
      hasher.digest();
      const disposed = expect.objectContaining({ code: "DISPOSED" });
      expect(() => hasher.update(Uint8Array.of(1))).toThrow(disposed);
      expect(() => hasher.digest()).toThrow(disposed);
    });

    test("a hash that does not exist is refused by name", () => {
      const bad = expect.objectContaining({ code: "BAD_ARGUMENT" });
      for (const name of ["SHA-3", "sha256", "toString", ""] as unknown as HashName[]) {
        expect(() => core.hasher(name)).toThrow(bad);
        expect(() => core.hmac(name, bytes("00"), bytes("00"))).toThrow(bad);
      }
    });
  });

  describe("HMAC, HKDF and PBKDF2, published vectors", () => {
    test("HMAC: RFC 4231, test cases 2 and 6; RFC 2202, test case 2", () => {
      const what = utf8("what do ya want for nothing?");
      expect(hex(core.hmac("SHA-1", utf8("Jefe"), what))).toBe(
        "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
      );
      expect(hex(core.hmac("SHA-256", utf8("Jefe"), what))).toBe(
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      );
      const long = utf8("Test Using Larger Than Block-Size Key - Hash Key First");
      expect(hex(core.hmac("SHA-256", new Uint8Array(131).fill(0xaa), long))).toBe(
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      );
    });

    test("HKDF: RFC 5869, test cases 1 (SHA-256) and 4 (SHA-1)", () => {
      const info = bytes("f0f1f2f3f4f5f6f7f8f9");
      const prk = core.hmac("SHA-256", bytes("000102030405060708090a0b0c"), bytes("0b".repeat(22)));
      expect(hex(prk)).toBe("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
      expect(hex(core.hkdfExpand("SHA-256", prk, info, 42))).toBe(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
      );
      const prk1 = core.hmac("SHA-1", bytes("000102030405060708090a0b0c"), bytes("0b".repeat(11)));
      expect(hex(core.hkdfExpand("SHA-1", prk1, info, 42))).toBe(
        "085a01ea1b10f36933068b56efa5ad81a4f14b822f5b091568a9cdd4f155fda2c22e422478d305f3f896",
      );
    });

    test("PBKDF2: RFC 6070 (SHA-1) and RFC 7914, section 11 (SHA-256)", () => {
      const run = (hash: HashName, password: string, salt: string, count: number, length: number) =>
        hex(core.pbkdf2(hash, utf8(password), utf8(salt), count, length));
      expect(run("SHA-1", "password", "salt", 4096, 20)).toBe(
        "4b007901b765489abead49d926f721d065a429c1",
      );
      expect(run("SHA-1", "pass\0word", "sa\0lt", 4096, 16)).toBe(
        "56fa6aa75548099dcc37d7f03425e0c3",
      );
      expect(run("SHA-256", "passwd", "salt", 1, 64)).toBe(
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
      );
    });

    test("PBKDF2 refuses counts and lengths that are out of range", () => {
      const salt = bytes("00");
      for (const [iterations, length] of [
        [0, 32],
        [-1, 32],
        [1.5, 32],
        [2 ** 32, 32],
        [1, 0],
        [1, -1],
        [1, 2 ** 20 + 1],
      ] as const) {
        expect(() => core.pbkdf2("SHA-256", salt, salt, iterations, length)).toThrow(
          expect.objectContaining({ code: "BAD_ARGUMENT" }),
        );
      }
    });
  });

  describe.skipIf(!haveVectors)("HKDF-SHA-512, Wycheproof (needs ../shared/vectors)", () => {
    interface Case {
      tcId: number;
      ikm: string;
      salt: string;
      info: string;
      size: number;
      okm: string;
      result: string;
    }
    test("every case", () => {
      const file = readVectorsJson("wycheproof/hkdf_sha512_test.json");
      const seen = { valid: 0, invalid: 0 };
      for (const group of file.testGroups as { tests: Case[] }[]) {
        for (const { tcId, ikm, salt, info, size, okm, result } of group.tests) {
          const prk = core.hmac("SHA-512", bytes(salt), bytes(ikm));
          const expand = () => hex(core.hkdfExpand("SHA-512", prk, bytes(info), size));
          if (result === "valid") expect(expand(), `case ${tcId}`).toBe(okm);
          else expect(expand, `case ${tcId}`).toThrow();
          seen[result as keyof typeof seen]++;
        }
      }
      expect(seen).toEqual({ valid: 80, invalid: 3 });
    });
  });
}
