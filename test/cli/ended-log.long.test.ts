import { readFileSync } from "node:fs";
import { addSignature, readOfficerKey } from "twinwrap/escrow";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openDirectory } from "#build/authority/directory.js";
import { haveSqlite } from "../sqlite.js";
import { Sandbox } from "./run.js";

// An authority whose backup is older than the newest receipt: its officers end its log, and the owner of what was lost
// finds a way on.

const ORIGIN = "office.example";
let sandbox: Sandbox;
const run = (line: string) => sandbox.shell(`export TWINWRAP_AUTHORITY=office; ${line}`);
const done = async (line: string) => {
  const result = await run(`set -e; ${line}`);
  expect(result, line).toMatchObject({ code: 0, stderr: "" });
  return result.stdout;
};

/** The receipt in a sealed file, as it stands in its header. */
function receiptIn(file: string): string {
  const [receipt] = /\{"leaf":"[^"]*","proof":"[^"]*","type":"twinwrap\/receipt\/v1"\}/.exec(
    sandbox.read(file).toString(),
  )!;
  return receipt;
}

/** The checkpoint that it leads to. */
function checkpointIn(file: string): string {
  const { proof } = JSON.parse(receiptIn(file));
  return proof.slice(proof.indexOf("\n\n") + 2);
}

/** The officers end the log, with what is known of it outside. */
async function closeLog(...known: string[]): Promise<void> {
  const service = await openDirectory(sandbox.file("office"));
  try {
    const { note } = await service.beginClosing(known);
    for (const name of ["ann", "bob"]) {
      const key = await readOfficerKey(readFileSync(sandbox.file(`${name}.pem`)));
      await service.takeClosing(await addSignature(service.core, note, key.signer(name)));
    }
    expect(await service.closing()).toBeUndefined();
  } finally {
    await service.close();
  }
}

/** Both officers approve what was asked last. */
const approve = (id: string) =>
  done(
    `for n in ann bob; do twinwrap authority approve ${id} -k $n.pem --identity met --yes > /dev/null; done`,
  );
/** What `recover request` printed: the request's ID. */
const idIn = (stdout: string) => JSON.parse(stdout).id as string;
const ASK = "twinwrap recover request --to new.pub.pem --requester Olivia --json";

beforeAll(async () => {
  if (!haveSqlite) return;
  sandbox = new Sandbox();
  for (const name of ["olivia", "new"]) sandbox.keyPair(name);
  await done(`
    for n in ann bob; do twinwrap officer keygen -o $n.pem --no-passphrase > /dev/null; done
    twinwrap authority init office --no-passphrase --origin ${ORIGIN} --officer ann=ann.pub.pem --officer bob=bob.pub.pem > /dev/null
    for n in ann bob; do twinwrap authority policy sign -k $n.pem --yes > /dev/null; done
    for f in first kept lost; do echo $f > $f; done
    for f in first kept; do twinwrap encrypt $f --owner olivia.pub.pem --owner-id olivia > /dev/null; done
    twinwrap authority backup backup > /dev/null
    twinwrap encrypt lost --owner olivia.pub.pem --owner-id olivia > /dev/null
    twinwrap verify first.twin kept.twin lost.twin > /dev/null
    rm -r office; twinwrap authority restore backup office > /dev/null
    mkdir old; cp *.twin old
    mkdir .base; cp -a * .base
  `);
}, 120_000);
beforeEach(async () => {
  if (haveSqlite) await done("rm -r *; cp -a .base/* .");
});
afterAll(() => sandbox?.remove());

