import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, constants, existsSync, openSync, readdirSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { progress } from "#build/cli/io.js";
import { encodeDer, nullValue, octetString, oid, sequence, smallInteger } from "#build/keys/der.js";
import { some } from "../quick.js";
import { Sandbox, TWINWRAP } from "./run.js";

// Standard input and output, and files, of every kind that a system has: bytes go through whole, or one line
// says why not. What waits can be ended.

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = new Sandbox();
  sandbox.keyPair("alice");
  sandbox.write("note", "a note\n");
  await sandbox.shell("twinwrap encrypt note --owner alice.pub.pem");
});
afterAll(() => sandbox.remove());

/** Runs a line of bash, and compares all that it did. */
async function expectRun(line: string, stdout: string, stderr = "", code = 0): Promise<void> {
  const ran = await sandbox.shell(line);
  const { stdout: out, stderr: err, code: exit } = ran;
  expect({ line, out, err, exit }).toEqual({ line, out: stdout, err: stderr, exit: code });
}

const OPEN = "twinwrap decrypt note.twin -k alice.pem";

const canLoop = spawnSync("losetup", ["-f"]).status === 0 && process.geteuid?.() === 0;

test.skipIf(!canLoop)(
  "standard input and output are block devices (needs root and losetup)",
  async () => {
    const content = randomBytes(1 << 20);
    sandbox.write("disk", content);
    await expectRun(
      `DISK=$(losetup -f --show disk) && trap 'losetup -d $DISK' EXIT
     twinwrap encrypt - -o disk.twin --owner alice.pub.pem < $DISK > /dev/null &&
     twinwrap decrypt disk.twin -o - -k alice.pem | cmp - disk && ${OPEN} -o - > $DISK && head -c 7 $DISK`,
      "a note\n",
    );
  },
);

test("a folder as standard input is refused, and nothing is written", async () => {
  await expectRun(
    "twinwrap encrypt - -o none.twin --owner alice.pub.pem < /; ls none.twin 2> /dev/null",
    "",
    "twinwrap: standard input: is a folder\n",
    2,
  );
});

test.skipIf(!existsSync("/dev/full"))(
  "facts that standard output does not take are no success, and are shown on standard error (needs /dev/full)",
  async () => {
    const full = "twinwrap: standard output: no space left on the device\n";
    const lost = await sandbox.shell("twinwrap inspect note.twin --json > /dev/full");
    expect([lost.code, lost.stderr.startsWith(full)]).toEqual([1, true]);
    expect(JSON.parse(lost.stderr.slice(full.length))[0].file).toBe("note.twin");
    const help = await sandbox.shell("twinwrap --help > /dev/full");
    expect([help.code, help.stderr]).toEqual([
      1,
      expect.stringContaining(`${full}Usage: twinwrap`),
    ]);
    await expectRun(`${OPEN} -o - > /dev/full`, "", full, 1);
    // Another exit code than that of success says more, and stays.
    const verify = await sandbox.shell("twinwrap verify note.twin > /dev/full");
    expect([verify.code, verify.stderr.startsWith(full)]).toEqual([3, true]);
    // Where facts go to standard error, that alone can tell.
    await expectRun(
      "twinwrap encrypt - --owner alice.pub.pem < note 2> /dev/full > piped.twin",
      "",
      "",
      1,
    );
    await expectRun(
      "twinwrap inspect note.twin 1< note",
      "",
      expect.stringContaining("not open") as never,
      1,
    );
  },
);

test("facts for a reader that left are no success either, and nobody wants the rest", async () => {
  await expectRun(
    "exec 3> >(true); wait $!; twinwrap inspect note.twin >&3; echo $? >&2",
    "",
    "twinwrap: standard output was closed before everything was written\n1\n",
  );
});

