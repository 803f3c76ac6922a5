// The static site: the page and its scripts, bundled into build/site/, which any web server can serve.
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const root = new URL("..", import.meta.url).pathname;
const site = `${root}build/site/`;

/** What is copied as it is, from src/page/. */
const FILES = ["index.html", "bench.html", "page.css", "icon.svg"];
/** What the pages fetch and start, from build/. */
const BESIDE = ["worker.js", "download.js", "core.wasm", "core-relaxed.wasm"];
/** What is bundled, each a page's script: src/page/NAME.ts → build/site/NAME.js. */
const SCRIPTS = ["page", "bench"];

/** Builds the site from the compiled build/page/. */
export async function buildSite() {
  rmSync(site, { recursive: true, force: true });
  mkdirSync(site, { recursive: true });
  for (const name of FILES) copyFileSync(`${root}src/page/${name}`, site + name);
  for (const name of BESIDE) copyFileSync(`${root}build/${name}`, site + name);
  // Compiled by this build, so there is nothing to import before.
  const { PLOT_CSS } = await import("../build/page/plot-css.js");
  writeFileSync(`${site}plot.css`, PLOT_CSS);
  await build({
    entryPoints: SCRIPTS.map((name) => `${root}build/page/${name}.js`),
    outdir: site,
    bundle: true,
    splitting: true,
    conditions: ["twinwrap-wasm-url"],
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    logLevel: "warning",
  });
}
