import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

// How many threads a large file gets if nobody says. Each in a process of its own, on a machine that claims to have so
// many processors: they share one pool.

const PROGRAM = `
  import os from "node:os";
  import { syncBuiltinESMExports } from "node:module";
  os.availableParallelism = () => Number(process.argv[1]);
  syncBuiltinESMExports();
  const { engineOptions } = await import(process.argv[2]);
  const { pool } = engineOptions({ engine: process.argv[3] });
  console.log(pool?.jobs ?? 1);
`;

function jobs(processors: number, engine: string): number {
  const command = new URL("../../build/cli/command.js", import.meta.url).href;
  const args = ["--input-type=module", "-e", PROGRAM, String(processors), command, engine];
  return Number(execFileSync(process.execPath, args, { encoding: "utf8" }));
}

test("as many as there are processors, with native half of them, at most three", () => {
  expect([1, 2, 3, 4, 8].map((processors) => jobs(processors, "wasm"))).toEqual([1, 2, 3, 3, 3]);
  expect([1, 2, 3, 4, 8].map((processors) => jobs(processors, "native"))).toEqual([1, 1, 1, 2, 3]);
});
