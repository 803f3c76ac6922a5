import { afterAll, expect, test } from "vitest";
import { checkHelps } from "./help.js";
import { Sandbox } from "./run.js";

const sandbox = new Sandbox();
afterAll(() => sandbox.remove());

test("every command prints its help, and that alone", async () => {
  await checkHelps(async (name) => {
    const { stdout, stderr, code } = await sandbox.shell(`twinwrap ${name} --help`);
    expect([name, code, stderr]).toEqual([name, 0, ""]);
    return stdout;
  });
});
