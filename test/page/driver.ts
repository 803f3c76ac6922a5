// The page in Chromium, as a person works it; and the command line beside it.
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import type { Browser, BrowserContextOptions, Download, Page } from "playwright-core";
import { expect } from "vitest";
import { launchChromium } from "../../.tools/browsers.mjs";
import { serve } from "../../.tools/serve.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Pictures take time, so they are kept only if somebody wants to look at them. */
const isPictured = process.env.TWINWRAP_SCREENSHOTS === "1";
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

type Folder = ReturnType<typeof makeFolder>;

/** The three officers of an authority, two of whom release. */
export const OFFICERS = ["ann", "ben", "cyd"];

/** Makes the authority here.example in the folder `here`, and its officers' keys, ann.pem and so on. */
export function makeAuthority({ cli }: Folder, ...options: string[]): void {
  const officers = OFFICERS.flatMap((name) => ["--new-officer", `${name}.pem`]);
  const about = ["--no-passphrase", "--origin", "here.example", "--quorum", "2"];
  cli("authority", "init", "here", ...about, ...officers, ...options);
}

/** An officer decides, at the authority's own machine. */
export function decide({ cli }: Folder, name: string, word: "approve" | "deny", id: string): void {
  const about = ["-k", `${name}.pem`, "--identity", "met", "--yes", "--authority", "here"];
  cli("authority", word, id, ...about);
}

/** A new token. @param about its scopes, and whose it is */
export function addToken({ cli }: Folder, ...about: string[]): { id: string; token: string } {
  return JSON.parse(cli("authority", "token", "add", ...about, "--authority", "here", "--json"));
}

/** Makes NAME.authority, a connection file, for somebody who is given a token. @returns the token's ID */
export function enrol(folder: Folder, url: string, name: string, ...about: string[]): string {
  const { id, token } = addToken(folder, ...about);
  writeFileSync(folder.path(`${name}.token`), `${token}\n`);
  const options = ["--token-file", `${name}.token`, "--yes", "--no-passphrase"];
  folder.cli("authority", "enrol", url, ...options, "-o", `${name}.authority`);
  return id;
}

