// The bench page, in a small configuration: it runs under its policy, and tells what it measured.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { linePlot } from "#build/bench/plot.js";
import { browserName } from "#build/page/browser-name.js";
import { type Comparison, fasterFrom, type Operation } from "#build/page/compare.js";
import { benchModule } from "../bench/modules.js";
import { makeFolder, startSite, Visitor } from "./driver.js";

const folder = makeFolder();
let site: Awaited<ReturnType<typeof startSite>>;
beforeAll(async () => {
  site = await startSite();
});
afterAll(async () => {
  await site.close();
  folder.remove();
});

/** Medians, in the form of the report. */
function operation(ours: number[], theirs: number[]): Operation {
  const sizes = ours.map((_, i) => 4 ** i);
  const row = (medians: number[]) =>
    Object.fromEntries(
      medians.map((median, i) => [sizes[i]!, { best: median / 2, median, samples: 3 }]),
    );
  return {
    ...{ id: "gcm256", title: "Made up", about: "", unit: "MB/s", sizes },
    cells: { Twinwrap: row(ours), WebCrypto: row(theirs) },
  };
}

test("the crossover is where the other is faster from there on", () => {
  const from = (ours: number[], theirs: number[]) =>
    fasterFrom(operation(ours, theirs), "Twinwrap", "WebCrypto");
  expect(from([1, 2, 4, 8], [2, 3, 3, 4])).toBe(16);
  // One place where it leads and falls back is no answer.
  expect(from([1, 4, 4, 8], [2, 3, 5, 4])).toBe(64);
  expect(from([1, 2, 4], [2, 3, 5])).toBeUndefined();
  const slow = operation([1, 2], [2, 1]);
  slow.cells.WebCrypto![16] = { tooSlow: true };
  expect(fasterFrom(slow, "Twinwrap", "WebCrypto")).toBe(4);
});

test("the plot marks it in its place", () => {
  const lines = [
    {
      name: "a",
      colour: "c-a",
      points: [
        [64, 1],
        [4096, 2],
      ] as [number, number][],
    },
  ];
  const svg = linePlot({ title: "T", unit: "MB/s", lines, mark: { size: 64, text: "here" } });
  const [, x] = /class="cross" x1="([\d.]+)"/.exec(svg)!;
  expect(svg).toContain(`<circle class="dot c-a" cx="${x}"`);
  expect(linePlot({ title: "T", unit: "MB/s", lines })).not.toContain("cross");
});

test("a browser's name", () => {
  const brands = (...names: [string, string][]) => ({
    userAgent: "",
    userAgentData: { brands: names.map(([brand, version]) => ({ brand, version })) },
  });
  const nobody: [string, string] = ["Not=A?Brand", "99"];
  expect(browserName(brands(nobody, ["Chromium", "143"], ["Microsoft Edge", "142"]))).toBe(
    "Microsoft Edge 142",
  );
  expect(browserName(brands(["Chromium", "143"], nobody))).toBe("Chromium 143");
  expect(browserName(brands(["HeadlessChrome", "143"], ["Chromium", "143"]))).toBe("Chromium 143");
  const agents = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0": "Firefox 153",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36":
      "Chromium 143",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0":
      "Edge 143",
    "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":
      "Safari 18",
    "something else": "a browser that does not say",
  };
  for (const [userAgent, name] of Object.entries(agents)) {
    expect(browserName({ userAgent })).toBe(name);
  }
});

test("it runs, shows curves and numbers, and saves them", async () => {
  const visitor = await Visitor.come(site.browser, `${site.server.url}/bench.html`);
  const { page } = visitor;
  await page.waitForFunction(() => "runBench" in globalThis);
  const settings = { messages: [64, 4096], files: [65536, 1 << 20], seconds: 0.005, rounds: 2 };
  const comparison = await page.evaluate(
    (settings) =>
      (globalThis as unknown as { runBench(settings: unknown): Promise<Comparison> }).runBench(
        settings,
      ),
    settings,
  );
  expect(comparison.operations.map(({ id, sizes }) => [id, sizes])).toEqual([
    ["gcm256", [64, 4096]],
    ["sealed", [65536, 1 << 20]],
  ]);
  for (const { sizes, cells } of comparison.operations) {
    expect(Object.keys(cells).length).toBeGreaterThanOrEqual(3);
    for (const row of Object.values(cells)) {
      for (const size of sizes) {
        const { best, median, samples } = row[size] as unknown as Record<string, number>;
        expect(samples).toBeGreaterThan(0);
        expect(best).toBeGreaterThan(0);
        expect(median).toBeGreaterThanOrEqual(best!);
      }
    }
  }
  expect(comparison.peers.map(({ name }) => name).sort()).toEqual(
    [...new Set(comparison.operations.flatMap(({ cells }) => Object.keys(cells)))].sort(),
  );
  expect(await page.locator("#results svg polyline.line").count()).toBe(comparison.peers.length);
  expect(await page.locator("#results table").count()).toBe(2);
  expect(await page.locator("#status").innerText()).toBe("Done.");
  expect(await visitor.barriers()).toEqual([]);
  await visitor.picture("bench");
  // On a phone plots and tables scroll, the page does not, and their text can be read.
  await page.setViewportSize({ width: 360, height: 700 });
  const [wide, width, plot] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    innerWidth,
    document.querySelector("#results svg")!.getBoundingClientRect().width,
  ]);
  expect(wide).toBe(width);
  expect(plot).toBeGreaterThanOrEqual(800);
  expect(await visitor.barriers()).toEqual([]);
  const [name] = await visitor.saving(1, folder, () =>
    page.getByRole("button", { name: "Save the numbers" }).click(),
  );
  const saved = JSON.parse(readFileSync(folder.path(name!), "utf8"));
  expect(saved.operations).toEqual(comparison.operations);
  expect(saved.peers).toEqual(comparison.peers);
  expect(saved.machine.userAgent).toMatch(/Chrome/);
  expect(saved.machine.browser).toMatch(/^\w+ \d+$/);
  expect(saved.rounds).toBe(settings.rounds);
  // It is what the report is made of.
  const { htmlReport } = await benchModule("html.mjs");
  const html: string = htmlReport(saved);
  expect(html).not.toMatch(/NaN|undefined|Infinity|\[object/);
  for (const { name } of comparison.peers) expect(html).toContain(name);
  await visitor.leave();
});

test("it can be stopped, and works on a phone in the dark", async () => {
  const visitor = await Visitor.come(site.browser, `${site.server.url}/bench.html`, {
    colorScheme: "dark",
    viewport: { width: 360, height: 700 },
  });
  const { page } = visitor;
  await page.getByRole("button", { name: "Start" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("Stopped.").waitFor();
  const [wide, width] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    innerWidth,
  ]);
  expect(wide).toBe(width);
  expect(await visitor.barriers()).toEqual([]);
  await visitor.leave();
});
