// Every engine that is at hand runs the body: those that must pass, and those that are only reported.
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { cases } from "./body.js";
import { engines } from "./engines.js";
import { isRight, makeMaterial } from "./material.js";

const material = makeMaterial();
const names = [...cases(material).keys()];
const rows: string[][] = [];

afterAll(() => {
  const head = ["engine", "version", "passed", "failed", "skipped", "why"];
  const lines = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...lines.map((row) => (i < 5 ? row[i]!.length : 0))));
  const text = lines.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd(),
  );
  console.log(`\n${text.join("\n")}\n`);
  const folder = new URL("../../build/reports/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL("runtimes.txt", folder), `${text.join("\n")}\n`);
});

test("the material is right by its own measure", () => {
  expect(names.length).toBeGreaterThan(40);
  const { key, data, length } = material.files.at(-1)!;
  expect(isRight({ kind: "file", key, data, length }, material)).toBe(true);
  expect(isRight({ kind: "file", key, data, length: length - 1 }, material)).toBe(false);
  const { key: rsa, padding, ciphertext } = material.rsa[0]!;
  expect(isRight({ kind: "rsa", key: rsa, padding, data: ciphertext }, material)).toBe(true);
});

for (const { name, required, missing, run } of engines) {
  // In CI, what must pass must be there.
  if (missing !== undefined && !(required && process.env.TWINWRAP_ALL_ENGINES)) {
    test.skip(`${name} is not here: ${missing}`, () => {});
    rows.push([name, "-", "-", "-", "-", missing]);
    continue;
  }
  test(required ? name : `${name} (reported)`, async () => {
    let failures: string[] = [];
    try {
      const { version, report } = await run(material);
      // Nothing passes by not having been tried.
      expect(report.outcomes.map((outcome) => outcome.name)).toEqual(names);
      const failed = report.outcomes.filter(({ error }) => error !== undefined);
      const skipped = report.outcomes.filter((outcome) => outcome.skipped !== undefined);
      const wrong = report.products.filter((product) => !isRight(product, material));
      failures = [
        ...failed.map(({ name, error }) => `${name}: ${error}`),
        ...wrong.map(({ from, kind }) => `${from}: what it made is wrong (${kind})`),
      ];
      if (failed.length === 0) {
        expect(new Set(report.products.map(({ kind }) => kind))).toEqual(new Set(["rsa", "file"]));
      }
      const passed = names.length - failed.length - skipped.length;
      const reasons = [
        ...failures.map((failure) => failure.split("\n")[0]!),
        ...new Set(skipped.map((outcome) => outcome.skipped!)),
      ];
      rows.push([
        name,
        version,
        `${passed}`,
        `${failures.length}`,
        `${skipped.length}`,
        reasons.join("; "),
      ]);
    } catch (error) {
      failures.push(String(error));
      rows.push([name, "?", "0", `${names.length}`, "0", String(error).slice(0, 200)]);
    }
    if (failures.length > 0 && !required) console.warn(`${name}:\n${failures.join("\n")}`);
    if (required) expect(failures).toEqual([]);
  });
}
