import { randomBytes, toHex } from "../../bytes.js";
import { TwinwrapError } from "../../errors.js";
import { CLOCK_SKEW } from "../clock.js";
import { Connection, explained } from "./postgres-connection.js";
import { isConflict, isLost, isStarting, sqlState } from "./postgres-errors.js";
import { checkDurability } from "./postgres-settings.js";
import { nameOf, type PostgresPlace } from "./postgres-url.js";
import { BEFORE, checkVersion, migrationsFrom, NEWEST, type Words } from "./schema.js";
import type { Row, Sql, Value } from "./sql.js";
import { closed, type Database, SqlStore } from "./sql-store.js";
import type { Store } from "./store.js";

// The store for several machines. Whoever writes takes the row of the head first, so that writers stand in one queue
// and none of them has to begin again. A connection can be lost at any moment, also while it commits: each commit
// leaves its number, by which the process finds out whether it was done.

/** How long a piece of work is tried again, in milliseconds, counted from its first failure. */
const PATIENCE = 30_000;
/** The pause before it is tried again, at most. */
const PAUSE = 500;
/** How long one statement of a transaction may take, a commit that waits for a standby among them. */
const STATEMENT = 60_000;
/** Connections for reading. */
const READERS = 4;
/** Seconds after which the numbers of a process that is gone are dropped. */
const FORGET = 7 * 86_400;

const WORDS: Words = { integer: "BIGINT", bytes: "BYTEA", table: "", ordered: "" };

/** What only this store has: the numbers by which a process knows its commits. */
const WRITERS = `CREATE TABLE writers (
  writer TEXT PRIMARY KEY,
  commits BIGINT NOT NULL,
  last_time BIGINT NOT NULL
)`;
/** And the version of its tables. */
const VERSION = "CREATE TABLE version (version BIGINT PRIMARY KEY)";

export interface PostgresOptions extends PostgresPlace {
  /** Makes the schema, which must not be there; else it must. */
  create?: boolean | undefined;
  /** {@link Store.write} is UNAVAILABLE; the server may be a standby. */
  readOnly?: boolean | undefined;
}

/**
 * Opens a store in a schema of a PostgreSQL database.
 * @throws TwinwrapError UNSUPPORTED if it is of a version that is not served; CONFLICT if it is there and should be
 *   made; BAD_ARGUMENT if it is missing and should not be; REFUSED if the server may lose what was committed; FAULT or
 *   UNAVAILABLE as for every {@link Store}
 */
export async function openPostgres(options: PostgresOptions): Promise<Store> {
  const name = nameOf(options);
  const { create, readOnly } = options;
  return explained(name, async () => {
    const connection = await connected(options, { readOnly });
    try {
      if (!readOnly) await checkDurability(connection, options);
      if (create) await makeSchema(connection, options);
      else checkVersion(name, await versionOf(connection));
      connection.texts = (await hasTextIndex(connection)) ? "index" : "none";
      return new SqlStore(new PostgresDatabase(options, connection));
    } catch (error) {
      await connection.close();
      throw error;
    }
  });
}

/** At the beginning: a server that is not there at all may have another name. */
function connected(
  place: PostgresPlace,
  about: Parameters<typeof Connection.open>[1],
): Promise<Connection> {
  return patiently(() => Connection.open(place, about), isStarting);
}

/** Since when a server can't be reached, in milliseconds. */
interface Outage {
  since?: number | undefined;
}

/**
 * Does something again, with pauses, as long as it fails in a way that may pass.
 * @param outage all that is tried during one has the same patience: who comes later is told at once
 * @throws its last error
 */
async function patiently<T>(
  work: () => Promise<T>,
  mayPass: (error: unknown) => boolean,
  outage: Outage = {},
): Promise<T> {
  for (let pause = 10; ; pause = Math.min(2 * pause, PAUSE)) {
    try {
      const done = await work();
      outage.since = undefined;
      return done;
    } catch (error) {
      if (!mayPass(error)) {
        outage.since = undefined; // it was reached
        throw error;
      }
      outage.since ??= Date.now();
      if (Date.now() > outage.since + PATIENCE) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause * (0.5 + Math.random())));
  }
}

/** The version of the tables in the schema. @throws TwinwrapError BAD_ARGUMENT if there are none */
async function versionOf(connection: Connection): Promise<number> {
  try {
    const [row] = await connection.exec("SELECT version FROM version");
    return Number(row?.version ?? 0);
  } catch (error) {
    if (sqlState(error) !== "42P01") throw error;
    throw new TwinwrapError("BAD_ARGUMENT", `${connection.name}: there is no such store`);
  }
}

