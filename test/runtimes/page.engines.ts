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
  cli("encrypt", "report.txt", "--owner", "alice.pub.pem");
});
afterAll(async () => {
  await site.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Works the page: every step waits for what the page says. */
async function work(tab: Tab): Promise<string[]> {
  const { choose, run } = tab;
  /** Presses a button of a view and waits for the result. */
  const press = (view: string, button: string) =>
    run(`
      const view = document.querySelector("${view}");
      view.querySelector('${button}').click();
      for (let i = 0; i < 300; i++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        const done = view.querySelector(".results > li.good, .results > li.bad");
        if (done !== null && view.querySelector("button:disabled") === null) return done.innerText;
      }
      return "nothing happened";`);
  // The page's script makes its inputs.
  await run(`
    for (let i = 0; i < 100 && document.querySelector("#key-files") === null; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return "";`);
  await choose("#key-files", path("alice.pem"));
  const added = await run(`
    for (let i = 0; i < 300 && document.querySelector("#keys > li") === null; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return document.querySelector("#keys").innerText;`);
  await choose("#seal-files", path("report.txt"));
  const sealed = await press("#seal", "button[type=submit]");
  await run('location.hash = "#open"; return "";');
  await choose("#open-files", path("report.txt.twin"));
  const opened = await press("#open", "button[name=show]");
  await run('location.hash = "#inspect"; return "";');
  await choose("#inspect-files", path("report.txt.twin"));
  const inspected = await press("#inspect", "button[type=submit]");
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
