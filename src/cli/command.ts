import { availableParallelism } from "node:os";
import { Command, InvalidArgumentError, Option, type ParseOptionsResult } from "commander";
import {
  ENGINES,
  type EngineName,
  type EngineOptions,
  MAX_JOBS,
  PADDINGS,
  type Padding,
} from "../envelope/index.js";
import { WorkerPool } from "../envelope/pool.js";
import { startWorker } from "../envelope/worker.node.js";
import { descriptorOf } from "../files.node.js";
import { print, STANDARD } from "./standard.js";

/** Exit codes of the process. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notVerified: 3,
  waiting: 4,
  unreachable: 5,
} as const;

/** The command line itself is wrong. The process ends with exit code 2. */
export class UsageError extends Error {}

/** Refuses more than commander does: what would be ignored in silence. */
class StrictCommand extends Command {
  /** A value that is given twice: only the last one would count. */
  override addOption(option: Option): this {
    const takesOne = (option.required || option.optional) && !collecting.has(option.parseArg);
    if (takesOne) {
      this.on(`option:${option.name()}`, () => {
        if (this.getOptionValueSource(option.attributeName()) !== "cli") return;
        this.error(`error: option '${option.flags}' is given twice, and only one can count`);
      });
    }
    return super.addOption(option);
  }

  /** An option that nobody knows is named before one that is missing: it may be that one, mistyped. */
  override parseOptions(argv: string[]): ParseOptionsResult {
    const parsed = super.parseOptions(argv);
    const [first] = parsed.unknown;
    const asksHelp = parsed.unknown.some((word) => word === "-h" || word === "--help");
    if (this.commands.length === 0 && first !== undefined && !asksHelp) {
      (this as unknown as { unknownOption(flag: string): never }).unknownOption(first);
    }
    return parsed;
  }

  override action(work: Parameters<Command["action"]>[0]): this {
    return super.action(work).option("-q, --quiet", "print no facts, only errors and warnings");
  }
}

/** A command that throws instead of ending the process: main.ts alone decides how that ends. */
export function newCommand(name: string, summary: string, example: string): Command {
  return new StrictCommand(name)
    .description(summary)
    .addHelpText("after", `\nExample:\n${example.replace(/^/gm, "  ")}`)
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: (text) => print(text, STANDARD) })
    .showHelpAfterError("(--help shows how)")
    .configureHelp({ showGlobalOptions: false });
}

/** What takes all values of a repeated option. */
const collecting = new WeakSet<object>() as {
  has(value: unknown): boolean;
  add(value: object): void;
};

/** Marks what parses a repeated option. */
export function repeatable<T extends object>(parse: T): T {
  collecting.add(parse);
  return parse;
}

/** Collects a repeated option. `<value...>` would take the next argument too. */
export const collect = repeatable((value: string, before: string[] = []): string[] => [
  ...before,
  value,
]);

/** Options of commands that write a file. */
export interface OutputOptions {
  output?: string | undefined;
  force?: boolean | undefined;
}

/** The name of an output. /dev/stdout and the like mean the same as `-`. */
export function outputName(name: string): string {
  return descriptorOf(name) === 1 ? STANDARD : name;
}

export function addOutputOptions(command: Command, description: string): Command {
  return command
    .option("-o, --output <file>", description, outputName)
    .option("--force", "replace the output file if it exists");
}

/** Options of commands that open a private key. */
export interface KeyOptions {
  key: string;
  passphraseFile?: string;
  /** commander turns --no-passphrase into `passphrase: false`. */
  passphrase?: boolean;
  allowWeak?: boolean;
}

/** Options of commands that open sealed files with whichever of several keys fits. */
export interface KeyringOptions extends Omit<KeyOptions, "key"> {
  key?: string[];
}

export function addKeyOptions(
  command: Command,
  description = "private key that opens it",
): Command {
  command.requiredOption("-k, --key <file>", description);
  return addPassphraseOptions(command, "never ask for a passphrase").addOption(allowWeakOption());
}

