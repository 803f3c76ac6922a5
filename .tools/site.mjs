// The static site: the page and its scripts, bundled into build/site/, which any web server can serve.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { licencesOf } from "./bundles.mjs";
import { htmlOf } from "./page-html.mjs";

const here = new URL("..", import.meta.url).pathname;

/** What is copied as it is, from src/page/. */
const FILES = ["page.css", "icon.svg"];
/** The pages, which .tools/page-html.mjs makes. */
const PAGES = ["index.html", "bench.html"];
/** What the pages fetch and start, from build/. */
const BESIDE = ["worker.js", "download.js", "core.wasm", "core-relaxed.wasm"];
/** What is bundled, each a page's script: src/page/NAME.ts → build/site/NAME.js. */
const SCRIPTS = ["page", "bench"];

/** Builds the site from the compiled build/page/. @param root of the checkout, or of a copy of it */
export async function buildSite(root = here) {
  const site = `${root}build/site/`;
  rmSync(site, { recursive: true, force: true });
  mkdirSync(site, { recursive: true });
  for (const name of FILES) copyFileSync(`${root}src/page/${name}`, site + name);
  for (const name of BESIDE) copyFileSync(`${root}build/${name}`, site + name);
  // Compiled by this build, so there is nothing to import before.
  const { PLOT_CSS } = await import(`${root}build/page/plot-css.js`);
  writeFileSync(`${site}plot.css`, PLOT_CSS);
  const { TEXTS } = await import(`${root}build/page/texts.js`);
  for (const name of PAGES) {
    const html = readFileSync(`${root}src/page/${name}`, "utf8");
    writeFileSync(site + name, htmlOf(html, TEXTS));
  }
  const { metafile } = await build({
    metafile: true,
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
  const inputs = Object.keys(metafile.inputs);
  writeFileSync(`${site}THIRD-PARTY.txt`, licencesOf(root, inputs, "page"));
}
