import { expect, test } from "vitest";
import { benchModule } from "./modules.js";

const { measureBundles } = await benchModule("bundles.mjs");
const { GOALS } = await benchModule("goals.mjs");

/**
 * The most bytes, minified and gzipped, that a page may have to load. The goals are in bench/goals.json; where one is
 * missed the budget is what was reached, so that it does not get worse unnoticed (docs/performance.md says what the
 * bytes are).
 */
const BUDGETS = { aes: 14_900, core: 30_600, seal: 28_900, open: 36_600, both: 38_700 };

test("no bundle is over its budget", async () => {
  const sizes = await measureBundles();
  expect(Object.keys(sizes).sort()).toEqual(Object.keys(BUDGETS).sort());
  for (const [name, budget] of Object.entries(BUDGETS)) {
    // A bundle that is nearly empty was not measured.
    expect(sizes[name]).toBeGreaterThan(10_000);
    expect(`${name}: ${sizes[name] <= budget}, ${sizes[name]}`).toBe(
      `${name}: true, ${sizes[name]}`,
    );
    const { atMost } = GOALS.find(({ bundle }: { bundle?: string }) => bundle === name);
    expect(budget).toBeGreaterThanOrEqual(atMost * 1000);
  }
});
