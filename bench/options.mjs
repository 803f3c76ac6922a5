// The command line of `npm run bench`.
import { parseArgs } from "node:util";
import { goalSizes } from "./goals.mjs";
import { OPERATIONS } from "./operations.mjs";

export const HELP = `npm run bench -- [options]

Times Twinwrap beside its peers in one process, in turns, on checked results; prints one page, a row for
each goal, and saves JSON and an HTML report under bench/results/ (what is no full run under
bench/results/local/, which git ignores). A full run takes about a quarter of an hour, half of it for the
other versions of Node and the authority.

  --quick            fewer sizes, shorter slices, no files: about a minute
  --only <ids>       only these operations (or all that begin so), comma-separated, no files:
                     ${OPERATIONS.map(({ id }) => id).join(", ")}
  --goals            only what the goals name
  --tables           prints every measurement, too
  --nodes            also what the goals name in the other versions of Node that
                     npm ci --prefix test/runtimes/installed installs (--no-nodes: without)
  --authority        also the service of a backup authority (--no-authority: without)
  --files            with whole files, also with --quick or --only
  --no-files         without whole files and the start of the command line
  --file-size <MiB>  size of the whole file (default: 512)
  --rounds <n>       turns of each contender (default: 4, with --quick 2)
  --out <folder>     where to save
  --help             this text

Peers are installed under bench/ at the first run (npm ci --prefix bench).`;

const OPTIONS = {
  quick: { type: "boolean", default: false },
  only: { type: "string" },
  goals: { type: "boolean", default: false },
  tables: { type: "boolean", default: false },
  nodes: { type: "boolean" },
  authority: { type: "boolean" },
  files: { type: "boolean" },
  "file-size": { type: "string", default: "512" },
  rounds: { type: "string" },
  out: { type: "string" },
  // How the files are named that are saved: for who runs this as a part of something.
  named: { type: "string" },
  help: { type: "boolean", default: false },
};

function wholeNumber(name, text) {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error(`--${name} takes a whole number from 1 on`);
  return Number(text);
}

/** The operations named, by an id or by how ids begin. */
function chosen(text) {
  const names = text.split(",").map((name) => name.trim());
  const matches = (name) => {
    const exact = OPERATIONS.filter(({ id }) => id === name);
    if (exact.length > 0) return exact;
    const found = OPERATIONS.filter(({ id }) => name !== "" && id.startsWith(name));
    if (found.length === 0) throw new Error(`--only: there is no operation "${name}"`);
    return found;
  };
  const found = names.flatMap(matches);
  return OPERATIONS.filter((operation) => found.includes(operation));
}

/** @throws Error with one line for the user */
export function parseOptions(args) {
  const { values } = parseArgs({ args, options: OPTIONS, allowNegative: true });
  const { quick, help, out, named: fileName, goals, tables } = values;
  const named = goalSizes();
  const operations = (values.only === undefined ? OPERATIONS : chosen(values.only)).filter(
    ({ id }) => !goals || named[id] !== undefined,
  );
  const isPart = quick || goals || values.only !== undefined;
  const isWhole = !quick && values.only === undefined;
  const { files = isWhole, nodes = !isPart, authority = !isPart } = values;
  return {
    help,
    quick,
    goals,
    tables,
    partial: isPart || !files || !nodes || !authority,
    out,
    fileName,
    operations,
    only: goals ? named : undefined,
    files,
    nodes,
    authority,
    fileBytes: wholeNumber("file-size", values["file-size"]) * 2 ** 20,
    rounds: wholeNumber("rounds", values.rounds ?? (quick ? "2" : "4")),
    seconds: quick ? 0.03 : 0.05,
  };
}
