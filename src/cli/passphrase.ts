import { openSync } from "node:fs";
import { createInterface } from "node:readline";
import { ReadStream } from "node:tty";
import { fromUtf8, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { collectPieces } from "../files.node.js";
import type { ReadKeyOptions } from "../keys/index.js";
import { begin } from "../process.node.js";
import { UsageError } from "./command.js";
import { withInput } from "./io.js";
import { isQuiet, STANDARD, warn } from "./standard.js";
import { safe } from "./text.js";

/** Where a passphrase comes from. It is never an argument itself, which others could see. */
export interface PassphraseOptions {
  passphraseFile?: string | undefined;
  /** false: never ask. */
  passphrase?: boolean | undefined;
}

/** Most characters of a passphrase, as JavaScript counts them (UTF-16). */
const MAX_PASSPHRASE = 1024;
/** Most bytes of a first line with a passphrase: three of UTF-8 for each character, a byte order mark, a line end. */
const MAX_LINE = 3 * MAX_PASSPHRASE + 3 + 2;
const NEWLINE = 0x0a;

/** The first line of a file, in pieces. Of a line that is too long, only its beginning. */
async function* firstLine(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const piece of pieces) {
    const end = piece.indexOf(NEWLINE);
    const part = piece.subarray(0, end < 0 ? MAX_LINE : Math.min(end, MAX_LINE));
    length += part.length;
    yield part;
    wipe(piece);
    if (end >= 0 || length >= MAX_LINE) return;
  }
}

/**
 * The first line of a file, without its line end and byte order mark.
 * @param what what the line is called in messages
 * @throws UsageError
 */
export async function readPassphraseFile(path: string, what = "passphrase"): Promise<string> {
  if (path === STANDARD && standardLine !== undefined) return standardLine;
  const bytes = await withInput(path, (file) =>
    collectPieces(path, firstLine(file.pieces()), 2 * MAX_LINE),
  );
  let line: string;
  try {
    if (bytes.length >= MAX_LINE) throw tooLong(path, what);
    line = fromUtf8(bytes)
      .replace(/^\ufeff/, "")
      .replace(/\r$/, "");
  } catch (error) {
    if (!(error instanceof TwinwrapError && error.code === "BAD_FORMAT")) throw error;
    // If bad bytes were replaced, a key would be locked with a passphrase that nobody knows.
    throw new UsageError(`the ${what} file ${path} is not UTF-8`);
  } finally {
    wipe(bytes);
  }
  if (line === "") throw new UsageError(`the ${what} file ${path} begins with an empty line`);
  if (line.length > MAX_PASSPHRASE) throw tooLong(path, what);
  if (path === STANDARD) standardLine = line;
  return line;
}

/** The first line of standard input, which can be read only once: one passphrase may be for several keys. */
let standardLine: string | undefined;

function tooLong(path: string, what: string): UsageError {
  return new UsageError(
    `the ${what} file ${path} has too long a first line: a ${what} has at most ${MAX_PASSPHRASE} characters`,
  );
}

/** The terminal to ask on: standard input may carry data. */
function openTerminal(): ReadStream | undefined {
  if (process.stdin.isTTY) return process.stdin;
  try {
    return new ReadStream(openSync(process.platform === "win32" ? "CONIN$" : "/dev/tty", "r+"));
  } catch (error) {
    if (error instanceof Error && "code" in error) return undefined; // there is no terminal
    throw error;
  }
}

function interrupted(): TwinwrapError {
  return new TwinwrapError("ABORTED", "interrupted: nothing was done");
}

/** Reads a line from the terminal without showing it. */
function ask(terminal: ReadStream, prompt: string): Promise<string> {
  // A signal must not leave behind a terminal that hides what is typed.
  const done = begin(() => terminal.setRawMode(false));
  // This comes before the question, to hide also what is typed ahead.
  terminal.setRawMode(true);
  process.stderr.write(`${safe(prompt, Number.POSITIVE_INFINITY)} `);
  terminal.setEncoding("utf8");
  terminal.resume();
  return new Promise((resolve, reject) => {
    let line = "";
    const end = (settle: () => void) => {
      terminal.off("data", onData);
      terminal.setRawMode(false);
      done();
      terminal.pause();
      process.stderr.write("\n");
      settle();
    };
    const onData = (typed: string) => {
      for (const character of typed) {
        if (character === "\r" || character === "\n") {
          // If it were cut, a key would be locked with what nobody typed.
          return end(() => {
            if (line.length <= MAX_PASSPHRASE) resolve(line);
            else reject(new UsageError(`a passphrase has at most ${MAX_PASSPHRASE} characters`));
          });
        }
        if (character === "\u0003") return end(() => reject(interrupted()));
        if (character === "\u0004" && line === "") {
          return end(() => reject(new TwinwrapError("ABORTED", "no passphrase was given")));
        }
        if (character === "\u007f" || character === "\b") line = [...line].slice(0, -1).join("");
        else if (character === "\u0015") line = "";
        else if (character >= " ") line += character;
      }
    };
    terminal.on("data", onData);
  });
}