describe.skipIf(!haveSqlite)("after a loss (needs better-sqlite3)", () => {
  test("an honest operator can't say that nothing is newer, but can end the log", async () => {
    // What is known outside is newer than the backup: the log can't go on from there.
    const { code, stderr } = await run("twinwrap authority log unfence lost.twin --nothing-newer");
    expect([code, stderr]).toEqual([3, expect.stringMatching(/rolled back/)]);
    await closeLog(checkpointIn("lost.twin"));
    // What was kept is asked for and released. The receipt that leads to an earlier state is no contradiction.
    const id = idIn(await done(`${ASK} first.twin kept.twin -o r.json`));
    await approve(id);
    await done(`twinwrap recover fetch ${id} first.twin kept.twin -k new.pem`);
    for (const name of ["first", "kept"]) {
      expect(await done(`twinwrap decrypt ${name}.twin -k new.pem -o -`)).toBe(`${name}\n`);
    }
    await done("twinwrap authority log verify > /dev/null");
  }, 120_000);

  test.each([
    ["knew of it", true, "lost: taken in by .*, but office.example lost it: send it again"],
    ["did not know", false, "lost: signed for office.example .*, after that log had ended: send"],
  ])(
    "verify and scan say what each receipt is worth, where the officers %s",
    async (_, isKnown, lost) => {
      await closeLog(...(isKnown ? [checkpointIn("lost.twin")] : []));
      const expected = [
        [
          "first",
          3,
          false,
          "unconfirmed",
          /^first.twin +unconfirmed: taken in by .*; that log has ended, and .* not show that it was kept$/m,
        ],
        ["kept", 0, true, "verified", /^kept.twin +verified by office.example on/],
        ["lost", 3, false, isKnown ? "lost" : "after the end", new RegExp(`^lost.twin +${lost}`)],
      ] as const;
      for (const authority of ["office", "office/authority.json"]) {
        for (const [name, exit, recoverable, status, text] of expected) {
          const line = `twinwrap verify ${name}.twin --authority ${authority}`;
          const { code, stdout, stderr } = await run(`${line} --whole`);
          expect([code, stderr], line).toEqual([exit, ""]);
          expect(stdout).toMatch(text);
          const facts = JSON.parse((await run(`${line} --json`)).stdout);
          const [report] = [facts].flat();
          expect(report).toMatchObject({
            recoverable,
            escrows: [{ status, log: ORIGIN, shown: recoverable }],
          });
        }
      }
      const scan = await run("twinwrap escrow scan old --authority office/authority.json");
      expect(scan.code).toBe(3);
      expect(scan.stdout).toMatch(/^3 sealed files, 2 without a receipt that verifies$/m);
      expect(scan.stderr).toMatch(/^twinwrap: unconfirmed: 1\. .*`twinwrap escrow add`/m);
      expect(scan.stderr).toMatch(/^twinwrap: lost by the authority: 1\. .* sends them again/m);
      const counted = JSON.parse((await run("twinwrap escrow scan old --json")).stdout);
      expect(counted).toMatchObject({ sealed: 3, unconfirmed: 1, lost: 1 });
    },
    120_000,
  );

  test("the owner sends what was lost again, and has what was kept confirmed", async () => {
    await closeLog(checkpointIn("lost.twin"));
    // Without the authority at hand the submission is carried there.
    const add = "twinwrap escrow add -k olivia.pem";
    expect(await done(`${add} lost.twin first.twin --authority office/authority.json`)).toMatch(
      /^lost.twin +lost by office.example; carry lost.twin.\S+ there again, .*\nfirst.twin +unconfirmed: .*; carry /,
    );
    await done("twinwrap authority intake lost.twin.*.submission.json > /dev/null");
    // The receipt of the log that follows takes the place of the lost one.
    const attach = "twinwrap escrow attach lost.twin lost.twin.*.receipt.json";
    expect(await done(`${attach} --authority office/authority.json`)).toMatch(
      /receipt attached: verified/,
    );
    await done("twinwrap verify lost.twin --authority office/authority.json > /dev/null");
    // At the authority itself one command does all of it, from the file as it was.
    await done("cp old/lost.twin again.twin; cp old/first.twin .; rm -f first.twin.*");
    expect(await done(`${add} again.twin first.twin kept.twin`)).toMatch(
      /^again.twin +verified by office.example, sent again: .* lost, .*\nfirst.twin +verified by office.example, .*\nkept.twin +verified by office.example, /,
    );
    const all = JSON.parse(
      await done(
        "twinwrap verify again.twin first.twin kept.twin --json --authority office/authority.json",
      ),
    );
    expect(all.map((one: { escrows: { log: string }[] }) => one.escrows[0]!.log)).toEqual([
      `${ORIGIN}/2`,
      ORIGIN,
      ORIGIN,
    ]);
    expect(await done("twinwrap authority list --json | grep -c '\"record\"'")).toBe("3\n");
    // A lost receipt takes no place, and says why.
    sandbox.write("old.receipt.json", receiptIn("old/lost.twin"));
    const { code, stderr } = await run("twinwrap escrow attach again.twin old.receipt.json");
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(/office.example lost: .* sent again/),
    ]);
  }, 120_000);

  test("nothing is asked for as if it were there, and the private key tells what proofs can't", async () => {
    await closeLog(checkpointIn("lost.twin"));
    const here = await run(`${ASK} lost.twin -o r.json`);
    expect([here.code, here.stderr]).toEqual([
      1,
      expect.stringMatching(/office.example lost the submission/),
    ]);
    const away = await run(`${ASK} lost.twin -o r.json --authority office/authority.json`);
    expect(away.code).toBe(0);
    expect(away.stderr).toMatch(/lost.twin: the authority lost the entry .* send it again first/);
    expect(away.stderr).toMatch(/`twinwrap escrow add lost.twin` sends it again/);

    await done("twinwrap authority intake lost.twin > /dev/null");
    const id = idIn(await done(`${ASK} lost.twin -o asked.json`));
    await approve(id);
    await done(`twinwrap authority release ${id} -o release.json > /dev/null`);
    const fetch = "twinwrap recover fetch --release release.json lost.twin";
    for (const line of [`${fetch} --request asked.json`, `${fetch} -k new.pem --json`]) {
      const { code, stderr } = await run(`${line} --authority office/authority.json`);
      expect([code, stderr], line).toEqual([
        3,
        "twinwrap: lost.twin: the authority lost the entry that its receipt is for\n",
      ]);
      expect(await done("twinwrap decrypt lost.twin -k new.pem -o -")).toBe("lost\n");
      await done("cp old/lost.twin .");
    }
  }, 120_000);
});

