import { createHash, randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { inspect } from "twinwrap";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canMount, Sandbox } from "./run.js";

// Large files at the command line.

let sandbox: Sandbox;
beforeAll(() => {
  sandbox = new Sandbox();
  for (const name of ["alice", "bob"]) sandbox.keyPair(name);
});
afterAll(() => sandbox.remove());

test.skipIf(!canMount())("a full disk under workers (needs unshare and tmpfs)", async () => {
  sandbox.write("larger", Buffer.alloc(48 << 20));
  const { stdout, stderr, code } = await sandbox.shell(
    `unshare -rm bash -c '
      mkdir -p disk && mount -t tmpfs -o size=40m none disk
      twinwrap encrypt larger -o disk/larger.twin --owner alice.pub.pem --jobs 2; echo "exit code $?"
      cat larger | twinwrap encrypt - -o disk/larger.twin --owner alice.pub.pem --engine webcrypto; echo "exit code $?"
      ls -A disk'`,
  );
  expect({ stdout, stderr, code }).toEqual({
    stdout: "exit code 1\nexit code 1\n",
    stderr: `twinwrap: disk/larger.twin: no space left on the device\n`.repeat(2),
    code: 0,
  });
});

test("every engine and number of jobs opens what every other sealed", async () => {
  const engines = ["--jobs 1", "--jobs 3", "--engine webcrypto"];
  sandbox.write("many", randomBytes(40_000_001));
  for (const [i, engine] of engines.entries()) {
    const { stdout, stderr, code } = await sandbox.shell(
      `set -o pipefail
       twinwrap encrypt many --force --owner alice.pub.pem ${engine} > /dev/null &&
       twinwrap decrypt many.twin -o - -k alice.pem ${engines[(i + 1) % 3]} | cmp - many &&
       cat many.twin | twinwrap decrypt - -k alice.pem ${engines[(i + 2) % 3]} | cmp - many`,
    );
    expect({ stdout, stderr, code }).toEqual({ stdout: "", stderr: "", code: 0 });
  }
  // Whoever reads no further ends it, and an altered file ends where it was altered.
  const stopped = await sandbox.shell(
    "set -o pipefail; twinwrap decrypt many.twin -o - -k alice.pem --jobs 2 | head -c 30000000 | cmp -n 30000000 - many",
  );
  expect(stopped).toMatchObject({
    stderr: "twinwrap: standard output was closed before everything was written\n",
    code: 1,
  });
  const { bodyOffset } = await inspect(sandbox.read("many.twin"));
  const bad = 2000;
  const altered = sandbox.read("many.twin");
  altered[bodyOffset + 56 + bad * 16400]! ^= 1;
  sandbox.write("altered.twin", altered);
  for (const engine of engines) {
    const { bytes, stderr, code } = await sandbox.shell(
      `twinwrap decrypt altered.twin -o - -k alice.pem ${engine}`,
    );
    expect([bytes.equals(sandbox.read("many").subarray(0, bad * 16384)), code]).toEqual([true, 1]);
    expect(stderr).toMatch(/^twinwrap: altered\.twin: decryption failed: .*\n$/);
    const toFile = await sandbox.shell(
      `twinwrap decrypt altered.twin -o none -k alice.pem ${engine}; ls none`,
    );
    expect([toFile.stdout, toFile.code === 0]).toEqual(["", false]);
  }
  expect(sandbox.leftovers()).toEqual([]);
});

describe("a file of a gibibyte", () => {
  // Tells the process's peak of resident memory when it ends.
  const hook = `data:text/javascript,${encodeURIComponent(
    "process.on('exit', () => process.stderr.write('peak ' + process.resourceUsage().maxRSS + '\\n'))",
  )}`;
  const size = 2 ** 30;

  test("through both commands, each under 150 MiB", async () => {
    const { stdout, stderr, code } = await sandbox.shell(
      `set -o pipefail; export NODE_OPTIONS="--import ${hook}"
       head -c ${size} /dev/zero | twinwrap encrypt - --owner alice.pub.pem |
         twinwrap decrypt - -k alice.pem | sha256sum`,
    );
    const expected = createHash("sha256");
    for (let i = 0; i < 1024; i++) expected.update(Buffer.alloc(1 << 20));
    expect([code, stdout.slice(0, 64)]).toEqual([0, expected.digest("hex")]);
    const peaks = [...stderr.matchAll(/peak (\d+)/g)].map(
      ([, kilobytes]) => Number(kilobytes) / 1024,
    );
    expect(peaks).toHaveLength(2);
    for (const peak of peaks) expect(peak).toBeLessThan(150);
  });

  test("files on disk, opened in part", async () => {
    sandbox.write("counted", Buffer.alloc(0));
    const sealed = await sandbox.shell(
      `seq -f %015.0f 4000000 > counted && twinwrap encrypt counted --owner alice.pub.pem > /dev/null &&
       twinwrap decrypt counted.twin -k alice.pem -o - --range 48000000-48000015`,
    );
    expect([sealed.code, sealed.stdout]).toEqual([0, "000000003000001\n"]);
    expect(statSync(sandbox.file("counted")).size).toBe(64_000_000);
  });
});
