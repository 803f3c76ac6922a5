import type { Database, Statement } from "better-sqlite3";
import { toHex } from "../../bytes.js";
import type { Padding, Wrap } from "../../envelope/index.js";
import { TwinwrapError } from "../../errors.js";
import {
  type Page,
  type PageOptions,
  RECORD_STATUSES,
  type RecordQuery,
  type RecordStatus,
  type RequestQuery,
  type RequestStatus,
} from "../../escrow/authority-client.js";
import type { NodeId } from "../../escrow/merkle.js";
import { batches, repeated } from "./batches.js";
import { indexOf, logOf, placeOf } from "./place.js";
import { explained } from "./sqlite-errors.js";
import type {
  ApprovalRow,
  BlockQuery,
  Candidate,
  EnrolmentRow,
  LogEntry,
  LogExtent,
  LogHead,
  NoteRow,
  RecordRow,
  ReleaseRow,
  RequestRow,
  StoreReads,
  VetoRow,
} from "./store.js";

/** What a column can hold. */
export type Value = number | string | Uint8Array | null;
type Row = { [column: string]: Value };
export type RowStatement = Statement<Value[], Row>;

const PAGE = 50;
const MAX_PAGE = 1000;

/** A text in the form used for searching: case and the composition of accents make no difference. */
export function fold(text: string): string {
  return text.normalize("NFC").toLowerCase();
}

export function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}

/** The driver's Buffer as plain bytes. */
function bytes(row: Row, column: string): Uint8Array {
  const value = row[column] as Uint8Array;
  return new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.length);
}

function number(row: Row, column: string): number | undefined {
  return (row[column] as number | null) ?? undefined;
}

function text(row: Row, column: string): string {
  return row[column] as string;
}

function optionalText(row: Row, column: string): string | undefined {
  return (row[column] as string | null) ?? undefined;
}

function time(row: Row, column: string): Date {
  return new Date((row[column] as number) * 1000);
}

function wrapOf(row: Row): Wrap {
  return {
    fingerprint: bytes(row, "fingerprint"),
    padding: text(row, "padding") as Padding,
    simpleBlob: bytes(row, "simple_blob"),
  };
}

/** A wrap without a tag has an empty one there: it is a part of the key. */
function candidateOf(row: Row): Candidate {
  const tag = bytes(row, "tag");
  return { tag: tag.length === 0 ? undefined : tag, wrap: wrapOf(row) };
}

function headOf(row: Row): LogHead {
  const place = number(row, "place")!;
  return {
    log: logOf(place),
    size: indexOf(place),
    root: bytes(row, "root"),
    checkpoint: text(row, "note"),
  };
}

function recordOf(row: Row): RecordRow {
  return {
    hash: bytes(row, "hash"),
    owner: text(row, "owner"),
    serial: bytes(row, "serial"),
    description: optionalText(row, "description"),
    label: optionalText(row, "label"),
    created: time(row, "created"),
    record: bytes(row, "content"),
    status: text(row, "status") as RecordStatus,
    escrowLeaf: number(row, "escrow_leaf"),
    verifiedLeaf: number(row, "verified_leaf"),
  };
}

function requestOf(row: Row): RequestRow {
  return {
    hash: bytes(row, "hash"),
    id: text(row, "id"),
    bytes: bytes(row, "bytes"),
    status: text(row, "status") as RequestStatus,
    expires: time(row, "expires"),
    leaf: number(row, "leaf")!,
  };
}

function approvalOf(row: Row): ApprovalRow {
  return {
    hash: bytes(row, "hash"),
    request: bytes(row, "request"),
    note: text(row, "note"),
    denialLeaf: number(row, "denial_leaf"),
  };
}

function vetoOf(row: Row): VetoRow {
  return {
    hash: bytes(row, "hash"),
    request: bytes(row, "request"),
    note: text(row, "note"),
    leaf: number(row, "leaf")!,
  };
}

function enrolmentOf(row: Row): EnrolmentRow {
  return {
    owner: text(row, "owner"),
    control: bytes(row, "control"),
    leaf: number(row, "leaf")!,
  };
}

