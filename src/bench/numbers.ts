// Numbers of measurements, as the terminal, the report and the page show them.

const UNITS: readonly [string, number][] = [
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
];

export function formatSize(bytes: number): string {
  const [unit, size] = UNITS.find(([, size]) => bytes >= size) ?? ["B", 1];
  return `${bytes / size} ${unit}`;
}

/** Three significant digits, and no more than one behind the point from 10 on. */
export function formatNumber(value: number): string {
  if (value >= 99.95) return Math.round(value).toLocaleString("en-US");
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

/** Seconds a call, in the unit of an operation. */
export function inUnit(unit: string, size: number, seconds: number): number {
  if (unit === "MB/s") return size / seconds / 1e6;
  return unit === "µs" ? seconds * 1e6 : 1 / seconds;
}
