// Which wrap opens a file, among several that name one key.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { loadCore } from "twinwrap/core";
import { publicKeyOf, type RsaPrivateKey, readPrivateKey } from "twinwrap/keys";
import { beforeAll, describe, expect, test, vi } from "vitest";
import type { Wrap } from "#build/envelope/header.js";
import { isWrapFor, openWraps, wrapFor } from "#build/envelope/wraps.js";
import { toBig, toBytes } from "../core/rsa-reference.js";
import { sealBody } from "./independent.js";

const core = await loadCore();
const [sessionKey, salt, context] = [randomBytes(32), randomBytes(24), randomBytes(40)];
/** Salt and commitment as docs/format.md has them, by node:crypto alone. */
const body = {
  salt,
  commitment: sealBody(sessionKey, salt, context, Buffer.alloc(0)).subarray(24, 56),
  context,
};

async function newKey(bits: number): Promise<RsaPrivateKey> {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: bits });
  return readPrivateKey(privateKey.export({ type: "pkcs8", format: "der" }));
}

let key: RsaPrivateKey;
let good: Wrap;
beforeAll(async () => {
  // 512 bits: v1.5 has room for a session key, OAEP has none.
  key = await newKey(512);
  const to = { key: publicKeyOf(key), padding: "pkcs1-v1_5" as const };
  good = await wrapFor(core, sessionKey, to, { allowWeak: true });
});

async function opened(wraps: Wrap[], keys = [key]): Promise<Buffer> {
  const { sessionKey, cobblestone } = await openWraps(core, wraps, keys, body, { allowWeak: true });
  cobblestone.dispose();
  return Buffer.from(sessionKey);
}
const failed = expect.objectContaining({ code: "DECRYPTION_FAILED" });

test("a key whose bytes change in their array is another key, and another core has it anew", async () => {
  const [first, second] = [await newKey(1024), await newKey(1024)];
  const to = { n: Uint8Array.from(first.n), e: Uint8Array.from(first.e) };
  const wrap = (by = core) => wrapFor(by, sessionKey, { key: to }, { allowWeak: true });
  expect((await opened([await wrap()], [first])).equals(sessionKey)).toBe(true);
  const names = [await wrap(), await wrap()].map(({ fingerprint }) => fingerprint);
  expect(names[0]).toEqual(names[1]);
  names[0]!.fill(0); // theirs to change
  to.n.set(second.n);
  const changed = await wrap();
  expect(changed.fingerprint).not.toEqual(names[1]);
  expect((await opened([changed], [second])).equals(sessionKey)).toBe(true);
  const other = await loadCore();
  const used = vi.spyOn(other, "rsaPublicKey");
  expect((await opened([await wrap(other)], [second])).equals(sessionKey)).toBe(true);
  expect(used).toHaveBeenCalledTimes(1);
});

describe("wraps that name one key", () => {
  test("a bad one before the good one does not hide it, whatever is wrong with it", async () => {
    const blob = (change: (bytes: Uint8Array) => Uint8Array) => ({
      ...good,
      simpleBlob: change(Uint8Array.from(good.simpleBlob)),
    });
    const bad: [string, Wrap][] = [
      ["a padding that the key is too short for", { ...good, padding: "oaep" }],
      ["no blob", blob(() => new Uint8Array(0))],
      ["a block cut short", blob((bytes) => bytes.subarray(0, -1))],
      ["another block", blob((bytes) => bytes.fill(1, 12))],
      ["a block over n", blob((bytes) => bytes.fill(255, 12))],
      ["the key of another algorithm", blob((bytes) => bytes.fill(0x0e, 4, 5))],
    ];
    for (const [what, wrap] of bad) {
      expect((await opened([wrap, good])).equals(sessionKey), what).toBe(true);
      expect((await opened([good, wrap])).equals(sessionKey), what).toBe(true);
      await expect(opened([wrap]), what).rejects.toEqual(failed);
    }
    const all = bad.map(([, wrap]) => wrap);
    expect((await opened([...all, good])).equals(sessionKey)).toBe(true);
    await expect(opened(all)).rejects.toEqual(failed);
  });

  test("a key that no wrap names does not hide one behind it", async () => {
    const [first, last] = [await newKey(512), await newKey(512)];
    expect((await opened([good], [first, key, last])).equals(sessionKey)).toBe(true);
    await expect(opened([good], [first, last])).rejects.toMatchObject({ code: "NOT_A_RECIPIENT" });
  });

  test("the key in a wrap is the one of the commitment in all of its bytes", async () => {
    for (let at = 0; at < 32; at++) {
      const commitment = Uint8Array.from(body.commitment);
      commitment[at]! ^= 1;
      const attempt = openWraps(core, [good], [key], { ...body, commitment }, { allowWeak: true });
      await expect(attempt, `byte ${at}`).rejects.toEqual(failed);
    }
  });
});

test("a block is for a key only if it is a number below n, as long as n", () => {
  const { n } = key;
  const of = (block: Uint8Array) => ({
    ...good,
    simpleBlob: Buffer.concat([good.simpleBlob.subarray(0, 12), Buffer.from(block).reverse()]),
  });
  const [below, above] = [toBytes(toBig(n) - 1n, n.length), toBytes(toBig(n) + 1n, n.length)];
  const answers = [
    good,
    of(below),
    of(n),
    of(above),
    of(Buffer.concat([[0], below].map(Buffer.from))),
  ];
  expect(answers.map((wrap) => isWrapFor(wrap, key))).toEqual([true, true, false, false, false]);
  expect(isWrapFor(of(below.subarray(1)), key)).toBe(false);
});
