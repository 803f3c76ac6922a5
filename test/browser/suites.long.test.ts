// The core's own tests (test/core/suite-*.ts) in Chromium, with every build: what an engine's compiler makes of
// the WebAssembly is what a page gets.
import { build } from "esbuild";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { haveVectors } from "../vectors.js";
import { root, site } from "./site.js";
import { answer } from "./suites/oracle.js";
import type { Outcome } from "./suites/vitest.js";

let browser: Browser;
let server: Awaited<ReturnType<typeof site>>;
beforeAll(async () => {
  const suites = `${root}test/browser/suites`;
  const { outputFiles } = await build({
    entryPoints: [`${suites}/page.ts`],
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    inject: [`${suites}/buffer.ts`],
    alias: {
      vitest: `${suites}/vitest.ts`,
      "node:crypto": `${suites}/crypto.ts`,
      "node:fs": `${suites}/crypto.ts`,
      "twinwrap/core": `${root}build/core/index.js`,
      "twinwrap/aes": `${root}build/core/aes-only.js`,
    },
    plugins: [
      {
        name: "vectors",
        setup: ({ onResolve }) =>
          onResolve({ filter: /\/vectors\.js$/ }, () => ({ path: `${suites}/crypto.ts` })),
      },
    ],
  });
  server = await site({ script: outputFiles[0]!.text, onPost: (_, text) => answer(text) });
  browser = await launchChromium();
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

async function runSuites(name: string): Promise<Outcome[]> {
  const page = await browser.newPage();
  await page.goto(server.url);
  await page.waitForFunction("globalThis.runSuites !== undefined");
  const outcomes = (await page.evaluate(`runSuites(${JSON.stringify(name)})`)) as Outcome[];
  await page.close();
  return outcomes;
}

test("what is wrong is found out", async () => {
  const outcomes = await runSuites("wrong");
  expect(outcomes.length).toBe(7);
  expect(outcomes.filter(({ error }) => error === undefined)).toEqual([]);
});

// Whatever compares every length with node:crypto is stopped when it has asked often enough; Node does them all.
const STOPPED =
  /every (length|cut|last block)|hash of the one before|a synthetic message has k|lengths against|each number once|the lengths 16|any two powers|windows of 256|PBKDF2 equals/;

test.each([
  ["simd", 130],
  ["relaxed", 130],
  ["aes", 20],
])("the core's tests, build: %s", async (name, least) => {
  const outcomes = await runSuites(name);
  expect(outcomes.filter(({ error }) => error !== undefined)).toEqual([]);
  const stopped = outcomes.filter(({ stopped }) => stopped);
  expect(stopped.filter(({ name }) => !STOPPED.test(name))).toEqual([]);
  const skipped = outcomes.filter(({ skipped }) => skipped);
  const whole = outcomes.length - stopped.length - skipped.length;
  console.log(
    `in Chromium, ${name}: ${whole} tests whole, ${stopped.length} in part, ${skipped.length} skipped (no vectors)`,
  );
  if (haveVectors) expect(skipped).toEqual([]);
  expect(whole).toBeGreaterThan(least);
});
