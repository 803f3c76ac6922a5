import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { isFolder, present } from "../calls.node.js";
import { UsageError } from "./command.js";
import type { InputFile } from "./inputs.js";
import { STANDARD } from "./io.js";

// Where the outputs of several files go: each beside its input, or all into a folder.

/** The output for a single file, if -o names a folder: in it. */
export function outputIn(output: string | undefined, { place }: InputFile): string | undefined {
  if (output === undefined || output === STANDARD) return undefined;
  const isMeant = /[\\/]$/.test(output);
  return isMeant || isFolder(output) ? join(output, basename(place)) : undefined;
}

/** Refuses standard input among several files: what comes of it has no name. @throws UsageError */
export function needNames(inputs: readonly string[]): void {
  if (inputs.includes(STANDARD)) {
    throw new UsageError("standard input has no name, so it goes alone");
  }
}

/** Checks the folder that several outputs go into. @throws UsageError if it is something else */
export function checkFolder(folder: string | undefined): void {
  if (folder === undefined) return;
  if (folder === STANDARD || (present(folder) !== undefined && !isFolder(folder))) {
    throw new UsageError(`several files need a folder to go into, and ${folder} is none`);
  }
}

/** Folders that were made, or found: thousands of files go into one. */
const made = new Set<string>();

/** Makes the folder that an output goes into. */
export async function makeFolder(folder: string): Promise<void> {
  if (made.has(folder)) return;
  await mkdir(folder, { recursive: true });
  made.add(folder);
}
