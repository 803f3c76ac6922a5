import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect } from "vitest";

// The package as somebody else installs it.

export const root = fileURLToPath(new URL("..", import.meta.url));
/** A project that has installed it. */
export const folder = mkdtempSync(join(tmpdir(), "twinwrap-package-"));
export const installed = join(folder, "node_modules", "twinwrap");

beforeAll(() => {
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], {
    cwd: root,
    stdio: "pipe",
  });
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["xzf", join(folder, tarball!), "-C", installed, "--strip-components", "1"]);
  // Its dependencies, as npm would install them: the core's loader, and Ed25519 for escrow.
  const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  expect(Object.keys(dependencies)).toEqual(["@assemblyscript/loader", "@noble/ed25519"]);
  for (const name of Object.keys(dependencies)) {
    mkdirSync(join(folder, "node_modules", dirname(name)));
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
