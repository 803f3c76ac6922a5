import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type AuthorityFile,
  addSignature,
  checkRelease,
  encodeAuthority,
  formatPolicy,
  type PolicyText,
  receiptLeaf,
  type Signer,
  signNote,
  verifyAuthority,
  verifyProof,
} from "twinwrap/escrow";
import { afterAll, describe, expect, test, vi } from "vitest";
import { backupDirectory, importDirectory, restoreDirectory } from "#build/authority/copies.js";
import { piecesOf } from "#build/authority/pieces.js";
import type { AuthorityService } from "#build/authority/service.js";
import { spareKey } from "../escrow/material.js";
import { newSigner } from "../escrow/signers.js";
import { backend } from "./backend.js";
import {
  core,
  failing,
  NOT_VERIFIED,
  newOwner,
  type Office,
  openAuthority,
  PASSPHRASE,
  REFUSED,
  storeOf,
  type TestFile,
  unwrap,
  useOffices,
} from "./office.js";

// A store that is older than the newest policy or identity: the log ends, and they are taken back.

const office = useOffices({ isOpen: true });
const opened: AuthorityService[] = [];
afterAll(async () => {
  for (const service of opened) await service.close();
});

const open = async (folder: string) => {
  const service = await openAuthority(folder);
  opened.push(service);
  return service;
};

let copies = 0;
/** A backup of now. */
async function backup(one: Office): Promise<string> {
  const folder = join(one.folder, "..", `copy-${copies++}`);
  await backend.copy(one.folder, folder);
  return folder;
}

async function textOf(one: Office, change: Partial<PolicyText>): Promise<string> {
  const policy = await one.policy();
  const number = policy.number + 1;
  return formatPolicy({ ...policy, number, previous: await one.newest(), ...change });
}

/** The next policy comes into force, signed by some. */
async function change(one: Office, text: Partial<PolicyText>, ...signers: Signer[]) {
  const note = await signNote(core, await textOf(one, text), ...signers);
  return one.service.takePolicy(note);
}

const signersOf = (one: Office, ...names: string[]) => names.map((name) => one.officers.get(name)!);

/** In place of cyd comes dan. */
async function withDan(one: Office): Promise<void> {
  const dan = newSigner("dan");
  one.officers.set("dan", dan);
  const { officers } = await one.policy();
  const others = officers.filter(({ name }) => name !== "cyd");
  const joined = { name: "dan", key: dan.publicKey, share: spareKey(3), self: [] };
  const names = ["ann", "bob", "dan"];
  expect(
    await change(one, { officers: [...others, joined] }, ...signersOf(one, ...names)),
  ).toMatchObject({ complete: true });
}

async function close(one: Office, service: AuthorityService, note: string, ...names: string[]) {
  let closing: Awaited<ReturnType<AuthorityService["takeClosing"]>> | undefined;
  for (const signer of signersOf(one, ...names)) {
    closing = await service.takeClosing(await addSignature(core, note, signer));
  }
  return closing!;
}

/** Asks for files, has officers approve it, and opens what is released. */
async function recover(one: Office, files: readonly TestFile[], ...names: string[]) {
  const { request, id } = await one.asked(files);
  await one.approve(request, ...names);
  const release = await one.service.release(id);
  const { authority } = one.service;
  const { keys } = await checkRelease(core, release, authority, { request });
  for (const { record, sessionKey } of files) {
    const { wrap } = keys.get(Buffer.from(record).toString("hex"))!;
    expect(unwrap(wrap, newOwner.node.privateKey).equals(sessionKey)).toBe(true);
  }
}

/** What a refusal must not change. */
async function stateOf(service: AuthorityService, folder: string) {
  const store = storeOf(service);
  return {
    policies: await store.policies(),
    identities: await store.identities(),
    fence: await store.setting("fence"),
    taken: await store.setting("taken back"),
    shown: readFileSync(join(folder, "authority.json"), "utf8"),
  };
}

