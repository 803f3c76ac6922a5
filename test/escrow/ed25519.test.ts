import {
  createHash,
  createPublicKey,
  verify as cryptoVerify,
  generateKeyPairSync,
  randomBytes,
  sign,
} from "node:crypto";
import { Point } from "@noble/ed25519";
import { loadCore } from "twinwrap/core";
import {
  formatIdentity,
  formatPolicy,
  keyId,
  parseVerifierKey,
  readOfficerPublicKeys,
} from "twinwrap/escrow";
import { writePublicKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import * as anywhere from "#build/escrow/ed25519.js";
import * as inNode from "#build/escrow/ed25519.node.js";
import { isEd25519PublicKey } from "#build/keys/ed25519-point.js";
import { spareKey } from "./material.js";

const core = await loadCore();
const BAD_FORMAT = expect.objectContaining({ code: "BAD_FORMAT" });
const POLICY = {
  authority: "a.example",
  number: 1,
  previous: new Uint8Array(32),
  release: 1,
  change: 1,
  emergency: 1,
  waiting: 0,
  owners: "open" as const,
  unproven: "refused" as const,
};
const IDENTITY = {
  origin: "a.example",
  number: 1,
  previous: new Uint8Array(32),
  wrapKeys: [spareKey(1)],
  paddings: ["oaep" as const],
  ended: [],
};
const EMPTY = { size: 0, root: new Uint8Array(32) };
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

/** Little-endian. */
const numberOf = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);

/** What OpenSSL says by itself, whatever the key. */
function openssl(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(key).toString("base64url") };
  return cryptoVerify(null, message, createPublicKey({ key: jwk, format: "jwk" }), signature);
}

/** A point of order 8. */
const TORSION = Point.fromBytes(
  hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
);

/** Signs with the secret number `a` for the public key `key`, by R = `R` = rB, or rB and a part of small order. */
function forge(a: bigint, r: bigint, key: Uint8Array, R: Uint8Array, message: Uint8Array) {
  const digest = createHash("sha512").update(R).update(key).update(message).digest();
  return Uint8Array.of(...R, ...encode((r + (numberOf(digest) % L) * a) % L));
}

// The cases of "Taming the many EdDSAs" (https://github.com/novifinancial/ed25519-speccheck, Apache-2.0), and what
// OpenSSL says of them by itself, as the table there has it. By our rule none verifies.
const CASES: [name: string, openssl: boolean, message: string, key: string, signature: string][] = [
  [
    "A and R of small order",
    true,
    "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000",
  ],
  [
    "A of small order",
    true,
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
    false,
    "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
    "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
    "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
  ],
  [
    "A mixed, right with the cofactor only",
    false,
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
    true,
    "39a591f5321bbe07fd5a23dc2f39d025d74526615746727ceefd6e82ae65c06f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "a9d55260f765261eb9b84e106f665e00b867287a761990d7135963ee0a7d59dca5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
  ],
];

