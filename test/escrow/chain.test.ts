// One chain of identities and policies: whose notes count, and that nobody can put others in their place.
import { loadCore } from "twinwrap/core";
import {
  type AuthorityFile,
  decodeAuthority,
  encodeAuthority,
  formatIdentity,
  formatPolicy,
  type IdentityText,
  type PolicyText,
  parseIdentity,
  parsePolicy,
  type Signer,
  signNote,
  verifyAuthority,
} from "twinwrap/escrow";
import { describe, expect, test } from "vitest";
import { wrapKeyOf } from "#build/escrow/chain.js";
import { encodeSpki } from "#build/escrow/spki.js";
import { fill, hex, NOT_VERIFIED, OVER_LIMIT, sha256, signer, spareKey } from "./material.js";

const core = await loadCore();
const ORIGIN = "authority.example";

const log = signer(ORIGIN, 1);
const newLog = signer("log-2.example", 50);
const NAMES = ["ann", "bea", "cas", "dan"];
const people = NAMES.map((name, i) => signer(name, 2 + i)) as [Signer, Signer, Signer, Signer];
const [ann, bea, cas, dan] = people;

const officersOf = (...who: Signer[]): PolicyText["officers"] =>
  who.map(({ name, publicKey }) => ({
    name,
    key: publicKey,
    share: spareKey(NAMES.indexOf(name)),
    self: [],
  }));

// Hashes by node:crypto, from what docs/format.md says.
const policyHashOf = (text: string) => new Uint8Array(sha256("twinwrap/v1/policy\n", text));
const identityHashOf = (text: string) => new Uint8Array(sha256("twinwrap/v1/authority\n", text));
const keysHashOf = (identity: string) =>
  new Uint8Array(
    sha256(
      "twinwrap/v1/keys\n",
      ...identity.split(/(?<=\n)/).filter((line) => /^(origin|log|wrap|alg) /.test(line)),
    ),
  );

const KEYS: IdentityText = {
  origin: ORIGIN,
  number: 1,
  previous: fill(0),
  log,
  wrapKeys: [spareKey(100)],
  paddings: ["oaep"],
  ended: [],
};
const RULES: PolicyText = {
  authority: ORIGIN,
  number: 1,
  previous: keysHashOf(formatIdentity(KEYS)),
  release: 1,
  change: 2,
  emergency: 3,
  waiting: 3600,
  owners: "open",
  unproven: "refused",
  officers: officersOf(ann, bea, cas),
};

/** A note of the chain, and its hash. */
interface Link {
  note: string;
  hash: Uint8Array;
}
const policyNote = async (text: string, ...by: Signer[]): Promise<Link> => ({
  note: await signNote(core, text, ...by),
  hash: policyHashOf(text),
});
const identityNote = async (text: string, ...by: Signer[]): Promise<Link> => ({
  note: await signNote(core, text, ...by),
  hash: identityHashOf(text),
});

const policy1 = await policyNote(formatPolicy(RULES), log, ann, bea, cas);
const identity1 = await identityNote(formatIdentity({ ...KEYS, previous: policy1.hash }), log);

/** Policy 2: what is before it, and who signs, may be others. */
const policy2 = (change: Partial<PolicyText> = {}, by: Signer[] = [log, ann, bea]) =>
  policyNote(formatPolicy({ ...RULES, number: 2, previous: identity1.hash, ...change }), ...by);
/** Identity 2: it has a new key to wrap for. */
const identity2 = (change: Partial<IdentityText> = {}, by: Signer[] = [log, ann, bea]) =>
  identityNote(
    formatIdentity({
      ...KEYS,
      number: 2,
      previous: identity1.hash,
      wrapKeys: [spareKey(101), spareKey(100)],
      ...change,
    }),
    ...by,
  );
const ENDED = [
  {
    name: log.name,
    publicKey: log.publicKey,
    kept: { size: 3, root: fill(1) },
    end: { size: 5, root: fill(2) },
  },
];

