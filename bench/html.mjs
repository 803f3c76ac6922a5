// The HTML report: one file that loads nothing.

import { barPlot, escapeHtml, linePlot } from "../build/bench/plot.js";
import {
  cellText,
  failures,
  fileCells,
  formatNumber,
  formatSize,
  goalTexts,
  inUnit,
  pageRows,
  ratioText,
  startRows,
} from "./format.mjs";
import { goalsPlot, SIGNS } from "./goals-plot.mjs";
import { STYLE } from "./style.mjs";

const DASHES = ["", "dash-1", "dash-2"];

/** A peer's looks: a colour for its family, a dash for each further way of the same peer. */
function looks(peers) {
  const seen = new Map();
  return new Map(
    peers.map(({ name, family }) => {
      const count = seen.get(family) ?? 0;
      seen.set(family, count + 1);
      return [name, { colour: `c-${family}`, dash: DASHES[count % DASHES.length] }];
    }),
  );
}

const cell = (text, attributes = "") => `<td${attributes}>${escapeHtml(text)}</td>`;

function htmlTable(head, rows, kind = "") {
  const titles = head.map((title) => `<th>${escapeHtml(title)}</th>`).join("");
  return `<div class="wide"><table class="${kind}"><thead><tr>${titles}</tr></thead><tbody>${rows.map((row) => `<tr>${row}</tr>`).join("")}</tbody></table></div>`;
}

function operationRows({ unit, sizes, cells }, peers, look) {
  return peers.map(({ name, constantTime }) => {
    const numbers = sizes.map((size) => {
      const it = cells[name]?.[size];
      const { text, why } = cellText(unit, size, it);
      const ratio = name === "Twinwrap" ? "" : ratioText(cells.Twinwrap?.[size], it);
      const title = why === undefined ? "" : ` title="${escapeHtml(why)}"`;
      return `<td class="number"${title}>${escapeHtml(text)}${ratio && `<small>${ratio}</small>`}</td>`;
    });
    const swatch = `<i class="swatch ${look.get(name).colour}"></i>`;
    return `<td>${swatch}${escapeHtml(name)}</td>${cell(constantTime)}${numbers.join("")}`;
  });
}

const failureLines = (operation) =>
  failures(operation)
    .map((line) => `<p class="bad">${escapeHtml(line)}</p>`)
    .join("");

function operationPlot(operation, by, look) {
  const { title, unit, sizes, cells } = operation;
  const timed = Object.entries(cells).map(([name, row]) => ({
    name,
    ...look.get(name),
    points: sizes
      .filter((size) => row[size]?.[by] !== undefined)
      .map((size) => [size, inUnit(unit, size, row[size][by])]),
  }));
  if (sizes.length > 1) return linePlot({ title: `${title}, ${by}`, unit, lines: timed });
  const [size] = sizes;
  const rows = timed
    .filter(({ points }) => points.length > 0)
    .map(({ name, colour }) => {
      const [best, median] = ["best", "median"].map((it) =>
        inUnit(unit, size, cells[name][size][it]),
      );
      return {
        name,
        colour,
        best,
        median,
        text: `${formatNumber(best)} / ${formatNumber(median)}`,
      };
    });
  return barPlot({ title, unit, rows, log: true });
}

function operationSection(operation, peers, look) {
  const { id, title, about, unit, sizes } = operation;
  const head = ["", "constant-time", ...sizes.map(formatSize)];
  const taken = peers.filter(({ name }) => operation.cells[name] !== undefined);
  const lacking = peers.filter((peer) => !taken.includes(peer)).map(({ name }) => name);
  const better = unit === "µs" ? "less is better" : "more is better";
  const median =
    sizes.length > 1
      ? `<details><summary>The same by medians</summary>${operationPlot(operation, "median", look)}</details>`
      : "";
  return `<section id="${escapeHtml(id)}"><h2>${escapeHtml(title)}</h2>
<p>${about ? `(${escapeHtml(about)}) ` : ""}${unit}, ${better}, logarithmic. ${sizes.length > 1 ? "The plot shows the best." : "Bar: median; mark: best."}</p>
${operationPlot(operation, "best", look)}${median}${failureLines(operation)}
<details open><summary>Best / median, and how many times as fast as the peer Twinwrap is (best)</summary>
${htmlTable(head, operationRows(operation, taken, look), "numbers")}</details>
${lacking.length === 0 ? "" : `<p class="note">Without this operation: ${escapeHtml(lacking.join(", "))}.</p>`}</section>`;
}

