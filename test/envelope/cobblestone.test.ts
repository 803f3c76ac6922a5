import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { inflateSync } from "node:zlib";
import { loadCore } from "twinwrap/core";
import { describe, expect, test } from "vitest";
import {
  bodyLength,
  Cobblestone,
  plaintextLength,
  setChunkNonce,
} from "#build/envelope/cobblestone.js";
import { decodeBodyHeader, openChunks, sealChunks } from "#build/envelope/seal.js";
import { Reader } from "#build/source.js";
import { haveVectors, readVectorsJson } from "../vectors.js";
import { chunkNonce, deriveBody, sealBody } from "./independent.js";

interface Case {
  tcId: number;
  comment: string;
  key: string;
  ctx: string;
  ct: string;
  msgLength?: number;
  msgSha512?: string;
  result: "valid" | "invalid";
  flags: string[];
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const core = await loadCore();

/** Opens a message as the envelope does; gives what came before the first error, and the error. */
async function decrypt(c: Case, sealed: Uint8Array, piece: number) {
  const hash = createHash("sha512");
  let length = 0;
  let error: unknown;
  try {
    const reader = new Reader(inPieces(sealed, piece));
    const { salt, commitment } = decodeBodyHeader(await reader.take(56));
    const cobblestone = new Cobblestone(
      core,
      Buffer.from(c.key, "hex"),
      salt,
      Buffer.from(c.ctx, "hex"),
    );
    if (!cobblestone.commitsTo(commitment)) throw new Error("commitment");
    for await (const part of openChunks(cobblestone, reader, {})) {
      hash.update(part);
      length += part.length;
    }
  } catch (thrown) {
    error = thrown;
  }
  return { length, sha512: hash.digest("hex"), error };
}

describe.skipIf(!haveVectors)("Cobblestone-256, Wycheproof (needs ../shared/vectors)", () => {
  const { testGroups, numberOfTests } = haveVectors
    ? readVectorsJson("wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json")
    : { testGroups: [], numberOfTests: 0 };
  const cases: Case[] = testGroups.flatMap((group: { tests: Case[] }) => group.tests);

  test("the set is complete", () => expect(cases.length).toBe(numberOfTests));

  test.each(cases)("$tcId $comment: $result", async (c) => {
    const sealed = inflateSync(Buffer.from(c.ct, "hex"));
    for (const piece of [sealed.length < 100_000 ? 997 : 65521, 1 << 18]) {
      const { length, sha512, error } = await decrypt(c, sealed, piece);
      expect(error === undefined ? "valid" : "invalid").toBe(c.result);
      // A valid message as a whole; of an invalid one at most its longest authentic prefix.
      if (c.result === "valid" || c.flags.includes("PartialPlaintext")) {
        expect([length, sha512]).toEqual([c.msgLength, c.msgSha512]);
      } else {
        expect(length).toBe(0);
      }
    }
    if (c.result === "valid") expect(plaintextLength(sealed.length)).toBe(c.msgLength);
  });

  test.each(cases.filter((c) => c.result === "valid"))(
    "$tcId $comment: sealed again",
    async (c) => {
      const sealed = inflateSync(Buffer.from(c.ct, "hex"));
      const make = () =>
        new Cobblestone(
          core,
          Buffer.from(c.key, "hex"),
          sealed.subarray(0, 24),
          Buffer.from(c.ctx, "hex"),
        );
      const plaintext = async function* () {
        const reader = new Reader(inPieces(sealed.subarray(56), 1 << 18));
        yield* openChunks(make(), reader, {});
      };
      const again = createHash("sha256").update(sealed.subarray(0, 24)).update(make().commitment);
      for await (const part of sealChunks(make(), plaintext(), {})) again.update(part);
      expect(again.digest("hex")).toBe(createHash("sha256").update(sealed).digest("hex"));
    },
  );
});

test("a body that no message has is refused by its length", () => {
  for (const length of [0, 55, 56, 71, 56 + 16400, 56 + 16400 + 15]) {
    expect(() => plaintextLength(length)).toThrow(/truncated/);
  }
  expect([72, 56 + 16399, 56 + 16400 + 16].map(plaintextLength)).toEqual([0, 16383, 16384]);
});

describe("chunk numbers up to 2^38", () => {
  const NUMBERS = [
    ...[0, 1, 2, 255, 256, 257, 65535, 65536, 2 ** 24 - 1, 2 ** 24, 2 ** 31 - 1, 2 ** 31],
    ...[2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 33, 2 ** 37 + 0x12345678, 2 ** 38 - 1],
  ];
  const limit = expect.objectContaining({ code: "LIMIT_EXCEEDED" });

  test("make the nonce as a number of 96 bits does", () => {
    for (const base of [Buffer.alloc(12), Buffer.alloc(12, 255), randomBytes(12)]) {
      for (const index of NUMBERS) {
        const nonce = new Uint8Array(12).fill(0x55);
        setChunkNonce(nonce, base, index);
        expect(Buffer.from(nonce).equals(chunkNonce(base, index)), `chunk ${index}`).toBe(true);
      }
    }
    for (const index of [2 ** 38, 2 ** 38 + 1, 2 ** 40, 2 ** 53]) {
      expect(() => setChunkNonce(new Uint8Array(12), new Uint8Array(12), index)).toThrow(limit);
    }
  });

  test("are those that chunks are sealed and opened with", () => {
    const [key, salt, context] = [randomBytes(32), randomBytes(24), randomBytes(9)];
    const derived = deriveBody(key, salt, context);
    const cobblestone = new Cobblestone(core, key, salt, context);
    const plaintext = randomBytes(100);
    for (const index of NUMBERS) {
      const cipher = createCipheriv("aes-256-gcm", derived.key, chunkNonce(derived.nonce, index));
      const sealed = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
      const [ours, back] = [new Uint8Array(116), new Uint8Array(100)];
      cobblestone.cipher.sealChunk(index, plaintext, ours);
      expect(sealed.equals(ours), `chunk ${index}`).toBe(true);
      cobblestone.cipher.openChunk(index, sealed, back);
      expect(plaintext.equals(back), `chunk ${index}`).toBe(true);
    }
    const into = new Uint8Array(116);
    expect(() => cobblestone.cipher.sealChunk(2 ** 38, plaintext, into)).toThrow(limit);
    expect(() => cobblestone.cipher.openChunk(2 ** 38, into, new Uint8Array(100))).toThrow(limit);
    for (let length = 0; length < 16; length++) {
      const cut = new Uint8Array(length);
      expect(() => cobblestone.cipher.openChunk(0, cut, new Uint8Array(0))).toThrow(
        expect.objectContaining({ code: "DECRYPTION_FAILED" }),
      );
    }
  });
});

test("a body's length and its plaintext's are each other's, to 4 PiB", () => {
  const lengths = [
    0,
    1,
    16383,
    16384,
    16385,
    32767,
    32768,
    100_000,
    2 ** 32,
    2 ** 46 - 1,
    2 ** 52 - 1,
  ];
  for (const length of lengths) {
    // By the last chunk, which is shorter than the others, be it empty.
    const chunks = BigInt(length) / 16384n + 1n;
    expect(BigInt(bodyLength(length))).toBe(56n + BigInt(length) + 16n * chunks);
    expect(plaintextLength(bodyLength(length))).toBe(length);
  }
});

test("keys and salts of another length are refused, and what is disposed of gives no keys", () => {
  const make = (key: number, salt: number) => () =>
    new Cobblestone(core, randomBytes(key), randomBytes(salt), new Uint8Array(0));
  const refused = expect.objectContaining({ code: "BAD_ARGUMENT" });
  for (const [key, salt] of [
    [31, 24],
    [33, 24],
    [16, 24],
    [32, 23],
    [32, 25],
    [32, 0],
  ] as const) {
    expect(make(key, salt)).toThrow(refused);
  }
  const cobblestone = make(32, 24)();
  const mine = cobblestone.copyKeys();
  cobblestone.dispose();
  expect(mine.key.some((byte) => byte !== 0)).toBe(true);
  expect(() => cobblestone.copyKeys()).toThrow(expect.objectContaining({ code: "DISPOSED" }));
  expect(() => cobblestone.cipher.sealChunk(0, new Uint8Array(1), new Uint8Array(17))).toThrow(
    expect.objectContaining({ code: "DISPOSED" }),
  );
});

test("a commitment binds key, salt and context, in all of its bytes", () => {
  const [key, salt, context] = [randomBytes(32), randomBytes(24), randomBytes(9)];
  const theirs = sealBody(key, salt, context, Buffer.alloc(0)).subarray(24, 56);
  const flipped = (bytes: Buffer, at: number) => {
    const other = Buffer.from(bytes);
    other[at]! ^= 1;
    return other;
  };
  const cobblestone = new Cobblestone(core, key, salt, context);
  expect(theirs.equals(cobblestone.commitment)).toBe(true);
  expect(cobblestone.commitsTo(theirs)).toBe(true);
  for (let at = 0; at < 32; at++) expect(cobblestone.commitsTo(flipped(theirs, at))).toBe(false);
  expect(cobblestone.commitsTo(theirs.subarray(0, 31))).toBe(false);
  for (const other of [
    new Cobblestone(core, flipped(key, 31), salt, context),
    new Cobblestone(core, key, flipped(salt, 23), context),
    new Cobblestone(core, key, salt, flipped(context, 8)),
    new Cobblestone(core, key, salt, context.subarray(0, 8)),
  ]) {
    expect(other.commitsTo(theirs)).toBe(false);
  }
});
