import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { BEFORE, NEWEST } from "#build/authority/store/schema.js";
import { APPLICATION_ID, openSqlite } from "#build/authority/store/sqlite.js";
import { openRaw } from "./raw.js";

// Stores of other versions.

const parent = mkdtempSync(join(tmpdir(), "twinwrap-migration-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

async function storeOfVersion(version: number): Promise<string> {
  const path = join(parent, `${version}.sqlite`);
  await (await openSqlite(path, { create: true })).close();
  const db = await openRaw(path);
  expect(db.pragma("application_id")).toBe(APPLICATION_ID);
  expect(db.pragma("user_version")).toBe(NEWEST);
  db.pragma(`user_version = ${version}`);
  db.close();
  return path;
}

test.each([
  [1, /before the first release/],
  [BEFORE, /before the first release/],
  [NEWEST + 1, /newer version/],
])("a store of version %i is refused, and stays", async (version, message) => {
  const path = await storeOfVersion(version);
  await expect(openSqlite(path)).rejects.toThrow(message);
  await expect(openSqlite(path)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  const db = await openRaw(path);
  expect(db.pragma("user_version")).toBe(version);
  db.close();
});
