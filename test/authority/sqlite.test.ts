import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { copySqlite, openSqlite } from "#build/authority/store/sqlite.js";
import { loadPackage } from "#build/authority/store/sqlite-driver.js";
import { inWords } from "#build/authority/store/sqlite-errors.js";
import { canMount } from "../cli/run.js";
import { isBuiltIn } from "../sqlite.js";
import { openRaw } from "./raw.js";
import { storeSuite } from "./suite-store.js";

const folder = mkdtempSync(join(tmpdir(), "twinwrap-store-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const fresh = () => join(folder, `${++files}.sqlite`);

storeSuite("SQLite", () => openSqlite(fresh(), { create: true }));
// Where the engine has its own, the package is of no use; but whoever runs the tests there may have it.
if (isBuiltIn) {
  const open = await loadPackage().catch(() => undefined);
  if (open === undefined) test.skip("better-sqlite3 beside node:sqlite is not here", () => {});
  else storeSuite("better-sqlite3", () => openSqlite(fresh(), { create: true, open }));
}

describe("a store of one file", () => {
  test("is for its user alone, in each of its files", async () => {
    const path = fresh();
    const store = await openSqlite(path, { create: true });
    await store.write((writes) => writes.setSetting("a", "b"));
    const names = readdirSync(folder).filter((name) => join(folder, name).startsWith(path));
    expect(names.length).toBeGreaterThan(1);
    for (const name of names) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
    await store.close();
  });

  test("keeps what was committed by a process that is killed right after", async () => {
    const path = fresh();
    await (await openSqlite(path, { create: true })).close();
    const module = new URL("../../build/authority/store/sqlite.js", import.meta.url).pathname;
    const code = `const { openSqlite } = await import(${JSON.stringify(module)});
      const store = await openSqlite(${JSON.stringify(path)});
      await store.write((writes) => writes.setSetting("n", "kept"));
      store.write(async (writes) => {
        await writes.setSetting("n", "lost");
        process.kill(process.pid, "SIGKILL");
      });`;
    const { signal } = spawnSync(process.execPath, ["--input-type=module", "-e", code]);
    expect(signal).toBe("SIGKILL");
    const again = await openSqlite(path);
    expect(await again.setting("n")).toBe("kept");
    await again.close();
  });

  test("is made once and found later", async () => {
    const path = fresh();
    await expect(openSqlite(path)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
    const store = await openSqlite(path, { create: true });
    await store.write((writes) => writes.setSetting("kept", "yes"));
    await store.close();
    await expect(openSqlite(path, { create: true })).rejects.toMatchObject({ code: "CONFLICT" });
    const again = await openSqlite(path);
    expect(await again.setting("kept")).toBe("yes");
    await again.close();
    expect(() => again.write(async () => {})).toThrow(
      expect.objectContaining({ code: "DISPOSED" }),
    );
  });

  test("refuses what is not its own, and what is newer", async () => {
    const path = fresh();
    writeFileSync(path, "this is a text, long enough to be looked at as a database's first page");
    await expect(openSqlite(path)).rejects.toMatchObject({ code: "BAD_FORMAT" });
    const foreign = fresh();
    writeFileSync(foreign, "");
    const theirs = await openRaw(foreign);
    theirs.exec("CREATE TABLE t (x)");
    theirs.close();
    await expect(openSqlite(foreign)).rejects.toMatchObject({ code: "BAD_FORMAT" });
    const newer = fresh();
    await (await openSqlite(newer, { create: true })).close();
    const db = await openRaw(newer);
    db.pragma("user_version = 1000");
    db.close();
    await expect(openSqlite(newer)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  test("two in one process wait for each other", async () => {
    const path = fresh();
    const [one, other] = [await openSqlite(path, { create: true }), await openSqlite(path)];
    await one.write((writes) => writes.setSetting("count", "0"));
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 === 0 ? one : other).write(async (writes) => {
          const count = Number(await writes.setting("count"));
          await new Promise((resolve) => setTimeout(resolve, 2));
          await writes.setSetting("count", String(count + 1));
        }),
      ),
    );
    expect(await other.setting("count")).toBe("20");
    await one.close();
    await other.close();
  });

  // Closing any handle of a file takes away all locks (POSIX) of the process on it: SQLite's, too.
  test.skipIf(!existsSync("/proc/locks"))(
    "keeps its locks when another one is opened and closed in the same process (needs /proc/locks)",
    async () => {
      const path = fresh();
      const one = await openSqlite(path, { create: true });
      await one.write((writes) => writes.setSetting("a", "b"));
      const locks = () => {
        const mine = `:${statSync(path).ino} `;
        return readFileSync("/proc/locks", "utf8")
          .split("\n")
          .filter((line) => line.includes(mine));
      };
      expect(locks()).toHaveLength(1);
      await (await openSqlite(path)).close();
      expect(locks()).toHaveLength(1);
      await one.close();
    },
  );

  test("says in words what the system or the disk keeps from it", async () => {
    const folder = fresh();
    mkdirSync(folder);
    await expect(openSqlite(folder)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    for (const [code, expected, words] of [
      ["SQLITE_FULL", "UNAVAILABLE", /no space left .* make room/],
      ["SQLITE_IOERR_WRITE", "UNAVAILABLE", /the disk fails/],
      ["SQLITE_READONLY_DBMOVED", "UNAVAILABLE", /read-only/],
      ["SQLITE_CORRUPT_INDEX", "FAULT", /newest backup/],
      ["SQLITE_BUSY_SNAPSHOT", "CONFLICT", /try again/],
    ] as const) {
      const error = inWords("s.sqlite", Object.assign(new Error("x"), { code })) as Error;
      expect(error).toMatchObject({ code: expected, message: expect.stringMatching(words) });
      expect(error.message).toMatch(/^s\.sqlite: /);
    }
    const other = new Error("no SQLite");
    expect(inWords("s.sqlite", other)).toBe(other);
  });

  test.skipIf(!canMount())(
    "a full disk is called that, whatever SQLite makes of it (needs unshare and tmpfs)",
    () => {
      const module = new URL("../../build/authority/store/sqlite-errors.js", import.meta.url).href;
      const code = `import { inWords } from ${JSON.stringify(module)};
      for (const code of ["SQLITE_IOERR_SHMSIZE", "SQLITE_CANTOPEN", "SQLITE_CORRUPT"])
        console.log(inWords("/mnt/s.sqlite", Object.assign(new Error(), { code })).message);`;
      const tell = `${JSON.stringify(process.execPath)} --input-type=module -e "$CODE"`;
      const { stdout } = spawnSync(
        "unshare",
        [
          "-rm",
          "bash",
          "-c",
          `mount -t tmpfs -o size=1m none /mnt; ${tell}; cat /dev/zero > /mnt/fill; ${tell}`,
        ],
        { encoding: "utf8", env: { ...process.env, CODE: code } },
      );
      const [free, full] = [stdout.split("\n").slice(0, 3), stdout.split("\n").slice(3, 6)];
      expect(free.map((line) => /no space left/.test(line))).toEqual([false, false, false]);
      expect(full.map((line) => /no space left/.test(line))).toEqual([true, true, false]);
    },
  );

  test("a copy is the store of one moment", async () => {
    const path = fresh();
    const store = await openSqlite(path, { create: true });
    await store.write((writes) => writes.setSetting("when", "before"));
    const copy = fresh();
    // A transaction is under way, and not part of it.
    await store.write(async (writes) => {
      await writes.setSetting("when", "after");
      await copySqlite(path, copy);
    });
    expect(await store.setting("when")).toBe("after");
    const restored = await openSqlite(copy);
    expect(await restored.setting("when")).toBe("before");
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    await expect(copySqlite(path, copy)).rejects.toMatchObject({ code: "CONFLICT" });
    await restored.close();
    await store.close();
  });

  test("is checked by SQLite itself", async () => {
    const path = fresh();
    const store = await openSqlite(path, { create: true });
    expect(await store.check()).toEqual([]);
    const db = await openRaw(path);
    db.pragma("foreign_keys = OFF");
    db.exec("INSERT INTO enrolments VALUES (7, 'nobody', zeroblob(32))");
    db.close();
    expect(await store.check()).toContain(
      "a row of enrolments stands on one of leaves that is missing",
    );
    await store.close();
  });

  test.skipIf(isBuiltIn)("without better-sqlite3 there is one clear line", () => {
    const module = new URL("../../build/authority/store/sqlite.js", import.meta.url).pathname;
    const hook = `export const resolve = (name, context, next) => {
      if (name === "better-sqlite3") throw Object.assign(new Error("no"), { code: "ERR_MODULE_NOT_FOUND" });
      return next(name, context);
    };`;
    const code = `import { register } from "node:module";
      register("data:text/javascript,${encodeURIComponent(hook)}");
      const { openSqlite } = await import(${JSON.stringify(module)});
      await openSqlite(${JSON.stringify(fresh())}, { create: true }).catch(({ code, message }) => console.log(code, message));`;
    const printed = execFileSync(process.execPath, ["--input-type=module", "-e", code], {
      encoding: "utf8",
    });
    expect(printed).toMatch(/^UNSUPPORTED .*npm install better-sqlite3\n$/);
  });

  test("says nothing by itself, whichever SQLite it is", () => {
    const module = new URL("../../build/authority/store/sqlite.js", import.meta.url).pathname;
    const code = `const { openSqlite } = await import(${JSON.stringify(module)});
      const store = await openSqlite(${JSON.stringify(fresh())}, { create: true });
      await store.write((writes) => writes.setSetting("a", "b"));
      console.log(await store.setting("a"));
      await store.close();`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
      encoding: "utf8",
    });
    expect([stdout, stderr]).toEqual(["b\n", ""]);
  });

  test("tells a damaged file, a row that does not fit, and others that work too long", async () => {
    const path = fresh();
    const store = await openSqlite(path, { create: true });
    const misfit = store.write((writes) =>
      writes.insertEnrolment({ leaf: 5, owner: "nobody", control: new Uint8Array(32) }),
    );
    await expect(misfit).rejects.toMatchObject({ code: "FAULT" });
    await store.write((writes) => writes.setSetting("a", "b"));
    await store.close();
    const raw = await openRaw(path);
    raw.exec("BEGIN IMMEDIATE");
    expect(raw.inTransaction).toBe(true);
    const late = await openSqlite(path);
    vi.useFakeTimers({ toFake: ["Date"] });
    const waiting = late.write(async () => {});
    waiting.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
    vi.setSystemTime(Date.now() + 60_000);
    await expect(waiting).rejects.toMatchObject({ code: "CONFLICT" });
    vi.useRealTimers();
    raw.exec("ROLLBACK");
    expect(raw.inTransaction).toBe(false);
    raw.close();
    await late.write((writes) => writes.setSetting("a", "c"));
    await late.close();
    writeFileSync(path, readFileSync(path).fill(0x55, 4096));
    const damaged = openSqlite(path).then((store) =>
      store.setting("a").finally(() => store.close()),
    );
    await expect(damaged).rejects.toMatchObject({ code: "FAULT" });
  });
});