/** What PostgreSQL says to the later one of two who make the same: 42P06 a schema, 42P07 a table, 23505 either. */
const MADE_TWICE = ["42P06", "42P07", "23505"];

async function makeSchema(connection: Connection, { schema }: PostgresPlace): Promise<void> {
  const [{ encoding } = {}] = await connection.exec(
    "SELECT current_setting('server_encoding') AS encoding",
  );
  if (encoding !== "UTF8") {
    const message = `${connection.name}: its encoding is ${encoding}, but has to be UTF8`;
    throw new TwinwrapError("UNSUPPORTED", message);
  }
  const [found] = await connection.all(
    `SELECT (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid) AS things
      FROM pg_namespace n WHERE nspname = ?`,
    [schema],
  );
  try {
    // An empty one that an administrator has made is as good.
    if (found !== undefined && found.things !== 0) throw somethingIn(connection);
    await migrate(connection, BEFORE, found === undefined ? `CREATE SCHEMA "${schema}"` : "");
  } catch (error) {
    throw MADE_TWICE.includes(sqlState(error)) ? somethingIn(connection) : error;
  }
}

function somethingIn({ name }: Connection): TwinwrapError {
  return new TwinwrapError("CONFLICT", `${name}: there is something already`);
}

/**
 * Brings the tables of a store up to date. Other processes go on meanwhile, if they serve both versions.
 * @returns whether anything was changed
 * @throws TwinwrapError UNSUPPORTED if it is newer, or older than anything that is read; as {@link openPostgres}
 */
export async function migratePostgres(place: PostgresPlace): Promise<boolean> {
  return explained(nameOf(place), async () => {
    const connection = await connected(place, {});
    try {
      const version = await versionOf(connection);
      if (version === NEWEST) return false;
      if (version > NEWEST || version <= BEFORE) checkVersion(connection.name, version);
      await migrate(connection, version);
      return true;
    } finally {
      await connection.close();
    }
  });
}

/** Removes the tables of a store; and its schema, if its user could make it again. */
export async function dropPostgres(place: PostgresPlace): Promise<void> {
  await explained(nameOf(place), async () => {
    const connection = await connected(place, {});
    try {
      const tables = await connection.all("SELECT tablename FROM pg_tables WHERE schemaname = ?", [
        place.schema,
      ]);
      const names = tables.map(({ tablename }) => `"${place.schema}"."${tablename}"`);
      if (names.length > 0) await connection.exec(`DROP TABLE ${names.join(", ")} CASCADE`);
      const [may] = await connection.exec(
        "SELECT has_database_privilege(current_database(), 'CREATE') AS make",
      );
      if (may?.make) await connection.exec(`DROP SCHEMA "${place.schema}"`);
    } finally {
      await connection.close();
    }
  });
}

/**
 * Makes the tables, or brings older ones up to date, all of it or nothing.
 * @param first a statement that comes before
 */
async function migrate(connection: Connection, found: number, first = ""): Promise<void> {
  await connection.exec(`BEGIN; ${first}`);
  let from = found;
  if (found > BEFORE) {
    // Another process may have been here in between.
    await connection.exec("SELECT place FROM head WHERE one = 1 FOR UPDATE");
    from = await versionOf(connection);
  }
  await connection.exec(migrationsFrom(from, WORDS).join(";\n"));
  if (from === BEFORE) {
    await connection.exec(WRITERS);
    await connection.exec(VERSION);
    await makeTextIndex(connection);
  }
  await connection.exec(`DELETE FROM version; INSERT INTO version (version) VALUES (${NEWEST})`);
  await connection.exec("COMMIT");
}

/** Where the extension is, or its user may make it. Without it texts are not looked up alone. */
async function makeTextIndex(connection: Connection): Promise<void> {
  await connection.exec("SAVEPOINT trigrams");
  try {
    await connection.exec("CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public");
    const [row] = await connection.exec(
      "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_trgm'",
    );
    await connection.exec(
      `CREATE INDEX records_text ON records USING gin (folded "${row?.nspname}".gin_trgm_ops)`,
    );
    await connection.exec("RELEASE SAVEPOINT trigrams");
  } catch (error) {
    if (isLost(error)) throw error;
    await connection.exec("ROLLBACK TO SAVEPOINT trigrams");
  }
}

async function hasTextIndex(connection: Connection): Promise<boolean> {
  const [row] = await connection.exec("SELECT to_regclass('records_text') IS NOT NULL AS found");
  return Boolean(row?.found);
}