/** An authority's service, in a process of its own. */
export async function startService(
  folder: { path(name: string): string },
  name: string,
  ...options: string[]
) {
  const command = [join(root, "build/bin/twinwrap.js"), "authority", "serve", folder.path(name)];
  const child = spawn(process.execPath, [...command, "--log-level", "silent", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (text) => {
      said += text;
      const [, place] = /^listening on (\S+)\n/m.exec(said) ?? [];
      if (place !== undefined) resolve(place);
    });
    void ended.then(() => reject(new Error(`the service ended: ${said}`)));
  });
  return {
    url,
    async end() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** The site's files, as they were built. */
export const siteFile = (name: string) => readFileSync(join(root, "build/site", name), "utf8");

/**
 * The site, served, and a browser for it.
 * @param files answers in place of the site's files, by path: they may be put there later
 */
export async function startSite(files: Record<string, string> = {}) {
  const server = await serve(join(root, "build/site"), { headers: HEADERS, files });
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

  /** @param asks the hosts that the page may ask, besides its own */
  private constructor(page: Page, asks: readonly string[]) {
    this.page = page;
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.#troubles.push(message.text());
    });
    page.on("pageerror", (error) => this.#troubles.push(String(error.stack)));
    page.on("request", (request) => {
      const { host, protocol } = new URL(request.url());
      const may = [new URL(page.url()).host, ...asks];
      if (protocol !== "blob:" && protocol !== "data:" && !may.includes(host)) {
        if (page.url() !== "about:blank") this.#troubles.push(`asks ${request.url()}`);
      }
    });
  }

  /**
   * @param options.asks the hosts that the page may ask, besides its own
   * @param options.clock what the visitor's clock says all the time, if it is not the time of now; or "ours", if
   *   {@link hurried} is to move it
   */
  static async come(
    browser: Browser,
    url: string,
    {
      asks = [],
      clock,
      ...options
    }: BrowserContextOptions & { asks?: readonly string[]; clock?: Date | "ours" } = {},
  ): Promise<Visitor> {
    const context = await browser.newContext({ acceptDownloads: true, ...options });
    const page = await context.newPage();
    if (clock === "ours") await page.clock.install();
    else if (clock !== undefined) await page.clock.setFixedTime(clock);
    await page.addInitScript(() => {
      Object.assign(globalThis, { violations: [] });
      delete (globalThis as { showSaveFilePicker?: unknown }).showSaveFilePicker;
      addEventListener("securitypolicyviolation", (event) => {
        (globalThis as unknown as { violations: string[] }).violations.push(
          `${event.violatedDirective}: ${event.blockedURI}`,
        );
      });
    });
    const visitor = new Visitor(page, asks);
    await page.goto(url);
    return visitor;
  }

  /** Does something while the page's clock runs fast, so that nobody waits for what the page lets pass. */
  async hurried<T>(work: () => Promise<T>): Promise<T> {
    let isOver = false;
    const clock = (async () => {
      while (!isOver) {
        await this.page.clock.fastForward(1000);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    try {
      return await work();
    } finally {
      isOver = true;
      await clock;
    }
  }

  /** Goes to one of the page's views. */
  async view(name: string): Promise<void> {
    const link = this.page.getByRole("navigation").getByRole("link", { name, exact: true });
    await link.click();
    const view = `main > section[data-view=${name.toLowerCase()}]:not([hidden])`;
    await this.page.locator(view).waitFor();
  }

  /** Opens everything that is behind “Details” in the view that the address names. */
  async more(): Promise<void> {
    const view = new URL(this.page.url()).hash.slice(1);
    if (view !== "") await this.page.locator(`[data-view=${view}]:not([hidden])`).waitFor();
    for (const one of await this.page.locator("details.more:not([open]) > summary:visible").all()) {
      await one.click();
    }
  }

  /** Goes on from a step of a guide, once that step is open. */
  async next(step: string): Promise<void> {
    const open = this.page.locator(`[data-step=${step}][aria-current]`);
    await open.getByRole("button", { name: "Next" }).click();
  }

  /** Ticks a key, or another choice, in the view that is shown. */
  async tick(...names: string[]): Promise<void> {
    for (const name of names) {
      await this.page.locator("main .check:visible").filter({ hasText: name }).click();
    }
  }

  /** What the page says beside a field. */
  async fieldError(): Promise<string> {
    const error = this.page.locator(".field-error:visible");
    await expect.poll(() => error.count()).toBe(1);
    return error.innerText();
  }

  /** Puts files into one of the page's inputs. */
  async give(input: string, ...paths: string[]): Promise<void> {
    await this.page.setInputFiles(`#${input}`, paths);
  }

  /** Adds keys or an authority, and waits until they are there. */
  async add(...paths: string[]): Promise<void> {
    const before = await this.page.locator("#key-list > li").count();
    await this.give("key-files", ...paths);
    await expect
      .poll(() => this.page.locator("#key-list > li").count())
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
      .poll(() => this.page.locator(`${view} .results > li:not(.good, .warn, .bad)`).count())
      .toBe(0);
    return items.allInnerTexts();
  }

  /** Keeps a picture of the page as it is, if pictures are wanted. */
  async picture(name: string): Promise<void> {
    if (!isPictured) return;
    mkdirSync(screenshots, { recursive: true });
    await this.page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
  }

  /**
   * Sees that the page as it is holds together in every width and both schemes: nothing to scroll sideways, and no
   * barrier. Widths change where things are, schemes their colours, so each is looked at once for barriers. Keeps
   * pictures, if they are wanted.
   */
  async album(name: string): Promise<void> {
    const before = this.page.viewportSize()!;
    for (const colorScheme of ["light", "dark"] as const) {
      // A colour on its way to the other scheme would be taken for the one that stays.
      await this.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const width of [320, 360, 768, 1280, 1920]) {
        await this.page.setViewportSize({ width, height: 800 });
        const wide = await this.page.evaluate(() => document.documentElement.scrollWidth);
        expect(`${name} ${width} ${wide}`).toBe(`${name} ${width} ${width}`);
        if (width === (colorScheme === "light" ? 1280 : 360)) {
          expect([name, width, colorScheme, await this.barriers()]).toEqual([
            ...[name, width, colorScheme],
            [],
          ]);
        }
        if (width !== 320 && width !== 1920) await this.picture(`${name}-${width}-${colorScheme}`);
      }
    }
    await this.page.emulateMedia({ colorScheme: null, reducedMotion: null });
    await this.page.setViewportSize(before);
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

  /**
   * Leaves, and tells what was wrong meanwhile: refused by the policy, errors, other hosts.
   * @param expected what the browser had to complain of
   */
  async leave(expected?: RegExp): Promise<void> {
    const violations = await this.page.evaluate(
      () => (globalThis as unknown as { violations: string[] }).violations,
    );
    expect(violations).toEqual([]);
    const others = this.#troubles.filter((one) => expected === undefined || !expected.test(one));
    expect(others).toEqual([]);
    expect(others.length < this.#troubles.length).toBe(expected !== undefined);
    await this.page.context().close();
  }
}
