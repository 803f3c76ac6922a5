// Builds everything under build/: the core's WebAssembly, its embedded copy, the compiled library
// and the bundled command line. `node .tools/build.mjs wasm` stops after the first two.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { buildSite } from "./site.mjs";
import { finishTypes } from "./types.mjs";

const root = new URL("..", import.meta.url).pathname;

function run(tool, ...args) {
  try {
    execFileSync(process.execPath, [`${root}node_modules/${tool}`, ...args], {
      cwd: root,
      stdio: "inherit",
    });
  } catch {
    process.exit(1);
  }
}

const sha256 = (...parts) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

/** Everything that decides what asc makes, as one hash. */
function hashOfSources() {
  const sources = readdirSync(`${root}assembly`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
    .sort();
  const files = [
    ...sources,
    `${root}asconfig.json`,
    `${root}.tools/build.mjs`,
    `${root}node_modules/assemblyscript/package.json`,
  ];
  return sha256(...files.map((file) => sha256(file, readFileSync(file))));
}

mkdirSync(`${root}build/core`, { recursive: true });
// What asc made is kept while nothing that it was made of has changed: it takes longer than all the rest.
const CACHE = `${root}build/asc.json`;
const known = existsSync(CACHE) ? JSON.parse(readFileSync(CACHE, "utf8")) : {};
const sources = hashOfSources();
const isCurrent = (file) =>
  known.sources === sources &&
  existsSync(`${root}build/${file}`) &&
  known[file] === sha256(readFileSync(`${root}build/${file}`));
const made = {};
for (const [file, entry, target] of [
  ["core.wasm", "index", "simd"],
  ["core-relaxed.wasm", "index", "relaxed"],
  ["core-aes.wasm", "aes", "simd"],
]) {
  if (!isCurrent(file)) {
    // A failed asc leaves an older file in place; nobody shall take that for the new one.
    rmSync(`${root}build/${file}`, { force: true });
    const options = ["--config", "asconfig.json", "--target", target, "-o", `build/${file}`];
    run("assemblyscript/bin/asc.js", `assembly/${entry}.ts`, ...options);
  }
  made[file] = sha256(readFileSync(`${root}build/${file}`));
}
writeFileSync(CACHE, JSON.stringify({ sources, ...made }));
// By these Node knows its files from others of the same name.
writeFileSync(`${root}build/core/hashes.js`, `export const hashes = ${JSON.stringify(made)};\n`);
for (const [file, module] of [
  ["core.wasm", "embedded"],
  ["core-aes.wasm", "embedded-aes"],
]) {
  const packed = gzipSync(readFileSync(`${root}build/${file}`), { level: 9 });
  packed[9] = 255; // the gzip header's "operating system": the same bytes wherever it is built
  writeFileSync(
    `${root}build/core/${module}.js`,
    `export const embedded = "${packed.toString("base64")}";\n`,
  );
}
if (process.argv[2] === "wasm") process.exit(0);

run("typescript/bin/tsc", "-p", "tsconfig.json");
finishTypes(`${root}build`);

// By this a pool knows that a worker's script is of its own build.
const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
writeFileSync(
  `${root}build/envelope/release.js`,
  `export const release = "${version} ${made["core.wasm"].slice(0, 16)}";\n`,
);

// The worker's script: as text for startWorker, and as a file for pages that must serve it themselves. Beside
// it the service worker for downloads, which is always a file.
await build({
  entryPoints: {
    worker: `${root}build/envelope/worker.js`,
    download: `${root}build/envelope/download-worker.js`,
  },
  outdir: `${root}build`,
  bundle: true,
  format: "iife",
  platform: "neutral",
  target: "es2022",
  minify: true,
  logLevel: "warning",
});
writeFileSync(
  `${root}build/envelope/worker-script.js`,
  `export const script = ${JSON.stringify(readFileSync(`${root}build/worker.js`, "utf8"))};\n`,
);

// All of the browser's door in one file, for pages that have no bundler.
await build({
  entryPoints: [`${root}build/browser.js`],
  outfile: `${root}build/web/twinwrap.js`,
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  logLevel: "warning",
});
await buildSite();

// The command line is bundled, for a quick start; each command stays a file that is loaded when called.
rmSync(`${root}build/bin`, { recursive: true, force: true });
await build({
  entryPoints: { twinwrap: `${root}build/cli/main.js` },
  outdir: `${root}build/bin`,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  minify: false,
  external: ["better-sqlite3"], // native code, and only there if its user wants an authority
  define: { TWINWRAP_VERSION: JSON.stringify(version) },
  // commander is CommonJS and asks for node's modules by require.
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
  logLevel: "warning",
});
chmodSync(`${root}build/bin/twinwrap.js`, 0o755);
