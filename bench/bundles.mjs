// How large Twinwrap is for a browser: bundled, minified, gzipped, everything inside.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const DOORS = {
  core: 'export { loadCore } from "./build/core/index.js";',
  aes: 'export { loadAes } from "./build/core/aes-only.js";',
  seal: 'export { open, seal } from "./build/browser.js";',
};

/** Bytes, by what a page imports. What is loaded later, if at all (the worker's script), does not count. */
export async function measureBundles() {
  const sizes = {};
  for (const [name, contents] of Object.entries(DOORS)) {
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: fileURLToPath(new URL("..", import.meta.url)) },
      bundle: true,
      splitting: true,
      outdir: "bundles",
      minify: true,
      format: "esm",
      platform: "browser",
      write: false,
      logLevel: "silent",
    });
    const entry = outputFiles.find(({ path }) => path.endsWith("stdin.js"));
    sizes[name] = gzipSync(entry.contents, { level: 9 }).length;
  }
  return sizes;
}
