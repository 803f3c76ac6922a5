import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

// The package as somebody else installs it.

export const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Packs the package, and installs it in a project as npm would.
 * @param put puts a dependency's folder there: some bundlers follow no link out of the project
 * @returns where it is
 */
export function install(
  folder: string,
  put: (from: string, to: string) => void = (from, to) => symlinkSync(from, to),
): string {
  const installed = join(folder, "node_modules", "twinwrap");
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder], {
    cwd: root,
    stdio: "pipe",
  });
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["xzf", join(folder, tarball!), "-C", installed, "--strip-components", "1"]);
  // Its dependencies: the core's loader, and Ed25519 for escrow.
  const { dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  expect(Object.keys(dependencies)).toEqual(["@assemblyscript/loader", "@noble/ed25519"]);
  for (const name of Object.keys(dependencies)) {
    mkdirSync(join(folder, "node_modules", dirname(name)));
    put(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
  return installed;
}

/** For {@link install}. */
export const copied = (from: string, to: string) => cpSync(from, to, { recursive: true });
