import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  addSignature,
  parseIdentity,
  type Receipt,
  receiptLeaf,
  verifyAuthority,
  verifyProof,
} from "twinwrap/escrow";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { readAuthority } from "#build/authority/directory.js";
import type { AuthorityService } from "#build/authority/service.js";
import { backend } from "./backend.js";
import { core, failing, NOT_VERIFIED, newOwner, Office, openAuthority, unwrap } from "./office.js";

// How a log ends: after a loss, or because its key is replaced. And the anchor that notices a loss.

const made: Office[] = [];
let one: Office;
beforeEach(async () => {
  one = await Office.make();
  made.push(one);
  await one.unlock();
});
afterAll(async () => {
  for (const office of made) await office.remove();
});

const checkpointOf = ({ proof }: Receipt) => proof.slice(proof.indexOf("\n\n") + 2);

/** The officers end the log. */
async function close(service: AuthorityService, known: string[], ...names: string[]) {
  const { note } = await service.beginClosing(known);
  let closing: Awaited<ReturnType<AuthorityService["takeClosing"]>> | undefined;
  for (const name of names) {
    closing = await service.takeClosing(await addSignature(core, note, one.officers.get(name)!));
  }
  return closing!;
}

/** A copy from before, which lost what came after it. */
async function restored(lost: () => Promise<Receipt>) {
  const folder = join(one.folder, "..", "restored");
  await backend.copy(one.folder, folder);
  const receipt = await lost();
  const service = await openAuthority(folder);
  return { folder, service, receipt };
}

test("a log that a fast clock brought ahead ends, and the next one begins with the right time", async () => {
  const ahead = new Date(Date.now() + 3_600_000);
  vi.useFakeTimers({ toFake: ["Date"], now: ahead });
  await one.files(1).finally(() => vi.useRealTimers());
  const { submission } = await one.file();
  await expect(one.service.intake(submission)).rejects.toEqual(failing("UNAVAILABLE"));
  await close(one.service, [], "ann", "bob");
  const taken = await one.service.intake(submission);
  expect(receiptLeaf(taken!.receipt).time.getTime()).toBeLessThan(ahead.getTime());
  await one.service.verifyLog();
});

