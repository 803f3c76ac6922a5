import { loadCore } from "twinwrap/core";
import {
  type Authority,
  attachReceipt,
  type Receipt,
  receiptToJson,
  submissionsOf,
  submissionToJson,
  withReceipt,
  withSubmission,
} from "twinwrap/escrow";
import { beforeAll, describe, expect, test } from "vitest";
import { makePair, type Pair } from "../envelope/keys.js";
import { makeAuthority, sealFor, TestLog, withEscrows } from "./client-material.js";
import { fill, NOT_VERIFIED } from "./material.js";

const core = await loadCore();
const ORIGIN = "authority.example";
const TIME = new Date("2026-02-01T10:00:00Z");

let alice: Pair;
let log: TestLog;
let authority: Authority;
let second: Authority;
beforeAll(async () => {
  const pairs = await Promise.all([makePair(), makePair()]);
  alice = pairs[0];
  log = new TestLog(core, ORIGIN);
  authority = await makeAuthority(core, log.signer, [pairs[1].publicKey]);
  const other = new TestLog(core, "second.example");
  second = await makeAuthority(core, other.signer, [pairs[1].publicKey]);
});

describe("attaching", () => {
  test("a newer receipt takes the older one's place, but verified stays verified", async () => {
    const { head, records } = await sealFor(core, alice.publicKey, [authority, second]);
    const record = records[0]!;
    const unverified = await log.receipt(record, { type: "escrow" });
    const later = await log.receipt(record, { type: "escrow", time: new Date(+TIME + 1000) });
    const verified = await log.receipt(record);
    const again = await log.receipt(record, { time: new Date(+TIME + 2000) });
    let now = head;
    const attach = (receipt: Receipt) => {
      now = withEscrows(now, withReceipt(core, now, receipt));
      expect(now.header.escrows[1]).toEqual(head.header.escrows[1]);
      return submissionsOf(core, now, ORIGIN)[0]!.receipt;
    };
    expect(attach(unverified)).toEqual(unverified);
    expect(attach(later)).toEqual(later);
    expect(attach(verified)).toEqual(verified);
    expect(attach(unverified)).toEqual(verified);
    expect(attach(again)).toEqual(again);
    expect(head.header.escrows[0]!.receipt).toBeUndefined();
  });

  test("what stands there and is no receipt of the record is replaced by any", async () => {
    const { head, submissions, records } = await sealFor(core, alice.publicKey, [authority]);
    const unverified = await log.receipt(records[0]!, { type: "escrow" });
    const strange = await log.receipt(fill(1));
    for (const receipt of [receiptToJson(strange), "none", {}]) {
      const [escrow] = head.header.escrows;
      const now = withEscrows(head, [{ ...escrow!, receipt }]);
      expect(submissionsOf(core, now, ORIGIN)[0]!.receipt).toBeUndefined();
      expect(withReceipt(core, now, unverified)).toEqual([
        { submission: submissionToJson(submissions[0]!), receipt: receiptToJson(unverified) },
      ]);
    }
  });

  test("a submission is added, or takes the place of one for the same record", async () => {
    const { head, submissions, records } = await sealFor(core, alice.publicKey, [authority]);
    const second = await sealFor(core, alice.publicKey, [authority]);
    const receipt = await log.receipt(records[0]!);
    const held = withReceipt(core, head, receipt);
    const added = withSubmission(core, held, second.submissions[0]!);
    expect(added).toEqual([held[0], second.head.header.escrows[0]]);
    expect(held).toHaveLength(1);
    // The wrap for another key of the authority: the record, and so its receipt, stay.
    const rewrapped = { ...submissions[0]!, wrap: second.submissions[0]!.wrap };
    const json = submissionToJson(rewrapped);
    expect(withSubmission(core, added, rewrapped)).toEqual([
      { submission: json, receipt: receiptToJson(receipt) },
      added[1],
    ]);
    const unverified = await log.receipt(records[0]!, { type: "escrow" });
    expect(withSubmission(core, added, rewrapped, unverified)[0]!.receipt).toEqual(
      receiptToJson(receipt),
    );
    expect(withSubmission(core, [], rewrapped, unverified)).toEqual([
      { submission: json, receipt: receiptToJson(unverified) },
    ]);
  });

  test("a file holds 16 at most, and what can't be read stays", async () => {
    const { submissions } = await sealFor(core, alice.publicKey, [authority]);
    const fifteen = Array.from({ length: 15 }, (_, at) => ({ submission: { at } }));
    const sixteen = withSubmission(core, fifteen, submissions[0]!);
    expect(sixteen.slice(0, 15)).toEqual(fifteen);
    expect(withSubmission(core, sixteen, submissions[0]!)).toEqual(sixteen);
    expect(() => withSubmission(core, [...fifteen, { submission: null }], submissions[0]!)).toThrow(
      expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
    );
  });

  test("without an authority a receipt fills an empty place only; with one, only hers count", async () => {
    const { head, submissions, records } = await sealFor(core, alice.publicKey, [authority]);
    const [record] = records;
    const genuine = await log.receipt(record!, { type: "escrow" });
    const forged = await new TestLog(core, ORIGIN).receipt(record!);
    const held = (receipt: Receipt) =>
      withEscrows(head, [
        { submission: submissionToJson(submissions[0]!), receipt: receiptToJson(receipt) },
      ]);
    const attach = async (to: typeof head, receipt: Receipt, by?: Authority) =>
      withEscrows(head, await attachReceipt(core, to, receipt, by));
    expect(await attach(head, genuine)).toEqual(held(genuine));
    expect(await attach(held(genuine), genuine)).toEqual(held(genuine));
    await expect(attach(held(genuine), forged)).rejects.toMatchObject({ code: "DUPLICATE" });
    await expect(attach(held(forged), genuine)).rejects.toMatchObject({ code: "DUPLICATE" });
    for (const present of [head, held(genuine), held(forged)]) {
      await expect(attach(present, forged, authority)).rejects.toEqual(NOT_VERIFIED);
      // "verified" that nobody signed does not stand in the way.
      expect(await attach(present, genuine, authority)).toEqual(held(genuine));
    }
    const verified = await log.receipt(record!);
    expect(await attach(held(genuine), verified, authority)).toEqual(held(verified));
    expect(await attach(held(verified), genuine, authority)).toEqual(held(verified));
    await expect(attach(head, verified, second)).rejects.toEqual(NOT_VERIFIED);
  });
});