test.skipIf(!haveSqlite)(
  "a log that was forked instead: the file is recoverable, and every command says that it was",
  async () => {
    // Somebody vouched wrongly, so the log went on from the backup. The file's receipt contradicts it for ever.
    await done("twinwrap authority log unfence kept.twin --nothing-newer > /dev/null");
    await done(
      "echo other > other; twinwrap encrypt other --owner olivia.pub.pem --owner-id olivia > /dev/null",
    );
    const forked = /forked or rewritten/;
    for (const line of [
      "verify lost.twin",
      "escrow add lost.twin -k olivia.pem",
      "escrow scan .",
    ]) {
      const { code, stdout, stderr } = await run(`twinwrap ${line}`);
      expect([code, stdout + stderr], line).toEqual([3, expect.stringMatching(forked)]);
    }
    await done("twinwrap authority intake lost.twin > /dev/null");
    const asked = await run(`${ASK} lost.twin -o asked.json`);
    expect([asked.code, asked.stderr]).toEqual([3, expect.stringMatching(forked)]);
    const id = idIn(asked.stdout);
    await approve(id);
    const without = await run(`twinwrap recover fetch ${id} lost.twin`);
    expect([without.code, without.stderr]).toEqual([3, expect.stringMatching(forked)]);
    expect((await run("twinwrap decrypt lost.twin -k new.pem -o -")).code).toBe(1);
    const fetched = await run(`twinwrap recover fetch ${id} lost.twin -k new.pem`);
    expect([fetched.code, fetched.stderr]).toEqual([3, expect.stringMatching(forked)]);
    expect(fetched.stdout).toMatch(/^recovered +lost.twin +and opened$/m);
    expect(await done("twinwrap decrypt lost.twin -k new.pem -o -")).toBe("lost\n");
  },
  120_000,
);
