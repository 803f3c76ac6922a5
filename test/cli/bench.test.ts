import { afterAll, expect, test } from "vitest";
import { isQuick } from "../quick.js";
import { Sandbox } from "./run.js";

const sandbox = new Sandbox();
afterAll(() => sandbox.remove());

interface Row {
  bytes: number;
  core: { best: number; median: number; samples: number };
  webcrypto: { best: number; median: number; samples: number };
}

test("bench --json: rows, and an answer that follows from them", async () => {
  const { stdout, stderr, code } = await sandbox.shell("twinwrap bench --seconds 1 --json");
  expect([code, stderr]).toEqual([0, ""]);
  const { rows, webcryptoFasterFrom, machine } = JSON.parse(stdout);
  expect(rows.map(({ bytes }: Row) => bytes)).toEqual([
    64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304,
  ]);
  for (const by of ["best", "median"] as const) {
    const faster = rows.map(({ core, webcrypto }: Row) => webcrypto[by] < core[by]);
    const last = faster.lastIndexOf(false);
    expect(webcryptoFasterFrom[by]).toBe(rows[last + 1]?.bytes ?? null);
  }
  for (const { core, webcrypto } of rows as Row[]) {
    for (const { best, median, samples } of [core, webcrypto]) {
      expect(best).toBeGreaterThan(0);
      expect(median).toBeGreaterThanOrEqual(best);
      expect(samples).toBeGreaterThanOrEqual(6);
    }
  }
  expect(machine.node).toBe(process.versions.node);
});

test.skipIf(isQuick)("bench for people ends with the answer", async () => {
  const { stdout, code } = await sandbox.shell("twinwrap bench --seconds 1");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^message +core +WebCrypto +core is × as fast$/m);
  expect(stdout).toMatch(/\nOn this machine WebCrypto is .*faster.* \(By medians\.\)\n$/);
});
