import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Sandbox } from "./run.js";

// What shells complete, compared with what the helps list; and the man page, made of the helps.

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = new Sandbox();
});
afterAll(() => sandbox.remove());

const have = (program: string) => spawnSync(program, ["--version"]).error === undefined;

/** What bash offers where a line ends, by the function that the script defines. */
async function offered(...words: string[]): Promise<string[]> {
  const list = words.map((word) => `'${word}'`).join(" ");
  const line = `eval "$(twinwrap completion bash)"; COMP_WORDS=(twinwrap ${list}); COMP_CWORD=${words.length}; _twinwrap; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await sandbox.shell(line);
  expect(stderr).toBe("");
  return stdout.split("\n").filter((word) => word !== "");
}

/** The first words of what a help lists under a heading. */
async function listed(command: string, heading: string): Promise<string[]> {
  const { stdout } = await sandbox.shell(`twinwrap ${command} --help`);
  const [, part = ""] = stdout.split("\nExample:")[0]!.split(`\n${heading}:\n`);
  return [...part.split(/\n(?=\S)/)[0]!.matchAll(/^ {2}(\S+?),? .*$/gm)].map(([, word]) => word!);
}

test("bash completes commands, options and their values", async () => {
  const all = (await listed("", "Commands")).filter((name) => name !== "help");
  expect((await offered("")).sort()).toEqual(all.sort());
  const below = (await listed("escrow", "Commands")).filter((name) => name !== "help");
  expect((await offered("escrow", "")).sort()).toEqual(below.sort());
  expect(await offered("escrow", "att")).toEqual(["attach"]);
  const options = await offered("encrypt", "-");
  for (const option of await listed("encrypt", "Options")) expect(options).toContain(option);
  // Older words for the same thing are not offered.
  expect(options).toContain("--to");
  expect(options).not.toContain("--owner");
  expect(await offered("encrypt", "x", "--engine", "")).toEqual([
    ...["wasm", "webcrypto", "native", "auto"],
  ]);
  expect(await offered("encrypt", "--engine", "wasm", "--padding", "p")).toEqual(["pkcs1-v1_5"]);
});

test.each(["zsh", "fish"])("%s takes its script (needs it)", async (shell) => {
  const { stdout, code } = await sandbox.shell(`twinwrap completion ${shell} | tee script`);
  expect(code).toBe(0);
  expect(stdout).toContain("recover");
  if (have(shell))
    expect(await sandbox.shell(`${shell} -n script`)).toMatchObject({ code: 0, stderr: "" });
});

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
