import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatIdentity, identityHash, type Signer, signNote, wrapKeyOf } from "twinwrap/escrow";
import { fingerprint, publicKeyOf, writePrivateKey } from "twinwrap/keys";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { backupDirectory } from "#build/authority/copies.js";
import { openDirectory } from "#build/authority/directory.js";
import { Log } from "#build/authority/log.js";
import { makePair, type Pair } from "../envelope/keys.js";
import { SeedKey } from "../escrow/signers.js";
import { backend } from "./backend.js";
import { core, failing, newOwner, Office, PASSPHRASE, storeOf, unwrap } from "./office.js";

// An authority whose identity has several RSA keys: one in use, and those before it.

const OTHER = "another passphrase, for the key after";
const made: Office[] = [];
let one: Office;
let next: Pair;
beforeEach(async () => {
  one = await Office.make({ pkcs1: true });
  made.push(one);
  next = await makePair();
});
afterAll(async () => {
  for (const office of made) await office.remove();
});

/** The file of the key that was in use before. */
let earlier = "";

/** Writes the second identity, as a rotation of the wrap key will: a new key in use, the old one behind it. */
async function rotate(passphrase = PASSPHRASE): Promise<void> {
  const { authority } = one.service;
  const [first] = authority.identities;
  const seed = await SeedKey.read(readFileSync(join(one.folder, "log.pem")));
  const logSigner = seed.signer(authority.origin);
  const text = formatIdentity({
    ...first!,
    number: 2,
    previous: first!.hash,
    wrapKeys: [next.publicKey, authority.wrapKey],
    paddings: ["oaep"],
  });
  const officers = ["ann", "bob"].map((name) => one.officers.get(name)!) as Signer[];
  const note = await signNote(core, text, logSigner, ...officers);
  const log = new Log(core, { signer: logSigner, logs: [logSigner] });
  await storeOf(one.service).write(async (writes) => {
    const end = await log.end(writes);
    const hash = identityHash(core, text);
    await end.append([{ type: "authority", number: 2, identity: hash }]);
    await writes.putIdentity({
      number: 2,
      hash,
      note,
      announceLeaf: undefined,
      leaf: end.next,
    });
  });
  await one.service.close();
  const old = Buffer.from(await fingerprint(authority.wrapKey, { core })).toString("hex");
  earlier = join(one.folder, `wrap-${old.slice(0, 16)}.pem`);
  renameSync(join(one.folder, "wrap.pem"), earlier);
  const lock = { core, passphrase, iterations: 1000 };
  writeFileSync(join(one.folder, "wrap.pem"), await writePrivateKey(next.privateKey, "pem", lock));
  await one.open();
}

/** Asks for files and has them released. */
async function released(...files: Awaited<ReturnType<Office["files"]>>) {
  const { request, id } = await one.asked(files);
  await one.approve(request, "ann", "bob");
  return { id, release: () => one.service.release(id) };
}

