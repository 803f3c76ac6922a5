// Finds mistakes that no test notices: applies one-line mistakes to the sources, each by itself and in a copy of the
// checkout, and runs the tests that should notice. `npm run mutate -- assembly/rsa 12 40-50` takes those whose
// file's name holds a text, or by number; all without either. With `--shard 1/2` it takes every second of them.
//
// The mistakes stand in .tools/mutations/*.txt. "== FILE" begins the mutations of a source file, "tests FILE …"
// says which tests should notice those that follow, "only PATTERN" which of them by their names; a mutation is
// lines "- old" and "+ new" (none if they are only taken out), with an empty line behind. Where the lines stand is
// found by their text, without indentation, which has to be there once. "#" begins a comment.
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import asc from "assemblyscript/asc";
import { stop, transform } from "esbuild";
import { createVitest } from "vitest/node";
import { bundleCommand, bundleWorkers, CORES, writeHashes } from "./bundles.mjs";
import { buildSite } from "./site.mjs";

const root = new URL("..", import.meta.url).pathname;
/** Tests that take longer have met a loop without an end. */
const LIMIT = 600_000;
/** The share that may survive. */
const ALLOWED = 0.03;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    shard: { type: "string", default: "1/1" },
    unchecked: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
  },
});

/** Reads a list. @throws where it makes no sense */
function readList(path) {
  const mutations = [];
  let [file, tests, only, hunk] = [undefined, [], undefined, undefined];
  for (const [i, line] of readFileSync(path, "utf8").split("\n").entries()) {
    const at = `${basename(path)}:${i + 1}`;
    if (line.startsWith("#")) continue;
    const [word] = line.split(" ", 1);
    const rest = line.slice(word.length + 1).trim();
    if (word === "-" || word === "+") {
      if (hunk === undefined) {
        hunk = { at, file, tests, only, old: [], now: [] };
        mutations.push(hunk);
      }
      (word === "-" ? hunk.old : hunk.now).push(rest);
      continue;
    }
    hunk = undefined;
    if (word === "==") [file, tests, only] = [rest, [], undefined];
    else if (word === "tests") [tests, only] = [rest.split(" "), undefined];
    else if (word === "only") only = rest;
    else if (line !== "") throw new Error(`${at}: what is "${line}"?`);
  }
  return mutations;
}

/** The text with the mutation in it. @throws if its place is not there, or more than once */
function mutated(text, { old, now }) {
  const lines = text.split("\n");
  const trimmed = lines.map((line) => line.trim());
  const places = trimmed.flatMap((_, i) =>
    old.every((line, j) => trimmed[i + j] === line) ? [i] : [],
  );
  if (old.length === 0 || places.length !== 1) {
    throw new Error(`its lines are there ${places.length} times`);
  }
  lines.splice(places[0], old.length, ...now);
  return lines.join("\n");
}

/** What is wrong with an entry of the list; undefined if nothing is. */
function errorOf({ at, file, tests, ...mutation }) {
  const missing = [file, ...tests].find((path) => !existsSync(root + path));
  if (missing !== undefined) return `${at}: there is no ${missing}`;
  if (tests.length === 0) return `${at}: no tests`;
  const text = readFileSync(root + file, "utf8");
  try {
    return mutated(text, mutation) === text ? `${at}: it changes nothing` : undefined;
  } catch ({ message }) {
    return `${at}: ${message}`;
  }
}

/** A copy of the checkout, built as that is. */
function copy() {
  const to = `${mkdtempSync(join(tmpdir(), "twinwrap-mutate-"))}/`;
  for (const name of readdirSync(root)) {
    if (name === "node_modules" || name === ".git") continue;
    cpSync(root + name, to + name, { recursive: true });
  }
  symlinkSync(`${root}node_modules`, `${to}node_modules`);
  return to;
}

/** What the compiler makes of a source file. */
const compiled = (file) => file.replace(/^src/, "build").replace(/\.ts$/, ".js");

