// Plots as inline SVG, for the report and the page. Colours are classes: the style sheet (plot-style.ts) defines
// them for light and dark.
import { formatNumber, formatSize } from "./numbers.js";

/** Text from anywhere, fit for HTML. */
export function escapeHtml(text: unknown): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return String(text).replace(/[&<>"']/g, (character) => entities[character]!);
}

const round = (number: number) => Math.round(number * 10) / 10;

/** A logarithmic scale from values to pixels. */
function logScale(low: number, high: number, from: number, to: number): (value: number) => number {
  const span = Math.log(high / low) || 1;
  return (value) => round(from + ((to - from) * Math.log(value / low)) / span);
}

/** Marks at 1, 2 and 5 of every decade within the bounds; only at 1 if that would be too many. */
function ticks(low: number, high: number): number[] {
  const decades: number[] = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) decades.push(power);
  const steps = decades.length > 4 ? [1] : [1, 2, 5];
  return decades
    .flatMap((power) => steps.map((step) => step * 10 ** power))
    .filter((tick) => tick >= low && tick <= high);
}

const tickText = (tick: number) =>
  tick < 1 ? String(Number(tick.toPrecision(1))) : tick.toLocaleString("en-US");

/** Moves labels apart that would overlap. Their order stays. */
export function spread(places: readonly number[], distance: number, lowest: number): number[] {
  const order = places.map((y, index) => ({ y, index })).sort((a, b) => a.y - b.y);
  for (let i = 1; i < order.length; i++)
    order[i]!.y = Math.max(order[i]!.y, order[i - 1]!.y + distance);
  let limit = lowest;
  for (let i = order.length - 1; i >= 0; i--) {
    order[i]!.y = Math.min(order[i]!.y, limit);
    limit = order[i]!.y - distance;
  }
  const result: number[] = [];
  for (const { y, index } of order) result[index] = round(y);
  return result;
}

const BOX = { width: 960, left: 60, right: 650, top: 16, label: 15 };

/** One line of a plot. */
export interface Line {
  name: string;
  /** A class. */
  colour: string;
  /** A class. */
  dash?: string;
  points: [size: number, value: number][];
}

/** One bar of a plot: to the median, with a mark at the best. */
export interface Bar {
  name: string;
  /** A class. */
  colour: string;
  best: number;
  median: number;
  text: string;
}

/**
 * Lines over sizes, both axes logarithmic, each named at its right end.
 * @param plot.mark a size where something happens, and what: a crossover
 */
