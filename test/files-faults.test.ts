import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { system } from "#build/calls.node.js";
import { makeFolderWhole, writeFilesWhole, writeFileWhole } from "#build/files.node.js";

// Every call of the system fails once, and every call is the last one before the process is killed: what is
// told is true, and what is left can be used.

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "twinwrap-faults-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Call = keyof typeof system;
const real = { ...system };
afterEach(() => Object.assign(system, real));

/** Lets a call of the system, counted from 1, do something else; answers how many there were. */
async function intercept(
  work: () => Promise<unknown>,
  instead: (call: Call, count: number) => void,
): Promise<{ calls: Call[]; error: unknown }> {
  const calls: Call[] = [];
  for (const name of Object.keys(real) as Call[]) {
    const call = real[name] as (...parameters: unknown[]) => unknown;
    const isAsync = ["open", "close", "read", "write", "fsync"].includes(name);
    const replacement = (...parameters: unknown[]) => {
      calls.push(name);
      try {
        instead(name, calls.length);
      } catch (error) {
        if (isAsync) return Promise.reject(error);
        throw error;
      }
      return call(...parameters);
    };
    Object.assign(system, { [name]: replacement });
  }
  try {
    await work();
    return { calls, error: undefined };
  } catch (error) {
    return { calls, error };
  } finally {
    Object.assign(system, real);
  }
}

const failure = (code: string) => Object.assign(new Error(code), { code, syscall: "some" });

/** What there is, temporaries left out. */
function state(): Record<string, string> {
  const names = readdirSync(folder).filter((name) => !name.startsWith(".twinwrap-"));
  return Object.fromEntries(
    names.sort().map((name) => [name, readFileSync(join(folder, name), "utf8")]),
  );
}

const leftovers = () => readdirSync(folder).filter((name) => name.startsWith(".twinwrap-"));

function begin(before: Record<string, string>): void {
  rmSync(folder, { recursive: true });
  folder = mkdtempSync(join(tmpdir(), "twinwrap-faults-"));
  for (const [name, content] of Object.entries(before)) writeFileSync(join(folder, name), content);
}

const pair = (force: boolean) => () =>
  writeFilesWhole(
    ["key", "pub"].map((name) => ({
      path: join(folder, name),
      content: [Buffer.from(`new ${name}`)],
      force,
    })),
  );
const NEW = { key: "new key", pub: "new pub" };
const OLD = { key: "old key", pub: "old pub" };

const jobs: [string, Record<string, string>, () => Promise<unknown>, Record<string, string>][] = [
  [
    "one new file",
    {},
    () => writeFileWhole(join(folder, "key"), [Buffer.from("new key")]),
    { key: "new key" },
  ],
  [
    "one file that is replaced",
    { key: "old key" },
    () => writeFileWhole(join(folder, "key"), [Buffer.from("new key")], { force: true }),
    { key: "new key" },
  ],
  ["a new pair", {}, pair(false), NEW],
  ["a pair that is replaced", OLD, pair(true), NEW],
  ["a pair of which the second is left", { pub: "old pub" }, pair(true), NEW],
];

test.each(jobs)(
  "%s, and every call fails once: all or nothing, and it is told",
  async (_, before, job, after) => {
    begin(before);
    const { calls, error } = await intercept(job, () => {});
    expect([error, state(), leftovers()]).toEqual([undefined, after, []]);
    expect(calls).toEqual(expect.arrayContaining(["openSync", "writeSync", "fsync", "closeSync"]));
    for (const code of ["EIO", "ENOSPC"]) {
      for (let at = 1; at <= calls.length; at++) {
        begin(before);
        const failed = await intercept(job, (_call, count) => {
          if (count === at) throw failure(code);
        });
        const where = `${calls[at - 1]}, call ${at}, ${code}`;
        // A folder that fails to be synced is told though all is written; then the error says that.
        const isWritten =
          failed.error === undefined || /was written, but the disk/.test(String(failed.error));
        expect({ where, state: state() }).toEqual({ where, state: isWritten ? after : before });
        // What can't be removed is removed by the next run.
        const isCleaning = calls[at - 1] === "rmSync" || calls[at - 1] === "unlinkSync";
        if (!isCleaning) expect({ where, left: leftovers() }).toEqual({ where, left: [] });
        // Only without these is nothing lost.
        if (failed.error === undefined) {
          expect({ where, harmless: ["linkSync", "rmSync", "unlinkSync"] }).toEqual({
            where,
            harmless: expect.arrayContaining([calls[at - 1]]),
          });
        }
      }
    }
  },
);

test.each(jobs)(
  "%s, killed at every call: never two that do not belong together",
  async (_, before, job, after) => {
    begin(before);
    const { calls } = await intercept(job, () => {});
    expect(calls.length).toBeGreaterThan(5);
    const firsts = [before.key, after.key];
    for (let at = 1; at <= calls.length; at++) {
      begin(before);
      await intercept(job, (_call, count) => {
        // Nothing that it would clean up happens either.
        if (count >= at) throw failure("killed");
      });
      const where = `${calls[at - 1]}, call ${at}`;
      const { key, pub } = state();
      expect({ where, key: firsts.includes(key) }).toEqual({ where, key: true });
      const fits =
        key === undefined ? [undefined, before.pub] : [undefined, key.replace("key", "pub")];
      expect({ where, key, pub: fits.includes(pub) }).toEqual({ where, key, pub: true });
      if (before.key !== undefined)
        expect({ where, isThere: key !== undefined }).toEqual({ where, isThere: true });
    }
  },
);