describe("after a new key has come into use", () => {
  test("each wrap is opened with the key that it names", async () => {
    const [before, late] = [await one.file(), await one.file()];
    await one.service.intake(before.submission);
    await rotate();
    const after = await one.file();
    expect(after.submission.wrap.fingerprint).not.toEqual(before.submission.wrap.fingerprint);
    await one.service.intake(after.submission);
    await one.unlock();
    expect(await one.service.verifyWaiting()).toEqual({ verified: 2, failed: [] });
    // What was made for the key before still comes in, and is opened at once.
    expect(await one.service.intake(late.submission)).toMatchObject({ status: "verified" });
    const files = [before, after, late];
    const { releases } = await (await released(...files)).release();
    for (const { record, sessionKey } of files) {
      const { wrap } = releases.find((one) => Buffer.from(one.record).equals(record))!;
      expect(unwrap(wrap, newOwner.node.privateKey).equals(sessionKey)).toBe(true);
    }
    expect(await one.service.verifyAll()).toEqual({ right: 3, wrong: [], locked: [] });
    await one.service.verifyLog();
  });

  test("a passphrase opens all keys that it opens, and no key is taken for another", async () => {
    const [before] = await one.files(1);
    await rotate(OTHER);
    const [after] = await one.files(1);
    await expect(one.service.unlock("neither")).rejects.toEqual(failing("WRONG_PASSPHRASE"));
    expect(one.service.isUnlocked).toBe(false);
    expect(await one.service.unlock(OTHER)).toBe(true);
    expect(await one.service.verifyWaiting()).toEqual({ verified: 1, failed: [] });
    const { locked, wrong, right } = await one.service.verifyAll();
    expect([right, wrong, locked.map(({ hash }) => hash)]).toEqual([1, [], [before!.record]]);
    const both = await released(before!, after!);
    await expect(both.release()).rejects.toMatchObject({
      code: "PASSPHRASE_NEEDED",
      message: expect.stringMatching(/is wrapped for the authority's RSA key [0-9a-f]{64}, which/),
    });
    expect(await one.service.unlock(PASSPHRASE)).toBe(true);
    expect((await both.release()).releases).toHaveLength(2);
    expect(await one.service.verifyAll()).toEqual({ right: 2, wrong: [], locked: [] });
  });

  test("the file of the key in use has to be there, those of others need not", async () => {
    const [before] = await one.files(1);
    await rotate();
    rmSync(earlier);
    await one.unlock();
    const { locked } = await one.service.verifyAll();
    expect(locked.map(({ hash }) => hash)).toEqual([before!.record]);
    const { submission } = before!;
    expect(await one.service.intake(submission)).toMatchObject({ status: "unverified" });
    await one.service.close();
    await one.open();
    rmSync(join(one.folder, "wrap.pem"));
    await expect(one.service.unlock(PASSPHRASE)).rejects.toEqual(failing("BAD_FORMAT"));
  });

  test("a key that is none of the authority's is refused", async () => {
    await rotate();
    const { privateKey } = await makePair();
    const lock = { core, passphrase: PASSPHRASE, iterations: 1000 };
    writeFileSync(earlier, await writePrivateKey(privateKey, "pem", lock));
    const mine = await fingerprint(publicKeyOf(privateKey), { core });
    expect(wrapKeyOf(one.service.authority, mine)).toBeUndefined();
    await expect(one.service.unlock(PASSPHRASE)).rejects.toMatchObject({
      code: "BAD_KEY",
      message: expect.stringContaining(Buffer.from(mine).toString("hex")),
    });
  });

  test("all keys are in a backup, and in what is restored from it", async () => {
    const [before] = await one.files(1);
    await rotate();
    const [backup, restored] = [join(one.folder, "..", "backup"), join(one.folder, "..", "again")];
    await backupDirectory(one.folder, backup);
    await backend.restore(backup, restored);
    const service = await openDirectory(restored);
    await service.unlock(PASSPHRASE);
    expect(await service.verifyAll()).toEqual({ right: 1, wrong: [], locked: [] });
    expect(await service.recordsByHash([before!.record])).toHaveLength(1);
    await service.close();
  });

  test("an audit takes a record's padding by the identity in force at its leaf, or a later one", async () => {
    const { authority } = one.service;
    const padding = "pkcs1-v1_5" as const;
    const { submission } = await one.file();
    // Without the key nobody sees that it is another padding than the block's.
    const old = { ...submission, wrap: { ...submission.wrap, padding } };
    await one.service.intake(old);
    expect(authority.identities[0]!.paddings).toContain(padding);
    await one.service.verifyLog();
    await rotate();
    await one.service.verifyLog();
    // A record that came when the padding was not taken any more.
    const [later] = await one.files(1);
    await one.service.verifyLog();
    const change =
      "UPDATE candidates SET padding = ? WHERE record = (SELECT leaf FROM records WHERE hash = ?)";
    await backend.alter(one.folder, [change, padding, later!.record]);
    await expect(one.service.verifyLog()).rejects.toMatchObject({
      code: "FAULT",
      message: expect.stringMatching(/\(pkcs1-v1_5\), which was never taken/),
    });
    await backend.alter(one.folder, [change, "oaep", later!.record]);
    await one.service.verifyLog();
    await backend.alter(one.folder, [
      "UPDATE candidates SET fingerprint = ? WHERE record = (SELECT leaf FROM records WHERE hash = ?)",
      new Uint8Array(32),
      later!.record,
    ]);
    await expect(one.service.verifyLog()).rejects.toMatchObject({
      code: "FAULT",
      message: expect.stringMatching(/which was never taken/),
    });
  });
});