describe.each([
  ["by node:crypto where that may say yes", inNode.verifyEd25519],
  ["anywhere", anywhere.verifyEd25519],
])("Ed25519, %s", (_, verify) => {
  test.each(CASES)("%s", async (_, verifies, message, key, signature) => {
    expect(openssl(hex(key), hex(message), hex(signature))).toBe(verifies);
    expect(await verify(core, hex(key), hex(message), hex(signature))).toBe(false);
  });

  // RFC 8032, section 7.1, tests 1 and 2.
  test.each([
    [
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
  ])("RFC 8032: %s", async (key, message, signature) => {
    expect(await verify(core, hex(key), hex(message), hex(signature))).toBe(true);
  });

  test("R with a part of small order, or none but that, verifies nothing", async () => {
    const [a, r, message] = [123456789123456789n, 987654321n, hex("01")] as const;
    const key = Point.BASE.multiply(a).toBytes();
    const right = Point.BASE.multiply(r);
    expect(await verify(core, key, message, forge(a, r, key, right.toBytes(), message))).toBe(true);
    for (let i = 1, R = right.add(TORSION); i < 8; i++, R = R.add(TORSION)) {
      const signature = forge(a, r, key, R.toBytes(), message);
      expect(await verify(core, key, message, signature)).toBe(false);
    }
    // R = 0 and S = k·a is right by every equation.
    const neutral = forge(a, 0n, key, encode(1n), message);
    expect(openssl(key, message, neutral)).toBe(true);
    expect(await verify(core, key, message, neutral)).toBe(false);
  });

  test("one secret, eight keys: only the one of prime order verifies", async () => {
    const [a, message] = [123456789123456789n, hex("02")] as const;
    const answers: boolean[] = [];
    let others = 0;
    for (let i = 0, A = Point.BASE.multiply(a); i < 8; i++, A = A.add(TORSION)) {
      const key = A.toBytes();
      // OpenSSL takes those whose k is a multiple of the part's order.
      for (let r = 1n; r <= 16n; r++) {
        const signature = forge(a, r, key, Point.BASE.multiply(r).toBytes(), message);
        if (openssl(key, message, signature) && i > 0) others++;
        answers[i] = (answers[i] ?? false) || (await verify(core, key, message, signature));
      }
    }
    expect(others).toBeGreaterThan(0);
    expect(answers).toEqual([true, ...Array(7).fill(false)]);
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

describe("public keys", () => {
  test("of prime order are keys, as the library finds that", () => {
    for (let i = 1n; i <= 8n; i++) {
      const point = Point.BASE.multiply(i ** 40n % L);
      expect(point.isTorsionFree()).toBe(true);
      expect(isEd25519PublicKey(point.toBytes())).toBe(true);
      for (let j = 1, mixed = point.add(TORSION); j < 8; j++, mixed = mixed.add(TORSION)) {
        expect(mixed.isTorsionFree()).toBe(false);
        expect(isEd25519PublicKey(mixed.toBytes())).toBe(false);
      }
    }
  });

  test("whatever else 32 bytes are is none: no point, small order, not canonical", () => {
    let points = 0;
    for (let i = 0; i < 64; i++) {
      const bytes = createHash("sha256").update(`${i}`).digest();
      let isRight = false;
      try {
        isRight = Point.fromBytes(new Uint8Array(bytes)).isTorsionFree();
        points++;
      } catch {}
      expect(isEd25519PublicKey(bytes)).toBe(isRight);
    }
    expect(points).toBeGreaterThan(0);
    expect(points).toBeLessThan(64);
    for (const y of [...smallOrder(), ...Array.from({ length: 19 }, (_, i) => P + BigInt(i))]) {
      expect(isEd25519PublicKey(encode(y))).toBe(false);
      expect(isEd25519PublicKey(encode(y, 1))).toBe(false);
    }
    for (const length of [0, 31, 33])
      expect(isEd25519PublicKey(new Uint8Array(length))).toBe(false);
  });

  test("the keys of the published cases", () => {
    const keys = new Set(CASES.map(([, , , key]) => key));
    const right = [...keys].filter((key) => isEd25519PublicKey(hex(key)));
    expect(right).toEqual(["442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623"]);
  });

  test("are checked where they are read", () => {
    const mixed = Point.BASE.multiply(5n).add(TORSION).toBytes();
    for (const publicKey of [mixed, encode(1n), encode(P - 1n), encode(P + 1n)]) {
      const id = createHash("sha256").update("ann\n\x01").update(publicKey).digest();
      const typed = Buffer.from([1, ...publicKey]).toString("base64");
      const text = `ann+${id.subarray(0, 4).toString("hex")}+${typed}`;
      expect(() => parseVerifierKey(core, text)).toThrow(BAD_FORMAT);
      expect(() => keyId(core, { name: "ann", publicKey })).toThrow(BAD_FORMAT);
      const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), publicKey]);
      const pem = `-----BEGIN PUBLIC KEY-----\n${spki.toString("base64")}\n-----END PUBLIC KEY-----\n`;
      const file = Buffer.from(pem + Buffer.from(writePublicKey(spareKey(1), "pem")).toString());
      expect(() => readOfficerPublicKeys(new Uint8Array(file))).toThrow(BAD_FORMAT);
      const officers = [{ name: "ann", key: publicKey, share: spareKey(1), self: [] }];
      expect(() => formatPolicy({ ...POLICY, officers })).toThrow(BAD_FORMAT);
      const log = { name: "a.example", publicKey };
      expect(() => formatIdentity({ ...IDENTITY, log })).toThrow(BAD_FORMAT);
      const later = (key: Uint8Array) =>
        formatIdentity({
          ...IDENTITY,
          number: 2,
          log: { name: "a.example", publicKey: Point.BASE.toBytes() },
          ended: [{ name: "b.example", publicKey: key, kept: EMPTY, end: EMPTY }],
        });
      expect(() => later(publicKey)).toThrow(BAD_FORMAT);
      expect(later(Point.BASE.multiply(2n).toBytes())).toContain("ended b.example ");
    }
  });
});
