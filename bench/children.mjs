// What other processes measure: the same goals in other versions of Node, and the service of an authority.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
/** Versions of Node beside the one at work. */
const NODES = [20, 22, 24].filter((major) => major !== Number.parseInt(process.versions.node, 10));
/** Records in the authority when receipts are fetched. */
const RECORDS = "2000";

/** Runs a script to its end. @returns what it printed */
function run(node, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, args, { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let complaint = "";
    child.stdout.on("data", (data) => {
      out += data;
    });
    child.stderr.on("data", (data) => {
      complaint += data;
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(complaint.trim().split("\n").at(-1) || `ended with ${code}`));
    });
  });
}

/**
 * What the goals name, in other versions of Node.
 * @param options those of this run
 * @returns for each version its results, or `skipped` with the reason
 */
export async function otherNodes({ files, fileBytes, rounds }, onNode) {
  const all = [];
  for (const major of NODES) {
    const node = path(`../test/runtimes/installed/node_modules/node-${major}/bin/node`);
    const title = `Node ${major}`;
    if (!existsSync(node)) {
      all.push({ title, skipped: "not installed: npm ci --prefix test/runtimes/installed" });
      continue;
    }
    onNode?.(title);
    const folder = mkdtempSync(join(tmpdir(), "twinwrap-bench-"));
    const args = ["--goals", "--no-nodes", "--no-authority", files ? "--files" : "--no-files"];
    const sizes = ["--file-size", String(fileBytes / 2 ** 20), "--rounds", String(rounds)];
    const into = ["--out", folder, "--named", "results"];
    try {
      await run(node, [path("run.mjs"), ...args, ...sizes, ...into]);
      const { machine, load, operations, start, files, goals } = JSON.parse(
        readFileSync(join(folder, "results.json"), "utf8"),
      );
      all.push({ title, machine, load, operations, start, files, goals });
    } catch (error) {
      all.push({ title, skipped: error.message });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return all;
}

/** How an authority's service does beside its goals. @returns them, or `skipped` with the reason */
export async function authorityGoals() {
  try {
    return JSON.parse(await run(process.execPath, [path("service.mjs"), RECORDS, "--json"]));
  } catch (error) {
    return { skipped: error.message };
  }
}
