// The layer check: imports go one way and never in a circle (docs/architecture.md has the picture), node:* stays in
// its places, the three RSA unwrapping calls stay apart, and the core's sources keep their form.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

// cli → http → authority; cli, page → client, authority → escrow → envelope → keys → blob, core → ground; the page stands on the doors, and
// capi beside envelope, for the command line alone
const ROOMS = {
  ground: [],
  blob: ["ground"],
  core: ["ground"],
  keys: ["blob", "core", "ground"],
  envelope: ["keys", "blob", "core", "ground"],
  capi: ["keys", "blob", "core", "ground"],
  escrow: ["envelope", "keys", "blob", "core", "ground"],
  client: ["escrow", "envelope", "keys", "blob", "core", "ground"],
  authority: ["escrow", "envelope", "keys", "blob", "core", "ground"],
  doors: ["escrow", "envelope", "keys", "blob", "core", "ground"],
  bench: ["ground"],
  page: ["doors", "bench", "client", "escrow", "envelope", "keys", "blob", "core", "ground"],
  http: ["authority", "escrow", "envelope", "keys", "blob", "core", "ground"],
  cli: [
    "doors",
    "bench",
    "client",
    "http",
    "authority",
    "escrow",
    "capi",
    "envelope",
    "keys",
    "blob",
    "core",
    "ground",
  ],
};
// The doors are what a user imports; only the command line and the page look through them from inside.
const DOORS = new Set(["src/index.ts", "src/node.ts", "src/browser.ts"]);
// unwrapKey is for wraps in files and escrow, decryptChecked only for what local commands open.
const CALLS = {
  decryptChecked: (file) => /^src\/(core|capi)\//.test(file),
  unwrapKey: (file) => /^src\/(core|envelope|escrow|authority)\//.test(file),
};

function room(file) {
  if (DOORS.has(file)) return "doors";
  const parts = file.split("/");
  return parts.length === 2 ? "ground" : parts[1];
}

function mayUseNode(file) {
  return (
    file === "src/node.ts" ||
    file.endsWith(".node.ts") ||
    ["cli", "authority", "http"].includes(room(file))
  );
}

const problems = [];
const root = new URL("..", import.meta.url).pathname;
const read = (file) => readFileSync(join(root, file), "utf8");
const list = (folder, ending = ".ts") =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .filter((file) => !file.includes("node_modules/"));

/** What a file imports, in any way: as a value or as a type, at once or when it is called. */
const importsOf = (text) =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*["'`]([^"'`]+)["'`]/g)].map(([, target]) => target);

for (const file of list("src")) {
  const text = read(file);
  const here = room(file);
  if (!(here in ROOMS)) problems.push(`${file}: no such room as "${here}"`);
  for (const target of importsOf(text)) {
    if (target.startsWith("node:")) {
      if (!mayUseNode(file))
        problems.push(
          `${file}: ${target} belongs in node.ts, cli/, authority/, http/ or *.node.ts`,
        );
    } else if (target.startsWith(".")) {
      const there = room(normalize(join(dirname(file), target)).replace(/\.js$/, ".ts"));
      if (there !== here && !ROOMS[here]?.includes(there)) {
        problems.push(`${file}: ${here} may not import ${there} (${target})`);
      }
    }
  }
  // A file that browsers load must not reach one that only Node can load, but for its types.
  const values = text.replace(/^(?:import|export) type [^;]*;$/gm, "");
  if (!mayUseNode(file) && /from "[^"]*\.node\.js"/.test(values)) {
    problems.push(`${file}: imports a *.node.ts file, which only Node can load`);
  }
  for (const [call, allowed] of Object.entries(CALLS)) {
    if (text.includes(`.${call}(`) && !allowed(file))
      problems.push(`${file}: may not call ${call}`);
  }
}

/** The source of what is imported; undefined if that is none of ours. */
function sourceOf(file, target) {
  if (!target.startsWith(".")) return undefined;
  const path = normalize(join(dirname(file), target));
  // bench/ and .tools/ import what src/ was compiled to.
  const source = path.replace(/^build\/(.+)\.js$/, "src/$1.js");
  const candidates = [source, source.replace(/\.js$/, ".ts"), source.replace(/\.js$/, ".d.ts")];
  return candidates.find((name) => existsSync(join(root, name)));
}

// bench/ stands on .tools/, and both on what was built of src/; nothing the other way round.
const SCRIPTS = [...list("bench", ".mjs"), ...list(".tools", ".mjs")];
const graph = new Map(
  [...list("src"), ...SCRIPTS].map((file) => [
    file,
    importsOf(read(file))
      .map((target) => sourceOf(file, target))
      .filter((source) => source !== undefined),
  ]),
);
for (const [file, sources] of graph) {
  for (const source of sources) {
    if (file.startsWith(".tools/") && source.startsWith("bench/"))
      problems.push(`${file}: .tools may not import bench (${source})`);
    if (file.startsWith("src/") && !source.startsWith("src/"))
      problems.push(`${file}: src may not import ${source}`);
  }
}

/** Follows imports from a file, and notes each circle once, by the import that closes it. */
function findCircles(file, path, done) {
  const begin = path.indexOf(file);
  if (begin >= 0) problems.push(`a circle: ${[...path.slice(begin), file].join(" → ")}`);
  if (begin >= 0 || done.has(file)) return;
  for (const source of graph.get(file) ?? []) findCircles(source, [...path, file], done);
  done.add(file);
}
const done = new Set();
for (const file of graph.keys()) findCircles(file, [], done);

for (const file of list("assembly")) {
  const text = read(file);
  if (!text.endsWith("\n")) problems.push(`${file}: no newline at the end`);
  text.split("\n").forEach((line, index) => {
    const at = `${file}:${index + 1}`;
    if (line.length > 120) problems.push(`${at}: over 120 characters`);
    if (/\s$/.test(line) || line.includes("\t"))
      problems.push(`${at}: tab or trailing white space`);
    // Only interleaving (0, 16, 1, 17 … or 8, 24, 9, 25 …) and moving by a byte are one machine instruction there.
    if (
      /i8x16\.shuffle(?!\(\w+, \w+, (0, 16, 1, 17|8, 24, 9, 25|1, 2, 3, 4), )|\bshuffle</.test(line)
    )
      problems.push(`${at}: shuffle is slow in V8; use lookup`);
  });
  if (/^assembly\/(index|aes)\.ts$/.test(file) && /^(?!export [{*]|\/\/|\s|\}|$)/m.test(text)) {
    problems.push(`${file}: exports only`);
  }
}

for (const problem of problems) console.error(problem);
console.log(
  problems.length === 0 ? "layers: as they should be" : `layers: ${problems.length} problems`,
);
process.exit(problems.length === 0 ? 0 : 1);
