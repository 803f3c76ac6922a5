import { constants, createHmac, publicEncrypt, randomBytes } from "node:crypto";
import { loadCore } from "twinwrap/core";
import {
  type Authority,
  type BlobRecord,
  checkRelease,
  checkSubmission,
  decodeRelease,
  decodeSubmission,
  encodeRelease,
  encodeSubmission,
  fits,
  isBoundWrap,
  isProven,
  makeBlobSubmission,
  makeRequest,
  openSubmission,
  openUnproven,
  type ProvenBlobRecord,
  readBlobWrap,
  recipientTag,
  recordHash,
  releasedBlob,
  releasedFor,
  requestHash,
  type Submission,
  type UnprovenRecord,
} from "twinwrap/escrow";
import { readPrivateKey, readPublicKey } from "twinwrap/keys";
import { beforeAll, describe, expect, test } from "vitest";
import { canonical } from "../envelope/independent.js";
import { makePair, type Pair } from "../envelope/keys.js";
import { haveVectors, readVectors, readVectorsJson } from "../vectors.js";
import { makeAuthority, proveRelease, requestEntry, sealFor, TestLog } from "./client-material.js";
import { b64url, fill, NOT_VERIFIED, sha256 } from "./material.js";
import { newSigner } from "./signers.js";

// Keys of programs that do their own encryption. The blobs here are made with node:crypto, or by a real
// CryptoAPI.

const core = await loadCore();
const ORIGIN = "authority.example";
const FAILED = expect.objectContaining({ code: "DECRYPTION_FAILED" });
let alice: Pair;
let fresh: Pair;
let backup: Pair;
let log: TestLog;
let authority: Authority;
beforeAll(async () => {
  [alice, fresh, backup] = await Promise.all([makePair(), makePair(), makePair()]);
  log = new TestLog(core, ORIGIN);
  authority = await makeAuthority(core, log.signer, [backup.publicKey]);
  log.add({ type: "authority", time: new Date(0), number: 1, identity: fill(1) });
});

/** A SIMPLEBLOB as CryptExportKey writes it. */
function simpleBlob(algId: number, key: Uint8Array, to: Pair, oaep = true): Buffer {
  const padding = oaep ? constants.RSA_PKCS1_OAEP_PADDING : constants.RSA_PKCS1_PADDING;
  const block = publicEncrypt({ key: to.node.publicKey, padding, oaepHash: "sha1" }, key);
  const head = Buffer.from("0102000000000000" + "00a40000", "hex");
  head.writeUInt32LE(algId, 4);
  return Buffer.concat([head, block.reverse()]);
}
const [AES_256, RC4] = [0x6610, 0x6801];

const wrapOf = async (blob: Uint8Array, padding: "oaep" | "pkcs1-v1_5" = "oaep") =>
  (await readBlobWrap(core, blob, backup.publicKey, padding)).wrap;

async function proven(more: Partial<Parameters<typeof makeBlobSubmission>[1]> = {}) {
  const key = randomBytes(32);
  const ownerBlob = simpleBlob(AES_256, key, alice);
  const submission = makeBlobSubmission(core, {
    authority: ORIGIN,
    owner: "alice",
    wrap: await wrapOf(simpleBlob(AES_256, key, backup)),
    label: "№ 4711",
    description: "Ledger",
    proof: { sessionKey: key, ownerBlob },
    ...more,
  }) as Submission<ProvenBlobRecord>;
  return { key, ownerBlob, submission };
}

async function unproven(key: Uint8Array = randomBytes(16), algId = RC4) {
  const submission = makeBlobSubmission(core, {
    authority: ORIGIN,
    owner: "alice",
    wrap: await wrapOf(simpleBlob(algId, key, backup)),
    ...(algId === RC4 ? { keyLength: key.length } : {}),
  }) as Submission<UnprovenRecord>;
  return { key, submission };
}

/** Works with the authority's key, or another one. */
function withKey<T>(work: (key: ReturnType<typeof core.rsaPrivateKey>) => T, pair = backup): T {
  const key = core.rsaPrivateKey(pair.privateKey);
  try {
    return work(key);
  } finally {
    key.dispose();
  }
}

