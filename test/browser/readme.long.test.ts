// The README's examples for web pages: each is a whole program that says what it prints.
import { generateKeyPairSync } from "node:crypto";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { FOR_PAGES, printsOf } from "../readme-examples.js";
import { built, bundle, type SiteOptions, STRICT, site } from "./site.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium({ args: ["--host-resolver-rules=MAP plain.test 127.0.0.1"] });
});
afterAll(() => browser.close());

const { bundled, plain, pages, scripts } = FOR_PAGES;

/** Serves the example, and compares what it prints with what it says. */
async function check(code: string, options: SiteOptions, host = "127.0.0.1"): Promise<void> {
  const server = await site(options);
  const page = await (await browser.newContext()).newPage();
  const words: string[] = [];
  page.on("console", (message) => words.push(message.text()));
  page.on("pageerror", (error) => words.push(String(error)));
  await page.goto(`http://${host}:${server.port}/`);
  await expect.poll(() => words).not.toEqual([]);
  // A policy's violation is a word on the console too.
  expect(words).toEqual([printsOf(code)]);
  await page.context().close();
  await server.close();
}

test("the README has examples for web pages", () => {
  expect([bundled, plain, pages, scripts].map(({ length }) => length)).toEqual([3, 1, 1, 1]);
});

test.each(bundled.map((code, index) => ({ code, index })))("example $index", async ({ code }) => {
  const files = { "/report.pdf": new Uint8Array(300_000) };
  // One that says where the WebAssembly is must do without the copy.
  const conditions = code.includes("useWasm") ? [[], ["twinwrap-wasm-url"]] : [[]];
  for (const given of conditions) {
    const script = await bundle(code, { conditions: given });
    await check(code, { policy: `${STRICT} blob:`, script, files });
  }
});

test("without https", async () => {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const [code] = plain as [string];
  await check(
    code,
    { script: await bundle(code), files: { "/alice.pem": privateKey } },
    "plain.test",
  );
});

test("without a bundler, under a strict policy, with workers", async () => {
  const [code] = scripts as [string];
  const files = { "/": pages[0]!, "/twinwrap.js": built("web/twinwrap.js") };
  await check(code, { script: code, files });
});
