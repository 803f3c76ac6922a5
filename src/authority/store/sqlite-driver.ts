import { TwinwrapError } from "../../errors.js";
import type { Row, Value } from "./sql.js";
import { errorCode } from "./sqlite-errors.js";

// SQLite as the engine has it (node:sqlite), or else as the package better-sqlite3 has it. All that is different
// between them is here.

export interface SqliteConnection {
  /** The path. */
  readonly name: string;
  readonly inTransaction: boolean;
  exec(sql: string): unknown;
  /** @returns the value of a pragma, or what it says when it is set */
  pragma(text: string): unknown;
  prepare(sql: string): {
    all(values: readonly Value[]): Row[];
    /** @returns how many rows it changed */
    run(values: readonly Value[]): number;
  };
  close(): void;
}

/** Opens an existing file. */
export type Open = (path: string, readonly: boolean) => SqliteConnection;

/** @throws TwinwrapError UNSUPPORTED if there is neither */
export async function loadSqlite(): Promise<Open> {
  return (await loadBuiltIn()) ?? (await loadPackage());
}

/** Node 22.13 and newer; undefined elsewhere. */
export async function loadBuiltIn(): Promise<Open | undefined> {
  const { getBuiltinModule } = process as {
    getBuiltinModule?: (name: string) => NodeSqlite | undefined;
  };
  // Earlier versions have it behind a flag, without all that is needed.
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 22 || (major === 22 && minor < 13)) return undefined;
  const found = withoutWarning(() => getBuiltinModule?.("node:sqlite"));
  if (found === undefined) return undefined;
  const { DatabaseSync } = found;
  return (path, readonly) => {
    const db = new DatabaseSync(path, { readOnly: readonly });
    const one = (sql: string) => Object.values(db.prepare(sql).get() ?? {})[0];
    let isClosed = false;
    return {
      name: path,
      get inTransaction() {
        return db.isTransaction ?? isInTransaction(db);
      },
      exec: (sql) => db.exec(sql),
      pragma: (text) => one(`PRAGMA ${text}`),
      prepare: (sql) => {
        const statement = db.prepare(sql);
        return {
          all: (values) => statement.all(...values.map(bindable)),
          run: (values) => Number(statement.run(...values.map(bindable)).changes),
        };
      },
      close() {
        if (!isClosed) db.close();
        isClosed = true;
      },
    };
  };
}

/** No bytes, at an address: Node 22 takes those without one for NULL. */
const NONE = new Uint8Array(new ArrayBuffer(1), 0, 0);

function bindable(value: Value): Value {
  return value instanceof Uint8Array && value.length === 0 ? NONE : value;
}

/** What is used of node:sqlite (https://nodejs.org/api/sqlite.html). */
interface NodeSqlite {
  DatabaseSync: new (path: string, options: { readOnly: boolean }) => NodeDatabase;
}

interface NodeDatabase {
  /** Missing in Node 22. */
  readonly isTransaction?: boolean;
  exec(sql: string): void;
  prepare(sql: string): {
    all(...values: Value[]): Row[];
    get(...values: Value[]): Row | undefined;
    run(...values: Value[]): { changes: number | bigint };
  };
  close(): void;
}

/** A transaction can be begun only where there is none. */
function isInTransaction(db: NodeDatabase): boolean {
  try {
    db.exec("BEGIN");
  } catch {
    return true;
  }
  db.exec("ROLLBACK");
  return false;
}

/** Node says each time that this module is experimental, among the messages that people should read. */
function withoutWarning<T>(work: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return work();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** @throws TwinwrapError UNSUPPORTED if it is not installed */
export async function loadPackage(): Promise<Open> {
  try {
    const { default: Sqlite } = await import("better-sqlite3");
    new Sqlite(":memory:").close(); // its native part is looked for only now
    return (path, readonly) => {
      const db = new Sqlite(path, { fileMustExist: true, readonly });
      return {
        name: path,
        get inTransaction() {
          return db.inTransaction;
        },
        exec: (sql) => db.exec(sql),
        pragma: (text) => db.pragma(text, { simple: true }),
        prepare: (sql) => {
          const statement = db.prepare<Value[], Row>(sql);
          return {
            all: (values) => statement.all(...values),
            run: (values) => statement.run(...values).changes,
          };
        },
        close: () => db.close(),
      };
    };
  } catch (cause) {
    const isMissing = /^(ERR_)?MODULE_NOT_FOUND$|^ERR_DLOPEN_FAILED$/.test(errorCode(cause));
    const advice = isMissing ? "npm install better-sqlite3" : (cause as Error).message;
    throw new TwinwrapError(
      "UNSUPPORTED",
      `an authority's embedded store needs Node 22.13 or newer, or the package better-sqlite3, which cannot be loaded: ${advice}`,
      { cause },
    );
  }
}