/** HKDF-Expand-SHA-512 (RFC 5869, section 2.3). */
function expand(key: Uint8Array, info: Buffer, length: number): Buffer {
  const blocks: Buffer[] = [];
  let last = Buffer.alloc(0);
  for (let i = 1; Buffer.concat(blocks).length < length; i++) {
    last = createHmac("sha512", key).update(last).update(info).update(Uint8Array.of(i)).digest();
    blocks.push(last);
  }
  return Buffer.concat(blocks).subarray(0, length);
}

describe("a proven blob", () => {
  test("has the record, commitment and tag of docs/format.md, made again with node:crypto", async () => {
    const { key, ownerBlob, submission } = await proven();
    const { record, tag, wrap } = JSON.parse(Buffer.from(encodeSubmission(submission)).toString());
    expect(record).toMatchObject({
      v: 1,
      alg: { body: "blob", key: "CALG_AES_256", wrap: "SIMPLEBLOB" },
      authority: ORIGIN,
      owner: "alice",
      label: "№ 4711",
      description: "Ledger",
      header: b64url(sha256(ownerBlob)),
    });
    expect(record).not.toHaveProperty("keyLength");
    const bytes = (text: string) => Buffer.from(text, "base64url");
    const context = [Buffer.from("twinwrap/v1/blob\0"), bytes(record.serial), sha256(ownerBlob)];
    const info = [Buffer.from("c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0")];
    const derived = expand(key, Buffer.concat([...info, bytes(record.salt), ...context]), 76);
    expect(record.commitment).toBe(b64url(derived.subarray(44)));
    const hash = sha256("twinwrap/v1/record\n", canonical(record));
    expect(Buffer.from(recordHash(core, submission.record)).equals(hash)).toBe(true);
    const tagInfo = Buffer.concat([Buffer.from("twinwrap/v1/record-tag\0"), hash]);
    expect(tag).toBe(b64url(expand(key, tagInfo, 32)));
    expect(bytes(wrap.simpleblob).subarray(0, 12).toString("hex")).toBe("010200001066000000a40000");
  });

  test("opens with the authority's key, and only as what it is", async () => {
    const { key, submission } = await proven();
    const other = (await proven()).submission;
    const open = (one: Submission, pair = backup) =>
      withKey((rsa) => Buffer.from(openSubmission(core, one, rsa)), pair);
    expect(open(submission).equals(key)).toBe(true);
    const { record } = submission;
    const { header, salt, commitment, serial, wrapHash: _, blob, ...facts } = record;
    for (const bad of [
      { ...submission, record: { ...record, owner: "thief" } },
      { ...submission, record: { ...record, header: new Uint8Array(32) } },
      { ...submission, record: { ...record, serial: new Uint8Array(16) } },
      { ...submission, record: { ...record, blob: { ...record.blob, label: "№ 4712" } } },
      { ...submission, tag: other.tag },
      { ...submission, wrap: other.wrap },
      { ...submission, wrap: { ...submission.wrap, padding: "pkcs1-v1_5" as const } },
      // The same numbers as a file's: its commitment is over another context.
      { ...submission, record: { ...facts, header, salt, commitment, serial } },
    ]) {
      expect(decodeSubmission(encodeSubmission(bad))).toEqual(bad);
      expect(() => open(bad)).toThrow(FAILED);
    }
    expect(() => open(submission, alice)).toThrow(FAILED);
    // An ALG_ID other than a file's is not opened as if it were proven.
    const simple = Buffer.from(submission.wrap.simpleBlob);
    simple.writeUInt32LE(RC4, 4);
    const renamed = { ...submission, wrap: { ...submission.wrap, simpleBlob: simple } };
    expect(() => open(renamed)).toThrow(FAILED);
  });

  test("is made over no key but one of AES-256 with 32 bytes", async () => {
    const ownerBlob = fill(1, 268);
    const wrap = await wrapOf(simpleBlob(AES_256, randomBytes(32), backup));
    const about = { authority: ORIGIN, owner: "alice" };
    const make = (sessionKey: Uint8Array, of = wrap) =>
      makeBlobSubmission(core, { ...about, wrap: of, proof: { sessionKey, ownerBlob } });
    expect(isProven(make(randomBytes(32)).record)).toBe(true);
    for (const length of [0, 5, 16, 24, 31, 33]) {
      expect(() => make(randomBytes(length))).toThrow(/only a CALG_AES_256 key of 32 bytes/);
    }
    for (const algId of [0x6601, 0x6602, 0x6603, 0x6609, 0x660e, 0x660f, RC4]) {
      const other = await wrapOf(simpleBlob(algId, randomBytes(32), backup));
      expect(() => make(randomBytes(32), other)).toThrow(/only a CALG_AES_256 key of 32 bytes/);
    }
  });
});

