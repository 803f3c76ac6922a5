import { equalBytes, fromUtf8, toUtf8 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";

// People carry messages through mail, editors and clipboards. These leave a byte order mark, change line
// ends, add one at the end or take the last away, leave blanks at ends of lines, and break long lines. None
// of that can be part of a message, so it is undone here, and nowhere else, before a message is read. The
// result is canonical, or refused: a wrong guess verifies as little as any other altered message.

/** Bytes that a message of `limit` bytes may have as it comes, additions included. */
export function carriedLimit(limit: number): number {
  return limit + (limit >> 3) + 1024;
}

/**
 * Reads a message as it came. If that fails, undoes what carrying it may have changed.
 * @param read reads canonical bytes
 * @throws TwinwrapError what `read` throws at the bytes as they came, if nothing helps
 */
export function readCarried<T>(bytes: Uint8Array, read: (bytes: Uint8Array) => T): T {
  // No message begins with a byte order mark, though the origin of a checkpoint could.
  const unmarked = equalBytes(bytes.subarray(0, 3), MARK) ? bytes.subarray(3) : bytes;
  try {
    return read(unmarked);
  } catch (error) {
    if (!isUnread(error)) throw error;
    // One at a time: a message may be long.
    let tried = unmarked;
    for (const candidate of spellings(fromUtf8(unmarked))) {
      if (equalBytes(candidate, tried) || equalBytes(candidate, unmarked)) continue;
      tried = candidate;
      try {
        return read(candidate);
      } catch (other) {
        if (!isUnread(other)) throw other;
      }
    }
    throw error;
  }
}

/** U+FEFF in UTF-8. */
const MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

function isUnread(error: unknown): boolean {
  return error instanceof TwinwrapError && error.code === "BAD_FORMAT";
}

/** What a text may have been before it was carried, the likeliest first. */
function* spellings(carried: string): Generator<Uint8Array> {
  const text = carried.trim();
  if (text.startsWith("{")) {
    const bytes = toUtf8(text);
    const joints = isCutAtOneWidth(text) ? (["", " "] as const) : ([" ", ""] as const);
    for (const joint of joints) yield compactJson(bytes, joint);
    return;
  }
  const lines = text.split(/\r\n|\r|\n/);
  yield asNote(lines);
  const joined = joinLines(lines);
  yield asNote(joined);
  yield asNote(joined.map(withoutBlanks));
}

function asNote(lines: readonly string[]): Uint8Array {
  return toUtf8(lines.map((line) => `${line}\n`).join(""));
}

/** A line without blanks at its end. (A regular expression would look at each run of blanks again and again.) */
function withoutBlanks(line: string): string {
  let end = line.length;
  while (end > 0 && isBlank(line.charCodeAt(end - 1))) end--;
  return line.slice(0, end);
}

/**
 * Whether lines were cut to one width. Some programs break anywhere, but always at one width (mail allows 998
 * bytes), others only at blanks, which they may swallow. Scans megabytes of line ends without splitting them.
 */
function isCutAtOneWidth(text: string): boolean {
  let width: number | undefined;
  let breaks = 0;
  for (let at = 0, start = 0; at < text.length; at++) {
    if (!isLineEnd(text.charCodeAt(at))) continue;
    if (width !== undefined && at - start !== width) return false;
    width = at - start;
    breaks++;
    if (text.charCodeAt(at) === RETURN && text.charCodeAt(at + 1) === NEWLINE) at++;
    start = at + 1;
  }
  return breaks > 1 || (width !== undefined && width >= 990 && width <= 998);
}

const [TAB, NEWLINE, RETURN, SPACE, QUOTE, BACKSLASH] = [0x09, 0x0a, 0x0d, 0x20, 0x22, 0x5c];

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

function isLineEnd(byte: number): boolean {
  return byte === NEWLINE || byte === RETURN;
}

/**
 * JSON without white space between its values, and without line ends in its texts, where JSON has none. Goes
 * through once, byte by byte: hostile input may be nothing but quotation marks and line ends.
 * @param joint what stood in a text where it was broken, unless a blank is left there
 */
function compactJson(json: Uint8Array, joint: "" | " "): Uint8Array {
  // A line end becomes a blank at most.
  const compact = new Uint8Array(json.length);
  let length = 0;
  let inText = false;
  // After a backslash: the escaped character ends no text, and a line end between them was a cut.
  let isEscaped = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]!;
    if (isLineEnd(byte)) {
      const isJoined = inText && !isEscaped && joint === " " && !isBlank(json[at - 1]);
      if (isJoined) compact[length++] = SPACE;
      if (byte === RETURN && json[at + 1] === NEWLINE) at++;
      continue;
    }
    if (!inText && isBlank(byte)) continue;
    compact[length++] = byte;
    if (byte === QUOTE && !isEscaped) inText = !inText;
    isEscaped = inText && byte === BACKSLASH && !isEscaped;
  }
  return compact.subarray(0, length);
}

/**
 * How the lines of each note begin. No others are known in it: a word of these may well stand where a line of another
 * note was broken.
 */
const KEYS = new Map([
  ["approval", "authority|policy|request|recipient|records|decision|identity|date|expires"],
  ["veto", "authority|request|owner|date"],
  [
    "policy",
    "authority|number|previous|release|change|emergency|waiting|owners|unproven|officer|key|share|self",
  ],
  ["authority", "origin|number|previous|log|wrap|alg|ended|kept|end"],
]);

/** Whether a line of a note of this kind can begin so; of a checkpoint, only those of its signatures are known. */
function lineStart(kind: string | undefined): RegExp {
  const keys = KEYS.get(kind ?? "") ?? "—";
  return new RegExp(`^(?:$|twinwrap/|(?:${keys}|—)(?: |$))`);
}

/** Lines that end in base64, with the words before it. */
const BASE64_LINE = /^(?:(?:share|key|wrap) |(?:log|ended|—) \S+ )\S/;

/** Characters of a line within which those words end. */
const WORDS = 512;

/** Lines that were broken, put together again. */
function joinLines(lines: readonly string[]): string[] {
  // The parts of each line, and its beginning: joined once.
  const joined: { parts: string[]; start: string }[] = [];
  // A checkpoint's own lines are anything; they are short, and only its signatures can have been broken.
  const kind = /^twinwrap\/([a-z]+)\/v1\s*$/.exec(lines[0] ?? "")?.[1];
  const start = lineStart(kind);
  const signatures = lines.map((line) => line.trim()).lastIndexOf("");
  for (const [i, line] of lines.entries()) {
    const last = joined.at(-1);
    const isWhole = start.test(line) || !(kind !== undefined || i > signatures);
    if (last === undefined || last.start === "" || isWhole) {
      const whole = line.trim() === "" ? "" : line;
      joined.push({ parts: [whole], start: whole.slice(0, WORDS) });
      continue;
    }
    // Some programs leave the blank at which they break.
    const part = last.parts.at(-1)!;
    const joint =
      isBlank(part.charCodeAt(part.length - 1)) || BASE64_LINE.test(last.start) ? "" : " ";
    last.parts.push(joint, line);
    if (last.start.length < WORDS) last.start = `${last.start}${joint}${line}`.slice(0, WORDS);
  }
  return joined.map(({ parts }) => parts.join(""));
}
