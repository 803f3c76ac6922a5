import { closeSync, constants, existsSync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type BetterSqlite3 from "better-sqlite3";
import { TwinwrapError } from "../../errors.js";
import { errorCode, explained, inWords } from "./sqlite-errors.js";
import { type Reading, readingOf } from "./sqlite-reading.js";
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
  /** Writes nothing to its folder, and needs no right to: {@link Store.write} is UNAVAILABLE. */
  readOnly?: boolean;
}

/**
 * Opens a store of one file, and brings an older one up to date.
 * @throws TwinwrapError UNSUPPORTED if better-sqlite3 is not installed or the file is from a newer
 *   version; BAD_FORMAT if it is no such store; CONFLICT if it is there and should be created;
 *   BAD_ARGUMENT if it is missing and should not be; FAULT or UNAVAILABLE as for every {@link Store}
 */
export async function openSqlite(path: string, options: SqliteOptions = {}): Promise<Store> {
  const open = await loadSqlite();
  if (options.readOnly) return openReading(open, path);
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
    return new SqliteStore(undefined, connectReader, () => reading.end());
  } catch (error) {
    reading.end();
    throw error;
  }
}

/** @throws TwinwrapError BAD_FORMAT, UNSUPPORTED */
function checkReadable(open: Open, { path, isCopy }: Reading): void {
  const db = connect(open, path, !isCopy);
  try {
    // A copy of our own is brought up to date.
    if (isCopy) explained(path, () => migrate(db, false));
    if (db.pragma("application_id", { simple: true }) !== APPLICATION_ID) throw notAStore(path);
    const version = db.pragma("user_version", { simple: true }) as number;
    if (version === BEFORE + MIGRATIONS.length) return;
    throw new TwinwrapError(
      "UNSUPPORTED",
      `${path} was made by another version of Twinwrap: whoever may write it has to open it once`,
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
      if (db.pragma("application_id", { simple: true }) !== APPLICATION_ID) throw notAStore(from);
      makeOrFind(to, true);
      // One read transaction.
      explained(to, () => db.prepare("VACUUM INTO ?").run(to));
    } finally {
      db.close();
    }
  } finally {
    end();
  }
  for (const name of [to, dirname(to)]) sync(name);
}

type Open = (path: string, readonly: boolean) => Database;

async function loadSqlite(): Promise<Open> {
  try {
    const { default: Sqlite } = await import("better-sqlite3");
    new Sqlite(":memory:").close(); // its native part is looked for only now
    return (path, readonly) => new Sqlite(path, { fileMustExist: true, readonly });
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

function connect(open: Open, path: string, readonly = false): Database {
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
  /** undefined if it is only read. */
  readonly #writer: Database | undefined;
  readonly #reader: Database;
  readonly #connectReader: () => Database;
  /** The transaction that began last; the next one waits for its end. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  readonly #onClose: () => void;

  constructor(
    writer: Database | undefined,
    connectReader: () => Database,
    onClose: () => void = () => {},
  ) {
    const reader = connectReader();
    super(reader);
    this.#writer = writer;
    this.#reader = reader;
    this.#connectReader = connectReader;
    // BEGIN is tried again without blocking: this process may itself hold what it waits for.
    writer?.pragma("busy_timeout = 0");
    this.#onClose = onClose;
  }

  write<T>(work: (writes: StoreWrites) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    const writer = this.#writer;
    if (writer === undefined) return Promise.reject(onlyRead());
    const result = this.#last.then(() => this.#transaction(writer, work));
    this.#last = result.catch(() => {});
    return result;
  }

  async #transaction<T>(db: Database, work: (writes: StoreWrites) => Promise<T>): Promise<T> {
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
    this.#writer?.close();
    this.#onClose();
  }
}

function onlyRead(): TwinwrapError {
  return new TwinwrapError("UNAVAILABLE", "the authority was opened to be read alone");
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
