import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { beforeAll, expect, test } from "vitest";
import { wholeProgram } from "#build/cli/commands.js";

// What the documents for people say: each command is one that there is, and each link leads somewhere.

const root = fileURLToPath(new URL("..", import.meta.url));
const DOCUMENTS = [
  ...["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"],
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const textOf = (name: string) => readFileSync(join(root, name), "utf8");

let program: Command;
beforeAll(async () => {
  program = await wholeProgram();
});

/** The command that a line begins with, and the options that it is given. */
function readLine(line: string): { names: string[]; command: Command; options: string[] } {
  const words = line
    .split(/\s+#/)[0]!
    .replace(/"[^"]*"|'[^']*'/g, "TEXT")
    .split(/\s+/)
    .slice(1);
  let command = program;
  const names: string[] = [];
  for (const word of words) {
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) break;
    command = next;
    names.push(word);
  }
  return { names, command, options: words.filter((word) => /^--?[a-z]/.test(word)) };
}

test.each(DOCUMENTS)("the commands in %s are there, with these options", (name) => {
  const lines = [...textOf(name).matchAll(/^(?: {4}|)(?:npx )?(twinwrap [a-z].*)$/gm)];
  for (const [, line] of lines) {
    const { names, command, options } = readLine(line!);
    expect([line, names.length > 0, command.commands.length]).toEqual([line, true, 0]);
    const known = new Set(
      [...command.options, ...program.options].flatMap(({ short, long }) => [short, long]),
    );
    for (const option of options) {
      const isKnown = known.has(option.split("=")[0]!) || ["-q", "--help"].includes(option);
      expect([line, option, isKnown]).toEqual([line, option, true]);
    }
  }
});

test("README, and the pages for users, officers, auditors and operators have commands", () => {
  for (const name of ["README.md", "docs/user.md", "docs/officer.md", "docs/auditor.md"]) {
    expect([name, /^(?: {4}|)(?:npx )?twinwrap /m.test(textOf(name))]).toEqual([name, true]);
  }
});

test.each(DOCUMENTS)("the links in %s lead somewhere", (name) => {
  for (const [, target] of textOf(name).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^https:/.test(target!)) continue;
    const [path, part] = target!.split("#") as [string, string?];
    const file = path === "" ? name : join(dirname(name), path);
    expect([target, existsSync(join(root, file))]).toEqual([target, true]);
    if (part === undefined || !file.endsWith(".md")) continue;
    const heads = [...textOf(file).matchAll(/^#+ (.*)$/gm)].map(([, head]) =>
      head!
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    );
    expect([target, heads.includes(part)]).toEqual([target, true]);
  }
});
