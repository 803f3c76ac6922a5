// Many rows in one statement. SQL stays what SQLite and PostgreSQL both take.

/** Rows of a statement at most: even with 15 values each, below the 999 that any SQLite takes. */
const MOST = 64;

/** The rows in pieces whose lengths are powers of two, so that few different statements are prepared. */
export function* batches<Row>(rows: readonly Row[]): Generator<readonly Row[]> {
  for (let at = 0, length = MOST; at < rows.length; at += length) {
    while (length > rows.length - at) length /= 2;
    yield rows.slice(at, at + length);
  }
}

/** `part` once for each of some rows: `"(?, ?), (?, ?)"`. */
export function repeated(part: string, rows: readonly unknown[], between = ", "): string {
  return Array.from(rows, () => part).join(between);
}
