// What the SQL of every store is said to: one connection, or several that are as good as one. The SQL itself is what
// SQLite, PostgreSQL and those that speak its dialect all take (.tools/sql.mjs checks it).

/** What a column can hold. */
export type Value = number | string | Uint8Array | null;

export type Row = { [column: string]: Value };

export interface Sql {
  /** Where it is, for messages. */
  readonly name: string;
  /**
   * How texts are found within descriptions: through a table of their trigrams beside the records (SQLite's FTS5), by
   * an index of the records (PostgreSQL's pg_trgm), or by reading records.
   */
  readonly texts: "table" | "index" | "none";
  /**
   * Rows of a query.
   * @param sql with a question mark for each value
   */
  all(sql: string, values: readonly Value[]): Promise<Row[]>;
  /** Does something else. @returns how many rows it changed */
  run(sql: string, values: readonly Value[]): Promise<number>;
}
