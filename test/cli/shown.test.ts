import { spawnSync } from "node:child_process";
import { createHash, createPublicKey } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Value } from "#build/authority/store/sql.js";
import { openRaw } from "../authority/raw.js";
import { haveSqlite } from "../sqlite.js";
import { Sandbox } from "./run.js";

// What an officer sees before they decide: nothing that somebody else wrote may stand in its place.

const sandbox = new Sandbox();
const run = (line: string, input?: string) => sandbox.shell(line, input);
const fingerprint = (name: string) =>
  run(`twinwrap key info ${name}.pub.pem --json`).then(
    ({ stdout }) => JSON.parse(stdout).fingerprint as string,
  );

/** A text as anybody may write one: up to 4096 bytes, whole lines of 80 columns, with the words of our own output. */
const PAINTING = [
  "pictures".padEnd(80),
  ...Array.from({ length: 20 }, () => " ".repeat(40).padEnd(80, ".")),
  "request    jnhkqzw7qpak6czwmjrmietkjg".padEnd(80),
  "requester  Olivia Owner".padEnd(80),
].join("");

beforeAll(async () => {
  if (!haveSqlite) return;
  for (const name of ["alice", "mallory"]) sandbox.keyPair(name);
  sandbox.write("painting", PAINTING);
  const made = await run(`
    for n in ann ben cyd; do twinwrap officer keygen -o $n.pem --no-passphrase; done
    twinwrap authority init office --no-passphrase --origin office.example --officer ann=ann.pub.pem --officer ben=ben.pub.pem
    export TWINWRAP_AUTHORITY=office
    for n in ann ben; do twinwrap authority policy sign -k $n.pem --yes; done
    echo one > minutes.txt; echo two > other
    twinwrap encrypt minutes.txt --owner alice.pub.pem --owner-id alice@example --name "minutes of may.txt" --description "Board minutes"
    twinwrap encrypt other --owner alice.pub.pem --owner-id mallory@example --description "$(cat painting)"
    twinwrap recover request minutes.txt.twin other.twin --to mallory.pub.pem --requester "Mallory  M." -o request.json --json > asked.json
  `);
  expect(made).toMatchObject({ code: 0, stderr: "" });
}, 120_000);
afterAll(() => sandbox.remove());

const id = () => JSON.parse(sandbox.read("asked.json").toString()).id as string;
const alter = async (sql: string, ...values: Value[]) => {
  const db = await openRaw(sandbox.file("office/store.sqlite"));
  db.prepare(sql).run(values);
  db.close();
};

