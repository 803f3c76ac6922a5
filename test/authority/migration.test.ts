import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterAll, expect, test } from "vitest";
import { openSqlite } from "#build/authority/store/sqlite.js";
import { APPLICATION_ID, MIGRATIONS } from "#build/authority/store/sqlite-schema.js";
import { newOwner, Office, storeOf, unwrap } from "./office.js";

// Stores that older versions made are brought up to date when they are opened.

const parent = mkdtempSync(join(tmpdir(), "twinwrap-migration-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

test("the first schema is the one that it was", () => {
  const sum = createHash("sha256").update(MIGRATIONS[0]!).digest("hex");
  expect(sum).toBe("1f2eb0cf7d8168e5bd6264e771aa6d11dbfff6174d635d6d1d8ff65fee068d3f");
});

/** Puts what a store holds into one of the first schema, in its place. */
function backToFirst(path: string): void {
  const db = new Sqlite(path);
  db.pragma("journal_mode = DELETE");
  db.pragma("foreign_keys = OFF");
  const tables = db
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )
    .all();
  const kept = tables.map(({ name }) => [name, db.prepare(`SELECT * FROM ${name}`).all()] as const);
  for (const { name } of tables) db.exec(`DROP TABLE ${name}`);
  db.exec(MIGRATIONS[0]!);
  db.exec("DELETE FROM head");
  for (const [name, rows] of kept) {
    for (const row of rows as Record<string, unknown>[]) {
      if (name === "records") delete row.label;
      const columns = Object.keys(row);
      const marks = columns.map(() => "?").join();
      db.prepare(`INSERT INTO ${name} (${columns}) VALUES (${marks})`).run(Object.values(row));
    }
  }
  // What is stored keeps the spelling of the search text that it had.
  db.exec("UPDATE records SET folded = lower(coalesce(description, ''))");
  db.pragma("user_version = 1");
  expect(db.pragma("foreign_key_check")).toEqual([]);
  expect(db.pragma("application_id", { simple: true })).toBe(APPLICATION_ID);
  db.close();
}

test("an authority's store of the first schema goes on with all that is in it", async () => {
  const office = await Office.make();
  const file = join(office.folder, "store.sqlite");
  try {
    const [waiting] = await office.files(1);
    await office.unlock();
    const [one, two] = await office.files(2);
    const { request, id } = await office.asked([one!]);
    await office.approve(request, "ann", "bob");
    const released = await office.service.release(id);
    const asked = await office.asked([two!]);
    await office.approve(asked.request, "ann");
    const all = { limit: 1000 };
    const before = await storeOf(office.service).records({}, all);
    const state = await office.service.verifyLog();
    await office.service.close();
    backToFirst(file);

    await office.open();
    const db = new Sqlite(file, { readonly: true });
    expect(db.pragma("user_version", { simple: true })).toBe(MIGRATIONS.length);
    expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
    expect(db.pragma("foreign_key_check")).toEqual([]);
    db.close();
    const { service } = office;
    expect(await storeOf(service).records({}, all)).toEqual(before);
    expect(before.rows.map(({ status }) => status)).toEqual(["verified", "released", "unverified"]);
    expect((await storeOf(service).records({ text: "SOME" }, all)).rows).toHaveLength(3);
    expect(await service.verifyLog()).toEqual(state);
    expect(await service.release(id)).toEqual(released);
    // What was under way goes on.
    await office.unlock();
    expect(await service.verifyWaiting()).toMatchObject({ verified: 1, failed: [] });
    await office.approve(asked.request, "cyd");
    const { releases } = await service.release(asked.id);
    expect(unwrap(releases[0]!.wrap, newOwner.node.privateKey).equals(two!.sessionKey)).toBe(true);
    expect((await storeOf(service).record(waiting!.record))!.status).toBe("verified");
    await service.verifyLog();
  } finally {
    await office.remove();
  }
});

test("a store whose rows refer to what is missing is not brought up to date, and stays", async () => {
  const path = join(parent, "damaged.sqlite");
  await (await openSqlite(path, { create: true })).close();
  backToFirst(path);
  const db = new Sqlite(path);
  db.pragma("foreign_keys = OFF");
  db.exec(`INSERT INTO approvals (hash, request, note) VALUES (zeroblob(32), zeroblob(32), 'x')`);
  db.close();
  await expect(openSqlite(path)).rejects.toMatchObject({ code: "FAULT" });
  const after = new Sqlite(path);
  expect(after.pragma("user_version", { simple: true })).toBe(1);
  expect(after.prepare("SELECT count(*) AS count FROM approvals").get()).toEqual({ count: 1 });
  after.close();
});
