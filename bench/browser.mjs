// `npm run bench:browser`: the bench page driven in headless Chromium, and what only a driver can measure (the
// first seal after a page's load, memory), written as the same report as `npm run bench`.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { launchChromium } from "../.tools/browsers.mjs";
import { serve } from "../.tools/serve.mjs";
import { firstSeals, measuredPages, sealingMemory } from "./browser-page.mjs";
import { measureBundles } from "./bundles.mjs";
import { pageRows } from "./format.mjs";
import { evaluateGoals } from "./goals.mjs";
import { htmlReport } from "./html.mjs";
import { load, machineFacts, resultName } from "./machine.mjs";
import { goalsTable, LEGEND, operationTable } from "./terminal.mjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const MiB = 1 << 20;

/** What a strict page allows: its own scripts and workers, and WebAssembly. */
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; worker-src 'self'; connect-src 'self'; img-src 'self' data: blob:";

const HELP = `Usage: npm run bench:browser -- [options]

Compares the core with WebCrypto and noble-ciphers in headless Chromium.

  --quick            fewer sizes, fewer turns: a look, not a result
  --rounds <n>       turns of every contender (default: 15)
  --chromium <path>  another Chromium than the one from npm
  --out <dir>        where the report goes (default: bench/results, or bench/results/local if --quick)
  --help             shows this`;

/** The bench page's own comparison. */
async function comparePage(browser, url, { quick, rounds }) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${url}/bench.html`);
  await page.waitForFunction(() => "runBench" in globalThis);
  const settings = {
    messages: quick
      ? [64, 1024, 16384, MiB]
      : [64, 256, 1024, 4096, 16384, 65536, MiB, 16 * MiB, 64 * MiB],
    files: quick ? [MiB, 16 * MiB] : [65536, MiB, 16 * MiB, 64 * MiB, 256 * MiB],
    seconds: quick ? 0.03 : 0.1,
    rounds,
  };
  const comparison = await page.evaluate((settings) => globalThis.runBench(settings), settings);
  await page.context().close();
  return comparison;
}

const say = (text) => console.log(text);

async function main({ quick, rounds, chromium, out }) {
  const machine = machineFacts();
  const before = load();
  const server = await serve(path("../build/site"), {
    headers: { "content-security-policy": POLICY },
    files: await measuredPages(),
  });
  const browser = await launchChromium(chromium === undefined ? {} : { executablePath: chromium });
  try {
    const name = `Chromium ${browser.version().split(".")[0]}`;
    say(`${machine.cpu}, ${machine.cores} cores · ${machine.system} · ${name}`);
    say(LEGEND);
    const page = {
      memory: await sealingMemory(browser, server.url, quick ? 128 : 1024),
      firstSeal: await firstSeals(browser, server.url),
    };
    const { peers, operations } = await comparePage(browser, server.url, { quick, rounds });
    for (const operation of operations) {
      say(
        `\n${operationTable(
          operation,
          peers.filter((peer) => operation.cells[peer.name]),
        )}`,
      );
    }
    const { version } = JSON.parse(readFileSync(path("../package.json"), "utf8"));
    const results = {
      date: new Date().toISOString(),
      version,
      quick,
      rounds,
      machine: { ...machine, browser: `${name} (${browser.version()}), headless` },
      peers,
      operations,
      bundles: await measureBundles(),
      page,
      load: { before, after: load() },
    };
    results.goals = evaluateGoals(results);
    for (const row of pageRows(page)) say(row.join(": "));
    say(`\nGoals\n${goalsTable([{ title: name, goals: results.goals }])}`);
    const folder = out ?? path(quick ? "results/local" : "results");
    mkdirSync(folder, { recursive: true });
    const file = `${folder}/${resultName(results.date, { ...machine, browser: name })}`;
    writeFileSync(`${file}.json`, `${JSON.stringify(results, null, 1)}\n`);
    writeFileSync(`${file}.html`, htmlReport(results));
    say(`\nSaved as ${file}.json and .html`);
  } finally {
    await browser.close();
    await server.close();
  }
}

let values;
try {
  ({ values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      chromium: { type: "string" },
      out: { type: "string" },
      help: { type: "boolean", default: false },
    },
  }));
  if (values.rounds !== undefined && !/^[1-9]\d{0,2}$/.test(values.rounds)) {
    throw new Error("--rounds is a whole number from 1 to 999");
  }
} catch (error) {
  console.error(`bench:browser: ${error.message} (--help shows how)`);
  process.exit(2);
}
if (values.help) console.log(HELP);
else await main({ ...values, rounds: Number(values.rounds ?? (values.quick ? 3 : 15)) });