describe("a log that lost its newest part", () => {
  test("ends, and its authority goes on with the next one", async () => {
    const [kept] = await one.files(1);
    const [first] = [await one.service.receipt(kept!.record)];
    const late = await one.file();
    const { service, folder, receipt } = await restored(async () => {
      const taken = await one.service.intake(late.submission);
      return taken!.receipt;
    });
    const known = [checkpointOf(receipt)];
    await expect(service.unfence(known, { nothingNewer: true })).rejects.toThrow(/rolled back/);
    // Nor what was shown when the end was drafted.
    await service.beginClosing(known);
    await expect(service.unfence([], { nothingNewer: true })).rejects.toThrow(/rolled back/);
    const closing = await close(service, known, "ann", "bob");
    expect(closing).toMatchObject({
      complete: true,
      log: true,
      kept: { size: 3 },
      end: { size: 4 },
    });
    expect(await service.isFenced()).toBe(false);

    // What was kept is proven up to where the log ended; what was lost is not, and is sent again.
    const { logKeys } = service.authority;
    const again = (await service.receipt(kept!.record))!;
    expect((await verifyProof(core, again.leaf, again.proof, logKeys)).checkpoint.size).toBe(3);
    expect(again.leaf).toBe(first!.leaf);
    expect(await service.receipt(late.record)).toBeUndefined();
    await service.unlock("nine planets, then eight");
    const sent = await service.intake(late.submission);
    const { checkpoint, index } = await verifyProof(
      core,
      sent!.receipt.leaf,
      sent!.receipt.proof,
      logKeys,
    );
    expect(checkpoint.origin).toBe(`${service.authority.origin}/2`);
    expect(index).toBe(1);
    await service.verifyLog({ known });
    await service.close();

    // Another process finds the new key in its place, and the chain in the public file.
    const other = await openAuthority(folder);
    expect(existsSync(join(folder, "log.next.pem"))).toBe(false);
    const { authority } = await readAuthority(folder);
    expect(authority.identities).toHaveLength(2);
    expect(authority.fingerprint).toEqual(one.service.authority.fingerprint);
    const { request, id } = await (async () => {
      const request = one.request([kept!, late]);
      return { request, id: (await other.takeRequest(request)).id };
    })();
    for (const name of ["ann", "bob"]) await other.takeApproval(await one.word(name, request));
    await other.unlock("nine planets, then eight");
    const release = await other.release(id);
    for (const [i, file] of [kept!, late].entries()) {
      const given = release.releases.find(
        ({ record }) => Buffer.compare(record, file.record) === 0,
      );
      expect(unwrap(given!.wrap, newOwner.node.privateKey).equals(file.sessionKey), `${i}`).toBe(
        true,
      );
    }
    await other.verifyLog({ known });
    await other.close();
  });

  test("does not count what its old key signs after the end", async () => {
    await one.files(1);
    const { service } = await restored(async () => {
      const taken = await one.service.intake((await one.file()).submission);
      return taken!.receipt;
    });
    await close(service, [], "ann", "bob");
    const { logKeys } = service.authority;
    const fork = await one.service.intake((await one.file()).submission);
    const { leaf, proof } = fork!.receipt;
    await expect(verifyProof(core, leaf, proof, logKeys)).rejects.toThrow(/ended at 3 leaves/);
    await service.close();
  });

  test("takes the emergency number where its key is lost", async () => {
    await one.files(1);
    await one.service.close();
    rmSync(join(one.folder, "log.pem"));
    const service = await openAuthority(one.folder);
    await expect(service.intake((await one.file()).submission)).rejects.toEqual(failing("FENCED"));
    const { note } = await service.beginClosing();
    expect(await service.closing()).toMatchObject({ log: false, needed: 3, officers: [] });
    for (const [name, complete] of [
      ["ann", false],
      ["bob", false],
      ["cyd", true],
    ] as const) {
      const signed = await addSignature(core, note, one.officers.get(name)!);
      expect(await service.takeClosing(signed)).toMatchObject({ complete });
    }
    one.service = service;
    await one.files(1);
    await service.verifyLog();
  });

  test("is not ended by fewer, nor once it has grown, and open requests end with it", async () => {
    const { request, id } = await one.asked(await one.files(1));
    const { note } = await one.service.beginClosing();
    await expect(one.service.intake((await one.file()).submission)).rejects.toEqual(
      failing("FENCED"),
    );
    const ann = await addSignature(core, note, one.officers.get("ann")!);
    expect(await one.service.takeClosing(ann)).toMatchObject({
      complete: false,
      officers: ["ann"],
    });
    await expect(one.service.takeClosing(note)).rejects.toEqual(failing("NOT_ENTITLED"));
    // Nobody closes it after all.
    await one.service.unfence([], { nothingNewer: true });
    await one.files(1);
    const bob = await addSignature(core, note, one.officers.get("bob")!);
    await expect(one.service.takeClosing(bob)).rejects.toEqual(failing("NOT_FOUND"));
    await close(one.service, [], "ann", "bob");
    expect((await one.service.standing(id)).row.status).toBe("ended");
    await expect(one.approve(request, "ann")).rejects.toEqual(failing("CLOSED"));
    await one.service.verifyLog();
  });

  test("says in its chain what was signed, and an officer who was removed signs nothing", async () => {
    await close(one.service, [], "ann", "bob");
    const file = await one.service.file();
    const authority = await verifyAuthority(core, file);
    const identity = parseIdentity(core, file.identities[1]!);
    expect(identity.ended).toHaveLength(1);
    expect(authority.logKeys.map(({ name }) => name)).toEqual([
      `${authority.origin}/2`,
      authority.origin,
    ]);
    // Without one of the signatures it is nothing.
    const lines = file.identities[1]!.split("\n");
    for (const name of ["ann", "bob", `${authority.origin}/2`]) {
      const without = lines.filter((line) => !line.startsWith(`— ${name} `)).join("\n");
      const identities = [file.identities[0]!, without];
      await expect(verifyAuthority(core, { ...file, identities })).rejects.toEqual(NOT_VERIFIED);
    }
  });
});

