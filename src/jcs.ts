import { fromBase64Url, fromUtf8, isWellFormed, toUtf8 } from "./bytes.js";
import { overLimit, TwinwrapError } from "./errors.js";

// JSON that is hashed, signed or stored: the canonical form of RFC 8785 (JCS), without fractions.
// A canonical text has one spelling, so "the same bytes after a round trip" is the whole check for
// white space, escapes, order, duplicate names, a BOM and odd numbers.

/** A value of the canonical form. Numbers are integers below 2^53 in size. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const MAX_DEPTH = 8;

function bad(message: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", message);
}

function write(value: Json, depth: number): string {
  if (depth > MAX_DEPTH) throw tooDeep();
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw bad("JSON number that is not an integer below 2^53");
    return String(value);
  }
  if (typeof value === "string") {
    if (!isWellFormed(value)) throw bad("JSON text with half a surrogate pair");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join()}]`;
  if (Object.prototype.toString.call(value) !== "[object Object]") throw bad("not a JSON value");
  const members = Object.keys(value)
    .sort() // by UTF-16 code units, as RFC 8785 section 3.2.3 asks
    .map((name) => `${write(name, depth)}:${write(value[name]!, depth + 1)}`);
  return `{${members.join()}}`;
}

/**
 * The canonical bytes of `value` (RFC 8785).
 * @throws TwinwrapError BAD_FORMAT if a number is no integer below 2^53, a text is not well-formed,
 *   or the nesting is deeper than 8
 */
export function encodeJcs(value: Json): Uint8Array<ArrayBuffer> {
  try {
    return toUtf8(write(value, 1));
  } catch (cause) {
    if (cause instanceof TwinwrapError) throw cause;
    throw new TwinwrapError("BAD_FORMAT", "a JSON value that can't be read", { cause });
  }
}

/**
 * Checks a text's shape before parsing: a parser takes seconds and gigabytes for megabytes of "[" or
 * "{},".
 * @throws TwinwrapError BAD_FORMAT if it is nested deeper than 8, or has more than `maxValues` values
 */
function checkShape(text: string, maxValues: number): void {
  let depth = 0;
  // Every value but the outermost comes after a comma or is the first in its container.
  let values = 1;
  for (let i = 0; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === QUOTE) {
      i = textEnd(text, i);
      if (i < 0) return;
    } else if (character === OPEN_LIST || character === OPEN_OBJECT) {
      if (++depth > MAX_DEPTH) throw tooDeep();
      values++;
    } else if (character === OPEN_LIST + 2 || character === OPEN_OBJECT + 2) {
      depth--;
    } else if (character === COMMA) {
      values++;
    }
    if (values > maxValues) throw overLimit(`JSON of more than ${maxValues} values`);
  }
}

const [QUOTE, COMMA, OPEN_LIST, OPEN_OBJECT] = [0x22, 0x2c, 0x5b, 0x7b];

/** The end of the text whose opening quotation mark is at `start`: the next unescaped one; or -1. */
function textEnd(json: string, start: number): number {
  let end = start;
  do {
    end = json.indexOf('"', end + 1);
  } while (end >= 0 && isEscaped(json, end));
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let start = at;
  while (text[start - 1] === "\\") start--;
  return (at - start) % 2 === 1;
}

function tooDeep(): TwinwrapError {
  return overLimit(`JSON nested deeper than ${MAX_DEPTH}`);
}

/**
 * Parses JSON whose shape is within limits, whatever its spelling.
 * @param maxValues values in all of it at most, each member, item and container counted
 * @param message of the error if it is not JSON
 * @throws TwinwrapError BAD_FORMAT
 */
export function parseJson<T>(text: string, maxValues: number, message: string): T {
  checkShape(text, maxValues);
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw bad(message);
  }
}

/**
 * Reads canonical bytes and nothing else.
 * @param maxValues see {@link parseJson}; by default as many as there can be in so many bytes
 * @throws TwinwrapError BAD_FORMAT if they are longer than `maxBytes` or not canonical JSON
 */
export function decodeJcs(bytes: Uint8Array, maxBytes: number, maxValues = maxBytes): Json {
  if (bytes.length > maxBytes) throw overLimit(`JSON longer than ${maxBytes} bytes`);
  const text = fromUtf8(bytes);
  const value = parseJson<Json>(text, maxValues, "this is damaged or cut JSON");
  if (write(value, 1) !== text) throw bad("JSON that is not in canonical form (RFC 8785)");
  return value;
}

/** Reads the members of one JSON object by name and type; every error says which member it is about. */
export class Members {
  readonly #members: ReadonlyMap<string, Json>;
  readonly #where: string;
  readonly #read = new Set<string>();

