import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomInt } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { addSignature, encodeReceipt, encodeRelease } from "twinwrap/escrow";
import { afterAll, expect, test } from "vitest";
import { spareKey } from "../escrow/material.js";
import { SeedKey } from "../escrow/signers.js";
import { Office } from "./office.js";

// Several processes on one store, and processes that are killed at any moment (SIGKILL).

/** How many are killed: hundreds with TWINWRAP_KILLS=500, as before a release. */
const KILLS = Number(process.env.TWINWRAP_KILLS ?? 40);
/** Lines that a worker prints in a round: three receipts, a request, two approvals, a release. */
const ROUND = 7;
const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));

const made: Office[] = [];
afterAll(async () => {
  for (const office of made) await office.remove();
});

/** An authority whose RSA key is open, and the folder of its officers' keys. */
async function authority(count: number, quorum: number): Promise<{ office: Office; keys: string }> {
  const names = Array.from({ length: count }, (_, i) => `officer-${String(i).padStart(2, "0")}`);
  const officers = names.map((name) => ({ name, key: SeedKey.generate() }));
  const office = await Office.make({
    names,
    sign: false,
    passphrase: undefined,
    quorum,
    officers: officers.map(({ name, key: { publicKey } }, i) => ({
      name,
      publicKey,
      shareKey: spareKey(i),
    })),
  });
  made.push(office);
  let note = (await office.service.policies())[0]!.row.note;
  for (const { name, key } of officers) {
    note = await addSignature(office.service.core, note, key.signer(name));
  }
  expect((await office.service.takePolicy(note)).complete).toBe(true);
  const keys = join(office.folder, "..", "officers");
  mkdirSync(keys);
  for (const { name, key } of officers) writeFileSync(join(keys, `${name}.pem`), await key.write());
  return { office, keys };
}

/** Starts a worker and gathers the lines that it prints. */
function start(office: Office, keys: string, ...task: string[]) {
  const child: ChildProcess = spawn(process.execPath, [WORKER, office.folder, keys, ...task], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  let text = "";
  let errors = "";
  child.stdout!.on("data", (data) => {
    text += data;
  });
  child.stderr!.on("data", (data) => {
    errors += data;
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const lines = () =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => line.split(" "));
  /** Waits until it has printed so many lines; fails if it ends or complains before. */
  const printed = (count: number) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (lines().length >= count) resolve();
      };
      child.stdout!.on("data", look);
      child.stderr!.on("data", () => reject(new Error(errors)));
      child.on("close", () => reject(new Error(`it ended after ${lines().length} lines`)));
      look();
    });
  return { child, ended, lines, printed, errors: () => errors };
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** No record is taken in twice or released twice for one request, whatever happened. */
async function expectOneLeafEach(office: Office): Promise<void> {
  const what = (await office.leaves()).map((leaf) => {
    const [type, record, request] = ["type", "record", "request"].map(
      (name) => new RegExp(`^${name} (.*)$`, "m").exec(leaf)?.[1],
    );
    return `${type} ${record} ${request}`;
  });
  expect(new Set(what).size).toBe(what.length);
}

test("50 approvals and 50 fetches at once from four processes make one release", async () => {
  const { office, keys } = await authority(50, 26);
  const { id, request } = await office.asked(await office.files(3));
  const workers = [0, 1, 2, 3].map((n) => start(office, keys, "race", id, String(n), "4"));
  for (const worker of workers) await worker.printed(1);
  expect(workers.map((worker) => worker.lines())).toEqual(workers.map(() => [["ready"]]));
  for (const { child } of workers) child.stdin!.write("go\n");
  for (const { ended } of workers) await ended;
  const lines = workers.flatMap((worker) => worker.lines());
  expect(workers.map((worker) => worker.errors())).toEqual(["", "", "", ""]);
  const approved = lines.filter(([word]) => word === "approved").length;
  expect(approved).toBeGreaterThanOrEqual(26);
  const bytes = new Set(lines.filter(([word]) => word === "released").map(([, , hash]) => hash));
  expect([...bytes]).toEqual([sha256(encodeRelease(await office.service.release(id)))]);
  const expected = ["CLOSED", "DUPLICATE", "NOT_APPROVED"];
  for (const [word, code] of lines) if (word === "refused") expect(expected).toContain(code);
  expect(await office.count()).toMatchObject({ release: request.records.length });
  await expectOneLeafEach(office);
  await office.service.verifyLog();
});