describe("another process of the authority", () => {
  test("goes on with the log that one of them has begun, if the folder has its key", async () => {
    const [before] = await one.files(1);
    const other = await openAuthority(one.folder);
    // As on another host: its folder does not get the key.
    const elsewhere = join(one.folder, "..", "elsewhere");
    cpSync(one.folder, elsewhere, { recursive: true });
    if (backend.file === "store.sqlite") {
      rmSync(join(elsewhere, backend.file));
      symlinkSync(join(one.folder, backend.file), join(elsewhere, backend.file));
      for (const end of ["-wal", "-shm"]) rmSync(join(elsewhere, `${backend.file}${end}`));
    }
    const away = await openAuthority(elsewhere);
    await close(one.service, [], "ann", "bob");
    const [after] = await one.files(1);
    for (const service of [other, away]) {
      for (const { record } of [before!, after!]) {
        const receipt = (await service.receipt(record))!;
        const { logKeys } = one.service.authority;
        await verifyProof(core, receipt.leaf, receipt.proof, logKeys);
      }
    }
    const { submission } = await one.file();
    await expect(away.intake(submission)).rejects.toEqual(failing("FENCED"));
    const taken = await other.intake(submission);
    expect(checkpointOf(taken.receipt)).toMatch(`${one.service.authority.origin}/2\n`);
    await other.verifyLog();
    await one.service.verifyLog();
    await other.close();
    await away.close();
  });

  test("finds a checkpoint missing where a log has ended, and does not look for it for ever", async () => {
    await one.files(1);
    await close(one.service, [], "ann", "bob");
    await backend.alter(one.folder, "DELETE FROM checkpoints WHERE place = 3");
    const exported = one.service.export(async () => {});
    await expect(exported).rejects.toMatchObject({
      code: "FAULT",
      message: expect.stringMatching(/checkpoint of 3 leaves is missing/),
    });
  });
});

describe("the anchor", () => {
  test("covers what was shown, and a store that lost it stops", async () => {
    await one.files(1);
    const backup = join(one.folder, "..", "before");
    await backend.copy(one.folder, backup);
    const receipt = await one.service.intake((await one.file()).submission);
    expect(readFileSync(join(one.folder, "anchor"), "utf8")).toBe(checkpointOf(receipt!.receipt));
    await one.service.close();
    // The store of before, as after a lost -wal: the folder is the same.
    await backend.alter(backup, "DELETE FROM settings");
    for (const end of ["", "-wal", "-shm"])
      rmSync(join(one.folder, `${backend.file}${end}`), { force: true });
    writeFileSync(join(one.folder, backend.file), readFileSync(join(backup, backend.file)));
    const service = await one.open();
    expect(await service.isFenced()).toBe(true);
    await expect(service.intake((await one.file()).submission)).rejects.toEqual(failing("FENCED"));
    await service.verifyLog();
    // Nobody can vouch away what the anchor shows.
    await expect(service.unfence([], { nothingNewer: true })).rejects.toThrow(/rolled back/);
    expect(await service.isFenced()).toBe(true);
    // A copy does not forget it.
    const copy = join(one.folder, "..", "copy");
    await backend.copy(one.folder, copy);
    const copied = await openAuthority(copy);
    await expect(copied.unfence([], { nothingNewer: true })).rejects.toThrow(/rolled back/);
    await copied.close();
    // The anchor is known to the officers who end the log.
    expect(await close(service, [], "ann", "bob")).toMatchObject({
      complete: true,
      kept: { size: 3 },
      end: { size: 4 },
    });
    await one.files(1);
  });

  test("that is missing over a log stops it, until somebody vouches", async () => {
    await one.files(1);
    await one.service.close();
    rmSync(join(one.folder, "anchor"));
    const service = await one.open();
    await expect(service.intake((await one.file()).submission)).rejects.toEqual(failing("FENCED"));
    await service.unfence([], { nothingNewer: true });
    await one.files(1);
  });

  test("never goes back, whichever process writes last", async () => {
    const other = await openAuthority(one.folder);
    await one.files(1);
    const newest = readFileSync(join(one.folder, "anchor"), "utf8");
    await other.receipt(new Uint8Array(32));
    expect(readFileSync(join(one.folder, "anchor"), "utf8")).toBe(newest);
    await other.intake((await one.file()).submission);
    expect(readFileSync(join(one.folder, "anchor"), "utf8")).not.toBe(newest);
    await one.files(1);
    await other.close();
    await one.service.verifyLog();
  });

  test("is waited for where others write it, and covers what each of them shows", async () => {
    const others = [await openAuthority(one.folder), await openAuthority(one.folder)];
    const files = [];
    for (let i = 0; i < 12; i++) files.push(await one.file());
    const services = [one.service, ...others];
    const taken = await Promise.all(
      files.map(({ submission }, i) => services[i % 3]!.intake(submission)),
    );
    const sizes = taken.map((one) => Number(checkpointOf(one.receipt).split("\n")[1]));
    const anchor = Number(readFileSync(join(one.folder, "anchor"), "utf8").split("\n")[1]);
    expect(anchor).toBe(Math.max(...sizes));
    for (const other of others) await other.close();
  });
});
