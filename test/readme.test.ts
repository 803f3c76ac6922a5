import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { FOR_NODE, printsOf } from "./readme-examples.js";
import { haveSqlite } from "./sqlite.js";

// Every example of the README is a whole program that says what it prints.

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "twinwrap-readme-"));
mkdirSync(join(folder, "node_modules"));
symlinkSync(root, join(folder, "node_modules", "twinwrap"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the README has examples", () => expect(FOR_NODE.length).toBeGreaterThanOrEqual(3));

const runs = FOR_NODE.map((code, index) => ({ code, index }));
/** What is there where nothing keeps an authority's store. */
const tried = runs.filter(({ code }) => haveSqlite || !code.includes("twinwrap/authority"));

test.each(tried)("example $index", ({ code, index }) => {
  const file = join(folder, `example-${index}.mjs`);
  writeFileSync(file, code);
  const printed = execFileSync(process.execPath, [file], { cwd: folder, encoding: "utf8" });
  expect(printed).toBe(`${printsOf(code)}\n`);
});
