import { closeSync, constants, existsSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { TwinwrapError } from "../../errors.js";
import { BEFORE, checkVersion, migrationsFrom, NEWEST, type Words } from "./schema.js";
import type { Row, Sql, Value } from "./sql.js";
import { closed, type Database, SqlStore } from "./sql-store.js";
import { loadSqlite, type Open, type SqliteConnection } from "./sqlite-driver.js";
import { errorCode, explained, inWords } from "./sqlite-errors.js";
import { type Reading, readingOf } from "./sqlite-reading.js";
import type { Store } from "./store.js";

// The embedded store: SQLite in WAL mode, every commit synced. A process has two connections: one
// writes, one transaction at a time; the other reads, and so never sees what is not committed.

/** How long a transaction waits for those of other processes, in milliseconds. */
const BUSY = 30_000;
/** Pause between two attempts to begin, in milliseconds, at most. */
const PAUSE = 20;

/** "TWIN", so that `file` and SQLite know whose database it is (PRAGMA application_id). */
export const APPLICATION_ID = 0x5457494e;

const WORDS: Words = {
  integer: "INTEGER",
  bytes: "BLOB",
  table: " STRICT",
  ordered: " STRICT, WITHOUT ROWID",
};

/** Texts by their trigrams. What they are stands in the records. */
const TEXTS = `CREATE VIRTUAL TABLE records_text USING fts5
  (folded, content = '', columnsize = 0, tokenize = 'trigram case_sensitive 1')`;

export interface SqliteOptions {
  /** Makes the file, which must not be there; else it must. */
  create?: boolean | undefined;
  /** Writes nothing to its folder, and needs no right to: {@link Store.write} is UNAVAILABLE. */
  readOnly?: boolean | undefined;
  /** By default the engine's own SQLite, or else better-sqlite3. */
  open?: Open | undefined;
}

/**
 * Opens a store of one file.
 * @throws TwinwrapError UNSUPPORTED if there is no SQLite, or the file is of a version that is not served; BAD_FORMAT if it is no such store; CONFLICT if it is there and should be created;
 *   BAD_ARGUMENT if it is missing and should not be; FAULT or UNAVAILABLE as for every {@link Store}
 */
export async function openSqlite(path: string, options: SqliteOptions = {}): Promise<Store> {
  const open = options.open ?? (await loadSqlite());
  if (options.readOnly) return openReading(open, path);
  makeOrFind(path, options.create ?? false);
  const writer = connect(open, path);
  try {
    if (options.create) explained(path, () => migrate(writer, () => newVersion(writer)));
    else
      checkVersion(
        path,
        explained(path, () => versionOf(writer)),
      );
    const connectReader = () => {
      const reader = connect(open, path);
      reader.pragma("query_only = ON");
      return reader;
    };
    return new SqlStore(new SqliteDatabase(writer, connectReader));
  } catch (error) {
    writer.close();
    throw error;
  }
}

/**
 * Brings the tables of a store up to date.
 * @returns whether anything was changed
 * @throws TwinwrapError UNSUPPORTED if it is newer, or older than anything that is read; as {@link openSqlite}
 */
export async function migrateSqlite(path: string): Promise<boolean> {
  const open = await loadSqlite();
  makeOrFind(path, false);
  const db = connect(open, path);
  try {
    const version = explained(path, () => versionOf(db));
    if (version === NEWEST) return false;
    if (version > NEWEST || version <= BEFORE) checkVersion(path, version);
    explained(path, () => migrate(db, () => versionOf(db)));
    return true;
  } finally {
    db.close();
  }
}

/** A new file has no version yet. @throws TwinwrapError BAD_FORMAT if it has something in it */
function newVersion(db: SqliteConnection): number {
  if (db.pragma("application_id") === 0 && db.pragma("user_version") === 0) return BEFORE;
  throw notAStore(db.name);
}

/** Tries whether a store can be read where it is. A full disk may have left -wal and -shm that can't be used. */
function opensIn(open: Open): (path: string) => boolean {
  return (path) => {
    try {
      connect(open, path, true).close();
      return true;
    } catch (error) {
      if (!(error instanceof TwinwrapError && error.code === "UNAVAILABLE")) throw error;
      return false;
    }
  };
}

/** Opens a store to read it alone; see sqlite-reading.ts. */
function openReading(open: Open, path: string): Store {
  makeOrFind(path, false);
  const reading = readingOf(path, opensIn(open));
  const connectReader = () => {
    const reader = connect(open, reading.path, !reading.isCopy);
    reader.pragma("query_only = ON");
    return reader;
  };
  try {
    checkReadable(open, reading);
    return new SqlStore(new SqliteDatabase(undefined, connectReader, () => reading.end()));
  } catch (error) {
    reading.end();
    throw error;
  }
}

/** @throws TwinwrapError BAD_FORMAT, UNSUPPORTED */
function checkReadable(open: Open, { path, isCopy }: Reading): void {
  const db = connect(open, path, !isCopy);
  try {
    checkVersion(
      path,
      explained(path, () => versionOf(db)),
    );
  } finally {
    db.close();
  }
}

/**
 * Copies a store as of one moment, while others write, into a new file that is synced. Nothing is written to the
 * folder that it comes from.
 * @throws TwinwrapError as {@link openSqlite}; CONFLICT if there is something at `to`
 */
export async function copySqlite(from: string, to: string): Promise<void> {
  const open = await loadSqlite();
  makeOrFind(from, false);
  const { path, isCopy, end } = readingOf(from, opensIn(open), dirname(to));
  try {
    const db = connect(open, path, !isCopy);
    try {
      explained(from, () => versionOf(db));
      makeOrFind(to, true);
      // One read transaction.
      explained(to, () => db.prepare("VACUUM INTO ?").run([to]));
    } finally {
      db.close();
    }
  } finally {
    end();
  }
  for (const name of [to, dirname(to)]) sync(name);
}

/**
 * Makes the file readable for its user alone, from its first moment on: SQLite would take the umask's mode.
 * An existing file is not opened here: closing it would drop the (POSIX) locks that SQLite holds on it in this
 * process.
 */
function makeOrFind(path: string, create: boolean): void {
  if (!create) {
    if (existsSync(path)) return;
    throw new TwinwrapError("BAD_ARGUMENT", `${path}: there is no such store`);
  }
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600));
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
    throw new TwinwrapError("CONFLICT", `${path} exists already`);
  }
}

