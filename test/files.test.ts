import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { system } from "#build/calls.node.js";
import {
  isSameFile,
  onWarning,
  readFileWhole,
  removeLeftovers,
  withLock,
  writeFilesWhole,
  writeFileWhole,
} from "#build/files.node.js";

// Output appears whole or not at all.

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "twinwrap-files-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);
const text = (name: string) => readFileSync(at(name), "utf8");
const bytes = (content: string) => [Buffer.from(content)];

async function* failing(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("half");
  throw new Error("the source broke off");
}

test("several files appear together, with modes of their own", async () => {
  await writeFilesWhole([
    { path: at("secret"), content: bytes("s"), mode: 0o600 },
    { path: at("open"), content: bytes("o"), mode: 0o644 },
  ]);
  expect([text("secret"), text("open")]).toEqual(["s", "o"]);
  expect([statSync(at("secret")).mode & 0o777, statSync(at("open")).mode & 0o777]).toEqual([
    0o600, 0o644,
  ]);
  expect(readdirSync(folder).sort()).toEqual(["open", "secret"]);
});

test.each([
  ["its content breaks off", { path: "b", content: failing() }, "the source broke off"],
  ["it exists", { path: "old", content: bytes("new") }, "exists already"],
  ["its folder does not", { path: "no/b", content: bytes("b") }, "ENOENT"],
  ["it is a folder", { path: "sub", content: bytes("b") }, "exists already"],
])("none of several files appears if the last fails: %s", async (_, last, message) => {
  writeFileSync(at("old"), "old");
  mkdirSync(at("sub"));
  const files = [
    { path: at("a"), content: bytes("a") },
    { ...last, path: at(last.path) },
  ];
  await expect(writeFilesWhole(files)).rejects.toThrow(message);
  expect(readdirSync(folder).sort()).toEqual(["old", "sub"]);
  expect(text("old")).toBe("old");
});

test("a file that is replaced keeps its old content until the new one is whole", async () => {
  writeFileSync(at("old"), "old");
  await expect(writeFileWhole(at("old"), failing(), { force: true })).rejects.toThrow("broke off");
  expect([text("old"), readdirSync(folder)]).toEqual(["old", ["old"]]);
  symlinkSync("old", at("link"));
  await writeFileWhole(at("link"), bytes("new"), { force: true });
  expect([text("old"), lstatSync(at("link")).isSymbolicLink()]).toEqual(["new", true]);
});

test("two names of one file, there or not", async () => {
  writeFileSync(at("a"), "");
  symlinkSync("a", at("b"));
  expect(await isSameFile(at("a"), at("b"))).toBe(true);
  expect(await isSameFile(at("a"), at("c"))).toBe(false);
  expect(await isSameFile(at("c"), at("./x/../c"))).toBe(true);
  const here = process.cwd();
  process.chdir(folder);
  try {
    expect(await isSameFile("c", at("c"))).toBe(true);
  } finally {
    process.chdir(here);
  }
});

test("a file is read whole up to a limit", async () => {
  writeFileSync(at("file"), "12345");
  expect(Buffer.from(await readFileWhole(at("file"), 5)).toString()).toBe("12345");
  const long = { code: "LIMIT_EXCEEDED", message: expect.stringMatching(/file is longer than/) };
  await expect(readFileWhole(at("file"), 4)).rejects.toMatchObject(long);
  await expect(readFileWhole("/dev/zero", 1 << 20)).rejects.toMatchObject({
    code: "LIMIT_EXCEEDED",
  });
});

const CONFLICT = expect.objectContaining({ code: "CONFLICT" });

test("a file is locked by whichever of its names", async () => {
  writeFileSync(at("file"), "");
  symlinkSync("file", at("link"));
  await withLock(at("link"), async () => {
    expect(text("file.lock")).toMatch(new RegExp(`^process ${process.pid} on .`));
    await expect(withLock(at("file"), async () => {})).rejects.toEqual(CONFLICT);
  });
  expect(readdirSync(folder).sort()).toEqual(["file", "link"]);
});

