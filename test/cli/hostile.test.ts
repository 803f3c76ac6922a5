import { afterAll, beforeAll, expect, test } from "vitest";
import { filesOf, privateKeys, publicKeys } from "../keys/hostile-keys.js";
import { some } from "../quick.js";
import { Sandbox } from "./run.js";

// Keys made to break something, at the command line: each command that takes a key says in one line
// what is wrong, ends with 1, and writes nothing. That the library refuses each is in test/keys/hostile.test.ts.

const sandbox = new Sandbox();
beforeAll(async () => {
  sandbox.keyPair("alice");
  sandbox.write("data", "data");
  const made = await sandbox.shell(
    "twinwrap encrypt data --owner alice.pub.pem --detached && mv data.twin.*.simpleblob blob",
  );
  expect(made).toMatchObject({ code: 0 });
});
afterAll(() => sandbox.remove());

const OPEN = [
  "twinwrap key info KEY",
  "twinwrap encrypt data --owner KEY --allow-weak -o out",
  "twinwrap blob generate --alg aes-256 --to KEY --allow-weak -o out",
];
const SECRET = [
  "twinwrap key convert KEY --to pem --no-passphrase -o out",
  "twinwrap decrypt data.twin -k KEY --allow-weak -o out",
  "twinwrap blob unwrap -k KEY --allow-weak --padding oaep blob -o out",
];

const cases = [
  ...publicKeys.map(([what, key]) => [`public: ${what}`, key, OPEN] as const),
  ...privateKeys
    .slice(publicKeys.length)
    .map(([what, key]) => [`private: ${what}`, key, SECRET] as const),
];

test.each(some(cases, 13))("%s", async (_, key, commands) => {
  const files = filesOf(key);
  for (const [i, command] of commands.entries()) {
    // An exponent of one is a key for files that are in the clear: it is shown as weak (transcripts).
    if (key.e === 1n && command.startsWith("twinwrap key info")) continue;
    const [form, file] = files[i % files.length]!; // each command with another form
    sandbox.write("key", file);
    const line = `${command.replace("KEY", "key")}; echo "[$?]"; ls`;
    const { stdout, stderr } = await sandbox.shell(line);
    expect([command, form, stderr]).toEqual([
      command,
      form,
      expect.stringMatching(/^twinwrap: key(:| is longer) .+\n$/),
    ]);
    expect(stdout).toBe("[1]\nalice.pem\nalice.pub.pem\nblob\ndata\ndata.twin\nkey\n");
  }
});
