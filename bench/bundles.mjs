// How large the core is for a browser: bundled, minified, gzipped, everything inside.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const DOORS = { core: "core/index.js", aes: "core/aes-only.js" };

/** Bytes, by door. */
export async function measureBundles() {
  const sizes = {};
  for (const [name, file] of Object.entries(DOORS)) {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL(`../build/${file}`, import.meta.url))],
      bundle: true,
      minify: true,
      format: "esm",
      platform: "browser",
      write: false,
      logLevel: "silent",
    });
    sizes[name] = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  }
  return sizes;
}
