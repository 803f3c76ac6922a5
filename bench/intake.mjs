// How near intake comes to what bounds it: `node bench/intake.mjs [ROUNDS] [PART] [postgres://…]`, 5 rounds by default,
// parts "rsa" and "rows" (or "all"). With a URL the rows are written to PostgreSQL too. Each round does both sides of a comparison, so that both have the same day.
//
// rsa: verified intake with one opener, against a bare loop of the core's unwrapKey in one thread.
// rows: unverified intake by 32 callers, against a bare loop that writes the same rows in the same groups, synced.
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import pg from "pg";
import { initDirectory, openDirectory } from "../build/authority/directory.js";
import { sharedCore } from "../build/core/index.js";
import { addSignature, makeSubmission, SigningKey } from "../build/escrow/index.js";
import { commitmentOf } from "../build/escrow/record.js";
import { generateKeyPair, readPrivateKey } from "../build/keys/index.js";

const ROUNDS = Number(process.argv[2] ?? 5);
const PART = process.argv[3] ?? "all";
const URL_OF_STORE = process.argv[4];
const CALLERS = 32;
const folder = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), "twinwrap-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const core = await sharedCore();

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const rate = (count, time) => (1000 * count) / time;
async function timed(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** An authority with one officer, whose RSA key is not locked. */
async function authority(name, bits, options = {}) {
  const key = await SigningKey.from(new Uint8Array(randomBytes(32)));
  const { publicKey: shareKey } = await generateKeyPair({ bits: 2048 });
  const path = join(folder, name);
  await initDirectory(path, {
    bits,
    officers: [{ name: "ann", publicKey: key.publicKey, shareKey }],
    ...options,
  });
  const service = await openDirectory(path);
  const [{ row }] = await service.policies();
  await service.takePolicy(await addSignature(core, row.note, key.signer("ann")));
  await service.close();
  return path;
}

/** Submissions whose wraps open. */
async function submissions({ authority }, count) {
  const made = [];
  for (let i = 0; i < count; i++) {
    const sessionKey = randomBytes(32);
    const file = { serial: randomBytes(16), hash: randomBytes(32), salt: randomBytes(24) };
    const commitment = commitmentOf(core, { ...file, header: file.hash }, sessionKey);
    const about = { sessionKey, authority, owner: `owner-${i % 500}` };
    made.push(await makeSubmission(core, { ...about, file: { ...file, commitment } }));
  }
  return made;
}

/** Hands in one after the other, as that many callers at once. */
async function handIn(service, all, callers) {
  let next = 0;
  const caller = async () => {
    while (next < all.length) await service.intake(all[next++]);
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

function show(what, ours, bare, goal) {
  const ratios = ours.map((value, i) => value / bare[i]);
  console.log(
    `${what.padEnd(44)} ${median(ours).toFixed(0).padStart(6)} of ${median(bare).toFixed(0).padStart(6)} a second: ${median(ratios).toFixed(2)} (goal ${goal})`,
  );
}

async function rsa(bits, count, goal) {
  const path = await authority(`rsa-${bits}`, bits);
  const service = await openDirectory(path, { openers: 1 });
  await service.unlock();
  const key = await readPrivateKey(readFileSync(join(path, "wrap.pem")), { core });
  const prepared = core.rsaPrivateKey(key);
  const [bare, single, many] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const [ones, group] = [await submissions(service, count), await submissions(service, count)];
    const blocks = ones.map(({ wrap }) => wrap.simpleBlob.subarray(12).slice().reverse());
    const options = { padding: "oaep", length: 32 };
    const unwrapAll = () => {
      for (const block of blocks) prepared.unwrapKey(block, options);
    };
    bare.push(rate(count, await timed(unwrapAll)));
    single.push(rate(count, await timed(() => handIn(service, ones, CALLERS))));
    many.push(rate(count, await timed(() => service.intake(group))));
  }
  show(`RSA-${bits}, verified, ${CALLERS} callers`, single, bare, goal);
  show(`RSA-${bits}, verified, one call for ${count}`, many, bare, goal);
  prepared.dispose();
  await service.close();
}

const TABLES = ["leaves", "nodes", "checkpoints", "owners", "records", "candidates"];

/** The rows that came into a store beyond another, in the groups in which they came. */
function rowsBeyond(before, after) {
  const db = new Sqlite(after, { readonly: true });
  db.prepare("ATTACH ? AS old").run(before);
  const news = Object.fromEntries(
    TABLES.map((table) => [
      table,
      db.prepare(`SELECT * FROM main.${table} EXCEPT SELECT * FROM old.${table}`).raw().all(),
    ]),
  );
  const columns = Object.fromEntries(
    TABLES.map((table) => [table, db.prepare(`SELECT * FROM ${table}`).columns().length]),
  );
  db.close();
  return { news, columns };
}

async function rows(count, goal) {
  const path = await authority("rows", 2048);
  const store = join(path, "store.sqlite");
  const service = await openDirectory(path);
  const [ours, bare, sizes] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const all = await submissions(service, count);
    const copy = join(folder, `copy-${round}.sqlite`);
    const reader = new Sqlite(store);
    reader.prepare("VACUUM INTO ?").run(copy);
    reader.close();
    ours.push(rate(count, await timed(() => handIn(service, all, CALLERS))));
    const groups = groupsOf(rowsBeyond(copy, store));
    sizes.push(count / groups.length);
    bare.push(rate(count, await timed(() => writeBare(copy, groups))));
    rmSync(copy, { force: true });
  }
  await service.close();
  show(`rows, unverified, ${CALLERS} callers`, ours, bare, goal);
  console.log(`  (records of a group: ${median(sizes).toFixed(1)})`);
}

/** Rows by the checkpoint that they came with. */
function groupsOf({ news, columns }) {
  const ends = news.checkpoints.map(([place]) => place).sort((a, b) => a - b);
  const groups = ends.map(() => Object.fromEntries(TABLES.map((table) => [table, []])));
  const groupOf = (leaf) => groups[ends.findIndex((end) => leaf < end)];
  for (const row of news.leaves) groupOf(row[0]).leaves.push(row);
  for (const row of news.checkpoints) groupOf(row[0] - 1).checkpoints.push(row);
  // A node comes with the last leaf below it.
  for (const row of news.nodes) groupOf((row[2] + 1) * 2 ** row[1] - 1).nodes.push(row);
  // Both begin with the record's leaf.
  for (const row of news.records) groupOf(row[0]).records.push(row);
  for (const row of news.candidates) groupOf(row[0]).candidates.push(row);
  groups[0].owners.push(...news.owners);
  return groups.map((group, i) => ({ group, end: ends[i], columns }));
}

const isFolded = ({ name }) => name === "folded";

/** Writes them with nothing around: the same pragmas, one transaction a group. */
function writeBare(path, groups) {
  const db = new Sqlite(path);
  for (const pragma of ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"]) {
    db.pragma(pragma);
  }
  const { columns } = groups[0];
  const inserts = TABLES.map((table) => [
    table,
    db.prepare(`INSERT INTO ${table} VALUES (${Array(columns[table]).fill("?").join(", ")})`),
  ]);
  const folded = db.prepare("SELECT * FROM records").columns().findIndex(isFolded);
  const text = db.prepare("INSERT INTO records_text (rowid, folded) VALUES (?, ?)");
  const head = db.prepare("UPDATE head SET place = ?");
  const count = db.prepare("UPDATE record_counts SET records = records + ? WHERE status = ?");
  for (const { group, end } of groups) {
    db.exec("BEGIN IMMEDIATE");
    head.run(end);
    for (const [table, insert] of inserts) for (const row of group[table]) insert.run(...row);
    for (const row of group.records) text.run(row[0], row[folded]);
    count.run(group.records.length, "unverified");
    db.exec("COMMIT");
  }
  db.close();
}

/** New rows of a store in PostgreSQL: those behind a place. Nodes come with the last leaf below them. */
const NEW = {
  leaves: "leaf >= $1",
  nodes: "(position + 1) * (CAST(1 AS BIGINT) << level) > $1",
  checkpoints: "place > $1",
  records: "leaf >= $1",
  candidates: "record >= $1",
};

/** The same rows, taken out again and written with nothing around, into the same tables. */
async function rowsOnPostgres(url, count, goal) {
  const schema = `bench_${process.pid}`;
  const path = await authority("postgres", 2048, { store: { url, schema } });
  const service = await openDirectory(path);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`SET search_path = ${schema}`);
  const [ours, bare, sizes] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const all = await submissions(service, count);
    const from = (await client.query("SELECT place FROM head")).rows[0].place;
    ours.push(rate(count, await timed(() => handIn(service, all, CALLERS))));
    const news = { owners: [] };
    const columns = {};
    for (const [table, where] of Object.entries(NEW)) {
      const query = { text: `SELECT * FROM ${table} WHERE ${where}`, rowMode: "array" };
      const { rows, fields } = await client.query({ ...query, values: [from] });
      news[table] = rows.map((row) =>
        row.map((value, i) =>
          fields[i].dataTypeID === 20 && value !== null ? Number(value) : value,
        ),
      );
      columns[table] = fields.length;
    }
    const groups = groupsOf({ news, columns });
    sizes.push(count / groups.length);
    for (const [table, where] of Object.entries(NEW).reverse()) {
      await client.query(`DELETE FROM ${table} WHERE ${where}`, [from]);
    }
    await client.query("VACUUM ANALYZE");
    bare.push(rate(count, await timed(() => writeBareOnPostgres(client, groups))));
  }
  await service.close();
  await client.query(`DROP SCHEMA ${schema} CASCADE`);
  await client.end();
  show(`rows, unverified, ${CALLERS} callers, PostgreSQL`, ours, bare, goal);
  console.log(`  (records of a group: ${median(sizes).toFixed(1)})`);
}

async function writeBareOnPostgres(client, groups) {
  for (const { group, end, columns } of groups) {
    await client.query("BEGIN");
    await client.query("UPDATE head SET place = $1", [end]);
    for (const table of ["leaves", "nodes", "checkpoints", "records", "candidates"]) {
      const rows = group[table];
      if (rows.length === 0) continue;
      const width = columns[table];
      const one = (_, i) => `(${Array.from({ length: width }, (_, j) => `$${i * width + j + 1}`)})`;
      const text = `INSERT INTO ${table} VALUES ${rows.map(one).join(", ")}`;
      await client.query({ name: `${table} ${rows.length}`, text, values: rows.flat() });
    }
    await client.query("UPDATE record_counts SET records = records + $1 WHERE status = $2", [
      group.records.length,
      "unverified",
    ]);
    await client.query("COMMIT");
  }
}

if (PART !== "rows") {
  await rsa(3072, 400, 0.85);
  await rsa(2048, 1000, 0.7);
}
if (PART !== "rsa") {
  await rows(2000, 0.4);
  if (URL_OF_STORE !== undefined) await rowsOnPostgres(URL_OF_STORE, 2000, 0.4);
}
