// Packs the package, and looks at it as npm's users and TypeScript's will: publint for what package.json promises,
// attw ("are the types wrong") for how each door resolves.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "twinwrap-pack-"));
/** Files that a page serves: nobody imports them, so they have no types. */
const SERVED = ["core.wasm", "core-relaxed.wasm", "core-aes.wasm", "worker.js", "download.js"];

/** Runs a tool; what it says is shown only if it finds something. */
function run(tool, args) {
  try {
    return execFileSync(tool, args, { cwd: root, encoding: "utf8", stdio: "pipe" });
  } catch ({ message, stdout = "", stderr = "" }) {
    console.error(`${message}\n${stdout}${stderr}`);
    process.exitCode = 1;
    return "";
  }
}

try {
  const packed = run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder]);
  if (packed !== "") {
    const [{ filename }] = Object.values(JSON.parse(packed));
    const tarball = join(folder, filename);
    const bin = (name) => join(root, "node_modules", ".bin", name);
    run(bin("publint"), ["run", tarball, "--strict"]);
    // ES modules alone: old resolution and CommonJS that can't load them are not asked.
    run(bin("attw"), [tarball, "--profile", "esm-only", "--exclude-entrypoints", ...SERVED]);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