test("a lock that a killed process left is taken over, by one", async () => {
  writeFileSync(at("file"), "");
  let lock = "";
  await withLock(at("file"), async () => {
    lock = text("file.lock");
  });
  const { pid } = spawnSync("true");
  const left = lock.replace(String(process.pid), String(pid));
  for (let round = 0; round < 20; round++) {
    writeFileSync(at("file.lock"), left);
    let inside = 0;
    let done = 0;
    const work = async () => {
      expect(++inside).toBe(1);
      await sleep(1);
      inside--;
      done++;
    };
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, () => withLock(at("file"), work)),
    );
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toEqual(CONFLICT);
    }
    expect(done).toBeGreaterThanOrEqual(1);
    expect(readdirSync(folder)).toEqual(["file"]);
  }
});

/** What a lock that this process holds says. */
async function lockOfMine(): Promise<string> {
  writeFileSync(at("mine"), "");
  let lock = "";
  await withLock(at("mine"), async () => {
    lock = text("mine.lock");
  });
  rmSync(at("mine"));
  return lock;
}

test("a lock of a process that runs, or of another machine or container, stays", async () => {
  const mine = await lockOfMine();
  writeFileSync(at("file"), "");
  const { pid } = spawnSync("true");
  const [machine, boot, space] = /\n(.+)\n$/.exec(mine)![1]!.split("-") as string[];
  const dead = mine.replace(String(process.pid), String(pid));
  for (const lock of [
    mine,
    dead.replace(machine!, "m0123456789ab").replace(boot!, "0123456789ab"),
    // The host's name alone is no proof that the machine was started again.
    dead.replace(machine!, machine!.replace("m", "h")).replace(boot!, "0123456789ab"),
    dead.replace(space!, "0123456789ab"),
    `process ${process.pid} on ${hostname()}\n`,
    `process ${pid} on elsewhere\n`,
  ]) {
    writeFileSync(at("file.lock"), lock);
    await expect(withLock(at("file"), async () => {})).rejects.toEqual(CONFLICT);
    expect(readdirSync(folder).sort()).toEqual(["file", "file.lock"]);
    expect(text("file.lock")).toBe(lock);
  }
});

test("what has a lock's name and is no lock stays, and nobody waits for it", async () => {
  writeFileSync(at("file"), "");
  const lock = at("file.lock");
  const planted: [string, () => void][] = [
    ["notes", () => writeFileSync(lock, "my notes\n")],
    ["a long file", () => writeFileSync(lock, `process ${"1".repeat(5000)}`)],
    ["a folder", () => mkdirSync(lock)],
    ["a FIFO", () => spawnSync("mkfifo", [lock])],
    ["a link to what never ends", () => symlinkSync("/dev/zero", lock)],
    ["a link to nothing", () => symlinkSync("nowhere", lock)],
  ];
  for (const [what, plant] of planted) {
    plant();
    const { ino } = lstatSync(lock);
    await expect(
      withLock(at("file"), async () => {}),
      what,
    ).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining(`delete ${lock}`),
    });
    expect(lstatSync(lock).ino, what).toBe(ino);
    rmSync(lock, { recursive: true });
  }
});

const hasProc = existsSync("/proc/self/stat");

test.skipIf(!hasProc)(
  "a lock blocks nobody for ever: one never made whole, of an earlier boot, of a number that another process has now (needs /proc)",
  async () => {
    const mine = await lockOfMine();
    writeFileSync(at("file"), "");
    const other = spawn("sleep", ["100"]);
    try {
      const [machine, boot] = /\n(.+)\n$/.exec(mine)![1]!.split("-") as string[];
      const locks = ["", mine.slice(0, 9), mine.replace(String(process.pid), String(other.pid))];
      // Without the system's ID a machine is not known again after it was started again.
      if (machine!.startsWith("m")) locks.push(mine.replace(boot!, "0123456789ab"));
      for (const lock of locks) {
        writeFileSync(at("file.lock"), lock);
        let done = false;
        await withLock(at("file"), async () => {
          expect(text("file.lock")).toBe(mine);
          done = true;
        });
        expect([done, readdirSync(folder)]).toEqual([true, ["file"]]);
      }
    } finally {
      other.kill();
    }
  },
);