function releaseOf(row: Row): ReleaseRow {
  return {
    request: bytes(row, "request"),
    record: bytes(row, "record"),
    wrap: wrapOf(row),
    leaf: number(row, "leaf")!,
  };
}

function noteOf(row: Row): NoteRow {
  return {
    number: number(row, "number")!,
    hash: bytes(row, "hash"),
    note: text(row, "note"),
    announceLeaf: number(row, "announce_leaf"),
    leaf: number(row, "leaf"),
  };
}

/** SQL and the values of its question marks. */
type Condition = [sql: string, ...values: Value[]];

function valuesOf(conditions: readonly Condition[]): Value[] {
  return conditions.flatMap(([, ...values]) => values);
}

function whereOf(conditions: readonly Condition[]): string {
  if (conditions.length === 0) return "";
  return `WHERE ${conditions.map(([sql]) => sql).join(" AND ")}`;
}

function requestConditions({ status, after, until }: RequestQuery): Condition[] {
  const conditions: Condition[] = [];
  if (status !== undefined) conditions.push(["status = ?", status]);
  if (after !== undefined) conditions.push(["expires > ?", seconds(after)]);
  if (until !== undefined) conditions.push(["expires <= ?", seconds(until)]);
  return conditions;
}

/** The order of pages. */
interface Order {
  by: string;
  /** The cursor of a page that ends with a row. */
  cursor(row: Row): string;
  /** What stands behind such a page. @throws TwinwrapError BAD_ARGUMENT */
  after(cursor: string): Condition;
}

function partsOf(cursor: string, form: RegExp): string[] {
  const parts = form.exec(cursor);
  if (parts !== null) return parts.slice(1);
  throw new TwinwrapError("BAD_ARGUMENT", "this is not the cursor of a page");
}

/** The leaf that a record came with; as in the indexes. */
const FIRST_LEAF = "coalesce(escrow_leaf, verified_leaf)";
const PLACE = /^(0|[1-9]\d{0,15})$/;
const RECORDS: Order = {
  by: `${FIRST_LEAF} DESC`,
  cursor: (row) => String(row.escrow_leaf ?? row.verified_leaf),
  after(cursor) {
    const [leaf] = partsOf(cursor, PLACE);
    return [`${FIRST_LEAF} < ?`, Number(leaf)];
  },
};
const REQUESTS: Order = {
  by: "leaf DESC",
  cursor: (row) => String(row.leaf),
  after(cursor) {
    const [leaf] = partsOf(cursor, PLACE);
    return ["leaf < ?", Number(leaf)];
  },
};

/** Everything that is read, over one connection. */
export class SqliteReads implements StoreReads {
  readonly #db: Database;
  readonly #statements = new Map<string, RowStatement>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** A prepared statement, kept. */
  #statement(sql: string): RowStatement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare<Value[], Row>(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** What a statement does, and its failure in words. */
  protected run<T>(sql: string, work: (statement: RowStatement) => T): T {
    return explained(this.#db.name, () => work(this.#statement(sql)));
  }

  #get<T>(sql: string, values: Value[], read: (row: Row) => T): T | undefined {
    const row = this.run(sql, (statement) => statement.get(...values));
    return row === undefined ? undefined : read(row);
  }

