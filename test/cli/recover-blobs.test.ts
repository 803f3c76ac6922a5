import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { partyOf } from "twinwrap/client";
import { loadCore } from "twinwrap/core";
import {
  type Authority,
  type BlobRecord,
  checkRelease,
  makeBlobSubmission,
  makeRequest,
  readBlobWrap,
  recipientTag,
  recordHash,
  requestHash,
  type Submission,
} from "twinwrap/escrow";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fetchBlobs } from "#build/cli/recover-blobs.js";
import { wrapFor } from "#build/envelope/wraps.js";
import { makePair, type Pair } from "../envelope/keys.js";
import { makeAuthority, proveRelease, requestEntry, TestLog } from "../escrow/client-material.js";
import { fill, NOT_VERIFIED } from "../escrow/material.js";

// What an authority that means harm can release for a blob: everything is signed and in its log, but
// the key is another one.

const core = await loadCore();
const folder = mkdtempSync(join(tmpdir(), "twinwrap-blobs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const key = randomBytes(32);
let fresh: Pair;
let backup: Pair;
let log: TestLog;
let authority: Authority;
beforeAll(async () => {
  [fresh, backup] = await Promise.all([makePair(), makePair()]);
  log = new TestLog(core, "authority.example");
  authority = await makeAuthority(core, log.signer, [backup.publicKey]);
});

async function submissionOf(aiKeyAlg: number, proven: boolean): Promise<Submission<BlobRecord>> {
  const sessionKey = key.subarray(0, aiKeyAlg === 0x6610 ? 32 : 16);
  const made = await wrapFor(core, sessionKey, { key: backup.publicKey }, { aiKeyAlg });
  const { wrap } = await readBlobWrap(core, made.simpleBlob, backup.publicKey, "oaep");
  const proof = { sessionKey, ownerBlob: fill(1, 268) };
  const about = { authority: authority.origin, owner: "a", wrap };
  return makeBlobSubmission(core, proven ? { ...about, proof } : about);
}

/** Fetches what was released for the records, with these keys in it. */
async function fetch(
  of: Submission<BlobRecord>[],
  keys: Uint8Array[],
  { output = "new", open = true, force = false } = {},
) {
  const hashes = of.map((one) => recordHash(core, one.record));
  const request = makeRequest({
    authority: authority.origin,
    requester: "A",
    recipient: fresh.publicKey,
    records: hashes,
  });
  const requested = log.add(requestEntry(core, request));
  const released = [];
  for (const [i, one] of of.entries()) {
    const { aiKeyAlg } = one.record.blob;
    const wrap = await wrapFor(core, keys[i]!, { key: fresh.publicKey }, { aiKeyAlg });
    const leaf = log.add({
      type: "release",
      time: new Date("2026-03-01T00:00:00Z"),
      record: hashes[i]!,
      owner: fill(9),
      request: requestHash(core, request),
      policy: fill(4),
      approvals: fill(5),
      recipient: recipientTag(core, one.record.blind, wrap.fingerprint),
      basis: "quorum",
    });
    released.push({ record: hashes[i]!, wrap, leaf });
  }
  const release = await proveRelease(log, request, requested, released);
  const checked = await checkRelease(core, release, authority, { request });
  const kept = of.map((one, i) => ({ record: one.record, hash: hashes[i]! }));
  const recovery = { party: partyOf(core, authority), checked, kept };
  return fetchBlobs(recovery, join(folder, output), { force }, open ? fresh.privateKey : undefined);
}

test("another key than the proven one is not written, however well it is signed", async () => {
  const proven = await submissionOf(0x6610, true);
  await expect(fetch([proven], [randomBytes(32)])).rejects.toEqual(NOT_VERIFIED);
  expect(readdirSync(folder)).toEqual([]);
  const [fetched] = await fetch([proven], [key]);
  expect(readFileSync(fetched!.file)).toEqual(Buffer.from(fetched!.wrap.simpleBlob));
  rmSync(fetched!.file);
});

test("nor is one of another length where nothing is proven; and of several all or none", async () => {
  const [proven, unproven] = [await submissionOf(0x6610, true), await submissionOf(0x6801, false)];
  await expect(fetch([unproven], [randomBytes(15)])).rejects.toEqual(NOT_VERIFIED);
  const keys = [key, randomBytes(5)];
  await expect(fetch([proven, unproven], keys)).rejects.toEqual(NOT_VERIFIED);
  expect(readdirSync(folder)).toEqual([]);
  await fetch([proven, unproven], [key, randomBytes(16)], { output: "both" });
  expect(readdirSync(join(folder, "both"))).toHaveLength(2);
  // One name for two would lose one of them.
  const twice = [
    proven,
    { ...unproven, record: { ...unproven.record, serial: proven.record.serial } },
  ];
  await expect(fetch(twice, [key, key], { output: "twice" })).rejects.toThrow(/two blobs have/);
  expect(readdirSync(folder)).toEqual(["both"]);
});
