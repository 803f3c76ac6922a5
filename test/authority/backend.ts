import { rmSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { backupDirectory, restoreDirectory } from "#build/authority/copies.js";
import type { InitOptions } from "#build/authority/directory.js";
import { readStorePlace } from "#build/authority/folder-store.js";
import { PostgresServer } from "../postgres.js";
import { openRaw } from "./raw.js";

// What the suites of an authority at work need of a store. They know no store by themselves, so that the
// same ones hold for each.

/** What a column can hold. */
export type Value = number | string | Uint8Array | null;

/** SQL of every backend, with the values of its question marks. */
export type Statement = string | readonly [sql: string, ...values: Value[]];

/** A change of what one column holds, wherever it holds something else than the result. */
export interface Rewrite {
  table: string;
  column: string;
  /** As UTF-8, if the column holds bytes. */
  change: (text: string) => string;
}

export interface Backend {
  /** The file in the folder that is the store, or says where it is. */
  readonly file: string;
  /** Where a new authority is to make its store. */
  place(): Promise<Pick<InitOptions, "store">>;
  /** What there is where such a store would be, outside of its folder. */
  found(place: Pick<InitOptions, "store">): Promise<unknown[]>;
  /** Changes what the store of a folder holds, behind the authority's back and without its constraints. */
  alter(folder: string, ...changes: (Statement | Rewrite)[]): Promise<void>;
  /** Copies an authority with its store; the copy is fenced, and can be opened. */
  copy(folder: string, to: string): Promise<void>;
  /** Makes an authority from a backup. */
  restore(backup: string, to: string): Promise<void>;
}

/** The same changes, said to one database or another. */
async function change(
  all: (sql: string, values: Value[]) => Promise<Record<string, unknown>[]>,
  changes: readonly (Statement | Rewrite)[],
): Promise<void> {
  for (const one of changes) {
    if (typeof one === "string") await all(one, []);
    else if (!("table" in one)) await all(one[0], one.slice(1));
    else {
      const { table, column, change } = one;
      for (const { old } of await all(`SELECT DISTINCT ${column} AS old FROM ${table}`, [])) {
        const isText = typeof old === "string";
        const text = change(isText ? old : Buffer.from(old as Uint8Array).toString());
        const changed = isText ? text : Buffer.from(text);
        await all(`UPDATE ${table} SET ${column} = ? WHERE ${column} = ?`, [changed, old as Value]);
      }
    }
  }
}

export const sqlite: Backend = {
  file: "store.sqlite",
  place: async () => ({}),
  found: async () => [],
  async alter(folder, ...changes) {
    const db = await openRaw(join(folder, "store.sqlite"));
    db.pragma("foreign_keys = OFF");
    await change(async (sql, values) => {
      const statement = db.prepare(sql);
      if (/^\s*SELECT\b/i.test(sql)) return statement.all(values);
      statement.run(values);
      return [];
    }, changes);
    db.close();
  },
  copy: (folder, to) => backupDirectory(folder, to),
  restore: (backup, to) => restoreDirectory(backup, to),
};

/** Where tests put the clock forward or back, the database's goes with it, as it does on one machine. */
function shareClock(): void {
  type Result = { rows?: Record<string, unknown>[] };
  const { query } = pg.Client.prototype as unknown as {
    query: (...parameters: unknown[]) => Promise<Result | Result[]>;
  };
  const ahead = () => (Date.now() - (performance.timeOrigin + performance.now())) / 1000;
  Object.assign(pg.Client.prototype, {
    async query(this: unknown, ...parameters: unknown[]) {
      const results = await query.apply(this, parameters);
      for (const { rows = [] } of [results].flat()) {
        for (const row of rows) if ("now" in row) row.now = Number(row.now) + ahead();
      }
      return results;
    },
  });
}

let server: Promise<PostgresServer> | undefined;
let schemas = 0;

export const postgres: Backend = {
  file: "store.json",
  async place() {
    if (server === undefined) shareClock();
    // No server is killed in these suites: what is synced has tests of its own.
    server ??= PostgresServer.start({
      fsync: "off",
      full_page_writes: "off",
      synchronous_commit: "off",
    });
    const schema = `office_${++schemas}`;
    return { store: { url: (await server).url, schema, acceptDataLoss: true } };
  },
  async found({ store }) {
    const sql = `SELECT nspname FROM pg_namespace WHERE nspname = '${store!.schema}'`;
    return (await server)!.ask(sql);
  },
  async alter(folder, ...changes) {
    const { url, schema } = (await readStorePlace(folder))!;
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`SET search_path = ${schema}; SET session_replication_role = replica`);
    await change(async (sql, values) => {
      let count = 0;
      const text = sql.replaceAll("?", () => `$${++count}`);
      return (await client.query(text, values)).rows;
    }, changes);
    await client.end();
  },
  async copy(folder, to) {
    const backup = `${to}-backup`;
    await backupDirectory(folder, backup);
    await postgres.restore(backup, to);
    rmSync(backup, { recursive: true });
  },
  restore: async (backup, to) => restoreDirectory(backup, to, await postgres.place()),
};

/** The one that the suites run on. */
export const backend: Backend = process.env.TWINWRAP_TEST_STORE === "postgres" ? postgres : sqlite;
