import { loadCore } from "twinwrap/core";
import {
  type Approval,
  countApprovals,
  formatApproval,
  formatPolicy,
  makeRequest,
  type Policy,
  parsePolicy,
  policySignatures,
  type Question,
  quorumPolicy,
  type RecoveryRequest,
  recipientFingerprint,
  requestHash,
  type Signer,
  signNote,
} from "twinwrap/escrow";
import { readPublicKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { fill, hex, OTHER_SPKI, SPKI, sha256, signer, spareKey } from "./material.js";

const core = await loadCore();
const NOW = new Date("2026-06-01T12:00:00Z");
const LATER = new Date("2026-06-08T12:00:00Z");
/** A request that came in just now, of owners who keep nobody out. */
const QUESTION = { owners: [], received: NOW, notBefore: NOW, vetoed: false, now: NOW };

const log = signer("authority.example", 1);
const people = { ann: signer("ann", 2), bea: signer("bea", 3), cas: signer("cas", 4) };
const mallory = signer("mallory", 9);

const text = formatPolicy({
  authority: "authority.example",
  number: 1,
  previous: fill(8),
  release: 2,
  change: 2,
  emergency: 3,
  waiting: 0,
  owners: "open",
  unproven: "refused",
  officers: Object.values(people).map(({ name, publicKey }, i) => ({
    name,
    key: publicKey,
    share: spareKey(i),
    self: name === "cas" ? ["Cas-Files"] : [],
  })),
});
const policy = parsePolicy(core, await signNote(core, text, log, ...Object.values(people)));

const request = (options: Partial<Parameters<typeof makeRequest>[0]> = {}): RecoveryRequest =>
  makeRequest({
    authority: "authority.example",
    requester: "Alice",
    recipient: readPublicKey(SPKI),
    records: [fill(0x11), fill(0x22)],
    created: NOW,
    expires: LATER,
    ...options,
  });

const approve = (about: RecoveryRequest, by: Signer, change: Partial<Approval> = {}) =>
  signNote(
    core,
    formatApproval({
      authority: policy.authority,
      policy: policy.hash,
      request: requestHash(core, about),
      recipient: recipientFingerprint(core, about),
      records: about.records.length,
      decision: "approve",
      identity: "passport, in person",
      date: NOW,
      expires: LATER,
      ...change,
    }),
    by,
  );

const count = async (about: RecoveryRequest, notes: string[], owners: string[] = [], now = NOW) => {
  const counted = await countApprovals(core, policy, about, notes, { now, owners });
  return counted.approving.map(({ officer }) => officer.name).sort();
};

describe("approvals that count", () => {
  test("each officer's own, for this request, once", async () => {
    const asked = request();
    const [ann, again, bea] = [
      await approve(asked, people.ann),
      await approve(asked, people.ann, { identity: "by telephone" }),
      await approve(asked, people.bea),
    ];
    expect(await count(asked, [ann])).toEqual(["ann"]);
    expect(await count(asked, [ann, ann, again])).toEqual(["ann"]);
    expect(await count(asked, [ann, again, bea])).toEqual(["ann", "bea"]);
  });

  test("none that is forged, replayed, expired, or for anything else", async () => {
    const asked = request();
    const other = request({ recipient: readPublicKey(OTHER_SPKI) });
    const good = await approve(asked, people.ann);
    const swapped = (from: string | RegExp, to: string) => good.replace(from, to);
    const bad = [
      await approve(asked, mallory),
      await approve(asked, { ...mallory, name: "ann" }),
      await approve(other, people.ann),
      await approve(request(), people.ann), // the same wish, another nonce
      await approve(asked, people.ann, { authority: "other.example" }),
      await approve(asked, people.ann, { policy: fill(7) }),
      await approve(asked, people.ann, { recipient: recipientFingerprint(core, other) }),
      await approve(asked, people.ann, { records: 1 }),
      await approve(asked, people.ann, { decision: "deny" }),
      await approve(asked, people.ann, { expires: NOW }),
      swapped("identity passport", "identity Passport"),
      swapped("— ann ", "— bea "),
      swapped(/^twinwrap\/approval\/v1/, "twinwrap/approval/v2"),
      "",
    ];
    for (const note of bad) expect([note, await count(asked, [note])]).toEqual([note, []]);
    // A swapped recipient key changes the request's hash, so what was signed is for another one.
    expect(await count(other, [good])).toEqual([]);
    expect(await count(asked, [...bad.slice(0, 7), good])).toEqual(["ann"]);
  });

  test("not of an officer who asks, owns a record, or denies too", async () => {
    const asked = request();
    const all = await Promise.all(Object.values(people).map((person) => approve(asked, person)));
    expect(await count(asked, all)).toEqual(["ann", "bea", "cas"]);
    expect(await count(asked, all, ["cas-files"])).toEqual(["ann", "bea"]);
    const deny = await approve(asked, people.bea, { decision: "deny" });
    expect(await count(asked, [...all, deny])).toEqual(["ann", "cas"]);
    const own = request({ requester: "ann" });
    const notes = await Promise.all(Object.values(people).map((person) => approve(own, person)));
    expect(await count(own, notes)).toEqual(["bea", "cas"]);
  });

  test("the decision: two of three, for this authority, until the request expires", async () => {
    const asked = request();
    const approvals = [await approve(asked, people.ann), await approve(asked, people.bea)];
    const question = { ...QUESTION, request: asked, approvals };
    const decide = async (change: object) =>
      (await quorumPolicy(policy).decide(core, { ...question, ...change })).approved;
    expect(await decide({})).toBe(true);
    expect(await decide({ approvals: approvals.slice(1) })).toBe(false);
    expect(await decide({ approvals: [approvals[0], approvals[0]] })).toBe(false);
    expect(await decide({ now: LATER })).toBe(false);
    const elsewhere = request({ authority: "other.example" });
    expect(await decide({ request: elsewhere })).toBe(false);
  });
});

describe("what decides", () => {
  const made = async (change: Partial<Parameters<typeof formatPolicy>[0]>) => {
    const { hash, ...plain } = policy;
    const other = formatPolicy({ ...plain, ...change });
    return parsePolicy(core, await signNote(core, other, log));
  };
  /** The decision under a policy, by the officers named: "-ann" is her denial. */
  const decide = async (
    by: Policy,
    words: string[],
    question: Partial<Omit<Question, "approvals">> = {},
  ) => {
    const asked = question.request ?? request();
    const approvals = await Promise.all(
      words.map((word) => {
        const person = people[word.replace("-", "") as keyof typeof people];
        const decision = word.startsWith("-") ? "deny" : "approve";
        return approve(asked, person, { policy: by.hash, decision });
      }),
    );
    const given = { ...QUESTION, ...question, request: asked };
    return quorumPolicy(by).decide(core, { ...given, approvals });
  };
  const at = (seconds: number) => new Date(NOW.getTime() + 1000 * seconds);

  test("time: a release waits from when the request came in, unless enough officers agree", async () => {
    const waiting = await made({ waiting: 3600, release: 1, change: 2, emergency: 3 });
    const early = await decide(waiting, ["ann", "bea"], { now: at(3599) });
    expect(early).toMatchObject({ approved: false, notBefore: at(3600), denied: false });
    expect((await decide(waiting, ["ann"], { now: at(3600) })).approved).toBe(true);
    expect((await decide(waiting, ["ann"], { received: at(1), now: at(3600) })).approved).toBe(
      false,
    );
    expect((await decide(waiting, ["ann", "bea", "cas"])).approved).toBe(true);
    const soon = await made({ waiting: 3600, release: 1, change: 2, emergency: 2 });
    expect((await decide(soon, ["ann"])).approved).toBe(false);
    expect((await decide(soon, ["ann", "bea"])).approved).toBe(true);
    // Fewer than a release takes never suffice, whatever an emergency takes.
    const odd = await made({ waiting: 3600, release: 2, change: 2, emergency: 1 });
    expect((await decide(odd, ["ann"], { now: at(9999) })).approved).toBe(false);
  });

  test("time: of a policy that waits longer than the one when it came, and of one that waits less", async () => {
    const longer = await made({ waiting: 7200, release: 1, change: 2, emergency: 3 });
    const since = { received: NOW, notBefore: at(3600) };
    expect(await decide(longer, ["ann"], { ...since, now: at(3600) })).toMatchObject({
      approved: false,
      notBefore: at(7200),
    });
    expect((await decide(longer, ["ann"], { ...since, now: at(7200) })).basis).toBe("quorum");
    const shorter = await made({ waiting: 0, release: 1, change: 2, emergency: 3 });
    expect(await decide(shorter, ["ann"], { ...since, now: at(3599) })).toMatchObject({
      approved: false,
      notBefore: at(3600),
    });
    expect((await decide(shorter, ["ann"], { ...since, now: at(3600) })).basis).toBe("quorum");
  });

  test("which number it was that decided: the emergency one only where the other does not suffice", async () => {
    const waiting = await made({ waiting: 3600, release: 1, change: 2, emergency: 2 });
    const of = async (words: string[], question: Partial<Omit<Question, "approvals">>) =>
      (await decide(waiting, words, question)).basis;
    expect(await of(["ann", "bea", "cas"], { now: at(3600) })).toBe("quorum");
    expect(await of(["ann", "bea"], { now: at(3599) })).toBe("emergency");
    expect(await of(["ann"], { now: at(3600) })).toBe("quorum");
    expect(await of(["ann"], { now: at(3599) })).toBeUndefined();
    expect(await of([], { now: at(3600) })).toBeUndefined();
  });

  test("a veto: from then on the emergency number alone, however long it waits", async () => {
    const waiting = await made({ waiting: 3600, release: 1, change: 2, emergency: 3 });
    for (const now of [at(0), at(3600), at(86_400)]) {
      const question = { vetoed: true, now };
      expect(await decide(waiting, ["ann", "bea"], question)).toMatchObject({
        approved: false,
        basis: undefined,
        notBefore: undefined,
        denied: false,
        reason: "an owner has vetoed it: 1 more of 3 approvals are needed",
      });
      expect((await decide(waiting, ["ann", "bea", "cas"], question)).basis).toBe("emergency");
    }
    // Neither denials nor the numbers of a release are any weaker for it.
    const odd = await made({ release: 2, change: 2, emergency: 1 });
    expect((await decide(odd, ["ann"], { vetoed: true })).approved).toBe(false);
    expect((await decide(odd, ["ann", "bea"], { vetoed: true })).basis).toBe("emergency");
    expect(await decide(odd, ["ann", "-bea", "-cas"], { vetoed: true })).toMatchObject({
      approved: false,
      denied: true,
    });
    expect(
      (await decide(waiting, ["ann", "bea", "cas"], { vetoed: true, now: LATER })).approved,
    ).toBe(false);
  });

  test("a request for another authority is none of its own, whoever approves it", async () => {
    const elsewhere = request({ authority: "other.example" });
    const decision = await decide(policy, ["ann", "bea", "cas"], { request: elsewhere });
    expect(decision).toMatchObject({ approved: false, reason: "it is for another authority" });
  });

  test("a request that expires this very second has expired", async () => {
    const until = request({ expires: at(60) });
    const before = await decide(policy, ["ann", "bea"], { request: until, now: at(59) });
    expect(before.approved).toBe(true);
    const then = await decide(policy, ["ann", "bea"], { request: until, now: at(60) });
    expect(then).toMatchObject({ approved: false, reason: "the request has expired" });
  });

  test("denials: over when the others are too few, not before", async () => {
    expect(await decide(policy, ["-ann"])).toMatchObject({ denied: false, approved: false });
    expect((await decide(policy, ["-ann", "bea", "cas"])).approved).toBe(true);
    expect(await decide(policy, ["-ann", "-bea"])).toMatchObject({
      denied: true,
      approved: false,
      reason: "too few officers are left who could approve",
    });
    expect(await decide(policy, ["-ann", "-ann"])).toMatchObject({ denied: false });
    // Who must not decide is no more left to approve than who denies.
    const owned = { owners: ["cas-files"] };
    expect((await decide(policy, [], owned)).denied).toBe(false);
    expect((await decide(policy, ["-ann"], owned)).denied).toBe(true);
    const all = await made({ release: 3, change: 3, emergency: 3 });
    expect(await decide(all, ["ann", "bea"])).toMatchObject({ denied: false });
    expect(await decide(all, ["ann", "bea"], owned)).toMatchObject({ denied: true });
  });

  test("a denial holds after its own expiry, an approval ends with it", async () => {
    const asked = request();
    const counted = async (decision: "approve" | "deny", now: Date) => {
      const note = await approve(asked, people.ann, { decision, expires: at(60) });
      const { approving, denying } = await countApprovals(core, policy, asked, [note], {
        now,
        owners: [],
      });
      return [approving.length, denying.length];
    };
    expect(await counted("approve", at(59))).toEqual([1, 0]);
    expect(await counted("approve", at(60))).toEqual([0, 0]);
    expect(await counted("deny", at(59))).toEqual([0, 1]);
    expect(await counted("deny", at(61))).toEqual([0, 1]);
  });

  test("whom it would serve does not decide, however he is spelled", async () => {
    const all = ["ann", "bea", "cas"];
    const of = async (asked: RecoveryRequest, owners: string[] = []) =>
      (await decide(policy, all, { request: asked, owners })).count.approving.map(
        ({ officer }) => officer.name,
      );
    for (const spelling of [
      "ann",
      "Ann",
      " A n n ",
      "\uff21\uff4e\uff4e",
      "a\u00adnn",
      "ÄNN",
      "a.n.n",
    ]) {
      expect(await of(request({ requester: spelling })), spelling).toEqual(["bea", "cas"]);
      expect(await of(request(), [spelling]), spelling).toEqual(["bea", "cas"]);
    }
    for (const owner of ["CAS-files", "cas-\u200bfiles"]) {
      expect(await of(request(), ["somebody", owner])).toEqual(["ann", "bea"]);
      expect(await of(request({ requester: owner }))).toEqual(["ann", "bea"]);
    }
    // The keys would be wrapped for her share key.
    expect(await of(request({ recipient: spareKey(1) }))).toEqual(["ann", "cas"]);
    expect(await of(request(), ["dora"])).toEqual(all);
  });

  test("who must not approve may deny: whoever asks can write an officer's name", async () => {
    const asked = request({ requester: "Ann." });
    const decision = await decide(policy, ["-ann"], { request: asked });
    expect(decision.count.denying.map(({ officer }) => officer.name)).toEqual(["ann"]);
    expect(decision.count.ignored).toEqual([]);
    // She was none of those who could approve, so one more is left than it takes to end it.
    expect(decision.denied).toBe(false);
    expect(await decide(policy, ["-ann", "-bea"], { request: asked })).toMatchObject({
      denied: true,
    });
    const owned = await decide(policy, ["-cas", "ann"], { owners: ["cas-files"] });
    expect(owned.count.denying.map(({ officer }) => officer.name)).toEqual(["cas"]);
    const hers = await decide(policy, ["-bea"], { request: request({ recipient: spareKey(1) }) });
    expect(hers.count.denying.map(({ officer }) => officer.name)).toEqual(["bea"]);
    // Her approval does not count, with or without it.
    const both = await decide(policy, ["ann", "-ann"], { request: asked });
    expect(both.count.approving).toEqual([]);
  });

  test("an owner ID that folds to nothing is compared as it is", async () => {
    const { officers } = policy;
    const mine = await made({
      officers: officers.map((one) => (one.name === "cas" ? { ...one, self: ["🐱"] } : one)),
    });
    const of = async (requester: string) => {
      const { count } = await decide(mine, ["ann", "bea", "cas"], {
        request: request({ requester }),
      });
      return count.approving.map(({ officer }) => officer.name);
    };
    expect(await of("🐱")).toEqual(["ann", "bea"]);
    expect(await of("🐶")).toEqual(["ann", "bea", "cas"]);
    expect(await of("…")).toEqual(["ann", "bea", "cas"]);
  });

  test("names the approvals that counted, in whatever order they came", async () => {
    const asked = request();
    const notes = [await approve(asked, people.bea), await approve(asked, people.ann)];
    const deny = await approve(asked, people.cas, { decision: "deny" });
    const hashes = notes.map((note) => sha256("twinwrap/v1/approval\n", note).toString("hex"));
    const expected = sha256("twinwrap/v1/approvals\n", ...hashes.sort().map((hash) => `${hash}\n`));
    const question = { ...QUESTION, request: asked };
    for (const approvals of [notes, [...notes].reverse(), [deny, ...notes, notes[0]!]]) {
      const { approvals: hash } = await quorumPolicy(policy).decide(core, {
        ...question,
        approvals,
      });
      expect(hex(hash)).toBe(hex(expected));
    }
  });
});

test("the first policy needs the log key and every officer", async () => {
  const place = { previous: fill(8), policy: undefined, log, retired: [] };
  const of = async (...signers: Signer[]) => {
    const note = await signNote(core, text, ...signers);
    return (await policySignatures(core, note, place)).complete;
  };
  expect(await of(log, people.ann, people.bea, people.cas)).toBe(true);
  expect(await of(log, people.ann, people.bea)).toBe(false);
  expect(await of(people.ann, people.bea, people.cas)).toBe(false);
});
