import type { Command } from "commander";
import { afterAll, expect, test } from "vitest";
import { checkHelps } from "./help.js";
import { Sandbox } from "./run.js";

const sandbox = new Sandbox();
afterAll(() => sandbox.remove());

test("every command has a help with an example, and every option a description", async () => {
  // All but the first without a process of its own; the long test asks as a person does.
  await checkHelps(async (path) => {
    if (path === "") return (await sandbox.shell("twinwrap --help")).stdout;
    const [file, ...names] = path.split(" ");
    const { command: make } = await import(`#build/cli/${file}.js`);
    let command: Command = make();
    for (const name of names) command = command.commands.find((one) => one.name() === name)!;
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    return help;
  });
});

test("without a command, and with the version", async () => {
  const nothing = await sandbox.shell("twinwrap");
  expect([nothing.code, nothing.stdout]).toEqual([2, ""]);
  expect(nothing.stderr).toMatch(/^Usage: twinwrap/);
  const help = await sandbox.shell("twinwrap help encrypt");
  expect(help.stdout).toBe((await sandbox.shell("twinwrap encrypt --help")).stdout);
  const version = await sandbox.shell("twinwrap --version");
  expect([version.code, version.stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
});
