import { loadSqlite, type SqliteConnection } from "#build/authority/store/sqlite-driver.js";

/** A file of SQLite's, as it is: with the SQLite that the stores use here. */
export async function openRaw(path: string): Promise<SqliteConnection> {
  return (await loadSqlite())(path, false);
}
