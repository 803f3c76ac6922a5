// Makes the man page of the command line from its help texts, so that both say the same.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

/** Text that roff takes as it is. */
const plain = (text) =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/gm, "\\&$1")
    .replace(
      /[^\n -~]/gu,
      (sign) => `\\[u${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`,
    );

/** A command, and all below it, each with its options and examples. */
function sections(command, path) {
  const help = command.createHelp();
  const name = [...path, command.name()].join(" ");
  const usage = command.usage().replace(/^\[options\] ?/, "");
  let after = "";
  command.emit("afterHelp", { error: false, command, write: (text) => (after += text) });
  const lines = [`.SS "${plain(name)}"`, plain(command.description())];
  if (usage !== "" && command.commands.length === 0)
    lines.push(".PP", `Usage: ${plain(`${name} [options] ${usage}`)}`);
  for (const argument of help.visibleArguments(command)) {
    lines.push(".TP", `.I ${plain(argument.name())}`, plain(help.argumentDescription(argument)));
  }
  if (command.commands.length === 0) {
    for (const option of help.visibleOptions(command)) {
      lines.push(".TP", `.B ${plain(option.flags)}`, plain(help.optionDescription(option)));
    }
  }
  const [, example] = after.split("Example:\n");
  if (example !== undefined)
    lines.push(".PP", "Example:", ".PP", ".nf", plain(example.trimEnd()), ".fi");
  return [...lines, ...command.commands.flatMap((one) => sections(one, [...path, command.name()]))];
}

const EXIT_CODES = [
  ["0", "done"],
  ["1", "failed; standard error says why in one line"],
  ["2", "the command line itself is wrong"],
  ["3", "a signature, proof, receipt or log does not verify, or is absent"],
  ["4", "waiting for approvals, or for the waiting period"],
  ["5", "the authority can't be reached; a sealed file is whole, its escrow is pending"],
];

const VARIABLES = [
  ["TWINWRAP_KEY", "the key that is used where none is given"],
  ["TWINWRAP_AUTHORITY", "the authority that is used where none is given"],
  ["TWINWRAP_OWNER_ID", "who you are to the authority"],
  ["XDG_CONFIG_HOME", "where the folder twinwrap has your own keys (default: ~/.config)"],
];

/** Writes build/man/twinwrap.1. @param root the checkout, whose build/cli is there */
export async function writeManual(root) {
  const { version } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
  const { wholeProgram } = await import(`${root}build/cli/commands.js`);
  const program = await wholeProgram();
  const list = (entries) =>
    entries.flatMap(([name, text]) => [".TP", `.B ${plain(name)}`, plain(text)]);
  const page = [
    `.TH TWINWRAP 1 "" "twinwrap ${version}"`,
    ".SH NAME",
    `twinwrap \\- ${plain(program.description())}`,
    ".SH SYNOPSIS",
    ".B twinwrap",
    ".I command",
    "[options]",
    ".SH COMMANDS",
    ...program.commands.flatMap((one) => sections(one, ["twinwrap"])),
    ".SH ENVIRONMENT",
    ...list(VARIABLES),
    ".SH EXIT STATUS",
    ...list(EXIT_CODES),
  ];
  mkdirSync(`${root}build/man`, { recursive: true });
  writeFileSync(`${root}build/man/twinwrap.1`, `${page.join("\n")}\n`);
}
