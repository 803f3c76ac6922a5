import { createHash, randomBytes } from "node:crypto";
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ErrorCode } from "twinwrap";
import {
  addSignature,
  formatPolicy,
  type Policy,
  type PolicyText,
  parsePolicy,
  signApproval,
  signNote,
} from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { backupDirectory } from "#build/authority/copies.js";
import { spareKey } from "../escrow/material.js";
import { newSigner, SeedKey } from "../escrow/signers.js";
import { backend, type Rewrite, type Statement } from "./backend.js";
import {
  core,
  failing,
  NOT_VERIFIED,
  newOwner,
  Office,
  openAuthority,
  owner,
  REFUSED,
  sealFor,
  storeOf,
} from "./office.js";

const made: Office[] = [];
const office = async ({
  locked = false,
  ...options
}: Parameters<typeof Office.make>[0] & { locked?: boolean } = {}) => {
  const one = await Office.make(options);
  made.push(one);
  if (!locked) await one.unlock();
  return one;
};
const { alter } = backend;
const replaced = (table: string, column: string, from: string | RegExp, to: string): Rewrite => ({
  table,
  column,
  change: (text) => text.replace(from, to),
});
afterAll(async () => {
  for (const one of made) await one.remove();
});
/** A checkpoint of six leaves with four characters of its signature exchanged. */
const withSignatureAltered = (note: string) =>
  /^[^\n]+\n6\n/.test(note) ? `${note.slice(0, -12)}AAAA${note.slice(-8)}` : note;
const FAILED = expect.objectContaining({ code: "DECRYPTION_FAILED" });

describe("a submission", () => {
  let one: Office;
  beforeAll(async () => {
    one = await office();
  });

  test("for somebody else's file: whoever has only the file can't make one", async () => {
    // All that stands in the file, and another file's wrap, tag and key: none of it makes a tag.
    const { submission } = await one.file();
    const mine = await one.file({ owner: "mallory" });
    const record = { ...submission.record, owner: "mallory" };
    const attempts = [
      { ...submission, record },
      { ...mine.submission, record },
      { ...submission, record, tag: mine.submission.tag },
      { ...submission, record, wrap: mine.submission.wrap },
      { ...mine.submission, record: { ...mine.submission.record, serial: record.serial } },
      { ...mine.submission, record: { ...mine.submission.record, header: record.header } },
    ];
    for (const attempt of attempts) {
      await expect(one.service.intake(attempt)).rejects.toEqual(FAILED);
    }
    expect(await storeOf(one.service).countRecords()).toMatchObject({ verified: 0, unverified: 0 });
  });

  test("re-submitted under another owner while the key is locked is never released to him", async () => {
    const locked = await Office.make();
    made.push(locked);
    const { submission, record } = await locked.file();
    const stolen = { ...submission, record: { ...submission.record, owner: "mallory" } };
    const taken = await locked.service.intake(stolen);
    await locked.service.intake(submission);
    expect(taken!.record).not.toEqual(record);
    await locked.unlock();
    expect(await locked.service.verifyWaiting()).toEqual({ verified: 1, failed: [taken!.record] });
    const { request, id } = await locked.asked([
      { ...(await locked.file()), record: taken!.record },
    ]);
    await locked.approve(request, "ann", "bob");
    await expect(locked.service.release(id)).rejects.toEqual(FAILED);
    expect(await locked.service.released(id)).toBeUndefined();
    expect((await locked.count()).release).toBeUndefined();
  });

  test("wrapped for another key is refused", async () => {
    const { origin, padding } = one.service.authority;
    const foreign = await sealFor({ origin, padding, wrapKey: owner.publicKey });
    await expect(one.service.intake(foreign.submission)).rejects.toEqual(
      failing("WRONG_AUTHORITY"),
    );
  });

  test("with any byte of its record changed is refused", async () => {
    const { submission } = await one.file();
    for (const name of ["serial", "header", "salt", "commitment", "blind"] as const) {
      const value = Buffer.from(submission.record[name]);
      value[value.length - 1]! ^= 1;
      const altered = { ...submission, record: { ...submission.record, [name]: value } };
      await expect(one.service.intake(altered)).rejects.toEqual(FAILED);
    }
    const described = { ...submission.record, description: "something else" };
    await expect(one.service.intake({ ...submission, record: described })).rejects.toEqual(FAILED);
  });
});

