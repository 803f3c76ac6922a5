import { createHash } from "node:crypto";
import { inflateSync } from "node:zlib";
import { loadCore } from "twinwrap/core";
import { describe, expect, test } from "vitest";
import { Cobblestone, plaintextLength } from "#build/envelope/cobblestone.js";
import { decodeBodyHeader, openChunks, sealChunks } from "#build/envelope/seal.js";
import { Reader } from "#build/envelope/source.js";
import { haveVectors, readVectorsJson } from "../vectors.js";

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
