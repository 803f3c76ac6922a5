import { spawnSync } from "node:child_process";
import {
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
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  isSameFile,
  readFileWhole,
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

test("a lock of a process that runs, of another machine, or that says nothing stays", async () => {
  writeFileSync(at("file"), "");
  const { pid } = spawnSync("true");
  for (const lock of [
    `process ${process.pid} on ${hostname()}\n`,
    `process ${pid} on elsewhere\n`,
    `process ${pid}\n`,
    "",
  ]) {
    writeFileSync(at("file.lock"), lock);
    await expect(withLock(at("file"), async () => {})).rejects.toEqual(CONFLICT);
    expect(readdirSync(folder).sort()).toEqual(["file", "file.lock"]);
    expect(text("file.lock")).toBe(lock);
  }
});
