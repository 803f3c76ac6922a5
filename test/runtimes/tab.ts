// A tab of any engine that is worked as a person works it: each step waits for what the page shows.
import { test } from "vitest";
import type { Tab } from "./engines.js";

/** Tries in the page, ten a second, until an expression is true there. @returns it as text @throws if it never is */
async function until(tab: Tab, expression: string): Promise<string> {
  const said = await tab.run(`
    for (let i = 0; i < 600; i++) {
      const found = ${expression};
      if (found) return String(found);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return "";`);
  if (said !== "") return said;
  const shown = await tab.run("return document.body.innerText");
  throw new Error(`the page never had ${expression}; it shows ${shown}`);
}

const one = (selector: string) => `document.querySelector(${JSON.stringify(selector)})`;

export function worker(tab: Tab) {
  /** Waits for an element. @returns its text */
  const text = (selector: string) => until(tab, `${one(selector)}?.innerText`);
  return {
    text,
    /** Goes to a view, which is loaded then. */
    async go(view: string) {
      await tab.run(`location.hash = "#${view}"; return "";`);
      await until(tab, `!${one(`[data-view=${view}]`)}.hidden`);
    },
    /** Puts a file into an input, which the page's script makes. */
    async choose(selector: string, path: string) {
      await until(tab, one(selector));
      await tab.choose(selector, path);
    },
    /** Presses a button once it can be pressed. */
    async press(selector: string) {
      await until(tab, one(`${selector}:not([hidden] *):enabled`));
      await tab.run(`${one(selector)}.click(); return "";`);
    },
    /** Types into a field. */
    async type(selector: string, value: string) {
      await until(tab, one(selector));
      await tab.run(`${one(selector)}.value = ${JSON.stringify(value)}; return "";`);
    },
    /** The first result in a place, once the work there is over. */
    async result(place: string) {
      const shown = await text(`${place} .results > :is(.good, .warn, .bad)`);
      await until(tab, `${one(`${place} button:disabled`)} === null`);
      return shown;
    },
  };
}

/**
 * A test in one engine. It skips where the engine is not there, unless it has to be; what comes of it in WebKit is only
 * reported.
 */
export function testIn(
  engine: string,
  what: string,
  missing: string | undefined,
  body: () => Promise<void>,
): void {
  const isReported = engine === "WebKit";
  const name = `${what} in ${engine}${isReported ? " (reported)" : ""}`;
  if (missing !== undefined && (isReported || !process.env.TWINWRAP_ALL_ENGINES)) {
    test.skip(`${name}: not here, ${missing}`, () => {});
    return;
  }
  test(name, async () => {
    await body().catch((error) => {
      if (!isReported) throw error;
      console.warn(`${name}: ${error}`);
    });
  });
}