const verify = (identities: Link[], policies: Link[], pinned?: Uint8Array) =>
  verifyAuthority(
    core,
    { identities: identities.map(({ note }) => note), policies: policies.map(({ note }) => note) },
    { pinned },
  );
const refused = async (what: string, identities: Link[], policies: Link[]) =>
  expect(verify(identities, policies), what).rejects.toEqual(NOT_VERIFIED);

describe("the first identity", () => {
  test("is signed by its own log key, and may be alone", async () => {
    const { fingerprint, logKeys } = await verify([identity1], []);
    expect(hex(fingerprint)).toBe(hex(identity1.hash));
    expect(logKeys).toHaveLength(1);
    const text = formatIdentity({ ...KEYS, previous: policy1.hash });
    for (const by of [ann, signer(ORIGIN, 66)]) {
      await refused("another's signature", [await identityNote(text, by)], []);
    }
    await refused("none", [], []);
    await refused("the second", [await identity2()], []);
  });

  test("is the one that is known, and no other", async () => {
    await verify([identity1], [policy1], identity1.hash);
    for (let byte = 0; byte < 32; byte++) {
      const pinned = Uint8Array.from(identity1.hash);
      pinned[byte]! ^= 1;
      await expect(verify([identity1], [policy1], pinned)).rejects.toEqual(NOT_VERIFIED);
    }
  });

  test("names the first policy, which names its keys", async () => {
    await verify([identity1], [policy1]);
    const named = (previous: Uint8Array) =>
      identityNote(formatIdentity({ ...KEYS, previous }), log);
    await refused("another policy", [await named(fill(4))], [policy1]);
    const other = await policyNote(
      formatPolicy({ ...RULES, previous: fill(4) }),
      log,
      ann,
      bea,
      cas,
    );
    await refused("a policy of no keys", [await named(other.hash)], [other]);
    await refused("a policy for the second identity", [identity1], [await policy2()]);
  });

  // Signatures under a genuine policy are for the keys that it names, and for no others.
  test("of a look-alike, with the same origin and keys of its own, can't have the genuine policies", async () => {
    const own = signer(ORIGIN, 66);
    const lookAlike = (change: Partial<IdentityText>, by = own) =>
      identityNote(formatIdentity({ ...KEYS, previous: policy1.hash, ...change }), by);
    await refused("its own log key", [await lookAlike({ log: own })], [policy1]);
    const wraps = { wrapKeys: [spareKey(66)] };
    await refused("its own wrap key", [await lookAlike(wraps, log)], [policy1]);
    await refused("both", [await lookAlike({ log: own, ...wraps })], [policy1]);
    const more = { wrapKeys: [spareKey(100), spareKey(66)] };
    await refused("a wrap key more", [await lookAlike(more, log)], [policy1]);
    const padded = { paddings: ["oaep" as const, "pkcs1-v1_5" as const] };
    await refused("another padding", [await lookAlike(padded, log)], [policy1]);
    // A policy for these keys takes signatures of the same officers, which nobody has given.
    const text = formatIdentity({ ...KEYS, log: own, previous: fill(0) });
    const rules = formatPolicy({ ...RULES, previous: keysHashOf(text) });
    const [, signatures] = policy1.note.split("\n\n");
    const carried = { note: `${rules}\n${signatures}`, hash: policyHashOf(rules) };
    const first = await identityNote(
      formatIdentity({ ...KEYS, log: own, previous: carried.hash }),
      own,
    );
    await refused("signatures carried over", [first], [carried]);
    await refused("signatures left out", [first], [await policyNote(rules, own)]);
    await verify([first], [await policyNote(rules, own, ann, bea, cas)]);
  });
});

