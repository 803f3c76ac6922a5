import { readdirSync } from "node:fs";
import { expect } from "vitest";

/** The commands that a help text lists, but for help itself. */
function listed(help: string): string[] {
  const [, commands = ""] = help.split("\nExample:\n")[0]!.split("\nCommands:\n");
  return [...commands.matchAll(/^ {2}([a-z]+)/gm)]
    .map(([, name]) => name!)
    .filter((name) => name !== "help");
}

/** That every command has a help with an example, and every option a description. */
export async function checkHelps(helpOf: (command: string) => Promise<string>): Promise<void> {
  const open = [""];
  const seen: string[] = [];
  for (let name = open.shift(); name !== undefined; name = open.shift()) {
    const help = await helpOf(name);
    expect(help, name).toMatch(/\nExample:\n {2}twinwrap /);
    for (const [line] of help.matchAll(/^ {2}-.*$/gm)) {
      expect(line).toMatch(/^ {2}-\S.* {2,}\S|^ {2}-\S[^ ]*.*>$/);
    }
    for (const command of listed(help)) open.push(`${name} ${command}`.trim());
    seen.push(name);
  }
  // Nothing that src/cli has a file for is forgotten.
  const files = readdirSync(new URL("../../src/cli/", import.meta.url));
  for (const command of [
    ...["encrypt", "decrypt", "rewrap", "inspect", "keygen", "key", "blob"],
    ...[
      "verify",
      "escrow",
      "recover",
      "officer",
      "authority",
      "bench",
      "capi",
      "watch",
      "completion",
    ],
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
      ...[
        "receiver add",
        "receiver list",
        "receiver remove",
        "officer mail",
        "owner mail",
        "events",
      ],
    ],
  };
  for (const [command, names] of Object.entries(subcommands)) {
    for (const name of names) expect(seen).toContain(`${command} ${name}`);
  }
}
