// The README's examples for web pages: each is a whole program that says what it prints.
import { readFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { bundle, root, STRICT, site } from "./site.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

const examples = [
  ...readFileSync(`${root}README.md`, "utf8").matchAll(/```js browser\n(.*?)```/gs),
].map(([, code]) => code!);

test("the README has examples for web pages", () => expect(examples.length).toBe(2));

test.each(examples.map((code, index) => ({ code, index })))("example $index", async ({ code }) => {
  const server = await site({
    policy: `${STRICT} blob:`,
    script: await bundle(code),
    files: { "/report.pdf": new Uint8Array(300_000) },
  });
  const page = await browser.newPage();
  const printed = page.waitForEvent("console");
  page.on("pageerror", (error) => expect.fail(String(error)));
  await page.goto(server.url);
  expect((await printed).text()).toBe(/^\/\/ prints: (.*)$/m.exec(code)![1]);
  await page.close();
  await server.close();
});