describe("what follows", () => {
  test("a policy names the note before it: a policy, or an identity", async () => {
    const two = await policy2();
    await verify([identity1], [policy1, two]);
    const rotated = await identity2();
    const after = await policy2({ previous: rotated.hash });
    await verify([identity1, rotated], [policy1, after]);
    const third = await policyNote(
      formatPolicy({ ...RULES, number: 3, previous: two.hash }),
      log,
      ann,
      bea,
    );
    await verify([identity1], [policy1, two, third]);
    await refused(
      "the first policy",
      [identity1],
      [policy1, await policy2({ previous: policy1.hash })],
    );
    await refused("nothing", [identity1], [policy1, await policy2({ previous: fill(0) })]);
    await refused("a later one", [identity1], [policy1, after]);
    await refused("a number left out", [identity1], [policy1, await policy2({ number: 3 })]);
    await refused("one left out", [identity1], [policy1, third]);
    await refused("another order", [identity1], [policy1, third, two]);
    await refused("one twice", [identity1], [policy1, two, two]);
    await refused("the first twice", [identity1], [policy1, policy1]);
    await refused("no first", [identity1], [two]);
    await refused(
      "another authority",
      [identity1],
      [policy1, await policy2({ authority: "b.example" })],
    );
  });

  test("an identity names the note before it, and keeps what stays the same", async () => {
    const two = await identity2();
    const authority = await verify([identity1, two], [policy1]);
    expect(hex(authority.fingerprint)).toBe(hex(identity1.hash));
    expect(hex(authority.wrapKey.n)).toBe(hex(spareKey(101).n));
    expect(authority.wrapFingerprints.map(hex)).toEqual(
      [100, 101].map((number) => hex(sha256(encodeSpki(spareKey(number))))),
    );
    for (const number of [100, 101]) {
      const fingerprint = sha256(encodeSpki(spareKey(number)));
      expect(hex(wrapKeyOf(authority, fingerprint)!.n)).toBe(hex(spareKey(number).n));
    }
    expect(wrapKeyOf(authority, fill(1))).toBeUndefined();
    const policy = await policy2();
    await verify([identity1, await identity2({ previous: policy.hash })], [policy1, policy]);
    const wrong: [string, Partial<IdentityText>][] = [
      ["a number left out", { number: 3 }],
      ["after another", { previous: fill(3) }],
      ["after the first policy", { previous: policy1.hash }],
      ["another origin", { origin: "b.example" }],
    ];
    for (const [what, change] of wrong) {
      await refused(what, [identity1, await identity2(change)], [policy1]);
    }
    await refused("no first", [two], [policy1]);
    await refused("the first twice", [identity1, identity1], [policy1]);
    await refused("one twice", [identity1, two, two], [policy1]);
    await refused("nobody who could sign", [identity1, two], []);
  });

  test("two notes after one are a fork, of whichever kinds they are", async () => {
    const policies = [await policy2(), await policy2({ waiting: 7200 })] as const;
    const identities = [await identity2(), await identity2({ wrapKeys: [spareKey(102)] })] as const;
    for (const one of policies) await verify([identity1], [policy1, one]);
    for (const one of identities) await verify([identity1, one], [policy1]);
    await refused("two policies", [identity1], [policy1, ...policies]);
    await refused("two identities", [identity1, ...identities], [policy1]);
    for (const policy of policies) {
      for (const identity of identities) {
        await refused("one of each", [identity1, identity], [policy1, policy]);
      }
    }
  });

  test("the 1,024th of a kind is the last", async () => {
    const file = (count: number): AuthorityFile => ({
      identities: [identity1.note],
      policies: Array.from({ length: count }, () => policy1.note),
    });
    expect(decodeAuthority(encodeAuthority(file(1024))).policies).toHaveLength(1024);
    expect(() => encodeAuthority(file(1025))).toThrow(OVER_LIMIT);
    const identities = { policies: [], identities: file(1025).policies };
    expect(() => encodeAuthority(identities)).toThrow(OVER_LIMIT);
    expect(() => formatPolicy({ ...RULES, number: 1025 })).toThrow(OVER_LIMIT);
    expect(() => formatIdentity({ ...KEYS, number: 1025 })).toThrow(OVER_LIMIT);
  });
});