describe("an unproven blob", () => {
  test("names its one wrap as docs/format.md says, and has no tag", async () => {
    const { submission } = await unproven();
    const read = JSON.parse(Buffer.from(encodeSubmission(submission)).toString());
    expect(read).not.toHaveProperty("tag");
    expect(read.record.wrap).toBe(b64url(sha256("twinwrap/v1/wrap\n", canonical(read.wrap))));
    expect(read.record.keyLength).toBe(16);
    for (const name of ["header", "salt", "commitment"])
      expect(read.record).not.toHaveProperty(name);
    expect(isBoundWrap(core, submission.record, submission.wrap)).toBe(true);
    const other = (await unproven()).submission.wrap;
    for (const wrap of [
      other,
      { ...submission.wrap, padding: "pkcs1-v1_5" as const },
      { ...submission.wrap, fingerprint: fill(1) },
    ]) {
      expect(isBoundWrap(core, submission.record, wrap)).toBe(false);
      expect(() => withKey((key) => openUnproven(core, submission.record, wrap, key))).toThrow(
        FAILED,
      );
    }
    expect(() =>
      withKey((key) => openSubmission(core, { ...submission, tag: fill(6) }, key)),
    ).toThrow(FAILED);
  });

  test("wrongly padded, for another key or of another length opens to what nobody can tell from a key", async () => {
    const key = randomBytes(16);
    for (const [blob, padding] of [
      [simpleBlob(RC4, key, backup), "pkcs1-v1_5"],
      [simpleBlob(RC4, key, backup, false), "oaep"],
      [simpleBlob(RC4, randomBytes(32), backup), "oaep"],
      [simpleBlob(RC4, randomBytes(15), backup, false), "pkcs1-v1_5"],
      // A number below n, most likely not made with this key at all.
      [Buffer.concat([simpleBlob(RC4, key, alice).subarray(0, -1), fill(1, 1)]), "oaep"],
    ] as const) {
      const wrap = await wrapOf(blob, padding);
      const { record } = makeBlobSubmission(core, { authority: ORIGIN, owner: "a", wrap });
      const open = () =>
        withKey((rsa) => Buffer.from(openUnproven(core, record as UnprovenRecord, wrap, rsa)));
      const opened = open();
      expect(opened).toHaveLength(16);
      expect(opened.equals(key)).toBe(false);
      expect(open().equals(opened)).toBe(true);
    }
  });

  test("has a length that its algorithm has", async () => {
    const wrap = await wrapOf(simpleBlob(RC4, randomBytes(5), backup));
    const make = (keyLength?: number) =>
      makeBlobSubmission(core, { authority: ORIGIN, owner: "a", wrap, keyLength }).record;
    expect(make().blob.keyLength).toBe(16);
    expect(make(5).blob.keyLength).toBe(5);
    expect(() => make(4)).toThrow(/no CALG_RC4 key has 4 bytes/);
    expect(() => make(17)).toThrow(/no CALG_RC4 key has 17 bytes/);
  });
});

