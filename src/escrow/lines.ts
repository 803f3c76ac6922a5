import { fromHex, isWellFormed } from "../bytes.js";
import { overLimit, TwinwrapError } from "../errors.js";
import { parseTime } from "../jcs.js";

// A signed note's text is lines "key value" in a fixed order, after a first line that says
// what kind of note it is. There is one spelling: any text that can be read is written the same way again.

const CONTROL = /\p{Cc}/u;
const HASH = /^[0-9a-f]{64}$/;
const NUMBER = /^(?:0|[1-9][0-9]{0,15})$/;

/** Lines of "key value" after the line that names the kind; each ends in a newline. */
export function formatLines(kind: string, lines: readonly (readonly [string, string])[]): string {
  return `${kind}\n${lines.map(([key, value]) => `${key} ${value}\n`).join("")}`;
}

/** Reads such lines one after the other. */
export class Lines {
  readonly #where: string;
  readonly #lines: string[];
  #at = 1;

  /** @throws TwinwrapError BAD_FORMAT unless `text` is lines, of which the first is `kind` */
  constructor(text: string, kind: string) {
    this.#where = kind;
    this.#lines = text.split("\n");
    if (this.#lines.pop() !== "" || this.#lines[0] !== kind) {
      throw new TwinwrapError("BAD_FORMAT", `not a text that begins with "${kind}"`);
    }
    for (const line of this.#lines) {
      if (CONTROL.test(line) || !isWellFormed(line)) throw this.bad("a control character");
    }
  }

  /** The error of a text that is not as it should be. */
  bad(what: string): TwinwrapError {
    return new TwinwrapError("BAD_FORMAT", `${this.#where}: ${what}`);
  }

  /** Whether the next line has this key. */
  next(key: string): boolean {
    return this.#lines[this.#at]?.startsWith(`${key} `) ?? false;
  }

  /** The value of the next line, which must have this key; read by `read` if that is given. */
  value(key: string): string;
  value<T>(key: string, read: (value: string, where: string) => T): T;
  value<T>(key: string, read?: (value: string, where: string) => T): string | T {
    if (!this.next(key)) throw this.bad(`line ${this.#at + 1} is not "${key} …"`);
    const value = this.#lines[this.#at++]!.slice(key.length + 1);
    return read === undefined ? value : read(value, `${this.#where}: ${key}`);
  }

  /** As many lines with this key as there are, `min` to `max` of them. */
  values<T>(key: string, min: number, max: number, read: (value: string, where: string) => T): T[] {
    const values: T[] = [];
    while (this.next(key)) {
      values.push(this.value(key, read));
      if (values.length > max) throw this.#tooMany(key, max);
    }
    if (values.length < min) throw this.bad(`fewer than ${min} lines of "${key}"`);
    return values;
  }

  /** One of these texts. */
  oneOf<T extends string>(key: string, choices: readonly T[]): T {
    const value = this.value(key);
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) throw this.bad(`"${key}" is not one of ${choices.join(", ")}`);
    return choice;
  }

  /** A number in decimal digits, without leading zeros. */
  number(key: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
    const text = this.value(key);
    const number = NUMBER.test(text) ? Number(text) : Number.NaN;
    const message = `"${key}" is not ${min} to ${max}`;
    if (number > max) throw overLimit(`${this.#where}: ${message}`);
    if (!(number >= min)) throw this.bad(message);
    return number;
  }

  /** A hash: 32 bytes in lower-case hexadecimal. */
  hash(key: string): Uint8Array<ArrayBuffer> {
    const text = this.value(key);
    if (!HASH.test(text)) throw this.bad(`"${key}" is not 64 digits of lower-case hexadecimal`);
    return fromHex(text);
  }

  /** As many hashes with this key as there are, `min` to `max` of them. */
  hashes(key: string, min: number, max: number): Uint8Array<ArrayBuffer>[] {
    const hashes: Uint8Array<ArrayBuffer>[] = [];
    while (this.next(key)) {
      hashes.push(this.hash(key));
      if (hashes.length > max) throw this.#tooMany(key, max);
    }
    if (hashes.length < min) throw this.bad(`fewer than ${min} lines of "${key}"`);
    return hashes;
  }

  #tooMany(key: string, max: number): TwinwrapError {
    return overLimit(`${this.#where}: more than ${max} lines of "${key}"`);
  }

  /** A time in UTC with whole seconds. */
  time(key: string): Date {
    const time = parseTime(this.value(key));
    if (time === undefined) throw this.bad(`"${key}" is not a UTC time with whole seconds`);
    return time;
  }

  /** Refuses lines that nobody asked for. */
  end(): void {
    if (this.#at < this.#lines.length) throw this.bad(`line ${this.#at + 1} should not be there`);
  }
}
