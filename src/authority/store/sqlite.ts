import { closeSync, constants, existsSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type BetterSqlite3 from "better-sqlite3";
import { TwinwrapError } from "../../errors.js";
import { errorCode, explained, inWords } from "./sqlite-errors.js";
import { SqliteReads } from "./sqlite-reads.js";
import { APPLICATION_ID, BEFORE, MIGRATIONS } from "./sqlite-schema.js";
import { SqliteWrites } from "./sqlite-writes.js";
import type { Store, StoreReads, StoreWrites } from "./store.js";

// The embedded store: SQLite in WAL mode, every commit synced. A process has two connections: one
// writes, one transaction at a time; the other reads, and so never sees what is not committed.

/** How long a transaction waits for those of other processes, in milliseconds. */
const BUSY = 30_000;
/** Pause between two attempts to begin, in milliseconds, at most. */
const PAUSE = 20;

type Database = BetterSqlite3.Database;

export interface SqliteOptions {
  /** Makes the file, which must not be there; else it must. */
  create?: boolean;
}

/**
 * Opens a store of one file, and brings an older one up to date.
 * @throws TwinwrapError UNSUPPORTED if better-sqlite3 is not installed or the file is from a newer
 *   version; BAD_FORMAT if it is no such store; CONFLICT if it is there and should be created;
 *   BAD_ARGUMENT if it is missing and should not be; FAULT or UNAVAILABLE as for every {@link Store}
 */
export async function openSqlite(path: string, options: SqliteOptions = {}): Promise<Store> {
  const open = await loadSqlite();
  makeOrFind(path, options.create ?? false);
  const writer = connect(open, path);
  try {
    explained(path, () => migrate(writer, options.create ?? false));
    const connectReader = () => {
      const reader = connect(open, path);
      reader.pragma("query_only = ON");
      return reader;
    };
    return new SqliteStore(writer, connectReader);
  } catch (error) {
    writer.close();
    throw error;
  }
}

/**
 * Copies a store as of one moment, while others write, into a new file that is synced.
 * @throws TwinwrapError as {@link openSqlite}; CONFLICT if there is something at `to`
 */
export async function copySqlite(from: string, to: string): Promise<void> {
  const open = await loadSqlite();
  makeOrFind(from, false);
  const db = connect(open, from);
  try {
    if (db.pragma("application_id", { simple: true }) !== APPLICATION_ID) throw notAStore(from);
    makeOrFind(to, true);
    // One read transaction.
    explained(to, () => db.prepare("VACUUM INTO ?").run(to));
  } finally {
    db.close();
  }
  for (const name of [to, dirname(to)]) sync(name);
}

async function loadSqlite(): Promise<(path: string) => Database> {
  try {
    const { default: Sqlite } = await import("better-sqlite3");
    new Sqlite(":memory:").close(); // its native part is looked for only now
    return (path) => new Sqlite(path, { fileMustExist: true });
  } catch (cause) {
    const isMissing = /^(ERR_)?MODULE_NOT_FOUND$|^ERR_DLOPEN_FAILED$/.test(errorCode(cause));
    const advice = isMissing ? "npm install better-sqlite3" : (cause as Error).message;
    throw new TwinwrapError(
      "UNSUPPORTED",
      `an authority's embedded store needs the package better-sqlite3, which cannot be loaded: ${advice}`,
      { cause },
    );
  }
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

function connect(open: (path: string) => Database, path: string): Database {
  const db = explained(path, () => open(path));
  try {
    db.pragma("busy_timeout = 5000");
    db.pragma("journal_mode = WAL");
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

function migrate(db: Database, create: boolean): void {
  const id = db.pragma("application_id", { simple: true });
  const version = () => db.pragma("user_version", { simple: true }) as number;
  if (create ? id !== 0 || version() !== 0 : id !== APPLICATION_ID) throw notAStore(db.name);
  const newest = BEFORE + MIGRATIONS.length;
  if (version() === newest) return;
  if (version() > newest) {
    throw new TwinwrapError("UNSUPPORTED", `${db.name} was made by a newer version of Twinwrap`);
  }
  if (!create && version() <= BEFORE) {
    throw new TwinwrapError(
      "UNSUPPORTED",
      `${db.name} was made before the first release of Twinwrap, in a format that is not read any more`,
    );
  }
  try {
    db.exec("BEGIN IMMEDIATE");
    // Another process may have been here in between.
    const done = Math.max(0, version() - BEFORE);
    for (const statements of MIGRATIONS.slice(done)) db.exec(statements);
    db.pragma(`user_version = ${newest}`);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.exec("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

class SqliteStore extends SqliteReads implements Store {
  readonly #writer: Database;
  readonly #reader: Database;
  readonly #connectReader: () => Database;
  /** The transaction that began last; the next one waits for its end. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(writer: Database, connectReader: () => Database) {
    const reader = connectReader();
    super(reader);
    this.#writer = writer;
    this.#reader = reader;
    this.#connectReader = connectReader;
    // BEGIN is tried again without blocking: this process may itself hold what it waits for.
    writer.pragma("busy_timeout = 0");
  }

  write<T>(work: (writes: StoreWrites) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    const result = this.#last.then(() => this.#transaction(work));
    this.#last = result.catch(() => {});
    return result;
  }

  async #transaction<T>(work: (writes: StoreWrites) => Promise<T>): Promise<T> {
    const db = this.#writer;
    await begin(db);
    const writes = new SqliteWrites(db);
    try {
      const result = await work(writes);
      writes.check();
      explained(db.name, () => db.exec("COMMIT"));
      return result;
    } catch (error) {
      // After some errors SQLite has rolled back by itself.
      if (db.inTransaction) db.exec("ROLLBACK");
      throw error;
    } finally {
      writes.end();
    }
  }

  async snapshot<T>(work: (reads: StoreReads) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    // A connection of its own: in WAL mode one read transaction sees one state, and writers go on.
    const db = this.#connectReader();
    try {
      explained(db.name, () => db.exec("BEGIN"));
      return await work(new SqliteReads(db));
    } finally {
      db.close();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    this.#reader.close();
    this.#writer.close();
  }
}

function closed(): TwinwrapError {
  return new TwinwrapError("DISPOSED", "the store was closed");
}

async function begin(db: Database): Promise<void> {
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
