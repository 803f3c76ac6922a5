import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";

// Every example of the README is a whole program that says what it prints.

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "twinwrap-readme-"));
mkdirSync(join(folder, "node_modules"));
symlinkSync(root, join(folder, "node_modules", "twinwrap"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const examples = [
  ...readFileSync(join(root, "README.md"), "utf8").matchAll(/```js\n(.*?)```/gs),
].map(([, code]) => code!);

test("the README has examples", () => expect(examples.length).toBeGreaterThanOrEqual(3));

test.each(examples.map((code, index) => ({ code, index })))("example $index", ({ code, index }) => {
  const file = join(folder, `example-${index}.mjs`);
  writeFileSync(file, code);
  const printed = execFileSync(process.execPath, [file], { cwd: folder, encoding: "utf8" });
  expect(printed).toBe(`${/^\/\/ prints: (.*)$/m.exec(code)![1]}\n`);
});