describe.skipIf(!haveVectors)("blobs of a real CryptoAPI (needs the public vectors)", () => {
  const manifest = haveVectors ? readVectorsJson("capi/manifest.json") : { cases: [] };
  const extra = haveVectors ? readVectorsJson("capi/extra.json") : { cases: [] };
  // In some the key did not fit into the modulus.
  const cases: [string, { [name: string]: string }][] = [...manifest.cases, ...extra.cases]
    .map((one) => [one.authority_simpleblob ?? one["authority.simpleblob"]?.file, one])
    .filter(([file]) => file !== undefined) as [string, { [name: string]: string }][];
  test("there are some of every algorithm", () => {
    expect(cases.length).toBeGreaterThan(40);
    expect(new Set(cases.map(([, { alg }]) => alg)).size).toBe(8);
  });

  test.each(cases)("%s", async (file, { authority: name, padding: padded, session_key, alg }) => {
    const padding = padded === "oaep" ? "oaep" : "pkcs1-v1_5";
    const key = Buffer.from(session_key!, "hex");
    const publicKey = readPublicKey(readVectors(`capi/keys/${name}.publickeyblob`));
    const { wrap, aiKeyAlg } = await readBlobWrap(
      core,
      readVectors(`capi/${file}`),
      publicKey,
      padding,
    );
    const keyLength = /^rc[24]$/.test(alg!) ? key.length : undefined;
    const about = { authority: ORIGIN, owner: "a", wrap, keyLength };
    const { record } = makeBlobSubmission(core, about);
    expect(record.blob).toEqual({ aiKeyAlg, keyLength: key.length });
    const privateKey = await readPrivateKey(readVectors(`capi/keys/${name}.pem`));
    const rsa = core.rsaPrivateKey(privateKey);
    try {
      const opened = openUnproven(core, record as UnprovenRecord, wrap, rsa);
      expect(Buffer.from(opened).toString("hex")).toBe(session_key);
    } finally {
      rsa.dispose();
    }
  });
});

