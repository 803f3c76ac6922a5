// How large Twinwrap is for a browser: bundled, minified, gzipped, everything inside.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const DOORS = {
  core: 'export { loadCore } from "./build/core/index.js";',
  aes: 'export { loadAes } from "./build/core/aes-only.js";',
  seal: 'export { seal } from "./build/browser.js";',
  open: 'export { open } from "./build/browser.js";',
  both: 'export { open, seal } from "./build/browser.js";',
};

/** An output, and all that it imports but by import(). */
function loadedAtOnce(outputs, path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  for (const { kind, path: next } of outputs[path].imports) {
    if (kind === "import-statement") loadedAtOnce(outputs, next, found);
  }
  return found;
}

/** Bytes, by what a page imports. What is loaded later, if at all (the worker's script), does not count. */
export async function measureBundles() {
  const sizes = {};
  for (const [name, contents] of Object.entries(DOORS)) {
    const { outputFiles, metafile } = await build({
      stdin: { contents, resolveDir: fileURLToPath(new URL("..", import.meta.url)) },
      bundle: true,
      splitting: true,
      outdir: "bundles",
      minify: true,
      format: "esm",
      platform: "browser",
      write: false,
      metafile: true,
      logLevel: "silent",
    });
    const parts = [...loadedAtOnce(metafile.outputs, "bundles/stdin.js")].map(
      (path) => outputFiles.find((file) => file.path.endsWith(`/${path}`)).contents,
    );
    sizes[name] = gzipSync(Buffer.concat(parts), { level: 9 }).length;
  }
  return sizes;
}
