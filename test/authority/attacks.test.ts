import { createHash } from "node:crypto";
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import {
  addSignature,
  formatPolicy,
  type PolicyText,
  parsePolicy,
  signApproval,
  signNote,
} from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backupDirectory, openDirectory, restoreDirectory } from "#build/authority/directory.js";
import { Ed25519Key } from "#build/authority/ed25519.js";
import { newSigner } from "../escrow/signers.js";
import { core, NOT_VERIFIED, newOwner, Office, owner, REFUSED, sealFor } from "./office.js";

const made: Office[] = [];
const office = async (options: Parameters<typeof Office.make>[0] = {}) => {
  const one = await Office.make(options);
  made.push(one);
  await one.unlock();
  return one;
};
afterAll(async () => {
  for (const one of made) await one.remove();
});
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
    const record = { ...submission.core, owner: "mallory" };
    const attempts = [
      { ...submission, core: record },
      { ...mine.submission, core: record },
      { ...submission, core: record, tag: mine.submission.tag },
      { ...submission, core: record, wrap: mine.submission.wrap },
      { ...mine.submission, core: { ...mine.submission.core, serial: record.serial } },
      { ...mine.submission, core: { ...mine.submission.core, header: record.header } },
    ];
    for (const attempt of attempts) {
      await expect(one.service.intake([attempt])).rejects.toEqual(FAILED);
    }
    expect(await one.service.store.countRecords()).toMatchObject({ verified: 0, unverified: 0 });
  });

  test("re-submitted under another owner while the key is locked is never released to him", async () => {
    const locked = await Office.make();
    made.push(locked);
    const { submission, record } = await locked.file();
    const stolen = { ...submission, core: { ...submission.core, owner: "mallory" } };
    const [taken] = await locked.service.intake([stolen]);
    await locked.service.intake([submission]);
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
    await expect(one.service.intake([foreign.submission])).rejects.toEqual(REFUSED);
  });

  test("with any byte of its record changed is refused", async () => {
    const { submission } = await one.file();
    for (const name of ["serial", "header", "salt", "commitment", "blind"] as const) {
      const value = Buffer.from(submission.core[name]);
      value[value.length - 1]! ^= 1;
      const altered = { ...submission, core: { ...submission.core, [name]: value } };
      await expect(one.service.intake([altered])).rejects.toEqual(FAILED);
    }
    const described = { ...submission.core, description: "something else" };
    await expect(one.service.intake([{ ...submission, core: described }])).rejects.toEqual(FAILED);
  });
});

