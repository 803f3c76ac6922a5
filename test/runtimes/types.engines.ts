// The declarations in projects of every kind, by TypeScripts old and new.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { compileProject, PROJECTS } from "../typescript.js";

const folder = mkdtempSync(join(tmpdir(), "twinwrap-types-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const version of ["5.4", "5.6", "5.9", "6", "7"]) {
  const place =
    version === "7"
      ? "../../node_modules/typescript/"
      : `installed/node_modules/typescript-${version}/`;
  const installed = fileURLToPath(new URL(place, import.meta.url));
  if (!existsSync(installed) && !process.env.TWINWRAP_ALL_ENGINES) {
    test.skip(`TypeScript ${version} is not here: npm ci --prefix test/runtimes/installed installs it`, () => {});
    continue;
  }
  const requiring = ["5.4", "5.6"].includes(version) ? [] : [{ ...PROJECTS[1]!, require: true }];
  test.each([...PROJECTS, ...requiring])(
    `TypeScript ${version}: $module, DOM: $dom, @types/node: $node`,
    (project) => {
      const { version: found } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
      expect(found.startsWith(`${version}.`)).toBe(true);
      const place = mkdtempSync(join(folder, "project-"));
      expect(compileProject(place, join(installed, "bin/tsc"), project)).toBe("");
    },
  );
}
