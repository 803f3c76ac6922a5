import { readdirSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import workerThreads, { Worker } from "node:worker_threads";
import { encodeRecord } from "twinwrap/escrow";
import { readPrivateKey } from "twinwrap/keys";
import { afterEach, describe, expect, test, vi } from "vitest";
import { OpenerThreads } from "#build/authority/opener-threads.js";
import { openersOf } from "#build/authority/openers.js";
import {
  copiesOf,
  core,
  failing,
  newOwner,
  owner,
  PASSPHRASE,
  unwrap,
  useOffices,
} from "./office.js";

// Threads that hold the authority's RSA keys: the same as in one thread, and nothing secret on the way.

const office = useOffices({ after: afterEach });
afterEach(() => vi.restoreAllMocks());

/** Every byte that a message carries, also what its buffers hold beside it. */
function bytesIn(message: unknown, seen = new Set<unknown>()): Buffer[] {
  if (typeof message === "string") return [Buffer.from(message)];
  if (typeof message !== "object" || message === null || seen.has(message)) return [];
  seen.add(message);
  if (ArrayBuffer.isView(message)) return [Buffer.from(message.buffer)];
  return Object.values(message).flatMap((value) => bytesIn(value, seen));
}

/**
 * What passes between this thread and others from now on.
 * @param onTask is told of each task, once it is on its way
 */
function messages(onTask = (_kind: string, _worker: Worker) => {}) {
  const all: { worker: Worker; to: "thread" | "us"; message: Record<string, unknown> }[] = [];
  const { postMessage, emit } = Worker.prototype;
  vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker, ...given) {
    // As it is before its buffers are gone.
    all.push({ worker: this, to: "thread", message: structuredClone(given[0]) });
    postMessage.apply(this, given as Parameters<typeof postMessage>);
    for (const kind of Object.keys((all.at(-1)!.message.task as object) ?? {})) onTask(kind, this);
  });
  vi.spyOn(Worker.prototype, "emit").mockImplementation(function (this: Worker, ...given) {
    if (String(given[0]) === "message") {
      all.push({ worker: this, to: "us", message: given[1] as Record<string, unknown> });
    }
    return emit.apply(this, given as Parameters<typeof emit>);
  } as typeof emit);
  const tasks = (kind: string) =>
    all.filter(({ message: { task } }) => task !== undefined && kind in (task as object));
  return {
    all,
    tasks,
    workers: () => [...new Set(all.map(({ worker }) => worker))],
    holds: (secret: Uint8Array) =>
      all.some(({ message }) =>
        bytesIn(message).some((bytes) => bytes.includes(Buffer.from(secret))),
      ),
  };
}

test("keys in threads do what keys in this thread do, and no message holds a session key", async () => {
  const one = await office({ settings: { openers: 2 } });
  const waiting = await one.files(2);
  const wrong = await one.file();
  await one.service.intake({ ...wrong.submission, tag: new Uint8Array(32) });
  const sent = messages();
  await one.unlock();
  // Each has its own copy of the key.
  expect(sent.tasks("add")).toHaveLength(2);
  expect(new Set(sent.tasks("add").map(({ worker }) => worker)).size).toBe(2);
  expect(await one.service.verifyWaiting()).toEqual({ verified: 2, failed: [wrong.record] });
  const fresh = await one.files(2);
  const files = [...waiting, ...fresh];
  expect(await one.count()).toMatchObject({ escrow: 3, verified: 4 });
  expect(await one.service.verifyAll()).toMatchObject({ right: 4, locked: [] });
  const { request, id } = await one.asked(files);
  await one.approve(request, "ann", "bob");
  const { releases } = await one.service.release(id);
  expect(releases).toHaveLength(4);
  for (const { record, wrap } of releases) {
    const file = files.find((other) => Buffer.compare(other.record, record) === 0)!;
    expect(unwrap(wrap, newOwner.node.privateKey)).toEqual(file.sessionKey);
  }
  expect(sent.tasks("release")).toHaveLength(4);
  for (const { sessionKey } of [...files, wrong]) expect(sent.holds(sessionKey)).toBe(false);
  expect(sent.holds(Buffer.from(PASSPHRASE))).toBe(false);
  // What must be there is found: the spy looks at the bytes.
  expect(sent.holds(fresh[0]!.submission.wrap.simpleBlob)).toBe(true);
  await one.service.verifyLog();
});

test("whatever is wrong with a wrap, the error is the same as in this thread", async () => {
  const one = await office({ settings: { openers: 1 } });
  await one.unlock();
  const [a, b] = [await one.file(), await one.file()];
  const blob = a.submission.wrap.simpleBlob.slice();
  blob[40]! ^= 1;
  const wrong = [
    { ...a.submission, wrap: { ...a.submission.wrap, simpleBlob: blob } },
    { ...a.submission, wrap: b.submission.wrap },
    { ...a.submission, tag: b.submission.tag },
    { ...a.submission, tag: new Uint8Array(32) },
  ];
  const said = async (service: typeof one.service) => {
    const results = await Promise.allSettled(wrong.map((each) => service.intake(each)));
    return results.map((result) => {
      const { code, message } = (result as PromiseRejectedResult).reason;
      return `${code}: ${message}`;
    });
  };
  const there = await said(one.service);
  expect(new Set(there).size).toBe(1);
  expect(there[0]).toMatch(/^DECRYPTION_FAILED: /);
  expect(await one.elsewhere({}, said)).toEqual(there);
});