test("whoever was killed while it removed a lock of the dead is removed itself", async () => {
  const mine = await lockOfMine();
  writeFileSync(at("file"), "");
  const { pid } = spawnSync("true");
  const dead = mine.replace(String(process.pid), String(pid));
  writeFileSync(at("file.lock"), dead);
  // Stopped where it would have removed it.
  const { unlinkSync } = system;
  let guard = "";
  system.unlinkSync = (path) => {
    if (String(path).endsWith(".tmp")) return unlinkSync(path);
    throw new Error("killed");
  };
  try {
    await withLock(at("file"), async () => {}).catch(() => {});
    [guard = ""] = readdirSync(folder).filter((name) => /^\.twinwrap-.*\.lock$/.test(name));
  } finally {
    system.unlinkSync = unlinkSync;
  }
  expect(guard).not.toBe("");
  writeFileSync(at(guard), dead);
  let done = false;
  await withLock(at("file"), async () => {
    done = true;
  });
  expect([done, readdirSync(folder)]).toEqual([true, ["file"]]);
});

test("a lock is never seen in part", async () => {
  writeFileSync(at("file"), "");
  const { writeSync } = system;
  const seen: boolean[] = [];
  system.writeSync = ((...parameters: Parameters<typeof writeSync>) => {
    seen.push(existsSync(at("file.lock")));
    return writeSync(...parameters);
  }) as typeof writeSync;
  try {
    await withLock(at("file"), async () => {});
  } finally {
    system.writeSync = writeSync;
  }
  expect(seen).toEqual([false]);
});

test("where a file system has no hard links, locks and new files are made all the same", async () => {
  const { linkSync } = system;
  system.linkSync = () => {
    throw Object.assign(new Error("EPERM"), { code: "EPERM", syscall: "link" });
  };
  try {
    await writeFileWhole(at("file"), bytes("content"));
    await expect(writeFileWhole(at("file"), bytes("other"))).rejects.toEqual(CONFLICT);
    await withLock(at("file"), async () => {
      await expect(withLock(at("file"), async () => {})).rejects.toEqual(CONFLICT);
    });
  } finally {
    system.linkSync = linkSync;
  }
  expect([text("file"), readdirSync(folder)]).toEqual(["content", ["file"]]);
});

test("a header is changed under one name only: a file with hard links, or that is no file, is refused", async () => {
  writeFileSync(at("file"), "");
  linkSync(at("file"), at("other"));
  const refused = (message: string) =>
    expect.objectContaining({ code: "BAD_ARGUMENT", message: expect.stringContaining(message) });
  await expect(withLock(at("other"), async () => {})).rejects.toEqual(refused("2 names"));
  spawnSync("mkfifo", [at("fifo")]);
  await expect(withLock(at("fifo"), async () => {})).rejects.toEqual(refused("regular file"));
  expect(readdirSync(folder).sort()).toEqual(["fifo", "file", "other"]);
  rmSync(at("other"));
  await withLock(at("file"), async () => {});
});

test("a name of 255 bytes is written, replaced and locked", async () => {
  const long = at("n".repeat(255));
  await writeFileWhole(long, bytes("a"));
  await writeFileWhole(long, bytes("b"), { force: true });
  await withLock(long, async () => {
    expect(readdirSync(folder)).toHaveLength(2);
    await expect(withLock(long, async () => {})).rejects.toEqual(CONFLICT);
  });
  expect([readFileSync(long, "utf8"), readdirSync(folder).length]).toEqual(["b", 1]);
  const tooLong = at("n".repeat(256));
  await expect(writeFileWhole(tooLong, bytes("a"))).rejects.toMatchObject({
    code: "ENAMETOOLONG",
    path: tooLong,
  });
});

