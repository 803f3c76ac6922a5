import { spawn, spawnSync } from "node:child_process";
import { createPrivateKey, randomBytes } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isQuick } from "../quick.js";
import { canMount, Sandbox, TWINWRAP } from "./run.js";

// What a transcript cannot show: a full disk, a terminal, signals, files of a gibibyte.

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = new Sandbox();
  for (const name of ["alice", "bob"]) sandbox.keyPair(name);
});
afterAll(() => sandbox.remove());

test.skipIf(!canMount())("a full disk: one line, no file (needs unshare and tmpfs)", async () => {
  sandbox.write("large", randomBytes(3_000_000));
  sandbox.write("small", "x");
  const { stdout, stderr, code } = await sandbox.shell(
    `unshare -rm bash -c '
      mkdir -p disk && mount -t tmpfs -o size=1m none disk
      twinwrap encrypt small -o disk/small.twin --owner alice.pub.pem > /dev/null && echo first
      twinwrap encrypt large -o disk/large.twin --owner alice.pub.pem; echo "exit code $?"
      ls -A disk'`,
  );
  expect({ stdout, stderr, code }).toEqual({
    stdout: "first\nexit code 1\nsmall.twin\n",
    stderr: `twinwrap: disk/large.twin: no space left on the device\n`,
    code: 0,
  });
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s while sealing leaves nothing behind",
  async (signal) => {
    const child = spawn(
      process.execPath,
      [TWINWRAP, "encrypt", "-", "-o", "endless.twin", "--owner", "alice.pub.pem"],
      {
        cwd: sandbox.path,
        stdio: ["pipe", "ignore", "ignore"],
      },
    );
    child.stdin.on("error", () => {});
    child.stdin.write(randomBytes(1 << 20));
    await expect.poll(() => sandbox.leftovers()).toHaveLength(1);
    child.kill(signal);
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code).toBe({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal]);
    expect(sandbox.leftovers()).toEqual([]);
    expect(readdirSync(sandbox.path)).not.toContain("endless.twin");
  },
);

test("two writers of one header: the second is told, and the lock is gone afterwards", async () => {
  sandbox.write("shared", "x");
  await sandbox.shell("twinwrap encrypt shared --owner alice.pub.pem");
  sandbox.write("shared.twin.lock", "process 1 on another machine\n");
  const refused = await sandbox.shell(
    "twinwrap rewrap shared.twin -k alice.pem --add-owner bob.pub.pem",
  );
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(
    /is being changed by another process; if none is running, delete shared\.twin\.lock/,
  );
  await sandbox.shell("rm shared.twin.lock");
  expect(
    (await sandbox.shell("twinwrap rewrap shared.twin -k alice.pem --add-owner bob.pub.pem")).code,
  ).toBe(0);
  expect(sandbox.leftovers()).toEqual([]);
});

test.skipIf(isQuick)("a race for one output name: one wins, the other is told", async () => {
  sandbox.write("race", randomBytes(2_000_000));
  const results = await Promise.all(
    Array.from({ length: 4 }, () => sandbox.shell("twinwrap encrypt race --owner alice.pub.pem")),
  );
  expect(results.map(({ code }) => code).sort()).toEqual([0, 1, 1, 1]);
  expect(
    (await sandbox.shell("twinwrap decrypt race.twin -o - -k alice.pem | cmp - race")).code,
  ).toBe(0);
  expect(sandbox.leftovers()).toEqual([]);
});

const hasPython = spawnSync("python3", ["-c", "import pty"]).status === 0;