describe("a policy that came into force after the backup", () => {
  test("is taken back from an authority.json, and its officers end the log", async () => {
    const one = await office();
    const [kept] = await one.files(1);
    const folder = await backup(one);
    await withDan(one);
    const [late] = await one.files(1);
    const outside = await one.service.file();
    const known = (await one.service.checkpoint())!;
    const before = await verifyAuthority(core, outside);
    await one.service.close();

    const service = await open(folder);
    await expect(service.unfence([known], { nothingNewer: true })).rejects.toThrow(/rolled back/);
    const { note, takenBack } = await service.beginClosing([known], { files: [outside] });
    expect(takenBack).toEqual([{ kind: "policy", number: 2 }]);
    // What was shown is not forgotten, nor is it told twice.
    await expect(service.unfence([], { nothingNewer: true })).rejects.toThrow(
      /policy 2 is known outside/,
    );
    expect((await service.beginClosing()).note).toBe(note);
    expect(await service.policy()).toMatchObject({ number: 1 });
    await service.verifyLog();
    // Who left signs nothing any more.
    const cyd = await addSignature(core, note, one.officers.get("cyd")!);
    await expect(service.takeClosing(cyd)).rejects.toEqual(failing("NOT_ENTITLED"));
    expect(await close(one, service, note, "ann", "dan")).toMatchObject({
      complete: true,
      log: true,
      kept: { size: 3 },
      end: { size: 5 },
    });

    // Its entry is the first of the next log, and everything works.
    one.service = service;
    expect(await storeOf(service).setting("taken back")).toBeUndefined();
    const [first, second] = await storeOf(service).leaves(2 ** 44, 2);
    expect(first).toMatch(/^type policy$/m);
    expect(second).toMatch(/^type authority$/m);
    await service.unlock(PASSPHRASE);
    expect(await one.policy()).toMatchObject({ number: 2 });
    await service.intake(late!.submission);
    await one.files(1);
    await recover(one, [kept!, late!], "bob", "dan");
    await service.verifyLog({ known: [known] });
    // Who knew policy 2 goes on from there.
    const now = await service.file();
    expect(now.policies).toEqual(outside.policies);
    const { policies, identities } = await verifyAuthority(core, now, {
      pinned: before.fingerprint,
    });
    expect(policies).toEqual(before.policies);
    expect(identities).toHaveLength(2);
    await withEve(one);
    await service.verifyLog();
    // So does a backup of it.
    const [to, again] = [join(folder, "..", "to"), join(folder, "..", "again")];
    await backupDirectory(folder, to);
    await restoreDirectory(to, again);
  });

  test("is taken back from the folder's own file, if only the store was put back", async () => {
    const one = await office();
    const folder = await backup(one);
    await withDan(one);
    const shown = readFileSync(join(one.folder, "authority.json"));
    await one.service.close();
    await backend.alter(folder, "DELETE FROM settings");
    for (const end of ["-wal", "-shm"]) rmSync(join(folder, `store.sqlite${end}`), { force: true });
    writeFileSync(join(folder, "authority.json"), shown);
    const service = await open(folder);
    expect(await service.isFenced()).toBe(true);
    await expect(service.unfence([], { nothingNewer: true })).rejects.toThrow(
      /policy 2 is known outside/,
    );
    // Nothing overwrites it, and a copy has it too.
    expect(readFileSync(join(folder, "authority.json"))).toEqual(shown);
    const copy = join(folder, "..", "copied");
    await backend.copy(folder, copy);
    expect(readFileSync(join(copy, "authority.json"))).toEqual(shown);
    const copied = await open(copy);
    const { note, takenBack } = await copied.beginClosing();
    expect(takenBack).toEqual([{ kind: "policy", number: 2 }]);
    expect(await close(one, copied, note, "ann", "dan")).toMatchObject({ complete: true });
    await copied.verifyLog();
    one.service = copied;
  });

  test("and had to wait takes somebody who knows that it was in force", async () => {
    const one = await office({ waiting: 3600 });
    const { notBefore } = await change(one, { waiting: 0 }, ...signersOf(one, "ann", "bob"));
    // The backup holds it as a draft that waits.
    const folder = await backup(one);
    const time = new Date(notBefore!.getTime() + 1000);
    vi.useFakeTimers({ toFake: ["Date"], now: time });
    try {
      await one.files(1);
      expect(await one.policy()).toMatchObject({ number: 2 });
      const files = [await one.service.file()];
      await one.service.close();
      const service = await open(folder);
      one.service = service;
      const state = await stateOf(service, folder);
      await expect(service.beginClosing([], { files })).rejects.toEqual(REFUSED);
      expect(await stateOf(service, folder)).toEqual(state);
      const { note } = await service.beginClosing([], { files, wereInForce: true });
      // The next officer need not say it again.
      expect((await service.beginClosing([], { files })).note).toBe(note);
      expect(await close(one, service, note, "ann", "bob")).toMatchObject({ complete: true });
      expect(await one.policy()).toMatchObject({ number: 2, waiting: 0 });
      await service.verifyLog();
    } finally {
      vi.useRealTimers();
    }
    // Another policy that comes into force before its time is none that came back.
    const row = (await storeOf(one.service).policies())[1]!;
    await backend.alter(folder, [
      "UPDATE policies SET leaf = ? WHERE hash = ?",
      row.leaf! + 1,
      row.hash,
    ]);
    await expect(one.service.verifyLog()).rejects.toEqual(NOT_VERIFIED);
  });

  test("is refused from a look-alike, a fork, and a chain with a gap; nothing is written", async () => {
    const one = await office({ origin: "office.example" });
    const folder = await backup(one);
    const fork = await backup(one);
    await change(one, { waiting: 5 }, ...signersOf(one, "ann", "bob"));
    await change(one, { waiting: 6 }, ...signersOf(one, "ann", "bob"));
    const right = await one.service.file();
    const { service: kept } = one;
    // The same officers, in a copy that went on by itself.
    one.service = await open(fork);
    await one.service.unfence([], { nothingNewer: true });
    await change(one, { waiting: 7 }, ...signersOf(one, "bob", "cyd"));
    const forked = await one.service.file();
    one.service = kept;
    const other = await office({ origin: "office.example" });
    await change(other, { waiting: 5 }, ...signersOf(other, "ann", "bob"));

    const [first, second, third] = right.policies as [string, string, string];
    const cut = second
      .split("\n")
      .filter((line) => !line.startsWith("— bob "))
      .join("\n");
    const attacks: AuthorityFile[] = [
      await other.service.file(),
      { ...right, policies: [first, third] },
      { ...right, policies: [first, cut] },
      { ...right, identities: (await other.service.file()).identities },
    ];
    const service = await open(folder);
    const state = await stateOf(service, folder);
    for (const file of attacks) {
      await expect(service.beginClosing([], { files: [file] })).rejects.toEqual(NOT_VERIFIED);
      expect(await stateOf(service, folder)).toEqual(state);
    }
    // Of two that are right by themselves, nobody can tell which one is.
    for (const files of [
      [right, forked],
      [forked, right],
    ]) {
      await expect(service.beginClosing([], { files })).rejects.toThrow(/forked/);
      expect(await stateOf(service, folder)).toEqual(state);
    }
    // A store that has one of them does not take the other, whichever is longer.
    await expect(kept.beginClosing([], { files: [forked] })).rejects.toThrow(/forked/);
    await expect(opened.at(-2)!.beginClosing([], { files: [right] })).rejects.toThrow(/forked/);
    writeFileSync(join(fork, "authority.json"), encodeAuthority(right));
    await expect(openAuthority(fork)).rejects.toThrow(/forked/);
    // An older file takes nothing back.
    const older = { ...right, policies: [first] };
    expect(await kept.beginClosing([], { files: [older] })).toMatchObject({ takenBack: [] });
  });
});