export function addKeyringOptions(
  command: Command,
  description = "private key that opens it",
): Command {
  command.option(
    "-k, --key <key>",
    `${description} (repeat: the first that fits; default: $TWINWRAP_KEY, or your keys)`,
    collect,
  );
  return addPassphraseOptions(command, "never ask for a passphrase").addOption(allowWeakOption());
}

export function addPassphraseOptions(command: Command, noPassphrase: string): Command {
  return command
    .option("--passphrase-file <file>", "read the key's passphrase from the file's first line")
    .option("--no-passphrase", noPassphrase);
}

export function allowWeakOption(): Option {
  return new Option("--allow-weak", "accept RSA keys under 2048 bits or with an odd exponent");
}

export function paddingOption(
  flags = "--padding <padding>",
  description = "how the key is padded",
): Option {
  return new Option(flags, description).choices(PADDINGS) as Option & {
    parseArg?: (value: string) => Padding;
  };
}

/** Options of commands that take a whole file through AES. */
export interface EngineFlags {
  engine?: EngineName;
  jobs?: number;
}

export function engineOption(): Option {
  return new Option(
    "--engine <engine>",
    "what does AES: the core (wasm, the default), the platform (native or webcrypto), or whichever is faster for a large file (auto)",
  )
    .choices(ENGINES)
    .env("TWINWRAP_ENGINE");
}

export function jobsOption(): Option {
  return new Option(
    "--jobs <n>",
    "threads for a large file (default: the number of processors, with native half of it, at most 3)",
  ).argParser(integerBetween(1, MAX_JOBS));
}

/** Most threads by default. With more, a pipe needs nearly 150 MiB of memory. */
const DEFAULT_JOBS = 3;

/** With native, reading and writing keep half of the processors busy. */
function defaultJobs(engine: EngineName | undefined): number {
  const processors = availableParallelism();
  return Math.min(engine === "native" ? processors >> 1 : processors, DEFAULT_JOBS);
}

/** Threads that all files of one call share. They start with the first large file. */
let pool: WorkerPool | undefined;

/** The engine's settings that these flags mean. @throws UsageError */
export function engineOptions({ engine, jobs }: EngineFlags): EngineOptions {
  if (engine === "webcrypto") {
    if (jobs === undefined) return { engine };
    throw new UsageError("--jobs is for the other engines; webcrypto has threads of its own");
  }
  const most = jobs ?? defaultJobs(engine);
  if (most > 1) pool ??= new WorkerPool(startWorker, { jobs: most });
  return { engine, pool };
}

/** Ends the threads. */
export function endThreads(): void {
  pool?.close();
}

export function jsonOption(): Option {
  return new Option("--json", "print facts as JSON");
}

/** For commands that take files. */
export function recursiveOption(what = "every file"): Option {
  return new Option("-r, --recursive", `take folders too: ${what} in them`);
}

/** For commands that show texts from outside. main.ts acts on it. */
export function wholeOption(): Option {
  return new Option("--whole", "show every text whole, however long (--json always does)");
}

/** For commands that change a header: see resealing.ts. */
export function rewriteOption(): Option {
  return new Option(
    "--rewrite",
    "seal the whole file again if its header has no room: its receipts are lost",
  );
}

/** A whole number between two bounds. */
export function integerBetween(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high) {
      throw new InvalidArgumentError(`expected a whole number from ${low} to ${high}`);
    }
    return value;
  };
}

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };
/** Days that a duration has at most: as long as any request is good for. */
const MAX_DAYS = 366;

/** A stretch of time like 90s, 30m, 12h or 3d. @returns seconds */
export function parseDuration(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,7})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (SECONDS[unit ?? ""] ?? Number.NaN);
  if (seconds <= MAX_DAYS * 86_400) return seconds;
  throw new InvalidArgumentError("expected a duration, such as 90s, 30m, 12h or 3d");
}
