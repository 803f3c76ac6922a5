// The page in Chromium, as a person works it; and the command line beside it.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import type { Browser, BrowserContextOptions, Download, Page } from "playwright-core";
import { expect } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { serve } from "../../.tools/serve.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const screenshots = join(root, "build/screenshots");

/** The policy of the page's own HTML, and what only a header can say. */
const HEADERS = {
  "content-security-policy": "frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
};

/** A folder for one test file, with the command line in it. */
export function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), "twinwrap-page-"));
  const path = (name: string) => join(folder, name);
  return {
    path,
    /** Runs the command line there; throws with what it said if it fails. */
    cli: (...args: string[]) =>
      execFileSync(process.execPath, [join(root, "build/bin/twinwrap.js"), ...args], {
        cwd: folder,
        encoding: "utf8",
        stdio: "pipe",
      }),
    read: (name: string) => readFileSync(path(name)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The site, served, and a browser for it. */
export async function startSite() {
  const server = await serve(join(root, "build/site"), { headers: HEADERS });
  const browser: Browser = await launchChromium({
    args: ["--host-resolver-rules=MAP plain.test 127.0.0.1"],
  });
  return {
    server,
    browser,
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** One visitor. */
export class Visitor {
  readonly page: Page;
  readonly #troubles: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.#troubles.push(message.text());
    });
    page.on("pageerror", (error) => this.#troubles.push(String(error.stack)));
    page.on("request", (request) => {
      const { host, protocol } = new URL(request.url());
      if (protocol !== "blob:" && protocol !== "data:" && host !== new URL(page.url()).host) {
        if (page.url() !== "about:blank") this.#troubles.push(`asks ${request.url()}`);
      }
    });
  }

  /** @param picker whether the browser has File System Access: a picker needs a window to be worked */
  static async come(
    browser: Browser,
    url: string,
    options: BrowserContextOptions & { picker?: boolean } = {},
  ): Promise<Visitor> {
    const context = await browser.newContext({ acceptDownloads: true, ...options });
    const page = await context.newPage();
    await page.addInitScript(() => {
      Object.assign(globalThis, { violations: [] });
      delete (globalThis as { showSaveFilePicker?: unknown }).showSaveFilePicker;
      addEventListener("securitypolicyviolation", (event) => {
        (globalThis as unknown as { violations: string[] }).violations.push(
          `${event.violatedDirective}: ${event.blockedURI}`,
        );
      });
    });
    const visitor = new Visitor(page);
    await page.goto(url);
    return visitor;
  }

  /** Goes to one of the page's views. */
  async view(name: string): Promise<void> {
    await this.page.getByRole("link", { name, exact: true }).click();
  }

  /** Puts files into one of the page's inputs. */
  async give(input: string, ...paths: string[]): Promise<void> {
    await this.page.setInputFiles(`#${input}`, paths);
  }

  /** Adds keys or an authority, and waits until they are there. */
  async add(...paths: string[]): Promise<void> {
    const before = await this.page.locator("#keys > li").count();
    await this.give("key-files", ...paths);
    await expect
      .poll(() => this.page.locator("#keys > li").count())
      .toBeGreaterThanOrEqual(before + paths.length);
  }

  /** Does what makes the browser download so many files, and saves each under its name. */
  async saving(
    count: number,
    folder: { path(name: string): string },
    work: () => Promise<unknown>,
  ): Promise<string[]> {
    const downloads: Download[] = [];
    const listen = (download: Download) => downloads.push(download);
    this.page.on("download", listen);
    await work();
    await expect.poll(() => downloads.length).toBe(count);
    this.page.off("download", listen);
    const names: string[] = [];
    for (const download of downloads) {
      const name = download.suggestedFilename();
      await download.saveAs(folder.path(name));
      names.push(name);
    }
    return names;
  }

  /** The results in a view, once there are so many and none is still at work. */
  async results(count = 1, view = "main > section:not([hidden])"): Promise<string[]> {
    const items = this.page.locator(`${view} .results > li`);
    // While a form is at work its buttons can't be pressed.
    await expect.poll(() => this.page.locator("form button:disabled").count()).toBe(0);
    await expect.poll(() => items.count()).toBe(count);
    await expect
      .poll(() => this.page.locator(`${view} .results > li:not(.good, .bad)`).count())
      .toBe(0);
    return items.allInnerTexts();
  }

  /** Keeps a picture of the page as it is. */
  async picture(name: string): Promise<void> {
    mkdirSync(screenshots, { recursive: true });
    await this.page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
  }

  /** What axe-core finds against accessibility, as the page is now. */
  async barriers(): Promise<string[]> {
    await this.page.evaluate(axe.source);
    return this.page.evaluate(async () => {
      const { axe } = globalThis as unknown as typeof import("axe-core") & {
        axe: typeof import("axe-core");
      };
      const { violations } = await axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      });
      return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
      );
    });
  }

  /** Leaves, and tells what was wrong meanwhile: refused by the policy, errors, other hosts. */
  async leave(): Promise<void> {
    const violations = await this.page.evaluate(
      () => (globalThis as unknown as { violations: string[] }).violations,
    );
    expect(violations).toEqual([]);
    expect(this.#troubles).toEqual([]);
    await this.page.context().close();
  }
}
