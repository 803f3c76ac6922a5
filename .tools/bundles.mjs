// The build's steps besides tsc: the core's WebAssembly, the workers' scripts, the command line. Each takes the
// checkout, so that a scratch copy can be built as well.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { build } from "esbuild";

/** The builds of the core: file, source and target. */
export const CORES = [
  ["core.wasm", "index", "simd"],
  ["core-relaxed.wasm", "index", "relaxed"],
  ["core-aes.wasm", "aes", "simd"],
];

/** Runs a tool of node_modules. @throws if it fails, with what it says */
export function run(root, tool, args, stdio = "inherit") {
  execFileSync(process.execPath, [`${root}node_modules/${tool}`, ...args], { cwd: root, stdio });
}

/**
 * Compiles one of {@link CORES}: in this process, where the second takes a third of the first's time.
 * @throws if it does not compile; the compiler has said why
 */
export async function compileCore(root, [file, entry, target]) {
  // A failed asc leaves an older file in place, which could pass for the new one.
  rmSync(`${root}build/${file}`, { force: true });
  const where = ["--baseDir", root, "--config", `${root}asconfig.json`, "--target", target];
  const { default: asc } = await import("assemblyscript/asc"); // loaded only to compile
  const options = [...where, "-o", `${root}build/${file}`];
  const { error } = await asc.main([`assembly/${entry}.ts`, ...options], process);
  if (error) throw error;
}

/**
 * Writes down the builds of the core, by which Node knows its files from others of the same name: it takes the
 * embedded copy for any other.
 * @returns their SHA-256 by file
 */
export function writeHashes(root) {
  const hashOf = (file) =>
    createHash("sha256")
      .update(readFileSync(`${root}build/${file}`))
      .digest("hex");
  const hashes = Object.fromEntries(CORES.map(([file]) => [file, hashOf(file)]));
  writeFileSync(
    `${root}build/core/hashes.js`,
    `export const hashes = ${JSON.stringify(hashes)};\n`,
  );
  return hashes;
}

/** The release that package.json names. */
export function versionOf(root) {
  return JSON.parse(readFileSync(`${root}package.json`, "utf8")).version;
}

/**
 * The worker's script: as text for startWorker, and as a file for pages that must serve it themselves. Beside
 * it the service worker for downloads, which is always a file.
 */
export async function bundleWorkers(root) {
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
  await bundleLate(root);
  await bundleOpener(root);
}

/**
 * What must not be there twice: an error's class, what remembers objects, and what loads yet another file. A file that is
 * loaded late is lent that by whoever loads it, and has its own copy of all else. If it imported it, a bundler that
 * splits would make files of what both sides share, and a page would ask for these in another round before it could
 * begin.
 */
const LENT = /\/build\/(errors|known|blob\/errors|envelope\/script)\.js$/;
/** The files that are loaded late, each with what it is lent (by `loaded.ts`, or where it is loaded). */
const LATE = [
  {
    from: "keys/lazily",
    to: "keys/readers",
    lent: ["CryptoApiError", "TwinwrapError", "isWholeCore", "overLimit"],
  },
  {
    from: "envelope/lazily",
    to: "envelope/late",
    lent: [
      "TwinwrapError",
      "decryptionFailed",
      "isWholeCore",
      "loadScript",
      "markPool",
      "overLimit",
    ],
  },
  { from: "core/relaxed", to: "core/relaxed-late", lent: ["TwinwrapError"] },
  { from: "core/refusal", to: "core/refusal-late", lent: ["TwinwrapError"] },
];
/** In place of shared cores: keys that are not locked need none, and a pool of one file is given its own. */
const NO_CORE = `function none() { throw new Error("no core here"); }
export { none as sharedCore, none as sharedOpening, none as sharedSealing };`;

/**
 * What is loaded when it is needed, each in one file that nothing leads to but import(). A bundler that splits by files
 * would load them at once: the package's doors name them, too.
 */
async function bundleLate(root) {
  for (const { from, to, lent } of LATE) {
    await build({
      entryPoints: [`${root}build/${from}.js`],
      outfile: `${root}build/${to}.js`,
      bundle: true,
      format: "iife",
      globalName: "made",
      banner: { js: "export default (lent) => {" },
      footer: { js: "return made; };" },
      platform: "neutral",
      target: "es2022",
      logLevel: "warning",
      plugins: [
        {
          name: "shared",
          setup({ onLoad }) {
            // The build fails if it imports more.
            onLoad({ filter: LENT }, () => ({
              contents: `export const { ${lent.join(", ")} } = lent;`,
            }));
            onLoad({ filter: /\/core\/(index|opening|sealing)\.js$/ }, () => ({
              contents: NO_CORE,
            }));
          },
        },
      ],
    });
  }
}