/** Connections for reading, each for one query at a time. */
class Readers implements Sql {
  readonly name: string;
  readonly texts: Sql["texts"];
  readonly #open: () => Promise<Connection>;
  readonly #idle: Connection[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #outage: Outage = {};
  #count = 0;
  #isClosed = false;

  /** @param first one that is open */
  constructor(first: Connection, open: () => Promise<Connection>) {
    this.name = first.name;
    this.texts = first.texts;
    this.#open = open;
    this.#idle.push(first);
    this.#count = 1;
  }

  all(sql: string, values: readonly Value[]): Promise<Row[]> {
    return this.#with((connection) => connection.all(sql, values));
  }

  run(sql: string, values: readonly Value[]): Promise<number> {
    return this.#with((connection) => connection.run(sql, values));
  }

  /** What is only read can be read again. */
  #with<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return explained(this.name, () => patiently(() => this.#once(work), isLost, this.#outage));
  }

  async #once<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    while (this.#idle.length === 0 && this.#count >= READERS && !this.#isClosed) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#isClosed) throw closed();
    this.#count += this.#idle.length === 0 ? 1 : 0;
    let connection = this.#idle.pop();
    try {
      connection ??= await this.#open();
      return await work(connection);
    } finally {
      if (this.#isClosed) void connection?.close();
      else if (connection === undefined || connection.isBroken) this.#count--;
      else this.#idle.push(connection);
      this.#waiting.shift()?.();
    }
  }

  /** Those at work are closed when they are done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const wake of this.#waiting.splice(0)) wake();
    await Promise.all(this.#idle.splice(0).map((connection) => connection.close()));
  }
}

class PostgresDatabase implements Database {
  readonly #options: PostgresOptions;
  readonly #name: string;
  readonly #readers: Readers;
  readonly #writer = toHex(randomBytes(16));
  #connection: Connection | undefined;
  readonly #outage: Outage = {};
  /** The attempt that began last. */
  #last: Promise<unknown> = Promise.resolve();
  /** Commits that this process has tried so far: each has a number of its own. */
  #commits = 0;
  /** Whether something of this process may be on no standby. */
  #isUnsure = false;

  /** @param first a connection that is open */
  constructor(options: PostgresOptions, first: Connection) {
    this.#options = options;
    this.#name = first.name;
    this.#readers = new Readers(first, () => Connection.open(options, this.#about));
  }

  get reading(): Sql {
    const readers = this.#readers;
    return {
      name: this.#name,
      texts: readers.texts,
      all: (sql, values) => this.#sure(() => readers.all(sql, values)),
      run: (sql, values) => this.#sure(() => readers.run(sql, values)),
    };
  }

  /** On a connection for reading: it takes no place in the queue of writers. */
  get aside(): Sql {
    return this.reading;
  }

  /** Does something as soon as all that this process has committed is where it has to be. */
  async #sure<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isUnsure) await this.#confirm();
    return work();
  }

  async write<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    if (this.#options.readOnly) {
      throw new TwinwrapError("UNAVAILABLE", "the authority was opened to be read alone");
    }
    if (this.#isUnsure) await this.#confirm();
    const result = await explained(this.#name, () =>
      patiently(
        () => this.#transaction(work),
        (error) => isLost(error) || isConflict(error),
        this.#outage,
      ),
    );
    if (this.#isUnsure) throw this.#unsure();
    return result;
  }

  #unsure(): TwinwrapError {
    return new TwinwrapError(
      "UNAVAILABLE",
      `${this.#name}: no standby has confirmed what was written: it may be there or not, ask again later`,
    );
  }

  /** One attempt, after those before it: they share a connection. */
  #transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const result = this.#last.then(() => this.#attempt(work));
    this.#last = result.catch(() => {});
    return result;
  }

  async #attempt<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const connection = await this.#connected();
    let result: T;
    try {
      const [row] = await connection.exec(BEGIN);
      checkClock(connection.name, Number(row?.now) * 1000);
      result = await work(connection);
    } catch (error) {
      await this.#rollback(connection);
      throw error;
    }
    await this.#commit(connection);
    return result;
  }

  async #rollback(connection: Connection): Promise<void> {
    await connection.exec("ROLLBACK").catch(() => this.#drop());
  }

  #drop(): void {
    void this.#connection?.close();
    this.#connection = undefined;
  }

  get #about() {
    const { readOnly } = this.#options;
    return { texts: this.#readers.texts, readOnly };
  }

  async #connected(): Promise<Connection> {
    if (this.#connection?.isBroken) this.#drop();
    this.#connection ??= await Connection.open(this.#options, this.#about);
    return this.#connection;
  }

  async #commit(connection: Connection): Promise<void> {
    const number = ++this.#commits;
    try {
      await connection.exec(`${this.#mark(number)}; COMMIT`);
    } catch (error) {
      if (!isLost(error)) {
        await this.#rollback(connection);
        throw error;
      }
      this.#drop();
      if (!(await this.#isDone(number))) throw error;
    }
    if (connection.isUnsure) {
      connection.isUnsure = false;
      this.#isUnsure = true;
    }
  }

  /** Writes the number of a commit. It is part of the text, since several statements have no values. */
  #mark(number: number): string {
    const now = Math.floor(Date.now() / 1000);
    const mark = `INSERT INTO writers (writer, commits, last_time)
      VALUES ('${this.#writer}', ${number}, ${now})
      ON CONFLICT (writer) DO UPDATE SET commits = excluded.commits, last_time = excluded.last_time`;
    if (number > 1) return mark;
    return `DELETE FROM writers WHERE last_time < ${now - FORGET}; ${mark}`;
  }

  /**
   * Whether a commit was done whose connection was lost. Whoever holds the head's row knows that the transaction is
   * over.
   * @throws TwinwrapError UNAVAILABLE if nobody can tell: then nothing is tried again, or it could be done twice
   */
  async #isDone(number: number): Promise<boolean> {
    try {
      return await patiently(
        async () => {
          const connection = await this.#connected();
          await connection.exec(BEGIN);
          const sql = `SELECT commits FROM writers WHERE writer = '${this.#writer}'`;
          const [row] = await connection.exec(sql);
          await connection.exec("ROLLBACK");
          return Number(row?.commits ?? 0) >= number;
        },
        isLost,
        this.#outage,
      );
    } catch (cause) {
      this.#drop();
      throw new TwinwrapError(
        "UNAVAILABLE",
        `${this.#name} was lost while it committed: what was written may be there or not, ask again later`,
        { cause },
      );
    }
  }

  /** A small commit that the standbys confirm, and with it all before it. @throws TwinwrapError UNAVAILABLE */
  async #confirm(): Promise<void> {
    this.#isUnsure = false;
    try {
      await explained(this.#name, () =>
        patiently(() => this.#transaction(async () => {}), isLost, this.#outage),
      );
    } catch (error) {
      this.#isUnsure = true;
      throw error;
    }
    if (this.#isUnsure) throw this.#unsure();
  }

  async snapshot<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.#sure(() =>
      explained(this.#name, async () => {
        const open = () => Connection.open(this.#options, this.#about);
        const connection = await patiently(open, isLost, this.#outage);
        try {
          await connection.exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
          return await work(connection);
        } finally {
          await connection.close();
        }
      }),
    );
  }

  /** By the extension amcheck, where an administrator has made it: each index, and whether it has all rows. */
  async check(): Promise<string[] | undefined> {
    return this.snapshot(async (sql) => {
      const [amcheck] = await sql.all(
        "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'amcheck'",
        [],
      );
      if (amcheck === undefined) return undefined;
      const indexes = await sql.all(
        `SELECT CAST(CAST(c.oid AS BIGINT) AS TEXT) AS oid, relname FROM pg_class c JOIN pg_am a ON a.oid = relam
          WHERE relkind = 'i' AND amname = 'btree' AND relnamespace = CAST(? AS regnamespace)`,
        [this.#options.schema],
      );
      for (const { oid, relname } of indexes) {
        const check = `SELECT "${amcheck.nspname}".bt_index_check(CAST(CAST(? AS BIGINT) AS OID), true)`;
        try {
          await sql.all(check, [String(oid)]);
        } catch (error) {
          if (!(error instanceof Error) || isLost(error)) throw error;
          // After that the transaction is over: the first one is told.
          return [`${relname}: ${error.message}`];
        }
      }
      return [];
    });
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#readers.close();
    await this.#connection?.close();
  }
}

/** Of a process whose clock is wrong the log would have wrong times. @throws TwinwrapError UNAVAILABLE */
function checkClock(name: string, theirs: number): void {
  const ours = Date.now();
  if (Math.abs(ours - theirs) <= CLOCK_SKEW) return;
  const [here, there] = [ours, theirs].map((time) => new Date(time).toISOString());
  throw new TwinwrapError(
    "UNAVAILABLE",
    `${name}: this machine's clock says ${here}, the database's ${there}: nothing is written until they agree`,
  );
}

/** The queue of those who write; then what time it is there. */
const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = ${STATEMENT};
  SELECT place FROM head WHERE one = 1 FOR UPDATE;
  SELECT extract(epoch FROM clock_timestamp()) AS now`;
