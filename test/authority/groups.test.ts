import { readFileSync } from "node:fs";
import { join } from "node:path";
import { makeBlobSubmission, parseCheckpoint, parseProof, verifyProof } from "twinwrap/escrow";
import { afterEach, describe, expect, test, vi } from "vitest";
import { Anchored } from "#build/authority/anchor.js";
import { Groups, MAX_GROUP, type Outcome } from "#build/authority/groups.js";
import type { Intake } from "#build/authority/intake.js";
import type { Store, StoreWrites } from "#build/authority/store/store.js";
import { TwinwrapError } from "#build/errors.js";
import { backend } from "./backend.js";
import {
  copiesOf,
  core,
  failing,
  type Office,
  openAuthority,
  sealFor,
  storeOf,
  useOffices,
} from "./office.js";

// Submissions that come at the same time share a transaction, and nothing else.

const office = useOffices({ after: afterEach });
afterEach(() => vi.restoreAllMocks());

const checkpointsOf = async (one: Office) =>
  (await storeOf(one.service).checkpoints(0, 0, 10_000)).length;
/** Leaves of the checkpoint that a receipt leads to. */
const sizeOf = ({ receipt }: Intake) => parseCheckpoint(parseProof(receipt.proof).checkpoint).size;

/** Every receipt verifies, and was given out when the anchor covered it. */
async function check(one: Office, taken: readonly Intake[]): Promise<void> {
  for (const { receipt } of taken) {
    await verifyProof(core, receipt.leaf, receipt.proof, one.service.authority.logKeys);
  }
  expect(new Set(taken.map(({ receipt }) => receipt.leaf)).size).toBe(taken.length);
  await one.service.verifyLog();
}

const anchorOf = (one: Office) =>
  parseCheckpoint(readFileSync(join(one.folder, "anchor"), "utf8")).size;

