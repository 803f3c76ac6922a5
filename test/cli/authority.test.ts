import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seal } from "twinwrap";
import { makeSubmission, recordHash, submissionToJson } from "twinwrap/escrow";
import { afterEach, beforeEach, expect, test } from "vitest";
import { core, Office, owner } from "../authority/office.js";
import { openRaw } from "../authority/raw.js";
import { Sandbox } from "./run.js";

// What the command line makes of an authority's store that somebody else had his hands on.

let office: Office;
let sandbox: Sandbox;
beforeEach(async () => {
  office = await Office.make({ passphrase: undefined });
  sandbox = new Sandbox();
});
afterEach(async () => {
  await office.remove();
  sandbox.remove();
});
const run = (line: string) =>
  sandbox.shell(`twinwrap authority ${line} --authority '${office.folder}'`);

test("a log that was altered does not verify: exit code 3", async () => {
  await office.files(2);
  expect(await run("log verify")).toMatchObject({ code: 0, stderr: "" });
  const db = await openRaw(join(office.folder, "store.sqlite"));
  for (const [spoil, line] of [
    ["UPDATE records SET description = 'other'", /leaf 2 .* is not what the store has for it/],
    ["UPDATE leaves SET text = replace(text, 'time 2', 'time 3') WHERE leaf = 1", /altered/],
    ["DELETE FROM checkpoints WHERE place = 1", /^twinwrap: the log is damaged/],
  ] as const) {
    db.exec(spoil);
    const { code, stderr } = await run("log verify");
    expect([code, stderr.split("\n").length]).toEqual([3, 2]);
    expect(stderr).toMatch(line);
  }
  db.close();
});

test("a damaged store is told of in one line, with what to do", async () => {
  await office.service.close();
  const path = join(office.folder, "store.sqlite");
  const db = await openRaw(path);
  const pages = db.pragma("page_count") as number;
  db.close();
  // Every page but the first, which says that it is a database.
  const bytes = Buffer.alloc((pages - 1) * 4096, 0xa5);
  writeFileSync(path, Buffer.concat([readFileSync(path).subarray(0, 4096), bytes]));
  const { code, stderr, stdout } = await run("list");
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^twinwrap: .*the store is damaged: go on from the newest backup\n$/);
  await office.open().catch(() => {});
});

test("a stranger's submission in a file keeps the right one out as little as in a flood", async () => {
  await office.unlock();
  const { authority } = office.service;
  const sealed = await seal(Buffer.from("x"), {
    to: [owner.publicKey],
    escrow: [authority.origin],
    escrows: async ({ sessionKey, ...file }) => {
      const right = await makeSubmission(core, { sessionKey, authority, owner: "olivia", file });
      const junk = { ...right, record: { ...right.record, owner: "mallory" } };
      return [junk, right].map((one) => ({ submission: submissionToJson(one) }));
    },
  });
  sandbox.write("f.twin", await sealed.bytes());
  const { code, stdout, stderr } = await run("intake f.twin");
  expect(code).toBe(1);
  expect(stdout).toMatch(/^f\.twin {2}submission {2}verified {2}receipt in .*\n$/);
  expect(stderr).toMatch(/^twinwrap: f\.twin: decryption failed/);
});

test("of a flooded serial what was opened is shown first, and has its receipt", async () => {
  await office.unlock();
  const { submission } = await office.file();
  await office.service.intake(submission);
  await office.service.close();
  const locked = await office.open();
  await locked.intake(
    Array.from({ length: 60 }, (_, i) => ({
      ...submission,
      record: { ...submission.record, blind: new Uint8Array(32).fill(i + 1) },
    })),
  );
  const row = recordHash(core, submission.record);
  const serial = (await run("list --status verified")).stdout.split("\n")[1]!.slice(0, 26);
  const { code, stdout, stderr } = await run(`show ${serial} -o receipt.json`);
  expect(code).toBe(0);
  expect(stdout.match(/^status .*$/gm)).toEqual([
    "status       verified",
    ...Array.from({ length: 20 }, () => "status       unverified"),
  ]);
  expect(stderr).toMatch(/^twinwrap: 40 more unverified: /);
  expect(sandbox.read("receipt.json").toString()).toContain(
    `record ${Buffer.from(row).toString("hex")}`,
  );
});

test("a damaged wrap is named with its serial, exit code 3, until its owner sends it again", async () => {
  await office.unlock();
  const file = await office.file();
  await office.service.intake(file.submission);
  sandbox.write("f.twin", file.bytes);
  expect(await run("verify --all")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^opened again {2}1 of 1$/m),
  });
  const db = await openRaw(join(office.folder, "store.sqlite"));
  db.exec(
    "UPDATE candidates SET simple_blob = CAST(substr(simple_blob, 1, 100) || zeroblob(9) || substr(simple_blob, 110) AS BLOB)",
  );
  db.close();
  expect(await run("log verify")).toMatchObject({ code: 0 });
  expect(await run("verify")).toMatchObject({ code: 0 });
  const { code, stdout } = await run("verify --all --json");
  const serial = (await run("list")).stdout.split("\n")[1]!.slice(0, 26);
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({
    opened: 0,
    wrong: [{ record: Buffer.from(file.record).toString("hex"), serial }],
    locked: [],
  });
  expect(await run("intake f.twin")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("verified, in place of a damaged wrap"),
  });
  expect(await run("verify --all")).toMatchObject({ code: 0 });
});
