// The static site: the page and its scripts, bundled into build/site/, which any web server can serve.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { licencesOf } from "./bundles.mjs";

const root = new URL("..", import.meta.url).pathname;
const site = `${root}build/site/`;

/** What is copied as it is, from src/page/. */
const FILES = ["bench.html", "page.css", "icon.svg"];
/** What the pages fetch and start, from build/. */
const BESIDE = ["worker.js", "download.js", "core.wasm", "core-relaxed.wasm"];
/** What is bundled, each a page's script: src/page/NAME.ts → build/site/NAME.js. */
const SCRIPTS = ["page", "bench"];

/** The page's HTML with its texts in it: {{seal.title}} is TEXTS.seal.title. @throws if one is missing */
function withTexts(html, texts) {
  const escaped = (text) => text.replace(/[&<>"]/g, (one) => `&#${one.codePointAt(0)};`);
  return html
    .replace('lang="en"', `lang="${texts.lang}"`)
    .replace(/\{\{(\w+)\.(\w+)\}\}/g, (_, group, name) => {
      const text = texts[group]?.[name];
      if (typeof text !== "string") throw new Error(`index.html: no text ${group}.${name}`);
      return escaped(text);
    });
}

/** Builds the site from the compiled build/page/. */
export async function buildSite() {
  rmSync(site, { recursive: true, force: true });
  mkdirSync(site, { recursive: true });
  for (const name of FILES) copyFileSync(`${root}src/page/${name}`, site + name);
  for (const name of BESIDE) copyFileSync(`${root}build/${name}`, site + name);
  // Compiled by this build, so there is nothing to import before.
  const { PLOT_CSS } = await import("../build/page/plot-css.js");
  writeFileSync(`${site}plot.css`, PLOT_CSS);
  const { TEXTS } = await import("../build/page/texts.js");
  const html = readFileSync(`${root}src/page/index.html`, "utf8");
  writeFileSync(`${site}index.html`, withTexts(html, TEXTS));
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