  #all<T>(sql: string, values: Value[], read: (row: Row) => T): T[] {
    return this.run(sql, (statement) => statement.all(...values)).map(read);
  }

  /**
   * For each key the one row that it names.
   * @param sql for some of the keys, whose `values` it takes
   * @param read a row, with the name of its key
   */
  #each<Key, T>(
    keys: readonly Key[],
    sql: (some: readonly Key[]) => string,
    values: (key: Key) => Value[],
    read: (row: Row) => [name: string, value: T],
    nameOf: (key: Key) => string,
  ): (T | undefined)[] {
    const found = new Map<string, T>();
    for (const some of batches(keys)) {
      for (const [name, value] of this.#all(sql(some), some.flatMap(values), read)) {
        found.set(name, value);
      }
    }
    return keys.map((key) => found.get(nameOf(key)));
  }

  /** Pages along an order that has an index, newest first. */
  #page<T>(
    table: string,
    order: Order,
    conditions: readonly Condition[],
    { limit = PAGE, cursor }: PageOptions,
    read: (row: Row) => T,
  ): Page<T> {
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
      throw new TwinwrapError("BAD_ARGUMENT", `a page has 1 to ${MAX_PAGE} rows`);
    }
    const all = [...conditions];
    if (cursor !== undefined) all.push(order.after(cursor));
    const sql = `SELECT * FROM ${table} ${whereOf(all)} ORDER BY ${order.by} LIMIT ${limit + 1}`;
    const rows = this.#all(sql, valuesOf(all), (row) => row);
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    return {
      rows: rows.slice(0, limit).map(read),
      next: last === undefined ? undefined : order.cursor(last),
    };
  }

  async setting(name: string): Promise<string | undefined> {
    return this.#get("SELECT value FROM settings WHERE name = ?", [name], (row) =>
      text(row, "value"),
    );
  }

  async head(): Promise<LogHead | undefined> {
    const sql = "SELECT head.place, root, note FROM head LEFT JOIN checkpoints USING (place)";
    const row = this.#get(sql, [], (found) => found);
    if (row === undefined) throw new TwinwrapError("FAULT", "the log has no head");
    if (row.note !== null) return headOf(row);
    if (row.place === 0) return undefined;
    throw new TwinwrapError(
      "FAULT",
      `the log's newest checkpoint, of ${indexOf(number(row, "place")!)} leaves, is missing`,
    );
  }

  async checkpointOf(leaf: number): Promise<LogHead | undefined> {
    return (await this.checkpoints(logOf(leaf), indexOf(leaf), 1))[0];
  }

  async checkpoints(log: number, size: number, limit: number): Promise<LogHead[]> {
    const sql = "SELECT * FROM checkpoints WHERE place > ? AND place < ? ORDER BY place LIMIT ?";
    return this.#all(sql, [placeOf(log, size), placeOf(log + 1, 0), limit], headOf);
  }

  async logExtent(log: number): Promise<LogExtent> {
    const sql = `SELECT
      (SELECT count(*) FROM leaves WHERE leaf >= ? AND leaf < ?) AS leaves,
      (SELECT count(*) FROM nodes WHERE log = ?) AS nodes,
      (SELECT count(*) FROM checkpoints WHERE place > ? AND place < ?) AS checkpoints`;
    const [from, to] = [placeOf(log, 0), placeOf(log + 1, 0)];
    return this.#get(sql, [from, to, log, from, to], (row) => ({
      leaves: number(row, "leaves")!,
      nodes: number(row, "nodes")!,
      checkpoints: number(row, "checkpoints")!,
    }))!;
  }

  async leavesAt(leaves: readonly number[]): Promise<(string | undefined)[]> {
    return this.#each(
      leaves,
      (some) => `SELECT leaf, text FROM leaves WHERE leaf IN (${repeated("?", some)})`,
      (leaf) => [leaf],
      (row) => [String(row.leaf), text(row, "text")],
      String,
    );
  }

  async leaves(from: number, limit: number): Promise<string[]> {
    const sql = "SELECT text FROM leaves WHERE leaf >= ? AND leaf < ? ORDER BY leaf";
    return this.#all(sql, [from, from + limit], (row) => text(row, "text"));
  }

  async nodes(log: number, ids: readonly NodeId[]): Promise<(Uint8Array | undefined)[]> {
    return this.#each(
      ids,
      (some) => `SELECT * FROM nodes
        WHERE (log, level, position) IN (VALUES ${repeated("(?, ?, ?)", some)})`,
      ({ level, index }) => [log, level, index],
      (row) => [`${row.level} ${row.position}`, bytes(row, "hash")],
      ({ level, index }) => `${level} ${index}`,
    );
  }

  async record(hash: Uint8Array): Promise<RecordRow | undefined> {
    return (await this.recordsByHash([hash]))[0];
  }

  async recordsByHash(hashes: readonly Uint8Array[]): Promise<(RecordRow | undefined)[]> {
    return this.#each(
      hashes,
      (some) => `SELECT * FROM records WHERE hash IN (${repeated("?", some)})`,
      (hash) => [hash],
      (row) => [toHex(bytes(row, "hash")), recordOf(row)],
      toHex,
    );
  }

  async candidatesOf(records: readonly Uint8Array[]): Promise<Candidate[][]> {
    const found = new Map<string, Candidate[]>(records.map((record) => [toHex(record), []]));
    // One that is asked for twice may stand in two batches.
    const each = [...new Map(records.map((record) => [toHex(record), record])).values()];
    for (const some of batches(each)) {
      const sql = `SELECT * FROM candidates WHERE record IN (${repeated("?", some)})
        ORDER BY tag, simple_blob`;
      const read = (row: Row) => [toHex(bytes(row, "record")), candidateOf(row)] as const;
      for (const [record, candidate] of this.#all(sql, [...some], read)) {
        found.get(record)!.push(candidate);
      }
    }
    return records.map((record) => found.get(toHex(record))!);
  }

  async recordsWithBlocks(queries: readonly BlockQuery[]): Promise<(RecordRow | undefined)[]> {
    // However many records have the block, one of them is read.
    const one = `SELECT * FROM (SELECT CAST(? AS INTEGER) AS query, records.*
      FROM (SELECT record FROM candidates WHERE substr(simple_blob, 13) = ?
        UNION SELECT record FROM releases WHERE substr(simple_blob, 13) = ?) AS wraps
      JOIN records ON hash = record WHERE record <> ?
      ORDER BY verified_leaf IS NULL, hash LIMIT 1) AS found`;
    return this.#each(
      [...queries.entries()],
      (some) => repeated(one, some, " UNION ALL "),
      ([at, { block, except }]) => [at, block, block, except],
      (row) => [String(row.query), recordOf(row)],
      ([at]) => String(at),
    );
  }

  async records(query: RecordQuery, page: PageOptions = {}): Promise<Page<RecordRow>> {
    const conditions: Condition[] = [];
    const { serial, label, owner, fingerprint, status, from, before, text } = query;
    if (serial !== undefined) conditions.push(["serial = ?", serial]);
    if (label !== undefined) conditions.push(["label = ?", label]);
    if (owner !== undefined) conditions.push(["owner = ?", owner]);
    if (status !== undefined) conditions.push(["status = ?", status]);
    if (from !== undefined) conditions.push(["created >= ?", seconds(from)]);
    if (before !== undefined) conditions.push(["created < ?", seconds(before)]);
    if (text !== undefined) conditions.push(["instr(folded, ?) > 0", fold(text)]);
    if (fingerprint !== undefined) {
      conditions.push([
        `hash IN (WITH key(fingerprint) AS (SELECT ?)
          SELECT record FROM candidates JOIN key USING (fingerprint)
          UNION SELECT record FROM releases JOIN key USING (fingerprint))`,
        fingerprint,
      ]);
    }
    return this.#page("records", RECORDS, conditions, page, recordOf);
  }

  async countRecords(): Promise<Record<RecordStatus, number>> {
    const counts = Object.fromEntries(RECORD_STATUSES.map((status) => [status, 0]));
    const sql = "SELECT status, count(*) AS count FROM records GROUP BY status";
    for (const row of this.#all(sql, [], (found) => found)) {
      counts[text(row, "status")] = number(row, "count")!;
    }
    return counts as Record<RecordStatus, number>;
  }

  async request(hash: Uint8Array): Promise<RequestRow | undefined> {
    return this.#get("SELECT * FROM requests WHERE hash = ?", [hash], requestOf);
  }

  async requestById(id: string): Promise<RequestRow | undefined> {
    return this.#get("SELECT * FROM requests WHERE id = ?", [id], requestOf);
  }

  async requests(query: RequestQuery, page: PageOptions = {}): Promise<Page<RequestRow>> {
    return this.#page("requests", REQUESTS, requestConditions(query), page, requestOf);
  }

  async countRequests(query: RequestQuery): Promise<number> {
    const conditions = requestConditions(query);
    const sql = `SELECT count(*) AS count FROM requests ${whereOf(conditions)}`;
    return this.#get(sql, valuesOf(conditions), (row) => number(row, "count")!)!;
  }

  async approvals(request: Uint8Array): Promise<ApprovalRow[]> {
    const sql = "SELECT * FROM approvals WHERE request = ? ORDER BY hash";
    return this.#all(sql, [request], approvalOf);
  }

  async vetoes(request: Uint8Array): Promise<VetoRow[]> {
    return this.#all("SELECT * FROM vetoes WHERE request = ? ORDER BY leaf", [request], vetoOf);
  }

  async releases(request: Uint8Array): Promise<ReleaseRow[]> {
    const sql = "SELECT * FROM releases WHERE request = ? ORDER BY record";
    return this.#all(sql, [request], releaseOf);
  }

  async policies(): Promise<NoteRow[]> {
    return this.#all("SELECT * FROM policies ORDER BY number, hash", [], noteOf);
  }

  async identities(): Promise<NoteRow[]> {
    return this.#all("SELECT * FROM identities ORDER BY number, hash", [], noteOf);
  }

  async ownerSecrets(owners: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    return this.#each(
      owners,
      (some) => `SELECT * FROM owners WHERE owner IN (${repeated("?", some)})`,
      (owner) => [owner],
      (row) => [text(row, "owner"), bytes(row, "secret")],
      (owner) => owner,
    );
  }

  async enrolments(owners: readonly string[]): Promise<EnrolmentRow[][]> {
    const found = new Map<string, EnrolmentRow[]>(owners.map((owner) => [owner, []]));
    for (const some of batches([...found.keys()])) {
      const sql = `SELECT * FROM enrolments WHERE owner IN (${repeated("?", some)}) ORDER BY leaf`;
      for (const row of this.#all(sql, [...some], enrolmentOf)) found.get(row.owner)!.push(row);
    }
    return owners.map((owner) => found.get(owner)!);
  }

  async seenCheckpoint(): Promise<LogHead | undefined> {
    return this.#get("SELECT * FROM seen ORDER BY place DESC LIMIT 1", [], headOf);
  }

  async entries(from: number, to: number): Promise<LogEntry[]> {
    const standing = <Entry extends object>(
      table: string,
      column: string,
      read: (row: Row) => Entry,
      more = "",
    ) => {
      const sql = `SELECT *${more} FROM ${table} WHERE ${column} >= ? AND ${column} < ?`;
      return this.#all(sql, [from, to], (row) => ({ leaf: number(row, column)!, ...read(row) }));
    };
    const records = (type: "escrow" | "verified") =>
      standing(
        "records",
        `${type}_leaf`,
        (row) => ({ type, row: recordOf(row), isReleased: row.is_released === 1 }),
        ", EXISTS (SELECT 1 FROM releases WHERE record = records.hash) AS is_released",
      );
    const one = <Type extends string, T>(
      type: Type,
      table: string,
      read: (row: Row) => T,
      column = "leaf",
    ) => standing(table, column, (row) => ({ type, row: read(row) }));
    const entries: LogEntry[] = [
      ...records("escrow"),
      ...records("verified"),
      ...one("request", "requests", requestOf),
      ...one("release", "releases", releaseOf),
      ...one("denial", "approvals", approvalOf, "denial_leaf"),
      ...one("veto", "vetoes", vetoOf),
      ...one("enrol", "enrolments", enrolmentOf),
      ...one("announce", "policies", noteOf, "announce_leaf"),
      ...one("policy", "policies", noteOf),
      ...one("authority", "identities", noteOf),
    ];
    return entries.sort((a, b) => a.leaf - b.leaf);
  }
}
