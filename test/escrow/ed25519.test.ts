import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { loadCore } from "twinwrap/core";
import { describe, expect, test } from "vitest";
import * as anywhere from "#build/escrow/ed25519.js";
import * as inNode from "#build/escrow/ed25519.node.js";

const core = await loadCore();
const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

const P = 2n ** 255n - 19n;
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** 32 bytes, little-endian, with the sign of x in the highest bit. */
function encode(y: bigint, sign = 0): Uint8Array {
  const bytes = Buffer.from(y.toString(16).padStart(64, "0"), "hex").reverse();
  bytes[31]! |= sign << 7;
  return new Uint8Array(bytes);
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let e = exponent, b = base; e > 0n; e >>= 1n, b = (b * b) % P) {
    if (e & 1n) result = (result * b) % P;
  }
  return result;
}
/** A square root modulo p, if there is one (RFC 8032, section 5.1.3). */
function root(square: bigint): bigint | undefined {
  const first = power(square, (P + 3n) / 8n);
  for (const x of [first, (first * power(2n, (P - 1n) / 4n)) % P]) {
    if ((x * x - square) % P === 0n) return x;
  }
  return undefined;
}

/** The y of all points whose order divides 8: doubling gives one whose order divides 4, of which x or y is 0. */
function smallOrder(): bigint[] {
  // 2·(x, y) has y = 0 where y² = -x², and the curve is -x² + y² = 1 + d·x²·y².
  // So 2·y² = 1 - d·y⁴: z = y² is a root of d·z² + 2·z - 1.
  const half = power(D, P - 2n);
  const discriminant = root((1n + D) % P)!;
  const squares = [discriminant - 1n, -discriminant - 1n].map((z) => (((z * half) % P) + P) % P);
  const order8 = squares.map(root).filter((y) => y !== undefined);
  return [0n, 1n, P - 1n, ...order8.flatMap((y) => [y, P - y])];
}

// The cases of "Taming the many EdDSAs" (https://github.com/novifinancial/ed25519-speccheck, Apache-2.0), and what a
// verifier says that refuses keys of small order and what is not canonical, and multiplies by the cofactor.
const CASES: [name: string, verifies: boolean, message: string, key: string, signature: string][] =
  [
    [
      "A and R of small order",
      false,
      "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000",
    ],
    [
      "A of small order",
      false,
      "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
      "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
    ],
    [
      "R of small order, A mixed",
      true,
      "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
      "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
    ],
    [
      "A and R mixed",
      true,
      "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
      "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
      "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009",
    ],
    [
      "A and R mixed, right with the cofactor only",
      true,
      "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
      "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
      "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
    ],
    [
      "A mixed, right with the cofactor only",
      true,
      "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
      "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
      "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405",
    ],
    [
      "S above L",
      false,
      "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
      "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
      "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514",
    ],
    [
      "S far above L",
      false,
      "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
      "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
      "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22",
    ],
    [
      "R not canonical, reduced in the hash",
      false,
      "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
      "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff03be9678ac102edcd92b0210bb34d7428d12ffc5df5f37e359941266a4e35f0f",
    ],
    [
      "R not canonical, as it stands in the hash",
      false,
      "9bedc267423725d473888631ebf45988bad3db83851ee85c85e241a07d148b41",
      "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffca8c5b64cd208982aa38d4936621a4775aa233aa0505711d8fdcfdaa943d4908",
    ],
    [
      "A not canonical, reduced in the hash",
      false,
      "e96b7021eb39c1a163b6da4e3093dcd3f21387da4cc4572be588fafae23c155b",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
      "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
    ],
    [
      "A not canonical, as it stands in the hash",
      false,
      "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
      "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
    ],
  ];

describe.each([
  ["by node:crypto where that may say yes", inNode.verifyEd25519],
  ["anywhere", anywhere.verifyEd25519],
])("Ed25519, %s", (_, verify) => {
  test.each(CASES)("%s: %s", async (_, verifies, message, key, signature) => {
    expect(await verify(core, hex(key), hex(message), hex(signature))).toBe(verifies);
  });

  test("what node:crypto signs verifies, and nothing else", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const key = hex(
      Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url").toString("hex"),
    );
    const other = hex(Buffer.alloc(32, 9).toString("hex"));
    for (const length of [0, 1, 63, 64, 1000]) {
      const message = new Uint8Array(randomBytes(length));
      const signature = new Uint8Array(sign(null, message, privateKey));
      expect(await verify(core, key, message, signature)).toBe(true);
      expect(await verify(core, other, message, signature)).toBe(false);
      expect(await verify(core, key, Uint8Array.of(...message, 0), signature)).toBe(false);
      for (const at of [0, 31, 32, 63]) {
        const changed = signature.slice();
        changed[at]! ^= 1;
        expect(await verify(core, key, message, changed)).toBe(false);
      }
    }
  });

  test("other lengths", async () => {
    for (const [key, signature] of [
      [31, 64],
      [33, 64],
      [0, 64],
      [32, 63],
      [32, 65],
      [32, 0],
    ]) {
      const answer = verify(core, new Uint8Array(key!), hex("00"), new Uint8Array(signature!));
      expect(await answer).toBe(false);
    }
  });

  test("keys of small order, in every spelling, sign nothing", async () => {
    const ys = smallOrder();
    expect(new Set(ys).size).toBe(5);
    let tried = 0;
    for (const y of ys.flatMap((y) => (y + P < 2n ** 255n ? [y, y + P] : [y]))) {
      for (const sign of [0, 1]) {
        const key = encode(y, sign);
        // S = 0 and R = the neutral element: right for every message whose k is a multiple of 8.
        const signature = Uint8Array.of(...encode(1n), ...encode(0n));
        for (let i = 0; i < 30; i++, tried++) {
          expect(await verify(core, key, Uint8Array.of(i), signature)).toBe(false);
        }
      }
    }
    expect(tried).toBe(420);
  });

  test("S and S + L are not the same", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const key = new Uint8Array(Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url"));
    const signature = new Uint8Array(sign(null, hex("00"), privateKey));
    const s = BigInt(`0x${Buffer.from(signature.slice(32)).reverse().toString("hex")}`);
    signature.set(encode(s + L), 32);
    expect(await verify(core, key, hex("00"), signature)).toBe(false);
  });
});

test("a key in a Buffer, whose slice() is no copy, stays as it is and verifies again", async () => {
  // Half of all keys have the sign bit that is looked past.
  for (let i = 0; i < 16; i++) {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const key = Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url");
    const before = Buffer.from(key);
    const message = randomBytes(20);
    const signature = sign(null, message, privateKey);
    for (const { verifyEd25519 } of [inNode, anywhere, inNode]) {
      expect(await verifyEd25519(core, key, message, signature)).toBe(true);
      expect(key).toEqual(before);
    }
  }
});