function connect(open: Open, path: string, readonly = false): SqliteConnection {
  const db = explained(path, () => open(path, readonly));
  try {
    db.pragma("busy_timeout = 5000");
    // Reads something: whether it can be read at all shows now.
    if (readonly) db.pragma("user_version");
    else db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    // Elsewhere than on macOS, where fsync alone does not reach the disk, these do nothing.
    db.pragma("fullfsync = ON");
    db.pragma("checkpoint_fullfsync = ON");
    db.pragma("foreign_keys = ON");
    db.pragma("trusted_schema = OFF");
    db.pragma("cell_size_check = ON");
    return db;
  } catch (error) {
    db.close();
    if (errorCode(error) === "SQLITE_NOTADB") throw notAStore(path);
    throw inWords(path, error);
  }
}

function notAStore(path: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", `${path} is not the store of an authority`);
}

/** The version of a store's tables. @throws TwinwrapError BAD_FORMAT */
function versionOf(db: SqliteConnection): number {
  if (db.pragma("application_id") !== APPLICATION_ID) throw notAStore(db.name);
  return db.pragma("user_version") as number;
}

/** Makes the tables, or brings older ones up to date. */
function migrate(db: SqliteConnection, version: () => number): void {
  try {
    db.exec("BEGIN IMMEDIATE");
    // Another process may have been here in between.
    const from = version();
    for (const statement of migrationsFrom(from, WORDS)) db.exec(statement);
    if (from === BEFORE) makeTextTable(db);
    db.pragma(`user_version = ${NEWEST}`);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.exec("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/** Some builds of SQLite have no FTS5: then texts are not looked up alone. */
function makeTextTable(db: SqliteConnection): void {
  try {
    db.exec(TEXTS);
  } catch (error) {
    if (!/no such (module|tokenizer)/.test(String(error))) throw error;
  }
}

function hasTextTable(db: SqliteConnection): boolean {
  const sql = "SELECT 1 FROM sqlite_schema WHERE name = 'records_text'";
  return explained(db.name, () => db.prepare(sql).all([])).length > 0;
}

/** One connection, and its prepared statements. */
class SqliteSql implements Sql {
  readonly texts: Sql["texts"];
  readonly #db: SqliteConnection;
  readonly #statements = new Map<string, ReturnType<SqliteConnection["prepare"]>>();
  #isClosed = false;

  constructor(db: SqliteConnection) {
    this.#db = db;
    this.texts = hasTextTable(db) ? "table" : "none";
  }

  get name(): string {
    return this.#db.name;
  }

  async all(sql: string, values: readonly Value[]): Promise<Row[]> {
    this.#check(values);
    return explained(this.name, () => this.#statement(sql).all(values));
  }

  async run(sql: string, values: readonly Value[]): Promise<number> {
    this.#check(values);
    return explained(this.name, () => this.#statement(sql).run(values));
  }

  /**
   * Node 22 would take such a text up to there, and PostgreSQL takes none.
   * @throws TwinwrapError BAD_ARGUMENT; DISPOSED if it was closed
   */
  #check(values: readonly Value[]): void {
    if (this.#isClosed) throw closed();
    if (!values.some((value) => typeof value === "string" && value.includes("\0"))) return;
    throw new TwinwrapError("BAD_ARGUMENT", `${this.name}: it keeps no text with U+0000`);
  }

  close(): void {
    this.#isClosed = true;
    this.#db.close();
  }

  #statement(sql: string) {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

class SqliteDatabase implements Database {
  /** undefined if it is only read. */
  readonly #writer: SqliteConnection | undefined;
  readonly #writing: SqliteSql | undefined;
  readonly reading: SqliteSql;
  readonly #connectReader: () => SqliteConnection;
  readonly #onClose: () => void;

  constructor(
    writer: SqliteConnection | undefined,
    connectReader: () => SqliteConnection,
    onClose: () => void = () => {},
  ) {
    this.#writer = writer;
    this.#writing = writer && new SqliteSql(writer);
    this.reading = new SqliteSql(connectReader());
    this.#connectReader = connectReader;
    // BEGIN is tried again without blocking: this process may itself hold what it waits for.
    writer?.pragma("busy_timeout = 0");
    this.#onClose = onClose;
  }

  async write<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const db = this.#writer;
    if (db === undefined) throw onlyRead();
    await begin(db);
    try {
      const result = await work(this.#writing!);
      explained(db.name, () => db.exec("COMMIT"));
      return result;
    } catch (error) {
      // After some errors SQLite has rolled back by itself.
      if (db.inTransaction) db.exec("ROLLBACK");
      throw error;
    }
  }

  async snapshot<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    // A connection of its own: in WAL mode one read transaction sees one state, and writers go on.
    const db = this.#connectReader();
    try {
      explained(db.name, () => db.exec("BEGIN"));
      return await work(new SqliteSql(db));
    } finally {
      db.close();
    }
  }

  async check(): Promise<string[]> {
    const db = this.#connectReader();
    try {
      const found = explained(db.name, () => [
        ...db
          .prepare("PRAGMA integrity_check")
          .all([])
          .map((row) => String(row.integrity_check)),
        ...db
          .prepare("PRAGMA foreign_key_check")
          .all([])
          .map(
            ({ table, parent }) => `a row of ${table} stands on one of ${parent} that is missing`,
          ),
      ]);
      return found.filter((line) => line !== "ok");
    } finally {
      db.close();
    }
  }

  async close(): Promise<void> {
    this.reading.close();
    this.#writing?.close();
    this.#onClose();
  }
}

function onlyRead(): TwinwrapError {
  return new TwinwrapError("UNAVAILABLE", "the authority was opened to be read alone");
}

async function begin(db: SqliteConnection): Promise<void> {
  const until = Date.now() + BUSY;
  for (;;) {
    try {
      db.exec("BEGIN IMMEDIATE");
      return;
    } catch (error) {
      const isBusy = errorCode(error).startsWith("SQLITE_BUSY");
      if (!isBusy || Date.now() > until) throw inWords(db.name, error);
    }
    await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * PAUSE));
  }
}

function sync(path: string): void {
  const file = openSync(path, constants.O_RDONLY);
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
