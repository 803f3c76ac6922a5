import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { loadCore } from "twinwrap/core";
import { inspect } from "twinwrap/envelope";
import { decodeRequest, makeBlobSubmission, readBlobWrap } from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDirectory } from "#build/authority/directory.js";
import { haveSqlite } from "../sqlite.js";
import { Sandbox } from "./run.js";

// What the transcript of owners can't show: a question on a terminal, and more records than one request takes.

const sandbox = new Sandbox();
afterAll(() => sandbox.remove());
const run = async (line: string) => {
  const done = await sandbox.shell(line);
  if (done.code !== 0) throw new Error(`${line}: ${done.stderr}`);
  return done.stdout;
};

describe.skipIf(!haveSqlite)("an owner (needs better-sqlite3)", () => {
  beforeAll(async () => {
    for (const name of ["alice", "bob"]) sandbox.keyPair(name);
    await run("twinwrap officer keygen -o ann.pem --no-passphrase");
    await run(
      "twinwrap authority init office --no-passphrase --origin office.example --unproven taken --officer ann=ann.pub.pem",
    );
    await run("twinwrap authority policy sign -k ann.pem --yes --authority office");
  });

  test.skipIf(spawnSync("python3", ["-c", "import pty"]).status !== 0)(
    "is asked on a terminal who they are (needs python3's pty)",
    async () => {
      sandbox.write("note", "a note");
      const args = ["twinwrap", "encrypt", "note", "--owner", "alice.pub.pem"];
      const ask = (answer: string) =>
        sandbox.shell(
          `python3 -c '
import json, os, pty, sys
args, answer = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0: os.execvp(args[0], args)
seen, answered = b"", 0
while True:
    try: data = os.read(fd, 1000)
    except OSError: break
    if not data: break
    seen += data
    if b"know you by:" in seen and not answered: answered = os.write(fd, answer.encode())
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
' '${JSON.stringify([[...args, "--authority", "office"], answer])}'`,
        );
      expect((await ask("\r")).code).toBe(2);
      const { code, stdout } = await ask(" olivia \r");
      expect([code, stdout]).toEqual([0, expect.stringContaining("verified by office.example")]);
      expect(stdout).toContain("officers will see olivia as the owner, and no description");
      const { escrows } = await inspect(sandbox.read("note.twin"));
      expect(JSON.stringify(escrows)).toContain('"owner":"olivia"');
    },
  );

  test("who does not say who they are is told so once, and with the same exit code for several files", async () => {
    for (const name of ["one", "two", "three"]) sandbox.write(name, name);
    await run(
      "twinwrap encrypt one --owner alice.pub.pem --owner-id olivia --authority office/authority.json",
    );
    for (const name of ["two", "three"])
      await run(`twinwrap encrypt ${name} --owner alice.pub.pem`);
    const add = "twinwrap escrow add -k alice.pem --authority office --json";
    const needed = /^twinwrap: who are you to the authority\? Give --owner-id, .*\n$/;
    const single = await sandbox.shell(`${add} two.twin`);
    expect([single.code, single.stderr]).toEqual([2, expect.stringMatching(needed)]);
    // Who sent the first is known from the file.
    const several = await sandbox.shell(`${add} two.twin one.twin three.twin`);
    expect([several.code, several.stderr]).toEqual([2, expect.stringMatching(needed)]);
    expect(JSON.parse(several.stdout)).toMatchObject([{ file: "one.twin", status: "verified" }]);
    const named = await sandbox.shell(`${add} two.twin one.twin three.twin --owner-id olivia`);
    expect(JSON.parse(named.stdout)).toHaveLength(3);
  });

  test("asks for 1001 records in two requests, each a file with an ID", async () => {
    const core = await loadCore();
    const service = await openDirectory(sandbox.file("office"));
    try {
      const { origin, wrapKey } = service.authority;
      const head = Buffer.from("0102000001680000" + "00a40000", "hex");
      const send = async (i: number) => {
        const block = randomBytes(wrapKey.n.length);
        block[block.length - 1] = 0; // below n
        const blob = Buffer.concat([head, block]);
        const { wrap } = await readBlobWrap(core, blob, wrapKey, "oaep");
        return makeBlobSubmission(core, {
          ...{ authority: origin, owner: "leaver", description: `key ${i}` },
          ...{ keyLength: 16, wrap },
        });
      };
      const submissions = await Promise.all(Array.from({ length: 1001 }, (_, i) => send(i)));
      await service.intake(submissions);
    } finally {
      await service.close();
    }
    const done = await sandbox.shell(
      'twinwrap recover request --all --owner-id leaver --to bob.pub.pem --requester "The office" --authority office -o asked --json',
    );
    expect(done).toMatchObject({
      code: 0,
      stderr: "twinwrap: 1001 of 1001 records were never opened: who sent these is not shown\n",
    });
    const facts = JSON.parse(done.stdout) as { id: string; records: number; request: string }[];
    expect(facts.map(({ records }) => records)).toEqual([1000, 1]);
    const asked = facts.map(({ request }) => decodeRequest(sandbox.read(request)));
    const all = asked.flatMap(({ records }) =>
      records.map((one) => Buffer.from(one).toString("hex")),
    );
    expect(new Set(all).size).toBe(1001);
    for (const { id } of facts) {
      expect(await run(`twinwrap authority requests ${id} --authority office`)).toContain(id);
    }
  });
});
