// The goals as a picture: each a bar from its goal (the line in the middle) to what was measured.
import { escapeHtml } from "../build/bench/plot.js";
import { goalTexts } from "./format.mjs";

const BOX = { width: 960, names: 420, left: 434, right: 750, row: 24, top: 30 };
const MIDDLE = (BOX.left + BOX.right) / 2;
/** How far from the goal the ends of the scale are: this many times better, or worse. */
const ENDS = 8;
/** What stands for the second side, the third, and so on. */
export const SIGNS = ["○", "◆", "△"];

/** How many times better than wanted a value is; below 1 it is worse. */
export const score = ({ value, atLeast, atMost }) =>
  atLeast === undefined ? atMost / value : value / atLeast;

/** The place of a score: logarithmic, and at the end what is beyond it. */
function x(times) {
  const log = Math.log(Math.min(ENDS, Math.max(1 / ENDS, times))) / Math.log(ENDS);
  return Math.round(10 * (MIDDLE + (log * (BOX.right - BOX.left)) / 2)) / 10;
}

/** One goal: the bar of the first side, a mark for each other. */
function row(goal, others, at) {
  const y = BOX.top + at * BOX.row;
  const { what, against, wanted, value, verdict } = goalTexts(goal);
  const name = against === "" ? what : `${what} · ${against}`;
  const label = `<text class="end" x="${BOX.names}" y="${y + 15}">${escapeHtml(name)}</text>`;
  if (goal.value === undefined)
    return `${label}<text class="unit" x="${BOX.right + 12}" y="${y + 15}">not measured</text>`;
  const end = x(score(goal));
  const [from, to] = end < MIDDLE ? [end, MIDDLE] : [MIDDLE, end];
  const kind = goal.reached ? "met" : "missed";
  const marks = others.map(({ title, goal }, i) => {
    if (goal?.value === undefined) return "";
    const said = `${title}: ${goalTexts(goal).value}`;
    return `<text class="sign halo" x="${x(score(goal))}" y="${y + 16}">${SIGNS[i % SIGNS.length]}<title>${escapeHtml(said)}</title></text>`;
  });
  return (
    `${label}<rect class="${kind}" x="${from}" y="${y + 5}" width="${Math.max(2, to - from)}" height="12" rx="2"><title>${escapeHtml(value)}, ${verdict}</title></rect>` +
    `${marks.join("")}<text x="${BOX.right + 12}" y="${y + 15}">${escapeHtml(value)} <tspan class="${kind}">${verdict}</tspan> <tspan class="wanted">${escapeHtml(wanted)}</tspan></text>`
  );
}

/** @param sides what was measured where: a title and goals each, all in the order of the first one's */
export function goalsPlot([first, ...others]) {
  const rows = first.goals.map((goal, i) =>
    row(
      goal,
      others.map(({ title, goals }) => ({ title, goal: goals[i] })),
      i,
    ),
  );
  const bottom = BOX.top + rows.length * BOX.row;
  const scale = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8].map((times) => {
    const text = times === 1 ? "goal" : times < 1 ? `÷${1 / times}` : `×${times}`;
    const line = times === 1 ? "goal-line" : "grid";
    return (
      `<text class="middle" x="${x(times)}" y="18">${text}</text>` +
      `<line class="${line}" x1="${x(times)}" x2="${x(times)}" y1="${BOX.top - 4}" y2="${bottom}"/>`
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${BOX.width} ${bottom + 6}" role="img" aria-label="Each goal: how many times better or worse than wanted">${scale.join("")}${rows.join("")}</svg>`;
}