test("the name of standard output means the same as -, whatever it was redirected to", async () => {
  await expectRun(
    `echo before > out; ${OPEN} -o /dev/stdout >> out && cat out`,
    "before\na note\n",
  );
  await expectRun(
    `ln -sf /dev/fd/1 linked; ${OPEN} -o linked > out && cat out; readlink linked`,
    "a note\n/dev/fd/1\n",
  );
  await expectRun(`${OPEN} -o /dev/stdout | cat`, "a note\n");
  // Of other descriptors, too, nothing is replaced or begun anew.
  await expectRun(
    `exec 3> out; echo before >&3; ${OPEN} -o /dev/fd/3 --json > /dev/null; echo after >&3; cat out`,
    "before\na note\nafter\n",
  );
  await expectRun(
    "twinwrap encrypt /dev/stdin --owner alice.pub.pem < note 2> /dev/null | twinwrap decrypt /dev/stdin -o - -k alice.pem",
    "a note\n",
  );
});

test("a FIFO gives and takes what a file does: input, key, message, output", async () => {
  await expectRun(
    `mkfifo in key to && (cat note.twin > in & cat alice.pem > key & cat to > got &
     twinwrap decrypt in -o to -k key > /dev/null; wait; cat got)`,
    "a note\n",
  );
  // Read once: what a receipt's reader says of a key file shows that it got to see it.
  await expectRun(
    "cat alice.pub.pem > in & twinwrap escrow attach note.twin in",
    "",
    expect.stringMatching(/^twinwrap: in: .*\n$/) as never,
    1,
  );
  const unread = await sandbox.shell("twinwrap rewrap in -k alice.pem --add-owner alice.pub.pem");
  expect([unread.code, unread.stderr]).toEqual([
    1,
    expect.stringContaining("in is no regular file"),
  ]);
});

/** Starts a command and waits until it does what it is to be ended in. */
async function endWhile(
  args: string[],
  isThere: () => boolean | Promise<boolean>,
  signal: NodeJS.Signals,
  input?: Buffer,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  const child = spawn(process.execPath, [TWINWRAP, ...args], {
    cwd: sandbox.path,
    stdio: [input === undefined ? "ignore" : "pipe", "ignore", "ignore"],
  });
  child.stdin?.on("error", () => {});
  child.stdin?.write(input);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.on("close", (code, by) => resolve({ code, signal: by })),
  );
  try {
    await expect.poll(isThere).toBe(true);
    child.kill(signal);
    return await ended;
  } finally {
    child.kill("SIGKILL"); // if it is still there
  }
}

/** A key that takes ten million rounds to open, and then does not. */
function slowKey(): Uint8Array {
  const prf = sequence(oid("1.2.840.113549.2.9"), nullValue());
  const derivation = sequence(octetString(randomBytes(16)), smallInteger(10_000_000), prf);
  const cipher = sequence(oid("2.16.840.1.101.3.4.1.42"), octetString(randomBytes(16)));
  const scheme = sequence(sequence(oid("1.2.840.113549.1.5.12"), derivation), cipher);
  return encodeDer(
    sequence(sequence(oid("1.2.840.113549.1.5.13"), scheme), octetString(randomBytes(64))),
  );
}

test.each(some(["SIGTERM", "SIGINT", "SIGHUP"] as const, 3))(
  "%s ends what waits for a FIFO, and what derives a key",
  async (signal) => {
    await sandbox.shell("mkfifo waiting asked");
    // A writer finds no reader (ENXIO) until the command opens it, and stays: it is not at its end.
    const writers: number[] = [];
    const isOpen = () => {
      try {
        const mode = constants.O_WRONLY | constants.O_NONBLOCK;
        writers.push(openSync(sandbox.file("waiting"), mode));
      } catch {}
      return writers.length > 0;
    };
    const encrypt = ["encrypt", "waiting", "-o", "none.twin", "--owner", "alice.pub.pem"];
    const code = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal];
    expect([
      { code, signal: null },
      { code: null, signal },
    ]).toContainEqual(await endWhile(encrypt, isOpen, signal));
    for (const writer of writers) closeSync(writer);
    sandbox.write("slow.der", slowKey());
    const info = ["key", "info", "slow.der", "--passphrase-file", "asked"];
    const isAsked = async () => (await sandbox.shell("echo secret > asked")).code === 0;
    const derived = await endWhile(
      info,
      async () => (await isAsked()) && (await sleep(300, true)),
      signal,
    );
    // Not by its own handler, for which it would have to come to the end of its computation.
    expect(derived).toEqual({ code: null, signal });
    await sandbox.shell("rm waiting asked");
    expect(sandbox.leftovers()).toEqual([]);
  },
);

