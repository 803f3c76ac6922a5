import { equalBytes, fromUtf8, toUtf8 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { textEnd } from "../jcs.js";

// Messages are carried by people: through mail, editors and clipboards, which leave a byte order mark, change
// line ends, put one behind the end or take the last away, leave blanks at ends of lines, and break long
// lines. None of that can be part of a message, so it is undone here, and nowhere else, before a message
// is read. What is then read, hashed and verified is canonical, or refused: a guess that was wrong verifies
// as little as any other altered message.

/** Bytes that a message of `limit` bytes may have as it comes: with what was put between. */
export function carriedLimit(limit: number): number {
  return limit + (limit >> 3) + 1024;
}

/**
 * Reads a message as it came; where it is not one as it is, with what carrying it may have changed undone.
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
    const carried = fromUtf8(unmarked);
    for (const candidate of new Set(spellings(carried))) {
      if (candidate === carried) continue;
      try {
        return read(toUtf8(candidate));
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
function* spellings(carried: string): Generator<string> {
  const text = carried.trim();
  const lines = text.split(/\r\n|\r|\n/);
  if (text.startsWith("{")) {
    // Some break anywhere, but always at one width (mail allows 998 bytes), others only at blanks, which they
    // may swallow.
    const widths = new Set(lines.slice(0, -1).map(({ length }) => length));
    const [width = 0] = widths;
    const isCut = widths.size === 1 && (lines.length > 2 || (width >= 990 && width <= 998));
    const joints = isCut ? (["", " "] as const) : ([" ", ""] as const);
    for (const joint of joints) yield compactJson(text, joint);
    return;
  }
  yield asNote(lines);
  yield asNote(joinLines(lines));
  yield asNote(joinLines(lines).map((line) => line.replace(/[ \t]+$/, "")));
}

function asNote(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

/**
 * JSON without white space between its values, and without line ends in its texts, where JSON has none.
 * @param joint what stood in a text where it was broken, unless a blank is left there
 */
function compactJson(json: string, joint: "" | " "): string {
  const parts: string[] = [];
  for (let at = 0; at < json.length; ) {
    const start = json.indexOf('"', at);
    parts.push(json.slice(at, start < 0 ? json.length : start).replace(/[ \t\r\n]+/g, ""));
    if (start < 0) break;
    const end = textEnd(json, start);
    at = end < 0 ? json.length : end + 1;
    const text = json.slice(start, at);
    parts.push(text.replace(/([ \t]?)(?:\r\n|\r|\n)/g, (_, blank: string) => blank || joint));
  }
  return parts.join("");
}

/** How every line of a note begins, but for the three of a checkpoint. */
const LINE =
  /^(?:$|twinwrap\/|(?:authority|policy|request|recipient|records|decision|identity|expires|number|previous|release|change|emergency|waiting|officer|key|share|self|—)(?: |$))/;
/** Lines that end in base64, with the words before it. */
const BASE64_LINE = /^(?:(?:share|key) |— \S+ )\S/;

/** Lines that were broken, put together again. */
function joinLines(lines: readonly string[]): string[] {
  const joined: string[] = [];
  // A checkpoint's own lines are anything; they are short, and only its signatures can have been broken.
  const isKnown = lines[0]?.startsWith("twinwrap/") ?? false;
  const signatures = lines.map((line) => line.trim()).lastIndexOf("");
  for (const [i, line] of lines.entries()) {
    const last = joined.at(-1);
    const isWhole = LINE.test(line) || !(isKnown || i > signatures);
    if (last === undefined || last === "" || isWhole) {
      joined.push(line.trim() === "" ? "" : line);
      continue;
    }
    // Some leave the blank at which they break.
    const joint = /[ \t]$/.test(last) || BASE64_LINE.test(last) ? "" : " ";
    joined[joined.length - 1] = `${last}${joint}${line}`;
  }
  return joined;
}
