import { TwinwrapError } from "../../errors.js";
import { SqlReads } from "./reads.js";
import type { Sql, Value } from "./sql.js";
import type { DeliveryName, Store, StoreReads, StoreWrites } from "./store.js";
import { SqlWrites, Transaction } from "./writes.js";

/** A database, as a store needs it. */
export interface Database {
  /** For what is read outside of transactions. */
  readonly reading: Sql;
  /**
   * For what is written outside of them, a statement at a time, and more than once if a connection is lost; undefined
   * where there is one writer for everything.
   */
  readonly aside?: Sql | undefined;
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
    return this.#write(async (sql) => {
      const transaction = new Transaction(sql);
      try {
        const done = await work(new SqlWrites(transaction));
        transaction.check();
        return done;
      } finally {
        transaction.end();
      }
    });
  }

  #write<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed();
    const result = this.#last.then(() => this.#database.write(work));
    this.#last = result.catch(() => {});
    return result;
  }

  /** One statement that decides nothing, and changes the same however often it is said. */
  async #aside(sql: string, ...values: Value[]): Promise<number> {
    if (this.#closed) throw closed();
    const { aside } = this.#database;
    return aside === undefined
      ? this.#write((own) => own.run(sql, values))
      : aside.run(sql, values);
  }

  async holdReceiver(id: string, holder: string, now: Date, until: Date): Promise<boolean> {
    const sql = `UPDATE receivers SET holder = ?, held = ?
      WHERE id = ? AND (held <= ? OR holder = ?)`;
    const values = [holder, until.getTime(), id, now.getTime(), holder];
    return (await this.#aside(sql, ...values)) > 0;
  }

  async freeReceiver(id: string, holder: string): Promise<void> {
    await this.#aside("UPDATE receivers SET held = 0 WHERE id = ? AND holder = ?", id, holder);
  }

  async noteDelivered({ receiver, event }: DeliveryName): Promise<void> {
    await this.#aside("DELETE FROM deliveries WHERE receiver = ? AND event = ?", receiver, event);
  }

  async noteFailed(
    { receiver, event }: DeliveryName,
    { state, attempts, due, reason }: Parameters<Store["noteFailed"]>[1],
  ): Promise<void> {
    const sql = `UPDATE deliveries SET state = ?, attempts = ?, due = ?, reason = ?
      WHERE receiver = ? AND event = ?`;
    await this.#aside(sql, state, attempts, due.getTime(), reason, receiver, event);
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