test("a disk that fails to keep a folder is told; one that has no such thing is not", async () => {
  const path = join(folder, "file");
  const folderSync = async (code: string) => {
    rmSync(path, { force: true });
    let syncs = 0;
    return intercept(
      () => writeFileWhole(path, [Buffer.from("x")]),
      (call) => {
        if (call === "fsync" && ++syncs === 2) throw failure(code);
      },
    );
  };
  expect((await folderSync("EIO")).error).toMatchObject({
    code: "UNAVAILABLE",
    message: expect.stringMatching(
      /file was written, but the disk failed to keep its folder \(EIO\)/,
    ),
  });
  for (const code of ["EINVAL", "EISDIR", "ENOTSUP"]) {
    expect((await folderSync(code)).error).toBeUndefined();
  }
});

test("files that get their names together share a sync of their folder, which begins after that; a failed one is told to all", async () => {
  const { linkSync, fsync, openSync } = system;
  const folders = new Set<number>();
  const events: string[] = [];
  system.openSync = (path, ...rest) => {
    const descriptor = openSync(path, ...rest);
    if (path === folder) folders.add(descriptor);
    return descriptor;
  };
  system.linkSync = (from, to) => {
    linkSync(from, to);
    events.push(basename(String(to)));
  };
  let fails = false;
  system.fsync = (async (descriptor: number) => {
    if (!folders.delete(descriptor)) return fsync(descriptor);
    events.push("sync");
    // Others get their names while this one is at work: they need another.
    await new Promise(setImmediate);
    if (fails) throw failure("EIO");
    await fsync(descriptor);
    events.push("synced");
  }) as typeof fsync;
  const write = async (i: number) => {
    await writeFileWhole(join(folder, `file${i}`), [Buffer.from("x")]);
    // A sync that began after this file had its name has ended.
    const begun = events.indexOf("sync", events.indexOf(`file${i}`));
    expect(begun).toBeGreaterThan(-1);
    expect(events.indexOf("synced", begun)).toBeGreaterThan(-1);
  };
  const many = Array.from({ length: 40 }, (_, i) => i);
  await Promise.all(many.map(write));
  expect(events.filter((one) => one === "sync").length).toBeLessThan(40);
  fails = true;
  const failed = await Promise.allSettled(
    many.map((i) => writeFileWhole(join(folder, `other${i}`), [Buffer.from("x")])),
  );
  expect(failed.map(({ status }) => status)).toEqual(many.map(() => "rejected"));
});

test("what reads back otherwise was not written", async () => {
  const path = join(folder, "file");
  const flip = <Count>(count: Count, ...[, into]: unknown[]): Count => {
    (into as Uint8Array)[0]! ^= 1;
    return count;
  };
  const { read, readSync } = system as unknown as {
    read: (...parameters: unknown[]) => Promise<number>;
    readSync: (...parameters: unknown[]) => number;
  };
  // Small files are read at once, large ones are waited for.
  for (const length of [7, 1 << 20]) {
    Object.assign(system, {
      read: async (...parameters: unknown[]) => flip(await read(...parameters), ...parameters),
      readSync: (...parameters: unknown[]) => flip(readSync(...parameters), ...parameters),
    });
    await expect(writeFileWhole(path, [Buffer.alloc(length, "x")])).rejects.toMatchObject({
      code: "FAULT",
    });
    Object.assign(system, real);
  }
  const check = () => {
    throw new Error("not what its reader takes");
  };
  await expect(writeFileWhole(path, [Buffer.from("x")], { check })).rejects.toThrow("its reader");
  expect(readdirSync(folder)).toEqual([]);
});

test("every file of a folder is on disk before the folder has its name", async () => {
  const synced = new Set<number>();
  const { fsync, fstatSync, renameSync } = system;
  let before: number[] = [];
  system.fsync = (async (descriptor: number) => {
    synced.add(fstatSync(descriptor).ino);
    return fsync(descriptor);
  }) as typeof fsync;
  system.renameSync = (from, to) => {
    before = [...synced];
    renameSync(from, to);
  };
  const path = join(folder, "made");
  await makeFolderWhole(path, async (beside) => {
    // Not by our own writer: as SQLite does it, or a copy.
    writeFileSync(join(beside, "store"), "x");
    writeFileSync(join(beside, "store-wal"), "y");
  });
  for (const name of ["store", "store-wal", "."]) {
    expect(before).toContain(real.statSync(join(path, name)).ino);
  }
});

test("a folder is made whole or not at all, whatever fails", async () => {
  const path = join(folder, "made");
  const job = () =>
    makeFolderWhole(path, async (beside) => writeFileSync(join(beside, "file"), "x"));
  const { calls } = await intercept(job, () => {});
  expect(calls.length).toBeGreaterThan(5);
  for (let at = 1; at <= calls.length; at++) {
    rmSync(path, { recursive: true });
    const { error } = await intercept(job, (_call, count) => {
      if (count === at) throw failure("EIO");
    });
    const isThere = readdirSync(folder).includes("made");
    const isTold = error !== undefined && !/was written, but/.test(String(error));
    expect([calls[at - 1], isThere]).toEqual([
      calls[at - 1],
      !isTold || calls[at - 1] === "rmSync",
    ]);
    if (!isThere) await job();
  }
});