const VERDICTS = { true: "met", false: "missed", undefined: "unknown" };

/** What was measured of a goal, on one side. */
function measuredCell(goal) {
  if (goal === undefined) return cell("");
  const { value, verdict } = goalTexts(goal);
  return `<td class="number">${escapeHtml(value)} <b class="${VERDICTS[goal.reached]}">${verdict || "not measured"}</b></td>`;
}

/** @param sides what was measured where: a title and goals each */
function goalsSection(sides) {
  const [{ title, goals }, ...others] = sides;
  const rows = goals.map((goal, i) => {
    const { what, against, wanted } = goalTexts(goal);
    const measured = sides.map((side) => measuredCell(side.goals[i]));
    return `${cell(what)}${cell(against)}${cell(wanted, ' class="number"')}${measured.join("")}`;
  });
  const count = (reached) => goals.filter((goal) => goal.reached === reached).length;
  const unknown = count(undefined);
  const marks = others.map((side, i) => ` ${SIGNS[i % SIGNS.length]} ${side.title}.`).join("");
  return `<section id="goals"><h2>Goals</h2>
<p class="sum"><b class="met">${count(true)}</b> met <b class="missed">${count(false)}</b> missed${unknown === 0 ? "" : ` <b class="unknown">${unknown}</b> not measured`}</p>
<p class="note">Bar: ${escapeHtml(title)}, to the right of its goal where it is better than that, to the left where it is worse.${escapeHtml(marks)} Best against best unless said.</p>
${goalsPlot(sides)}
<details><summary>The same as a table</summary>
${htmlTable(["", "against", "wanted", ...sides.map((side) => side.title)], rows)}</details></section>`;
}

/** This run, and the other versions of Node. */
function sidesOf({ machine, goals, nodes = [] }) {
  const title = machine.browser ?? `Node ${machine.node}`;
  return [{ title, goals }, ...nodes.filter((node) => node.goals !== undefined)];
}

/** The other versions of Node: what they are, and what the machine did meanwhile. */
const nodesNote = (nodes) =>
  nodes
    .map(({ title, machine, load, skipped }) =>
      skipped === undefined
        ? `${title}: ${machine.node}, V8 ${machine.v8}, OpenSSL ${machine.openssl}, load ${load.before} to ${load.after}`
        : `${title}: ${skipped}`,
    )
    .map((line) => `<p class="note">${escapeHtml(line)}</p>`)
    .join("");

function toolColour(tool) {
  if (!tool.startsWith("twinwrap")) return "c-other";
  return tool.includes("webcrypto") ? "c-webcrypto" : "c-twinwrap";
}

function filesSection(files) {
  if (files === undefined) return "";
  const { bytes, rows, place, skipped } = files;
  if (skipped !== undefined)
    return `<section id="files"><h2>Whole files</h2><p class="bad">Skipped: ${escapeHtml(skipped)}</p></section>`;
  const run = rows.filter(({ encrypt }) => encrypt !== undefined);
  const bars = (title, unit, pick, log) =>
    `<h3>${title}</h3>${barPlot({
      title,
      unit,
      log,
      rows: run
        .map((row) => ({ name: row.tool, colour: toolColour(row.tool), ...pick(row) }))
        .filter(({ median }) => Number.isFinite(median)),
    })}`;
  const seconds = (way) => (row) => ({ ...row[way], text: `${row[way].median.toFixed(2)} s` });
  const memory = ({ encrypt, decrypt }) => {
    const peak = Math.max(encrypt.peakMiB, decrypt.peakMiB);
    return { best: peak, median: peak, text: `${peak.toFixed(0)} MiB` };
  };
  const table = rows.map((row) => {
    const { cells, why } = fileCells(row);
    const rest =
      cells === undefined
        ? cell(why, ' colspan="4" class="bad"')
        : cells.map((text) => cell(text, ' class="number"')).join("");
    return `${cell(row.tool)}${rest}${cell(row.about ?? "")}`;
  });
  return `<section id="files"><h2>A whole file of ${formatSize(bytes)}</h2>
<p>Whole processes, in turns, file and result in ${escapeHtml(place)}. Less is better. Bar: median; mark: best.</p>
${bars("Encrypt, wall time", "s", seconds("encrypt"))}${bars("Decrypt, wall time", "s", seconds("decrypt"))}${bars("Peak memory", "MiB", memory, true)}
${htmlTable(["", "encrypt, s", "MiB", "decrypt, s", "MiB", ""], table, "numbers")}</section>`;
}

