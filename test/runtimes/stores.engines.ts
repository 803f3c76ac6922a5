// What an authority keeps, under every Node that is at hand. From 22.13 on its SQLite is the one of Node itself. The
// suites are those of `npm test`, where Node 20 runs them with better-sqlite3.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { nodes } from "./engines.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
/** The store alone, copies of it, and whole recoveries: also with every write failed once. */
const SUITES = ["sqlite", "migration", "export", "service", "faults"].map(
  (name) => `test/authority/${name}.test.ts`,
);

for (const { name, program, required } of nodes) {
  if (!existsSync(program) && !(required && process.env.TWINWRAP_ALL_ENGINES)) {
    test.skip(`stores, ${name} is not here: npm ci --prefix test/runtimes/installed installs it`, () => {});
    continue;
  }
  test(`stores, ${name}`, async () => {
    // Else it would take itself for a part of this run.
    const own = Object.entries(process.env).filter(([name]) => !/^(VITEST|FORCE_COLOR)/.test(name));
    const child = spawn(
      program,
      [vitest, "run", "--project", "default", "--maxWorkers", "1", ...SUITES],
      { cwd: root, env: { ...Object.fromEntries(own), NO_COLOR: "1" } },
    );
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (said += data));
    const [status] = await once(child, "close");
    expect(status, said.slice(-8000)).toBe(0);
    // Nothing passes by not having been tried.
    expect(said).toMatch(new RegExp(`Test Files .*\\b${SUITES.length} passed`));
  });
}
