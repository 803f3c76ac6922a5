// The declarations in other TypeScripts than the project's own, which test/package.test.ts tries.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { compileProject, PROJECTS } from "../typescript.js";

const folder = mkdtempSync(join(tmpdir(), "twinwrap-types-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const version of ["5.4", "5.6", "5.9", "6"]) {
  const installed = fileURLToPath(
    new URL(`installed/node_modules/typescript-${version}/`, import.meta.url),
  );
  const run = existsSync(installed) || process.env.TWINWRAP_ALL_ENGINES ? test : test.skip;
  run.each(PROJECTS)(`TypeScript ${version}: $module, DOM: $dom, @types/node: $node`, (project) => {
    const { version: found } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    expect(found.startsWith(`${version}.`)).toBe(true);
    const place = mkdtempSync(join(folder, "project-"));
    expect(compileProject(place, join(installed, "bin/tsc"), project)).toBe("");
  });
}