describe("an approval", () => {
  let one: Office;
  let asked: Awaited<ReturnType<Office["asked"]>>;
  beforeAll(async () => {
    one = await office();
    asked = await one.asked(await one.files(2));
  });
  const refuse = (note: string, code: ErrorCode = "NOT_ENTITLED") =>
    expect(one.service.takeApproval(note)).rejects.toEqual(failing(code));

  test("forged under an officer's name is refused", async () => {
    const forged = await one.word("ann", asked.request, { signer: newSigner("ann") });
    await expect(one.service.takeApproval(forged)).rejects.toMatchObject({ code: "NOT_ENTITLED" });
    await refuse(await one.word("dan", asked.request, { signer: newSigner("dan") }));
  });

  test("altered after it was signed is refused", async () => {
    const note = await one.word("ann", asked.request, { decision: "deny" });
    await refuse(note.replace("decision deny", "decision approve"));
    const longer = note.replace(/expires \d{4}/, "expires 2099");
    expect(longer).not.toBe(note);
    await refuse(longer);
  });

  test("for another request, recipient, number of records or authority is refused", async () => {
    const files = await one.files(1);
    const { request } = asked;
    const ann = one.officers.get("ann")!;
    const { hash } = await one.policy();
    const signed = (other: typeof request) =>
      signApproval(core, ann, other, hash, { decision: "approve", identity: "x" });
    // For a request that is not here at all.
    await refuse(await signed({ ...request, recipient: owner.publicKey }), "NOT_FOUND");
    await refuse(await signed({ ...request, records: [files[0]!.record] }), "NOT_FOUND");
    await refuse(await signed({ ...request, authority: "another.example" }), "NOT_FOUND");
    // The same with the hash of a request that is here put in: signed by an officer, and yet not for it.
    const text = (await signed(request)).split("\n\n")[0]!;
    for (const [line, other] of [
      [/^recipient .*$/m, `recipient ${"0".repeat(64)}`],
      [/^records .*$/m, "records 1"],
      [/^authority .*$/m, "authority another.example"],
      [/^policy .*$/m, `policy ${"0".repeat(64)}`],
    ] as const) {
      await refuse(await signNote(core, `${text.replace(line, other)}\n`, ann));
    }
  });

  test("that has expired is refused, and one that expires before the release does not count", async () => {
    await refuse(await one.word("ann", asked.request, { expires: new Date(Date.now() - 1000) }));
  });

  test("of one officer counts once, however often he signs", async () => {
    const { request, id } = await one.asked(await one.files(1));
    await one.approve(request, "ann");
    const again = await one.word("ann", request, { expires: new Date(Date.now() + 3_600_000) });
    await refuse(again, "DUPLICATE");
    expect((await one.service.standing(id)).decision.count.approving).toHaveLength(1);
  });

  test("put into the store by hand does not count", async () => {
    const own = await office();
    const earlier = await own.asked(await own.files(1));
    const { request, id, hash } = await own.asked(await own.files(1));
    await own.approve(request, "ann");
    const forged = await own.word("bob", request, { signer: newSigner("bob") });
    const replayed = await own.word("cyd", earlier.request);
    for (const note of [forged, replayed]) {
      const insert = "INSERT INTO approvals (hash, request, note) VALUES (?, ?, ?)";
      await alter(own.folder, [insert, createHash("sha256").update(note).digest(), hash, note]);
    }
    const { decision } = await own.service.standing(id);
    expect(decision.approved).toBe(false);
    expect(decision.count.ignored).toHaveLength(2);
    await expect(own.service.release(id)).rejects.toEqual(failing("NOT_APPROVED"));
    await expect(own.service.verifyLog()).rejects.toThrow(/an approval of request .* was altered/);
  });

  test("of an officer under any spelling of his name is refused", async () => {
    const self = await office({ self: { ann: ["ann-at-home"] } });
    const files = await self.files(1);
    const owned = await self.files(1, { owner: "ann" });
    const own = { n: spareKey(0).n, e: spareKey(0).e };
    for (const asked of [
      ...["ann", "Ann", "ANN ", " a n n", "\uff41nn", "a\u200bnn", "Ann-At-Home"].map((requester) =>
        self.request(files, { requester }),
      ),
      self.request(owned),
      self.request(files, { recipient: own }),
    ]) {
      await self.service.takeRequest(asked);
      await expect(self.service.takeApproval(await self.word("ann", asked))).rejects.toThrow(
        /ann is the requester|ann owns one|wrapped for ann/,
      );
      expect((await self.approve(asked, "bob", "cyd")).decision.approved).toBe(true);
    }
  });

  test("counts whatever owner an unopened record names, and not once that is opened", async () => {
    const locked = await office({ locked: true, self: { bob: ["bob-at-home"] } });
    const { submission, record } = await locked.file();
    const junk = { ...submission, record: { ...submission.record, owner: "bob-at-home" } };
    const his = await locked.file({ owner: "bob-at-home" });
    const [, taken] = await locked.take(submission, junk, his.submission);
    const { request, id } = await locked.asked([
      { ...his, record },
      { ...his, record: taken!.record },
    ]);
    expect((await locked.approve(request, "ann", "bob")).decision.approved).toBe(true);
    // What is released is opened first: a record that is really his keeps him out then.
    const other = await locked.asked([his]);
    expect((await locked.approve(other.request, "ann", "bob")).decision.approved).toBe(true);
    await locked.unlock();
    await expect(locked.service.release(other.id)).rejects.toThrow(/bob owns one of the records/);
    await locked.elsewhere({ partial: true }, async (partial) => {
      expect((await partial.release(id)).releases).toHaveLength(1);
    });
    await locked.approve(other.request, "cyd");
    expect((await locked.service.release(other.id)).releases).toHaveLength(1);
    await locked.service.verifyLog();
  });

  test("is not undone by expiry if it is a denial", async () => {
    const { request, id } = await one.asked(await one.files(1));
    const expires = new Date(Date.now() + 3_600_000);
    await one.service.takeApproval(await one.word("ann", request, { decision: "deny", expires }));
    vi.useFakeTimers({ toFake: ["Date"], now: new Date(expires.getTime() + 1000) });
    try {
      await refuse(await one.word("ann", request), "DUPLICATE");
      expect((await one.service.standing(id)).decision.count.denying).toHaveLength(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test("of the requester, or of whom a record belongs to, is refused", async () => {
    const { request } = await one.asked(await one.files(1), { requester: "ann" });
    await refuse(await one.word("ann", request));
    expect((await one.approve(request, "bob", "cyd")).decision.approved).toBe(true);
    const self = await office({ self: { bob: ["bob-at-home"] } });
    const { request: his } = await self.asked(await self.files(1, { owner: "bob-at-home" }));
    await expect(self.service.takeApproval(await self.word("bob", his))).rejects.toEqual(
      failing("NOT_ENTITLED"),
    );
    expect((await self.approve(his, "ann", "cyd")).decision.approved).toBe(true);
  });

  test("of the officer whose name the requester wrote is refused, and their denial is not", async () => {
    const { request } = await one.asked(await one.files(1), { requester: "A. N. N." });
    await refuse(await one.word("ann", request));
    const vetoes = (await one.count()).denial ?? 0;
    const denied = await one.service.takeApproval(
      await one.word("ann", request, { decision: "deny" }),
    );
    expect(denied.decision.count.denying.map(({ officer }) => officer.name)).toEqual(["ann"]);
    expect((await one.count()).denial).toBe(vetoes + 1);
    expect(denied.row.status).toBe("open");
    const second = await one.service.takeApproval(
      await one.word("bob", request, { decision: "deny" }),
    );
    expect(second.row.status).toBe("denied");
  });

  test("given under an earlier policy, or by an officer who was removed, does not count", async () => {
    const { request, id } = await one.asked(await one.files(1));
    expect((await one.approve(request, "ann", "cyd")).decision.approved).toBe(true);
    const policy = await one.policy();
    const next: PolicyText = {
      ...policy,
      number: 2,
      previous: await one.newest(),
      officers: policy.officers.filter(({ name }) => name !== "cyd"),
      release: 1,
    };
    const text = formatPolicy({ ...next, emergency: 2 });
    const [ann, bob, former] = ["ann", "bob", "cyd"].map((name) => one.officers.get(name)!);
    // Not by one alone, not by a stranger.
    expect(await one.service.takePolicy(await signNote(core, text, ann!))).toMatchObject({
      complete: false,
    });
    await expect(
      one.service.takePolicy(await signNote(core, text, newSigner("bob"))),
    ).rejects.toEqual(failing("NOT_ENTITLED"));
    expect((await one.policy()).number).toBe(1);
    expect(await one.service.takePolicy(await signNote(core, text, bob!))).toMatchObject({
      complete: true,
    });
    expect((await one.policy()).number).toBe(2);
    // What was approved under number 1 is not approved under number 2, though one officer is enough.
    await expect(one.service.release(id)).rejects.toEqual(failing("NOT_APPROVED"));
    expect((await one.service.standing(id)).decision.count).toMatchObject({ approving: [] });
    const now = (await one.policy()).hash;
    const options = { decision: "approve", identity: "x" } as const;
    await refuse(await signApproval(core, former!, request, now, options));
    await one.service.takeApproval(await signApproval(core, bob!, request, now, options));
    expect((await one.service.release(id)).releases).toHaveLength(1);
    await one.service.verifyLog();
    const { authority } = one.service;
    expect(authority.policies.map(({ number }) => number)).toEqual([1, 2]);
  });
});

describe("a request", () => {
  test("whose recipient was swapped on the way has another ID and no approvals", async () => {
    const one = await office();
    const files = await one.files(1);
    const { request, id } = await one.asked(files);
    const swapped = { ...request, recipient: owner.publicKey };
    const taken = await one.service.takeRequest(swapped);
    expect(taken.id).not.toBe(id);
    await one.approve(request, "ann", "bob");
    await expect(one.service.release(taken.id)).rejects.toEqual(failing("NOT_APPROVED"));
    expect((await one.service.release(id)).request.recipient).toEqual(newOwner.publicKey);
  });

  test("for another authority or for records that are not there is refused", async () => {
    const one = await office();
    const files = await one.files(1);
    const foreign = one.request(files, { authority: "another.example" });
    await expect(one.service.takeRequest(foreign)).rejects.toEqual(failing("WRONG_AUTHORITY"));
    const unknown = one.request([...files, await one.file()]);
    await expect(one.service.takeRequest(unknown)).rejects.toEqual(failing("NOT_FOUND"));
    await expect(one.service.standing("a".repeat(26))).rejects.toEqual(failing("NOT_FOUND"));
  });

  test("that could not be served is refused when it comes in", async () => {
    const one = await office({ quorum: 3 });
    const files = await one.files(1);
    const n = new Uint8Array(1025).fill(0xa5);
    for (const [options, reason] of [
      [
        { created: new Date("9000-01-01"), expires: new Date("9000-02-01") },
        /one of the two clocks/,
      ],
      [{ recipient: { n, e: newOwner.publicKey.e } }, /8200 bits/],
      [{ padding: "pkcs1-v1_5" }, /does not pad/],
      [{ requester: "Ann" }, /never be approved/],
    ] as const) {
      await expect(one.service.takeRequest(one.request(files, options))).rejects.toThrow(reason);
    }
    const weak = { ...one.service.authority, padding: "pkcs1-v1_5" } as const;
    const { submission } = await sealFor(weak);
    await expect(one.service.intake(submission)).rejects.toThrow(/does not take pkcs1-v1_5/);
    const both = await office({ pkcs1: true });
    const { submission: old } = await sealFor({ ...both.service.authority, padding: "pkcs1-v1_5" });
    expect(await both.service.intake(old)).toMatchObject({ status: "verified" });
  });

  test("that says it was made a day ago waits from when it came in all the same", async () => {
    const one = await office({ waiting: 3600 });
    const created = new Date("2027-06-01T12:00:00Z");
    const now = new Date("2027-06-02T12:00:00Z");
    vi.useFakeTimers({ toFake: ["Date"], now });
    try {
      const expires = new Date("2027-07-01T12:00:00Z");
      const { request, id } = await one.asked(await one.files(1), { created, expires });
      await one.approve(request, "ann", "bob");
      const { decision } = await one.service.standing(id);
      expect(decision.notBefore).toEqual(new Date("2027-06-02T13:00:00Z"));
    } finally {
      vi.useRealTimers();
    }
  });

  test("that expires 366 days after it came in is taken, one that does so later is refused", async () => {
    const one = await office();
    const files = await one.files(1);
    const now = new Date("2026-12-01T12:00:00Z");
    // The requester's clock is a little ahead: by it, the request is not open for as long.
    const created = new Date("2026-12-01T12:05:00Z");
    const request = (expires: string) =>
      one.request(files, { created, expires: new Date(expires) });
    vi.useFakeTimers({ toFake: ["Date"], now });
    try {
      const late = one.service.takeRequest(request("2027-12-02T12:00:01Z"));
      await expect(late).rejects.toThrow(/366 days/);
      const row = await one.service.takeRequest(request("2027-12-02T12:00:00Z"));
      expect((await one.service.standing(row.id)).leaf.time).toEqual(now);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a policy", () => {
  test("with an officer whose key is the log key, or of another authority, is refused", async () => {
    const one = await office({ sign: false });
    const draft = (await one.service.policies())[0]!.row.note;
    const ann = one.officers.get("ann")!;
    for (const [line, other] of [
      [/^authority .*$/m, "authority another.example"],
      [/^release .*$/m, "release 1"],
    ] as const) {
      const text = draft.split("\n\n")[0]!.replace(line, other);
      await expect(
        one.service.takePolicy(await signNote(core, `${text}\n`, ann)),
      ).rejects.toThrow();
    }
    expect(parsePolicy(core, (await one.service.policies())[0]!.row.note).release).toBe(2);
    await expect(one.service.takePolicy(draft)).rejects.toEqual(failing("NOT_ENTITLED"));
    const wrong = await addSignature(core, draft, newSigner("ann"));
    await expect(one.service.takePolicy(wrong)).rejects.toEqual(failing("NOT_ENTITLED"));
  });
});

describe("a later policy", () => {
  const draftOf = (one: Office, policy: Policy, change: Partial<PolicyText>) =>
    formatPolicy({
      ...policy,
      number: 2,
      previous: one.service.authority.fingerprint,
      ...change,
    });

  test("is not blocked by other drafts of one officer, and these end with it", async () => {
    const one = await office();
    const policy = await one.policy();
    const [ann, bob, cyd] = ["ann", "bob", "cyd"].map((name) => one.officers.get(name)!);
    const without = (name: string) => policy.officers.filter((officer) => officer.name !== name);
    for (let waiting = 1; waiting <= 4; waiting++) {
      const own = draftOf(one, policy, { waiting });
      expect(await one.service.takePolicy(await signNote(core, own, ann!))).toMatchObject({
        officers: ["ann"],
        complete: false,
      });
    }
    // No more of hers alone: the store is not hers to fill.
    const fifth = draftOf(one, policy, { waiting: 5 });
    await expect(one.service.takePolicy(await signNote(core, fifth, ann!))).rejects.toEqual(
      REFUSED,
    );
    const text = draftOf(one, policy, { officers: without("ann"), emergency: 2 });
    await one.service.takePolicy(await signNote(core, text, bob!));
    expect(await one.service.policies()).toHaveLength(6);
    expect((await one.policy()).number).toBe(1);
    expect((await one.service.takePolicy(await signNote(core, text, cyd!))).complete).toBe(true);
    expect((await one.service.policies()).map(({ policy: { number } }) => number)).toEqual([1, 2]);
    const late = await signNote(core, draftOf(one, policy, { waiting: 1 }), ann!, bob!);
    await expect(one.service.takePolicy(late)).rejects.toEqual(failing("DUPLICATE"));
    await one.service.verifyLog();
  });

  test("stays in force when its leaf is taken from it, or exchanged, in the store", async () => {
    const one = await office();
    const policy = await one.policy();
    const officers = policy.officers.filter(({ name }) => name !== "cyd");
    const text = draftOf(one, policy, { officers, emergency: 2 });
    const [ann, bob] = ["ann", "bob"].map((name) => one.officers.get(name)!);
    await one.service.takePolicy(await signNote(core, text, ann!, bob!));
    const { request, id } = await one.asked(await one.files(1));
    const word = (name: string) =>
      signApproval(core, one.officers.get(name)!, request, policy.hash, {
        decision: "approve",
        identity: "x",
      });
    const words = [await word("ann"), await word("cyd")];
    const statements = [
      "UPDATE policies SET leaf = NULL WHERE number = 2",
      "UPDATE policies SET leaf = 0 WHERE number = 2",
    ];
    // Who works with the policy knows it.
    for (const statement of statements) {
      await alter(one.folder, statement);
      await expect(one.service.takeApproval(words[1]!)).rejects.toThrow(/does not count/);
      await expect(one.service.release(id)).rejects.toEqual(failing("NOT_APPROVED"));
    }
    // Who reads it anew sees that the store says something else.
    for (const statement of statements) {
      await alter(one.folder, statement);
      await expect(one.service.verifyLog()).rejects.toEqual(NOT_VERIFIED);
      for (const note of words) {
        await expect(one.service.takeApproval(note)).rejects.toEqual(NOT_VERIFIED);
      }
      await expect(one.service.release(id)).rejects.toEqual(NOT_VERIFIED);
    }
    await alter(one.folder, "UPDATE policies SET leaf = 2 WHERE number = 2");
    await one.service.verifyLog();
  });
});

describe("what the store says beside its hashes", () => {
  test("about a record's owner or a request's arrival is not believed", async () => {
    const one = await office({ self: { bob: ["bob-at-home"] }, waiting: 3600 });
    const { request, id } = await one.asked(await one.files(1, { owner: "bob-at-home" }));
    await alter(
      one.folder,
      ["INSERT INTO owners VALUES ('somebody', ?)", randomBytes(32)],
      "UPDATE records SET owner = 'somebody'",
    );
    await expect(one.service.takeApproval(await one.word("bob", request))).rejects.toThrow(/owns/);
    await one.approve(request, "ann", "cyd");
    const { decision, leaf } = await one.service.standing(id);
    expect(decision.notBefore!.getTime()).toBe(leaf.time.getTime() + 3_600_000);
    await alter(one.folder, replaced("records", "content", "bob-at", "somebo"));
    await expect(one.service.standing(id)).rejects.toMatchObject({ code: "FAULT" });
    await expect(one.service.release(id)).rejects.toMatchObject({ code: "FAULT" });
  });

  test("about an open request is not shown to officers", async () => {
    const one = await office();
    const { id } = await one.asked(await one.files(1));
    await alter(one.folder, replaced("requests", "bytes", "Olivia", "Mallory"));
    await expect(one.service.standing(id)).rejects.toMatchObject({ code: "FAULT" });
  });
});

describe("the log", () => {
  let one: Office;
  let known: string[];
  let backup: string;
  beforeAll(async () => {
    one = await office();
    known = [];
    for (let i = 0; i < 6; i++) {
      const [file] = await one.files(1);
      const { proof } = (await one.service.receipt(file!.record))!;
      known.push(proof.slice(proof.indexOf("\n\n") + 2));
    }
    const { request, id } = await one.asked(await one.files(3));
    await one.approve(request, "ann", "bob");
    await one.service.release(id);
    backup = join(one.folder, "..", "as it was");
    await backupDirectory(one.folder, backup);
  });

  /** A copy of the authority with something done to its store. */
  const altered = async (...changes: (Statement | Rewrite)[]) => {
    const copy = join(one.folder, "..", "copy");
    rmSync(copy, { recursive: true, force: true });
    await backend.restore(backup, copy);
    await alter(copy, ...changes);
    const service = await openAuthority(copy);
    try {
      return await service.verifyLog({ known });
    } finally {
      await service.close();
    }
  };

  test("verifies as it is, and a copy of it too", async () => {
    const state = await one.service.verifyLog({ known });
    expect(state).toMatchObject({ size: 15, checkpoints: 11 + known.length });
    expect((await altered()).root).toEqual(state.root);
  });

  const wrong: Record<string, (Statement | Rewrite)[]> = {
    "an entry altered": ["UPDATE leaves SET text = text || ' ' WHERE leaf = 4"],
    "an entry's time altered": [
      "UPDATE leaves SET text = replace(text, 'time 20', 'time 19') WHERE leaf = 4",
    ],
    "an entry removed": ["DELETE FROM leaves WHERE leaf = 4"],
    "the last entry removed": [
      "DELETE FROM leaves WHERE leaf = 14",
      "DELETE FROM checkpoints WHERE place = 15",
      "UPDATE head SET place = 14",
    ],
    "two entries swapped": [
      "UPDATE leaves SET leaf = -1 WHERE leaf = 4",
      "UPDATE leaves SET leaf = 4 WHERE leaf = 5",
      "UPDATE leaves SET leaf = 5 WHERE leaf = -1",
    ],
    "a hash over entries altered": [
      ["UPDATE nodes SET hash = ? WHERE level = 1 AND position = 1", randomBytes(32)],
    ],
    "a checkpoint removed": ["DELETE FROM checkpoints WHERE place = 15"],
    "a checkpoint's signature altered": [
      { table: "checkpoints", column: "note", change: withSignatureAltered },
    ],
    "a checkpoint's root altered": [
      ["UPDATE checkpoints SET root = ? WHERE place = 6", randomBytes(32)],
    ],
    "a record that has no entry": [
      "UPDATE records SET verified_leaf = NULL, status = 'unverified', leaf = 99 WHERE verified_leaf = 4",
    ],
    "a release that has no record of it": ["DELETE FROM releases WHERE leaf = 12"],
    "a record exchanged under its entry": [
      ["UPDATE records SET hash = ? WHERE verified_leaf = 4", randomBytes(32)],
    ],
    "its head put back": [
      "DELETE FROM releases WHERE leaf = 14",
      "UPDATE head SET place = (SELECT max(place) FROM checkpoints WHERE place < 15)",
    ],
    "an entry ahead": ["INSERT INTO leaves VALUES (99, 'x')"],
    "a hash ahead": [["INSERT INTO nodes VALUES (0, 0, 15, ?)", new Uint8Array(32)]],
    "a checkpoint ahead": [
      "INSERT INTO checkpoints SELECT 16, root, note FROM checkpoints WHERE place = 15",
    ],
    "a record's bytes altered": [
      ["UPDATE records SET content = ? WHERE verified_leaf = 4", new Uint8Array(1)],
    ],
    "a record's owner altered": [
      "INSERT INTO owners SELECT 'mallory', secret FROM owners",
      "UPDATE records SET owner = 'mallory' WHERE verified_leaf = 4",
    ],
    "a record's serial altered": [
      ["UPDATE records SET serial = ? WHERE verified_leaf = 4", randomBytes(16)],
    ],
    "a record's description altered": [
      "UPDATE records SET description = 'other' WHERE verified_leaf = 4",
    ],
    "a record's status altered": ["UPDATE records SET status = 'released' WHERE verified_leaf = 4"],
    "a released record's status altered": [
      "UPDATE records SET status = 'verified' WHERE status = 'released'",
    ],
    "a record's wrap removed": ["DELETE FROM candidates WHERE record = 4"],
    "a record's wrap for another key": [
      ["UPDATE candidates SET fingerprint = ? WHERE record = 4", randomBytes(32)],
    ],
    "an owner's secret altered": [["UPDATE owners SET secret = ?", randomBytes(32)]],
    "a request altered": [["UPDATE requests SET bytes = ?", new Uint8Array(1)]],
    "a request's requester altered": [
      replaced("requests", "bytes", '"requester":"', '"requester":"x'),
    ],
    "a request under another ID": ["UPDATE requests SET id = 'aaaaaaaaaaaaaaaaaaaaaaaaaa'"],
    "a request removed": ["DELETE FROM requests"],
    "a request opened again": ["UPDATE requests SET status = 'open'"],
    "a request's end altered": ["UPDATE requests SET expires = expires + 60"],
    "a request on another entry": ["UPDATE requests SET leaf = 2"],
    "an approval altered": ["UPDATE approvals SET note = replace(note, 'known', 'knows')"],
    "the approvals of a release removed": ["DELETE FROM approvals"],
    "an approval of a release removed": [
      // Before version 18 PostgreSQL has no min of bytes.
      "DELETE FROM approvals WHERE hash = (SELECT hash FROM approvals ORDER BY hash LIMIT 1)",
    ],
    "a release for another key": [["UPDATE releases SET fingerprint = ?", randomBytes(32)]],
    "a release without its wrap": [["UPDATE releases SET simple_blob = ?", new Uint8Array(1)]],
    "a policy's note altered": [
      "UPDATE policies SET note = replace(note, 'release 2', 'release 1')",
    ],
    "a policy's number altered": ["UPDATE policies SET number = 2"],
    "an identity's hash altered": [["UPDATE identities SET hash = ?", randomBytes(32)]],
  };
  for (const [name, changes] of Object.entries(wrong)) {
    test(`with ${name} does not verify`, async () => {
      await expect(altered(...changes)).rejects.toMatchObject({
        code: expect.stringMatching(/^(FAULT|NOT_VERIFIED|BAD_FORMAT)$/),
      });
    });
  }

  test("with an unfinished log's rows is one that grows", async () => {
    // What audits of the rows must put up with: drafts, open and denied requests, records that wait.
    const busy = await office({ locked: true });
    const file = await busy.file();
    const wrong = { ...file.submission, tag: new Uint8Array(32) };
    await busy.take(wrong, (await busy.file()).submission);
    const asked = await busy.asked(await busy.files(2));
    await busy.approve(asked.request, "ann");
    const denied = await busy.asked(await busy.files(1));
    for (const name of ["ann", "bob"]) {
      await busy.service.takeApproval(await busy.word(name, denied.request, { decision: "deny" }));
    }
    const policy = await busy.policy();
    const text = formatPolicy({ ...policy, number: 2, previous: await busy.newest(), waiting: 9 });
    await busy.service.takePolicy(await signNote(core, text, busy.officers.get("cyd")!));
    await busy.unlock();
    await busy.service.verifyWaiting();
    await busy.service.verifyLog();
  });

  test("verifies while another process writes", async () => {
    const busy = await office();
    await busy.files(3);
    const other = await openAuthority(busy.folder);
    let meanwhile: Promise<unknown> | undefined;
    const { submission } = await busy.file();
    const state = await busy.service.verifyLog({
      onProgress: () => {
        meanwhile ??= other.intake(submission);
      },
    });
    await meanwhile;
    expect((await busy.service.verifyLog()).size).toBe(state.size + 1);
    await other.close();
  });

  /** The anchor of the log's beginning: what it is compared with is not damaged. */
  const anchorBefore = async (one: Office) => {
    const [first] = await storeOf(one.service).checkpoints(0, 0, 1);
    writeFileSync(join(one.folder, "anchor"), first!.checkpoint);
  };

  test("does not go on from a damaged tree, nor prove anything from it", async () => {
    const damaged = await office();
    const files = await damaged.files(2);
    await anchorBefore(damaged);
    const { submission } = await damaged.file();
    const FAULT = expect.objectContaining({ code: "FAULT" });
    const zeros = new Uint8Array(32);
    const [node] = await storeOf(damaged.service).nodes(0, [{ level: 2, index: 0 }]);
    const stays = async () => {
      const before = await damaged.leaves();
      await expect(damaged.service.intake(submission)).rejects.toEqual(FAULT);
      expect(await damaged.leaves()).toEqual(before);
    };
    for (const [spoil, mend] of [
      [
        [["UPDATE nodes SET hash = ? WHERE level = 2", zeros]],
        [["UPDATE nodes SET hash = ? WHERE level = 2", node!]],
      ],
      [
        ["UPDATE checkpoints SET note = replace(note, '— ', '— x') WHERE place = 4"],
        ["UPDATE checkpoints SET note = replace(note, '— x', '— ') WHERE place = 4"],
      ],
      [["INSERT INTO leaves VALUES (4, 'x')"], ["DELETE FROM leaves WHERE leaf = 4"]],
      [
        ["UPDATE head SET place = 2", ["INSERT INTO nodes VALUES (0, 9, 9, ?)", zeros]],
        ["UPDATE head SET place = 4", "DELETE FROM nodes WHERE level = 9"],
      ],
    ] as [spoil: Statement[], mend: Statement[]][]) {
      await alter(damaged.folder, ...spoil);
      await stays();
      await alter(damaged.folder, ...mend);
    }
    await alter(damaged.folder, [
      "UPDATE nodes SET hash = ? WHERE level = 0 AND position = 2",
      zeros,
    ]);
    await expect(damaged.service.receipt(files[1]!.record)).rejects.toEqual(FAULT);
    await alter(
      damaged.folder,
      "UPDATE leaves SET text = replace(text, 'time 2', 'time 1') WHERE leaf = 2",
    );
    await expect(damaged.service.receipt(files[0]!.record)).rejects.toEqual(FAULT);
  });

  test("put back to an earlier state does not go on, if a later one was signed", async () => {
    const damaged = await office();
    await damaged.files(3);
    await anchorBefore(damaged);
    const { submission } = await damaged.file();
    await alter(
      damaged.folder,
      "UPDATE head SET place = 2",
      "DELETE FROM leaves WHERE leaf >= 2",
      "DELETE FROM nodes WHERE (position + 1) * (1 << level) > 2",
      "DELETE FROM candidates",
      "DELETE FROM records",
    );
    await expect(damaged.service.intake(submission)).rejects.toMatchObject({ code: "FAULT" });
  });

  test("that was rolled back is found out by what is known outside", async () => {
    const back = [
      "DELETE FROM leaves WHERE leaf >= 5",
      "DELETE FROM checkpoints WHERE place > 5",
      "DELETE FROM nodes WHERE (position + 1) * (1 << level) > 5",
      "UPDATE head SET place = 5",
      "DELETE FROM releases",
      "UPDATE records SET status = 'verified'",
      "DELETE FROM approvals",
      "DELETE FROM requests",
      "DELETE FROM candidates WHERE record IN (SELECT leaf FROM records WHERE verified_leaf >= 5)",
      "DELETE FROM records WHERE verified_leaf >= 5",
    ];
    await expect(altered(...back)).rejects.toThrow(/rolled back/);
    // Without anything known outside it can't be told: the shorter log is a good one.
    const kept = known;
    known = [];
    expect(await altered(...back)).toMatchObject({ size: 5 });
    known = kept;
  });

  test("restored from a backup grows only when shown that it holds what is known outside", async () => {
    const parent = join(one.folder, "..");
    const paths = ["backup", "old", "new"].map((name) => join(parent, name)) as [
      string,
      string,
      string,
    ];
    const source = await office();
    await source.files(2);
    await backend.copy(source.folder, paths[0]);
    const [later] = await source.files(1);
    const { proof } = (await source.service.receipt(later!.record))!;
    const newest = proof.slice(proof.indexOf("\n\n") + 2);

    await backend.restore(paths[0], paths[1]);
    const old = await openAuthority(paths[1]);
    expect(await old.isFenced()).toBe(true);
    const { submission } = await source.file();
    await expect(old.intake(submission)).rejects.toEqual(failing("FENCED"));
    await expect(old.unfence([])).rejects.toEqual(failing("FENCED"));
    await expect(old.unfence([newest])).rejects.toThrow(/rolled back/);
    await expect(old.unfence(known.slice(0, 1))).rejects.toEqual(NOT_VERIFIED);
    await expect(old.intake(submission)).rejects.toEqual(failing("FENCED"));
    await old.close();

    const asked = await source.asked([later!]);
    await backend.copy(source.folder, paths[2]);
    const good = await openAuthority(paths[2]);
    await expect(good.intake(submission)).rejects.toEqual(failing("FENCED"));
    // Neither a receipt again nor an approval: nothing is to look as if it came from the newest log.
    await expect(good.intake(later!.submission)).rejects.toEqual(failing("FENCED"));
    await expect(good.takeApproval(await source.word("ann", asked.request))).rejects.toEqual(
      failing("FENCED"),
    );
    await expect(good.requireUnfenced()).rejects.toEqual(failing("FENCED"));
    // Nothing that is in the backup says anything about what came after it.
    const [older] = await storeOf(good).checkpoints(0, 0, 1);
    for (const shown of [[older!.checkpoint], [newest]]) {
      await expect(good.unfence(shown)).rejects.toThrow(/can't show that the log did not go on/);
    }
    expect(await good.isFenced()).toBe(true);
    await good.unfence([newest, older!.checkpoint], { nothingNewer: true });
    expect(await good.intake(submission)).toMatchObject({ isNew: true });
    await good.verifyLog({ known: [newest] });
    await good.close();
  });

  test("forked under the same key is found out by a checkpoint of the other branch", async () => {
    const source = await office();
    await source.files(1);
    const other = join(one.folder, "..", "fork");
    await backend.copy(source.folder, other);
    await alter(other, "DELETE FROM settings");
    const fork = await openAuthority(other);
    const [there, here] = [await source.file(), await source.file()];
    const receipt = await fork.intake(there.submission);
    await source.service.intake(here.submission);
    await fork.verifyLog();
    const { proof } = receipt!.receipt;
    const checkpoint = proof.slice(proof.indexOf("\n\n") + 2);
    await expect(source.service.verifyLog({ known: [checkpoint] })).rejects.toEqual(NOT_VERIFIED);
    await fork.close();
  });

  test("of another authority under this one's name is not taken for its own", async () => {
    const [copy, other] = [join(one.folder, "..", "mixed"), await office()];
    await backend.copy(one.folder, copy);
    for (const name of [backend.file, "log.pem"]) {
      await backend.copy(other.folder, join(copy, "other"));
      copyFileSync(join(copy, "other", name), join(copy, name));
      rmSync(join(copy, "other"), { recursive: true });
    }
    await expect(openAuthority(copy)).rejects.toThrow();
    const { origin } = one.service.authority;
    const twin = await office({ origin });
    await backend.copy(twin.folder, join(copy, "other"));
    for (const name of [backend.file, "log.pem"]) {
      copyFileSync(join(copy, "other", name), join(copy, name));
    }
    await expect(openAuthority(copy)).rejects.toMatchObject({ code: "FAULT" });
  });

  test("is not continued with another log key", async () => {
    const copy = join(one.folder, "..", "rekeyed");
    await backend.copy(one.folder, copy);
    writeFileSync(join(copy, "log.pem"), await SeedKey.generate().write());
    await expect(openAuthority(copy)).rejects.toMatchObject({ code: "BAD_KEY" });
  });
});
