import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { haveSqlite } from "../sqlite.js";
import { Sandbox } from "./run.js";

// An authority whose backup is older than its newest policy: the log is closed with an authority.json from outside.

const sandbox = new Sandbox();
afterAll(() => sandbox.remove());
const run = (line: string) => sandbox.shell(`export TWINWRAP_AUTHORITY=office; ${line}`);
const done = async (line: string) => {
  const result = await run(`set -e; ${line}`);
  expect(result, line).toMatchObject({ code: 0, stderr: "" });
  return result.stdout;
};

const SEAL = "twinwrap encrypt --owner olivia.pub.pem --owner-id olivia";
const CLOSE = "twinwrap authority log close lost.twin";

describe.skipIf(!haveSqlite)("a policy that a store has lost (needs better-sqlite3)", () => {
  beforeAll(async () => {
    for (const name of ["olivia", "new"]) sandbox.keyPair(name);
    await done(`
      for n in ann bob cyd; do twinwrap officer keygen -o $n.pem --no-passphrase > /dev/null; done
      twinwrap authority init office --no-passphrase --origin office.example --waiting 3600 --officer ann=ann.pub.pem --officer bob=bob.pub.pem > /dev/null
      for n in ann bob; do twinwrap authority policy sign -k $n.pem --yes > /dev/null; done
      echo kept > kept; ${SEAL} kept > /dev/null
      twinwrap authority backup backup > /dev/null
      echo lost > lost; ${SEAL} lost > /dev/null
      twinwrap authority policy propose --officer cyd=cyd.pub.pem --remove bob --waiting 0 -k ann.pem --yes > /dev/null
      for n in bob cyd; do twinwrap authority policy sign -k $n.pem --yes > /dev/null; done
      cp office/authority.json outside.json
      twinwrap verify lost.twin --authority outside.json > /dev/null
      rm -r office; twinwrap authority restore backup office > /dev/null
    `);
  }, 60_000);

  test("comes back with the end of the log, and its officers sign that", async () => {
    const unfence = await run("twinwrap authority log unfence lost.twin --nothing-newer");
    expect([unfence.code, unfence.stderr]).toEqual([3, expect.stringMatching(/rolled back/)]);
    // The officer who came with it is nobody to the store, before it is shown.
    const early = await run(`${CLOSE} -k cyd.pem --yes`);
    expect(early.code).not.toBe(0);
    const first = JSON.parse(
      await done(`${CLOSE} outside.json -k cyd.pem -o end.note --yes --json`),
    );
    expect(first).toMatchObject({
      takenBack: ["policy 2"],
      kept: { size: 3 },
      end: { size: 4 },
      signedBy: ["cyd"],
      needed: 2,
      complete: false,
    });
    expect(await done(`${CLOSE} -o again.note`)).toMatch(
      /^taken back +policy 2, which the store had lost$/m,
    );
    // The other officer signs elsewhere.
    const sign = "twinwrap authority log sign end.note -k ann.pem -o end.ann.note --yes";
    const stale = await run(sign);
    expect([stale.code, stale.stderr]).toEqual([3, expect.stringMatching(/does not follow/)]);
    await done(`${sign} --authority outside.json`);
    const gone = await run(
      "twinwrap authority log sign end.note -k bob.pem -o end.bob.note --yes --authority outside.json",
    );
    expect(gone.code).not.toBe(0);
    expect(await done("twinwrap authority intake end.ann.note")).toMatch(/the log has ended/);

    await done("twinwrap authority log verify lost.twin > /dev/null");
    await done("twinwrap escrow add lost.twin -k olivia.pem > /dev/null");
    await done(`echo more > more; ${SEAL} more > /dev/null`);
    const asked = await done(
      "twinwrap recover request kept.twin lost.twin more.twin --to new.pub.pem --requester Olivia --json",
    );
    const { id } = JSON.parse(asked);
    for (const name of ["ann", "cyd"]) {
      await done(
        `twinwrap authority approve ${id} -k ${name}.pem --identity met --yes > /dev/null`,
      );
    }
    await done(`twinwrap recover fetch ${id} kept.twin lost.twin more.twin -k new.pem > /dev/null`);
    for (const name of ["kept", "lost", "more"]) {
      expect(await done(`twinwrap decrypt ${name}.twin -k new.pem -o -`)).toBe(`${name}\n`);
    }
    await done("twinwrap authority log verify kept.twin lost.twin more.twin > /dev/null");
    await done(
      "twinwrap verify kept.twin lost.twin more.twin --authority office/authority.json > /dev/null",
    );
  }, 60_000);

  test("that had to wait takes an option that says it was in force", async () => {
    await done(`
      twinwrap authority init slow --no-passphrase --origin slow.example --waiting 1 --officer ann=ann.pub.pem --officer bob=bob.pub.pem --officer cyd=cyd.pub.pem > /dev/null
      export TWINWRAP_AUTHORITY=slow
      for n in ann bob cyd; do twinwrap authority policy sign -k $n.pem --yes > /dev/null; done
      twinwrap authority backup slow.backup > /dev/null
      twinwrap authority policy propose --waiting 0 -k ann.pem --yes > /dev/null
      twinwrap authority policy sign -k bob.pem --yes > /dev/null
      sleep 1.1
      ${SEAL} kept -o slow.twin > /dev/null
      cp slow/authority.json slow.json
      rm -r slow; twinwrap authority restore slow.backup slow > /dev/null
    `);
    const close = "twinwrap authority log close slow.json --authority slow -k ann.pem --yes";
    const { code, stderr } = await run(close);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/policy 2 .* had to wait, .*; .* --were-in-force says so\n$/),
    ]);
    await done(`${close} --were-in-force > /dev/null`);
    await done("twinwrap authority log close --authority slow -k bob.pem --yes > /dev/null");
    await done("twinwrap authority log verify --authority slow > /dev/null");
  }, 60_000);
});
