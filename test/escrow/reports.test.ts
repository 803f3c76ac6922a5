import { amend, type Head, inspectHead, TwinwrapError } from "twinwrap";
import { loadCore } from "twinwrap/core";
import {
  type Authority,
  checkFile,
  checkReceipt,
  checkSubmission,
  decodeReceipt,
  encodeReceipt,
  fits,
  type Receipt,
  receiptToJson,
  type Submission,
  submissionsOf,
  submissionToJson,
  withReceipt,
  withSubmission,
} from "twinwrap/escrow";
import { beforeAll, describe, expect, test } from "vitest";
import { makePair, type Pair } from "../envelope/keys.js";
import { type Escrows, makeAuthority, sealFor, TestLog, withEscrows } from "./client-material.js";
import { fill, hex, NOT_VERIFIED } from "./material.js";
import { newSigner } from "./signers.js";

const core = await loadCore();
const ORIGIN = "authority.example";
const TIME = new Date("2026-02-01T10:00:00Z");

let alice: Pair;
let log: TestLog;
let authority: Authority;
let other: { log: TestLog; authority: Authority };
beforeAll(async () => {
  const [a, b, c] = await Promise.all([makePair(), makePair(), makePair()]);
  alice = a;
  log = new TestLog(core, ORIGIN);
  authority = await makeAuthority(core, log.signer, [b.publicKey]);
  const second = new TestLog(core, "second.example");
  other = { log: second, authority: await makeAuthority(core, second.signer, [c.publicKey]) };
});

const holding = (head: Head, submission: Submission, receipt?: Receipt): Head =>
  withEscrows(head, [
    {
      submission: submissionToJson(submission),
      ...(receipt === undefined ? {} : { receipt: receiptToJson(receipt) }),
    },
  ]);
/** The one report that there is, with and without the authority. */
async function both(head: Head) {
  const withAuthority = await checkFile(core, head, authority);
  const without = await checkFile(core, head);
  expect(withAuthority).toHaveLength(1);
  expect(without).toHaveLength(1);
  return { shown: withAuthority[0]!, consistent: without[0]! };
}
const altered = (text: string, at: number) =>
  text.slice(0, at) + (text[at] === "1" ? "2" : "1") + text.slice(at + 1);

