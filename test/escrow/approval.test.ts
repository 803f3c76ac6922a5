// An officer's word: what it may say, and that it has one signature.
import { loadCore } from "twinwrap/core";
import {
  type Approval,
  addSignature,
  formatApproval,
  parseApproval,
  signNote,
} from "twinwrap/escrow";
import { describe, expect, test } from "vitest";
import { BAD_ARGUMENT, BAD_FORMAT, fill, OVER_LIMIT, signer } from "./material.js";

const core = await loadCore();
const ann = signer("ann", 2);
const approval = (change: Partial<Approval> = {}): Approval => ({
  authority: "authority.example",
  policy: new Uint8Array(fill(1)),
  request: new Uint8Array(fill(2)),
  recipient: new Uint8Array(fill(3)),
  records: 4,
  decision: "approve",
  identity: "passport, in person",
  date: new Date("2026-05-31T12:00:00Z"),
  expires: new Date("2026-06-01T12:00:00Z"),
  ...change,
});

describe("an approval", () => {
  test.each<[string, Partial<Approval>]>([
    ["as it is", {}],
    ["a denial", { decision: "deny" }],
    ["one record", { records: 1 }],
    ["1000 records", { records: 1000 }],
    ["1000 bytes about the identity", { identity: "ü".repeat(500) }],
  ])("is read back: %s", async (_, change) => {
    const note = await signNote(core, formatApproval(approval(change)), ann);
    expect(parseApproval(note)).toEqual({ ...approval(change), officer: "ann" });
  });

  test.each<[string, Partial<Approval>]>([
    ["1001 records", { records: 1001 }],
    ["1001 bytes about the identity", { identity: `${"ü".repeat(500)}x` }],
  ])("can't have %s", (_, change) => {
    expect(() => formatApproval(approval(change))).toThrow(OVER_LIMIT);
  });

  test("can't have another word", () => {
    const change = { decision: "maybe" as "deny" };
    expect(() => formatApproval(approval(change))).toThrow(BAD_ARGUMENT);
  });

  test.each<[string, Partial<Approval>]>([
    ["no records", { records: 0 }],
    ["nothing about the identity", { identity: "" }],
    ["two lines about the identity", { identity: "a\nb" }],
    ["a short hash", { request: new Uint8Array(31) }],
    ["an authority of two words", { authority: "a b" }],
  ])("can't be: %s", (_, change) => {
    expect(() => formatApproval(approval(change))).toThrow(BAD_FORMAT);
  });

  test("has one signature, and nothing behind its lines", async () => {
    const text = formatApproval(approval());
    const note = await signNote(core, text, ann);
    const twice = await addSignature(core, note, signer("bea", 3));
    expect(() => parseApproval(twice)).toThrow(BAD_FORMAT);
    const more = await signNote(core, `${text}more 1\n`, ann);
    expect(() => parseApproval(more)).toThrow(BAD_FORMAT);
    for (const line of [/date .*\n/, /expires .*\n/, /identity .*\n/]) {
      const less = await signNote(core, text.replace(line, ""), ann);
      expect(() => parseApproval(less)).toThrow(BAD_FORMAT);
    }
  });

  test("says when it was signed, by the officer's clock", async () => {
    const about = approval();
    const text = formatApproval(about);
    expect(text).toMatch(/identity .*\ndate 2026-05-31T12:00:00Z\nexpires 2026-06-01T12:00:00Z\n$/);
    const later = { ...about, date: new Date("2027-01-01T00:00:00Z") };
    // A clock may be wrong: the date is for people, and what counts is when the approval expires.
    expect(parseApproval(await signNote(core, formatApproval(later), ann)).date).toEqual(
      later.date,
    );
  });
});
