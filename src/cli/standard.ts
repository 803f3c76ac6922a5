import { fstatSync, fsyncSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { isatty } from "node:tty";
import { isSystemError, named } from "../calls.node.js";
import { TwinwrapError } from "../errors.js";
import {
  descriptorPieces,
  forEachPiece,
  type NewFile,
  streamPieces,
  writeDescriptor,
} from "../files.node.js";
import { safe, UNSAFE } from "../text.js";

// Standard input and output. How they are read and written depends on what their descriptors are: Node's own
// streams read nothing from block devices, folders and unknown sockets, and silently drop what is written there.

/** Stands for standard input or output. */
export const STANDARD = "-";

const INPUT = "standard input";
const OUTPUT = "standard output";

/** Whether a descriptor is one that Node's streams wait for: a pipe, a socket or a terminal. */
function isStream(descriptor: number): boolean {
  if (isatty(descriptor)) return true;
  try {
    const stats = fstatSync(descriptor);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return process.platform === "win32"; // where not everything that is open has a state
  }
}

/** The data of standard input. It can be read once. */
export function standardInput(): { pieces: AsyncIterable<Uint8Array>; close: () => void } {
  if (!isStream(0)) {
    // A folder is refused by the system when it is read.
    return { pieces: descriptorPieces(INPUT, 0), close: () => {} };
  }
  const stream = process.stdin;
  if (!(stream instanceof Socket)) {
    throw new TwinwrapError("UNSUPPORTED", `${INPUT} is of a kind that cannot be read here`);
  }
  // A read that is under way when the work fails would keep the process alive.
  return { pieces: streamPieces(INPUT, stream), close: () => stream.destroy() };
}

/** Writes data to standard output as it comes. All of it is written when this returns. */
export async function writeStandard(content: NewFile["content"]): Promise<void> {
  if (!isStream(1)) return writeDescriptor(OUTPUT, 1, content);
  const stream = process.stdout;
  await forEachPiece(content, (bytes) => {
    return new Promise((resolve, reject) => {
      stream.write(bytes, (error) => (error ? reject(named(error, OUTPUT)) : resolve()));
    });
  });
}

/** Text for standard output or standard error. Remembers what could not be written. */
class Facts {
  readonly #descriptor: 1 | 2;
  readonly #isStream: boolean;
  #waiting = 0;
  #whenWritten: (() => void) | undefined;
  #error: unknown;
  #lost = "";

  constructor(descriptor: 1 | 2) {
    this.#descriptor = descriptor;
    this.#isStream = isStream(descriptor);
  }

  write(text: string): void {
    if (this.#error !== undefined) {
      this.#lost += text;
    } else if (this.#isStream) {
      this.#waiting++;
      const stream = this.#descriptor === 1 ? process.stdout : process.stderr;
      stream.write(text, (error) => {
        if (error) this.#fail(error, text);
        if (--this.#waiting === 0) this.#whenWritten?.();
      });
    } else {
      const bytes = Buffer.from(text);
      let done = 0;
      try {
        while (done < bytes.length) done += this.#writeSync(bytes.subarray(done));
      } catch (error) {
        this.#fail(error, bytes.toString("utf8", done));
      }
    }
  }

  #writeSync(bytes: Uint8Array): number {
    for (;;) {
      try {
        return writeSync(this.#descriptor, bytes);
      } catch (error) {
        if (!isSystemError(error, "EAGAIN")) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      }
    }
  }

  #fail(error: unknown, text: string): void {
    this.#error ??= named(error, this.#descriptor === 1 ? OUTPUT : "standard error");
    this.#lost += text;
  }

  /** Waits until all is written. @returns undefined, or the error and the text that was lost */
  async end(): Promise<{ error: unknown; lost: string } | undefined> {
    if (this.#waiting > 0) {
      await new Promise<void>((resolve) => {
        this.#whenWritten = resolve;
      });
    }
    if (this.#error === undefined && !this.#isStream) {
      try {
        fsyncSync(this.#descriptor);
      } catch (error) {
        // Only disks can be synced: other errors say nothing about the data.
        if (isSystemError(error, "EIO", "ENOSPC", "EDQUOT")) this.#fail(error, "");
      }
    }
    return this.#error === undefined ? undefined : { error: this.#error, lost: this.#lost };
  }
}

const facts = { out: new Facts(1), err: new Facts(2) };
// Whoever writes to a closed pipe gets the error. Without a listener the event would end the process with a stack.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

/** Columns of a line where no terminal says how many it has. */
const DEFAULT_WIDTH = 160;
let isWhole = false;

/** Texts from outside are shown whole from now on, however long they are. */
export function showWhole(): void {
  isWhole = true;
}

let hidesFacts = false;

/** No facts are printed from now on: errors, warnings and the exit code tell. */
export function beQuiet(): void {
  hidesFacts = true;
}

export function isQuiet(): boolean {
  return hidesFacts;
}

/** Columns of a line. @param output where the command's data goes: facts are on standard error if it is `-` */
export function lineWidth(output?: string): number {
  if (isWhole) return Number.POSITIVE_INFINITY;
  const { columns: width } = output === STANDARD ? process.stderr : process.stdout;
  return width || DEFAULT_WIDTH;
}

let hasProgress = false;

/** Shows a line on the terminal, until something else is shown. */
export function showProgress(line: string): void {
  hasProgress = true;
  process.stderr.write(`\r\u001b[K${line}`);
}

function hideProgress(): void {
  if (hasProgress) process.stderr.write("\r\u001b[K");
  hasProgress = false;
}

function write(text: string, output: string | undefined): void {
  hideProgress();
  if (hidesFacts) return;
  (output === STANDARD ? facts.err : facts.out).write(text);
}

/** Prints facts: to standard output, unless the data itself goes there. What controls a terminal is made visible. */
export function print(text: string, output?: string): void {
  write(
    text
      .split("\n")
      .map((line) => safe(line))
      .join("\n"),
    output,
  );
}

/** Marks that would climb over other lines. */
const CLIMBING = /(?<=\p{M}{4})\p{M}/gu;

/** JSON that means the same, with every character that controls or paints over a terminal as \uXXXX. */
function safeJson(json: string): string {
  const escaped = (character: string) =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join("");
  return json
    .replace(UNSAFE, (character) => (character === "\n" ? character : escaped(character)))
    .replace(CLIMBING, escaped);
}

export function printJson(value: unknown, output?: string): void {
  printJsonText(`${JSON.stringify(value, null, 2)}\n`, output);
}

/** The same for JSON that is text already, or a part of one. */
export function printJsonText(json: string, output?: string): void {
  write(safeJson(json), output);
}

/** Prints a warning or an error, as one line on standard error. A terminal may fold it: nothing in it is left out. */
export function warn(text: string): void {
  hideProgress();
  facts.err.write(`twinwrap: ${safe(text, Number.POSITIVE_INFINITY)}\n`);
}

/** The same for advice that nobody has to follow: -q hides it. */
export function hint(text: string): void {
  if (!hidesFacts) warn(text);
}

/**
 * Waits until all facts are written. Facts that standard output does not take go to standard error, unless its
 * reader has closed the pipe.
 * @param explain puts an error into words
 * @returns whether all facts were written
 */
export async function endFacts(explain: (error: unknown) => string): Promise<boolean> {
  hideProgress();
  const out = await facts.out.end();
  if (out !== undefined) {
    warn(explain(out.error));
    if (!isSystemError(out.error, "EPIPE")) facts.err.write(out.lost);
  }
  return (await facts.err.end()) === undefined && out === undefined;
}
