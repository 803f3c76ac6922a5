// What the store of an authority takes: `node bench/store.mjs [RECORDS] [postgres://…]`, 1,000,000 records by default,
// in SQLite, and in PostgreSQL too if its URL is given. Each figure stands beside its yardstick, in one run: searches
// and receipts beside those of 10,000 records, `log verify` beside a loop that only reads and hashes the rows, an
// import beside the same rows put in by bare statements. Medians where something is done often.
import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { importDirectory } from "../build/authority/copies.js";
import { initDirectory, openDirectory } from "../build/authority/directory.js";
import { openFolderStore } from "../build/authority/folder-store.js";
import { piecesOf } from "../build/authority/pieces.js";
import { sharedCore } from "../build/core/index.js";
import {
  addSignature,
  decodeRecord,
  makeSubmission,
  recordHash,
  SigningKey,
} from "../build/escrow/index.js";
import { fingerprint, generateKeyPair } from "../build/keys/index.js";

const [, , count = "1000000", url] = process.argv;
const RECORDS = Number(count);
const FEW = 10_000;
const GROUP = 256;
/** Records of one owner. */
const EACH = 100;
const folder = mkdtempSync(join(tmpdir(), "twinwrap-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const core = await sharedCore();
const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
const ms = (time) => (time < 1000 ? `${time.toFixed(2)} ms` : `${(time / 1000).toFixed(1)} s`);
const show = (what, text) => console.log(`${what.padEnd(58)} ${text}`);
async function timed(work) {
  const start = performance.now();
  const result = await work();
  return [performance.now() - start, result];
}
async function often(times, work) {
  const all = [];
  for (let i = 0; i < times; i++) all.push((await timed(() => work(i)))[0]);
  return median(all);
}

/** An authority with one officer. */
async function office(path) {
  const key = await SigningKey.from(new Uint8Array(randomBytes(32)));
  const { publicKey: shareKey } = await generateKeyPair({ bits: 2048 });
  const officers = [{ name: "ann", publicKey: key.publicKey, shareKey }];
  await initDirectory(path, { officers, quorum: 1, bits: 2048 });
  const service = await openDirectory(path);
  const note = (await service.policies())[0].row.note;
  await service.takePolicy(await addSignature(core, note, key.signer("ann")));
  return service;
}

/** Every record has words of its own, and words that all have. */
async function records(authority, from, count, owners) {
  const made = [];
  for (let i = from; i < from + count; i++) {
    made.push(
      await makeSubmission(core, {
        sessionKey: randomBytes(32),
        authority,
        owner: `owner-${i % owners}`,
        file: {
          serial: randomBytes(16),
          hash: randomBytes(32),
          salt: randomBytes(24),
          commitment: randomBytes(32),
          description: `quarterly report ${i} of ${randomBytes(4).toString("hex")}`,
        },
      }),
    );
  }
  return made;
}

async function fill(service, count) {
  let spent = 0;
  for (let done = 0; done < count; ) {
    const batch = await records(
      service.authority,
      done,
      Math.min(GROUP, count - done),
      count / EACH,
    );
    // One wrap is as good as another here: none is opened.
    spent += (await timed(() => service.intake(batch)))[0];
    done += batch.length;
    if (done % (GROUP * 1000) === 0) console.error(`${done} records`);
  }
  return spent;
}

/** Medians of what is asked often. */
async function questions(service) {
  const sample = [];
  const { rows: newest } = await service.records({}, { limit: 300 });
  const middle = await service.records({ owner: "owner-77" }, { limit: 2 });
  for (const { record } of [...newest, ...middle.rows]) sample.push(decodeRecord(record));
  const any = (i) => sample[(i * 7) % sample.length];
  const first = (i) => any(i).description.split(" ").at(-1);
  return {
    "search by serial": await often(100, (i) => service.records({ serial: any(i).serial })),
    "search by owner": await often(100, (i) => service.records({ owner: any(i).owner })),
    "search by key": await often(50, () => service.records({ fingerprint: wrapKey })),
    "search by another key": await often(50, () =>
      service.records({ fingerprint: new Uint8Array(32) }),
    ),
    "search by status": await often(50, () => service.records({ status: "unverified" })),
    "search by another status": await often(50, () => service.records({ status: "released" })),
    "search by date": await often(50, () => service.records({ from: new Date(Date.now() - 1e9) })),
    "search by an earlier date": await often(50, () =>
      service.records({ before: new Date(Date.now() - 1e9) }),
    ),
    "search by a rare text": await often(50, (i) => service.records({ text: first(i) })),
    "search by a common text": await often(50, () => service.records({ text: "quarterly" })),
    "search by a text that is nowhere": await often(50, () => service.records({ text: "zzzzzz" })),
    "counts of records": await often(50, () => service.countRecords()),
    "receipt with its proof": await often(200, (i) => service.receipt(recordHash(core, any(i)))),
  };
}
let wrapKey;

function compare(few, many, name) {
  for (const [what, time] of Object.entries(many)) {
    const before = few[what];
    show(`${name}: ${what}`, `${ms(before)} → ${ms(time)}, ${(time / before).toFixed(2)} ×`);
  }
}

/** Reads and hashes every row that an audit reads. */
async function readAndHash(store, size) {
  await store.snapshot(async (reads) => {
    for (let at = 0; at < size; at += 1024) {
      for (const leaf of await reads.leaves(at, 1024)) createHash("sha256").update(leaf).digest();
      const entries = await reads.entries(at, Math.min(at + 1024, size));
      const rows = entries.flatMap(({ type, row }) => (type === "escrow" ? [row] : []));
      for (const { record } of rows) createHash("sha256").update(record).digest();
      for (const [one] of await reads.candidatesOf(rows.map(({ hash }) => hash))) {
        createHash("sha256").update(one.wrap.simpleBlob).digest();
      }
    }
  });
}

async function audited(name, path) {
  const service = await openDirectory(path);
  const store = await openFolderStore(path, { readOnly: true });
  const size = (await store.head()).size;
  const [reading] = await timed(() => readAndHash(store, size));
  let peak = 0;
  const [verifying] = await timed(() =>
    service.verifyLog({
      onProgress: () => {
        peak = Math.max(peak, process.memoryUsage().rss);
      },
    }),
  );
  show(
    `${name}: log verify`,
    `${ms(verifying)}, ${(verifying / reading).toFixed(2)} × reading and hashing (${ms(reading)}), at most ${(peak / 2 ** 20).toFixed(0)} MiB`,
  );
  await store.close();
  await service.close();
}

const small = await office(join(folder, "small"));
await fill(small, FEW);
const large = await office(join(folder, "large"));
const spent = await fill(large, RECORDS);
show(
  `SQLite: intake of ${RECORDS} records, ${GROUP} at once`,
  `${ms(spent)}, ${((RECORDS / spent) * 1000).toFixed(0)} a second`,
);
show("SQLite: store", `${(statSync(join(folder, "large/store.sqlite")).size / 2 ** 20) | 0} MiB`);
const keyOf = (service) => fingerprint(service.authority.wrapKey);
wrapKey = await keyOf(small);
const few = await questions(small);
wrapKey = await keyOf(large);
compare(few, await questions(large), "SQLite");
await audited("SQLite", join(folder, "large"));

const file = join(folder, "export");
const [exporting] = await timed(() =>
  pipeline(
    piecesOf((sink) => large.export(sink)),
    createWriteStream(file),
  ),
);
show("SQLite: export", `${ms(exporting)}, ${(statSync(file).size / 2 ** 20) | 0} MiB`);
const smallFile = join(folder, "small.export");
await pipeline(
  piecesOf((sink) => small.export(sink)),
  createWriteStream(smallFile),
);
await small.close();
await large.close();

/** The rows of a store, put into another one by bare statements: no parsing, no check of anything. */
async function bare(name, from, options) {
  const path = join(folder, `bare-${name}`);
  const { mkdirSync, writeFileSync } = await import("node:fs");
  mkdirSync(path);
  if (options.store) writeFileSync(join(path, "store.json"), JSON.stringify(options.store));
  const source = await openFolderStore(from, { readOnly: true });
  const store = await openFolderStore(path, { create: true });
  let time = 0;
  const measured = async (work) => {
    const [took] = await timed(work);
    time += took;
  };
  const size = (await source.head()).size;
  const [took] = await timed(() =>
    store
      .write(async (writes) => {
        for (let done = 0; done < size; ) {
          for (const head of await source.checkpoints(0, done, 256)) {
            const leaves = await source.leaves(done, head.size - done);
            const ids = [];
            for (let level = 0; ; level++) {
              const [a, b] = [Math.floor(done / 2 ** level), Math.floor(head.size / 2 ** level)];
              if (b === 0) break;
              for (let index = a; index < b; index++) ids.push({ level, index });
            }
            const hashes = await source.nodes(0, ids);
            const nodes = ids.map((id, i) => ({ ...id, hash: hashes[i] }));
            await measured(() => writes.extendLog(done, leaves, nodes, head));
            done = head.size;
          }
        }
        const owners = new Set();
        for (let at = 0; at < size; at += 256) {
          const entries = await source.entries(at, Math.min(at + 256, size));
          const rows = entries.flatMap(({ type, row }) => (type === "escrow" ? [row] : []));
          const news = [...new Set(rows.map(({ owner }) => owner))].filter(
            (one) => !owners.has(one),
          );
          const secrets = await source.ownerSecrets(news);
          const candidates = await source.candidatesOf(rows.map(({ hash }) => hash));
          await measured(async () => {
            await writes.insertOwners(news.map((owner, i) => ({ owner, secret: secrets[i] })));
            await writes.insertRecords(rows);
            await writes.addCandidates(
              rows.map(({ hash }, i) => ({ record: hash, ...candidates[i][0] })),
            );
          });
          for (const one of news) owners.add(one);
        }
        const before = performance.now();
        return before;
      })
      .then((before) => {
        time += performance.now() - before; // the commit
      }),
  );
  void took;
  await store.close();
  await source.close();
  return time;
}

async function imported(name, options) {
  const path = join(folder, `imported-${name}`);
  const [importing] = await timed(() =>
    importDirectory(createReadStream(file), path, { keys: join(folder, "large"), ...options() }),
  );
  const inserting = await bare(name, join(folder, "large"), options());
  show(
    `${name}: import, with an audit of the whole log`,
    `${ms(importing)}, ${(importing / inserting).toFixed(2)} × bare inserts (${ms(inserting)})`,
  );
  return path;
}

await imported("SQLite", () => ({}));
if (url !== undefined) {
  let schemas = 0;
  const store = () => ({
    store: { url, schema: `bench_${process.pid}_${schemas++}`, acceptDataLoss: false },
  });
  const path = await imported("PostgreSQL", store);
  const smallPath = join(folder, "small-postgres");
  await importDirectory(createReadStream(smallFile), smallPath, {
    keys: join(folder, "small"),
    ...store(),
  });
  const [one, other] = [await openDirectory(smallPath), await openDirectory(path)];
  wrapKey = await keyOf(one);
  const before = await questions(one);
  wrapKey = await keyOf(other);
  compare(before, await questions(other), "PostgreSQL");
  await one.close();
  await other.close();
  await audited("PostgreSQL", path);
}
