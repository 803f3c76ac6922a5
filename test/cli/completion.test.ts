import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Sandbox } from "./run.js";

// What shells complete, compared with what the helps list; and the man page, made of the helps.

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = new Sandbox();
});
afterAll(() => sandbox.remove());

const have = (program: string) => spawnSync(program, ["--version"]).error === undefined;

/** What is typed: words, of which the last one is to be completed. */
type Line = readonly string[];

/** Runs a line of bash that prints words, and gives these for each line that is typed; "==" ends one. */
async function answers(line: string): Promise<string[][]> {
  const { stdout, stderr } = await sandbox.shell(line);
  expect(stderr).toBe("");
  const parts = stdout.split(/^==$/m).slice(0, -1);
  return parts.map((part) => part.split("\n").filter((word) => word !== ""));
}

/** bash, by the function that the script defines. */
function bash(lines: readonly Line[]): Promise<string[][]> {
  const asked = lines.map((words) => {
    const list = words.map((word) => `'${word}'`).join(" ");
    return `COMP_WORDS=(twinwrap ${list}); COMP_CWORD=${words.length}; _twinwrap; printf '%s\\n' "\${COMPREPLY[@]}" ==`;
  });
  return answers(`eval "$(twinwrap completion bash)"; ${asked.join("; ")}`);
}

/** fish, by the builtin that tells what it would offer. */
function fish(lines: readonly Line[]): Promise<string[][]> {
  const asked = lines.map((words) => `complete -C 'twinwrap ${words.join(" ")}'; echo ==`);
  sandbox.write("asked.fish", `source twinwrap.fish\n${asked.join("\n")}`);
  // A word's description follows it.
  return answers(
    "twinwrap completion fish > twinwrap.fish; fish --no-config asked.fish | cut -f 1",
  );
}

/** What an interactive zsh reads first. It keeps what is offered when Tab is pressed, and tells when that is done. */
const ZSH_SETUP = `
PS1= fpath=($PWD/functions $fpath)
setopt no_auto_list no_auto_menu no_beep
autoload -Uz compinit; compinit -u -D
compadd() {
  # With these options it only computes.
  if [[ " \${@[1,(i)(-|--)]}" != *\\ -[OAD]* ]]; then
    local -a fitting
    builtin compadd -A fitting "$@"
    print -rl -- "\${fitting[@]}" >> offered
  fi
  builtin compadd "$@"
}
tab() { zle complete-word; print -- '==' >> offered; print > told }
zle -N tab
bindkey '^I' tab
zle-line-init() { print > told; zle -D zle-line-init }
zle -N zle-line-init
`;
/** Types lines into such a zsh, with a Tab after each, and waits for it. */
const ZSH_TYPIST = `
zmodload zsh/zpty
mkfifo told
exec 3<>told # open for good: no writer that closes it ends a later read
zpty typed "exec zsh -f -i"
zpty -w typed "source ./setup.zsh"
read _ <&3
while IFS= read -r line; do
  zpty -w -n typed $'\\C-u'"$line"$'\\t'
  read _ <&3
done < lines
zpty -d typed
cat offered
`;

/** zsh, where somebody types. */
function zsh(lines: readonly Line[]): Promise<string[][]> {
  sandbox.write("setup.zsh", ZSH_SETUP);
  sandbox.write("typist.zsh", ZSH_TYPIST);
  sandbox.write("lines", lines.map((words) => `twinwrap ${words.join(" ")}\n`).join(""));
  return answers(
    "mkdir functions; twinwrap completion zsh > functions/_twinwrap; timeout 100 zsh -f typist.zsh",
  );
}

/** The first words of what a help lists under a heading. */
async function listed(command: string, heading: string): Promise<string[]> {
  const { stdout } = await sandbox.shell(`twinwrap ${command} --help`);
  const [, part = ""] = stdout.split("\nExample:")[0]!.split(`\n${heading}:\n`);
  return [...part.split(/\n(?=\S)/)[0]!.matchAll(/^ {2}(\S+?),? .*$/gm)].map(([, word]) => word!);
}

describe.each([
  ["bash", bash],
  ["zsh", zsh],
  ["fish", fish],
] as const)("%s", (shell, offeredBy) => {
  const name = "completes commands, options, their values and files";
  test.skipIf(!have(shell))(`${name} (needs ${shell})`, async () => {
    const names = (list: string[]) => list.filter((one) => one !== "help").sort();
    sandbox.write("report.pdf", "");
    // fish offers short options for one dash and long ones for two.
    const [all, below, attach, short, long, engines, padding, again] = await offeredBy([
      [""],
      ["escrow", ""],
      ["escrow", "att"],
      ["encrypt", "-"],
      ["encrypt", "--"],
      ["encrypt", "x", "--engine", ""],
      ["encrypt", "--engine", "wasm", "--padding", "p"],
      ["escrow", "submit", "--out", "x", "encrypt", "--"],
    ]);
    expect(names(all!)).toEqual(names(await listed("", "Commands")));
    expect(names(below!)).toEqual(names(await listed("escrow", "Commands")));
    expect(attach).toEqual(["attach"]);
    const options = [...short!, ...long!];
    for (const option of await listed("encrypt", "Options")) expect(options).toContain(option);
    // Older words for the same thing are not offered.
    expect(options).toContain("--to");
    expect(options).not.toContain("--owner");
    expect([...engines!].sort()).toEqual(["auto", "native", "wasm", "webcrypto"]);
    expect(padding).toEqual(["pkcs1-v1_5"]);
    // A command's name among the arguments of another is no command.
    for (const option of await listed("escrow submit", "Options")) {
      if (option.startsWith("--")) expect(again).toContain(option);
    }
    // bash is told by "complete -o default" to take files, outside of its function.
    if (shell !== "bash") expect(await offeredFiles(offeredBy)).toEqual(["report.pdf"]);
  });
});

/** Where a file is meant. */
async function offeredFiles(offeredBy: typeof bash): Promise<string[]> {
  await sandbox.shell("rm -rf functions told offered");
  const [files] = await offeredBy([["encrypt", "--to", "repo"]]);
  return files!;
}

test("an unknown shell is refused", async () => {
  const { code, stderr } = await sandbox.shell("twinwrap completion csh");
  expect([code, stderr]).toEqual([
    2,
    expect.stringContaining("Allowed choices are bash, zsh, fish"),
  ]);
});

test("the man page has every command with its options, and is packed", async () => {
  const root = new URL("../../", import.meta.url);
  const { man, files } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  expect([man, files]).toEqual([["./build/man/twinwrap.1"], expect.arrayContaining(["build"])]);
  const page = readFileSync(new URL(man[0], root), "utf8");
  const text = page.replaceAll("\\-", "-").replaceAll("\\e", "\\");
  for (const command of ["encrypt", "recover fetch", "authority init", "completion"]) {
    expect(text).toContain(`.SS "twinwrap ${command}"`);
    const [, own = ""] = text.split(`.SS "twinwrap ${command}"\n`);
    for (const option of await listed(command, "Options")) {
      expect(own.split("\n.SS")[0]).toMatch(new RegExp(`^\\.B (-\\w, )?${option}\\b`, "m"));
    }
  }
  if (!have("groff")) return;
  const { status, stderr } = spawnSync("groff", ["-man", "-ww", "-z", "-Tutf8"], { input: page });
  expect([status, stderr.toString()]).toEqual([0, ""]);
});
