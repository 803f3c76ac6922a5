// The result as tables on a terminal.
import {
  cellText,
  failures,
  fileCells,
  formatSize,
  goalTexts,
  ratioText,
  startRows,
} from "./format.mjs";

/** Rows of cells under each other; the first column to the left, numbers to the right. */
function columns(rows, left = 1) {
  const widths = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i < left ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** A peer's claim in one word. */
const claim = (constantTime) =>
  constantTime.startsWith("yes") ? "yes" : constantTime.startsWith("AES") ? "AES" : "no";

/** The rows of a table over some of the sizes: for each peer its speeds, and under them the ratios. */
function operationRows({ unit, cells }, peers, sizes) {
  const rows = [["", "ct", ...sizes.map(formatSize)]];
  for (const { name, constantTime } of peers) {
    const texts = sizes.map((size) => cellText(unit, size, cells[name]?.[size]).text);
    rows.push([name, claim(constantTime), ...texts]);
    const ratios = sizes.map((size) => ratioText(cells.Twinwrap?.[size], cells[name]?.[size]));
    if (name !== "Twinwrap" && ratios.some((ratio) => ratio !== "")) rows.push(["", "", ...ratios]);
  }
  return rows;
}

/** @param width of the terminal; sizes that do not fit beside each other come in a further table */
export function operationTable(operation, peers, width = 200) {
  const { title, about, unit, sizes } = operation;
  const beside = Math.max(1, Math.floor((width - 42) / 16));
  const tables = [];
  for (let at = 0; at < sizes.length; at += beside)
    tables.push(columns(operationRows(operation, peers, sizes.slice(at, at + beside)), 2));
  const head = `${title}${about === undefined ? "" : ` (${about})`}, ${unit}, best / median`;
  return [head, tables.join("\n\n"), ...failures(operation)].join("\n");
}

export const LEGEND =
  "ct: constant-time by construction (AES: all but GHASH). ×: how many times as fast as that peer\nTwinwrap is, best against best. slow: one call would last too long. –: has no such operation.";

/** @param sides what was measured where: a title and goals each, all in the order of the first one's */
export function goalsTable(sides) {
  const [{ goals }] = sides;
  const head = ["", "against", "wanted", ...sides.map(({ title }) => title)];
  const rows = goals.map((goal, i) => {
    const { what, against, wanted } = goalTexts(goal);
    const measured = sides.map((side) => {
      if (side.goals[i] === undefined) return "";
      const { value, verdict } = goalTexts(side.goals[i]);
      return `${value} ${verdict}`.trim();
    });
    return [what, against, wanted, ...measured];
  });
  return columns([head, ...rows], 2);
}

export function filesTable({ bytes, rows, place, skipped }) {
  if (skipped !== undefined) return `Whole files: skipped, ${skipped}`;
  const head = ["", "encrypt s", "MiB", "decrypt s", "MiB"];
  const lines = rows.map((row) => {
    const { cells, why } = fileCells(row);
    return cells === undefined ? [row.tool, why] : [row.tool, ...cells];
  });
  // A reason is no number and may be long.
  const table = columns([head, ...lines.filter((line) => line.length > 2)]);
  const rest = lines.filter((line) => line.length === 2).map((line) => line.join(": "));
  return [
    `A sealed file of ${formatSize(bytes)} in ${place}, whole processes, best / median and peak memory`,
    table,
    ...rest,
  ].join("\n");
}

export function startTable(start) {
  if (start.skipped !== undefined) return `Start: skipped, ${start.skipped}`;
  return `Start on a file of 1 KiB, ms, best / median, and over bare node by median\n${columns(startRows(start))}`;
}
