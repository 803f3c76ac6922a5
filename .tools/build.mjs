// Builds everything under build/: the core's WebAssembly, its embedded copy, the compiled library, what pages load,
// and the bundled command line. `node .tools/build.mjs wasm` makes the first two alone, and `… ts` what comes of
// TypeScript alone: the library, its workers and the command line.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import {
  bundleCommand,
  bundleWorkers,
  CORES,
  compileCore,
  run,
  versionOf,
  writeHashes,
} from "./bundles.mjs";
import { writeManual } from "./man.mjs";
import { embedCores } from "./parts.mjs";
import { buildSite } from "./site.mjs";
import { finishTypes } from "./types.mjs";

const root = new URL("..", import.meta.url).pathname;

async function orExit(work) {
  try {
    await work();
  } catch {
    process.exit(1); // the tool has said why
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
    `${root}.tools/bundles.mjs`,
    `${root}node_modules/assemblyscript/package.json`,
  ];
  return sha256(...files.map((file) => sha256(file, readFileSync(file))));
}

// asc's results are kept until its inputs change: it takes longer than all the rest.
const CACHE = `${root}build/asc.json`;

/** What the cache says; nothing if there is none, or if writing it was interrupted. */
function readCache() {
  try {
    return JSON.parse(readFileSync(CACHE, "utf8"));
  } catch {
    return {};
  }
}

/** Says what is done now: the whole takes minutes where asc has to compile. */
function say(what) {
  process.stderr.write(`build: ${what}\n`);
}

/** The core's builds, as far as they are not current. @returns their SHA-256 by file */
async function buildCore() {
  mkdirSync(`${root}build/core`, { recursive: true });
  const known = readCache();
  const sources = hashOfSources();
  const isCurrent = (file) =>
    known.sources === sources &&
    existsSync(`${root}build/${file}`) &&
    known[file] === sha256(readFileSync(`${root}build/${file}`));
  const missing = CORES.filter(([file]) => !isCurrent(file));
  for (const [i, core] of missing.entries()) {
    say(`${core[0]} (${i + 1} of ${missing.length}; AssemblyScript takes its time)`);
    await orExit(() => compileCore(root, core));
  }
  const hashes = writeHashes(root);
  // A change made while asc was reading may be in these files, or not: the next build makes them anew.
  if (hashOfSources() === sources) writeFileSync(CACHE, JSON.stringify({ sources, ...hashes }));
  else rmSync(CACHE, { force: true });
  await embedCores(root, hashes, say);
  return hashes;
}

/** The compiled library, with its workers' scripts and the command line. */
async function buildLibrary(hashes) {
  say("the library (TypeScript)");
  await orExit(() => run(root, "typescript/bin/tsc", ["-p", "tsconfig.json"]));
  finishTypes(`${root}build`);
  // A pool tells by this that a worker's script is from its own build.
  writeFileSync(
    `${root}build/envelope/build-id.js`,
    `export const buildId = "${versionOf(root)} ${hashes["core.wasm"].slice(0, 16)}";\n`,
  );
  say("the workers and the command line");
  await bundleWorkers(root);
  await bundleCommand(root);
}

/** All of the browser's door in one file, for pages that have no bundler, and the page. */
async function buildWeb() {
  say("what pages load");
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
}

const [part] = process.argv.slice(2);
if (part === "ts" && CORES.some(([file]) => !existsSync(`${root}build/${file}`))) {
  say("the core is not there yet: npm run build makes it");
  process.exit(1);
}
const hashes = part === "ts" ? writeHashes(root) : await buildCore();
if (part !== "wasm") await buildLibrary(hashes);
if (part === undefined) {
  await buildWeb();
  await writeManual(root);
}
