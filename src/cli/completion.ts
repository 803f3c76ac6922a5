import { Argument, type Command } from "commander";
import { newCommand } from "./command.js";
import { print } from "./io.js";

// What a shell completes: commands, options, and the values of options that have a list of them. Everything else is a
// file's name, which the shell knows best.

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** A command as it is typed, with what may follow. */
interface Node {
  /** "twinwrap escrow add" */
  path: string;
  commands: { name: string; summary: string }[];
  options: { flags: string[]; summary: string; choices: string[]; takesValue: boolean }[];
}

/** One line of a summary, as shells show it beside a word. */
function short(text: string): string {
  return text.replace(/[.:;(].*$/s, "").trim();
}

function nodesOf(command: Command, path: string): Node[] {
  const options = command.options
    .filter(({ hidden }) => !hidden)
    .map((option) => ({
      flags: [option.short, option.long].filter((flag) => flag !== undefined && flag !== null),
      summary: short(option.description),
      choices: [...(option.argChoices ?? [])],
      takesValue: option.required || option.optional,
    }));
  const help = { flags: ["-h", "--help"], summary: "display help", choices: [], takesValue: false };
  const commands = command.commands.map((one) => ({
    name: one.name(),
    summary: short(one.description()),
  }));
  const own: Node = { path, commands, options: [...options, help] };
  return [own, ...command.commands.flatMap((one) => nodesOf(one, `${path} ${one.name()}`))];
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The part of bash and zsh that finds out which command is being typed. */
function caseOf(nodes: readonly Node[], indent: string): string {
  const paths = nodes.slice(1).map(({ path }) => quoted(path));
  return `${indent}case "$at $word" in\n${indent}  ${paths.join("|")}) at="$at $word" ;;\n${indent}esac`;
}

function bash(nodes: readonly Node[]): string {
  const cases = nodes.map(({ path, commands, options }) => {
    const flags = options.flatMap(({ flags }) => flags).join(" ");
    const names = commands.map(({ name }) => name).join(" ");
    const values = options
      .filter(({ choices }) => choices.length > 0)
      .map(({ flags, choices }) => `${flags.join("|")}) values=${quoted(choices.join(" "))} ;;`);
    const before = values.length === 0 ? "" : `\n      case "$before" in ${values.join(" ")} esac`;
    return `    ${quoted(path)})\n      options=${quoted(flags)} commands=${quoted(names)}${before} ;;`;
  });
  return `# bash completion for twinwrap: eval "$(twinwrap completion bash)"
_twinwrap() {
  local word at=twinwrap options= commands= values= i
  local now="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
${caseOf(nodes, "    ")}
  done
  case "$at" in
${cases.join("\n")}
  esac
  if [[ -n $values ]]; then COMPREPLY=($(compgen -W "$values" -- "$now"))
  elif [[ $now == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$now"))
  else COMPREPLY=($(compgen -W "$commands" -- "$now"))
  fi
}
complete -o default -o bashdefault -F _twinwrap twinwrap
`;
}

function zsh(nodes: readonly Node[]): string {
  const described = (pairs: readonly (readonly [string, string])[]) =>
    pairs.map(([word, summary]) => quoted(`${word.replaceAll(":", "\\:")}:${summary}`)).join(" ");
  const cases = nodes.map(({ path, commands, options }) => {
    const flags = options.flatMap(({ flags, summary }) =>
      flags.map((flag) => [flag, summary] as const),
    );
    const names = commands.map(({ name, summary }) => [name, summary] as const);
    const values = options
      .filter(({ choices }) => choices.length > 0)
      .map(
        ({ flags, choices }) => `${flags.join("|")}) values=(${choices.map(quoted).join(" ")}) ;;`,
      );
    const before = values.length === 0 ? "" : `\n      case "$before" in ${values.join(" ")} esac`;
    return `    ${quoted(path)})\n      options=(${described(flags)})\n      commands=(${described(names)})${before} ;;`;
  });
  return `#compdef twinwrap
# zsh completion for twinwrap: twinwrap completion zsh > a folder of $fpath, as _twinwrap
_twinwrap() {
  local word at=twinwrap before="\${words[CURRENT-1]}"
  local -a options commands values
  for word in "\${(@)words[2,CURRENT-1]}"; do
${caseOf(nodes, "    ")}
  done
  case "$at" in
${cases.join("\n")}
  esac
  if (( $#values )); then compadd -- "\${values[@]}"
  elif [[ $PREFIX == -* ]]; then _describe option options
  elif (( $#commands )); then _describe command commands
  else _files
  fi
}
# Loaded from $fpath this file runs in the function's place, for its first call.
if [[ $funcstack[1] == _twinwrap ]]; then _twinwrap "$@"
else compdef _twinwrap twinwrap
fi
`;
}

function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, commands, options }) => {
    const at = `-n ${quoted(`__twinwrap_at ${quoted(path).replaceAll("'", '"')}`)}`;
    const subcommands = commands.map(
      ({ name, summary }) => `complete -c twinwrap -f ${at} -a ${name} -d ${quoted(summary)}`,
    );
    const flags = options.map(({ flags, summary, choices, takesValue }) => {
      const names = flags.map((flag) =>
        flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
      );
      const value =
        choices.length > 0 ? ` -x -a ${quoted(choices.join(" "))}` : takesValue ? " -r -F" : "";
      return `complete -c twinwrap ${at} ${names.join(" ")}${value} -d ${quoted(summary)}`;
    });
    return [...subcommands, ...flags];
  });
  const paths = nodes.slice(1).map(({ path }) => quoted(path));
  return `# fish completion for twinwrap: twinwrap completion fish > ~/.config/fish/completions/twinwrap.fish
function __twinwrap_at
  set -l at twinwrap
  for word in (commandline -opc)[2..-1]
    if contains -- "$at $word" ${paths.join(" ")}
      set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
${lines.join("\n")}
`;
}

const SCRIPTS: Record<Shell, (nodes: readonly Node[]) => string> = { bash, zsh, fish };

/** @param whole gives the program with all its commands */
export function command(whole: () => Promise<Command>): Command {
  return newCommand(
    "completion",
    "Prints a script by which a shell completes twinwrap's commands and options.",
    'twinwrap completion zsh > ~/.zfunc/_twinwrap\ntwinwrap completion fish > ~/.config/fish/completions/twinwrap.fish\neval "$(twinwrap completion bash)"',
  )
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .action(async (shell: Shell) => print(SCRIPTS[shell](nodesOf(await whole(), "twinwrap"))));
}
