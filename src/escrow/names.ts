import { isWellFormed, toUtf8 } from "../bytes.js";
import { overLimit, TwinwrapError } from "../errors.js";

// Names that stand in signed lines. They have no spaces, so a line has one reading; no "+", because
// verifier keys are written NAME+ID+KEY; and no origin begins as the texts of our own notes do, so a
// checkpoint can't be taken for an approval, or the other way round.

const MAX_NAME = 255;
const FOREIGN = /[\p{White_Space}\p{Cc}+]/u;
const CONTROL = /\p{Cc}/u;
const RESERVED = "twinwrap/";

/**
 * Text for people in one line: 1 to `maxBytes` bytes of UTF-8 without control characters.
 * @param what names the text in the error
 * @throws TwinwrapError BAD_FORMAT
 */
export function checkText(text: string, maxBytes: number, what: string): string {
  if (!isWellFormed(text) || CONTROL.test(text)) {
    throw new TwinwrapError("BAD_FORMAT", `${what} has a control or malformed character`);
  }
  // No character takes less than a byte: a text far too long is not encoded just to be counted.
  const message = `${what} is not 1 to ${maxBytes} bytes long`;
  if (text.length > maxBytes || toUtf8(text).length > maxBytes) throw overLimit(message);
  if (text === "") throw new TwinwrapError("BAD_FORMAT", message);
  return text;
}

/**
 * An owner's ID at an authority, opaque to everybody else: 1 to 255 bytes of UTF-8 without Unicode
 * spaces, control characters and "+".
 * @throws TwinwrapError BAD_FORMAT
 */
export function checkOwnerId(text: string, what = "the owner ID"): string {
  if (FOREIGN.test(text)) {
    throw new TwinwrapError("BAD_FORMAT", `${what} has a space, a control character or a "+"`);
  }
  return checkText(text, MAX_NAME, what);
}

/**
 * The name under which a key signs (C2SP signed-note): characters and length as of an owner ID, and
 * it does not begin with "twinwrap/".
 * @throws TwinwrapError BAD_FORMAT
 */
export function checkName(text: string, what = "the name"): string {
  if (text.startsWith(RESERVED)) {
    throw new TwinwrapError("BAD_FORMAT", `${what} begins with "${RESERVED}"`);
  }
  return checkOwnerId(text, what);
}

const NEITHER_LETTER_NOR_DIGIT = /[^\p{L}\p{N}]|\p{Default_Ignorable_Code_Point}/gu;

/**
 * Folds names that people take for one into one: only letters and digits count, in one case and without accents
 * or compatibility forms. For comparing only. What has none of them folds to nothing.
 */
export function foldName(text: string): string {
  // One pass is not enough: "ẞ" becomes "ß" and then "ss", and what is dropped moves the end of a word.
  for (let before = text; ; ) {
    const bare = before.normalize("NFKD").replace(NEITHER_LETTER_NOR_DIGIT, "");
    const after = bare.toUpperCase().toLowerCase();
    if (after === before) return after;
    before = after;
  }
}

/** What a name or an owner ID is compared by: folded, or as it is if it folds to nothing. */
export function comparedName(text: string): string {
  return foldName(text) || text;
}

/** An authority's or a log's origin: the same rule as for names, because its log key signs under it. */
export function checkOrigin(text: string, what = "the origin"): string {
  return checkName(text, what);
}
