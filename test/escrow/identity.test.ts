// Which keys are an authority's: what an identity may say, and who has to sign one that follows.
import { loadCore } from "twinwrap/core";
import {
  type AuthorityFile,
  formatIdentity,
  formatPolicy,
  parseIdentity,
  parsePolicy,
  type Signer,
  signNote,
  verifyAuthority,
} from "twinwrap/escrow";
import { describe, expect, test } from "vitest";
import { wrapKeyOf } from "#build/escrow/identity.js";
import { encodeSpki } from "#build/escrow/spki.js";
import {
  BAD_FORMAT,
  fill,
  hex,
  NOT_VERIFIED,
  OVER_LIMIT,
  sha256,
  signer,
  spareKey,
} from "./material.js";

const core = await loadCore();
const hash = (byte: number) => new Uint8Array(32).fill(byte);
const ORIGIN = "authority.example";
type Text = Parameters<typeof formatIdentity>[0];

const log = signer(ORIGIN, 1);
const newLog = signer("log-2.example", 50);
const NAMES = ["ann", "bea", "cas"];
const people = NAMES.map((name, i) => signer(name, 2 + i)) as [Signer, Signer, Signer];
const policyText = formatPolicy({
  authority: ORIGIN,
  number: 1,
  previous: undefined,
  release: 1,
  change: 2,
  emergency: 3,
  waiting: 0,
  officers: people.map(({ name, publicKey }, i) => ({
    name,
    key: publicKey,
    share: spareKey(i),
    self: [],
  })),
});
const policy = await signNote(core, policyText, log, ...people);
const policyHash = parsePolicy(core, policy).hash;

const identityText = (change: Partial<Text> = {}): Text => ({
  origin: ORIGIN,
  number: 1,
  previous: undefined,
  logs: [log],
  wrapKeys: [spareKey(100)],
  paddings: ["oaep"],
  policy: policyHash,
  ...change,
});
const note = (text: Text, ...by: Signer[]) => signNote(core, formatIdentity(text), ...by);
const first = await note(identityText(), log);
const { hash: firstHash } = parseIdentity(core, first);

describe("the text of an identity", () => {
  const keys = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      name: i === 0 ? ORIGIN : `log-${i}.example`,
      publicKey: signer("any", 100 + i).publicKey,
    }));
  const wraps = (count: number) => Array.from({ length: count }, (_, i) => spareKey(200 + i));

  test.each<[string, Partial<Text>]>([
    ["both paddings", { paddings: ["oaep", "pkcs1-v1_5"] }],
    ["a later one", { number: 2, previous: hash(3), logs: keys(2), wrapKeys: wraps(2) }],
    ["64 keys of each kind", { logs: keys(64), wrapKeys: wraps(64) }],
    ["a name of 255 bytes", { logs: [log, { ...newLog, name: `${"é".repeat(127)}a` }] }],
  ])("is read back as it was written: %s", async (_, change) => {
    const text = identityText(change);
    const read = parseIdentity(core, await note(text, log));
    const plain = ({ logs, ...rest }: Text) => ({
      ...rest,
      logs: logs.map(({ name, publicKey }) => [name, hex(publicKey)]),
    });
    const { hash: found, ...parsed } = read;
    expect(plain(parsed)).toEqual(plain(text));
    expect(hex(found)).toBe(hex(sha256("twinwrap/v1/authority\n", formatIdentity(text))));
  });

  test.each<[string, Partial<Text>]>([
    ["a name of 256 bytes", { logs: [log, { ...newLog, name: "é".repeat(128) }] }],
    ["65 log keys", { logs: keys(65) }],
    ["65 RSA keys", { wrapKeys: wraps(65) }],
  ])("can't have %s", (_, change) => {
    expect(() => formatIdentity(identityText(change))).toThrow(OVER_LIMIT);
  });

  test.each<[string, Partial<Text>]>([
    ["number 0", { number: 0 }],
    ["number 1 after another", { previous: hash(3) }],
    ["number 2 after none", { number: 2 }],
    ["a first log key under another name", { logs: [signer("other.example", 1)] }],
    ["no log key", { logs: [] }],
    ["no RSA key", { wrapKeys: [] }],
    ["a log key twice", { logs: [log, { name: "b.example", publicKey: log.publicKey }] }],
    ["an RSA key twice", { wrapKeys: [spareKey(1), spareKey(2), spareKey(1)] }],
    ["v1.5 alone", { paddings: ["pkcs1-v1_5"] }],
    ["no padding", { paddings: [] }],
    ["a reserved origin", { origin: "twinwrap/x", logs: [{ ...log, name: "twinwrap/x" }] }],
  ])("can't be: %s", (_, change) => {
    expect(() => formatIdentity(identityText(change))).toThrow(BAD_FORMAT);
  });
});

