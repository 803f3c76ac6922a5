import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { haveSqlite } from "../sqlite.js";
import { Sandbox } from "./run.js";
import { atTerminal, haveTerminal } from "./terminal.js";

// The README's commands for the whole procedure, as they are printed, at a terminal, in one folder. A person types
// what is asked for, and the ID that they were shown.

const readme = readFileSync(fileURLToPath(new URL("../../README.md", import.meta.url)), "utf8");
const user = readFileSync(fileURLToPath(new URL("../../docs/user.md", import.meta.url)), "utf8");
const section = readme.split("\n## Lose the key, get the file back\n")[1]!.split("\n## ")[0]!;
const [machine] = section.split("An authority that others reach over HTTPS");
const printed = (text: string) =>
  [...text.matchAll(/^ {4}npx (twinwrap .*)$/gm)].map(([, line]) => line!);
const commands = printed(machine!);

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = new Sandbox();
});
afterEach(() => sandbox.remove());

test("the README has seven commands for the whole procedure, and three more for a service", () => {
  expect(commands.map((line) => line.split(" ").slice(1, 3).join(" "))).toEqual([
    "keygen -o",
    "authority init",
    "encrypt report.pdf",
    "recover request",
    "authority approve",
    "authority approve",
    "recover fetch",
  ]);
  const service = section
    .split("An authority that others reach over HTTPS")[1]!
    .split("`--new-officer` is")[0]!;
  const more = [...service.matchAll(/^ {4}npx twinwrap authority (\w+)/gm)].map(([, word]) => word);
  expect(more).toEqual(["token", "serve", "enrol"]);
});

/** What a person types: passphrases, and that they agree. */
const ANSWERS = [
  [/New passphrase for [^:]*:|The same again:/, "several long words\r"],
  [/Passphrase for [^:]*:/, "several long words\r"],
  [/\[y\/N\] /, "yes\r"],
] as const;

let id = "";

/** Runs a line as it is printed, but for the ID that somebody was shown. */
async function play(line: string): Promise<void> {
  const { shown, code } = await atTerminal(sandbox, line.replace(/\bID\b/, id), ANSWERS);
  expect([line, code, code === 0 ? "" : shown]).toEqual([line, 0, ""]);
  id = /^request +([a-z2-7]{26})$/m.exec(shown)?.[1] ?? id;
}

test.skipIf(!haveTerminal || !haveSqlite)(
  "they play it, top to bottom, and then what is carried (needs script, and SQLite)",
  async () => {
    for (const name of ["report.pdf", "memo.pdf"]) sandbox.write(name, `figures of ${name}`);
    sandbox.write("secret.txt", "kept in a safe\n");
    for (const line of commands) {
      // The private key is lost, and the plaintext with it.
      if (line.includes("recover request")) await sandbox.shell("rm olivia.pem report.pdf");
      await play(line);
    }
    expect(sandbox.read("again.pdf").toString()).toBe("figures of report.pdf");
    // Nothing that a passphrase was typed for stays unlocked.
    const keys = "new.pem ann.pem bob.pem cyd.pem backup/wrap.pem";
    expect((await sandbox.shell(`grep -L ENCRYPTED ${keys}`)).stdout).toBe("");
    const carried = user.split("\n## Without the network\n")[1]!.split("\n## ")[0]!;
    for (const line of printed(carried)) await play(line);
    expect(sandbox.read("again-memo.pdf").toString()).toBe("figures of memo.pdf");
  },
);

test.skipIf(!haveTerminal)("so do the first commands of the README (needs script)", async () => {
  const first = readme.split("\n## The command line\n")[1]!.split("\n- Every command")[0]!;
  sandbox.write("plan.pdf", "a plan");
  await sandbox.shell("mkdir documents; echo one > documents/one");
  for (const line of printed(first)) await play(line);
  expect(sandbox.read("opened.pdf").toString()).toBe("a plan");
  const blobs = readme.split("Twinwrap also works with CryptoAPI blobs by themselves:")[1]!;
  for (const line of printed(blobs.split("\nIt opens files")[0]!)) await play(line);
});

test.skipIf(!haveTerminal)(
  "Ctrl-C at a question says so, and nothing is done (needs script)",
  async () => {
    sandbox.keyPair("alice");
    const made = await atTerminal(sandbox, "twinwrap keygen -o new.pem", [
      [/New passphrase/, "\u0003"],
    ]);
    expect([made.code, made.shown]).toEqual([
      1,
      expect.stringContaining("interrupted: nothing was done"),
    ]);
    expect((await sandbox.shell("ls new.pem new.pub.pem")).code).toBe(2);
    const line =
      "twinwrap authority init x --new-officer a.pem --no-passphrase -q; echo y > f; twinwrap encrypt f --to alice.pub.pem --authority x";
    const asked = await atTerminal(sandbox, line, [[/Your owner ID.*: /, "\u0003"]]);
    expect([asked.code, asked.shown]).toEqual([
      1,
      expect.stringContaining("interrupted: nothing was done"),
    ]);
    expect((await sandbox.shell("ls f.twin")).code).toBe(2);
  },
);

test.skipIf(!haveTerminal)("a short passphrase is warned of (needs script)", async () => {
  const short = await atTerminal(sandbox, "twinwrap keygen -o new.pem --bits 2048", [
    [/passphrase|again/, "a\r"],
  ]);
  expect([short.code, short.shown]).toEqual([
    0,
    expect.stringContaining("the passphrase of new.pem is short"),
  ]);
  sandbox.write("long", "several long words\n");
  const long = await sandbox.shell(
    "twinwrap keygen -o other.pem --bits 2048 --passphrase-file long",
  );
  expect(long).toMatchObject({ code: 0, stderr: "" });
});
