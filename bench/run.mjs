// `npm run bench`: Twinwrap beside its peers. --help tells what it does.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { measureBundles } from "./bundles.mjs";
import { compareFiles, compareStart } from "./files.mjs";
import { formatSize } from "./format.mjs";
import { evaluateGoals } from "./goals.mjs";
import { htmlReport } from "./html.mjs";
import { load, machineFacts, resultName } from "./machine.mjs";
import { measure } from "./measure.mjs";
import { HELP, parseOptions } from "./options.mjs";
import { loadPeers } from "./peers.mjs";
import { filesTable, goalsTable, LEGEND, operationTable, startTable } from "./terminal.mjs";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

/** A line about what is at work, on a terminal only. */
function status(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

function say(text) {
  status("");
  console.log(text);
}

function installPeers() {
  if (existsSync(path("node_modules"))) return;
  say("The peers are not installed yet: npm ci --prefix bench");
  const { status } = spawnSync("npm", ["ci", "--prefix", path(".")], { stdio: "inherit" });
  if (status !== 0) say("They could not be installed: what is not there is reported as such.");
}

async function timeOperations(options, peers) {
  const operations = [];
  for (const operation of options.operations) {
    const result = await measure(operation, peers, options, (size) =>
      status(`${operation.title}, ${formatSize(size)}`),
    );
    operations.push(result);
    say(`\n${operationTable(result, peers, process.stdout.columns)}`);
  }
  return operations;
}

async function timeProcesses({ fileBytes, rounds }) {
  status("start of the command line");
  const start = await compareStart();
  say(`\n${startTable(start)}`);
  const files = await compareFiles({ bytes: fileBytes, rounds }, (tool) =>
    status(`${formatSize(fileBytes)}: ${tool}`),
  );
  say(`\n${filesTable(files)}`);
  return { start, files };
}

function save(results, options) {
  const folder = options.out ?? path(options.partial ? "results/local" : "results");
  mkdirSync(folder, { recursive: true });
  const name = `${folder}/${resultName(results.date, results.machine)}`;
  // As Biome formats it, near enough: a line for each cell keeps a later diff readable.
  writeFileSync(`${name}.json`, `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(`${name}.html`, htmlReport(results));
  say(`\nSaved as ${name}.json and .html`);
}

async function main(options) {
  installPeers();
  const { version } = JSON.parse(readFileSync(path("../package.json"), "utf8"));
  const machine = machineFacts();
  const loadBefore = load();
  const peers = await loadPeers();
  try {
    const { cpu, cores, system, node, openssl } = machine;
    say(
      `Twinwrap ${version} · ${cpu}, ${cores} cores · ${system} · Node ${node}, OpenSSL ${openssl}`,
    );
    for (const { name, failure } of peers) if (failure) say(`${name} ${failure}`);
    say(LEGEND);
    const results = {
      date: new Date().toISOString(),
      version,
      quick: options.quick,
      rounds: options.rounds,
      machine,
      peers: peers.map(
        ({ load, close, verify, offers, calls, keyLengths, package: _, ...facts }) => facts,
      ),
      operations: await timeOperations(options, peers),
      bundles: await measureBundles(),
      ...(options.files ? await timeProcesses(options) : {}),
    };
    results.load = { before: loadBefore, after: load() };
    results.goals = evaluateGoals(results);
    say(`\nGoals, best against best unless said\n${goalsTable(results.goals)}`);
    save(results, options);
  } finally {
    for (const peer of peers) peer.close?.();
  }
}

let options;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  console.error(`bench: ${error.message} (--help shows how)`);
  process.exit(2);
}
if (options.help) console.log(HELP);
else await main(options);