test("what processes left that were killed is removed by the next that writes there, and nothing else", async () => {
  const { pid } = spawnSync("true");
  const { openSync } = system;
  let mine = "";
  system.openSync = (path, ...rest) => {
    mine ||= basename(String(path)); // the first is the file beside its place
    return openSync(path, ...rest);
  };
  try {
    await writeFileWhole(at("a"), bytes("a"));
  } finally {
    system.openSync = openSync;
  }
  const dead = mine.replace(`-${process.pid}-`, `-${pid}-`);
  const elsewhere = dead.replace(/-m?h?[0-9a-f]+-[0-9a-f]+-/, "-m0123456789ab-0123456789ab-");
  writeFileSync(at(dead), "a private key");
  // Other names of the same process: their last digits are others.
  const [a, b, c, d] = [..."abcdef"]
    .filter((digit) => !dead.endsWith(`${digit}.tmp`))
    .map((digit) => `${dead.slice(0, -5)}${digit}.tmp`) as [string, string, string, string];
  const other = a;
  mkdirSync(at(other));
  writeFileSync(at(`${other}/log.pem`), "another");
  const unfinished = (name: string, mark: string) => {
    mkdirSync(at(`${name}/whole`), { recursive: true, mode: 0o700 });
    writeFileSync(at(`${name}/whole/log.pem`), "another");
    writeFileSync(at(`${name}/${mark || name}`), "");
    return name;
  };
  const [marked, renamed, open] = [unfinished(b, ""), unfinished(c, dead), unfinished(d, "")];
  chmodSync(at(open), 0o770);
  chmodSync(folder, 0o777);
  removeLeftovers(folder, true);
  // One that was made under its name goes; one that was renamed, or that others could fill, may be anything.
  const hasProc = existsSync("/proc/self/fd");
  expect(readdirSync(folder).includes(marked)).toBe(!hasProc);
  expect(readdirSync(folder)).toEqual(expect.arrayContaining([renamed, open]));
  expect(readdirSync(at(renamed))).toEqual(expect.arrayContaining(["whole", dead]));
  writeFileSync(at(dead), "a private key");
  // Where others may rename things, a folder of this name may be anything.
  for (const shared of [0o777, 0o770]) {
    chmodSync(folder, shared);
    removeLeftovers(folder, true);
    expect(readdirSync(folder)).toContain(basename(other));
    expect(readdirSync(folder)).not.toContain(dead);
    writeFileSync(at(dead), "a private key");
  }
  chmodSync(folder, 0o1777);
  writeFileSync(at(elsewhere), "a private key");
  writeFileSync(at(mine), "being written");
  writeFileSync(at(".twinwrap-notes.tmp"), "somebody's own");
  removeLeftovers(folder, true);
  expect(readdirSync(folder).sort()).toEqual(["a", elsewhere, mine, ".twinwrap-notes.tmp"].sort());
});

test("two names of one place are not written: the second would be all that is left", async () => {
  symlinkSync("key", at("key.pub"));
  symlinkSync(".", at("here"));
  const attempt = (a: string, b: string) =>
    writeFilesWhole([
      { path: at(a), content: bytes("private"), force: true },
      { path: at(b), content: bytes("public"), force: true },
    ]);
  for (const isThere of [false, true]) {
    if (isThere) writeFileSync(at("key"), "old");
    for (const [a, b] of [
      ["key", "key.pub"],
      ["key.pub", "key"],
      ["key", "here/key"],
    ] as const) {
      await expect(attempt(a, b)).rejects.toMatchObject({
        code: "BAD_ARGUMENT",
        message: `${at(a)} and ${at(b)} are one file: nothing was written`,
      });
    }
    expect(readdirSync(folder).sort()).toEqual(["here", ...(isThere ? ["key"] : []), "key.pub"]);
  }
  expect(text("key")).toBe("old");
  // Hard links are parted, as whatever is replaced is.
  linkSync(at("key"), at("hard"));
  await attempt("key", "hard");
  expect([text("key"), text("hard")]).toEqual(["private", "public"]);
});

const modeOf = (name: string) => statSync(at(name)).mode & 0o777;