/** In place of dan comes eve. */
async function withEve(one: Office): Promise<void> {
  const eve = newSigner("eve");
  const { officers } = await one.policy();
  const others = officers.filter(({ name }) => name !== "dan");
  const joined = { name: "eve", key: eve.publicKey, share: spareKey(4), self: [] };
  const text = await textOf(one, { officers: [...others, joined] });
  const note = await signNote(core, text, ...signersOf(one, "ann", "bob"), eve);
  expect(await one.service.takePolicy(note)).toMatchObject({ complete: true });
}

describe("an identity that came into force after the backup", () => {
  /** Three records: in the backup, lost with the first log, lost with the second. */
  async function withTwoLogs() {
    const one = await office();
    const [kept] = await one.files(1);
    const folder = await backup(one);
    const [late] = await one.files(1);
    const first = (await one.service.receipt(kept!.record))!;
    const { note } = await one.service.beginClosing();
    await close(one, one.service, note, "ann", "bob");
    const [later] = await one.files(1);
    await change(one, { waiting: 0, release: 2 }, ...signersOf(one, "bob", "cyd"));
    const outside = await one.service.file();
    const known = (await one.service.checkpoint())!;
    await one.service.close();
    return { one, folder, outside, known, first, files: [kept!, late!, later!] as const };
  }

  test("is taken back, and says that less is kept of the log before", async () => {
    const { one, folder, outside, known, first, files } = await withTwoLogs();
    const service = await open(folder);
    const { note, needed, takenBack, kept, end } = await service.beginClosing([known], {
      files: [outside],
    });
    expect(takenBack).toEqual([
      { kind: "identity", number: 2 },
      { kind: "policy", number: 2 },
    ]);
    // The key of the log in use was lost with it.
    expect([needed, kept.size, end.size]).toEqual([3, 0, 3]);
    expect(await close(one, service, note, "ann", "bob", "cyd")).toMatchObject({ complete: true });
    one.service = service;
    await service.unlock(PASSPHRASE);
    const { authority } = service;
    const { origin } = authority;
    expect(authority.logKeys.map(({ name }) => name)).toEqual([
      `${origin}/3`,
      origin,
      `${origin}/2`,
    ]);
    expect(authority.identities.at(-1)!.ended).toMatchObject([
      { kept: { size: 3 }, end: { size: 4 } },
      { kept: { size: 0 }, end: { size: 3 } },
    ]);
    await service.verifyLog({ known: [known] });
    const [was, ...lost] = files;
    const again = (await service.receipt(was.record))!;
    expect(again.leaf).toBe(first.leaf);
    const proof = await verifyProof(core, again.leaf, again.proof, authority.logKeys);
    expect(proof.checkpoint.size).toBe(3);
    for (const { submission, record } of lost) {
      expect(await service.receipt(record)).toBeUndefined();
      const taken = await service.intake(submission);
      expect(receiptLeaf(taken!.receipt).type).toBe("verified");
    }
    await recover(one, files, "ann", "cyd");
    await service.verifyLog({ known: [known] });
    // An export has a log of which nothing is kept.
    const imported = join(folder, "..", "imported");
    const pieces = piecesOf((sink) => service.export(sink));
    await importDirectory(pieces, imported, { keys: folder });
    // The chain verifies from the start, and from where it was.
    const now = await service.file();
    expect(now.identities.slice(0, 2)).toEqual(outside.identities);
    await verifyAuthority(core, now);
  });

  test("is ended with the key of its log, if the folder has that", async () => {
    const { one, folder, outside } = await withTwoLogs();
    for (const name of ["log.pem", "anchor"]) {
      writeFileSync(join(folder, name), readFileSync(join(one.folder, name)));
    }
    writeFileSync(join(folder, "authority.json"), encodeAuthority(outside));
    const service = await open(folder);
    one.service = service;
    await expect(service.unfence([], { nothingNewer: true })).rejects.toEqual(NOT_VERIFIED);
    const { note } = await service.beginClosing();
    expect(await close(one, service, note, "ann", "cyd")).toMatchObject({
      complete: true,
      log: true,
      end: { size: 3 },
    });
    await service.unlock(PASSPHRASE);
    await one.files(1);
    await service.verifyLog();
    await service.close();
    one.service = await openAuthority(folder);
    await one.service.verifyLog();
  });

  test("is refused where the store holds more than it says was kept", async () => {
    const { one, folder, outside } = await withTwoLogs();
    const service = await open(folder);
    one.service = service;
    await service.unlock(PASSPHRASE);
    await service.unfence([], { nothingNewer: true });
    // As many leaves as were kept, but others; and then more.
    for (const problem of [/ended with other leaves/, /ended at 4 leaves/]) {
      await one.files(1);
      const anchor = readFileSync(join(folder, "anchor"));
      await expect(service.beginClosing([], { files: [outside] })).rejects.toThrow(problem);
      rmSync(join(folder, "anchor"));
      await expect(service.beginClosing([], { files: [outside] })).rejects.toThrow(/what was kept/);
      writeFileSync(join(folder, "anchor"), anchor);
      expect(await service.isFenced()).toBe(false);
    }
  });
});
