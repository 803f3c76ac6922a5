// Policies: what one may say, whose signatures it takes, and what follows what.
import { loadCore } from "twinwrap/core";
import {
  formatPolicy,
  type Policy,
  type PolicyText,
  parsePolicy,
  policySignatures,
  type Signer,
  signNote,
} from "twinwrap/escrow";
import { readPublicKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { checkShares, parsePolicyText, verifyPolicyChain } from "#build/escrow/policy.js";
import {
  BAD_FORMAT,
  hex,
  NOT_VERIFIED,
  OVER_LIMIT,
  SPKI,
  sha256,
  signer,
  spareKey,
} from "./material.js";

const core = await loadCore();
const hash = (byte: number) => new Uint8Array(32).fill(byte);
const ORIGIN = "authority.example";
const log = signer(ORIGIN, 1);
const NAMES = ["ann", "bea", "cas", "dan", "eve"];
const people = NAMES.map((name, i) => signer(name, 2 + i));

const officer = (i: number, name = NAMES[i]!): PolicyText["officers"][0] => ({
  name,
  key: signer(name, 2 + i).publicKey,
  share: spareKey(i),
  self: [],
});
const officers = (count: number) => Array.from({ length: count }, (_, i) => officer(i));

const policyText = (change: Partial<PolicyText> = {}): PolicyText => ({
  authority: ORIGIN,
  number: 1,
  previous: undefined,
  release: 2,
  change: 3,
  emergency: 4,
  waiting: 3600,
  officers: officers(4),
  ...change,
});
/** A line more or another one, in a text that was well-formed. */
const changed = (from: string | RegExp, to: string) => {
  const text = formatPolicy(policyText());
  const other = text.replace(from, to);
  expect(other).not.toBe(text);
  return other;
};

describe("the text of a policy", () => {
  test("is read back as it was written", () => {
    const whole = policyText({
      number: 7,
      previous: hash(5),
      officers: [
        { ...officer(0), self: ["a", "ann@example", "b"] },
        officer(1),
        officer(2),
        officer(3),
      ],
    });
    expect(parsePolicyText(formatPolicy(whole))).toEqual(whole);
  });

  test.each<[string, Partial<PolicyText>]>([
    ["release", { release: 1 }],
    ["change", { change: 1 }],
    ["emergency", { emergency: 1 }],
    ["all officers each time", { release: 4, change: 4, emergency: 4 }],
    ["no waiting", { waiting: 0 }],
    ["366 days", { waiting: 366 * 86_400 }],
    ["one officer", { release: 1, change: 1, emergency: 1, officers: officers(1) }],
    ["64 of self", { officers: [{ ...officer(0), self: many(64) }, ...officers(4).slice(1)] }],
    ["63 officers", { officers: crowd(63) }],
  ])("at its limit: %s", (_, change) => {
    const whole = policyText(change);
    expect(parsePolicyText(formatPolicy(whole))).toEqual(whole);
  });

  test.each<[string, Partial<PolicyText>]>([
    ["waiting for ever", { waiting: 366 * 86_400 + 1 }],
    ["64 officers", { officers: crowd(64) }],
    ["65 of self", { officers: [{ ...officer(0), self: many(65) }, ...officers(4).slice(1)] }],
  ])("can't have %s", (_, change) => {
    expect(() => formatPolicy(policyText(change))).toThrow(OVER_LIMIT);
  });

  test.each<[string, Partial<PolicyText>]>([
    ["nobody releases", { release: 0 }],
    ["nobody changes it", { change: 0 }],
    ["nobody in an emergency", { emergency: 0 }],
    ["more release than there are", { release: 5 }],
    ["more change it than there are", { change: 5 }],
    ["more in an emergency than there are", { emergency: 5 }],
    ["waiting for less than nothing", { waiting: -1 }],
    ["number 0", { number: 0 }],
    [
      "a name that folds to nothing",
      { officers: [officer(1), officer(2), officer(3), officer(0, "—")] },
    ],
    ["names that differ in case", { officers: [officer(0, "Bea"), ...officers(4).slice(1)] }],
    [
      "names that differ in accents",
      { officers: [officer(1), officer(2), officer(3), officer(0, "béa")] },
    ],
    [
      "names that differ in punctuation",
      { officers: [officer(0, "b.ea"), ...officers(4).slice(1)] },
    ],
    ["number 1 after another", { previous: hash(5) }],
    ["number 2 after none", { number: 2 }],
    ["no officers", { release: 1, change: 1, emergency: 1, officers: [] }],
    [
      "an officer twice",
      { officers: [officer(0), { ...officer(1), name: "ann" }, officer(2), officer(3)] },
    ],
    ["officers out of order", { officers: [officer(1), officer(0), officer(2), officer(3)] }],
    [
      "one key for two",
      { officers: [officer(0), { ...officer(1), key: officer(0).key }, officer(2), officer(3)] },
    ],
    [
      "one share key for two",
      { officers: [officer(0), { ...officer(1), share: spareKey(0) }, officer(2), officer(3)] },
    ],
    [
      "self out of order",
      { officers: [{ ...officer(0), self: ["b", "a"] }, ...officers(4).slice(1)] },
    ],
    ["self twice", { officers: [{ ...officer(0), self: ["a", "a"] }, ...officers(4).slice(1)] }],
    [
      "a self of two words",
      { officers: [{ ...officer(0), self: ["a b"] }, ...officers(4).slice(1)] },
    ],
    ["a reserved origin", { authority: "twinwrap/x" }],
  ])("can't be: %s", (_, change) => {
    expect(() => formatPolicy(policyText(change))).toThrow(BAD_FORMAT);
  });

  test.each<[string, string | RegExp, string]>([
    ["another kind", "twinwrap/policy/v1", "twinwrap/policy/v2"],
    ["a line more at the end", /$/, "more 1\n"],
    ["no line end", /\n$/, ""],
    ["a line end too many", /$/, "\n"],
    ["a line missing", /waiting \d+\n/, ""],
    ["lines exchanged", /(release 2\n)(change 3\n)/, "$2$1"],
    ["a leading zero", "release 2", "release 02"],
    ["a fraction", "release 2", "release 2.0"],
    ["capitals in a hash", /previous none/, `previous ${"AB".repeat(32)}`],
    ["a short key", /key .*/, "key AAAA"],
    ["a control character", "ann", "an\u0007n"],
    ["half a surrogate pair", "ann", "an\ud800n"],
  ])("has one spelling: %s", (_, from, to) => {
    expect(() => parsePolicyText(changed(from, to))).toThrow(BAD_FORMAT);
  });

  test("has a hash of its own, whatever its signatures", async () => {
    const text = formatPolicy(policyText());
    for (const by of [log, people[0]!]) {
      const parsed = parsePolicy(core, await signNote(core, text, by));
      expect(hex(parsed.hash)).toBe(hex(sha256("twinwrap/v1/policy\n", text)));
    }
  });
});

test("a share is for none of the authority's own keys", () => {
  const policy = policyText();
  checkShares(policy, [spareKey(100), readPublicKey(SPKI)]);
  expect(() => checkShares(policy, [spareKey(100), spareKey(3)])).toThrow(NOT_VERIFIED);
});

describe("whose signatures a policy takes", () => {
  const note = (text: PolicyText, ...signers: Signer[]) =>
    signNote(core, formatPolicy(text), ...signers);
  const signed = async (text: PolicyText, before: Policy | undefined, ...signers: Signer[]) => {
    const logKeys = [signer("old.example", 90), log];
    return policySignatures(core, await note(text, ...signers), before, logKeys);
  };
  const first = async () => parsePolicy(core, await note(policyText(), log, ...people.slice(0, 4)));

  test("the first: the log key's and every officer's", async () => {
    const all = people.slice(0, 4);
    expect(await signed(policyText(), undefined, log, ...all)).toMatchObject({
      log: true,
      officers: NAMES.slice(0, 4),
      needed: 4,
      complete: true,
    });
    for (const missing of all) {
      const rest = all.filter((one) => one !== missing);
      expect((await signed(policyText(), undefined, log, ...rest)).complete).toBe(false);
    }
    expect((await signed(policyText(), undefined, ...all)).complete).toBe(false);
  });

  test("a later one: as many as the one before asks for a change, of those officers", async () => {
    const before = await first();
    const next = policyText({
      number: 2,
      previous: before.hash,
      release: 1,
      change: 1,
      emergency: 1,
      officers: [officer(3), officer(4)],
    });
    const [ann, bea, cas, dan, eve] = people as [Signer, Signer, Signer, Signer, Signer];
    const complete = async (...signers: Signer[]) =>
      (await signed(next, before, ...signers)).complete;
    expect(await complete(log, ann, bea, cas)).toBe(true);
    expect(await complete(log, ann, bea, cas, dan)).toBe(true);
    expect(await complete(log, ann, bea)).toBe(false);
    expect(await complete(log, ann, bea, eve)).toBe(false);
    expect(await complete(log, dan, eve)).toBe(false);
    expect(await complete(ann, bea, cas)).toBe(false);
    expect((await signed(next, before, log, eve, dan)).officers).toEqual(["dan"]);
    expect((await signed(next, before, log)).needed).toBe(3);
  });

  test("one that does not follow the one before is none", async () => {
    const before = await first();
    const good = policyText({ number: 2, previous: before.hash });
    expect((await signed(good, before, log)).complete).toBe(false);
    for (const wrong of [
      { ...good, number: 3 },
      { ...good, previous: hash(5) },
      { ...good, authority: "other.example" },
      policyText(),
    ]) {
      await expect(signed(wrong, before, log)).rejects.toEqual(NOT_VERIFIED);
    }
    await expect(signed(good, undefined, log)).rejects.toEqual(NOT_VERIFIED);
  });

  test("with an officer whose key is a log key it is none", async () => {
    for (const key of [log, signer("old.example", 90)]) {
      const own = { ...officer(3), key: key.publicKey };
      const text = policyText({ officers: [...officers(3), own] });
      await expect(signed(text, undefined, log)).rejects.toEqual(NOT_VERIFIED);
    }
  });

  test("a chain is verified from the first on, each by the one before", async () => {
    const notes = [await note(policyText(), log, ...people.slice(0, 4))];
    const authority = { origin: ORIGIN, logKeys: [log] };
    const previous = (await first()).hash;
    const two = policyText({ number: 2, previous, change: 1, officers: officers(5) });
    notes.push(await note(two, log, ...people.slice(1, 4)));
    const three = policyText({
      number: 3,
      previous: parsePolicy(core, notes[1]!).hash,
      officers: officers(4),
    });
    notes.push(await note(three, log, people[4]!));
    const chain = await verifyPolicyChain(core, notes, authority);
    expect(chain.map(({ number, change }) => [number, change])).toEqual([
      [1, 3],
      [2, 1],
      [3, 3],
    ]);
    const wrong: [string, string[], typeof authority][] = [
      ["without the first", notes.slice(1), authority],
      ["with one left out", [notes[0]!, notes[2]!], authority],
      ["in another order", [notes[0]!, notes[2]!, notes[1]!], authority],
      ["the first twice", [notes[0]!, notes[0]!], authority],
      ["of another authority", notes, { ...authority, origin: "other.example" }],
      ["of another log", notes, { ...authority, logKeys: [signer(ORIGIN, 77)] }],
      [
        "one of them not signed",
        [notes[0]!, await note(two, log, people[1]!, people[2]!)],
        authority,
      ],
    ];
    for (const [what, list, by] of wrong) {
      await expect(verifyPolicyChain(core, list, by), what).rejects.toEqual(NOT_VERIFIED);
    }
  });
});

function many(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `id-${String(i).padStart(3, "0")}`);
}

function crowd(count: number): PolicyText["officers"] {
  return Array.from({ length: count }, (_, i) => ({
    name: `officer-${String(i).padStart(3, "0")}`,
    key: signer("any", 100 + i).publicKey,
    share: spareKey(i),
    self: [],
  }));
}