test("all threads have something to do while everything is opened", async () => {
  const one = await office({ settings: { openers: 2 } });
  await one.take(...copiesOf(await one.file(), 150));
  await one.unlock();
  const sent = messages();
  const { failed } = await one.service.verifyWaiting();
  expect(failed).toHaveLength(150);
  const shares = sent.workers().map((worker) => {
    return sent.tasks("check").filter((one) => one.worker === worker).length;
  });
  expect(shares).toHaveLength(2);
  // However fast they are: what is asked first is dealt out evenly.
  for (const share of shares) expect(share).toBeGreaterThanOrEqual(32);
});

/** Ends the thread that is given the first wraps, at that moment. @returns whether there was one */
function killAtCheck(): () => boolean {
  let killed: Worker | undefined;
  messages((kind, worker) => {
    if (kind !== "check" || killed !== undefined) return;
    killed = worker;
    void worker.terminate();
  });
  return () => killed !== undefined;
}

describe("a thread that is lost", () => {
  test("has its work done by another", async () => {
    const one = await office({ settings: { openers: 2 } });
    const killed = killAtCheck();
    await one.unlock();
    const files = await Promise.all(Array.from({ length: 12 }, () => one.file()));
    const taken = files.map(({ submission }) => one.service.intake(submission));
    for (const one of await Promise.all(taken)) expect(one.status).toBe("verified");
    expect(killed()).toBe(true);
    expect(one.service.isUnlocked).toBe(true);
  });

  test("if it was the last, fails its work and takes the key along, until it is unlocked again", async () => {
    const one = await office({ settings: { openers: 1 } });
    const killed = killAtCheck();
    await one.unlock();
    // More than a thread has at a time.
    const files = await Promise.all(Array.from({ length: 40 }, () => one.file()));
    const taken = await Promise.allSettled(
      files.map(({ submission }) => one.service.intake(submission)),
    );
    expect(killed()).toBe(true);
    for (const result of taken) {
      if (result.status === "rejected") expect(result.reason).toEqual(failing("UNAVAILABLE"));
    }
    expect(taken.at(-1)!.status).toBe("rejected");
    expect(one.service.isUnlocked).toBe(false);
    await expect(one.service.verifyAll()).rejects.toEqual(failing("PASSPHRASE_NEEDED"));
    const { submission } = files.at(-1)!;
    expect(await one.service.intake(submission)).toMatchObject({ status: "unverified" });
    await one.unlock();
    expect(await one.service.intake(submission)).toMatchObject({ status: "verified" });
    await one.service.verifyLog();
  });

  test("if none can be started, leaves the key locked, and this thread opens nothing", async () => {
    const one = await office({ settings: { openers: 2 } });
    const { Worker: real } = workerThreads;
    workerThreads.Worker = class {
      constructor() {
        throw new Error("no more threads");
      }
    } as never;
    syncBuiltinESMExports();
    try {
      await expect(one.service.unlock(PASSPHRASE)).rejects.toEqual(failing("UNAVAILABLE"));
    } finally {
      workerThreads.Worker = real;
      syncBuiltinESMExports();
    }
    expect(one.service.isUnlocked).toBe(false);
    await one.unlock();
    expect(await one.service.intake((await one.file()).submission)).toMatchObject({
      status: "verified",
    });
  });
});

test("a key is wiped here once the threads have it, and there at the end", async () => {
  const one = await office({ settings: { openers: 1 } });
  const add = vi.spyOn(OpenerThreads.prototype, "add");
  const sent = messages();
  await one.unlock();
  const [, key] = add.mock.calls[0]!;
  const { d, p, q } = key;
  for (const number of [d, p, q]) expect(number.every((byte) => byte === 0)).toBe(true);
  const [worker] = sent.workers();
  const codes: number[] = [];
  worker!.on("exit", (code) => codes.push(code));
  await one.service.close();
  expect(sent.all.at(-1)!.message).toEqual({ end: true });
  expect(codes).toEqual([0]);
  await one.open();
});

/** A key that is no authority's. */
const ownerKey = () =>
  readPrivateKey(owner.node.privateKey.export({ type: "pkcs8", format: "der" }), { core });

test("what is no record is an error, and the thread goes on", async () => {
  const key = await ownerKey();
  const kinds = [{}, { openers: 1 }, { rsa: "native" }, { openers: 1, rsa: "native" }] as const;
  for (const openers of await Promise.all(kinds.map((kind) => openersOf(core, kind)))) {
    await openers.add("00", key);
    const junk = new Uint8Array(9);
    await expect(openers.check(junk, [])).rejects.toEqual(failing("BAD_FORMAT"));
    await expect(openers.check(undefined as never, [])).rejects.toThrow(/./);
    await expect(openers.check(junk, [])).rejects.toEqual(failing("BAD_FORMAT"));
    await expect(openers.add("01", { ...key, p: key.q })).rejects.toEqual(failing("BAD_KEY"));
    expect([...openers.keys]).toEqual(["00"]);
    await openers.close();
    await expect(openers.check(junk, [])).rejects.toEqual(failing("DISPOSED"));
  }
});

test("threads start from the bundled command line as well", async () => {
  const folder = fileURLToPath(new URL("../../build/bin/", import.meta.url));
  const name = readdirSync(folder).find((each) => each.startsWith("opener-threads-"))!;
  const bundled = (await import(join(folder, name))) as { OpenerThreads: typeof OpenerThreads };
  const one = await office();
  const { record, tag, wrap } = (await one.file()).submission;
  const openers = new bundled.OpenerThreads(core, 1);
  await openers.add("00", await ownerKey());
  const tried = await openers.check(encodeRecord(record), [{ tag, wrap }]);
  expect(tried).toEqual({ right: undefined, wrong: [], untried: [0] });
  await openers.close();
});