test("a file that is replaced keeps its mode; a private key is never wider than it should be", async () => {
  const cases: [before: number, asked: number | undefined, after: number][] = [
    [0o600, undefined, 0o600],
    [0o640, undefined, 0o640],
    [0o664, undefined, 0o664],
    [0o644, 0o600, 0o600],
    [0o400, 0o600, 0o400],
  ];
  for (const [before, asked, after] of cases) {
    writeFileSync(at("old"), "old");
    chmodSync(at("old"), before);
    const mode = asked === undefined ? {} : { mode: asked };
    await writeFileWhole(at("old"), bytes("new"), { force: true, ...mode });
    expect([text("old"), modeOf("old")]).toEqual(["new", after]);
    rmSync(at("old"));
  }
});

/** Runs with calls of the system that are refused, and gives the warnings. */
async function refusing(
  calls: ("fchmodSync" | "fchownSync")[],
  work: () => Promise<void>,
): Promise<string[]> {
  const warnings: string[] = [];
  onWarning((warning) => warnings.push(warning));
  const kept = { ...system };
  for (const call of calls) {
    system[call] = () => {
      throw Object.assign(new Error("EPERM"), { code: "EPERM", syscall: call });
    };
  }
  try {
    await work();
  } finally {
    Object.assign(system, kept);
    onWarning((warning) => process.emitWarning(warning));
  }
  return warnings;
}

test("where modes can't be set, that is a warning, and a loud one if others can read a private key", async () => {
  const narrow = await refusing(["fchmodSync"], () =>
    writeFileWhole(at("a"), bytes("a"), { mode: 0o644 }),
  );
  expect([narrow.length, narrow[0], modeOf("a")]).toEqual([
    1,
    expect.stringMatching(/a keeps the mode 0600/),
    0o600,
  ]);
  expect(
    await refusing(["fchmodSync"], () => writeFileWhole(at("key"), bytes("k"), { mode: 0o600 })),
  ).toEqual([]);
  // A share that gives everything the mode 0777, and says so.
  const { fstatSync } = system;
  const shared = await refusing(["fchmodSync"], async () => {
    system.fstatSync = ((descriptor: number) =>
      Object.assign(fstatSync(descriptor), { mode: 0o100777 })) as typeof fstatSync;
    await writeFileWhole(at("open"), bytes("k"), { mode: 0o600 });
  });
  expect(shared).toEqual([expect.stringMatching(/0777.*does not make it 0600: others/)]);
});

test.skipIf(process.geteuid?.() !== 0)(
  "a file that is replaced keeps its owner; where it can't, nobody gets in who could not before (needs root)",
  async () => {
    writeFileSync(at("theirs"), "old");
    chownSync(at("theirs"), 65534, 65534);
    chmodSync(at("theirs"), 0o640);
    await writeFileWhole(at("theirs"), bytes("new"), { force: true });
    expect([statSync(at("theirs")).uid, statSync(at("theirs")).gid, modeOf("theirs")]).toEqual([
      65534, 65534, 0o640,
    ]);
    for (const [before, after] of [
      [0o640, 0o600],
      [0o604, 0o600],
      [0o664, 0o644],
    ] as const) {
      chownSync(at("theirs"), 65534, 65534);
      chmodSync(at("theirs"), before);
      const warnings = await refusing(["fchownSync"], () =>
        writeFileWhole(at("theirs"), bytes("new"), { force: true }),
      );
      expect([warnings.length, modeOf("theirs")]).toEqual([1, after]);
    }
  },
);

test("the file that a link leads to is written, also where it is not there yet", async () => {
  mkdirSync(at("sub"));
  symlinkSync("sub/there", at("link"));
  symlinkSync("link", at("second"));
  await writeFileWhole(at("second"), bytes("new"));
  expect([text("sub/there"), lstatSync(at("link")).isSymbolicLink()]).toEqual(["new", true]);
  symlinkSync("nowhere/there", at("lost"));
  await expect(writeFileWhole(at("lost"), bytes("x"))).rejects.toMatchObject({
    code: "ENOENT",
    path: expect.stringContaining("nowhere/there"),
  });
  symlinkSync(Buffer.from("caf\xe9", "latin1"), at("odd"));
  await expect(writeFileWhole(at("odd"), bytes("x"))).rejects.toMatchObject({
    code: "UNSUPPORTED",
  });
});
