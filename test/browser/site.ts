// A site for one test: pages that have the library as `twinwrap`, under the policy that the test wants.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import type * as Library from "twinwrap";
import { serve } from "../../.tools/serve.mjs";
import type * as BrowserDoor from "../../build/browser.js";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const built = (name: string) => readFileSync(`${root}build/${name}`);

/** What a strict page allows: its own scripts, and WebAssembly. */
export const STRICT =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; frame-src 'self'";

/** The library's browser door is there under its name in every page. */
declare global {
  var twinwrap: typeof BrowserDoor & typeof Library;
  var violations: string[];
}

/** Bundles code that imports twinwrap, as a page's build would. */
export async function bundle(contents: string, options: BuildOptions = {}): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root, loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "browser",
    write: false,
    alias: { twinwrap: "./build/browser.js", "twinwrap/aes": "./build/core/aes-only.js" },
    ...options,
  });
  return outputFiles![0]!.text;
}

const GLOBAL = 'import * as twinwrap from "twinwrap"; globalThis.twinwrap = twinwrap;';

export interface SiteOptions {
  /** The Content-Security-Policy; none by default. */
  policy?: string;
  /** The page's script; one that makes `twinwrap` global by default. */
  script?: string;
  files?: Record<string, string | Uint8Array>;
  onPost?: (path: string, text: string) => unknown;
}

export async function site({ policy, script, files, onPost }: SiteOptions = {}) {
  return serve(`${root}build`, {
    headers: policy === undefined ? {} : { "content-security-policy": policy },
    files: {
      "/": "<!doctype html><title>test</title><script type=module src=/page.js></script>",
      "/page.js": script ?? (await bundle(GLOBAL)),
      "/favicon.ico": "",
      ...files,
    },
    ...(onPost === undefined ? {} : { onPost }),
  });
}

/** Opens a page, and waits until its script has run. What the policy refuses is kept in `violations`. */
export async function visit(browser: Browser, url: string): Promise<Page> {
  const page = await (await browser.newContext({ acceptDownloads: true })).newPage();
  await page.addInitScript(() => {
    globalThis.violations = [];
    addEventListener("securitypolicyviolation", (event) => {
      globalThis.violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
    });
  });
  await page.goto(url);
  await page.waitForFunction(() => globalThis.twinwrap !== undefined);
  return page;
}
