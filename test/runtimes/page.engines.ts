// The page itself in Firefox and WebKit: a key is added, a file sealed and opened again. Chromium goes through
// every path of it in npm test (test/page).
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serve } from "../../.tools/serve.mjs";
import { firefoxAt, type Tab, visitFirefox, visitWebKit, webkitMissing } from "./engines.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "twinwrap-page-"));
const path = (name: string) => join(folder, name);
const cli = (...args: string[]) =>
  execFileSync(process.execPath, [join(root, "build/bin/twinwrap.js"), ...args], { cwd: folder });

let site: Awaited<ReturnType<typeof serve>>;
beforeAll(async () => {
  site = await serve(join(root, "build/site"));
  cli("keygen", "-o", "alice.pem", "--bits", "2048", "--no-passphrase");
  writeFileSync(path("report.txt"), "quarterly figures\n");
  cli("encrypt", "report.txt", "--owner", "alice.pub.pem", "--no-authority");
});
afterAll(async () => {
  await site.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Works the page: every step waits for what the page says. */
async function work(tab: Tab): Promise<string[]> {
  const { choose, run } = tab;
  /** Presses a button of a view and waits for the result. */
  const press = (name: string, button: string) =>
    run(`
      const view = document.querySelector("[data-view=${name}]");
      view.querySelector('${button}').click();
      for (let i = 0; i < 300; i++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        const done = view.querySelector(".results > :is(.good, .warn, .bad)");
        if (done !== null && view.querySelector("button:disabled") === null) return done.innerText;
      }
      return "nothing happened";`);
  /** Goes to a view, which is loaded then. */
  const go = (name: string) =>
    run(`
      location.hash = "#${name}";
      for (let i = 0; i < 300 && document.querySelector("[data-view=${name}]").hidden; i++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return "";`);
  // The page's script makes its inputs.
  await run(`
    for (let i = 0; i < 100 && document.querySelector("#key-files") === null; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return "";`);
  await choose("#key-files", path("alice.pem"));
  const added = await run(`
    for (let i = 0; i < 300 && document.querySelector("#key-list > li") === null; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return document.querySelector("#key-list").innerText;`);
  await go("seal");
  await choose("#seal-files", path("report.txt"));
  const sealed = await press("seal", "button[type=submit]");
  await go("open");
  await choose("#open-files", path("report.txt.twin"));
  const opened = await press("open", "button[name=show]");
  await go("inspect");
  await choose("#inspect-files", path("report.txt.twin"));
  const inspected = await press("inspect", "button[type=submit]");
  return [added, sealed, opened, inspected];
}

const EXPECTED = [
  expect.stringMatching(/alice\.pem\s+private key, 2048 bits/),
  expect.stringMatching(/Saved as\s+report\.txt\.twin/),
  expect.stringMatching(/quarterly figures/),
  expect.stringMatching(/alice\.pem in this tab/),
];

const ENGINES = [
  ["Firefox", visitFirefox, firefoxAt === undefined ? "apt-get install firefox-esr" : undefined],
  ["WebKit", visitWebKit, webkitMissing],
] as const;

for (const [name, visit, missing] of ENGINES) {
  const isReported = name === "WebKit";
  const isSkipped = missing !== undefined && (isReported || !process.env.TWINWRAP_ALL_ENGINES);
  if (isSkipped) {
    test.skip(`the page in ${name}: not here, ${missing}`, () => {});
    continue;
  }
  test(`the page in ${name}${isReported ? " (reported)" : ""}`, async () => {
    let said: unknown;
    try {
      const tab = await visit(`${site.url}/`);
      try {
        said = await work(tab);
      } finally {
        await tab.close();
      }
      expect(said).toEqual(EXPECTED);
    } catch (error) {
      if (!isReported) throw error;
      console.warn(`The page in ${name}: ${error}\n${JSON.stringify(said)}`);
    }
  });
}
