// What the page weighs, what it needs for a large file, and what it puts on paper.
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { makeAuthority, makeFolder, startSite, Visitor } from "./driver.js";

const folder = makeFolder();
const { cli, path } = folder;
let site: Awaited<ReturnType<typeof startSite>>;
const come = (view: string, options = {}) =>
  Visitor.come(site.browser, `${site.server.url}/#${view}`, options);

beforeAll(async () => {
  site = await startSite();
  cli("keygen", "-o", "alice.pem", "--bits", "2048", "--no-passphrase");
});
afterAll(async () => {
  await site.close();
  folder.remove();
});

// What a slow processor and a slow network have to do before the first step can be taken, counted: a time would be one
// machine's. It is the same on every machine.
test("a first visit takes at most 120 kB over the wire, 24 requests, and 180 kB of scripts", async () => {
  const context = await site.browser.newContext();
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  let [bytes, requests, scripts] = [0, 0, 0];
  const types = new Map<string, string>();
  session.on("Network.responseReceived", ({ requestId, type }) => {
    requests++;
    types.set(requestId, type);
  });
  session.on("Network.dataReceived", ({ requestId, dataLength }) => {
    if (types.get(requestId) === "Script") scripts += dataLength;
  });
  session.on("Network.loadingFinished", ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  await page.goto(`${site.server.url}/`, { waitUntil: "networkidle" });
  await page.getByRole("link", { name: "Make a key" }).first().waitFor();
  await context.close();
  expect(bytes).toBeGreaterThan(20_000);
  expect(bytes).toBeLessThanOrEqual(120_000);
  console.log(`a first visit: ${bytes} bytes, ${requests} requests, ${scripts} bytes of scripts`);
  expect(requests).toBeLessThanOrEqual(24);
  expect(scripts).toBeGreaterThan(20_000);
  expect(scripts).toBeLessThanOrEqual(180_000);
});

describe("links", () => {
  test.each(["recover", "officers", "keys"])("#%s shows its title, at the top", async (view) => {
    const visitor = await come(view, { viewport: { width: 360, height: 700 } });
    const title = visitor.page.locator(`#${view}-title`);
    await title.waitFor();
    const inView = () =>
      title.evaluate((element) => {
        const { top, bottom } = element.getBoundingClientRect();
        return top >= 0 && bottom <= innerHeight;
      });
    await expect.poll(inView).toBe(true);
    await visitor.leave();
  });

  test("on a phone a link leads to the keys, and tells how many there are", async () => {
    const visitor = await come("seal", { viewport: { width: 360, height: 700 } });
    const { page } = visitor;
    await visitor.add(path("alice.pem"));
    await page.getByRole("navigation").getByRole("link", { name: "Keys (1)" }).click();
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe("keys-title");
    expect(await page.locator("[data-view=seal]").isVisible()).toBe(true);
    await visitor.leave();
  });
});

test("times are those of the visitor, and the exact one is in the title", async () => {
  writeFileSync(path("one.txt"), "one");
  cli("encrypt", "one.txt", "--owner", "alice.pub.pem", "--no-authority");
  const [{ created }] = JSON.parse(cli("inspect", "one.txt.twin", "--json"));
  const visitor = await come("inspect", { locale: "de-DE", timezoneId: "Pacific/Auckland" });
  await visitor.give("inspect-files", path("one.txt.twin"));
  await visitor.page.getByRole("button", { name: "Inspect" }).click();
  await visitor.results();
  const time = visitor.page.locator("main time").first();
  expect(await time.getAttribute("title")).toBe(created);
  const there = new Date(created).toLocaleDateString("de-DE", {
    dateStyle: "medium",
    timeZone: "Pacific/Auckland",
  });
  expect(await time.innerText()).toContain(there);
  await visitor.leave();
});

test("a recovery sheet has serial, authority and what to do, and nothing else is printed", async () => {
  makeAuthority(folder);
  const { fingerprint } = JSON.parse(cli("authority", "info", "--authority", "here", "--json"));
  const visitor = await come("seal");
  const { page } = visitor;
  await page.evaluate(() => {
    Object.assign(globalThis, { print: () => Object.assign(globalThis, { printed: true }) });
  });
  await visitor.add(path("alice.pem"), path("here/authority.json"));
  await visitor.give("seal-files", path("one.txt"));
  await visitor.saving(1, folder, () =>
    page.getByRole("button", { name: "Seal", exact: true }).click(),
  );
  // Whole, but not as safe as it is meant to be: that is amber.
  await visitor.results();
  expect(await page.locator("main .results > li.warn").count()).toBe(1);
  await page.getByRole("button", { name: "Print a recovery sheet" }).click();
  expect(await page.evaluate("printed")).toBe(true);
  await page.emulateMedia({ media: "print" });
  const text = await page.locator("body").innerText();
  const [{ serial }] = JSON.parse(cli("inspect", "one.txt.twin", "--json"));
  expect(text).toContain(serial);
  expect(text).toContain("here.example");
  expect(text.replaceAll(/\s/g, "")).toContain(fingerprint);
  expect(text).toContain("Choose “Recover”");
  expect(text).not.toContain("Keys in this tab");
  await visitor.picture("sheet");
  await visitor.leave();
});

/** The most resident memory that a renderer has had: a page with its workers. */
async function peakOf(browser: Awaited<ReturnType<typeof launchChromium>>): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const peaks = processInfo
    .filter(({ type }: { type: string }) => type === "renderer")
    .map(({ id }: { id: number }) => {
      const [, peak] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${id}/status`, "utf8"))!;
      return Number(peak) * 1024;
    });
  return Math.max(...peaks);
}

test.skipIf(process.platform !== "linux")(
  "2 GiB are sealed and opened with the memory that 32 MiB take (needs /proc)",
  async () => {
    const peaks: number[] = [];
    for (const size of [32 * 2 ** 20, 2 ** 31]) {
      writeFileSync(path("large.bin"), "");
      truncateSync(path("large.bin"), size);
      // A browser each: a peak is for life.
      const browser = await launchChromium();
      const visitor = await Visitor.come(browser, `${site.server.url}/#seal`);
      const { page } = visitor;
      await visitor.add(path("alice.pem"));
      await visitor.give("seal-files", path("large.bin"));
      await visitor.saving(1, folder, () =>
        page.getByRole("button", { name: "Seal", exact: true }).click(),
      );
      await visitor.view("Open");
      await visitor.give("open-files", path("large.bin.twin"));
      await visitor.saving(1, { path: () => path("large.again") }, () =>
        page.getByRole("button", { name: "Open and save" }).click(),
      );
      expect((await visitor.results())[0]).toMatch(/authentic to its end/);
      peaks.push(await peakOf(browser));
      await visitor.leave();
      await browser.close();
    }
    const [small, large] = peaks as [number, number];
    console.log(`peaks: ${peaks.map((peak) => `${(peak / 2 ** 20).toFixed(0)} MiB`).join(", ")}`);
    expect(small).toBeGreaterThan(10 * 2 ** 20);
    // When the engine collects is its own affair; a gigabyte would show.
    expect(large).toBeLessThan(small + 200 * 2 ** 20);
  },
);