describe.skipIf(!hasPython)("on a terminal (needs python3's pty)", () => {
  // Types what it is told whenever the program has printed a question.
  const terminal = (args: string[], answers: string[]) =>
    sandbox.shell(
      `python3 -c '
import json, os, pty, sys
args, answers = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0: os.execvp(args[0], args)
seen = b""
while True:
    try: data = os.read(fd, 1000)
    except OSError: break
    if not data: break
    seen += data
    if data.rstrip().endswith(b":") and answers: os.write(fd, answers.pop(0).encode())
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
' '${JSON.stringify([args, answers])}'`,
    );

  test("a new passphrase is asked for twice, and never shown", async () => {
    const made = await terminal(
      ["twinwrap", "keygen", "--bits", "2048", "-o", "typed.pem"],
      ["secret words\r", "secret wrods\r", "secret wordz\u007fs\r", "secret words\r"],
    );
    expect([made.code, made.stdout.replaceAll("\r\n", "\n")]).toEqual([
      0,
      expect.stringMatching(
        /^New passphrase for typed\.pem: \nThe same again: \nThe two differ\.\nNew passphrase for typed\.pem: \nThe same again: \nprivate key {2}typed\.pem \(locked with the passphrase\)\n/,
      ),
    ]);
    const opened = createPrivateKey({ key: sandbox.read("typed.pem"), passphrase: "secret words" });
    expect(opened.asymmetricKeyDetails?.modulusLength).toBe(2048);
  });

  test("a signal at the question leaves a terminal that shows again what is typed", async () => {
    const { stdout, code } = await sandbox.shell(
      `python3 -c '
import os, pty, signal, subprocess, sys, termios
master, slave = pty.openpty()
echoes = lambda: bool(termios.tcgetattr(slave)[3] & termios.ECHO)
child = subprocess.Popen(["twinwrap", "key", "passphrase", "alice.pem"], stdin=slave, stdout=slave, stderr=slave)
seen = b""
while not seen.endswith(b": "): seen += os.read(master, 100)
print(echoes())
child.send_signal(signal.SIGTERM)
print(child.wait(), echoes())
'`,
    );
    expect([stdout, code]).toEqual(["False\n143 True\n", 0]);
  });

  test.skipIf(isQuick)(
    "the passphrase of a key is asked for on the terminal though standard input carries data",
    async () => {
      sandbox.write("asked", "the data");
      await sandbox.shell("twinwrap encrypt asked --owner typed.pub.pem");
      const opened = await terminal(
        ["bash", "-c", "cat asked.twin | twinwrap decrypt - -k typed.pem > asked.out"],
        ["secret words\r"],
      );
      expect(opened.stdout).toMatch(/^Passphrase for typed\.pem: \s*$/);
      expect(sandbox.read("asked.out").toString()).toBe("the data");
      const wrong = await terminal(
        ["twinwrap", "decrypt", "asked.twin", "-o", "-", "-k", "typed.pem"],
        ["no\r"],
      );
      expect(wrong.code).toBe(1);
      const none = await terminal(
        ["twinwrap", "decrypt", "asked.twin", "-o", "-", "-k", "typed.pem"],
        ["\u0003"],
      );
      expect([none.code, none.stdout]).toEqual([
        1,
        expect.stringContaining("interrupted: nothing was done"),
      ]);
    },
  );

  test("an error does not stand behind how far the work was", async () => {
    const { stdout, code } = await sandbox.shell(
      `python3 -c '
import os, pty, select, subprocess, sys
master, slave = pty.openpty()
child = subprocess.Popen(["twinwrap", "encrypt", "-", "-o", "late.twin", "--owner", "alice.pub.pem"], stdin=subprocess.PIPE, stdout=slave, stderr=slave)
seen = b""
while b"MiB" not in seen:
    child.stdin.write(bytes(100000))
    child.stdin.flush()
    if select.select([master], [], [], 0.02)[0]: seen += os.read(master, 1000)
open("late.twin", "w").close()
child.stdin.close()
code = child.wait()
while select.select([master], [], [], 0)[0]: seen += os.read(master, 1000)
sys.stdout.buffer.write(seen)
sys.exit(code)
'`,
    );
    expect([stdout, code]).toEqual([
      expect.stringMatching(/MiB\r\u001b\[Ktwinwrap: late\.twin exists already\r\n$/),
      1,
    ]);
  });

  test("a typed passphrase that is too long is refused, not cut", async () => {
    const made = await terminal(
      ["twinwrap", "keygen", "--bits", "2048", "-o", "long.pem"],
      [`${"x".repeat(1025)}\r`],
    );
    expect([made.code, made.stdout]).toEqual([
      2,
      expect.stringContaining("a passphrase has at most 1024 characters"),
    ]);
    expect(readdirSync(sandbox.path)).not.toContain("long.pem");
  });

  test("sealed data is not poured on a terminal unasked", async () => {
    const refused = await terminal(
      ["bash", "-c", "echo x | twinwrap encrypt - --owner alice.pub.pem"],
      [],
    );
    expect([refused.code, refused.stdout]).toEqual([
      2,
      expect.stringContaining("this is binary data"),
    ]);
  });
});

test("what a header says cannot paint on the terminal", async () => {
  sandbox.write("plain", "x");
  const description = "red \u001b[31m, back \u202e, over\r";
  await sandbox.shell(
    `twinwrap encrypt plain --owner alice.pub.pem --description $'red \\e[31m, back \\u202e, over\\r'`,
  );
  const shown = await sandbox.shell("twinwrap inspect plain.twin");
  expect(shown.stdout).toContain("description  red \\u{1b}[31m, back \\u{202e}, over\\u{d}\n");
  const json = JSON.parse((await sandbox.shell("twinwrap inspect plain.twin --json")).stdout);
  expect(json[0].description).toBe(description);
});

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

test.skipIf(isQuick || !hasOpenssl)(
  "openssl opens a detached wrap as docs/format.md says (needs openssl)",
  async () => {
    sandbox.write("apart", "x");
    for (const padding of ["oaep", "pkcs1-v1_5"]) {
      const { stdout, stderr } = await sandbox.shell(
        `rm -f apart.twin*; twinwrap encrypt apart --owner alice.pub.pem --owner bob.pub.pem --detached --padding ${padding} --json`,
      );
      expect(stderr).toBe("");
      const facts = JSON.parse(stdout);
      expect(facts.detached).toHaveLength(2);
      for (const [index, name] of ["alice", "bob"].entries()) {
        const opened = await sandbox.shell(
          `tail -c +13 ${facts.detached[index]} |
         node -e 'process.stdout.write(fs.readFileSync(0).reverse())' |
         openssl pkeyutl -decrypt -inkey ${name}.pem -pkeyopt rsa_padding_mode:${padding === "oaep" ? "oaep" : "pkcs1"} > session.key`,
        );
        expect(opened.code).toBe(0);
        expect(statSync(sandbox.file("session.key")).size).toBe(32);
        // That it is the key that opens the file is shown by HKDF with node:crypto in test/envelope.
      }
    }
  },
);

const NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups";
const canBeNobody =
  spawnSync("bash", ["-c", `${NOBODY} "${process.execPath}" "${TWINWRAP}" --version`]).status === 0;

test.skipIf(!canBeNobody)("a scan goes on past what it may not read (needs setpriv)", async () => {
  await sandbox.shell("mkdir -p tree/open tree/shut && echo x > x && chmod 755 . tree");
  await sandbox.shell("twinwrap encrypt x --owner alice.pub.pem -o tree/open/x.twin");
  await sandbox.shell("cp tree/open/x.twin tree/shut; cp tree/open/x.twin tree/y.twin");
  await sandbox.shell("chmod 000 tree/shut tree/y.twin; chmod 644 tree/open/x.twin");
  const { stdout, stderr, code } = await sandbox.shell(
    `${NOBODY} "${process.execPath}" "${TWINWRAP}" escrow scan tree`,
  );
  expect({ stdout, code }).toEqual({
    stdout: "tree/open/x.twin  not escrowed\n1 sealed files, 1 without a receipt\n",
    code: 3, // the worst that became of a file
  });
  expect(stderr.split("\n").slice(0, 2)).toEqual([
    "twinwrap: tree/shut: permission denied",
    "twinwrap: tree/y.twin: permission denied",
  ]);
});