describe("what is said to be a blob for the authority", () => {
  test("is one by its form, or it is said what it is", async () => {
    const good = simpleBlob(AES_256, randomBytes(32), backup);
    const read = (bytes: Uint8Array) => readBlobWrap(core, bytes, backup.publicKey, "oaep");
    const { wrap, aiKeyAlg } = await read(good);
    expect(aiKeyAlg).toBe(AES_256);
    expect(wrap.fingerprint).toEqual(authority.wrapFingerprints[0]);
    // What Windows leaves behind is no part of it.
    const tail = Buffer.concat([good, fill(0, 8)]);
    expect((await read(tail)).wrap).toEqual(wrap);
    const change = (at: number, ...bytes: number[]) => {
      const other = Buffer.from(good);
      other.set(bytes, at);
      return other;
    };
    for (const [bytes, problem] of [
      [change(0, 6), /NTE_BAD_TYPE: bType is PUBLICKEYBLOB/],
      [change(0, 0xb), /NTE_BAD_TYPE: bType is SYMMETRICWRAPKEYBLOB/],
      [change(1, 3), /NTE_BAD_VER/],
      [change(2, 1), /NTE_BAD_DATA/],
      [change(4, 4, 0x80), /NTE_BAD_ALGID/],
      [change(8, 0, 0x24), /NTE_BAD_ALGID/],
      [good.subarray(0, -1), /not wrapped for the authority's key: its block has 255 bytes/],
      [Buffer.concat([good, fill(0, 65)]), /its block has 321 bytes, and that key's have 256/],
      [Buffer.concat([good.subarray(0, 12), fill(255, 256)]), /no number below n/],
      [Buffer.from("hello"), /NTE_BAD_DATA/],
    ] as const) {
      await expect(read(bytes)).rejects.toThrow(problem);
    }
  });
});

describe("what an owner can find out of a submission and its receipt", () => {
  const status = async (...about: [Submission, ...(object | undefined)[]]) => {
    const [submission, receipt, of = authority] = about as [Submission, undefined, Authority];
    const { status, reason } = await checkSubmission(core, submission, receipt, of);
    return reason === undefined ? status : `${status}: ${reason}`;
  };

  test("is what the authority signed for it", async () => {
    const [one, other] = [(await proven()).submission, (await unproven()).submission];
    const receipt = (of: Submission, type: "escrow" | "verified") =>
      log.receipt(recordHash(core, of.record), { type });
    expect(await status(one, undefined)).toBe("pending");
    expect(await status(one, await receipt(one, "verified"))).toBe("verified");
    expect(await status(one, await receipt(one, "escrow"))).toBe("unverified");
    expect(await status(other, await receipt(other, "escrow"))).toBe("unproven");
    expect(await status(other, await receipt(other, "verified"))).toMatch(/^mismatch: .*nobody/);
    expect(await status(one, await receipt(other, "verified"))).toMatch(/another record/);
    const swapped = { ...other, wrap: one.wrap };
    expect(await status(swapped, await receipt(other, "escrow"))).toMatch(/is not the one/);
    const rogue = await makeAuthority(core, newSigner(ORIGIN), [backup.publicKey]);
    expect(await status(one, await receipt(one, "verified"), rogue)).toMatch(/^mismatch/);
    const away = await makeAuthority(core, newSigner("away.example"), [backup.publicKey]);
    expect(await status(one, undefined, away)).toMatch(/^mismatch: the submission is for auth/);
    const wrapped = await makeAuthority(core, log.signer, [alice.publicKey]);
    expect(await status(one, undefined, wrapped)).toMatch(/a key that is not the authority's/);
  });
});

describe("a release", () => {
  test("has what the record says, for the new key, and a file's stays a file's", async () => {
    const [one, other] = [await proven(), await unproven()];
    const file = await sealFor(core, alice.publicKey, [authority]);
    const cores = [one.submission.record, other.submission.record, file.submissions[0]!.record];
    const hashes = cores.map((record) => recordHash(core, record));
    const request = makeRequest({
      authority: ORIGIN,
      requester: "Alice",
      recipient: fresh.publicKey,
      records: hashes,
    });
    const requested = log.add(requestEntry(core, request));
    const release = async (algIds: number[]) => {
      const keys = await Promise.all(
        algIds.map(async (algId, i) => {
          const blob = simpleBlob(algId, randomBytes(16), fresh);
          const wrap = (await readBlobWrap(core, blob, fresh.publicKey, "oaep")).wrap;
          const leaf = log.add({
            type: "release",
            time: new Date("2026-03-01T00:00:00Z"),
            record: hashes[i]!,
            owner: fill(9),
            request: requestHash(core, request),
            policy: fill(4),
            approvals: fill(5),
            recipient: recipientTag(core, cores[i]!.blind, wrap.fingerprint),
            basis: "quorum",
          });
          return { record: hashes[i]!, wrap, leaf };
        }),
      );
      keys.sort((a, b) => Buffer.compare(a.record, b.record));
      const proven = await proveRelease(log, request, requested, keys);
      const read = decodeRelease(encodeRelease(proven));
      return checkRelease(core, read, authority, { request });
    };
    const good = await release([AES_256, RC4, AES_256]);
    const [provenRecord, unprovenRecord] = cores as [BlobRecord, BlobRecord];
    expect(Buffer.from(releasedBlob(core, good, provenRecord).simpleBlob).readUInt32LE(4)).toBe(
      AES_256,
    );
    expect(Buffer.from(releasedBlob(core, good, unprovenRecord).simpleBlob).readUInt32LE(4)).toBe(
      RC4,
    );
    expect(releasedFor(core, good, file.head, cores[2]!).padding).toBe("oaep");
    // The right record, but not of this file; and an algorithm that is not the record's.
    expect(fits(file.head, provenRecord)).toBe(false);
    expect(() => releasedFor(core, good, file.head, provenRecord)).toThrow(NOT_VERIFIED);
    const bad = await release([RC4, AES_256, RC4]);
    expect(() => releasedBlob(core, bad, provenRecord)).toThrow(NOT_VERIFIED);
    expect(() => releasedBlob(core, bad, unprovenRecord)).toThrow(NOT_VERIFIED);
    expect(() => releasedFor(core, bad, file.head, cores[2]!)).toThrow(NOT_VERIFIED);
    const missing = (await unproven()).submission.record;
    expect(() => releasedBlob(core, good, missing)).toThrow(
      expect.objectContaining({ code: "NOT_FOUND" }),
    );
  });
});
