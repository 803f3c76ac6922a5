import { readdirSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { haveSqlite } from "../sqlite.js";
import { Sandbox } from "./run.js";

// What a killed command leaves behind when it makes an authority's folder, which holds private keys.

const sandbox = new Sandbox();
afterAll(() => sandbox.remove());

/** Kills the process at the moment when a folder would get its name. */
const KILL = `
const fs = require("node:fs");
const { renameSync } = fs;
fs.renameSync = (from, to) => {
  if (fs.statSync(from).isDirectory()) process.kill(process.pid, "SIGKILL");
  renameSync(from, to);
};
require("node:module").syncBuiltinESMExports();`;

/** The private keys below a folder, at any depth. */
const keysBelow = (folder: string) =>
  readdirSync(sandbox.file(folder), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith("log.pem"))
    .sort();

describe.skipIf(!haveSqlite || process.platform !== "linux")(
  "killed at the last moment (needs better-sqlite3, Linux)",
  () => {
    // 0775 is what a umask of 002 gives, as many systems have it.
    test.each(["755", "775", "1777"])(
      "authority init and backup, in a folder of mode %s",
      async (mode) => {
        sandbox.write("kill.cjs", KILL);
        const run = (line: string) => sandbox.shell(`cd place${mode}; ${line}`);
        // The shell makes way for the command, which a signal ends: 128 (run.ts).
        const killed = (line: string) =>
          run(`NODE_OPTIONS="$NODE_OPTIONS --require \\"$PWD/../kill.cjs\\"" ${line}`);
        await sandbox.shell(`mkdir place${mode}; chmod ${mode} place${mode}`);
        const place = `place${mode}`;
        await run("twinwrap officer keygen -o ann.pem --no-passphrase");
        const init = "twinwrap authority init office --no-passphrase --officer ann=ann.pub.pem";
        expect((await killed(init)).code).toBe(128);
        expect(keysBelow(place)).toEqual([expect.stringMatching(/^\.twinwrap-.*log\.pem$/)]);
        expect(await run(init)).toMatchObject({ code: 0, stderr: "" });
        expect(keysBelow(place)).toEqual(["office/log.pem"]);
        const backup = "twinwrap authority backup copy --authority office";
        expect((await killed(backup)).code).toBe(128);
        expect(keysBelow(place)).toHaveLength(2);
        expect(await run(backup)).toMatchObject({ code: 0, stderr: "" });
        expect(keysBelow(place)).toEqual(["copy/log.pem", "office/log.pem"]);
        const { stdout } = await run("ls -A copy");
        expect(stdout).toBe("anchor\nauthority.json\nlog.pem\nstore.sqlite\nwrap.pem\n");
      },
    );
  },
);
