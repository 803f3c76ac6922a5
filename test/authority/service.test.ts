import { createHash, createHmac } from "node:crypto";
import { chmodSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { partyOf, recordsWithSerial } from "twinwrap/client";
import {
  decodeAuthority,
  decodeLeaf,
  encodeRelease,
  encodeSubmission,
  parseProof,
  verifyAuthority,
  verifyProof,
} from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { LocalClient } from "#build/authority/client.js";
import { backupDirectory } from "#build/authority/copies.js";
import { initDirectory, readAuthority } from "#build/authority/directory.js";
import { publishNewest } from "#build/authority/service.js";
import type { StoreReads } from "#build/authority/store/store.js";
import { wrapFor } from "#build/envelope/wraps.js";
import { spareKey } from "../escrow/material.js";
import { RecursiveTree } from "../escrow/tree.js";
import { backend } from "./backend.js";
import {
  core,
  failing,
  newOwner,
  Office,
  openAuthority,
  owner,
  PASSPHRASE,
  sealFor,
  sealForAll,
  storeOf,
  type TestFile,
  unwrap,
} from "./office.js";

const sha256 = (...parts: (string | Uint8Array)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

const made: Office[] = [];
const office = async (options: Parameters<typeof Office.make>[0] = {}) => {
  const one = await Office.make(options);
  made.push(one);
  return one;
};
afterAll(async () => {
  for (const one of made) await one.remove();
});

describe("a new authority", () => {
  test("is a folder with two private keys, a store, and a file for everybody", async () => {
    const { folder, service } = await office();
    for (const name of ["wrap.pem", "log.pem", backend.file]) {
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    }
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const shown = decodeAuthority(readFileSync(join(folder, "authority.json")));
    const authority = await verifyAuthority(core, shown);
    expect(authority.fingerprint).toEqual(service.authority.fingerprint);
    expect(authority.policies[0]).toMatchObject({ release: 2, change: 2, emergency: 3 });
    for (const path of [folder, join(folder, "authority.json")]) {
      expect((await readAuthority(path)).authority.fingerprint).toEqual(authority.fingerprint);
    }
  });

  test("has no policy before every officer has signed the first", async () => {
    const one = await office({ sign: false });
    expect(await one.service.policy()).toBeUndefined();
    // Nobody could release it, so nothing is taken in.
    const file = await one.file();
    const NO_POLICY = failing("NO_POLICY");
    await expect(one.service.intake(file.submission)).rejects.toEqual(NO_POLICY);
    await expect(one.service.takeRequest(one.request([file]))).rejects.toEqual(NO_POLICY);
    expect(await one.service.receipt(file.record)).toBeUndefined();
    expect(await one.signPolicy("ann")).toMatchObject({ log: true, complete: false });
    expect(await one.signPolicy("ann")).toMatchObject({ officers: ["ann"], complete: false });
    await one.signPolicy("cyd");
    expect(await one.service.policy()).toBeUndefined();
    expect((await readAuthority(one.folder)).authority.policies).toEqual([]);
    expect(await one.signPolicy("bob")).toMatchObject({ complete: true });
    expect((await readAuthority(one.folder)).authority.policies).toHaveLength(1);
    expect(await one.count()).toEqual({ authority: 1, policy: 1 });
    await one.service.intake(file.submission);
    const { request } = await one.asked([file]);
    expect((await one.approve(request, "ann", "bob")).decision.approved).toBe(true);
  });

  test("restored from a medium that knows no modes is for its user alone all the same", async () => {
    const { folder } = await office();
    const [backup, restored] = [join(folder, "..", "backup"), join(folder, "..", "restored")];
    await backupDirectory(folder, backup);
    for (const name of readdirSync(backup)) chmodSync(join(backup, name), 0o777);
    await backend.restore(backup, restored);
    for (const name of ["wrap.pem", "log.pem", backend.file]) {
      expect(statSync(join(restored, name)).mode & 0o777).toBe(0o600);
    }
  });

  test("can't be made with officers or numbers that don't fit, and leaves nothing behind", async () => {
    const one = await office();
    const officers = [...one.officers.values()].map(({ name, publicKey }, i) => ({
      name,
      publicKey,
      shareKey: spareKey(i),
    }));
    const path = join(one.folder, "..", "other");
    const wrong = [
      { officers: [] },
      { officers, quorum: 0 },
      { officers, quorum: 4 },
      { officers: [...officers, officers[0]!] },
      { officers: officers.map((officer) => ({ ...officer, shareKey: spareKey(0) })) },
      { officers, origin: "twinwrap/x" },
      { officers, origin: "two words" },
    ];
    for (const options of wrong) {
      const BAD = expect.objectContaining({ code: "BAD_ARGUMENT" });
      await expect(initDirectory(path, { bits: 2048, ...options })).rejects.toEqual(BAD);
    }
    expect(() => statSync(path)).toThrow("ENOENT");
    const CONFLICT = expect.objectContaining({ code: "CONFLICT" });
    await expect(initDirectory(one.folder, { bits: 2048, officers })).rejects.toEqual(CONFLICT);
  });

  test("publishes again what another process changed meanwhile", async () => {
    const notes = ["first"];
    const row = (note: string, i: number) => ({ number: i + 1, hash: sha256(note), note, leaf: i });
    const reads = {
      identities: async () => [row("identity", 0)],
      policies: async () => notes.map(row),
    } as unknown as StoreReads;
    const published: string[][] = [];
    const newest = await publishNewest(reads, async ({ policies }) => {
      if (published.push([...policies]) === 1) notes.push("second");
    });
    expect(published).toEqual([["first"], ["first", "second"]]);
    expect(newest.policies).toEqual(["first", "second"]);
  });

  test("opens its key with the right passphrase only", async () => {
    const { service } = await office();
    expect(await service.unlock()).toBe(false);
    const WRONG = expect.objectContaining({ code: "WRONG_PASSPHRASE" });
    await expect(service.unlock("wrong")).rejects.toEqual(WRONG);
    expect(service.isUnlocked).toBe(false);
    const twice = vi.spyOn(service.core, "rsaPrivateKey");
    expect(await Promise.all([1, 2].map(() => service.unlock(PASSPHRASE)))).toEqual([true, true]);
    expect(twice).toHaveBeenCalledTimes(1);
    twice.mockRestore();
    const open = await office({ passphrase: undefined });
    expect(await open.service.unlock()).toBe(true);
  });
});

describe("intake", () => {
  let one: Office;
  beforeAll(async () => {
    one = await office();
  });

  test("gives a receipt that anybody can check from the bytes alone", async () => {
    const file = await one.file();
    const taken = await one.service.intake(file.submission);
    expect(taken).toMatchObject({ status: "unverified", isNew: true });
    const { leaf, proof } = taken!.receipt;
    const { record } = JSON.parse(new TextDecoder().decode(encodeSubmission(file.submission)));
    const names = Object.keys(record).sort();
    const jcs = `{${names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(record[name])}`).join()}}`;
    const hash = sha256("twinwrap/v1/record\n", jcs);
    const secret = (await storeOf(one.service).ownerSecrets(["olivia"]))[0]!;
    const tag = createHmac("sha256", secret).update("twinwrap/v1/owner-tag\0").update(hash);
    expect(leaf).toMatch(
      /^twinwrap\/leaf\/v1\ntype escrow\ntime \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n/,
    );
    expect(leaf.endsWith(`\nrecord ${hash.toString("hex")}\nowner ${tag.digest("hex")}\n`)).toBe(
      true,
    );
    const leaves = await one.leaves();
    const tree = new RecursiveTree((i) => Buffer.from(leaves[Number(i)]!));
    const { index, path, checkpoint } = parseProof(proof);
    expect(leaves[index]).toBe(leaf);
    expect(path.map(Buffer.from)).toEqual(tree.path(index, leaves.length));
    const root = Buffer.from(tree.root(leaves.length)).toString("base64");
    const { origin } = one.service.authority;
    expect(checkpoint.startsWith(`${origin}\n${leaves.length}\n${root}\n\n`)).toBe(true);
    await verifyProof(core, leaf, proof, one.service.authority.logKeys);
  });

  test("says nothing of serial, owner or description in the log", async () => {
    const file = await one.file({ owner: "somebody@example.com", description: "the secret plan" });
    await one.service.intake(file.submission);
    const log = (await one.leaves()).join("");
    expect(log).not.toContain("somebody");
    expect(log).not.toContain("plan");
    for (const form of ["hex", "base64", "base64url"] as const) {
      expect(log).not.toContain(Buffer.from(file.submission.record.serial).toString(form));
    }
  });

  test("of the same again changes nothing and answers the same", async () => {
    const [file] = await one.files(1);
    const size = (await one.leaves()).length;
    const before = await one.service.receipt(file!.record);
    const [again, third] = await one.take(file!.submission, file!.submission);
    expect(third).toEqual(again);
    expect(again).toEqual({
      record: file!.record,
      status: "unverified",
      isNew: false,
      isRepaired: false,
      receipt: before,
    });
    expect(await one.leaves()).toHaveLength(size);
    expect((await storeOf(one.service).candidatesOf([file!.record]))[0]).toHaveLength(1);
    // Beside a new one it has its own proof, too.
    const both = await one.take((await one.file()).submission, file!.submission);
    expect(both.map(({ isNew }) => isNew)).toEqual([true, false]);
    expect(both[1]!.receipt).toEqual(before);
  });

  test("of one that is refused takes no other with it", async () => {
    const [good, other] = [
      await one.file(),
      await sealFor({ ...one.service.authority, origin: "x" }),
    ];
    expect(await one.service.intake([other.submission, good.submission])).toEqual([
      { error: failing("WRONG_AUTHORITY") },
      expect.objectContaining({ record: good.record, isNew: true }),
    ]);
    expect(await storeOf(one.service).record(good.record)).toBeDefined();
  });

  test("keeps four wraps of a record side by side, and the first that opens wins", async () => {
    const file = await one.file();
    const foreign = async () => {
      const { submission } = await one.file();
      return { ...file.submission, wrap: submission.wrap };
    };
    for (let i = 0; i < 3; i++) await one.service.intake(await foreign());
    await one.service.intake(file.submission);
    await expect(one.service.intake(await foreign())).rejects.toEqual(failing("BACKLOG"));
    expect((await storeOf(one.service).candidatesOf([file.record]))[0]).toHaveLength(4);
    await one.unlock();
    const { verified, failed } = await one.service.verifyWaiting();
    expect({ verified: verified > 0, failed }).toEqual({ verified: true, failed: [] });
    const { tag, wrap } = file.submission;
    expect(await storeOf(one.service).candidatesOf([file.record])).toEqual([[{ tag, wrap }]]);
    expect((await storeOf(one.service).record(file.record))!.status).toBe("verified");
  });

  test("of four wrong wraps keeps the right one out until the next `authority verify` only", async () => {
    const locked = await office();
    const { submission, record } = await locked.file();
    for (let i = 1; i <= 4; i++) {
      await locked.service.intake({ ...submission, tag: new Uint8Array(32).fill(i) });
    }
    await expect(locked.service.intake(submission)).rejects.toEqual(failing("BACKLOG"));
    const other = await openAuthority(locked.folder);
    await other.unlock(PASSPHRASE);
    expect(await other.verifyWaiting()).toEqual({ verified: 0, failed: [record] });
    await locked.service.intake(submission);
    expect(await other.verifyWaiting()).toEqual({ verified: 1, failed: [] });
    await other.verifyLog();
    await other.close();
  });

  test("of more records with the same serial does not hide the one that was opened", async () => {
    const locked = await office();
    const { submission, record } = await locked.file();
    await locked.service.intake(submission);
    const { record: about } = submission;
    const junk = Array.from({ length: 120 }, (_, i) => ({
      ...submission,
      record: { ...about, blind: new Uint8Array(32).fill(i + 1) },
    }));
    await locked.take(...junk);
    await locked.unlock();
    await locked.service.verifyWaiting();
    const found: Uint8Array[] = [];
    const party = partyOf(core, locked.service.authority, new LocalClient(locked.service));
    for await (const row of recordsWithSerial(party, about.serial)) found.push(row.hash);
    expect(found).toHaveLength(121);
    expect(found[0]).toEqual(record);
  });

  test("with the key open is verified at once, and verifies what waited", async () => {
    const locked = await office();
    const [waiting] = await locked.files(1);
    await locked.unlock();
    const file = await locked.file();
    const both = await locked.take(waiting!.submission, file.submission);
    expect(both.map(({ status, isNew }) => [status, isNew])).toEqual([
      ["verified", false],
      ["verified", true],
    ]);
    for (const { receipt } of both) expect(receipt.leaf).toContain("\ntype verified\n");
    expect(await locked.count()).toMatchObject({ escrow: 1, verified: 2 });
    expect(await locked.service.verifyWaiting()).toEqual({ verified: 0, failed: [] });
  });

  test("of what another process verifies meanwhile makes no second leaf", async () => {
    const locked = await office();
    await locked.files(1);
    await locked.unlock();
    const store = storeOf(locked.service);
    const look = store.candidatesOf.bind(store);
    const spy = vi.spyOn(store, "candidatesOf").mockImplementation(async (records) => {
      const found = await look(records);
      await locked.elsewhere({}, (other) => other.verifyWaiting());
      return found;
    });
    expect(await locked.service.verifyWaiting()).toEqual({ verified: 0, failed: [] });
    spy.mockRestore();
    expect(await locked.count()).toMatchObject({ escrow: 1, verified: 1 });
    await locked.service.verifyLog();
  });

  test("of a wrap that leads to another key is refused with the key, found without", async () => {
    const locked = await office();
    const [a, b] = [await locked.file(), await locked.file()];
    const swapped = { ...a.submission, wrap: b.submission.wrap };
    await locked.service.intake(swapped);
    await locked.unlock();
    expect(await locked.service.verifyWaiting()).toEqual({ verified: 0, failed: [a.record] });
    const FAILED = expect.objectContaining({ code: "DECRYPTION_FAILED" });
    await expect(locked.service.intake(swapped)).rejects.toEqual(FAILED);
    // What is wrong keeps no place, and is told of once.
    expect(await storeOf(locked.service).candidatesOf([a.record])).toEqual([[]]);
    expect(await locked.service.verifyWaiting()).toEqual({ verified: 0, failed: [] });
    // The right one still comes in, and is what is verified.
    expect(await locked.service.intake(a.submission)).toMatchObject({ status: "verified" });
  });
});

describe("a request", () => {
  let one: Office;
  let files: TestFile[];
  beforeAll(async () => {
    one = await office();
    await one.unlock();
    files = await one.files(3);
  });

  test("approved by two of three gives keys that node:crypto opens, with proofs", async () => {
    const { request, id } = await one.asked(files);
    expect(request.records).toHaveLength(3);
    expect((await one.approve(request, "ann")).decision).toMatchObject({ approved: false });
    await expect(one.service.release(id)).rejects.toEqual(failing("NOT_APPROVED"));
    expect(await one.service.released(id)).toBeUndefined();
    expect((await one.approve(request, "cyd")).decision).toMatchObject({ approved: true });
    const { releases } = await one.service.release(id);
    expect(releases).toHaveLength(3);
    for (const { record, wrap, leaf, proof } of releases) {
      const file = files.find((other) => Buffer.compare(other.record, record) === 0)!;
      expect(unwrap(wrap, newOwner.node.privateKey)).toEqual(file.sessionKey);
      await verifyProof(core, leaf, proof, one.service.authority.logKeys);
      const spki = newOwner.node.publicKey.export({ type: "spki", format: "der" });
      const recipient = createHmac("sha256", file.submission.record.blind)
        .update("twinwrap/v1/recipient-tag\0")
        .update(sha256(spki));
      expect(decodeLeaf(leaf)).toMatchObject({
        type: "release",
        record,
        recipient: new Uint8Array(recipient.digest()),
        policy: (await one.policy()).hash,
      });
    }
    expect((await one.service.standing(id)).row.status).toBe("released");
  });

  test("released gives the same bytes for ever and no second leaf", async () => {
    const { request, id } = await one.asked(files);
    await one.approve(request, "ann", "bob");
    const first = encodeRelease(await one.service.release(id));
    const leaves = await one.leaves();
    await one.files(2);
    expect(encodeRelease(await one.service.release(id))).toEqual(first);
    expect((await one.leaves()).length).toBe(leaves.length + 2);
    const again = await one.service.takeRequest(request);
    expect(again.status).toBe("released");
  });

  test("can be made again for another key, and both releases are in the log", async () => {
    const other = await one.asked(files.slice(0, 1), { recipient: owner.publicKey });
    await one.approve(other.request, "bob", "cyd");
    const { releases } = await one.service.release(other.id);
    expect(unwrap(releases[0]!.wrap, owner.node.privateKey)).toEqual(files[0]!.sessionKey);
  });

  test("releases what was never verified by opening it then", async () => {
    const locked = await office();
    const [file, bad] = [await locked.file(), await locked.file()];
    await locked.take(file.submission, { ...bad.submission, tag: file.submission.tag });
    const { request, id } = await locked.asked([file, bad]);
    await locked.approve(request, "ann", "bob");
    const NEEDED = expect.objectContaining({ code: "PASSPHRASE_NEEDED" });
    await expect(locked.service.release(id)).rejects.toEqual(NEEDED);
    await locked.unlock();
    // One of two does not open: nothing is released, and the request waits for the right wrap.
    await expect(locked.service.release(id)).rejects.toThrow(/of the 2 records, 1 without a wrap/);
    expect((await locked.service.standing(id)).row.status).toBe("open");
    await locked.service.intake(bad.submission);
    const { releases } = await locked.service.release(id);
    expect(releases).toHaveLength(2);
    expect(await locked.count()).toMatchObject({ escrow: 2, verified: 2, release: 2 });
    await locked.service.verifyLog();
  });

  test("leaves the wrap that another process verified meanwhile", async () => {
    const locked = await office();
    const [file] = await locked.files(1);
    const { request, id } = await locked.asked([file!]);
    await locked.approve(request, "ann", "bob");
    await locked.unlock();
    const to = { key: locked.service.authority.wrapKey, padding: "oaep" as const };
    const again = { ...file!.submission, wrap: await wrapFor(core, file!.sessionKey, to, {}) };
    const store = storeOf(locked.service);
    const look = store.candidatesOf.bind(store);
    const spy = vi.spyOn(store, "candidatesOf").mockImplementationOnce(async (records) => {
      const found = await look(records);
      await locked.elsewhere({}, (other) => other.intake(again));
      return found;
    });
    expect((await locked.service.release(id)).releases).toHaveLength(1);
    spy.mockRestore();
    const { tag, wrap } = again;
    expect(await store.candidatesOf([file!.record])).toEqual([[{ tag, wrap }]]);
    await locked.service.verifyLog();
  });

  test("releases only a part where that is asked for, and never with nothing in it", async () => {
    const locked = await office();
    const [file, bad] = [await locked.file(), await locked.file()];
    await locked.take(file.submission, { ...bad.submission, tag: file.submission.tag });
    await locked.unlock();
    const both = await locked.asked([file, bad]);
    await locked.approve(both.request, "ann", "bob");
    const release = (id: string) =>
      locked.elsewhere({ partial: true }, (partial) => partial.release(id));
    const { releases } = await release(both.id);
    expect(releases.map(({ record }) => record)).toEqual([file.record]);
    const { request, id } = await locked.asked([bad]);
    await locked.approve(request, "ann", "bob");
    await expect(release(id)).rejects.toThrow(/without a wrap that opens/);
    expect(await locked.count()).toMatchObject({ escrow: 2, verified: 1, release: 1 });
    await locked.service.verifyLog();
  });

  test("waits, if the policy says so, unless everybody agrees", async () => {
    const slow = await office({ waiting: 3600 });
    await slow.unlock();
    const { request, id } = await slow.asked(await slow.files(1));
    const { decision } = await slow.approve(request, "ann", "bob");
    expect(decision.approved).toBe(false);
    const { time: received } = (await slow.service.standing(id)).leaf;
    expect(decision.notBefore).toEqual(new Date(received.getTime() + 3_600_000));
    await expect(slow.service.release(id)).rejects.toThrow(/waiting period/);
    await slow.approve(request, "cyd");
    expect((await slow.service.release(id)).releases).toHaveLength(1);
  });

  test("is refused at once if it has expired, and when it expires before the last approval", async () => {
    const created = new Date(Date.now() - 10_000);
    const past = one.request(files, { created, expires: new Date(Date.now() - 2000) });
    await expect(one.service.takeRequest(past)).rejects.toThrow(/expired/);
    const expires = new Date(Date.now() + 3_600_000);
    const soon = await one.asked(files, { created, expires });
    await one.approve(soon.request, "ann", "bob");
    vi.useFakeTimers({ toFake: ["Date"], now: expires });
    try {
      await expect(one.service.release(soon.id)).rejects.toThrow(/expired/);
    } finally {
      vi.useRealTimers();
    }
    expect(await one.service.released(soon.id)).toBeUndefined();
  });

  test("is over when too many deny it, and every denial is in the log", async () => {
    const { request, id } = await one.asked(files);
    const before = (await one.count()).denial ?? 0;
    const denial = await one.word("ann", request, { decision: "deny" });
    expect((await one.service.takeApproval(denial)).row.status).toBe("open");
    await one.approve(request, "bob");
    const second = await one.word("bob", request, { decision: "deny" });
    expect((await one.service.takeApproval(second)).row.status).toBe("denied");
    expect(await one.count()).toMatchObject({ denial: before + 2 });
    await expect(one.service.release(id)).rejects.toThrow(/denied/);
    await expect(one.approve(request, "cyd")).rejects.toEqual(failing("CLOSED"));
    await one.service.verifyLog();
  });

  test("takes the same approval twice as one", async () => {
    const { request } = await one.asked(files);
    const note = await one.word("ann", request);
    await one.service.takeApproval(note);
    const { decision } = await one.service.takeApproval(note);
    expect(decision.count.approving).toHaveLength(1);
  });
});

test("one file under two authorities is recovered from either", async () => {
  const both = [await office(), await office()];
  for (const one of both) await one.unlock();
  const files = await sealForAll(both.map(({ service }) => service.authority));
  for (const [i, one] of both.entries()) {
    await expect(one.service.intake(files[1 - i]!.submission)).rejects.toEqual(
      failing("WRONG_AUTHORITY"),
    );
    await one.service.intake(files[i]!.submission);
    const { request, id } = await one.asked([files[i]!]);
    await one.approve(request, "ann", "bob");
    const { releases } = await one.service.release(id);
    expect(unwrap(releases[0]!.wrap, newOwner.node.privateKey)).toEqual(files[0]!.sessionKey);
  }
});