const isRelaxed = (test) => /\.(relaxed|unfused)\.test\.ts$/.test(test);
/** The builds of the core that the tests use; that of AES alone is tested beside the whole. */
const coresOf = (tests) =>
  CORES.filter(([, entry, target]) => {
    if (entry !== "index") return false;
    return target === "relaxed" ? tests.some(isRelaxed) : !tests.every(isRelaxed);
  });
const WORKERS = [
  "build/worker.js",
  "build/download.js",
  "build/envelope/worker-script.js",
  "build/authority/opener-script.js",
  "build/keys/readers.js",
  "build/envelope/late.js",
  "build/core/relaxed-late.js",
  "build/core/refusal-late.js",
];
const useWorkers = (tests) =>
  tests.some((test) => /\/(engines|openers|any|parts|realms)\./.test(test));
const useSite = (tests) => tests.some((test) => test.startsWith("test/page/"));
const useCommand = (tests) => tests.some((test) => test.startsWith("test/cli/"));

/** The parts of build/ to make anew for a mutation: those that come from its file and that its tests use. */
function madeOf({ file, tests }) {
  if (file.startsWith("assembly/")) {
    return [...coresOf(tests).map(([name]) => `build/${name}`), "build/core/hashes.js"];
  }
  const workers = useWorkers(tests) ? WORKERS : [];
  const command = useCommand(tests) ? ["build/bin"] : [];
  const site = useSite(tests) ? ["build/site"] : [];
  return [compiled(file), ...workers, ...command, ...site];
}

/**
 * Makes that. The core is not optimized as far as the build does it, which takes most of the time.
 * @throws if it does not compile
 */
async function rebuild(folder, { file, tests }) {
  if (file.startsWith("assembly/")) {
    for (const [name, entry, target] of coresOf(tests)) {
      const where = ["--baseDir", folder, "--config", `${folder}asconfig.json`, "--target", target];
      const options = [...where, "--optimizeLevel", "1", "-o", `${folder}build/${name}`];
      const { error, stderr } = await asc.main([`assembly/${entry}.ts`, ...options]);
      if (error) throw new Error(stderr.toString().trim());
    }
    // Or Node would take the embedded copy, without the mutation.
    writeHashes(folder);
    return;
  }
  const { code } = await transform(readFileSync(folder + file, "utf8"), {
    loader: "ts",
    target: "es2022",
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
  });
  writeFileSync(folder + compiled(file), code);
  if (useWorkers(tests)) await bundleWorkers(folder);
  if (useCommand(tests)) await bundleCommand(folder);
  if (useSite(tests)) await buildSite(folder);
}

/** Vitest over a copy; it is kept, because starting takes longer than most tests. */
class Runner {
  #vitest;
  /** What was changed for the run before, and is now as it was. */
  #before = [];
  constructor(folder) {
    this.folder = folder;
  }

  async #start() {
    this.#vitest = await createVitest(
      "test",
      { root: this.folder, watch: false, bail: 1, maxWorkers: 1, reporters: [{}] },
      {},
      { stdout: process.stderr, stderr: process.stderr },
    );
    await this.#vitest.standalone();
  }

  /** Runs tests; the name of the first that fails, or undefined. */
  async failure(tests, changed, only) {
    if (this.#vitest === undefined) await this.#start();
    const vitest = this.#vitest;
    for (const file of [...this.#before, ...changed]) vitest.invalidateFile(this.folder + file);
    this.#before = changed;
    vitest.state.filesMap.clear();
    vitest.state.errorsSet.clear();
    vitest.setGlobalTestNamePattern(only ?? "");
    const wanted = await vitest.globTestSpecifications(tests);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      for (const child of childrenOf(process.pid)) process.kill(child, "SIGKILL");
    }, LIMIT);
    const { testModules, unhandledErrors } = await vitest.runTestSpecifications(wanted);
    clearTimeout(timer);
    if (late) {
      await stop(); // esbuild was one of them; it starts again when it is needed
      await this.close();
      return "(no end)";
    }
    for (const module of testModules) {
      for (const test of module.children.allTests("failed")) return test.fullName;
      const [error] = module.errors();
      if (error !== undefined) return `(${error.message.split("\n")[0]})`;
      if (module.state() === "failed") return `(${module.relativeModuleId})`;
    }
    return unhandledErrors.length > 0 ? `(${unhandledErrors[0].message})` : undefined;
  }

  async close() {
    await this.#vitest?.close();
    this.#vitest = undefined;
  }
}

