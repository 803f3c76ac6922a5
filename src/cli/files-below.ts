import { type Dirent, existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isFolderStats, system } from "../calls.node.js";
import { UsageError } from "./command.js";
import { complain } from "./report.js";

/** Every file below a folder, by name; links are not followed. A folder that can't be read gives an error line. */
export async function* filesBelow(folder: string, isRoot = true): AsyncGenerator<string> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isRoot) throw error;
    complain(error);
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.name.includes("\ufffd") && !existsSync(path)) {
      complain(new UsageError(`${path}: its name is not UTF-8, so it cannot be read: rename it`));
      continue;
    }
    if (entry.isFile()) yield path;
    else if (isFolderStats(system.lstatSync(path))) yield* filesBelow(path, false);
  }
}
