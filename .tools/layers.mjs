// The layer check: imports go one way (docs/architecture.md has the picture), node:* stays in its
// places, the three RSA unwrapping calls stay apart, and the core's sources keep their form.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

// cli → authority → escrow → envelope → keys → blob, core → ground; the page stands on the doors, and capi beside
// envelope, for the command line alone
const ROOMS = {
  ground: [],
  blob: ["ground"],
  core: ["ground"],
  keys: ["blob", "core", "ground"],
  envelope: ["keys", "blob", "core", "ground"],
  capi: ["keys", "blob", "core", "ground"],
  escrow: ["envelope", "keys", "blob", "core", "ground"],
  authority: ["escrow", "envelope", "keys", "blob", "core", "ground"],
  doors: ["escrow", "envelope", "keys", "blob", "core", "ground"],
  page: ["doors", "escrow", "envelope", "keys", "blob", "core", "ground"],
  cli: ["doors", "authority", "escrow", "capi", "envelope", "keys", "blob", "core", "ground"],
};
// The doors are what a user imports; only the command line and the page look through them from inside.
const DOORS = new Set(["src/index.ts", "src/node.ts", "src/browser.ts", "src/either.d.ts"]);
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
    file === "src/node.ts" || file.endsWith(".node.ts") || ["cli", "authority"].includes(room(file))
  );
}

const problems = [];
const root = new URL("..", import.meta.url).pathname;
const list = (folder) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length));

for (const file of list("src")) {
  const text = readFileSync(join(root, file), "utf8");
  const here = room(file);
  if (!(here in ROOMS)) problems.push(`${file}: no such room as "${here}"`);
  const imports = text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g);
  for (const [, target] of imports) {
    if (target.startsWith("node:")) {
      if (!mayUseNode(file))
        problems.push(`${file}: ${target} belongs in node.ts, cli/, authority/ or *.node.ts`);
    } else if (target.startsWith(".")) {
      const there = room(normalize(join(dirname(file), target)).replace(/\.js$/, ".ts"));
      if (there !== here && !ROOMS[here]?.includes(there)) {
        problems.push(`${file}: ${here} may not import ${there} (${target})`);
      }
    }
  }
  // What the browser also loads must not reach a file that only Node can load.
  if (!mayUseNode(file) && /from "[^"]*\.node\.js"/.test(text)) {
    problems.push(`${file}: imports a *.node.ts file, which only Node can load`);
  }
  for (const [call, allowed] of Object.entries(CALLS)) {
    if (text.includes(`.${call}(`) && !allowed(file))
      problems.push(`${file}: may not call ${call}`);
  }
}

for (const file of list("assembly")) {
  const text = readFileSync(join(root, file), "utf8");
  if (!text.endsWith("\n")) problems.push(`${file}: no newline at the end`);
  text.split("\n").forEach((line, index) => {
    const at = `${file}:${index + 1}`;
    if (line.length > 120) problems.push(`${at}: over 120 characters`);
    if (/\s$/.test(line) || line.includes("\t"))
      problems.push(`${at}: tab or trailing white space`);
    // Only interleaving (0, 16, 1, 17 … or 8, 24, 9, 25 …) is one machine instruction there.
    if (/i8x16\.shuffle(?!\(a, b, (0, 16, 1, 17|8, 24, 9, 25), )|\bshuffle</.test(line))
      problems.push(`${at}: shuffle is slow in V8; use swizzle`);
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
