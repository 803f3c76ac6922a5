import { toBase64, toHex } from "../bytes.js";

// C0 and C1 controls, and what changes the direction or hides in a line: facts of a header may come
// from anybody and must not be able to paint on a terminal.
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Cs}/gu;

/** Text from outside, fit for a terminal: what controls it is shown as \u{…}. */
export function safe(text: string): string {
  return text.replace(UNSAFE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** JSON with the same characters, but for its own line ends, as \uXXXX: it means the same. */
export function safeJson(json: string): string {
  const escaped = (character: string) =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join("");
  return json.replace(UNSAFE, (character) => (character === "\n" ? character : escaped(character)));
}

/** A name as part of a file's name: what leads into another folder does not. */
export function fileName(name: string): string {
  return name.replace(/[/\\]/g, "_");
}

/** A fingerprint, whole, as the commands take it back. */
export function formatFingerprint(fingerprint: Uint8Array): string {
  return toHex(fingerprint);
}

/** Bytes as people read sizes. */
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

/** Lines of cells, such as a name and a value, the columns under each other. */
export function table(rows: readonly (readonly string[])[]): string {
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
