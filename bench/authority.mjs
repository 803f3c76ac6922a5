// What an authority takes for many records: `node bench/authority.mjs [RECORDS]`, 100,000 by default.
// Intake in batches and one by one, search, receipts, verifying the whole log, and a recovery of 1,000
// files at once. Medians where something is done often; the store is on the disk of the temporary folder.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initDirectory, openDirectory } from "../build/authority/directory.js";
import { sharedCore } from "../build/core/index.js";
import { seal } from "../build/envelope/index.js";
import {
  addSignature,
  encodeRelease,
  makeRequest,
  makeSubmission,
  recordHashOf,
  SigningKey,
  signApproval,
} from "../build/escrow/index.js";
import { generateKeyPair } from "../build/keys/index.js";

const RECORDS = Number(process.argv[2] ?? 100_000);
const BATCH = 1000;
const FILES = 1000;
const folder = mkdtempSync(join(tmpdir(), "twinwrap-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const core = await sharedCore();
const names = ["ann", "bob", "cyd"];
const keys = new Map();
for (const name of names) keys.set(name, await SigningKey.from(new Uint8Array(randomBytes(32))));
const newKey = async () => (await generateKeyPair({ bits: 2048 })).publicKey;
const owner = await newKey();
const officers = [];
for (const name of names) {
  officers.push({ name, publicKey: keys.get(name).publicKey, shareKey: await newKey() });
}
const path = join(folder, "authority");
await initDirectory(path, { officers });
const service = await openDirectory(path);
const { authority } = service;
let note = (await service.policies())[0].row.note;
for (const [name, key] of keys) note = await addSignature(core, note, key.signer(name));
await service.takePolicy(note);

async function timed(work) {
  const start = performance.now();
  const result = await work();
  return [performance.now() - start, result];
}
const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
const show = (what, text) => console.log(`${what.padEnd(46)} ${text}`);
const ms = (time) => (time < 1000 ? `${time.toFixed(2)} ms` : `${(time / 1000).toFixed(1)} s`);
async function often(what, count, work) {
  const times = [];
  for (let i = 0; i < count; i++) times.push((await timed(() => work(i)))[0]);
  show(what, `${ms(median(times))} (median of ${count})`);
}

/** Records whose facts are random and whose wrap is not opened: what intake does is the same. */
async function records(count) {
  const made = [];
  for (let i = 0; i < count; i++) {
    made.push(
      await makeSubmission(core, {
        sessionKey: randomBytes(32),
        authority,
        owner: `owner-${i % 500}`,
        file: {
          serial: randomBytes(16),
          hash: randomBytes(32),
          salt: randomBytes(24),
          commitment: randomBytes(32),
          description: `quarterly report ${i}`,
        },
      }),
    );
  }
  return made;
}

let spent = 0;
let sample = [];
for (let done = 0; done < RECORDS; done += BATCH) {
  const batch = await records(Math.min(BATCH, RECORDS - done));
  spent += (await timed(() => service.intake(batch)))[0];
  sample = [...sample.slice(-200), batch[0]];
}
show(
  `intake of ${RECORDS} records, ${BATCH} at once`,
  `${ms(spent)}, ${((RECORDS / spent) * 1000).toFixed(0)} a second`,
);
const single = await records(500);
await often("intake of one record, unverified", 500, (i) => service.intake(single[i]));

const any = () => sample[Math.floor(Math.random() * sample.length)].record;
await often("search by serial", 200, () => service.records({ serial: any().serial }));
await often("search by owner, first page", 200, () => service.records({ owner: any().owner }));
await often("search by status and date, first page", 200, () =>
  service.records({ status: "unverified", from: new Date(0) }),
);
await often("search by text, 1 of all", 20, (i) => service.records({ text: `report ${i * 37}1` }));
const all = await service.records({}, { limit: 200 });
await often("receipt with its proof", 200, (i) =>
  service.receipt(recordHashOf(core, all.rows[i].record)),
);
const [verifying, state] = await timed(() => service.verifyLog());
show(`log verify (${state.size} leaves, ${state.checkpoints} checkpoints)`, ms(verifying));
show("store", `${(statSync(join(path, "store.sqlite")).size / 2 ** 20).toFixed(0)} MiB`);

if (!(await service.unlock())) throw new Error("locked");
const real = [];
for (let i = 0; i < FILES; i++) {
  const sealed = await seal(randomBytes(64), {
    to: [owner],
    escrows: async ({ sessionKey, ...file }) => {
      real.push(await makeSubmission(core, { sessionKey, authority, owner: "olivia", file }));
      return [];
    },
  });
  await sealed.bytes();
}
const [opening, taken] = await timed(() => service.intake(real));
show(
  `intake of ${FILES} records, verified (RSA-3072)`,
  `${ms(opening)}, ${((FILES / opening) * 1000).toFixed(0)} a second`,
);
const request = makeRequest({
  authority: authority.origin,
  requester: "Olivia",
  recipient: owner,
  records: taken.map(({ record }) => record),
});
const { id } = await service.takeRequest(request);
const { hash } = await service.policy();
for (const name of ["ann", "cyd"]) {
  const options = { decision: "approve", identity: "met" };
  const word = await signApproval(core, keys.get(name).signer(name), request, hash, options);
  const [time] = await timed(() => service.takeApproval(word));
  show(`approval of a request for ${FILES} files`, ms(time));
}
const [releasing, release] = await timed(() => service.release(id));
show(`release of ${FILES} files`, ms(releasing));
show("fetching it again", ms((await timed(() => service.release(id)))[0]));
show("size of the release", `${(encodeRelease(release).length / 2 ** 20).toFixed(1)} MiB`);
await service.close();