test("eight processes take in at once, each record once, in one log", async () => {
  const { office, keys } = await authority(3, 2);
  const EACH = 20;
  const workers = Array.from({ length: 8 }, () => start(office, keys, "intake", String(EACH)));
  for (const worker of workers) await worker.printed(1);
  for (const { child } of workers) child.stdin!.write("go\n");
  for (const { ended } of workers) await ended;
  expect(workers.map((worker) => worker.errors())).toEqual(workers.map(() => ""));
  const receipts = workers.flatMap((worker) => worker.lines().slice(1));
  expect(receipts).toHaveLength(8 * EACH);
  for (const [, record, hash] of receipts) {
    const receipt = await office.service.receipt(Buffer.from(record!, "hex"));
    expect(sha256(encodeReceipt(receipt!))).toBe(hash);
  }
  expect(await office.count()).toMatchObject({ verified: 8 * EACH });
  await expectOneLeafEach(office);
  await office.service.verifyLog();
});

test(
  `${KILLS} processes are killed at any moment: what was answered stands`,
  async () => {
    const { office, keys } = await authority(3, 2);
    const receipts = new Map<string, string>();
    const releases = new Map<string, string>();
    const requests = new Map<string, string[]>();
    /** What the lines that were waited for hold. */
    const least = { receipts: 0, releases: 0 };
    for (let kill = 0; kill < KILLS; kill++) {
      const worker = start(office, keys, "work");
      // After each of the steps of two rounds in turn, or while it begins; and then at any moment.
      const lines = kill % (2 * ROUND + 1);
      await worker.printed(lines);
      least.receipts += 3 * Math.floor(lines / ROUND) + Math.min(3, lines % ROUND);
      least.releases += Math.floor(lines / ROUND);
      await new Promise((resolve) => setTimeout(resolve, randomInt(0, 100)));
      worker.child.kill("SIGKILL");
      await worker.ended;
      expect(worker.errors()).toBe("");
      for (const [word, name, value] of worker.lines()) {
        if (word === "receipt") receipts.set(name!, value!);
        if (word === "released") releases.set(name!, value!);
        if (word === "request") requests.set(name!, []);
        if (word === "approved") requests.get(name!)!.push(value!);
      }
    }
    const { service } = office;
    await service.verifyLog();
    await expectOneLeafEach(office);
    expect(receipts.size).toBeGreaterThanOrEqual(least.receipts);
    expect(releases.size).toBeGreaterThanOrEqual(least.releases);
    for (const [record, hash] of receipts) {
      const receipt = await service.receipt(Buffer.from(record, "hex"));
      expect(sha256(encodeReceipt(receipt!))).toBe(hash);
    }
    for (const [id, hash] of releases) {
      expect(sha256(encodeRelease((await service.released(id))!))).toBe(hash);
    }
    // What was cut off in between goes on where it stands, and ends as if nothing had happened.
    expect(await service.unlock()).toBe(true);
    for (const [id, officers] of requests) {
      const { decision } = await service.standing(id);
      const counted = decision.count.approving.map(({ officer }) => officer.name);
      expect(counted).toEqual(expect.arrayContaining(officers));
      if (!decision.approved) continue;
      expect((await service.release(id)).releases).toHaveLength(3);
    }
    await service.verifyLog();
    await expectOneLeafEach(office);
  },
  600_000 + KILLS * 10_000,
);