describe("what a file's head says", () => {
  test("pending, then unverified, then verified", async () => {
    const { file, head, submissions, records } = await sealFor(core, alice.publicKey, [authority]);
    const [record] = records;
    const wrapFor = authority.wrapFingerprints[0];
    const facts = { origin: ORIGIN, record, owner: "alice", wrapFor, reason: undefined };
    const pending = await both(head);
    for (const report of [pending.shown, pending.consistent]) {
      expect(report).toEqual({
        ...facts,
        status: "pending",
        shown: false,
        time: undefined,
        index: undefined,
        checkpoint: undefined,
      });
    }
    for (const [type, status] of [
      ["escrow", "unverified"],
      ["verified", "verified"],
    ] as const) {
      const receipt = decodeReceipt(encodeReceipt(await log.receipt(record!, { type })));
      const { patch } = await amend(file, (present) => ({
        escrows: withReceipt(core, present, receipt),
      }));
      Buffer.from(patch.bytes).copy(file, patch.offset);
      const now = await inspectHead(file);
      const index = log.leaves.indexOf(receipt.leaf);
      const checkpoint = { origin: ORIGIN, size: log.leaves.length };
      const { shown, consistent } = await both(now);
      expect(shown).toMatchObject({ ...facts, status, shown: true, time: TIME, index, checkpoint });
      expect(consistent).toEqual({ ...shown, shown: false });
      const held = submissionsOf(core, now, ORIGIN);
      expect(held).toEqual([{ submission: submissions[0], record, receipt }]);
      const checked = await checkReceipt(core, submissions[0]!, receipt, authority);
      expect(checked).toMatchObject({ leaf: { type, time: TIME, record }, index, checkpoint });
    }
  });

  test("two authorities in one file, each by itself", async () => {
    const { head, submissions, records } = await sealFor(core, alice.publicKey, [
      authority,
      other.authority,
    ]);
    const receipt = await other.log.receipt(records[1]!);
    const now = withEscrows(head, withReceipt(core, head, receipt));
    const reports = await checkFile(core, now);
    expect(reports.map(({ origin, status }) => [origin, status])).toEqual([
      [ORIGIN, "pending"],
      ["second.example", "verified"],
    ]);
    expect(await checkFile(core, now, authority)).toMatchObject([{ status: "pending" }]);
    expect(await checkFile(core, now, other.authority)).toMatchObject([
      { status: "verified", shown: true, record: records[1] },
    ]);
    expect(submissionsOf(core, now, ORIGIN).map(({ submission }) => submission)).toEqual([
      submissions[0],
    ]);
    // The receipt of one authority says nothing to the other.
    await expect(checkReceipt(core, submissions[1]!, receipt, authority)).rejects.toEqual(
      NOT_VERIFIED,
    );
    await expect(checkReceipt(core, submissions[0]!, receipt, authority)).rejects.toEqual(
      NOT_VERIFIED,
    );
  });

  test("not escrowed, for every origin meant and for every authority asked about", async () => {
    const meant = [ORIGIN, "second.example"];
    const { head } = await sealFor(core, alice.publicKey, [], { meant });
    const reports = await checkFile(core, head);
    expect(reports.map(({ origin, status }) => [origin, status])).toEqual(
      meant.map((origin) => [origin, "not escrowed"]),
    );
    const plain = await sealFor(core, alice.publicKey, []);
    expect(await checkFile(core, plain.head)).toEqual([]);
    expect(await checkFile(core, plain.head, authority)).toMatchObject([
      { status: "not escrowed", origin: ORIGIN, shown: false },
    ]);
    expect(submissionsOf(core, plain.head, ORIGIN)).toEqual([]);
  });

  test("what fails in the engine is no mismatch", async () => {
    const { head, submissions } = await sealFor(core, alice.publicKey, [authority]);
    const { sha256 } = core;
    core.sha256 = () => {
      throw new TwinwrapError("FAULT", "a computation failed its own check");
    };
    try {
      await expect(checkFile(core, head, authority)).rejects.toMatchObject({ code: "FAULT" });
      const one = checkSubmission(core, submissions[0]!, undefined, authority);
      await expect(one).rejects.toMatchObject({ code: "FAULT" });
    } finally {
      core.sha256 = sha256;
    }
  });

  test("several submissions for one authority: a report each, those with a receipt first", async () => {
    const { head, submissions, records } = await sealFor(core, alice.publicKey, [
      authority,
      authority,
    ]);
    const now = withEscrows(
      head,
      withReceipt(core, head, await log.receipt(records[1]!, { type: "escrow" })),
    );
    const statuses = (await checkFile(core, now, authority)).map(({ status }) => status);
    expect(statuses).toEqual(["pending", "unverified"]);
    expect(submissionsOf(core, now, ORIGIN).map(({ submission }) => submission)).toEqual([
      submissions[1],
      submissions[0],
    ]);
  });

  test("what is malformed is a mismatch, and no more", async () => {
    const { head, submissions, records } = await sealFor(core, alice.publicKey, [authority]);
    const sound = submissionToJson(submissions[0]!) as { record: object };
    const receipt = await log.receipt(records[0]!);
    const escrows = [
      { submission: null },
      { submission: [] },
      { submission: "text" },
      { submission: { record: null } },
      { submission: { record: { authority: 1 } } },
      { submission: { record: { authority: ORIGIN } } },
      { submission: { ...sound, more: 1 } },
      { submission: { ...sound, record: { ...sound.record, v: 2 } } },
      { submission: sound, receipt: null },
      { submission: sound, receipt: { ...(receiptToJson(receipt) as object), more: 1 } },
      { submission: sound, receipt: { ...(receiptToJson(receipt) as object), proof: "" } },
    ] as Escrows;
    for (const escrow of escrows) {
      const now = withEscrows(head, [escrow]);
      const [first, ...more] = await checkFile(core, now);
      expect(first).toMatchObject({ status: "mismatch", shown: false });
      expect(first!.reason).toMatch(/./);
      // An origin that can't be read is none of this authority's.
      const isHis = first!.origin === ORIGIN;
      expect(more.map(({ status }) => status)).toEqual(isHis ? [] : ["not escrowed"]);
      const asked = await checkFile(core, now, authority);
      expect(asked.map(({ status }) => status)).toEqual([isHis ? "mismatch" : "not escrowed"]);
    }
  });
});

describe("a submission that is not for this file", () => {
  const FACTS = [
    ["serial", /serial/],
    ["header", /header/],
    ["salt", /salt/],
    ["commitment", /commitment/],
  ] as const;

  test.each(FACTS)("another %s", async (fact, reason) => {
    const { head, submissions } = await sealFor(core, alice.publicKey, [authority]);
    const stranger = await sealFor(core, alice.publicKey, [authority]);
    expect(fits(head, submissions[0]!.record)).toBe(true);
    expect(fits(head, stranger.submissions[0]!.record)).toBe(false);
    const core1 = { ...submissions[0]!.record, [fact]: stranger.submissions[0]!.record[fact] };
    expect(fits(head, core1)).toBe(false);
    const now = holding(head, { ...submissions[0]!, record: core1 });
    const { shown, consistent } = await both(now);
    for (const report of [shown, consistent]) {
      expect(report).toMatchObject({ status: "mismatch", reason: expect.stringMatching(reason) });
    }
    expect(submissionsOf(core, now, ORIGIN)).toEqual([]);
  });

  test("with its own good receipt: both copied from another file", async () => {
    const mine = await sealFor(core, alice.publicKey, [authority]);
    const theirs = await sealFor(core, alice.publicKey, [authority]);
    const receipt = await log.receipt(theirs.records[0]!);
    const now = holding(mine.head, theirs.submissions[0]!, receipt);
    const { shown, consistent } = await both(now);
    expect(shown).toMatchObject({ status: "mismatch", shown: false, time: undefined });
    expect(consistent.status).toBe("mismatch");
    expect(() => withReceipt(core, now, receipt)).toThrow(NOT_VERIFIED);
    expect(submissionsOf(core, now, ORIGIN)).toEqual([]);
  });

  test("wrapped for a key that is not the authority's", async () => {
    const { head, submissions, records } = await sealFor(core, alice.publicKey, [authority]);
    const wrap = { ...submissions[0]!.wrap, fingerprint: other.authority.wrapFingerprints[0]! };
    const receipt = await log.receipt(records[0]!);
    // The record is the same, so that the receipt is good; recovery would still come to nothing
    // if the authority had lost its store.
    const { shown, consistent } = await both(holding(head, { ...submissions[0]!, wrap }, receipt));
    expect(shown).toMatchObject({ status: "mismatch", reason: expect.stringMatching(/wrapped/) });
    expect(shown.wrapFor).toEqual(wrap.fingerprint);
    expect(consistent).toMatchObject({ status: "verified", shown: false });
  });
});

