// `npm run bench`: Twinwrap beside its peers. --help tells what it does.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { measureBundles } from "./bundles.mjs";
import { authorityGoals, otherNodes } from "./children.mjs";
import { compareFiles, compareStart } from "./files.mjs";
import { formatSize } from "./format.mjs";
import { evaluateGoals } from "./goals.mjs";
import { htmlReport } from "./html.mjs";
import { load, machineFacts, resultName } from "./machine.mjs";
import { measure } from "./measure.mjs";
import { HELP, parseOptions } from "./options.mjs";
import { loadPeers } from "./peers.mjs";
import { filesTable, goalsTable, LEGEND, operationTable, startTable } from "./terminal.mjs";

/** Which figures the page at the end is made of: those of this Node, and of the others. */
const columnsOf = ({ machine, goals, nodes = [] }) => [
  { title: `Node ${Number.parseInt(machine.node, 10)}`, goals },
  ...nodes.filter((node) => node.goals !== undefined),
];

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
    if (options.tables) say(`\n${operationTable(result, peers, process.stdout.columns)}\n`);
  }
  return operations;
}

async function timeProcesses({ fileBytes, rounds, goals }) {
  status("start of the command line");
  const start = await compareStart();
  const files = await compareFiles({ bytes: fileBytes, rounds, isShort: goals }, (tool) =>
    status(`${formatSize(fileBytes)}: ${tool}`),
  );
  return { start, files };
}

/** What other processes measure. */
async function timeOthers(options) {
  const nodes = options.nodes ? await otherNodes(options, status) : undefined;
  status("the service of an authority");
  const authority = options.authority ? await authorityGoals() : undefined;
  return { ...(nodes && { nodes }), ...(authority && { authority }) };
}

/** The page: a row for each goal, then the programs. */
function showPage(results) {
  const { authority, nodes = [], start, files } = results;
  say(`\nGoals, best against best unless said\n${goalsTable(columnsOf(results))}`);
  for (const { title, skipped } of nodes) if (skipped) say(`${title}: ${skipped}`);
  if (authority?.skipped) say(`The service of an authority: ${authority.skipped}`);
  if (files !== undefined) say(`\n${filesTable(files)}`);
  if (start !== undefined) say(`\n${startTable(start)}`);
}

function save(results, options) {
  const folder = options.out ?? path(options.partial ? "results/local" : "results");
  mkdirSync(folder, { recursive: true });
  const name = `${folder}/${options.fileName ?? resultName(results.date, results.machine)}`;
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
    if (options.tables) say(LEGEND);
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
    Object.assign(results, await timeOthers(options));
    const { authority = [] } = results;
    results.goals = [...evaluateGoals(results), ...(authority.skipped ? [] : authority)];
    showPage(results);
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
