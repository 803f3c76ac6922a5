import { toBase64, toHex } from "../bytes.js";
import { safe, UNSAFE } from "../text.js";

export { formatSize, safe } from "../text.js";

/** JSON that means the same, with every character that controls a terminal as \uXXXX. */
export function safeJson(json: string): string {
  const escaped = (character: string) =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join("");
  return json.replace(UNSAFE, (character) => (character === "\n" ? character : escaped(character)));
}

/** A name as part of a file's name. It can't lead into another folder. */
export function fileName(name: string): string {
  return name.replace(/[/\\]/g, "_");
}

/** A whole fingerprint, in the form that commands take. */
export function formatFingerprint(fingerprint: Uint8Array): string {
  return toHex(fingerprint);
}

/**
 * Lines of cells, such as a name and a value, the columns under each other.
 * Cells are made safe here: none can end its line or control the terminal.
 */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(safe));
  const widths: number[] = [];
  for (const row of rows) {
    // What ends a line makes no column wider.
    for (const [i, cell] of row.slice(0, -1).entries()) {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    }
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i < row.length - 1 ? cell.padEnd(widths[i]!) : cell))
      .join("  ")
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join("");
}

/**
 * A page of a list.
 * @param rows a head, and a line for each
 * @param none said where there is only the head
 * @param next the cursor of the next page, if there is one
 */
export function pageText(
  rows: readonly (readonly string[])[],
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
