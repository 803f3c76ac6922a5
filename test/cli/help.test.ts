import { readdirSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { Sandbox } from "./run.js";

const sandbox = new Sandbox();
afterAll(() => sandbox.remove());

/** The commands that a help text lists, but for help itself. */
function listed(help: string): string[] {
  const [, commands = ""] = help.split("\nExample:\n")[0]!.split("\nCommands:\n");
  return [...commands.matchAll(/^ {2}([a-z]+)/gm)]
    .map(([, name]) => name!)
    .filter((name) => name !== "help");
}

test("every command has a help with an example, and every option a description", async () => {
  const open = [""];
  const seen: string[] = [];
  for (let name = open.shift(); name !== undefined; name = open.shift()) {
    const { stdout, stderr, code } = await sandbox.shell(`twinwrap ${name} --help`);
    expect([name, code, stderr]).toEqual([name, 0, ""]);
    expect(stdout).toMatch(/\nExample:\n {2}twinwrap /);
    for (const [line] of stdout.matchAll(/^ {2}-.*$/gm))
      expect(line).toMatch(/^ {2}-\S.* {2,}\S|^ {2}-\S[^ ]*.*>$/);
    for (const command of listed(stdout)) open.push(`${name} ${command}`.trim());
    seen.push(name);
  }
  // Nothing that src/cli has a file for is forgotten.
  const files = readdirSync(new URL("../../src/cli/", import.meta.url));
  for (const command of [
    ...["encrypt", "decrypt", "rewrap", "inspect", "keygen", "key", "blob"],
    ...["verify", "escrow", "recover", "officer", "authority", "bench", "capi"],
  ]) {
    expect(files).toContain(`${command}.ts`);
    expect(seen).toContain(command);
  }
  const subcommands = {
    key: ["info", "convert", "passphrase"],
    blob: ["inspect", "generate", "wrap", "unwrap", "rewrap"],
    capi: ["decrypt", "convert"],
    escrow: ["add", "attach", "status", "scan"],
    recover: ["request", "fetch"],
    officer: ["keygen"],
    authority: [
      ...["init", "policy sign", "policy show", "policy add", "info", "intake", "verify", "list"],
      ...["show", "requests", "approve", "deny", "release", "backup", "restore"],
      ...["log verify", "log checkpoint", "log unfence"],
    ],
  };
  for (const [command, names] of Object.entries(subcommands)) {
    for (const name of names) expect(seen).toContain(`${command} ${name}`);
  }
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
