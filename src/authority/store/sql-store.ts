import { TwinwrapError } from "../../errors.js";
import { SqlReads } from "./reads.js";
import type { Sql } from "./sql.js";
import type { Store, StoreReads, StoreWrites } from "./store.js";
import { SqlWrites, Transaction } from "./writes.js";

/** A database, as a store needs it. */
export interface Database {
  /** For what is read outside of transactions. */
  readonly reading: Sql;
  /**
   * Does `work` in one transaction in which nobody else writes. May begin again and do it again.
   * @throws what `work` throws, with nothing written
   */
  write<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** Does `work` on everything as of one moment. */
  snapshot<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** {@link Store.check} */
  check(): Promise<string[] | undefined>;
  close(): Promise<void>;
}

/** A store in a database that speaks SQL. */
export class SqlStore extends SqlReads implements Store {
  readonly #database: Database;
  /** The transaction that began last; the next one waits for its end. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(database: Database) {
    super(database.reading);
    this.#database = database;
  }

  write<T>(work: (writes: StoreWrites) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    const result = this.#last.then(() =>
      this.#database.write(async (sql) => {
        const transaction = new Transaction(sql);
        try {
          const done = await work(new SqlWrites(transaction));
          transaction.check();
          return done;
        } finally {
          transaction.end();
        }
      }),
    );
    this.#last = result.catch(() => {});
    return result;
  }

  async snapshot<T>(work: (reads: StoreReads) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    return this.#database.snapshot((sql) => work(new SqlReads(sql)));
  }

  async check(): Promise<string[] | undefined> {
    if (this.#closed) throw closed();
    return this.#database.check();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    await this.#database.close();
  }
}

export function closed(): TwinwrapError {
  return new TwinwrapError("DISPOSED", "the store was closed");
}