/** Answers the question with no on a terminal of so many columns. @returns what the terminal got, its lines as it shows them */
async function onTerminal(width: number, args: string[]): Promise<string[]> {
  const { stdout } = await run(
    `python3 -c '
import fcntl, json, os, pty, struct, sys, termios
args, width = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    os.execvp(args[0], args)
seen, answered = b"", 0
while True:
    try: data = os.read(fd, 1000)
    except OSError: break
    if not data: break
    seen += data
    if b"[y/N]" in seen and not answered: answered = os.write(fd, b"n\\r")
sys.stdout.buffer.write(seen)
os.waitpid(pid, 0)
' '${JSON.stringify([args, width])}'`,
  );
  const controls = /\u001b\[[0-9;?]*[A-Za-z]|\r/g;
  return stdout.replace(controls, "").split("\n");
}

describe.skipIf(!haveSqlite)("an officer sees (needs better-sqlite3)", () => {
  test("a text from outside as one line, cut, and whole on request", async () => {
    const line = `twinwrap authority requests ${id()} --authority office`;
    const { stdout } = await run(line);
    const [shown] = stdout.split("\n").filter((text) => text.includes("pictures"));
    expect(shown!.length).toBe(160);
    expect(shown).toMatch(/^ {2}description {2}pictures \.{40} /);
    expect(shown!.endsWith("…")).toBe(true);
    expect(stdout).not.toMatch(/^requester {2}Olivia/m);
    const whole = await run(`${line} --whole`);
    const folded = PAINTING.replace(/ +/g, " ").trim();
    expect(whole.stdout).toContain(`  description  ${folded}\n`);
    const { records } = JSON.parse((await run(`${line} --json`)).stdout);
    expect(records.map((one: { description: string }) => one.description)).toContain(PAINTING);
    // Every command that shows it.
    for (const other of ["authority list --authority office", "inspect other.twin"]) {
      const { stdout } = await run(`twinwrap ${other}`);
      for (const text of stdout.split("\n")) expect(text.length).toBeLessThanOrEqual(160);
    }
  });

  test.skipIf(spawnSync("python3", ["-c", "import pty"]).status !== 0)(
    "the question last, with what it is about (needs python3's pty)",
    async () => {
      const lines = await onTerminal(80, [
        ...["twinwrap", "authority", "approve", id(), "-k", "ann.pem"],
        ...["--identity", "met", "--authority", "office"],
      ]);
      const at = lines.findIndex((line) => line.startsWith("Approve this request as ann? [y/N]"));
      expect(lines.slice(at - 4, at)).toEqual([
        `request    ${id().replace(/(....)(?=.)/g, "$1-")}`,
        `recipient  ${await fingerprint("mallory")}`,
        "requester  Mallory M.",
        "records    2",
      ]);
      expect(lines.slice(at + 1)).toEqual(["twinwrap: nothing was signed", ""]);
      // No line of what somebody else wrote is longer than the terminal is wide.
      const painted = lines.filter((line) => line.includes("pictures"));
      expect(painted.map((line) => line.length)).toEqual([80]);
    },
  );

  test("each record's hash, and its file's name if they have the file", async () => {
    const line = `twinwrap authority approve ${id()} -k ann.pem --identity met --authority office`;
    const { stdout, code } = await run(`${line} --file minutes.txt.twin`);
    expect(code).toBe(2); // there is no terminal to ask on
    const receipt = await run("twinwrap verify minutes.txt.twin --authority office --json");
    const record = JSON.parse(receipt.stdout)[0].escrows[0].record;
    expect(stdout).toMatch(
      new RegExp(
        [
          `^record +${record}`,
          "  serial +[a-z2-7]{26}  verified",
          "  created +[-0-9T:]+Z",
          "  owner +alice@example",
          "  description +Board minutes",
          "  file +minutes.txt.twin",
          "  name +minutes of may.txt$",
        ].join("\n"),
        "m",
      ),
    );
    // Another file's name is no record's.
    await run("twinwrap encrypt painting --owner alice.pub.pem --name wrong --no-authority");
    const other = await run(`${line} --file painting.twin`);
    expect(other.stdout).toBe((await run(line)).stdout);
    expect(other.stdout).not.toContain("wrong");
  });

  test("who asks, and for how many records, in the list of requests", async () => {
    const { stdout } = await run("twinwrap authority requests --authority office");
    expect(stdout.split("\n")[0]).toMatch(/^id +status +received +expires +records +requester$/);
    expect(stdout.split("\n")[1]).toMatch(new RegExp(`^${id()}  open  .*Z  2 +Mallory M.$`));
    const json = JSON.parse(
      (await run("twinwrap authority requests --authority office --json")).stdout,
    );
    expect(json.requests[0]).toMatchObject({ id: id(), requester: "Mallory  M.", records: 2 });
  });

  test("no fact that a column made up", async () => {
    const db = await openRaw(sandbox.file("office/store.sqlite"));
    const before = db.prepare("SELECT * FROM records WHERE owner = 'alice@example'").all([])[0]!;
    db.close();
    for (const [column, value] of [
      ["owner", "mallory@example"],
      ["description", "holiday pictures"],
      ["serial", Buffer.alloc(16, 7)],
      ["created", 1_500_000_000],
      ["label", "4711"],
      ["status", "unverified"],
    ] as const) {
      await alter(`UPDATE records SET ${column} = ? WHERE hash = ?`, value, before.hash!);
      for (const line of [
        "authority list",
        `authority show ${Buffer.from(before.hash as Uint8Array).toString("hex")}`,
        `authority requests ${id()}`,
        `authority approve ${id()} -k ann.pem --identity met --yes`,
      ]) {
        const { code, stdout, stderr } = await run(`twinwrap ${line} --authority office`);
        expect([line, column, code, stdout]).toEqual([line, column, 1, ""]);
        expect(stderr).toMatch(/^twinwrap: a column of the stored record [0-9a-f]{64} was altered/);
      }
      await alter(`UPDATE records SET ${column} = ? WHERE hash = ?`, before[column]!, before.hash!);
    }
    await alter("UPDATE requests SET expires = expires + 60");
    const listed = await run("twinwrap authority requests --authority office");
    expect([listed.code, listed.stdout, listed.stderr]).toEqual([
      1,
      "",
      expect.stringMatching(/^twinwrap: the stored request .* was altered/),
    ]);
    await alter("UPDATE requests SET expires = expires - 60");
  });

  test("what became of their decision as JSON; what is refused leaves no file", async () => {
    const decide = (word: string, name: string, rest: string) =>
      run(`twinwrap authority ${word} ${id()} -k ${name}.pem --yes --authority office ${rest}`);
    const approved = await decide("approve", "ann", "--identity met --json -o ann.note");
    expect(JSON.parse(approved.stdout)).toMatchObject({
      decision: "approve",
      officer: "ann",
      id: id(),
      approved: ["ann"],
      denied: [],
      state: "waiting: 1 more of 2 approvals are needed",
    });
    expect(sandbox.read("ann.note").toString()).toMatch(/^twinwrap\/approval\/v1\n/);
    const again = await decide("approve", "ann", "--identity again --json -o again.note");
    expect([again.code, again.stdout]).toEqual([1, ""]);
    expect(again.stderr).toMatch(/ann has approved it already/);
    expect((await run("ls again.note")).code).not.toBe(0);
    await run("cp office/authority.json .");
    const away = await run(
      `twinwrap authority deny ${id()} -k ben.pem --yes --json --authority authority.json --request request.json --file minutes.txt.twin -o away.note`,
    );
    expect(JSON.parse(away.stdout)).toMatchObject({
      decision: "deny",
      officer: "ben",
      written: "away.note",
      known: [{ owner: "alice@example", name: "minutes of may.txt" }],
    });
  });

  /** The two keys of an officer's file, as node:crypto reads them. */
  const keysIn = (name: string) => {
    const [sign, share] = sandbox
      .read(`${name}.pub.pem`)
      .toString()
      .match(/-----BEGIN[\s\S]*?-----END.*-----/g)!
      .map((pem) => createPublicKey(pem).export({ format: "der", type: "spki" }));
    return {
      key: sign!.subarray(-32).toString("base64"),
      share: createHash("sha256").update(share!).digest("hex"),
    };
  };

  test("a policy as the difference to the one before, share keys and emergency number included", async () => {
    const first = await run("twinwrap authority policy show --authority office");
    expect(first.stdout).toContain("\ncompared   with none: it is the first policy\n");
    expect(first.stdout).toContain(`\n           shares for ${keysIn("ann").share}\n`);
    expect(first.stdout).toContain("\nemergency  2 of 2\n");
    const draft =
      "twinwrap authority policy propose --remove ben --officer ben=cyd.pub.pem --self ben=ben@example --quorum 1 --waiting 7200 -k ann.pem --yes --authority office";
    expect((await run(draft)).code).toBe(0);
    const [ben, cyd] = [keysIn("ben"), keysIn("cyd")];
    const shown = await run("twinwrap authority policy sign -k ben.pem --authority office");
    expect(shown.code).toBe(2); // there is no terminal to ask on
    const lines = shown.stdout.split("\n");
    const at = lines.findIndex((line) => line.startsWith("compared"));
    expect(lines.slice(at).map((line) => line.replace(/ {2,}/g, "  "))).toEqual([
      "compared  with policy 1",
      "  releases  1, before 2",
      "  waits  2 hours, before 0 seconds",
      `  signs with  ben: ${cyd.key}, before ${ben.key}`,
      `  shares for  ben: ${cyd.share}, before ${ben.share}`,
      "  is owner  ben: ben@example",
      "",
    ]);
    const json = await run("twinwrap authority policy show --json --authority office");
    expect(JSON.parse(json.stdout)).toMatchObject({
      number: 2,
      release: 1,
      emergency: 2,
      officers: [
        { name: "ann", ...keysIn("ann"), self: [] },
        { name: "ben", ...cyd },
      ],
      changes: [
        { what: "release", before: "2", after: "1" },
        { what: "waiting", before: "0", after: "7200" },
        { what: "key", officer: "ben", before: ben.key, after: cyd.key },
        { what: "share", officer: "ben", before: ben.share, after: cyd.share },
        { what: "self", officer: "ben", after: "ben@example" },
      ],
      signed: ["ann"],
      needed: 2,
      complete: false,
    });
    const signed = await run(
      "twinwrap authority policy sign -k ben.pem --yes --json --authority office",
    );
    // Who has another key shows that they have it.
    expect(JSON.parse(signed.stdout)).toMatchObject({ number: 2, complete: false });
    const joined = await run(
      "twinwrap authority policy sign -k cyd.pem --yes --json --authority office",
    );
    expect(JSON.parse(joined.stdout)).toMatchObject({ number: 2, complete: true });
    const leaving = await run(
      "twinwrap authority policy propose --remove ben --quorum 1 -k ann.pem --yes --authority office",
    );
    expect(leaving.stdout).toMatch(/^ {2}officer +ben: leaves$/m);
    expect(leaving.stdout).toMatch(/^ {2}emergency +1, before 2$/m);
    expect(leaving.stdout).toMatch(/^ {2}is owner +ben: ben@example no more$/m);
  });

  test("and an operator, a copy's place as JSON", async () => {
    const made = await run("twinwrap authority backup copy --json --authority office");
    expect(JSON.parse(made.stdout)).toEqual({ backup: "copy", holdsPrivateKeys: true });
    const restored = await run("twinwrap authority restore copy again --json");
    expect(JSON.parse(restored.stdout)).toEqual({ restored: "again", fenced: true });
  });
});
