// One process of an authority, for the tests that run several of them or kill them:
//   worker.mjs FOLDER OFFICERS work          takes in, approves and releases until it is killed
//   worker.mjs FOLDER OFFICERS intake N       waits for a line, then takes in N records at once
//   worker.mjs FOLDER OFFICERS race ID N M   waits for a line, then officers N, N+M, … approve at once, and fetch
// OFFICERS is a folder of Ed25519 keys, NAME.pem. What was answered is printed, a line each, once it was.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeSync } from "node:fs";
import { openDirectory } from "../../build/authority/directory.js";
import { seal } from "../../build/envelope/index.js";
import {
  encodeReceipt,
  encodeRelease,
  makeRequest,
  makeSubmission,
  SigningKey,
  signApproval,
} from "../../build/escrow/index.js";
import { readEd25519Key } from "../../build/keys/ed25519.js";
import { generateKeyPair } from "../../build/keys/index.js";

const [folder, keys, task, ...rest] = process.argv.slice(2);
/** The whole line at once: a process that is killed prints it or not. */
const print = (...words) => writeSync(1, `${words.join(" ")}\n`);
const service = await openDirectory(folder);
await service.unlock();
const { core, authority } = service;
const { hash: policy } = await service.policy();
const officers = await Promise.all(
  readdirSync(keys)
    .sort()
    .map(async (name) => {
      const key = await SigningKey.from(await readEd25519Key(readFileSync(`${keys}/${name}`)));
      return key.signer(name.replace(/\.pem$/, ""));
    }),
);
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

async function submission() {
  let made;
  const sealed = await seal(new Uint8Array(10), {
    to: [authority.wrapKey],
    escrows: async ({ sessionKey, ...file }) => {
      made = await makeSubmission(core, { sessionKey, authority, owner: "olivia", file });
      return [];
    },
  });
  await sealed.bytes();
  return made;
}

const approve = (officer, request) =>
  signApproval(core, officer, request, policy, { decision: "approve", identity: "met" });

async function work() {
  const { publicKey: recipient } = await generateKeyPair({ bits: 2048 });
  for (;;) {
    const made = [await submission(), await submission(), await submission()];
    for (const one of made) {
      const { record, receipt } = await service.intake(one);
      print("receipt", Buffer.from(record).toString("hex"), sha256(encodeReceipt(receipt)));
    }
    const records = await Promise.all(made.map((one) => service.intake(one)));
    const request = makeRequest({
      authority: authority.origin,
      requester: "Olivia",
      recipient,
      records: records.map(({ record }) => record),
    });
    const { id } = await service.takeRequest(request);
    print("request", id);
    for (const officer of officers.slice(0, 2)) {
      await service.takeApproval(await approve(officer, request));
      print("approved", id, officer.name);
    }
    print("released", id, sha256(encodeRelease(await service.release(id))));
  }
}

async function race([id, first, step]) {
  const { request } = await service.standing(id);
  const mine = officers.filter((_, i) => i % Number(step) === Number(first));
  const notes = await Promise.all(mine.map((officer) => approve(officer, request)));
  print("ready");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  const attempts = notes.flatMap((note) => [
    () => service.takeApproval(note).then(() => print("approved")),
    () =>
      service.release(id).then((release) => print("released", id, sha256(encodeRelease(release)))),
  ]);
  for (const result of await Promise.allSettled(attempts.map((attempt) => attempt()))) {
    if (result.status === "rejected") print("refused", result.reason.code, result.reason.message);
  }
  // Others may still be approving.
  for (let release; release === undefined; ) {
    release = await service.release(id).catch((error) => {
      if (error.code !== "NOT_APPROVED") throw error;
    });
    if (release) print("released", id, sha256(encodeRelease(release)));
  }
  await service.close();
  process.exit(0);
}

async function takeIn([count]) {
  const made = [];
  for (let i = 0; i < Number(count); i++) made.push(await submission());
  print("ready");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  await Promise.all(
    made.map(async (one) => {
      const { record, receipt } = await service.intake(one);
      print("receipt", Buffer.from(record).toString("hex"), sha256(encodeReceipt(receipt)));
    }),
  );
  await service.close();
  process.exit(0);
}

await { work, race, intake: takeIn }[task](rest);