describe("who signs an identity", () => {
  const cases = async (
    rows: [string, Signer[], boolean][],
    make: (by: Signer[]) => Promise<Link>,
    policies = [policy1],
    before = [identity1],
  ) => {
    for (const [what, by, isRight] of rows) {
      const attempt = verify([...before, await make(by)], policies);
      if (isRight) await attempt;
      else await expect(attempt, what).rejects.toEqual(NOT_VERIFIED);
    }
  };

  test("the log key, and as many officers as a change takes", () =>
    cases(
      [
        ["enough", [log, ann, cas], true],
        ["one officer", [log, ann], false],
        ["no officer", [log], false],
        ["officers without a log key", [ann, bea, cas], false],
        ["another key under the log's name", [signer(ORIGIN, 66), ann, bea], false],
        ["others under their names", [log, signer("ann", 88), signer("bea", 89)], false],
      ],
      (by) => identity2({}, by),
    ));

  test("a new log key: its own, and the one before, or the emergency number of officers", () =>
    cases(
      [
        ["both keys", [newLog, log, ann, bea], true],
        ["the key before is lost, and all officers sign", [newLog, ann, bea, cas], true],
        ["it is lost, and only the change number signs", [newLog, ann, bea], false],
        ["its own key does not sign", [log, ann, bea], false],
        ["nor with all officers", [log, ann, bea, cas], false],
        ["one officer", [newLog, log, ann], false],
      ],
      (by) => identity2({ log: newLog, ended: ENDED }, by),
    ));

  test("it says where the log ended, and what was said stays", async () => {
    const by = [newLog, log, ann, bea, cas];
    const two = await identity2({ log: newLog, ended: ENDED }, by);
    const { logKeys } = await verify([identity1, two], [policy1]);
    expect(logKeys.map(({ name }) => name)).toEqual(["log-2.example", ORIGIN]);
    const third = (change: Partial<IdentityText>, signers = [newLog, ann, bea]) =>
      identity2({ number: 3, previous: two.hash, log: newLog, ended: ENDED, ...change }, signers);
    await verify([identity1, two, await third({})], [policy1]);
    const [ended] = ENDED as [(typeof ENDED)[0]];
    const wrong: [string, Partial<IdentityText>][] = [
      ["it is left out", { ended: [] }],
      ["another point is kept", { ended: [{ ...ended, kept: { size: 2, root: fill(1) } }] }],
      ["another root is kept", { ended: [{ ...ended, kept: { size: 3, root: fill(9) } }] }],
      ["it ended elsewhere", { ended: [{ ...ended, end: { size: 6, root: fill(2) } }] }],
      ["a log ended that never was", { ended: [ended, { ...ended, ...signer("b", 7) }] }],
    ];
    for (const [what, change] of wrong) {
      await refused(what, [identity1, two, await third(change)], [policy1]);
    }
    const lastLog = signer("log-3.example", 51);
    const secondEnded = { ...ended, name: newLog.name, publicKey: newLog.publicKey };
    const all = [lastLog, newLog, ann, bea, cas];
    const next = (list: IdentityText["ended"]) => third({ log: lastLog, ended: list }, all);
    await verify([identity1, two, await next([ended, secondEnded])], [policy1]);
    await refused("the newest left out", [identity1, two, await next([ended])], [policy1]);
    await refused("another order", [identity1, two, await next([secondEnded, ended])], [policy1]);
    // Only when another log ends, less may be kept of one before.
    const kept = (size: number, n: number) => ({ ...ended, kept: { size, root: fill(n) } });
    await verify([identity1, two, await next([kept(2, 7), secondEnded])], [policy1]);
    for (const [what, other] of [
      ["more is kept", kept(4, 1)],
      ["as much, but otherwise", kept(3, 9)],
      ["another end", { ...kept(2, 7), end: { size: 4, root: fill(2) } }],
    ] as const) {
      await refused(what, [identity1, two, await next([other, secondEnded])], [policy1]);
    }
    // The same log under another key, and the other way round: what was there is to end.
    for (const [what, change] of [
      ["a new key, and no end", { log: newLog }],
      ["the old key, and an end", { log: signer(ORIGIN, 60), ended: [] }],
      ["an end of another", { log: newLog, ended: [{ ...ended, ...signer("b", 7) }] }],
    ] as [string, Partial<IdentityText>][]) {
      await refused(
        what,
        [identity1, await identity2(change, [...by, signer(ORIGIN, 60)])],
        [policy1],
      );
    }
  });

  test("a log key that is no longer in use signs nothing any more", async () => {
    const two = await identity2({ log: newLog, ended: ENDED }, [newLog, log, ann, bea]);
    await cases(
      [
        ["the key in use", [newLog, ann, bea], true],
        ["the one before", [log, ann, bea], false],
      ],
      (by) => identity2({ number: 3, previous: two.hash, log: newLog, ended: ENDED }, by),
      [policy1],
      [identity1, two],
    );
    const policy = (by: Signer[]) => policy2({ previous: two.hash }, by);
    await verify([identity1, two], [policy1, await policy([newLog, ann, bea])]);
    await refused("a policy", [identity1, two], [policy1, await policy([log, ann, bea])]);
  });

  // An identity goes by the newest policy before it, and by no other.
  test("officers of the newest policy before it, and nobody who was removed", async () => {
    const next = await policy2({ change: 1, emergency: 1, officers: officersOf(dan) }, [
      log,
      ann,
      bea,
      cas,
      dan,
    ]);
    await cases(
      [
        ["the new officer", [log, dan], true],
        ["those who went", [log, ann, bea], false],
        ["all who went", [log, ann, bea, cas], false],
      ],
      (by) => identity2({ previous: next.hash }, by),
      [policy1, next],
    );
    // Nor can they put an identity before the policy that removed them.
    const early = await identity2({}, [log, ann, bea, cas]);
    await refused("before it", [identity1, early], [policy1, next]);
    // And an identity before it is theirs: the new officers have no say in it.
    await cases(
      [
        ["the officers before", [log, ann, bea], true],
        ["the new one", [log, dan], false],
      ],
      (by) => identity2({}, by),
    );
    const later = await policy2(
      { previous: early.hash, change: 1, emergency: 1, officers: officersOf(dan) },
      [log, ann, bea, cas, dan],
    );
    await verify([identity1, early], [policy1, later]);
  });

  test("no officer has a key of the authority", async () => {
    await refused("a share", [identity1, await identity2({ wrapKeys: [spareKey(1)] })], [policy1]);
    const own = { ...newLog, publicKey: ann.publicKey, sign: ann.sign };
    const two = await identity2({ log: own, ended: ENDED }, [own, log, bea, cas]);
    await refused("a log key", [identity1, two], [policy1]);
    const officers = [...officersOf(ann, bea), { ...officersOf(cas)[0]!, share: spareKey(100) }];
    const theirs = await policy2({ officers }, [log, ann, bea, cas]);
    await refused("a share key of a later policy", [identity1], [policy1, theirs]);
  });
});

// A joiner's signature shows the key, and is no voice.
test("joiners are in no number", async () => {
  const officers = officersOf(ann, bea, cas, dan);
  const by = (...signers: Signer[]) => policy2({ officers }, signers);
  await verify([identity1], [policy1, await by(log, ann, bea, dan)]);
  await refused("the joiner has not signed", [identity1], [policy1, await by(log, ann, bea)]);
  await refused("the joiner instead", [identity1], [policy1, await by(log, ann, dan)]);
});

test("what notes say is read, and what verifies is what they say", async () => {
  const two = await policy2();
  const { policies, identities } = await verify([identity1], [policy1, two]);
  expect(policies.map(({ hash }) => hex(hash))).toEqual(
    [policy1, two].map(({ hash }) => hex(hash)),
  );
  expect(hex(parsePolicy(core, two.note).previous)).toBe(hex(identity1.hash));
  expect(hex(parseIdentity(core, identity1.note).previous)).toBe(hex(policy1.hash));
  expect(identities).toHaveLength(1);
});
