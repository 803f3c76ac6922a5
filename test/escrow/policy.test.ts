// Policies: what one may say, whose signatures it takes, and what follows what.
import { loadCore } from "twinwrap/core";
import {
  formatPolicy,
  type Policy,
  type PolicyPlace,
  type PolicyText,
  parsePolicy,
  policySignatures,
  type Signer,
  signNote,
} from "twinwrap/escrow";
import { readPublicKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { checkShares, parsePolicyText, weakenings } from "#build/escrow/policy.js";
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
/** The hash of the first identity's keys. */
const KEYS = hash(0x77);
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
  previous: KEYS,
  release: 2,
  change: 3,
  emergency: 4,
  waiting: 3600,
  owners: "enrolled",
  unproven: "refused",
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
    ["open to everybody and everything", { owners: "open", unproven: "taken" }],
    ["number 1024", { number: 1024 }],
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
    ["number 1025", { number: 1025 }],
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
    ["capitals in a hash", /previous .*/, `previous ${"AB".repeat(32)}`],
    ["nothing before it", /previous .*/, "previous none"],
    ["nothing about owners", /owners .*\n/, ""],
    ["nothing about unproven keys", /unproven .*\n/, ""],
    ["another word about owners", "owners enrolled", "owners closed"],
    ["another word about unproven keys", "unproven refused", "unproven open"],
    ["these two exchanged", /(owners .*\n)(unproven .*\n)/, "$2$1"],
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

describe("what weakens a policy", () => {
  const before = policyText({
    officers: [{ ...officer(0), self: ["a", "b"] }, officer(1), officer(2), officer(3)],
  });
  const [ann, ...others] = before.officers as [PolicyText["officers"][0]];
  const OPEN = { owners: "open", unproven: "taken" } as const;

  test.each<[string, Partial<PolicyText>, string[]]>([
    ["an officer more", { officers: [...before.officers, officer(4)] }, ["eve joins"]],
    [
      "an officer in another's place",
      { officers: [...before.officers.slice(0, 3), officer(4)] },
      ["eve joins"],
    ],
    [
      "another key",
      { officers: [{ ...ann, key: signer("ann", 60).publicKey }, ...others] },
      ["ann has another key"],
    ],
    [
      "another share key",
      { officers: [{ ...ann, share: spareKey(60) }, ...others] },
      ["ann has another key"],
    ],
    [
      "an officer of the same keys under another name",
      { officers: [{ ...ann, name: "anne" }, ...others] },
      ["anne joins"],
    ],
    ["a lower release", { release: 1 }, ["release takes 1 officers, not 2"]],
    ["a lower change", { change: 2 }, ["change takes 2 officers, not 3"]],
    ["a lower emergency", { emergency: 3 }, ["emergency takes 3 officers, not 4"]],
    ["a shorter wait", { waiting: 3599 }, ["a release waits 3599 seconds, not 3600"]],
    [
      "an owner ID that is nobody's any more",
      { officers: [{ ...ann, self: ["b"] }, ...others] },
      ["owner a is not ann any more"],
    ],
    ["owners who need not be enrolled", { owners: "open" }, ["owners need not be enrolled"]],
    ["keys that nobody proves", { unproven: "taken" }, ["unproven keys are taken"]],
  ])("%s", (_, change, found) => {
    expect(weakenings(before, { ...before, ...change })).toEqual(found);
  });

  test.each<[string, Partial<PolicyText>, Partial<PolicyText>]>([
    ["nothing changed", {}, {}],
    ["higher numbers", { emergency: 3 }, { release: 4, change: 4, emergency: 4 }],
    ["a longer wait", {}, { waiting: 3601 }],
    ["an officer less", { emergency: 3 }, { emergency: 3, officers: before.officers.slice(0, 3) }],
    ["an officer who goes with their owner IDs", {}, { officers: others }],
    ["an owner ID more", {}, { officers: [{ ...ann, self: ["a", "aa", "b"] }, ...others] }],
    ["owners closed", { owners: "open" }, { owners: "enrolled" }],
    ["unproven keys refused", { unproven: "taken" }, { unproven: "refused" }],
    ["what was open stays open", OPEN, OPEN],
  ])("nothing of: %s", (_, from, to) => {
    expect(weakenings({ ...before, ...from }, { ...before, ...to })).toEqual([]);
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
    return policySignatures(core, await note(text, ...signers), placeAfter(before));
  };
  /** What is before the policy that follows another. */
  const placeAfter = (before: Policy | undefined): PolicyPlace => ({
    previous: before?.hash ?? KEYS,
    policy: before,
    log,
    retired: [signer("old.example", 90)],
  });
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
    const next = policyText({ number: 2, previous: before.hash, officers: officers(4) });
    const [ann, bea, cas, dan, eve] = people as [Signer, Signer, Signer, Signer, Signer];
    const complete = async (...signers: Signer[]) =>
      (await signed(next, before, ...signers)).complete;
    expect(await complete(log, ann, bea, cas)).toBe(true);
    expect(await complete(log, ann, bea, cas, dan)).toBe(true);
    expect(await complete(log, ann, bea)).toBe(false);
    expect(await complete(log, ann, bea, eve)).toBe(false);
    expect(await complete(ann, bea, cas)).toBe(false);
    expect(await complete(signer("old.example", 90), ann, bea, cas)).toBe(false);
    expect((await signed(next, before, log)).needed).toBe(3);
  });

  test("who joins, or has another key, signs as well, and never counts", async () => {
    const before = await first();
    const [ann, bea, cas, dan, eve] = people as [Signer, Signer, Signer, Signer, Signer];
    const next = policyText({
      number: 2,
      previous: before.hash,
      release: 1,
      change: 1,
      emergency: 1,
      officers: [officer(3), officer(4)],
    });
    const complete = async (...signers: Signer[]) =>
      (await signed(next, before, ...signers)).complete;
    expect(await complete(log, ann, bea, cas, eve)).toBe(true);
    expect(await complete(log, ann, bea, cas)).toBe(false);
    expect(await complete(log, ann, bea, eve)).toBe(false);
    expect(await complete(log, dan, eve)).toBe(false);
    expect(await signed(next, before, log, ann, bea, dan)).toMatchObject({
      officers: ["ann", "bea", "dan"],
      joining: ["eve"],
    });
    expect(await signed(next, before, log, eve, dan)).toMatchObject({
      officers: ["dan"],
      joining: [],
    });
    // Another key under her name: the old one still decides, the new one only shows that it is there.
    const newKey = signer("dan", 60);
    const exchanged = policyText({
      number: 2,
      previous: before.hash,
      officers: [...officers(3), { ...officer(3), key: newKey.publicKey }],
    });
    const of = async (...signers: Signer[]) => signed(exchanged, before, log, ...signers);
    expect(await of(ann, bea, newKey)).toMatchObject({ officers: ["ann", "bea"], complete: false });
    expect(await of(ann, bea, cas, newKey)).toMatchObject({ joining: [], complete: true });
    expect(await of(ann, bea, dan, newKey)).toMatchObject({ complete: true });
    expect(await of(ann, bea, cas, dan)).toMatchObject({ joining: ["dan"], complete: false });
    // So it is with a share key, which the officer's own key answers for.
    const shared = policyText({
      number: 2,
      previous: before.hash,
      officers: [...officers(3), { ...officer(3), share: spareKey(60) }],
    });
    const by = async (...signers: Signer[]) => signed(shared, before, log, ...signers);
    expect(await by(ann, bea, cas)).toMatchObject({ joining: ["dan"], complete: false });
    expect(await by(ann, bea, dan)).toMatchObject({ joining: [], complete: true });
    // A stranger who signs under a joiner's name has not shown her key.
    expect(await signed(next, before, log, ann, bea, cas, signer("eve", 61))).toMatchObject({
      joining: ["eve"],
      complete: false,
    });
  });

  test("a weaker one waits, unless the emergency number signs", async () => {
    const before = await first();
    const weaker = policyText({ number: 2, previous: before.hash, release: 1 });
    const [ann, bea, cas, dan] = people as [Signer, Signer, Signer, Signer];
    const state = async (...signers: Signer[]) => signed(weaker, before, log, ...signers);
    expect(await state(ann, bea, cas)).toMatchObject({ complete: true, waiting: 3600 });
    expect(await state(ann, bea, cas, dan)).toMatchObject({ complete: true, waiting: 0 });
    expect(await state(ann, bea)).toMatchObject({ complete: false, waiting: 3600 });
    // It waits for the time of the policy that it weakens, not for its own.
    const sooner = policyText({ number: 2, previous: before.hash, waiting: 0 });
    expect(await signed(sooner, before, log, ann, bea, cas)).toMatchObject({ waiting: 3600 });
    const stronger = policyText({ number: 2, previous: before.hash, waiting: 7200 });
    expect(await signed(stronger, before, log, ann, bea, cas)).toMatchObject({
      weaker: [],
      waiting: 0,
      complete: true,
    });
    // Joiners are in no number: not in this one either.
    const eve = people[4]!;
    const joined = policyText({ number: 2, previous: before.hash, officers: officers(5) });
    expect(await signed(joined, before, log, ann, bea, cas, eve)).toMatchObject({
      weaker: ["eve joins"],
      complete: true,
      waiting: 3600,
    });
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
