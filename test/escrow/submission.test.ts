import { createHmac, randomBytes } from "node:crypto";
import { amend, inspect, inspectHead, type MakeEscrows, open, rewrap, seal } from "twinwrap";
import { loadCore } from "twinwrap/core";
import {
  decodeSubmission,
  encodeSubmission,
  type FileRecord,
  makeSubmission,
  openSubmission,
  type Submission,
  submissionFromJson,
  submissionToJson,
} from "twinwrap/escrow";
import { beforeAll, describe, expect, test } from "vitest";
import { canonical, openIndependently, sealIndependently } from "../envelope/independent.js";
import { makePair, type Pair } from "../envelope/keys.js";
import { sha256 } from "./material.js";

const core = await loadCore();
let alice: Pair;
let bob: Pair;
let authority: Pair;
beforeAll(async () => {
  [alice, bob, authority] = await Promise.all([makePair(), makePair(), makePair()]);
});

const addressee = () => ({
  origin: "authority.example",
  wrapKey: authority.publicKey,
  padding: "oaep" as const,
});
/** Puts one submission beside what is there. */
const escrowFor: (owner: string) => MakeEscrows = (owner) => async (facts, present) => {
  const { sessionKey, ...file } = facts;
  const made = await makeSubmission(core, { sessionKey, authority: addressee(), owner, file });
  return [...present, { submission: submissionToJson(made) }];
};
const sealed = async (text: string) => {
  const options = {
    to: [alice.publicKey],
    escrow: ["authority.example"],
    escrows: escrowFor("alice"),
  };
  return Buffer.from(await (await seal(Buffer.from(text), options)).bytes());
};
const submissionOf = async (file: Uint8Array) =>
  submissionFromJson((await inspect(file)).escrows[0]!.submission) as Submission<FileRecord>;
const opens = (submission: Submission, pair = authority) => {
  const key = core.rsaPrivateKey(pair.privateKey);
  try {
    return Buffer.from(openSubmission(core, submission, key));
  } finally {
    key.dispose();
  }
};
const FAILED = expect.objectContaining({ code: "DECRYPTION_FAILED" });

describe("a submission in a new file's header", () => {
  test("opens, with the authority's key, to the file's session key", async () => {
    const file = await sealed("hello");
    const { key, slots, fixed } = openIndependently(file, alice.node.privateKey);
    expect(opens(await submissionOf(file)).equals(key)).toBe(true);
    // Record and tag as docs/format.md has them, recomputed with node:crypto.
    const { record, tag } = slots[0].escrows[0].submission;
    const { header, body } = await inspectHead(file);
    expect(record).toMatchObject({
      v: 1,
      authority: "authority.example",
      owner: "alice",
      serial: fixed.serial,
      header: Buffer.from(header.hash).toString("base64url"),
      salt: Buffer.from(body.salt).toString("base64url"),
      commitment: Buffer.from(body.commitment).toString("base64url"),
    });
    const hash = sha256("twinwrap/v1/record\n", canonical(record));
    const info = Buffer.concat([Buffer.from("twinwrap/v1/record-tag\0"), hash, Uint8Array.of(1)]);
    const expected = createHmac("sha512", key).update(info).digest().subarray(0, 32);
    expect(tag).toBe(expected.toString("base64url"));
  });

  test("for somebody else's file, under another owner, with another key or tag: one error", async () => {
    const mine = await submissionOf(await sealed("mine"));
    const other = await submissionOf(await sealed("other"));
    const change = (record: Partial<FileRecord>) => ({
      ...mine,
      record: { ...mine.record, ...record },
    });
    const bad: Submission[] = [
      change({ owner: "thief" }),
      change({ serial: other.record.serial }),
      change({ header: other.record.header }),
      change({ salt: other.record.salt }),
      change({ commitment: other.record.commitment }),
      change({ blind: other.record.blind }),
      change({ description: "another" }),
      { ...mine, tag: other.tag },
      { ...mine, wrap: other.wrap },
      { ...mine, wrap: { ...mine.wrap, padding: "pkcs1-v1_5" } },
      { ...other, record: mine.record },
    ];
    for (const submission of bad) {
      // It is well-formed: what refuses it is the key, not the codec.
      expect(decodeSubmission(encodeSubmission(submission))).toEqual(submission);
      expect(() => opens(submission)).toThrow(FAILED);
    }
    expect(() => opens(mine, bob)).toThrow(FAILED);
  });
});

