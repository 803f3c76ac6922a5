import { mkdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { isFolder, present } from "../calls.node.js";
import { TwinwrapError } from "../errors.js";
import { type OutputOptions, UsageError } from "./command.js";
import type { InputFile } from "./inputs.js";
import { STANDARD } from "./io.js";
import { isSealed } from "./sealed.js";

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

/**
 * Guards what --force may replace where there are many outputs: none that this call wrote, and nothing of another
 * kind than it writes, because that may be the next input.
 */
export class Replacing {
  readonly #force: boolean;
  readonly #isRight: (isSealed: boolean) => boolean;
  readonly #written = new Set<string>();

  /** @param isRight tells from whether a file is sealed whether it may be replaced */
  constructor({ force = false }: OutputOptions, isRight: (isSealed: boolean) => boolean) {
    this.#force = force;
    this.#isRight = isRight;
  }

  /** @throws TwinwrapError CONFLICT */
  async check(output: string): Promise<void> {
    if (!this.#force) return; // then nothing is replaced
    const place = resolve(output);
    if (this.#written.has(place)) {
      throw new TwinwrapError("CONFLICT", `${output} is the output of another file too`);
    }
    this.#written.add(place);
    if (present(output)?.isFile() && !this.#isRight(await isSealed(output))) {
      throw new TwinwrapError(
        "CONFLICT",
        `${output} is not replaced: it may be one of the files that are meant`,
      );
    }
  }
}