/** What only a browser has. */
function pageSection(page) {
  if (page === undefined) return "";
  return `<section id="page"><h2>In a page</h2>
<p>First seal: from the start of the navigation to the sealed bytes, in pages that were never there before.</p>
${htmlTable(
  ["", ""],
  pageRows(page).map(([what, number]) => cell(what) + cell(number, ' class="number"')),
)}</section>`;
}

function startSection(start) {
  if (start?.bare === undefined) return "";
  const rows = startRows(start).map((row) =>
    row.map((text, i) => cell(text, i > 0 ? ' class="number"' : "")).join(""),
  );
  return `<section id="start"><h2>Start on a file of 1 KiB</h2>
${htmlTable(["", "ms, best / median", "over bare node"], rows, "numbers")}</section>`;
}

function peersSection(peers, look) {
  const runs = { native: "native", wasm: "WebAssembly", JS: "JavaScript" };
  const rows = peers.map((peer) => {
    const { name, version, constantTime, note, failure } = peer;
    const said = failure === undefined ? cell(note ?? "") : cell(failure, ' class="bad"');
    return `<td><i class="swatch ${look.get(name).colour}"></i>${escapeHtml(name)}</td>${cell(version ?? "")}${cell(runs[peer.runs])}${cell(constantTime)}${said}`;
  });
  return `<section id="peers"><h2>Who is compared</h2>
<p>Constant-time: by construction, as its authors claim or its source shows; nobody is tested for it here.</p>
${htmlTable(["", "version", "runs as", "constant-time", ""], rows)}</section>`;
}

export function htmlReport(results) {
  const { date, version, machine, load, peers, operations, files, start, page, goals, quick } =
    results;
  const look = looks(peers);
  const links = [
    ...operations,
    { id: "files", title: "whole files" },
    { id: "start", title: "start" },
    { id: "page", title: "in a page" },
  ]
    .filter(({ id }) => !["files", "start", "page"].includes(id) || results[id] !== undefined)
    .map(({ id, title }) => `<a href="#${escapeHtml(id)}">${escapeHtml(title)}</a>`);
  const facts = [
    // A result saved by a page knows only the machine's threads.
    ...(machine.cpu === undefined
      ? [`${machine.cores} threads`]
      : [
          `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB (${machine.arch})`,
          machine.system,
        ]),
    machine.browser ?? `Node ${machine.node}, V8 ${machine.v8}, OpenSSL ${machine.openssl}`,
    ...(load === undefined
      ? []
      : [`load ${load.before} before${load.after === undefined ? "" : `, ${load.after} after`}`]),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark"><title>Twinwrap ${escapeHtml(version)}: comparison</title>
<style>${STYLE}</style></head><body>
<h1>Twinwrap ${escapeHtml(version)} beside its peers</h1>
<p>${escapeHtml(date.slice(0, 10))}${quick ? " · a quick run" : ""} · ${facts.map(escapeHtml).join(" · ")}</p>
<p>One process, in turns, in short slices whose samples are pooled; every result is checked first. Each peer takes
bytes and gives its result in one array. On a shared machine the best says more about the code, the median more about
the day; only ratios of one run carry over to another machine.</p>
<nav>${links.join(" ")}</nav>
${goals === undefined ? "" : goalsSection(sidesOf(results))}${nodesNote(results.nodes ?? [])}
${operations.map((operation) => operationSection(operation, peers, look)).join("\n")}
${filesSection(files)}
${startSection(start)}
${pageSection(page)}
${peersSection(peers, look)}
</body></html>
`;
}