describe("a header's escrows afterwards", () => {
  test("a receipt is attached without a key; the wraps and the body stay", async () => {
    const file = await sealed("hello");
    const { header, patch } = await amend(file, ({ header }) => ({
      escrows: header.escrows.map((escrow) => ({ ...escrow, receipt: { any: "receipt" } })),
    }));
    expect(header.escrows[0]!.receipt).toBeUndefined();
    Buffer.from(patch.bytes).copy(file, patch.offset);
    const { slots, plaintext } = openIndependently(file, alice.node.privateKey);
    expect(slots[0].escrows[0].receipt).toEqual({ any: "receipt" });
    expect(plaintext.toString()).toBe("hello");
  });

  test("an amendment that leaves no wrap, or does not fit, is refused", async () => {
    const file = await sealed("hello");
    await expect(amend(file, () => ({ wraps: [] }))).rejects.toMatchObject({
      code: "BAD_ARGUMENT",
    });
    const large = { submission: { text: randomBytes(20_000).toString("hex") } };
    await expect(amend(file, () => ({ escrows: [large] }))).rejects.toMatchObject({
      code: "NO_ROOM",
    });
  });

  test("a file sealed earlier is escrowed with a private key", async () => {
    const file = sealIndependently(Buffer.from("earlier"), alice.node.publicKey);
    const { patch } = await rewrap(file, { key: alice.privateKey, escrows: escrowFor("alice") });
    Buffer.from(patch!.bytes).copy(file, patch!.offset);
    const { key } = openIndependently(file, alice.node.privateKey);
    expect(opens(await submissionOf(file)).equals(key)).toBe(true);
  });

  test("a larger header has submissions that fit its new body", async () => {
    const file = await sealed("hello");
    const { whole } = await rewrap(file, {
      key: alice.privateKey,
      escrows: escrowFor("alice"),
      enlarge: true,
    });
    const again = Buffer.from(await whole!.bytes());
    const { key } = openIndependently(again, alice.node.privateKey);
    expect(opens(await submissionOf(again)).equals(key)).toBe(true);
    expect((await inspect(again)).escrows).toHaveLength(1);
    // Without a way to make new ones the old ones go: they name another commitment.
    const bare = await rewrap(file, { key: alice.privateKey, enlarge: true });
    expect((await inspect(await bare.whole!.bytes())).escrows).toEqual([]);
  });

  test("a released wrap opens the file for its new key, and only a right one is taken", async () => {
    const file = await sealed("hello");
    const other = await sealed("other");
    const release = async (from: Uint8Array) => {
      const { patch } = await rewrap(from, {
        key: alice.privateKey,
        add: [{ key: bob.publicKey }],
      });
      const copy = Buffer.from(from);
      Buffer.from(patch!.bytes).copy(copy, patch!.offset);
      return (await inspect(copy)).wraps.slice(1);
    };
    const { wraps } = await inspect(file);
    const wrong = { key: bob.privateKey, released: await release(other) };
    await expect(rewrap(file, wrong)).rejects.toMatchObject({ code: "DECRYPTION_FAILED" });
    const { patch } = await rewrap(file, {
      key: bob.privateKey,
      released: await release(file),
      remove: [wraps[0]!.fingerprint],
    });
    Buffer.from(patch!.bytes).copy(file, patch!.offset);
    expect((await inspect(file)).wraps).toHaveLength(1);
    const opened = await open(file, { key: bob.privateKey });
    expect(Buffer.from(await opened.bytes()).toString()).toBe("hello");
  });
});
