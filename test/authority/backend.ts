import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { backupDirectory, type OpenStore } from "#build/authority/directory.js";
import { openSqlite } from "#build/authority/store/sqlite.js";

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
  /** How an authority's folder opens and makes its store. */
  readonly openStore: OpenStore;
  /** Changes what the store of a folder holds, behind the authority's back and without its constraints. */
  alter(folder: string, ...changes: (Statement | Rewrite)[]): void;
  /** Copies an authority with its store; the copy is fenced. */
  copy(folder: string, to: string): Promise<void>;
}

const sqlite: Backend = {
  openStore: (folder, options) => openSqlite(join(folder, "store.sqlite"), options),
  alter(folder, ...changes) {
    const db = new Sqlite(join(folder, "store.sqlite"));
    db.pragma("foreign_keys = OFF");
    for (const change of changes) {
      if (typeof change === "string") db.exec(change);
      else if ("table" in change) rewrite(db, change);
      else db.prepare(change[0]).run(...change.slice(1));
    }
    db.close();
  },
  copy: (folder, to) => backupDirectory(folder, to),
};

function rewrite(db: Sqlite.Database, { table, column, change }: Rewrite): void {
  const rows = db.prepare<[], { old: string | Buffer }>(
    `SELECT DISTINCT ${column} AS old FROM ${table}`,
  );
  for (const { old } of rows.all()) {
    const text = change(old.toString());
    const changed = typeof old === "string" ? text : Buffer.from(text);
    db.prepare(`UPDATE ${table} SET ${column} = ? WHERE ${column} = ?`).run(changed, old);
  }
}

/** The one that the suites run on. */
export const backend: Backend = sqlite;
