// Numbers as the terminal and the report both show them.

import { formatNumber, formatSize, inUnit } from "../build/bench/numbers.js";

export { formatNumber, formatSize, inUnit };

/** A cell's best and median as text; `why` if there are none. */
export function cellText(unit, size, cell) {
  if (cell === undefined) return { text: "–", why: "no such operation" };
  if (cell.failure !== undefined) return { text: "failed", why: cell.failure };
  if (cell.tooSlow) return { text: "slow", why: "one call lasts too long" };
  const [best, median] = [cell.best, cell.median].map((it) => formatNumber(inUnit(unit, size, it)));
  return { text: `${best} / ${median}` };
}

/** What went wrong with a peer, in words: a cell has no room for it. */
export function failures({ cells, sizes }) {
  return Object.entries(cells).flatMap(([name, row]) => {
    const failed = sizes.filter((size) => row[size]?.failure !== undefined);
    if (failed.length === 0) return [];
    return [`${name} failed (${failed.map(formatSize).join(", ")}): ${row[failed[0]].failure}`];
  });
}

/** How many times as fast as the peer Twinwrap is, by the best of both. */
export function ratioText(ours, cell) {
  if (ours?.best === undefined || cell?.best === undefined) return "";
  return `×${formatNumber(cell.best / ours.best)}`;
}

/** A goal's texts: what, against whom, wanted, the measured value and the verdict. */
export function goalTexts({ what, against, by, atLeast, atMost, unit, value, reached }) {
  const number = (it) => `${formatNumber(it)} ${unit}`;
  return {
    what,
    against: against === undefined ? "" : `${against}${by === "median" ? ", median" : ""}`,
    wanted: atLeast === undefined ? `≤ ${number(atMost)}` : `≥ ${number(atLeast)}`,
    value: value === undefined ? "–" : number(value),
    verdict: reached === undefined ? "" : reached ? "met" : "missed",
  };
}

/** One line about a program on whole files: seconds and memory each way. */
export function fileCells(row) {
  const why = row.skipped ?? row.failure;
  if (why !== undefined)
    return { why: row.skipped === undefined ? `failed: ${why}` : `skipped: ${why}` };
  const way = ({ best, median, peakMiB }) => [
    `${best.toFixed(2)} / ${median.toFixed(2)}`,
    peakMiB === undefined ? "–" : peakMiB.toFixed(0),
  ];
  return { cells: [...way(row.encrypt), ...way(row.decrypt)] };
}

/** Milliseconds of the starts, and over bare node. */
export function startRows(start) {
  const names = { bare: "node -e 0", encrypt: "twinwrap encrypt", decrypt: "twinwrap decrypt" };
  return Object.entries(names).map(([id, name]) => {
    const { best, median } = start[id];
    const ms = (seconds) => (seconds * 1000).toFixed(0);
    const over = id === "bare" ? "" : `+${ms(median - start.bare.median)}`;
    return [name, `${ms(best)} / ${ms(median)}`, over];
  });
}

/** What only a browser has: what it is, and how much. */
export function pageRows({ firstSeal, memory }) {
  const ways = {
    embedded: "embedded",
    byUrl: "WebAssembly by URL",
    relaxedByUrl: "relaxed SIMD by URL",
  };
  const ms = ({ best, median }) =>
    [best, median].map((seconds) => (seconds * 1000).toFixed(0)).join(" / ");
  const { sealedMiB, heapMiB, growthMiB } = memory;
  return [
    ...(firstSeal.empty === undefined
      ? []
      : [["the only line of an empty page's module, ms, best / median", ms(firstSeal.empty)]]),
    ...Object.entries(ways).map(([way, name]) => [
      `first seal of 1 KiB, ${name}, ms, best / median`,
      ms(firstSeal[way]),
    ]),
    [
      `heaps and buffers of page and workers while ${sealedMiB} MiB are sealed, MiB`,
      heapMiB.toFixed(0),
    ],
    ["the same, growth of their process, MiB", growthMiB?.toFixed(0) ?? "–"],
  ];
}