test.each([
  ["SIGQUIT", 131],
  ["SIGALRM", 142],
  ["SIGXCPU", 152],
] as const)("%s leaves nothing behind, as those do that ask to end", async (signal, code) => {
  const encrypt = ["encrypt", "-", "-o", "none.twin", "--owner", "alice.pub.pem"];
  const ended = await endWhile(
    encrypt,
    () => sandbox.leftovers().length > 0,
    signal,
    randomBytes(1 << 20),
  );
  expect([ended, sandbox.leftovers()]).toEqual([{ code, signal: null }, []]);
});

test("what a killed run left is removed by the next one, also where that finds its output there", async () => {
  const keygen = ["decrypt", "-", "-o", "killed", "-k", "alice.pem"];
  await sandbox.shell(
    "head -c 3000000 /dev/zero > large; twinwrap encrypt large --owner alice.pub.pem",
  );
  const part = sandbox.read("large.twin").subarray(0, 2_000_000);
  const killed = await endWhile(
    keygen,
    () => sandbox.leftovers().length > 0,
    "SIGKILL",
    Buffer.from(part),
  );
  expect([killed.signal, sandbox.leftovers().length]).toEqual(["SIGKILL", 1]);
  sandbox.write("killed", "");
  await expectRun(
    "twinwrap decrypt note.twin -o killed -k alice.pem",
    "",
    "twinwrap: killed exists already; --force replaces it\n",
    1,
  );
  expect(sandbox.leftovers()).toEqual([]);
});

test("names that are not UTF-8 are refused, and name nothing else", async () => {
  await sandbox.shell("mkdir names");
  const bytes = "$'caf\\xe9'";
  for (const line of [
    `twinwrap encrypt note -o names/${bytes} --owner alice.pub.pem`,
    `cp note.twin names/${bytes}.twin; twinwrap decrypt names/${bytes}.twin -k alice.pem`,
    `TWINWRAP_AUTHORITY=names/${bytes} twinwrap authority info`,
  ]) {
    const refused = await sandbox.shell(line);
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/^twinwrap: .* is not UTF-8.*\n$/),
    ]);
  }
  const scanned = await sandbox.shell("twinwrap escrow scan names");
  expect([scanned.code, scanned.stderr]).toEqual([
    3, // the worst: nobody was asked
    expect.stringMatching(/its name is not UTF-8/),
  ]);
  expect(readdirSync(sandbox.file("names"), { encoding: "buffer" })).toEqual([
    Buffer.from("caf\xe9.twin", "latin1"),
  ]);
  // That character itself is a name like any other, and a folder's name does not matter to what is in it.
  await expectRun(
    `cd names && mkdir ${bytes} && cd ${bytes} && cp ../../note.twin . && cp ../../alice.pem . &&
     ${OPEN} -o $'\\uFFFD' > /dev/null && ${OPEN} -o $'\\uFFFD' --force > /dev/null && cat $'\\uFFFD'`,
    "a note\n",
  );
});

test("a name that is too long, for the file or for what belongs to it, is told before any work", async () => {
  const long = "n".repeat(250);
  await sandbox.shell(`cp note ${long}`);
  await expectRun(
    `twinwrap encrypt ${long} -o ${long}.twin2 --owner alice.pub.pem; ls | grep -c '^nnn'`,
    "1\n",
    `twinwrap: ${long}.twin2: the name is too long\n`,
  );
  const detached = await sandbox.shell(
    `twinwrap encrypt note -o ${long}.twin --detached --owner alice.pub.pem; ls | grep -c '^nnn'`,
  );
  expect([detached.stdout, detached.stderr]).toEqual([
    "1\n",
    expect.stringMatching(/\.simpleblob: the name is too long\n$/),
  ]);
  await expectRun(`rm ${long}*`, "");
});

