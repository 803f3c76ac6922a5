import { expect, test } from "vitest";
import { spread } from "#build/bench/plot.js";
import { benchModule, madeUpResults } from "./modules.js";

const { evaluateGoals } = await benchModule("goals.mjs");
const { htmlReport } = await benchModule("html.mjs");
const terminal = await benchModule("terminal.mjs");
const { resultName } = await benchModule("machine.mjs");

const results = { ...madeUpResults(), goals: evaluateGoals(madeUpResults()) };
const html: string = htmlReport(results);

test("the report is well-formed", () => {
  const open: string[] = [];
  const body = html.replace(/^<!doctype html>/, "").replace(/<meta[^>]*>/g, "");
  for (const [, end, name, empty] of body.matchAll(/<(\/?)([a-z0-9]+)(?:\s[^<>]*?)?(\/?)>/g)) {
    if (empty) continue;
    if (end) expect([open.pop(), name]).toEqual([name, name]);
    else open.push(name!);
  }
  expect(open).toEqual([]);
  // Nothing but tags holds < or >, and no number went wrong.
  expect(body.replace(/<[^<>]*>/g, "")).not.toMatch(/[<>]/);
  expect(html).not.toMatch(/NaN|undefined|Infinity|\[object/);
});

test("names from elsewhere are text", () => {
  expect(html).not.toMatch(/<script|<img|<b>/);
  expect(html).toContain("&lt;script&gt;alert(&quot;peer&quot;)&lt;/script&gt;");
  expect(html).toContain("does not load: &lt;img src=x&gt;");
});

test("the report loads nothing", () => {
  expect(html.replaceAll(' xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(
    /https?:|\/\/|url\(|@import|<link|<iframe/i,
  );
  expect(html.replaceAll("&lt;img src=x&gt;", "")).not.toMatch(/\ssrc=/);
  expect(html).toContain("default-src 'none'");
});

test("failures, skips and verdicts are there to be read", () => {
  for (const text of ["not installed", "ended with 1", "missed", "not measured", "slow wasm"])
    expect(html).toContain(text);
  // Each goal has a verdict, in the picture and in the table.
  const { length } = results.goals;
  expect(html.match(/<b class="(met|missed|unknown)">(met|missed|not measured)</g)).toHaveLength(
    length,
  );
  expect(
    html.match(/>not measured<\/text>|<tspan class="(met|missed)">(met|missed)</g),
  ).toHaveLength(length);
});

test("other versions of Node stand beside this one", () => {
  const side = (title: string, value: number) => {
    const goals = [{ what: "it", against: "peer", by: "median", atLeast: 2, unit: "×", value }];
    return { title, goals: goals.map((goal) => ({ ...goal, reached: value >= 2 })) };
  };
  const sides = [side("Node 20", 4), side("Node 24", 1)];
  expect(terminal.goalsTable(sides).split("\n")).toEqual([
    "    against         wanted     Node 20        Node 24",
    "it  peer, median  ≥ 2.00 ×  4.00 × met  1.00 × missed",
  ]);
  const node = { ...side("Node 24", 1), machine: results.machine, load: results.load };
  const both: string = htmlReport({ ...results, ...side("", 4), nodes: [node] });
  expect(both).toContain("<title>Node 24: 1.00 ×</title>");
  expect(both.match(/<td class="number">\S+ × <b class="(met|missed)">/g)).toHaveLength(2);
});

test("a report without files, starts and numbers", () => {
  const { files, start, ...rest } = results;
  const operations = [{ ...results.operations[0]!, cells: {} }];
  expect(htmlReport({ ...rest, operations })).not.toMatch(/NaN|undefined|Infinity/);
});

test("the terminal's table", () => {
  const table: string = terminal.operationTable(results.operations[0], results.peers);
  expect(table.split("\n").map((line) => line.trimEnd())).toEqual([
    "AES-256-GCM encrypt, MB/s, best / median",
    "                                ct          64 B           1 MiB",
    "Twinwrap                        yes  64.0 / 32.0       262 / 131",
    "node:crypto                     yes  32.0 / 16.0    1,049 / 65.5",
    "                                           ×2.00           ×0.25",
    "quick wasm                      no   21.3 / 10.7     52.4 / 26.2",
    "                                           ×3.00           ×5.00",
    "slow wasm                       AES  2.13 / 1.07            slow",
    "                                           ×30.0",
    "other cipher                    yes    640 / 320  10,486 / 5,243",
    "                                           ×0.10           ×0.03",
    '<script>alert("peer")</script>  no        failed          failed',
    '<script>alert("peer")</script> failed (64 B, 1 MiB): does not load: <img src=x>',
  ]);
  const narrow: string = terminal.operationTable(results.operations[0], results.peers, 60);
  expect(narrow.match(/^Twinwrap .*$/gm)).toHaveLength(2);
  const files: string = terminal.filesTable(results.files);
  expect(files).toMatch(/gpg: skipped: not installed\nopenssl cms: failed: ended with 1$/);
});

test("labels move apart and keep their order", () => {
  expect(spread([10, 10, 50], 15, 100)).toEqual([10, 25, 50]);
  expect(spread([98, 99, 97], 15, 100)).toEqual([85, 100, 70]);
});

test("a result is named by day and kind of machine", () => {
  const machine = { cpu: "Intel(R) Xeon(R) Processor", cores: 2, node: "20.1.0" };
  expect(resultName("2026-11-25T10:00:00Z", machine)).toBe("2026-11-25-node20-xeon-2c");
  expect(resultName("2026-11-25", { ...machine, cpu: "Some/Where CPU" })).toMatch(/^[\w-]+$/);
});