describe("a group", () => {
  test("is all that comes in one turn, and what comes meanwhile is the next", async () => {
    const seen: number[][] = [];
    let next: Promise<number>[] = [];
    const groups: Groups<number, number> = new Groups(
      async (items) => {
        seen.push([...items]);
        if (seen.length === 1) next = [4, 5].map((item) => groups.add(item));
        await new Promise(setImmediate);
        return items.map((value) => (value === 2 ? { error: "two" } : { value: 10 * value }));
      },
      () => [],
    );
    const results = await Promise.allSettled([1, 2, 3].map((item) => groups.add(item)));
    expect(results).toEqual([
      { status: "fulfilled", value: 10 },
      { status: "rejected", reason: "two" },
      { status: "fulfilled", value: 30 },
    ]);
    expect(await Promise.all(next)).toEqual([40, 50]);
    expect(await groups.add(6)).toBe(60);
    expect(seen).toEqual([[1, 2, 3], [4, 5], [6]]);
  });

  test("has at most 256, none that shares a name, and keeps the order of those that do", async () => {
    const seen: string[][] = [];
    const work = async (items: readonly string[]): Promise<Outcome<string>[]> => {
      seen.push([...items]);
      return items.map((value) => ({ value }));
    };
    const groups = new Groups(work, (item) => item.split("+"));
    await Promise.all(["a", "b", "a+c", "c", "d", "c+b"].map((item) => groups.add(item)));
    expect(seen).toEqual([["a", "b", "d"], ["a+c"], ["c"], ["c+b"]]);
    seen.length = 0;
    await Promise.all(Array.from({ length: 600 }, (_, i) => groups.add(String(i))));
    expect(seen.map(({ length }) => length)).toEqual([MAX_GROUP, MAX_GROUP, 88]);
  });

  test("waits a moment for what is on its way, and no longer", async () => {
    const seen: number[][] = [];
    let coming = true;
    const groups: Groups<number, number> = new Groups(
      async (items) => {
        seen.push([...items]);
        return items.map((value) => ({ value }));
      },
      () => [],
      () => coming,
    );
    vi.useFakeTimers({ toFake: ["setTimeout"] });
    try {
      const first = groups.add(1);
      // Later than in the same turn.
      while (vi.getTimerCount() === 0) await new Promise(setImmediate);
      expect(seen).toEqual([]);
      const second = groups.add(2);
      vi.runAllTimers();
      await Promise.all([first, second]);
      expect(seen).toEqual([[1, 2]]);
      coming = false;
      await groups.add(3);
      expect(seen).toEqual([[1, 2], [3]]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("that fails as a whole fails for each", async () => {
    const groups = new Groups<number, number>(
      () => Promise.reject(new Error("no")),
      () => [],
    );
    const results = await Promise.allSettled([1, 2].map((item) => groups.add(item)));
    for (const result of results) expect(result).toMatchObject({ reason: { message: "no" } });
    await expect(groups.add(3)).rejects.toThrow("no");
  });
});

describe("200 intakes at once", () => {
  test("make one transaction and one look at what is due, and each has its receipt", async () => {
    const one = await office();
    const submissions = copiesOf(await one.file(), 200);
    const before = await checkpointsOf(one);
    const store = storeOf(one.service);
    const looks = vi.spyOn(store, "policies");
    const taken = await Promise.all(
      submissions.map(async (submission) => {
        const result = await one.service.intake(submission);
        expect(anchorOf(one)).toBeGreaterThanOrEqual(sizeOf(result));
        return result;
      }),
    );
    expect(looks).toHaveBeenCalledTimes(1);
    expect(await checkpointsOf(one)).toBe(before + 1);
    expect(new Set(taken.map(sizeOf)).size).toBe(1);
    await check(one, taken);
  });

  test("are verified in threads, and come in few transactions", async () => {
    const one = await office({ settings: { openers: 1 } });
    await one.unlock();
    const files = await Promise.all(Array.from({ length: 60 }, () => one.file()));
    const before = await checkpointsOf(one);
    // In one call they wait for each other.
    const taken = await one.take(...files.map(({ submission }) => submission));
    expect(await checkpointsOf(one)).toBe(before + 1);
    expect(new Set(taken.map(({ status }) => status))).toEqual(new Set(["verified"]));
    await check(one, taken);
  });

  test("at two services over one folder all come in, once each", async () => {
    const one = await office();
    const other = await openAuthority(one.folder);
    const submissions = copiesOf(await one.file(), 60);
    const taken = await Promise.all(
      submissions.flatMap((submission, i) => [
        one.service.intake(submission),
        ...(i % 2 === 0 ? [other.intake(submission)] : []),
      ]),
    );
    expect(taken.filter(({ isNew }) => isNew)).toHaveLength(60);
    expect(await one.count()).toMatchObject({ escrow: 60 });
    await other.close();
    await one.service.verifyLog();
  });
});

test("each of a group has its own result, in order", async () => {
  const one = await office({ pkcs1: true });
  const { origin } = one.service.authority;
  const [waiting, good, other] = [await one.file(), await one.file(), await one.file()];
  // As many wraps as wait for one record.
  for (let i = 1; i <= 4; i++) {
    await one.service.intake({ ...waiting.submission, tag: new Uint8Array(32).fill(i) });
  }
  const unproven = makeBlobSubmission(core, {
    authority: origin,
    owner: "olivia",
    wrap: (await one.file()).submission.wrap,
  });
  const foreign = await sealFor({ ...one.service.authority, origin: "x" });
  const renamed = {
    ...other.submission,
    record: { ...other.submission.record, owner: "oscar" },
  };
  const before = await checkpointsOf(one);
  const results = await one.service.intake([
    waiting.submission,
    good.submission,
    foreign.submission,
    unproven,
    other.submission,
    // The same record, and the same RSA block: each in a group behind.
    good.submission,
    renamed,
    { ...good.submission, tag: new Uint8Array(32) },
  ]);
  expect(results).toEqual([
    { error: failing("BACKLOG") },
    expect.objectContaining({ record: good.record, isNew: true }),
    { error: failing("WRONG_AUTHORITY") },
    { error: failing("NOT_PROVEN") },
    expect.objectContaining({ record: other.record, isNew: true }),
    expect.objectContaining({ record: good.record, isNew: false }),
    expect.objectContaining({ isNew: true }),
    expect.objectContaining({ record: good.record, isNew: false }),
  ]);
  // The last group had nothing for the log.
  expect(await checkpointsOf(one)).toBe(before + 2);
  expect(await storeOf(one.service).candidatesOf([good.record])).toEqual([
    expect.objectContaining({ length: 2 }),
  ]);
  await one.service.verifyLog();
});

/** A store that counts transactions, and in which something happens before a write. */
function meddling(before: (name: string, rows: readonly { hash?: Uint8Array }[]) => void) {
  const counted = { transactions: 0 };
  const within = (inner: Store): Store =>
    new Proxy(inner, {
      get(target, name) {
        if (name === "write") {
          return (work: (writes: StoreWrites) => Promise<unknown>) => {
            counted.transactions++;
            return target.write((writes) => work(told(writes)));
          };
        }
        const member = Reflect.get(target, name) as unknown;
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  const told = (writes: StoreWrites) =>
    new Proxy(writes, {
      get(target, name) {
        const method = Reflect.get(target, name) as unknown;
        if (typeof method !== "function") return method;
        return (...parameters: unknown[]) => {
          before(String(name), parameters[0] as never);
          return method.apply(target, parameters);
        };
      },
    });
  return { counted, within };
}

describe("a group whose transaction fails", () => {
  for (const code of ["FAULT", "CONFLICT"] as const) {
    test(`is tried again one by one, so that one record's ${code} is its own`, async () => {
      const one = await office();
      const files = await Promise.all(Array.from({ length: 5 }, () => one.file()));
      const { record: poison } = files[2]!;
      const { within } = meddling((name, rows) => {
        if (name !== "insertRecords") return;
        if (rows.some(({ hash }) => Buffer.compare(hash!, poison) === 0)) {
          throw new TwinwrapError(code, "just this one");
        }
      });
      const service = await openAuthority(one.folder, {}, within);
      const results = await Promise.allSettled(
        files.map(({ submission }) => service.intake(submission)),
      );
      for (const [i, result] of results.entries()) {
        if (i === 2) expect(result).toMatchObject({ reason: failing(code) });
        else expect(result).toMatchObject({ value: { isNew: true } });
      }
      await service.close();
      expect(await one.count()).toMatchObject({ escrow: 4 });
      await one.service.verifyLog();
    });
  }

  test("because the store is gone is not tried again for each", async () => {
    const one = await office();
    const files = await Promise.all(Array.from({ length: 5 }, () => one.file()));
    const { counted, within } = meddling((name) => {
      if (name === "extendLog") throw new TwinwrapError("UNAVAILABLE", "the disk is full");
    });
    const service = await openAuthority(one.folder, {}, within);
    const covered = vi.spyOn(Anchored.prototype, "cover");
    const results = await service.intake(files.map(({ submission }) => submission));
    expect(results).toEqual(files.map(() => ({ error: failing("UNAVAILABLE") })));
    // Nor does the anchor follow what nobody is shown.
    expect(covered).not.toHaveBeenCalled();
    expect(counted.transactions).toBe(1);
    await service.close();
  });

  test("and then goes while its items are tried, fails for the rest at once", async () => {
    const one = await office();
    const files = await Promise.all(Array.from({ length: 5 }, () => one.file()));
    let writes = 0;
    const { counted, within } = meddling((name) => {
      if (name !== "extendLog") return;
      writes++;
      if (writes === 1) throw new Error("a defect");
      if (writes === 3) throw new TwinwrapError("UNAVAILABLE", "the disk is full");
    });
    const service = await openAuthority(one.folder, {}, within);
    const results = await service.intake(files.map(({ submission }) => submission));
    expect(results).toEqual([
      expect.objectContaining({ isNew: true }),
      ...files.slice(1).map(() => ({ error: failing("UNAVAILABLE") })),
    ]);
    expect(counted.transactions).toBe(3);
    await service.close();
    expect(await one.count()).toMatchObject({ escrow: 1 });
  });

  test("before it comes to its records fails for all", async () => {
    const one = await office({ sign: false });
    const files = await Promise.all(Array.from({ length: 3 }, () => one.file()));
    const { counted, within } = meddling(() => {});
    const service = await openAuthority(one.folder, {}, within);
    const results = await service.intake(files.map(({ submission }) => submission));
    expect(results).toEqual(files.map(() => ({ error: failing("NO_POLICY") })));
    expect(counted.transactions).toBe(1);
    await service.close();
  });
});

test("a record whose leaf was altered keeps no other from its receipt", async () => {
  const one = await office();
  const [spoilt, present] = await one.files(2);
  const leaf = (await storeOf(one.service).record(spoilt!.record))!.escrowLeaf!;
  await backend.alter(one.folder, ["UPDATE leaves SET text = 'x' || text WHERE leaf = ?", leaf]);
  const fresh = await one.file();
  expect(
    await one.service.intake([spoilt!.submission, present!.submission, fresh.submission]),
  ).toEqual([
    { error: failing("FAULT") },
    expect.objectContaining({ isNew: false }),
    expect.objectContaining({ isNew: true }),
  ]);
});

describe("closing", () => {
  test("finishes what was accepted, and takes nothing more", async () => {
    const one = await office({ settings: { openers: 1 } });
    await one.unlock();
    const files = await Promise.all(Array.from({ length: 20 }, () => one.file()));
    const [late, ...early] = files.map(({ submission }) => submission);
    const taken = Promise.all(early.map((submission) => one.service.intake(submission)));
    const closed = one.service.close();
    await expect(one.service.intake(late!)).rejects.toEqual(failing("DISPOSED"));
    for (const { status } of await taken) expect(status).toBe("verified");
    await closed;
    await one.open();
    expect(await one.count()).toMatchObject({ verified: 19 });
  });
});