  /** @throws TwinwrapError BAD_FORMAT if `value` is not an object */
  constructor(value: Json | undefined, where: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw bad(`${where}: not a JSON object`);
    }
    this.#members = new Map(Object.entries(value));
    this.#where = where;
  }

  #get(name: string): Json | undefined {
    this.#read.add(name);
    return this.#members.get(name);
  }

  #fail(name: string, expected: string): never {
    throw bad(`${this.#where}: "${name}" is not ${expected}`);
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** A text of at most `maxBytes` bytes of UTF-8. */
  text(name: string, maxBytes: number): string {
    const value = this.#get(name);
    // PostgreSQL keeps no text with U+0000.
    if (typeof value !== "string" || value.includes("\0")) return this.#fail(name, "a text");
    // Each character takes a byte or more: a text far too long is not encoded just to be counted.
    if (value.length > maxBytes || toUtf8(value).length > maxBytes) {
      throw overLimit(`${this.#where}: "${name}" is not a text of at most ${maxBytes} bytes`);
    }
    return value;
  }

  /** Exactly this value. */
  exactly<T extends string | number>(name: string, expected: T): T {
    if (this.#get(name) !== expected) this.#fail(name, JSON.stringify(expected));
    return expected;
  }

  /** One of these texts. */
  oneOf<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.#get(name);
    const choice = choices.find((candidate) => candidate === value);
    return choice ?? this.#fail(name, `one of ${choices.join(", ")}`);
  }

  /** A whole number from `low` to `high`. */
  integer(name: string, low: number, high: number): number {
    const value = this.#get(name);
    if (typeof value === "number" && value >= low && value <= high) return value;
    return this.#fail(name, `a whole number from ${low} to ${high}`);
  }

  /** Unpadded base64url of `minLength` to `maxLength` bytes. */
  bytes(name: string, minLength: number, maxLength = minLength): Uint8Array<ArrayBuffer> {
    const value = this.#get(name);
    const expected = `base64url of ${minLength}${minLength === maxLength ? "" : ` to ${maxLength}`} bytes`;
    if (typeof value !== "string") return this.#fail(name, expected);
    // 4 characters hold 3 bytes: too long a text is refused before it is decoded.
    if (value.length > Math.ceil((maxLength * 4) / 3)) {
      throw overLimit(`${this.#where}: "${name}" is not ${expected}`);
    }
    const bytes = fromBase64Url(value);
    return bytes.length >= minLength ? bytes : this.#fail(name, expected);
  }

  /** A time in UTC with whole seconds, like 2026-01-31T23:59:59Z. */
  time(name: string): Date {
    const value = this.#get(name);
    const time = typeof value === "string" ? parseTime(value) : undefined;
    return time ?? this.#fail(name, "a UTC time with whole seconds");
  }

  /** A list of at most `max` items, each read by `read`. */
  list<T>(name: string, max: number, read: (item: Json, where: string) => T): T[] {
    const value = this.#get(name);
    if (!Array.isArray(value)) return this.#fail(name, `a list of at most ${max}`);
    if (value.length > max) {
      throw overLimit(`${this.#where}: "${name}" is not a list of at most ${max}`);
    }
    return value.map((item, index) => read(item, `${this.#where}: ${name}[${index}]`));
  }

  /** Any value, as it is. */
  json(name: string): Json {
    const value = this.#get(name);
    return value === undefined ? this.#fail(name, "there") : value;
  }

  /** An object inside. */
  members(name: string): Members {
    return new Members(this.#get(name), `${this.#where}: ${name}`);
  }

  /** Refuses all members that were not read: nothing hashed or signed may stay unread. */
  end(): void {
    for (const name of this.#members.keys()) {
      if (!this.#read.has(name)) throw bad(`${this.#where}: unknown member "${name}"`);
    }
  }

  /** The members that were not read: the mutable header keeps and ignores them. */
  rest(): { [name: string]: Json } {
    return Object.fromEntries([...this.#members].filter(([name]) => !this.#read.has(name)));
  }
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/**
 * A time in UTC with whole seconds, like 2026-01-31T23:59:59Z; fractions are cut off.
 * @throws TwinwrapError BAD_ARGUMENT unless the year is 0 to 9999
 */
export function formatTime(time: Date): string {
  const text = Number.isNaN(time.getTime()) ? "" : `${time.toISOString().slice(0, 19)}Z`;
  if (!TIME.test(text)) {
    throw new TwinwrapError("BAD_ARGUMENT", "not a time of the years 0 to 9999");
  }
  return text;
}

/** Reads such a time; undefined if `text` is not the one spelling of a time. */
export function parseTime(text: string): Date | undefined {
  if (!TIME.test(text)) return undefined;
  const time = new Date(text);
  // 30 February and 24:00 are other days to Date, or no time at all.
  return !Number.isNaN(time.getTime()) && formatTime(time) === text ? time : undefined;
}
