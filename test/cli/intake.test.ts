import { spawn, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { haveSqlite } from "../sqlite.js";
import { Sandbox, TWINWRAP } from "./run.js";

// What an authority takes in as files, and what it writes back.

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const sandbox = new Sandbox();
const run = (line: string) => sandbox.shell(`export TWINWRAP_AUTHORITY=office; ${line}`);

beforeAll(async () => {
  if (!haveSqlite) return;
  sandbox.keyPair("alice");
  const made = await run(`
    twinwrap officer keygen -o ann.pem --no-passphrase
    twinwrap authority init office --no-passphrase --origin office.example --officer ann=ann.pub.pem
    twinwrap authority policy sign -k ann.pem --yes
    for folder in a b c; do
      mkdir $folder; echo $folder > $folder/report
      twinwrap encrypt $folder/report --owner alice.pub.pem --authority office/authority.json --owner-id alice
    done
    for folder in a b c; do mv $folder/*.submission.json $folder/report.json; done`);
  expect(made).toMatchObject({ code: 0, stderr: "" });
}, 60_000);
afterAll(() => sandbox.remove());

/** The records of the receipts in a folder. */
const recordsIn = (folder: string) =>
  readdirSync(sandbox.file(folder))
    .filter((name) => name.endsWith(".receipt.json"))
    .map(
      (name) =>
        /record ([0-9a-f]{64})/.exec(
          JSON.parse(sandbox.read(`${folder}/${name}`).toString()).leaf,
        )![1]!,
    )
    .sort();

/** Opens the FIFO "silent" for writing as soon as somebody reads it, says so, and keeps it until its input ends. */
const WRITER = `
import os, sys, time
while True:
    try: fd = os.open("silent", os.O_WRONLY | os.O_NONBLOCK); break
    except OSError: time.sleep(0.01)
print("open", flush=True)
sys.stdin.read()`;

describe.skipIf(!haveSqlite)("authority intake (needs better-sqlite3)", () => {
  test("answers submissions of one name in one folder, each with a receipt of its own", async () => {
    const { code, stdout, stderr } = await run(
      "twinwrap authority intake a/report.json b/report.json -o out --json",
    );
    expect([code, stderr]).toEqual([0, ""]);
    const taken: { record: string; receipt: string }[] = JSON.parse(stdout);
    expect(new Set(taken.map(({ receipt }) => receipt)).size).toBe(2);
    expect(recordsIn("out")).toEqual(taken.map(({ record }) => record).sort());
    // The same again, the other way round: each replaces its own.
    const again = await run("twinwrap authority intake b/report.json a/report.json -o out --json");
    expect(again.code).toBe(0);
    expect(recordsIn("out")).toEqual(taken.map(({ record }) => record).sort());
    for (const { record, receipt } of JSON.parse(again.stdout)) {
      expect(sandbox.read(receipt).toString()).toContain(record);
    }
    // What is no receipt stays.
    await run("mkdir other; echo mine > other/report.receipt.json");
    const beside = await run("twinwrap authority intake a/report.json -o other");
    expect(beside.stdout).toMatch(/receipt in other\/report\.[0-9a-f]{16}\.receipt\.json\n$/);
    expect(sandbox.read("other/report.receipt.json").toString()).toBe("mine\n");
  });

  test("reads a message from a FIFO, and refuses sockets, devices and folders in one line", async () => {
    const fifo = await run(
      "mkfifo pipe; cat c/report.json > pipe & twinwrap authority intake pipe -o out",
    );
    expect([fifo.code, fifo.stderr]).toEqual([0, ""]);
    await run(
      `node -e 'require("net").createServer().listen("socket").unref(); process.kill(process.pid, 9)'`,
    );
    for (const name of ["socket", "/dev/zero", "/dev/null", "out"]) {
      const { code, stdout, stderr } = await run(`twinwrap authority intake ${name} -o out`);
      expect([name, code, stdout]).toEqual([name, 1, ""]);
      expect(stderr).toMatch(/^twinwrap: .+\n$/);
    }
    // A FIFO in a receipt's place is not waited for.
    await run("mkdir queue; mkfifo queue/report.receipt.json");
    expect(await run("twinwrap authority intake a/report.json -o queue")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/receipt in queue\/report\.[0-9a-f]{16}\.receipt\.json\n$/),
    });
  });

  test.skipIf(!hasPython)(
    "ends on SIGTERM while it waits for somebody to write into a FIFO (needs python3)",
    async () => {
      await run("mkfifo silent");
      for (const args of [
        ["authority", "intake", "silent", "--authority", "office"],
        ["verify", "a/report.json", "--receipt", "silent"],
      ]) {
        const child = spawn(process.execPath, [TWINWRAP, ...args], {
          cwd: sandbox.path,
          stdio: "ignore",
        });
        const ended = new Promise((resolve) =>
          child.on("exit", (code, signal) => resolve(signal ?? code)),
        );
        // It has opened the FIFO once somebody can open it for writing without waiting; then it waits for this one.
        const writer = spawn("python3", ["-c", WRITER], { cwd: sandbox.path });
        await new Promise((resolve) => writer.stdout.once("data", resolve));
        child.kill("SIGTERM");
        expect(["SIGTERM", 143]).toContain(await ended);
        writer.stdin.end();
      }
    },
  );
});
