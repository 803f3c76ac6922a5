import { loadCore } from "twinwrap/core";
import {
  type Approval,
  countApprovals,
  formatApproval,
  formatPolicy,
  makeRequest,
  parsePolicy,
  policySignatures,
  quorumPolicy,
  type RecoveryRequest,
  recipientFingerprint,
  requestHash,
  type Signer,
  signNote,
} from "twinwrap/escrow";
import { readPublicKey } from "twinwrap/keys";
import { describe, expect, test } from "vitest";
import { fill, OTHER_SPKI, SPKI, signer, spareKey } from "./material.js";

const core = await loadCore();
const NOW = new Date("2026-06-01T12:00:00Z");
const LATER = new Date("2026-06-08T12:00:00Z");

const log = signer("authority.example", 1);
const people = { ann: signer("ann", 2), bea: signer("bea", 3), cas: signer("cas", 4) };
const mallory = signer("mallory", 9);

const text = formatPolicy({
  authority: "authority.example",
  number: 1,
  previous: undefined,
  release: 2,
  change: 2,
  emergency: 3,
  waiting: 0,
  officers: Object.values(people).map(({ name, publicKey }, i) => ({
    name,
    key: publicKey,
    share: spareKey(i),
    self: name === "cas" ? ["cas-files"] : [],
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
    const question = { request: asked, approvals, owners: [], received: NOW, now: NOW };
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

test("the first policy needs the log key and every officer", async () => {
  const of = async (...signers: Signer[]) => {
    const note = await signNote(core, text, ...signers);
    return (await policySignatures(core, note, undefined, [log])).complete;
  };
  expect(await of(log, people.ann, people.bea, people.cas)).toBe(true);
  expect(await of(log, people.ann, people.bea)).toBe(false);
  expect(await of(people.ann, people.bea, people.cas)).toBe(false);
});