test("names cannot paint on the terminal, or make lines of their own", async () => {
  await sandbox.shell("cp note.twin $'a\\e[31m\\nopened  b.twin'");
  await expectRun(
    "twinwrap decrypt $'a\\e[31m\\nopened  b' -k alice.pem",
    "",
    "twinwrap: a\\u{1b}[31m\\u{a}opened b does not end in .twin: name the output with -o\n",
    2,
  );
  const opened = await sandbox.shell("twinwrap decrypt $'a\\e[31m\\nopened  b.twin' -k alice.pem");
  expect(opened.stdout.split("\n")[0]).toBe("opened  a\\u{1b}[31m\\u{a}opened  b");
});

test("a private key alone, as an interruption leaves it, is told apart, and how to make the other half", async () => {
  await sandbox.shell(
    "twinwrap officer keygen -o ann.pem --no-passphrase; mv ann.pub.pem ann.before; mkdir half; cp alice.pem half/a.pem",
  );
  for (const [command, file] of [
    ["twinwrap keygen -o half/a.pem --no-passphrase", "half/a"],
    ["twinwrap officer keygen -o ann.pem --no-passphrase", "ann"],
  ] as const) {
    const refused = await sandbox.shell(command);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(
        /exists already: .*it stands alone, .*: `(.+)` writes its public half\n$/,
      ),
    ]);
    const [, advice] = /`(.+)` writes its public half/.exec(refused.stderr)!;
    expect((await sandbox.shell(advice!)).code).toBe(0);
    expect(statSync(sandbox.file(`${file}.pub.pem`)).size).toBeGreaterThan(0);
  }
  expect(sandbox.read("ann.pub.pem")).toEqual(sandbox.read("ann.before"));
  expect(sandbox.read("half/a.pub.pem")).toEqual(sandbox.read("alice.pub.pem"));
});

test("a sealed file and what belongs to it appear together, or none of it", async () => {
  const blob = (await sandbox.shell("twinwrap key info alice.pem --json")).stdout;
  const name = `set.twin.${JSON.parse(blob).fingerprint.slice(0, 16)}.simpleblob`;
  await expectRun(
    `touch ${name}; twinwrap encrypt note -o set.twin --detached --owner alice.pub.pem; ls set.twin 2> /dev/null; rm ${name}`,
    "",
    `twinwrap: ${name} exists already; --force replaces it\n`,
  );
  // Checked when it was not there, and made once the outputs are begun: the name of what is there comes first in
  // the line.
  await expectRun(
    `mkfifo late; (twinwrap encrypt late -o set.twin --detached --owner alice.pub.pem; echo $?) &
     exec 3> late; until [ "$(ls -A | grep -c '^[.]twinwrap-')" = 2 ]; do sleep .05; done
     touch ${name}; echo x >&3; exec 3>&-; wait; ls set.twin 2> /dev/null`,
    "1\n",
    `twinwrap: ${name} exists already\n`,
    2,
  );
  expect(sandbox.leftovers()).toEqual([]);
});

test("a progress line counts from the first bytes on, not from a passphrase that took its time", () => {
  const { isTTY } = process.stderr;
  const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  vi.useFakeTimers();
  try {
    process.stderr.isTTY = true;
    const onProgress = progress("opened");
    vi.advanceTimersByTime(60_000);
    onProgress!(8);
    vi.advanceTimersByTime(100);
    onProgress!(1 << 20);
    expect(write).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1000);
    onProgress!(5 << 20);
    expect(write).toHaveBeenCalledWith("\r\u001b[Kopened 5 MiB");
  } finally {
    vi.useRealTimers();
    write.mockRestore();
    process.stderr.isTTY = isTTY;
  }
});