describe("an approval", () => {
  let one: Office;
  let asked: Awaited<ReturnType<Office["asked"]>>;
  beforeAll(async () => {
    one = await office();
    asked = await one.asked(await one.files(2));
  });
  const refuse = (note: string) => expect(one.service.takeApproval(note)).rejects.toEqual(REFUSED);

  test("forged under an officer's name is refused", async () => {
    const forged = await one.word("ann", asked.request, { signer: newSigner("ann") });
    await expect(one.service.takeApproval(forged)).rejects.toMatchObject({ code: "REFUSED" });
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
    await refuse(await signed({ ...request, recipient: owner.publicKey }));
    await refuse(await signed({ ...request, records: [files[0]!.record] }));
    await refuse(await signed({ ...request, authority: "another.example" }));
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
    await refuse(again);
    expect((await one.service.standing(id)).decision.count.approving).toHaveLength(1);
  });

  test("put into the store by hand does not count", async () => {
    const { request, id, hash } = await one.asked(await one.files(1));
    await one.approve(request, "ann");
    const forged = await one.word("bob", request, { signer: newSigner("bob") });
    const replayed = await one.word("cyd", asked.request);
    const db = new Sqlite(join(one.folder, "store.sqlite"));
    const insert = db.prepare("INSERT INTO approvals (hash, request, note) VALUES (?, ?, ?)");
    for (const note of [forged, replayed]) {
      insert.run(createHash("sha256").update(note).digest(), hash, note);
    }
    db.close();
    const { decision } = await one.service.standing(id);
    expect(decision.approved).toBe(false);
    expect(decision.count.ignored).toHaveLength(2);
    await expect(one.service.release(id)).rejects.toEqual(REFUSED);
  });

  test("of the requester, or of whom a record belongs to, is refused", async () => {
    const { request } = await one.asked(await one.files(1), { requester: "ann" });
    await refuse(await one.word("ann", request));
    expect((await one.approve(request, "bob", "cyd")).decision.approved).toBe(true);
    const self = await office({ self: { bob: ["bob-at-home"] } });
    const { request: his } = await self.asked(await self.files(1, { owner: "bob-at-home" }));
    await expect(self.service.takeApproval(await self.word("bob", his))).rejects.toEqual(REFUSED);
    expect((await self.approve(his, "ann", "cyd")).decision.approved).toBe(true);
  });

  test("given under an earlier policy, or by an officer who was removed, does not count", async () => {
    const { request, id } = await one.asked(await one.files(1));
    expect((await one.approve(request, "ann", "cyd")).decision.approved).toBe(true);
    const policy = await one.policy();
    const next: PolicyText = {
      ...policy,
      number: 2,
      previous: policy.hash,
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
    ).rejects.toEqual(REFUSED);
    expect((await one.policy()).number).toBe(1);
    expect(await one.service.takePolicy(await signNote(core, text, bob!))).toMatchObject({
      complete: true,
    });
    expect((await one.policy()).number).toBe(2);
    // What was approved under number 1 is not approved under number 2, though one officer is enough.
    await expect(one.service.release(id)).rejects.toEqual(REFUSED);
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
    await expect(one.service.release(taken.id)).rejects.toEqual(REFUSED);
    expect((await one.service.release(id)).request.recipient).toEqual(newOwner.publicKey);
  });

  test("for another authority or for records that are not there is refused", async () => {
    const one = await office();
    const files = await one.files(1);
    const foreign = one.request(files, { authority: "another.example" });
    await expect(one.service.takeRequest(foreign)).rejects.toEqual(REFUSED);
    const unknown = one.request([...files, await one.file()]);
    await expect(one.service.takeRequest(unknown)).rejects.toEqual(REFUSED);
    await expect(one.service.standing("a".repeat(26))).rejects.toEqual(REFUSED);
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
    await expect(one.service.takePolicy(draft)).rejects.toEqual(REFUSED);
    const wrong = await addSignature(core, draft, newSigner("ann"));
    await expect(one.service.takePolicy(wrong)).rejects.toEqual(REFUSED);
  });
});

