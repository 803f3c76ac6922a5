import { InvalidArgumentError } from "commander";

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Reads a number with a unit, such as 30s, 5m, 12h or 7d. @returns seconds */
export function durationBetween(low: number, high: number): (text: string) => number {
  return (text) => {
    const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
    const seconds = Number(digits) * (UNITS[unit as keyof typeof UNITS] ?? Number.NaN);
    if (seconds >= low && seconds <= high) return seconds;
    throw new InvalidArgumentError("expected a number with a unit, such as 30s, 5m, 12h or 7d");
  };
}