/** The processes that a process has begun. */
function childrenOf(pid) {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

const short = (text) => (text.length > 110 ? `${text.slice(0, 109)}…` : text);

function show({ number, file, old, now }) {
  // Unchanged lines only help to find the place.
  const gone = old.filter((line) => !now.includes(line)).map((line) => `- ${line}`);
  const come = now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`);
  const lines = [...gone, ...come].map((line) => `\n       ${short(line)}`);
  return `${String(number).padStart(4)}  ${file}${lines.join("")}`;
}

const lists = `${root}.tools/mutations/`;
const all = readdirSync(lists)
  .sort()
  .flatMap((name) => readList(lists + name))
  .map((mutation, i) => ({ ...mutation, number: i + 1 }));
const errors = all.map(errorOf).filter((error) => error !== undefined);
for (const error of errors) console.error(error);

const picks = positionals.map((text) => {
  const [from, to = from] = text.split("-").map(Number);
  if (from > 0) return ({ number }) => number >= from && number <= to;
  return ({ file }) => file.includes(text);
});
const [part, parts] = values.shard.split("/").map(Number);
const chosen = all
  .filter((one) => picks.length === 0 || picks.some((pick) => pick(one)))
  .filter((_, i) => i % parts === part - 1);

/** Tries one: what became of it, and by what. */
async function attempt(runner, mutation) {
  const { file, tests, only } = mutation;
  const { folder } = runner;
  try {
    writeFileSync(folder + file, mutated(readFileSync(folder + file, "utf8"), mutation));
    await rebuild(folder, mutation);
  } catch ({ message }) {
    return ["broken", message];
  }
  const name = await runner.failure(tests, madeOf(mutation), only);
  return name === undefined ? ["survived"] : ["killed", name];
}

async function main() {
  const runner = new Runner(copy());
  const { folder } = runner;
  const cleanUp = () => rmSync(folder, { recursive: true, force: true });
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      cleanUp();
      process.exit(1);
    });
  }
  const count = { killed: 0, survived: 0, broken: 0 };
  try {
    if (!values.unchecked) {
      const failed = await runner.failure([...new Set(chosen.flatMap(({ tests }) => tests))], []);
      if (failed !== undefined) throw new Error(`without any mutation this fails: ${failed}`);
    }
    for (const mutation of chosen) {
      const begun = Date.now();
      const [result, by] = await attempt(runner, mutation);
      // As it was, for the next one.
      for (const path of [mutation.file, ...madeOf(mutation)]) {
        rmSync(folder + path, { recursive: true, force: true });
        cpSync(root + path, folder + path, { recursive: true });
      }
      count[result]++;
      const seconds = Math.round((Date.now() - begun) / 1000);
      console.log(
        `${show(mutation)}\n       ${result}${by ? `: ${short(by)}` : ""} (${seconds} s)`,
      );
    }
  } finally {
    await runner.close();
    cleanUp();
  }
  const share = ((100 * count.survived) / chosen.length).toFixed(1);
  console.log(
    `\n${chosen.length} mutations: ${count.killed} killed, ${count.survived} survived (${share} %), ${count.broken} broken`,
  );
  return count.broken === 0 && count.survived < ALLOWED * chosen.length;
}

if (errors.length > 0) process.exitCode = 1;
else if (values.list) for (const mutation of chosen) console.log(show(mutation));
else process.exit((await main()) ? 0 : 1);
