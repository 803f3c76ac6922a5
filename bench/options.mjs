// The command line of `npm run bench`.
import { parseArgs } from "node:util";
import { OPERATIONS } from "./operations.mjs";

export const HELP = `npm run bench -- [options]

Times Twinwrap beside its peers in one process, in turns, on checked results; prints tables and the
goals, and saves JSON and an HTML report under bench/results/ (what is no full run under
bench/results/local/, which git ignores). A full run takes about four minutes, and three for files.

  --quick            fewer sizes, shorter slices, no files: about a minute
  --only <ids>       only these operations (or all that begin so), comma-separated, no files:
                     ${OPERATIONS.map(({ id }) => id).join(", ")}
  --files            with whole files, also with --quick or --only
  --no-files         without whole files and the start of the command line
  --file-size <MiB>  size of the whole file (default: 512)
  --rounds <n>       turns of each contender (default: 4, with --quick 2)
  --out <folder>     where to save
  --help             this text

Peers are installed under bench/ at the first run (npm ci --prefix bench). node bench/authority.mjs is
another benchmark: it times the backup authority.`;

const OPTIONS = {
  quick: { type: "boolean", default: false },
  only: { type: "string" },
  files: { type: "boolean" },
  "file-size": { type: "string", default: "512" },
  rounds: { type: "string" },
  out: { type: "string" },
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
  const operations = values.only === undefined ? OPERATIONS : chosen(values.only);
  const { quick, help, out } = values;
  const partial = quick || values.only !== undefined;
  const files = values.files ?? !partial;
  return {
    help,
    quick,
    partial: partial || !files,
    out,
    operations,
    files,
    fileBytes: wholeNumber("file-size", values["file-size"]) * 2 ** 20,
    rounds: wholeNumber("rounds", values.rounds ?? (quick ? "2" : "4")),
    seconds: quick ? 0.03 : 0.05,
  };
}
