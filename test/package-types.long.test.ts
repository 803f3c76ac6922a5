import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { folder, installed, root } from "./installed.js";
import { compileProject, PROJECTS } from "./typescript.js";

// Older compilers are tried by test/runtimes.
test.each([...PROJECTS, { ...PROJECTS[1]!, require: true }])(
  "types: module $module, DOM: $dom, @types/node: $node",
  (project) => {
    const place = mkdtempSync(join(folder, "types-"));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    expect(compileProject(place, tsc, project, installed)).toBe("");
  },
);
