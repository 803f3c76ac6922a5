// How large the core is for a browser: bundled, minified, gzipped, everything inside.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** Bytes. A bundle of AES alone is no part of this package: the core's WebAssembly is one file. */
export async function measureBundles() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("../build/core/index.js", import.meta.url))],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    write: false,
    logLevel: "silent",
  });
  return { core: gzipSync(outputFiles[0].contents, { level: 9 }).length };
}
