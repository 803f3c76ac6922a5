// The page itself in Firefox and WebKit: a key is added, a file sealed and opened again. Chromium goes through
// every path of it in npm test (test/page).
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect } from "vitest";
import { serve } from "../../.tools/serve.mjs";
import { firefoxMissing, type Tab, visitFirefox, visitWebKit, webkitMissing } from "./engines.js";
import { testIn, worker } from "./tab.js";

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

/** Works the page, and tells what it said. */
async function work(tab: Tab): Promise<string[]> {
  const { choose, go, press, result, text } = worker(tab);
  await choose("#key-files", path("alice.pem"));
  const added = await text("#key-list > li");
  /** Does with a file what a view is for. */
  const doIn = async (view: string, file: string, button: string) => {
    await go(view);
    await choose(`#${view}-files`, path(file));
    await press(`[data-view=${view}] ${button}`);
    return result(`[data-view=${view}]`);
  };
  return [
    added,
    await doIn("seal", "report.txt", "button[type=submit]"),
    await doIn("open", "report.txt.twin", "button[name=show]"),
    await doIn("inspect", "report.txt.twin", "button[type=submit]"),
  ];
}

const EXPECTED = [
  expect.stringMatching(/alice\.pem\s+private key, 2048 bits/),
  expect.stringMatching(/Saved as\s+report\.txt\.twin/),
  expect.stringMatching(/quarterly figures/),
  expect.stringMatching(/alice\.pem in this tab/),
];

const ENGINES = [
  ["Firefox", visitFirefox, firefoxMissing],
  ["WebKit", visitWebKit, webkitMissing],
] as const;

for (const [name, visit, missing] of ENGINES) {
  testIn(name, "the page", missing, async () => {
    const tab = await visit(`${site.url}/`);
    try {
      expect(await work(tab)).toEqual(EXPECTED);
    } finally {
      await tab.close();
    }
  });
}
