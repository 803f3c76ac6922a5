import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { haveSqlite } from "../sqlite.js";
import { canMount, Sandbox, TWINWRAP } from "./run.js";

// An authority's folder in the hands of somebody who may only read it: an auditor, or anybody on a full disk.

const sandbox = new Sandbox();
const run = (line: string) => sandbox.shell(`export TWINWRAP_AUTHORITY=office; ${line}`);

/** Somebody else, who has no rights here but those of everybody. */
const NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups";
const canBeNobody =
  spawnSync("bash", ["-c", `${NOBODY} "${process.execPath}" "${TWINWRAP}" --version`]).status === 0;

const COMMANDS = ["info", "list", "show SERIAL", "requests", "log verify one.twin", "policy show"];
let serial: string;
/** What each command says to its operator. */
const said: string[] = [];
const each = async (prefix: string, options: string) => {
  const answers: string[] = [];
  for (const command of COMMANDS) {
    const line = `${prefix} authority ${command.replace("SERIAL", serial)} ${options}`;
    const { stdout, stderr, code } = await run(line);
    answers.push(code === 0 && stderr === "" ? stdout : `FAILED ${command}: ${code} ${stderr}`);
  }
  return answers;
};

beforeAll(async () => {
  if (!haveSqlite) return;
  sandbox.keyPair("alice");
  const made = await run(`
    twinwrap officer keygen -o ann.pem --no-passphrase
    twinwrap authority init office --no-passphrase --origin office.example --officer ann=ann.pub.pem
    twinwrap authority policy sign -k ann.pem --yes
    echo one > one; twinwrap encrypt one --owner alice.pub.pem --authority office --owner-id alice
    twinwrap recover request one.twin --to alice.pub.pem --requester Alice -o request.json
    twinwrap inspect one.twin | sed -n 's/^serial *//p' > serial
    chmod 755 office . ; chmod 644 office/store.sqlite`);
  expect(made).toMatchObject({ code: 0, stderr: "" });
  serial = sandbox.read("serial").toString().trim();
  said.push(...(await each("twinwrap", "")));
  expect(said.filter((text) => text.startsWith("FAILED"))).toEqual([]);
}, 60_000);
afterAll(() => sandbox.remove());

const state = () =>
  run("cd office; ls -a; stat -c '%n %s %y' *; sha256sum *").then(({ stdout }) => stdout);

describe.skipIf(!haveSqlite)("an authority that is only read (needs better-sqlite3)", () => {
  test("shows what its operator sees, and nothing in its folder changes", async () => {
    const before = await state();
    expect(await each("twinwrap", "--read-only")).toEqual(said);
    // Not even the log's key is needed.
    await run("mv office/log.pem office/wrap.pem .");
    expect(await each("twinwrap", "--read-only")).toEqual(said);
    await run("mv log.pem wrap.pem office");
    expect((await state()).replace(/^.*\.pem.*$/gm, "")).toBe(before.replace(/^.*\.pem.*$/gm, ""));
  });

  test.skipIf(!canBeNobody)("by somebody else, who may not write (needs setpriv)", async () => {
    const auditor = `${NOBODY} env TMPDIR=/tmp "${process.execPath}" "${TWINWRAP}"`;
    await run("chmod 600 office/log.pem office/wrap.pem");
    expect(await each(auditor, "--read-only")).toEqual(said);
    // The same while somebody works with it, and after they were killed at it.
    const holder = spawn(process.execPath, ["--input-type=module", "-e", HOLD], {
      cwd: new URL("../..", import.meta.url),
      env: { ...process.env, STORE: sandbox.file("office/store.sqlite") },
    });
    const ended = new Promise((resolve) => holder.on("exit", resolve));
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    expect(existsSync(sandbox.file("office/store.sqlite-wal"))).toBe(true);
    expect(await each(auditor, "--read-only")).toEqual(said);
    holder.kill("SIGKILL");
    await ended;
    expect(existsSync(sandbox.file("office/store.sqlite-wal"))).toBe(true);
    expect(await each(auditor, "--read-only")).toEqual(said);
    await run("rm office/store.sqlite-shm");
    expect(await each(auditor, "--read-only")).toEqual(said);
    await run("twinwrap authority info"); // whose last connection tidies up
    expect(existsSync(sandbox.file("office/store.sqlite-wal"))).toBe(false);
  });

  test("is restored as of one moment while somebody works with it", async () => {
    const holder = spawn(process.execPath, ["--input-type=module", "-e", HOLD], {
      cwd: new URL("../..", import.meta.url),
      env: { ...process.env, STORE: sandbox.file("office/store.sqlite"), WRITE: "1" },
    });
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    const { code, stderr } = await run("twinwrap authority restore office copy");
    expect([code, stderr]).toEqual([0, ""]);
    holder.kill("SIGKILL");
    expect((await run("ls -a copy")).stdout.split("\n").sort()).toEqual(
      ["", ".", "..", "anchor", "authority.json", "log.pem", "store.sqlite", "wrap.pem"].sort(),
    );
    // What was committed is there, though it stood in the -wal alone; what was not is not.
    const { stdout } = await run(`cd ${JSON.stringify(process.cwd())}; node --input-type=module -e '
      import Sqlite from "better-sqlite3";
      const db = new Sqlite(process.argv[1], { readonly: true });
      console.log(db.prepare("SELECT name FROM settings WHERE name LIKE ? ORDER BY name").all("test%").map(({ name }) => name).join());
    ' "${sandbox.file("copy/store.sqlite")}"`);
    expect(stdout).toBe("test1\n");
    await run("twinwrap authority info"); // tidies up
  });

  test.skipIf(!canMount())(
    "on a full disk, which is told of in one line (needs unshare)",
    async () => {
      const { stdout } = await sandbox.shell(`unshare -rm bash -c '
      mkdir full; mount -t tmpfs -o size=2m none full; cp -r office full/office
      cat /dev/zero > full/fill 2> /dev/null
      twinwrap authority list --authority full/office 2>&1
      twinwrap authority list --authority full/office --read-only 2>&1 | tail -1
      twinwrap authority log verify --authority full/office --read-only 2>&1 | head -1
      rm full/fill; twinwrap authority list --authority full/office | tail -1
      umount full'`);
      const lines = stdout.trim().split("\n");
      expect(lines).toHaveLength(4);
      expect(lines[0]).toMatch(
        /^twinwrap: .*no space left for the store, nothing was written: make room, then again/,
      );
      expect(lines[1]).toContain(serial);
      expect(lines[2]).toMatch(/^log +verified: /);
      expect(lines[3]).toContain(serial);
    },
  );
});

/** Works with a store as a process of the authority's does, until it is killed. */
const HOLD = `
import Sqlite from "better-sqlite3";
const db = new Sqlite(process.env.STORE);
db.pragma("journal_mode = WAL");
db.prepare("SELECT count(*) FROM settings").get();
if (process.env.WRITE) {
  db.prepare("INSERT INTO settings VALUES ('test1', '1')").run();
  db.exec("BEGIN IMMEDIATE; INSERT INTO settings VALUES ('test2', '2')");
}
console.log("open");
setInterval(() => {}, 1000);`;