describe("an authority's notes", () => {
  const [ann, bea, cas] = people;
  const second = identityText({
    number: 2,
    previous: firstHash,
    logs: [newLog, log],
    wrapKeys: [spareKey(101), spareKey(100)],
  });
  const file = (identities: string[], policies = [policy]): AuthorityFile => ({
    identities,
    policies,
  });

  test("the first is signed by its own log key, and may be the only one", async () => {
    const { fingerprint, logKeys } = await verifyAuthority(core, file([first], []));
    expect(hex(fingerprint)).toBe(hex(firstHash));
    expect(logKeys).toHaveLength(1);
    for (const by of [ann, signer(ORIGIN, 66)]) {
      const other = await note(identityText(), by);
      await expect(verifyAuthority(core, file([other], []))).rejects.toEqual(NOT_VERIFIED);
    }
    await expect(verifyAuthority(core, file([], []))).rejects.toEqual(NOT_VERIFIED);
  });

  test("is the one that is known, and no other", async () => {
    await verifyAuthority(core, file([first]), { pinned: firstHash });
    for (let byte = 0; byte < 32; byte++) {
      const pinned = Uint8Array.from(firstHash);
      pinned[byte]! ^= 1;
      await expect(verifyAuthority(core, file([first]), { pinned })).rejects.toEqual(NOT_VERIFIED);
    }
  });

  test("a later one is signed by the log key before it, and by enough officers", async () => {
    const authority = await verifyAuthority(core, file([first, await note(second, log, ann, cas)]));
    expect(authority.logKeys.map(({ name }) => name)).toEqual(["log-2.example", ORIGIN]);
    expect(hex(authority.wrapKey.n)).toBe(hex(spareKey(101).n));
    // Every key that was ever wrapped for, by its fingerprint.
    for (const number of [100, 101]) {
      const fingerprint = sha256(encodeSpki(spareKey(number)));
      expect(hex(wrapKeyOf(authority, fingerprint)!.n)).toBe(hex(spareKey(number).n));
    }
    expect(authority.wrapFingerprints.map(hex)).toEqual(
      [100, 101, 100].map((number) => hex(sha256(encodeSpki(spareKey(number))))),
    );
    expect(wrapKeyOf(authority, fill(1))).toBeUndefined();
    for (const [what, by] of [
      ["one officer", [log, ann]],
      ["no officer", [log]],
      ["officers without the log key", [ann, bea, cas]],
      ["the new log key only", [newLog, ann, bea]],
      ["nobody of these", [log, signer("ann", 88), signer("bea", 89)]],
    ] as [string, Signer[]][]) {
      const attempt = verifyAuthority(core, file([first, await note(second, ...by)]));
      await expect(attempt, what).rejects.toEqual(NOT_VERIFIED);
    }
    const attempt = verifyAuthority(core, file([first, await note(second, log, ann, bea)], []));
    await expect(attempt, "no policy").rejects.toEqual(NOT_VERIFIED);
  });

  test("a later one follows the one before it in everything", async () => {
    for (const [what, change] of [
      ["a number left out", { number: 3 }],
      ["after another", { previous: hash(3) }],
      ["another origin", { origin: "other.example" }],
      ["another first policy", { policy: fill(4) }],
    ] as [string, Partial<Text>][]) {
      const later = await note({ ...second, ...change }, log, ...people);
      await expect(verifyAuthority(core, file([first, later])), what).rejects.toEqual(NOT_VERIFIED);
    }
    const later = await note(second, log, ...people);
    await expect(verifyAuthority(core, file([later]))).rejects.toEqual(NOT_VERIFIED);
    await expect(verifyAuthority(core, file([first, first]))).rejects.toEqual(NOT_VERIFIED);
    await expect(verifyAuthority(core, file([first, later, later]))).rejects.toEqual(NOT_VERIFIED);
  });

  test("officers of a later policy sign later identities, and those who went do not", async () => {
    const dan = signer("dan", 9);
    const nextText = formatPolicy({
      ...parsePolicy(core, policy),
      number: 2,
      previous: policyHash,
      change: 1,
      emergency: 1,
      officers: [{ name: "dan", key: dan.publicKey, share: spareKey(9), self: [] }],
    });
    const policies = [policy, await signNote(core, nextText, log, ann, bea)];
    const two = await note(second, log, ann, bea);
    const third = (by: Signer[]) =>
      note(
        { ...second, number: 3, previous: parseIdentity(core, two).hash, logs: [log, newLog] },
        newLog,
        ...by,
      );
    const identities = async (by: Signer[]) => [first, two, await third(by)];
    await verifyAuthority(core, file(await identities([dan]), policies));
    await verifyAuthority(core, file(await identities([ann, bea]), policies));
    await expect(verifyAuthority(core, file(await identities([dan])))).rejects.toEqual(
      NOT_VERIFIED,
    );
    // Once the new policy's officer has signed, those of the one before have no say any more.
    const three = await third([dan]);
    const previous = parseIdentity(core, three).hash;
    const fourth = (by: Signer[]) => note({ ...second, number: 4, previous }, log, ...by);
    const four = async (by: Signer[]) => file([first, two, three, await fourth(by)], policies);
    await verifyAuthority(core, await four([dan]));
    await expect(verifyAuthority(core, await four([ann, bea, cas]))).rejects.toEqual(NOT_VERIFIED);
  });

  test("the first policy is the one that the first identity names, and shares are for others", async () => {
    const other = await note(identityText({ policy: fill(4) }), log);
    await verifyAuthority(core, file([other], []));
    await expect(verifyAuthority(core, file([other]))).rejects.toEqual(NOT_VERIFIED);
    const own = await note(identityText({ wrapKeys: [spareKey(100), spareKey(1)] }), log);
    await expect(verifyAuthority(core, file([own]))).rejects.toEqual(NOT_VERIFIED);
  });
});