/** The script of an authority's openers, as text: only Node runs it. They are given the core, so it holds none. */
async function bundleOpener(root) {
  const { outputFiles } = await build({
    entryPoints: [`${root}build/authority/opener-worker.js`],
    bundle: true,
    write: false,
    format: "cjs", // what a thread takes as text
    platform: "neutral",
    external: ["node:*"],
    target: "node20.19",
    conditions: ["twinwrap-wasm-url"],
    minify: true,
    logLevel: "warning",
  });
  writeFileSync(
    `${root}build/authority/opener-script.js`,
    `export const script = ${JSON.stringify(outputFiles[0].text)};\n`,
  );
}

/**
 * One file for what sealing and opening need: Node takes about a millisecond for each. esbuild puts two modules into one
 * file if the same entries lead to both, and every module that is loaded by `import()` is an entry. So each of these is
 * made to lead to both commands.
 * @param entries their paths
 */
function inOneFile(root, entries) {
  const commands = ["encrypt", "decrypt"].map((name) => `${root}build/cli/${name}.js`);
  return {
    name: "in one file",
    setup({ onResolve, onLoad }) {
      // The package says that its modules have no side effects: without this, the lines would be left out.
      onResolve({ filter: /^in-one-file:/ }, ({ path }) => ({
        path: path.slice("in-one-file:".length),
        sideEffects: true,
      }));
      const lines = commands.map((path) => `\nimport "in-one-file:${path}";`).join("");
      onLoad({ filter: /\.js$/ }, ({ path }) =>
        entries.has(path) ? { contents: `${readFileSync(path, "utf8")}${lines}` } : undefined,
      );
    },
  };
}

/** The modules of ours that others load by `import()`. */
function loadedLate(root, { inputs }) {
  const imports = Object.values(inputs).flatMap((input) => input.imports);
  const late = imports.filter(({ kind }) => kind === "dynamic-import");
  return late
    .map(({ path }) => resolve(root, path))
    .filter((path) => path.startsWith(`${root}build/`));
}

/** The command line, bundled for a quick start; most commands stay files that are loaded when called. */
export async function bundleCommand(root) {
  rmSync(`${root}build/bin`, { recursive: true, force: true });
  const main = `${root}build/cli/main.js`;
  const options = {
    absWorkingDir: resolve(root),
    metafile: true,
    entryPoints: { twinwrap: main },
    outdir: `${root}build/bin`,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    minify: false,
    external: ["better-sqlite3"], // native code, installed only for an authority
    define: { TWINWRAP_VERSION: JSON.stringify(versionOf(root)) },
    // commander is CommonJS and asks for node's modules by require.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
    logLevel: "warning",
  };
  const first = await build({ ...options, write: false });
  const entries = new Set([main, ...loadedLate(root, first.metafile)]);
  const { metafile } = await build({ ...options, plugins: [inOneFile(root, entries)] });
  // Node looks for what kind of module each file is, and would read the package's own, longer one every time.
  writeFileSync(`${root}build/bin/package.json`, '{ "type": "module" }\n');
  chmodSync(`${root}build/bin/twinwrap.js`, 0o755);
  writeFileSync(
    `${root}build/bin/THIRD-PARTY.txt`,
    licencesOf(root, Object.keys(metafile.inputs), "command line"),
  );
}

/**
 * The packages that files are of, with their licences, as these ask for.
 * @param what contains them, in words
 * @throws if one has none
 */
export function licencesOf(root, files, what) {
  const packages = files.flatMap(
    (file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [],
  );
  const texts = [...new Set(packages)].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(`${root}${folder}/package.json`));
    const names = readdirSync(`${root}${folder}`).filter((one) =>
      /^(licen[cs]e|notice)/i.test(one),
    );
    const notices = names.map((one) => readFileSync(`${root}${folder}/${one}`, "utf8").trim());
    if (typeof license !== "string") throw new Error(`${name}: under which licence?`);
    return [`${name} ${version}: ${license}`, ...notices].join("\n\n");
  });
  const intro = `The ${what} contains these packages, under their own licences.`;
  return `${[intro, ...texts].join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}
