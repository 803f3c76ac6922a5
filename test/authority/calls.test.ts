import crypto from "node:crypto";
import { readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { openFolderStore } from "#build/authority/folder-store.js";
import type { OperatorSettings } from "#build/authority/office.js";
import type { PolicyState } from "#build/authority/policies.js";
import { AuthorityService } from "#build/authority/service.js";
import type { Store } from "#build/authority/store/store.js";
import { SeedKey } from "../escrow/signers.js";
import { allTaken, copiesOf, core, Office, PASSPHRASE, withStore } from "./office.js";

// What work costs in calls of the store: elsewhere each is a way to a server and back.

const made: Office[] = [];
afterAll(async () => {
  for (const office of made) await office.remove();
});

/** Tells of every call that asks for something or writes something. */
function told<T extends object>(target: T, tell: (name: string) => void): T {
  return new Proxy(target, {
    get(of, name) {
      const method = Reflect.get(of, name) as unknown;
      if (typeof method !== "function") return method;
      return (...parameters: unknown[]) => {
        const isEmpty = Array.isArray(parameters[0]) && parameters[0].length === 0;
        if (!isEmpty) tell(String(name));
        return method.apply(of, parameters);
      };
    },
  });
}

class Counted {
  /** The calls of each transaction, the last one last. */
  readonly transactions: string[][] = [];
  /** Those outside of all. */
  readonly others: string[] = [];
  readonly store: Store;

  constructor(inner: Store) {
    const counted = told(inner, (name) => this.others.push(name));
    this.store = new Proxy(counted, {
      get: (target, name) => {
        if (name !== "write") return Reflect.get(target, name) as unknown;
        const write: Store["write"] = (work) =>
          inner.write((writes) => {
            const calls: string[] = [];
            this.transactions.push(calls);
            return work(told(writes, (call) => calls.push(call)));
          });
        return write;
      },
    });
  }
}

/** An authority whose calls are counted, beside the service of the tests. */
async function counted(settings: OperatorSettings = {}) {
  const office = await Office.make({ settings });
  made.push(office);
  const logKey = await SeedKey.read(readFileSync(join(office.folder, "log.pem")));
  const calls = new Counted(await openFolderStore(office.folder, { create: false }));
  const service = await AuthorityService.start({
    core,
    store: calls.store,
    logSigner: logKey.signer(office.service.authority.origin),
    readWrapKeys: async () => [
      { name: "wrap.pem", pem: new Uint8Array(readFileSync(join(office.folder, "wrap.pem"))) },
    ],
    publish: async () => {},
    settings,
  });
  await office.service.close();
  office.service = withStore(service, calls.store);
  return { office, service, calls };
}

const BEGIN = ["setting", "head", "checkpoints", "leavesAt"];
/** The policy in force. */
const POLICY = ["notesVersion", "leavesAt"];
/** A request and what belongs to it. */
const ASKED = ["leavesAt", "recordsByHash", "vetoes"];

test("a group of intakes takes as many calls for 256 records as for one", async () => {
  const { office, service, calls } = await counted();
  const next = [
    ...BEGIN,
    "recordsByHash",
    "ownerSecrets",
    "nodes",
    "extendLog",
    "insertOwners",
    "insertRecords",
    "addCandidates",
  ];
  const [one, many] = [await office.file(), await office.file()];
  await service.intake(one.submission);
  expect(calls.transactions.at(-1)).toEqual([...POLICY, ...next]);
  calls.others.length = 0;
  allTaken(await service.intake(copiesOf(many, 256)));
  expect(calls.transactions).toHaveLength(2);
  expect(calls.transactions.at(-1)).toEqual(
    [...POLICY, ...next].filter((name) => name !== "insertOwners"),
  );
  // What others brought into force, when each is checked and when the group begins; what is due; the receipts.
  const noted = ["notesVersion", "notesVersion"];
  expect(calls.others).toEqual([...noted, "policies", "leavesAt", "checkpointOf", "nodes"]);
  // What is there already is only looked up.
  allTaken(await service.intake(copiesOf(many, 256)));
  expect(calls.transactions.at(-1)).toEqual([...POLICY, ...BEGIN, "recordsByHash", "candidatesOf"]);
});

test("a receipt takes three calls once its checkpoint was shown", async () => {
  const { office, service, calls } = await counted();
  const file = await office.file();
  const { receipt } = await service.intake(file.submission);
  calls.others.length = 0;
  expect(await service.newestReceipt(file.record)).toEqual(receipt);
  expect(calls.others).toEqual(["notesAndSetting", "recordLeaf", "nodes"]);
  expect(await service.receipt(file.record)).toEqual(receipt);
  expect(await service.newestReceipt(new Uint8Array(32))).toBeUndefined();
});

test("opening what waited takes the same number for each batch", async () => {
  const { office, service, calls } = await counted();
  const [right, wrong] = [await office.file(), await office.file()];
  await office.take(
    right.submission,
    { ...wrong.submission, tag: right.submission.tag },
    ...copiesOf(right, 10),
  );
  await office.unlock();
  await service.verifyWaiting();
  expect(calls.transactions.at(-1)).toEqual([
    "recordsByHash",
    ...BEGIN,
    "ownerSecrets",
    "nodes",
    "extendLog",
    "updateRecords",
    "keepCandidates",
    "dropCandidates",
  ]);
});

test("an approval reads once what it is decided from", async () => {
  const { office, service, calls } = await counted();
  const { request } = await office.asked(await office.files(3));
  const standing = ["request", "approvals", ...POLICY, ...ASKED];
  await service.takeApproval(await office.word("ann", request));
  expect(calls.transactions.at(-1)).toEqual([...standing, "setting", "insertApproval", "addEvent"]);
  await service.takeApproval(await office.word("bob", request, { decision: "deny" }));
  const written = ["nodes", "extendLog", "insertApproval", "addEvent"];
  const denial = [...standing, "setting", ...BEGIN, ...written];
  expect(calls.transactions.at(-1)).toEqual(denial);
  await service.takeApproval(await office.word("cyd", request, { decision: "deny" }));
  expect(calls.transactions.at(-1)).toEqual([...denial, "setRequestStatus"]);
});

test("a release of 1,000 records takes 19 calls in its transaction", async () => {
  const { office, service, calls } = await counted();
  // Never opened before, so each gets a leaf of type verified too.
  const records = await office.files(1000);
  await service.unlock(PASSPHRASE);
  const { request, id } = await office.asked(records);
  await office.approve(request, "ann", "bob");
  calls.others.length = 0;
  const { releases } = await service.release(id);
  expect(releases).toHaveLength(1000);
  const standing = ["requestById", "approvals", ...POLICY, ...ASKED];
  const transaction = [
    ...BEGIN,
    ...standing,
    "ownerSecrets",
    "nodes",
    "extendLog",
    "updateRecords",
    "keepCandidates",
    "insertReleases",
    "setRequestStatus",
    "addEvent",
  ];
  expect(transaction).toHaveLength(19);
  expect(calls.transactions.at(-1)).toEqual(transaction);
  const proofs = ["requestById", "releases", "leavesAt", "checkpointOf", "nodes"];
  expect(calls.others).toEqual([
    ...["notesVersion", "policies", "requestById", "releases"],
    ...standing,
    "candidatesOf",
    ...proofs,
  ]);
  expect(await office.count()).toMatchObject({ verified: 1000, release: 1000 });
});

test("a policy's signatures are verified once in a process, however often they are read", async () => {
  const office = await Office.make();
  made.push(office);
  await office.unlock();
  const files = await office.files(2);
  const { request, id } = await office.asked(files);
  await office.approve(request, "ann", "bob");
  await office.service.close();
  const verified = vi.spyOn(crypto, "verify");
  syncBuiltinESMExports();
  const service = await office.open();
  await service.unlock(PASSPHRASE);
  const [{ row, signatures }] = (await service.policies()) as [PolicyState];
  const { note: policy } = row;
  const officers = [...office.officers.keys()];
  expect(signatures).toMatchObject({ log: true, officers, needed: 3, complete: true });
  await service.standing(id);
  await service.release(id);
  await service.verifyLog();
  await service.standing(id);
  const text = policy.slice(0, policy.indexOf("\n\n") + 1);
  const ofPolicy = verified.mock.calls.filter(([, message]) =>
    Buffer.from(message as Uint8Array).equals(Buffer.from(text)),
  );
  expect(ofPolicy).toHaveLength(0);
  verified.mockRestore();
  syncBuiltinESMExports();
});
