import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { system } from "#build/calls.node.js";
import { makeFolderWhole, withLock, writeFileWhole } from "#build/files.node.js";
import { undoOnSignals } from "#build/process.node.js";

// The command line's process: a signal undoes what is unfinished. In a file of its own, as it stays so.

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "twinwrap-signals-"));
  writeFileSync(join(folder, "locked"), "");
});
const real = { ...system };
afterEach(() => {
  Object.assign(system, real);
  rmSync(folder, { recursive: true, force: true });
});

const JOBS: Record<string, ["openSync" | "mkdirSync", () => Promise<unknown>]> = {
  "a file": ["openSync", () => writeFileWhole(join(folder, "file"), [Buffer.from("x")])],
  "a folder": ["mkdirSync", () => makeFolderWhole(join(folder, "made"), async () => {})],
  "a lock": ["openSync", () => withLock(join(folder, "locked"), async () => {})],
};

test.each(Object.entries(JOBS))(
  "a signal is heard before %s is made, and no longer than until it is finished",
  async (_, [call, job]) => {
    undoOnSignals();
    const listeners = () => process.listenerCount("SIGTERM");
    const before = listeners();
    let heard: number | undefined;
    const make = system[call] as (...given: unknown[]) => unknown;
    Object.assign(system, {
      [call]: (...given: unknown[]) => {
        heard ??= listeners();
        return make(...given);
      },
    });
    await job();
    expect(heard).toBe(before + 1);
    await expect.poll(listeners).toBe(before);
  },
);