/**
 * Works with the terminal.
 * @param what says why it is needed
 * @param advice says what to give where there is no terminal
 * @throws TwinwrapError PASSPHRASE_NEEDED
 */
async function withTerminal<T>(
  what: string,
  advice: string,
  work: (terminal: ReadStream) => Promise<T>,
): Promise<T> {
  const terminal = openTerminal();
  if (terminal === undefined) {
    throw new TwinwrapError(
      "PASSPHRASE_NEEDED",
      `${what}, and there is no terminal to ask on: give ${advice}`,
    );
  }
  try {
    return await work(terminal);
  } finally {
    if (terminal !== process.stdin) terminal.destroy();
  }
}

/**
 * What gets the passphrase of a key that turns out to be locked.
 * @param path the key's file, for the question
 * @param flag the option that gives a file with the passphrase
 */
export function passphraseFor(
  path: string,
  options: PassphraseOptions,
  flag = "--passphrase-file",
): () => Promise<string> {
  return async () => {
    if (options.passphraseFile !== undefined) return readPassphraseFile(options.passphraseFile);
    const what = `${path} is locked with a passphrase`;
    if (options.passphrase === false) {
      throw new TwinwrapError("PASSPHRASE_NEEDED", `${what}, and --no-passphrase says not to ask`);
    }
    return withTerminal(what, flag, (terminal) => ask(terminal, `Passphrase for ${path}:`));
  };
}

/** How a key is opened. An empty answer on the terminal is tried like any other. */
export function unlockingOf(path: string, options: PassphraseOptions): ReadKeyOptions {
  return { passphrase: passphraseFor(path, options), allowEmptyPassphrase: true };
}

/** Gets the passphrase for a new key file; undefined if it is to stay unlocked. */
export async function newPassphrase(
  path: string,
  options: PassphraseOptions,
  flag = "--passphrase-file",
): Promise<string | undefined> {
  const passphrase = await choosePassphrase(path, options, flag);
  if (passphrase !== undefined && passphrase.length < SHORT) {
    warn(
      `the passphrase of ${path} is short: whoever gets the file can try all that are as short; several words are better`,
    );
  }
  return passphrase;
}

/** Characters that a passphrase should have at least (NIST SP 800-63B, section 5.1.1.1). */
const SHORT = 8;

async function choosePassphrase(
  path: string,
  options: PassphraseOptions,
  flag: string,
): Promise<string | undefined> {
  if (options.passphraseFile !== undefined) return readPassphraseFile(options.passphraseFile);
  if (options.passphrase === false) return undefined;
  const what = `${path} needs a passphrase (or --no-passphrase)`;
  return withTerminal(what, flag, async (terminal) => {
    for (;;) {
      const first = await ask(terminal, `New passphrase for ${path}:`);
      if (first === "") {
        process.stderr.write(
          "An empty passphrase protects nothing; --no-passphrase leaves a key unlocked.\n",
        );
        continue;
      }
      if ((await ask(terminal, "The same again:")) === first) return first;
      process.stderr.write("The two differ.\n");
    }
  });
}

/**
 * Asks for a line that may be seen.
 * @param about lines above the question, which belong to it
 * @param otherwise what to give where there is no terminal
 * @returns the line without white space around it; empty if the terminal was closed
 * @throws UsageError if there is no terminal
 */
export async function askLine(question: string, otherwise: string, about = ""): Promise<string> {
  const terminal = openTerminal();
  if (terminal === undefined) throw new UsageError(otherwise);
  const done = begin(() => terminal.setRawMode(false));
  const lines = createInterface({ input: terminal, output: process.stderr });
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      process.stderr.write(about);
      lines.on("SIGINT", () => reject(interrupted()));
      lines.on("close", () => resolve(""));
      lines.question(`${question} `, resolve);
    });
    return answer.trim();
  } finally {
    lines.close();
    done();
    if (terminal !== process.stdin) terminal.destroy();
  }
}

/**
 * Asks whether to go on.
 * @param about lines above the question, which belong to it
 * @throws TwinwrapError ABORTED if the answer is not yes; UsageError if there is no terminal
 */
export async function confirm(
  question: string,
  about = "",
  undone = "nothing was signed",
): Promise<void> {
  if (isQuiet())
    throw new UsageError("-q hides what you are asked about: give --yes too, or leave -q out");
  const otherwise = "there is no terminal to ask for a confirmation on: give --yes";
  const answer = await askLine(`${safe(question)} [y/N]`, otherwise, about);
  if (!/^y(es)?$/i.test(answer)) throw new TwinwrapError("ABORTED", undone);
}
