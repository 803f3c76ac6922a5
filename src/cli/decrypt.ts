import { basename, dirname, join } from "node:path";
import type { Command } from "commander";
import { formatSerial, type Opened } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import { outsidePath } from "../text.js";
import {
  addKeyringOptions,
  addOutputOptions,
  type EngineFlags,
  engineOption,
  jobsOption,
  jsonOption,
  type KeyringOptions,
  newCommand,
  type OutputOptions,
  recursiveOption,
  UsageError,
} from "./command.js";
import { headerFacts } from "./header-text.js";
import { areMany, forEachInput, tallyText } from "./inputs.js";
import { outputFor, Report, STANDARD, tell } from "./io.js";
import { checkNoFiles, withKeyring } from "./keyring.js";
import { openInto, plainPath } from "./opening.js";
import { checkFolder, makeFolder, needNames, outputIn, Replacing } from "./outputs.js";
import { isSealed } from "./sealed.js";

interface DecryptOptions extends OutputOptions, KeyringOptions, EngineFlags {
  range?: string;
  recursive?: boolean;
  json?: boolean;
}

/** A range as it was asked for: two bytes, both inclusive, or so many bytes before the end. */
type Range = { first: number; last: number } | { suffix: number };

/** Reads A-B, A- and -N. */
function parseRange(text: string): Range {
  const [, first, last] = /^(\d{0,15})-(\d{0,15})$/.exec(text) ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) {
    throw new UsageError(
      "--range takes A-B, A- or -N: bytes counted from 0, B inclusive, N bytes from the end",
    );
  }
  if (first === "") {
    if (Number(last) === 0) throw new UsageError("--range -0 asks for nothing");
    return { suffix: Number(last) };
  }
  const range = {
    first: Number(first),
    last: last === "" ? Number.MAX_SAFE_INTEGER : Number(last),
  };
  if (range.last < range.first) throw new UsageError(`--range ${text} ends before it begins`);
  return range;
}

/** The part of the plaintext that was asked for. */
function part(opened: Opened, range: Range): AsyncIterable<Uint8Array> {
  const { size } = opened;
  if (size === undefined) {
    if ("suffix" in range)
      throw new UsageError("--range -N needs a file: standard input cannot be read from its end");
    return skim(opened, range.first, range.last);
  }
  if (!("suffix" in range)) return opened.range(range.first, range.last);
  return opened.range(Math.max(0, size - range.suffix));
}

/** A part of a source that can be read only once. All of it is read, and authenticated. */
async function* skim(
  whole: AsyncIterable<Uint8Array>,
  first: number,
  last: number,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const piece of whole) {
    const wanted = piece.subarray(Math.max(0, first - at), Math.max(0, last + 1 - at));
    if (wanted.length > 0) yield wanted;
    at += piece.length;
  }
  if (first >= at) {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      `the range begins at byte ${first}, but the plaintext has ${at} bytes`,
    );
  }
}

async function decrypt(inputs: string[], options: DecryptOptions): Promise<void> {
  await checkNoFiles(options);
  if (areMany(inputs)) return decryptAll(inputs, options);
  const [input] = inputs as [string];
  const range = options.range === undefined ? undefined : parseRange(options.range);
  const output = singleOutput(input, options.output);
  const write = await outputFor([input], output, options);
  const pick = range === undefined ? undefined : (opened: Opened) => part(opened, range);
  const header = await withKeyring(options, (ring) => openInto(input, write, ring, options, pick));
  if (output === STANDARD && !options.json) return;
  const rows = [
    ["opened", output],
    ["serial", formatSerial(header.serial)],
  ];
  tell(options, { file: output, ...headerFacts(header) }, rows, output);
}

function singleOutput(input: string, output: string | undefined): string {
  if (output === undefined) return plainPath(input);
  const isInFolder = outputIn(output, { path: input, place: input }) !== undefined;
  return isInFolder ? join(output, basename(plainPath(input))) : output;
}

async function decryptAll(inputs: string[], options: DecryptOptions): Promise<void> {
  const { output: folder } = options;
  if (options.range !== undefined) throw new UsageError("--range is for one file");
  needNames(inputs);
  checkFolder(folder);
  const report = new Report(options);
  const replacing = new Replacing(options, (isOld) => !isOld);
  await withKeyring(options, async (ring) => {
    const settings = { ...options, take: isSealed, isApart: !ring.isChoice };
    const tally = await forEachInput(inputs, settings, async ({ path, place }) => {
      const output = plainPath(folder === undefined ? path : join(folder, place));
      await replacing.check(output);
      if (folder !== undefined) await makeFolder(dirname(output));
      const write = await outputFor([path], output, options);
      const header = await openInto(path, write, ring, options);
      const row = ["opened", outsidePath(output), formatSerial(header.serial)];
      return () => report.add({ file: output, ...headerFacts(header) }, [row]);
    });
    report.end();
    if (!options.json) tell(options, {}, [["in all", tallyText(tally, "opened")]]);
  });
}

export function command(): Command {
  const command = newCommand(
    "decrypt",
    "Opens sealed files. To standard output, data leaves as it is authenticated: it is whole only if the exit code is 0.",
    "twinwrap decrypt report.pdf.twin -k alice.pem\n  opens report.pdf.twin into report.pdf\ntwinwrap decrypt -r sealed -k alice.pem -o opened\ntwinwrap decrypt film.twin -k alice.pem -o - --range 1000000-1999999 | less",
  ).argument("<in...>", "sealed files, folders with -r, or - for standard input");
  return addKeyringOptions(
    addOutputOptions(
      command,
      "the plaintext (default: IN without .twin), a folder for several, or - for standard output",
    ),
  )
    .addOption(recursiveOption("every sealed file"))
    .option("--range <range>", "only some bytes: A-B (inclusive), A-, or -N for the last N")
    .addOption(engineOption())
    .addOption(jobsOption())
    .addOption(jsonOption())
    .action(decrypt);
}
