// The oldest browsers that the README names, as far as today's Chromium can be made one: a page that has nothing of
// what MDN's tables say that they lack. Chromium 92 and 109 themselves run in npm run test:runtimes.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { cases } from "../runtimes/body.js";
import { inPage } from "../runtimes/engines.js";
import { isRight, makeMaterial } from "../runtimes/material.js";

type Support = { version_added: string | boolean | null; flags?: unknown };
interface Node {
  __compat?: { support: Record<string, Support | Support[]> };
  [name: string]: unknown;
}

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const { api, javascript } = JSON.parse(read("node_modules/@mdn/browser-compat-data/data.json"));
const README = read("README.md");

/** Whether a browser has it, by what MDN says of the first version; what MDN does not know is left alone. */
function hasIt(node: Node, browser: string, version: number): boolean {
  const support = node.__compat?.support[browser];
  const [first] = Array.isArray(support) ? support : [support];
  if (first === undefined || first.version_added === null || first.version_added === true)
    return true;
  if (first.version_added === false || first.flags !== undefined) return false;
  return Number.parseFloat(first.version_added.replace("≤", "")) <= version;
}

/** Names and members of the global object that a browser has not, like "Array.fromAsync". */
function lacking(browser: string, version: number): string[] {
  const roots: Record<string, Node> = { ...api, ...javascript.builtins };
  return Object.entries(roots).flatMap(([name, node]) => {
    if (!hasIt(node, browser, version)) return [name];
    return Object.entries(node)
      .filter(([key, member]) => key !== "__compat" && !hasIt(member as Node, browser, version))
      .map(([key]) => `${name}.${key}`);
  });
}

/** Runs in the page, before all else. */
const TAKE_AWAY = (paths: string[]) => `
for (const path of ${JSON.stringify(paths)}) {
  const [name, member] = path.split(".");
  if (member === undefined) { delete globalThis[name]; continue; }
  const key = member === "@@asyncIterator" ? Symbol.asyncIterator : member === "@@dispose" ? Symbol.dispose : member;
  for (const owner of [globalThis[name], globalThis[name]?.prototype]) {
    if (owner !== undefined && owner !== null && key !== undefined) delete owner[key];
  }
}`;

// As the README has it: "Chrome 92, Firefox 113, Safari 16.4".
const OLDEST = [
  ["chrome", "Chrome"],
  ["firefox", "Firefox"],
  ["safari", "Safari"],
].map(([browser, name]) => {
  const found = new RegExp(`oldest[^.]*?${name} ([\\d.]+\\d)`, "s").exec(README);
  if (found === null) throw new Error(`the README does not say which ${name} is the oldest`);
  return [browser!, Number(found[1])] as const;
});

test("all works without what any of them lacks", async () => {
  const paths = new Set(OLDEST.flatMap(([browser, version]) => lacking(browser, version)));
  const material = makeMaterial();
  const { report } = await inPage(
    material,
    async (url) => {
      const chromium = await launchChromium();
      const page = await chromium.newPage();
      await page.goto(url);
      // From Chrome 93, 98 and 111; Firefox 119; Safari 17.4.
      const later =
        "[Object.hasOwn, globalThis.structuredClone, ''.isWellFormed, Object.groupBy, Promise.withResolvers].join()";
      expect(await page.evaluate(later)).toBe(",,,,");
      return { version: chromium.version(), close: () => chromium.close() };
    },
    TAKE_AWAY([...paths]),
  );
  expect(report.outcomes.filter(({ error }) => error !== undefined)).toEqual([]);
  expect(report.outcomes.length).toBe(cases(material).size);
  expect(report.products.filter((product) => !isRight(product, material))).toEqual([]);
});