describe("a receipt that is not for this record", () => {
  const refused = async (head: Head, submission: Submission, receipt: Receipt) => {
    const { shown, consistent } = await both(holding(head, submission, receipt));
    expect(shown).toMatchObject({ status: "mismatch", shown: false, time: undefined });
    expect(shown.reason).toMatch(/./);
    expect(shown.checkpoint).toBeUndefined();
    await expect(checkReceipt(core, submission, receipt, authority)).rejects.toEqual(NOT_VERIFIED);
    return consistent.status;
  };
  const make = async () => {
    const { head, submissions, records } = await sealFor(core, alice.publicKey, [authority]);
    return { head, submission: submissions[0]!, record: records[0]! };
  };

  test("copied from another file or owner", async () => {
    const { head, submission } = await make();
    const theirs = await make();
    const receipt = await log.receipt(theirs.record);
    expect(await refused(head, submission, receipt)).toBe("mismatch");
    expect(() => withReceipt(core, head, receipt)).toThrow(NOT_VERIFIED);
    const stolen = { ...submission, record: { ...submission.record, owner: "thief" } };
    const mine = await log.receipt(fill(1));
    expect(await refused(head, stolen, mine)).toBe("mismatch");
    expect(() => withSubmission(core, [], submission, receipt)).toThrow(NOT_VERIFIED);
  });

  test("with the record written into another leaf", async () => {
    const { head, submission, record } = await make();
    const theirs = await make();
    const receipt = await log.receipt(theirs.record);
    const leaf = receipt.leaf.replace(hex(theirs.record), hex(record));
    expect(leaf).not.toBe(receipt.leaf);
    expect(await refused(head, submission, { ...receipt, leaf })).toBe("mismatch");
  });

  test("altered: the leaf's type, time or owner", async () => {
    const { head, submission, record } = await make();
    const receipt = await log.receipt(record, { type: "escrow" });
    for (const [from, to] of [
      ["type escrow", "type verified"],
      ["time 2026", "time 2025"],
      ["owner 09", "owner 08"],
    ] as const) {
      const leaf = receipt.leaf.replace(from, to);
      expect(leaf).not.toBe(receipt.leaf);
      expect(await refused(head, submission, { ...receipt, leaf })).toBe("mismatch");
    }
  });

  test("altered: any character of the proof", async () => {
    const { head, submission, record } = await make();
    const receipt = await log.receipt(record);
    let refusals = 0;
    for (let at = 0; at < receipt.proof.length; at++) {
      const proof = altered(receipt.proof, at);
      await expect(
        checkReceipt(core, submission, { ...receipt, proof }, authority),
        `at ${at}`,
      ).rejects.toEqual(NOT_VERIFIED);
      refusals++;
    }
    expect(refusals).toBeGreaterThan(300);
    await refused(head, submission, { ...receipt, proof: `${receipt.proof}\n` });
  });

  test("signed by another log key, under this origin or its own", async () => {
    const { head, submission, record } = await make();
    const receipt = await log.receipt(record);
    for (const name of [ORIGIN, "elsewhere.example"]) {
      const proof = await log.proof(receipt.leaf, { signer: newSigner(name) });
      // Without the authority nobody can tell, and it is not claimed.
      expect(await refused(head, submission, { ...receipt, proof })).toBe("verified");
    }
  });

  test("for a leaf that the checkpoint does not reach", async () => {
    const { head, submission, record } = await make();
    const receipt = await log.receipt(record);
    const index = log.leaves.indexOf(receipt.leaf);
    const earlier = await log.proof(log.leaves[index - 1]!, { size: index });
    expect(await refused(head, submission, { ...receipt, proof: earlier })).toBe("mismatch");
  });

  test("of another authority, for a submission of this one", async () => {
    const { head, submission, record } = await make();
    const receipt = await other.log.receipt(record);
    expect(await refused(head, submission, receipt)).toBe("verified");
  });
});
