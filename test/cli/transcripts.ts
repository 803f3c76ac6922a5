import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { haveSqlite } from "../sqlite.js";
import { Sandbox } from "./run.js";

// Transcripts are what a person sees at a terminal. In test/cli/transcripts a line "$ …" is a
// bash line, run in a folder of its own; below it stands what it must print: standard output as it
// is, standard error behind "! ", and "[N]" for an exit code other than 0. "#" begins a comment.
// {hex}, {serial}, {time} and {…} stand for what differs from run to run.

const PATTERNS: Record<string, string> = {
  "{hex}": "[0-9a-f]{64}",
  "{hex16}": "[0-9a-f]{16}",
  "{serial}": "[a-z2-7]{26}",
  "{time}": "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ",
  "{…}": ".*",
};

interface Step {
  line: string;
  expected: string[];
}

function parse(text: string): Step[] {
  const steps: Step[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("#") || line === "") continue;
    if (line.startsWith("$ ")) steps.push({ line: line.slice(2), expected: [] });
    else steps.at(-1)!.expected.push(line);
  }
  return steps;
}

/** The expected text as it would stand if every placeholder were replaced by what came. */
function fill(expected: string[], actual: string[]): string[] {
  return expected.map((line, index) => {
    const pattern = line
      .split(/(\{hex16\}|\{hex\}|\{serial\}|\{time\}|\{…\})/)
      .map((part) => PATTERNS[part] ?? part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join("");
    const came = actual[index] ?? "";
    return new RegExp(`^${pattern}$`).test(came) ? came : line;
  });
}

/** Makes tests of the transcripts in a folder. */
export function playTranscripts(path: string): void {
  const folder = new URL(path, import.meta.url);
  const names = readdirSync(folder).filter((name) => name.endsWith(".txt"));

  // A transcript that begins "# needs PROGRAM" is skipped, visibly, where there is no such program.
  const missing = (name: string) => {
    const text = readFileSync(new URL(name, folder), "utf8");
    if (!haveSqlite && text.includes("twinwrap authority init")) return true;
    const [, program] = /^# needs (\w+)/.exec(text) ?? [];
    return program !== undefined && spawnSync(program, ["version"]).status !== 0;
  };

  const [skipped, runnable] = [names.filter(missing), names.filter((name) => !missing(name))];
  test.skip.each(skipped)(
    "transcript %s (needs a program, or better-sqlite3, that is not here)",
    () => {},
  );

  test.each(runnable)("transcript %s", async (name) => {
    const sandbox = new Sandbox();
    try {
      for (const key of ["alice", "bob", "mallory"]) sandbox.keyPair(key);
      sandbox.keyPair("weak", 1024);
      const steps = parse(readFileSync(new URL(name, folder), "utf8"));
      expect(steps.length).toBeGreaterThan(0);
      for (const { line, expected } of steps) {
        const { stdout, stderr, code } = await sandbox.shell(line);
        const lines = (text: string) => text.split("\n").filter((part) => part !== "");
        const actual = [
          ...lines(stdout),
          ...lines(stderr).map((part) => `! ${part}`),
          ...(code === 0 ? [] : [`[${code}]`]),
        ];
        expect([`$ ${line}`, ...actual]).toEqual([`$ ${line}`, ...fill(expected, actual)]);
      }
    } finally {
      sandbox.remove();
    }
  });
}
