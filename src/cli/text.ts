import { toBase64, toHex } from "../bytes.js";
import { type Cell, columns, Outside, safe } from "../text.js";
import { lineWidth } from "./standard.js";

export { formatSize, safe } from "../text.js";

/** Columns of a name from outside that stands among our own words: a fingerprint fits, which many owners go by. */
const NAME_WIDTH = 64;

/** A name from outside, to stand among our own words. */
export function inline(name: string): string {
  const width = lineWidth();
  return safe(name, width === Number.POSITIVE_INFINITY ? width : NAME_WIDTH);
}

/** A name as part of a file's name. It can't lead into another folder. */
export function fileName(name: string): string {
  return name.replace(/[/\\]/g, "_");
}

/** A whole fingerprint, in the form that commands take. */
export function formatFingerprint(fingerprint: Uint8Array): string {
  return toHex(fingerprint);
}

/** Columns that a text from outside gets at least, however narrow the terminal is. */
const LEAST = 12;

/**
 * Lines of cells, such as a name and a value, the columns under each other.
 * Cells are made safe here: none can end its line or control the terminal. Texts from outside are cut to what the
 * line has room for beside our own words.
 * @param output where the command's data goes, as for print
 */
export function table(rows: readonly (readonly Cell[])[], output?: string): string {
  const width = lineWidth(output);
  const widths = fitted(rows, width);
  const line = (row: readonly Cell[]) => {
    const cells: string[] = [];
    let at = 0;
    for (const [i, cell] of row.entries()) {
      const isLast = i === row.length - 1;
      const text = shown(cell, Math.max(LEAST, isLast ? width - at : widths[i]!));
      const padding = isLast ? 0 : widths[i]! - columns(text);
      cells.push(text + " ".repeat(Math.max(0, padding)));
      at += (widths[i] ?? 0) + GAP;
    }
    return cells.join(" ".repeat(GAP)).trimEnd();
  };
  return rows.map((row) => `${line(row)}\n`).join("");
}

/** Columns between two cells. */
const GAP = 2;

function shown(cell: Cell, width: number): string {
  return cell instanceof Outside ? safe(cell.text, width, cell.keep) : safe(cell);
}

/** The width of each column: where a line has no room for all, what came from outside gives way. */
function fitted(rows: readonly (readonly Cell[])[], width: number): number[] {
  const ours: number[] = [];
  const theirs: number[] = [];
  let last = 0;
  for (const row of rows) {
    // What ends a line makes no column wider.
    for (const [i, cell] of row.entries()) {
      const natural = columns(shown(cell, Number.POSITIVE_INFINITY));
      const isOutside = cell instanceof Outside;
      if (i === row.length - 1) {
        last = Math.max(last, isOutside ? Math.min(natural, LEAST) : natural);
      } else {
        const most = isOutside ? theirs : ours;
        most[i] = Math.max(most[i] ?? 0, natural);
      }
    }
  }
  const count = Math.max(ours.length, theirs.length);
  const at = (cap: number) =>
    Array.from({ length: count }, (_, i) => Math.max(ours[i] ?? 0, Math.min(theirs[i] ?? 0, cap)));
  if (width === Number.POSITIVE_INFINITY) return at(width);
  let cap = width;
  const needed = (widths: number[]) => widths.reduce((sum, one) => sum + one + GAP, last);
  while (cap > LEAST && needed(at(cap)) > width) cap--;
  return at(cap);
}

/**
 * A page of a list.
 * @param rows a head, and a line for each
 * @param none said where there is only the head
 * @param next the cursor of the next page, if there is one
 */
export function pageText(
  rows: readonly (readonly Cell[])[],
  none: string,
  next: string | undefined,
): string {
  const list = rows.length > 1 ? table(rows) : `${none}\n`;
  return next === undefined ? list : `${list}there are more: --cursor ${next}\n`;
}

/** An Ed25519 public key, as notes and policies have it. */
export function formatKey(publicKey: Uint8Array): string {
  return toBase64(publicKey);
}

/** A duration as people read it. */
export function formatSeconds(seconds: number): string {
  for (const [unit, size] of [
    ["days", 86_400],
    ["hours", 3600],
    ["minutes", 60],
  ] as const) {
    if (seconds >= size && seconds % size === 0) return `${seconds / size} ${unit}`;
  }
  return `${seconds} seconds`;
}
