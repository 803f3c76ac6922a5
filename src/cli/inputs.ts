import { basename, relative } from "node:path";
import { isFolder, present } from "../calls.node.js";
import { UsageError } from "./command.js";
import { filesBelow } from "./files-below.js";
import { STANDARD } from "./io.js";
import { about, complain } from "./report.js";

// The files that a command is given: by name, or as folders.

export interface InputOptions {
  recursive?: boolean | undefined;
}

/** A file that a command works on. */
export interface InputFile {
  path: string;
  /** Where it belongs in a folder of outputs: its name, or for one of a folder its place below that. */
  place: string;
}

/** A file, or why a folder has none. */
type Given = InputFile | { path: string; error: unknown };

/** How many files were done, and how many failed. */
export interface Tally {
  done: number;
  failed: number;
}

/** Whether a command was given more than one file. A folder is more, also where it is refused. */
export function areMany(paths: readonly string[]): boolean {
  return paths.length > 1 || paths.some(isInputFolder);
}

function isInputFolder(path: string): boolean {
  return path !== STANDARD && isFolder(path);
}

/** @param take which files of folders count; files that are named always do */
async function* inputFiles(
  paths: readonly string[],
  { recursive = false, take = () => true }: InputOptions & { take?: Take },
): AsyncGenerator<Given> {
  for (const path of paths) {
    if (!isInputFolder(path)) {
      yield { path, place: basename(path) };
      continue;
    }
    if (!recursive) {
      yield { path, error: new UsageError(`${path} is a folder: -r takes what is in it`) };
      continue;
    }
    try {
      for await (const file of filesBelow(path)) {
        if (await take(file)) yield { path: file, place: relative(path, file) };
      }
    } catch (error) {
      yield { path, error };
    }
  }
}

type Take = (path: string) => boolean | Promise<boolean>;

/** Files that are worked on at once: while one waits for its disk, another is encrypted. */
const AT_ONCE = 8;
/** Bytes of a file up to which that helps, and takes little memory. */
const SMALL = 1 << 20;

/** Work on one file. What it gives is called once its turn has come, so that everything is told in order. */
type Work = (input: InputFile) => Promise<unknown>;

/**
 * Does the same with every file that is given, or is in a folder that is. If one fails, the error is shown and the
 * others are done all the same. The only file's error is thrown.
 * @param options.isApart whether small files may be worked on at once
 */
export async function forEachInput(
  paths: readonly string[],
  options: InputOptions & { take?: Take; isApart?: boolean },
  work: Work,
): Promise<Tally> {
  const tally: Tally = { done: 0, failed: 0 };
  const isOne = paths.length === 1 && !(options.recursive && areMany(paths));
  const begun: Promise<() => void>[] = [];
  const settle = async (most: number) => {
    while (begun.length > most) {
      const tell = await begun.shift()!;
      tell();
    }
  };
  const begin = async (input: Given): Promise<() => void> => {
    try {
      if ("error" in input) throw input.error;
      const tell = await about(input.path, () => work(input));
      return () => {
        tally.done++;
        if (typeof tell === "function") tell();
      };
    } catch (error) {
      if (isOne) throw error;
      return () => {
        tally.failed++;
        complain(error);
      };
    }
  };
  for await (const input of inputFiles(paths, options)) {
    const isApart = options.isApart === true && !isOne && isSmall(input.path);
    if (!isApart) await settle(0);
    begun.push(begin(input));
    await settle(isApart ? AT_ONCE - 1 : 0);
  }
  await settle(0);
  return tally;
}

function isSmall(path: string): boolean {
  const stats = path === STANDARD ? undefined : present(path);
  return stats?.isFile() === true && stats.size <= SMALL;
}

/** "12 files sealed, 1 failed" */
export function tallyText({ done, failed }: Tally, verb: string): string {
  const files = (count: number) => `${count} file${count === 1 ? "" : "s"}`;
  return failed === 0 ? `${files(done)} ${verb}` : `${files(done)} ${verb}, ${failed} failed`;
}
