// An owner's veto: what it may say, and that its one signature is the owner's.
import { loadCore } from "twinwrap/core";
import {
  addSignature,
  formatVeto,
  makeRequest,
  parseVeto,
  requestHash,
  signNote,
  signVeto,
  type Veto,
  verifyNote,
  vetoHash,
} from "twinwrap/escrow";
import { readPublicKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import {
  BAD_FORMAT,
  fill,
  hex,
  NOT_VERIFIED,
  OVER_LIMIT,
  SPKI,
  sha256,
  signer,
} from "./material.js";

const core = await loadCore();
const olga = signer("olga-17", 2);
const DATE = new Date("2026-06-01T12:00:00Z");
const veto = (change: Partial<Veto> = {}): Veto => ({
  authority: "authority.example",
  request: new Uint8Array(fill(2)),
  owner: "olga-17",
  date: DATE,
  ...change,
});
const TEXT = [
  "twinwrap/veto/v1",
  "authority authority.example",
  `request ${"02".repeat(32)}`,
  "owner olga-17",
  "date 2026-06-01T12:00:00Z",
  "",
].join("\n");

describe("a veto", () => {
  test("has these lines, and is read back", async () => {
    expect(formatVeto(veto())).toBe(TEXT);
    expect(parseVeto(await signNote(core, TEXT, olga))).toEqual(veto());
  });

  test("names the request, and is signed with the control key under the owner's ID", async () => {
    const request = makeRequest({
      authority: "authority.example",
      requester: "Alice",
      recipient: readPublicKey(SPKI),
      records: [fill(1)],
    });
    const note = await signVeto(core, olga, request, { date: DATE });
    expect(parseVeto(note)).toEqual(veto({ request: requestHash(core, request) }));
    await verifyNote(core, note, [olga]);
    await expect(verifyNote(core, note, [signer("olga-17", 3)])).rejects.toEqual(NOT_VERIFIED);
    const before = Math.floor(Date.now() / 1000) * 1000;
    const { date } = parseVeto(await signVeto(core, olga, request));
    expect(date.getTime()).toBeGreaterThanOrEqual(before);
    expect(date.getTime()).toBeLessThanOrEqual(Date.now());
  });

  test("has a hash over all of it, signature included", async () => {
    const note = await signNote(core, TEXT, olga);
    expect(hex(vetoHash(core, note))).toBe(hex(sha256("twinwrap/v1/veto\n", note)));
    const other = await signNote(core, TEXT, signer("olga-17", 3));
    expect(hex(vetoHash(core, other))).not.toBe(hex(vetoHash(core, note)));
  });

  test("has one signature, and that is the owner's", async () => {
    const note = await signNote(core, TEXT, olga);
    const twice = await addSignature(core, note, signer("bert", 4));
    expect(() => parseVeto(twice)).toThrow(BAD_FORMAT);
    for (const name of ["bert", "olga-1", "Olga-17"]) {
      const others = await signNote(core, TEXT, signer(name, 2));
      expect(() => parseVeto(others)).toThrow(BAD_FORMAT);
    }
  });

  test.each<[string, Partial<Veto>]>([
    ["a short hash", { request: new Uint8Array(31) }],
    ["an authority of two words", { authority: "a b" }],
    ["an owner of two words", { owner: "a b" }],
    ["an owner who is no name", { owner: "twinwrap/a" }],
    ["an owner with a plus", { owner: "a+b" }],
    ["no owner", { owner: "" }],
  ])("can't be: %s", (_, change) => {
    expect(() => formatVeto(veto(change))).toThrow(BAD_FORMAT);
  });

  test("can't have an owner of 256 bytes", () => {
    formatVeto(veto({ owner: "o".repeat(255) }));
    expect(() => formatVeto(veto({ owner: "o".repeat(256) }))).toThrow(OVER_LIMIT);
  });

  test.each<[string, string | RegExp, string]>([
    ["another kind", "twinwrap/veto/v1", "twinwrap/veto/v2"],
    ["an approval's kind", "twinwrap/veto/v1", "twinwrap/approval/v1"],
    ["a line more", /$/, "expires 2026-06-08T12:00:00Z\n"],
    ["no date", /date .*\n/, ""],
    ["no request", /request .*\n/, ""],
    ["the owner twice", /(owner .*\n)/, "$1$1"],
    ["lines exchanged", /(owner .*\n)(date .*\n)/, "$2$1"],
    ["capitals in a hash", /request .*/, `request ${"AB".repeat(32)}`],
    ["a date with fractions", /date .*/, "date 2026-06-01T12:00:00.000Z"],
  ])("has one spelling: %s", async (_, from, to) => {
    const other = TEXT.replace(from, to);
    expect(other).not.toBe(TEXT);
    const note = await signNote(core, other, olga);
    expect(() => parseVeto(note)).toThrow(BAD_FORMAT);
  });
});
