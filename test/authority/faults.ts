import { readFileSync } from "node:fs";
import { join } from "node:path";
import { encodeReceipt, encodeRelease, makeRequest, signApproval, signNote } from "twinwrap/escrow";
import { afterAll, expect, test } from "vitest";
import { readAuthority } from "#build/authority/directory.js";
import { openFolderStore } from "#build/authority/folder-store.js";
import { AuthorityService } from "#build/authority/service.js";
import type { Store, StoreWrites } from "#build/authority/store/store.js";
import { SeedKey } from "../escrow/signers.js";
import { allTaken, core, newOwner, Office, type TestFile } from "./office.js";

// Every write of the store fails once: nothing of its transaction is left, and the same call made
// again does what it would have done.

const made: Office[] = [];
afterAll(async () => {
  for (const office of made) await office.remove();
});

export class Broken extends Error {}

/** A store of which one write, counted from 1, fails; "commit" counts as a write too. */
class FailingStore {
  failAt = 0;
  writes = 0;
  readonly store: Store;

  constructor(inner: Store) {
    const step = () => {
      if (++this.writes === this.failAt) throw new Broken(`write ${this.failAt}`);
    };
    const failing = (writes: StoreWrites) =>
      new Proxy(writes, {
        get(target, name) {
          const method = Reflect.get(target, name) as unknown;
          if (typeof method !== "function") return method;
          return (...parameters: unknown[]) => {
            const isWrite = /^(set|extend|insert|update|add|keep|drop|put)/.test(String(name));
            if (isWrite) step();
            return method.apply(target, parameters);
          };
        },
      });
    this.store = new Proxy(inner, {
      get(target, name) {
        if (name === "write") {
          return (work: (writes: StoreWrites) => Promise<unknown>) =>
            target.write(async (writes) => {
              const result = await work(failing(writes));
              step();
              return result;
            });
        }
        const member = Reflect.get(target, name) as unknown;
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  }
}

/** Does all there is to do; what fails with Broken is done again. Answers what was given out. */
export async function everything(office: Office, service: AuthorityService, files: TestFile[]) {
  const again = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      return work();
    }
  };
  const [first, second, third] = files as [TestFile, TestFile, TestFile];
  const draft = (await service.policies())[0]!.row.note;
  for (const name of office.officers.keys()) {
    const text = `${draft.split("\n\n")[0]}\n`;
    const note = await signNote(core, text, office.officers.get(name)!);
    await again(() => service.takePolicy(note));
  }
  // What fails for two at once is tried again for each.
  const both = [first.submission, second.submission];
  const unverified = await again(async () => allTaken(await service.intake(both)));
  expect(await service.unlock()).toBe(true);
  await again(() => service.verifyWaiting());
  const verified = await again(() => service.intake(third.submission));
  const request = makeRequest({
    authority: service.authority.origin,
    requester: "Olivia",
    recipient: newOwner.publicKey,
    records: files.map(({ record }) => record),
  });
  const { id } = await again(() => service.takeRequest(request));
  const { hash } = (await service.policy())!;
  for (const [name, decision] of [
    ["cyd", "deny"],
    ["ann", "approve"],
    ["bob", "approve"],
  ] as const) {
    const signer = office.officers.get(name)!;
    const note = await signApproval(core, signer, request, hash, { decision, identity: "met" });
    await again(() => service.takeApproval(note));
  }
  const release = await again(() => service.release(id));
  return { receipts: [...unverified, verified], release, id };
}

/** Does everything with a store, and looks at the result as another process that nothing was broken for. */
export async function runOn(
  openStore: (office: Office) => Promise<Store>,
): Promise<{ leaves: string[] }> {
  const office = await Office.make({ sign: false, passphrase: undefined });
  made.push(office);
  const { authority } = await readAuthority(office.folder);
  const logKey = await SeedKey.read(readFileSync(join(office.folder, "log.pem")));
  const files = [await office.file(), await office.file(), await office.file()];
  const service = await AuthorityService.start({
    core,
    store: await openStore(office),
    logSigner: logKey.signer(authority.origin),
    readWrapKeys: async () => [
      { name: "wrap.pem", pem: new Uint8Array(readFileSync(join(office.folder, "wrap.pem"))) },
    ],
    publish: async () => {},
  });
  const { receipts, release, id } = await everything(office, service, files);
  // An audit whose connection is lost is begun again by whoever asked for it.
  await service.verifyLog().catch((error) => {
    expect(error).toMatchObject({ code: "UNAVAILABLE" });
    return service.verifyLog();
  });
  const { service: other } = office;
  for (const { record, receipt, status } of receipts) {
    const now = (await other.receipt(record))!;
    if (status === "verified") expect(encodeReceipt(now)).toEqual(encodeReceipt(receipt));
    expect(await office.leaves()).toContain(receipt.leaf);
  }
  expect(encodeRelease((await other.released(id))!)).toEqual(encodeRelease(release));
  expect(release.releases).toHaveLength(3);
  await other.verifyLog();
  const leaves = (await office.leaves()).map((leaf) => /^type (.*)$/m.exec(leaf)![1]!);
  await service.close();
  await office.remove();
  return { leaves };
}

async function run(failAt: number): Promise<{ failing: FailingStore; leaves: string[] }> {
  let failing: FailingStore | undefined;
  const { leaves } = await runOn(async ({ folder }) => {
    failing = new FailingStore(await openFolderStore(folder, { create: false }));
    failing.failAt = failAt;
    return failing.store;
  });
  return { failing: failing!, leaves };
}

/** The log of a run, in order. */
export const LEAVES = [
  ...["authority", "policy", "escrow", "escrow", "verified", "verified", "verified"],
  ...["request", "denial", "release", "release", "release"],
];

/** Makes the test, of each `step`-th write. */
export function failWrites(step: number): void {
  test(`every write of the store may fail once${step === 1 ? "" : `, one in ${step}`}`, async () => {
    const whole = await run(0);
    expect(whole.leaves).toEqual(LEAVES);
    expect(whole.failing.writes).toBeGreaterThan(40);
    for (let failAt = 1; failAt <= whole.failing.writes; failAt += step) {
      const { failing, leaves } = await run(failAt);
      expect(failing.writes, `write ${failAt}`).toBeGreaterThan(failAt);
      expect(leaves, `write ${failAt}`).toEqual(whole.leaves);
    }
  });
}