export function linePlot(plot: {
  title: string;
  unit: string;
  lines: readonly Line[];
  mark?: { size: number; text: string } | undefined;
}): string {
  const { title, unit, lines, mark } = plot;
  const drawn = lines.filter(({ points }) => points.length > 0);
  const values = drawn.flatMap(({ points }) => points.map(([, value]) => value));
  const sizes = [...new Set(drawn.flatMap(({ points }) => points.map(([size]) => size)))];
  if (drawn.length === 0) return "";
  const [low, high] = [Math.min(...values) / 1.25, Math.max(...values) * 1.25];
  const bottom = Math.max(380, BOX.top + drawn.length * BOX.label + 10);
  const x = logScale(Math.min(...sizes), Math.max(...sizes), BOX.left + 14, BOX.right - 14);
  const y = logScale(low, high, bottom, BOX.top);
  const grid = ticks(low, high).map(
    (tick) =>
      `<line class="grid" x1="${BOX.left}" x2="${BOX.right}" y1="${y(tick)}" y2="${y(tick)}"/>` +
      `<text class="end" x="${BOX.left - 8}" y="${y(tick) + 4}">${tickText(tick)}</text>`,
  );
  const foot = sizes.map(
    (size) =>
      `<line class="grid" x1="${x(size)}" x2="${x(size)}" y1="${BOX.top}" y2="${bottom}"/>` +
      `<text class="middle" x="${x(size)}" y="${bottom + 18}">${formatSize(size)}</text>`,
  );
  const ends = drawn.map(({ points }): [number, number] => {
    const [size, value] = points.at(-1)!;
    return [x(size), y(value)];
  });
  const labels = spread(
    ends.map(([, end]) => end),
    BOX.label,
    bottom,
  );
  const curves = drawn.map(({ name, colour, dash = "", points }, i) => {
    const path = points.map(([size, value]) => `${x(size)},${y(value)}`);
    const dots = points.map(
      ([size, value]) =>
        `<circle class="dot ${colour}" cx="${x(size)}" cy="${y(value)}" r="2.6"><title>${escapeHtml(name)}, ${formatSize(size)}: ${formatNumber(value)} ${unit}</title></circle>`,
    );
    const [endX, endY] = ends[i]!;
    return (
      `<polyline class="line ${colour} ${dash}" points="${path.join(" ")}"/>${dots.join("")}` +
      `<polyline class="leader ${colour}" points="${endX + 5},${endY} ${BOX.right + 4},${labels[i]} ${BOX.right + 12},${labels[i]}"/>` +
      `<line class="line ${colour} ${dash}" x1="${BOX.right + 12}" x2="${BOX.right + 40}" y1="${labels[i]}" y2="${labels[i]}"/>` +
      `<text class="name ${colour}" x="${BOX.right + 46}" y="${labels[i]! + 4}">${escapeHtml(name)}</text>`
    );
  });
  const marked =
    mark === undefined
      ? ""
      : `<line class="cross" x1="${x(mark.size)}" x2="${x(mark.size)}" y1="${BOX.top}" y2="${bottom}"/>` +
        `<text class="halo" x="${x(mark.size) + 6}" y="${BOX.top + 12}">${escapeHtml(mark.text)}</text>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${BOX.width} ${bottom + 30}" role="img" aria-label="${escapeHtml(title)}, ${unit} over size">` +
    `${grid.join("")}${foot.join("")}<text class="unit" x="${BOX.left + 4}" y="${BOX.top - 4}">${unit}</text>` +
    `${curves.join("")}${marked}</svg>`
  );
}

/** Bars beside their names. */
export function barPlot(plot: {
  title: string;
  unit: string;
  rows: readonly Bar[];
  log?: boolean;
}): string {
  const { title, unit, rows, log = false } = plot;
  if (rows.length === 0) return "";
  const [left, right, height] = [300, 820, 24] as const;
  const values = rows.flatMap(({ best, median }) => [best, median]);
  const high = Math.max(...values) * 1.05;
  const low = log ? Math.min(...values) / 2 : 0;
  const x = log
    ? logScale(low, high, left, right)
    : (value: number) => round(left + ((right - left) * value) / high);
  const bottom = 8 + rows.length * height;
  const decade = 10 ** Math.floor(Math.log10(high));
  const step = [decade / 5, decade / 2, decade].find((it) => high / it <= 8) ?? 2 * decade;
  const linear = Array.from({ length: Math.floor(high / step) + 1 }, (_, i) => round(i * step));
  const grid = (log ? ticks(low, high) : linear).map(
    (tick) =>
      `<line class="grid" x1="${x(tick)}" x2="${x(tick)}" y1="4" y2="${bottom}"/>` +
      `<text class="middle" x="${x(tick)}" y="${bottom + 16}">${tickText(tick) || 0}</text>`,
  );
  const bars = rows.map(({ name, colour, best, median, text }, i) => {
    const y = 8 + i * height;
    return (
      `<text class="end" x="${left - 8}" y="${y + 14}">${escapeHtml(name)}</text>` +
      `<rect class="bar ${colour}" x="${left}" y="${y + 3}" width="${Math.max(1, round(x(median) - left))}" height="${height - 8}"/>` +
      `<line class="mark" x1="${x(best)}" x2="${x(best)}" y1="${y + 1}" y2="${y + height - 3}"/>` +
      `<text class="halo" x="${round(Math.max(x(median), x(best)) + 6)}" y="${y + 14}">${escapeHtml(text)}</text>`
    );
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${BOX.width} ${bottom + 24}" role="img" aria-label="${escapeHtml(title)}, ${unit}">` +
    `${grid.join("")}<text x="${right + 8}" y="${bottom + 16}">${unit}</text>${bars.join("")}</svg>`
  );
}
