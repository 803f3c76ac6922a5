// Text for people. A header's texts, a request's and a file's name come from anybody: they must not be able to
// paint on a terminal or over a page, hide, or look like something else.

/**
 * What shows as \u{…}: controls, surrogates, format characters, private use and what Unicode has not assigned (C);
 * line and paragraph ends; whatever may leave no mark at all (variation selectors, fillers); and the two
 * characters that draw nothing though nothing says so, the empty braille cell and the null notehead.
 */
export const UNSAFE =
  /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\u2800\u{1d159}]/gu;
/** Spaces of any width. */
const SPACES = /\p{Zs}/gu;
/** The marks on one character. */
const MARKS = /\p{M}+/gu;
/** Most marks on one character: every living script does with them. More climb over other lines. */
const MAX_MARKS = 4;

/** Takes no column of its own. */
const NO_COLUMN = /^[\p{Mn}\p{Me}]$/u;
/**
 * Takes two columns (East Asian Width W or F, in some places more, so that a line may come out short and never
 * long).
 */
const TWO_COLUMNS =
  /^[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Yi}\p{Script=Tangut}\p{Script=Nushu}\p{Script=Khitan_Small_Script}\p{Emoji_Presentation}\u2329\u232a\u2e80-\u303e\u3041-\u4dff\ua490-\ua4cf\ufe10-\ufe1f\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1d300}-\u{1d37f}\u{1f200}-\u{1f2ff}\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f7e0}-\u{1f7ff}\u{1f90c}-\u{1f9ff}\u{1fa70}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

const CUT = "…";

function escaped(text: string): string {
  return [...text].map((one) => `\\u{${one.codePointAt(0)!.toString(16)}}`).join("");
}

/**
 * Text from outside, made safe to show: what can't be seen, or controls what shows it, becomes \u{…}, and every
 * space an ordinary one. That is all that a page needs, which has its own width.
 * @param width for a terminal: columns of the one line that it becomes, with runs of spaces folded, marked with …
 *   where it is cut; Infinity cuts nothing
 * @param keep which end of a line stays if it is cut: of a path the last part says most
 */
export function safe(text: string, width?: number, keep: "start" | "end" = "start"): string {
  const visible = text
    .replace(UNSAFE, escaped)
    .replace(SPACES, " ")
    .replace(MARKS, (marks: string, at: number, all: string) => {
      // At the beginning and after a space there is nothing that they are on.
      const kept = at === 0 || all[at - 1] === " " ? 0 : MAX_MARKS;
      const each = [...marks];
      return each.slice(0, kept).join("") + escaped(each.slice(kept).join(""));
    });
  return width === undefined ? visible : cut(visible.replace(/ +/g, " ").trim(), width, keep);
}

/** How many columns of a terminal a character takes. */
function columnsOf(character: string): number {
  if (character >= " " && character <= "~") return 1;
  return NO_COLUMN.test(character) ? 0 : TWO_COLUMNS.test(character) ? 2 : 1;
}

/** How many columns of a terminal a safe text takes. Where a terminal's own tables differ, it is at most a few. */
export function columns(text: string): number {
  let sum = 0;
  for (const character of text) sum += columnsOf(character);
  return sum;
}

function cut(text: string, width: number, keep: "start" | "end"): string {
  if (width === Number.POSITIVE_INFINITY || columns(text) <= width) return text;
  // Marks stay with what they are on.
  const parts = text.match(/\P{M}\p{M}*/gu) ?? [];
  if (keep === "end") parts.reverse();
  const kept: string[] = [];
  let room = width - columns(CUT);
  for (const part of parts) {
    room -= columns(part);
    if (room < 0) break;
    kept.push(part);
  }
  return keep === "end" ? CUT + kept.reverse().join("") : kept.join("").trimEnd() + CUT;
}

/** Text from outside on its way to a terminal, which cuts it to what fits. */
export class Outside {
  readonly text: string;
  readonly keep: "start" | "end";

  constructor(text: string, keep: "start" | "end" = "start") {
    this.text = text;
    this.keep = keep;
  }
}

/** A cell of a table: our own words, which are never cut, or text from outside. */
export type Cell = string | Outside;

/** A text that somebody else wrote, or that holds such a text. */
export function outside(text: string): Outside {
  return new Outside(text);
}

/** A file's name that was not chosen here. */
export function outsidePath(path: string): Outside {
  return new Outside(path, "end");
}

/** A number of bytes as people read sizes. */
export function formatSize(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let size = bytes;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} bytes` : `${size.toFixed(1)} ${units[unit]}`;
}