describe("the log", () => {
  let one: Office;
  let known: string[];
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
  });

  /** A copy of the authority with something done to its store. */
  const altered = async (...statements: string[]) => {
    const copy = join(one.folder, "..", "copy");
    rmSync(copy, { recursive: true, force: true });
    await backupDirectory(one.folder, copy);
    const db = new Sqlite(join(copy, "store.sqlite"));
    db.pragma("foreign_keys = OFF");
    for (const statement of statements) db.exec(statement);
    db.close();
    const service = await openDirectory(copy);
    try {
      return await service.verifyLog({ known });
    } finally {
      await service.close();
    }
  };

  test("verifies as it is, and a copy of it too", async () => {
    const state = await one.service.verifyLog({ known });
    expect(state).toMatchObject({ size: 14, checkpoints: 10 + known.length });
    expect((await altered()).root).toEqual(state.root);
  });

  const wrong = {
    "an entry altered": ["UPDATE leaves SET text = replace(text, 'Z', 'Z') || ' ' WHERE leaf = 4"],
    "an entry's time altered": [
      "UPDATE leaves SET text = replace(text, 'time 20', 'time 19') WHERE leaf = 4",
    ],
    "an entry removed": ["DELETE FROM leaves WHERE leaf = 4"],
    "the last entry removed": [
      "DELETE FROM leaves WHERE leaf = 13",
      "DELETE FROM checkpoints WHERE size = 14",
      "UPDATE head SET size = 13",
    ],
    "two entries swapped": [
      "UPDATE leaves SET leaf = -1 WHERE leaf = 4",
      "UPDATE leaves SET leaf = 4 WHERE leaf = 5",
      "UPDATE leaves SET leaf = 5 WHERE leaf = -1",
    ],
    "a hash over entries altered": [
      "UPDATE nodes SET hash = randomblob(32) WHERE level = 1 AND position = 1",
    ],
    "a checkpoint removed": ["DELETE FROM checkpoints WHERE size = 14"],
    "a checkpoint's signature altered": [
      "UPDATE checkpoints SET note = substr(note, 1, length(note) - 12) || 'AAAA' || substr(note, -8) WHERE size = 6",
    ],
    "a checkpoint's root altered": ["UPDATE checkpoints SET root = randomblob(32) WHERE size = 6"],
    "a record that has no entry": [
      "UPDATE records SET verified_leaf = NULL, status = 'unverified', escrow_leaf = 99 WHERE verified_leaf = 4",
    ],
    "a release that has no record of it": ["DELETE FROM releases WHERE leaf = 12"],
    "a record exchanged under its entry": [
      "UPDATE records SET hash = randomblob(32) WHERE verified_leaf = 4",
    ],
  };
  for (const [name, statements] of Object.entries(wrong)) {
    test(`with ${name} does not verify`, async () => {
      await expect(altered(...statements)).rejects.toMatchObject({
        code: expect.stringMatching(/^(FAULT|NOT_VERIFIED|BAD_FORMAT)$/),
      });
    });
  }

  test("that was rolled back is found out by what is known outside", async () => {
    const back = [
      "DELETE FROM leaves WHERE leaf >= 5",
      "DELETE FROM checkpoints WHERE size > 5",
      "DELETE FROM nodes WHERE (position + 1) * (1 << level) > 5",
      "UPDATE head SET size = 5",
      "DELETE FROM releases",
      "DELETE FROM candidates WHERE record IN (SELECT hash FROM records WHERE verified_leaf >= 5)",
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
    await backupDirectory(source.folder, paths[0]);
    const [later] = await source.files(1);
    const { proof } = (await source.service.receipt(later!.record))!;
    const newest = proof.slice(proof.indexOf("\n\n") + 2);

    await restoreDirectory(paths[0], paths[1]);
    const old = await openDirectory(paths[1]);
    expect(await old.isFenced()).toBe(true);
    const { submission } = await source.file();
    await expect(old.intake([submission])).rejects.toEqual(REFUSED);
    await expect(old.unfence([])).rejects.toEqual(REFUSED);
    await expect(old.unfence([newest])).rejects.toThrow(/rolled back/);
    await expect(old.unfence(known.slice(0, 1))).rejects.toEqual(NOT_VERIFIED);
    await expect(old.intake([submission])).rejects.toEqual(REFUSED);
    await old.close();

    await backupDirectory(source.folder, paths[2]);
    const good = await openDirectory(paths[2]);
    await expect(good.intake([submission])).rejects.toEqual(REFUSED);
    await good.unfence([newest]);
    expect(await good.intake([submission])).toMatchObject([{ isNew: true }]);
    await good.verifyLog({ known: [newest] });
    await good.close();
  });

  test("forked under the same key is found out by a checkpoint of the other branch", async () => {
    const source = await office();
    await source.files(1);
    const other = join(one.folder, "..", "fork");
    await backupDirectory(source.folder, other);
    const db = new Sqlite(join(other, "store.sqlite"));
    db.exec("DELETE FROM settings");
    db.close();
    const fork = await openDirectory(other);
    const [there, here] = [await source.file(), await source.file()];
    const [receipt] = await fork.intake([there.submission]);
    await source.service.intake([here.submission]);
    await fork.verifyLog();
    const { proof } = receipt!.receipt;
    const checkpoint = proof.slice(proof.indexOf("\n\n") + 2);
    await expect(source.service.verifyLog({ known: [checkpoint] })).rejects.toEqual(NOT_VERIFIED);
    await fork.close();
  });

  test("of another authority under this one's name is not taken for its own", async () => {
    const [copy, other] = [join(one.folder, "..", "mixed"), await office()];
    await backupDirectory(one.folder, copy);
    for (const name of ["store.sqlite", "log.pem"]) {
      await backupDirectory(other.folder, join(copy, "other"));
      copyFileSync(join(copy, "other", name), join(copy, name));
      rmSync(join(copy, "other"), { recursive: true });
    }
    await expect(openDirectory(copy)).rejects.toThrow();
    const { origin } = one.service.authority;
    const twin = await office({ origin });
    await backupDirectory(twin.folder, join(copy, "other"));
    for (const name of ["store.sqlite", "log.pem"]) {
      copyFileSync(join(copy, "other", name), join(copy, name));
    }
    await expect(openDirectory(copy)).rejects.toMatchObject({ code: "FAULT" });
  });

  test("is not continued with another log key", async () => {
    const copy = join(one.folder, "..", "rekeyed");
    await backupDirectory(one.folder, copy);
    writeFileSync(join(copy, "log.pem"), await Ed25519Key.generate().write());
    await expect(openDirectory(copy)).rejects.toMatchObject({ code: "BAD_KEY" });
  });
});
