import type { Database, Statement } from "better-sqlite3";
import type { Padding, Wrap } from "../../envelope/index.js";
import { TwinwrapError } from "../../errors.js";
import type { NodeId } from "../../escrow/merkle.js";
import { explained } from "./sqlite-errors.js";
import {
  type ApprovalRow,
  type Candidate,
  type Head,
  type LogEntry,
  type LogExtent,
  type NoteRow,
  type Page,
  type PageOptions,
  RECORD_STATUSES,
  type RecordQuery,
  type RecordRow,
  type RecordStatus,
  type ReleaseRow,
  type RequestQuery,
  type RequestRow,
  type RequestStatus,
  type StoreReads,
  type WrapFacts,
} from "./store.js";

/** What a column can hold. */
export type Value = number | string | Uint8Array | null;
type Row = { [column: string]: Value };

const PAGE = 50;
const MAX_PAGE = 1000;

/** A text as it is searched: in any case, however its accents are composed. */
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

function headOf(row: Row): Head {
  return { size: number(row, "size")!, root: bytes(row, "root"), checkpoint: text(row, "note") };
}

function recordOf(row: Row): RecordRow {
  return {
    hash: bytes(row, "hash"),
    owner: text(row, "owner"),
    serial: bytes(row, "serial"),
    description: optionalText(row, "description"),
    label: optionalText(row, "label"),
    created: time(row, "created"),
    core: bytes(row, "core"),
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
    received: time(row, "received"),
  };
}

function approvalOf(row: Row): ApprovalRow {
  return {
    hash: bytes(row, "hash"),
    request: bytes(row, "request"),
    note: text(row, "note"),
    vetoLeaf: number(row, "veto_leaf"),
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
    leaf: number(row, "leaf"),
  };
}

type Condition = [sql: string, value: Value];

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

/** Everything that is read, over one connection. */
export class SqliteReads implements StoreReads {
  readonly #db: Database;
  readonly #statements = new Map<string, Statement<Value[], Row>>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** A prepared statement, kept. */
  protected statement(sql: string): Statement<Value[], Row> {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare<Value[], Row>(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** What a statement does, and its failure in words. */
  protected run<T>(sql: string, work: (statement: Statement<Value[], Row>) => T): T {
    return explained(this.#db.name, () => work(this.statement(sql)));
  }

  #get<T>(sql: string, values: Value[], read: (row: Row) => T): T | undefined {
    const row = this.run(sql, (statement) => statement.get(...values));
    return row === undefined ? undefined : read(row);
  }

  #all<T>(sql: string, values: Value[], read: (row: Row) => T): T[] {
    return this.run(sql, (statement) => statement.all(...values)).map(read);
  }

  /** The newest first: pages go down the keys, which only grow. */
  #page<T>(
    table: string,
    key: string,
    conditions: readonly Condition[],
    { limit = PAGE, cursor }: PageOptions,
    read: (row: Row) => T,
  ): Page<T> {
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
      throw new TwinwrapError("BAD_ARGUMENT", `a page has 1 to ${MAX_PAGE} rows`);
    }
    if (cursor !== undefined && !/^[1-9]\d{0,14}$/.test(cursor)) {
      throw new TwinwrapError("BAD_ARGUMENT", "this is not the cursor of a page");
    }
    const all = [...conditions];
    if (cursor !== undefined) all.push([`${key} < ?`, Number(cursor)]);
    const values = all.map(([, value]) => value);
    const sql = `SELECT * FROM ${table} ${whereOf(all)} ORDER BY ${key} DESC LIMIT ${limit + 1}`;
    const rows = this.#all(sql, values, (row) => row);
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    return {
      rows: rows.slice(0, limit).map(read),
      next: last === undefined ? undefined : String(last[key]),
    };
  }

  async setting(name: string): Promise<string | undefined> {
    return this.#get("SELECT value FROM settings WHERE name = ?", [name], (row) =>
      text(row, "value"),
    );
  }

  async head(): Promise<Head | undefined> {
    const sql = "SELECT head.size, root, note FROM head LEFT JOIN checkpoints USING (size)";
    const row = this.#get(sql, [], (found) => found);
    if (row === undefined) throw new TwinwrapError("FAULT", "the log has no head");
    if (row.note !== null) return headOf(row);
    if (row.size === 0) return undefined;
    throw new TwinwrapError(
      "FAULT",
      `the log's newest checkpoint, of ${row.size} leaves, is missing`,
    );
  }

  async checkpointOf(index: number): Promise<Head | undefined> {
    return (await this.checkpoints(index, 1))[0];
  }

  async checkpoints(size: number, limit: number): Promise<Head[]> {
    const sql = "SELECT * FROM checkpoints WHERE size > ? ORDER BY size LIMIT ?";
    return this.#all(sql, [size, limit], headOf);
  }

  async logExtent(): Promise<LogExtent> {
    const sql = `SELECT (SELECT count(*) FROM leaves) AS leaves, (SELECT count(*) FROM nodes) AS nodes,
      (SELECT count(*) FROM checkpoints) AS checkpoints`;
    return this.#get(sql, [], (row) => ({
      leaves: number(row, "leaves")!,
      nodes: number(row, "nodes")!,
      checkpoints: number(row, "checkpoints")!,
    }))!;
  }

  async leaf(index: number): Promise<string | undefined> {
    return this.#get("SELECT text FROM leaves WHERE leaf = ?", [index], (row) => text(row, "text"));
  }

  async leaves(from: number, limit: number): Promise<string[]> {
    const sql = "SELECT text FROM leaves WHERE leaf >= ? AND leaf < ? ORDER BY leaf";
    return this.#all(sql, [from, from + limit], (row) => text(row, "text"));
  }

  async nodes(ids: readonly NodeId[]): Promise<(Uint8Array | undefined)[]> {
    const sql = "SELECT hash FROM nodes WHERE level = ? AND position = ?";
    return ids.map(({ level, index }) =>
      this.#get(sql, [level, index], (row) => bytes(row, "hash")),
    );
  }

  async record(hash: Uint8Array): Promise<RecordRow | undefined> {
    return this.#get("SELECT * FROM records WHERE hash = ?", [hash], recordOf);
  }

  async candidates(record: Uint8Array): Promise<Candidate[]> {
    const sql = "SELECT * FROM candidates WHERE record = ? ORDER BY id";
    return this.#all(sql, [record], candidateOf);
  }

  async recordWithBlock(block: Uint8Array, except: Uint8Array): Promise<RecordRow | undefined> {
    const sql = `SELECT records.* FROM candidates JOIN records ON hash = record
      WHERE substr(simple_blob, 13) = ? AND record <> ? ORDER BY verified_leaf IS NULL LIMIT 1`;
    return this.#get(sql, [block, except], recordOf);
  }

  async wrapFacts(): Promise<WrapFacts> {
    const kinds = "SELECT DISTINCT fingerprint, padding FROM candidates";
    const odd = `SELECT hash FROM records WHERE status <> 'unverified'
      AND (SELECT count(*) FROM candidates WHERE record = records.hash) <> 1 LIMIT 1`;
    return {
      kinds: this.#all(kinds, [], (row) => ({
        fingerprint: bytes(row, "fingerprint"),
        padding: text(row, "padding") as Padding,
      })),
      odd: this.#get(odd, [], (row) => bytes(row, "hash")),
    };
  }

  async records(query: RecordQuery, page: PageOptions = {}): Promise<Page<RecordRow>> {
    const conditions: Condition[] = [];
    const { serial, owner, fingerprint, status, from, before, text } = query;
    if (serial !== undefined) conditions.push(["serial = ?", serial]);
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
    return this.#page("records", "id", conditions, page, recordOf);
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
    return this.#page("requests", "sequence", requestConditions(query), page, requestOf);
  }

  async countRequests(query: RequestQuery): Promise<number> {
    const conditions = requestConditions(query);
    const sql = `SELECT count(*) AS count FROM requests ${whereOf(conditions)}`;
    const values = conditions.map(([, value]) => value);
    return this.#get(sql, values, (row) => number(row, "count")!)!;
  }

  async approvals(request: Uint8Array): Promise<ApprovalRow[]> {
    const sql = "SELECT * FROM approvals WHERE request = ? ORDER BY sequence";
    return this.#all(sql, [request], approvalOf);
  }

  async release(request: Uint8Array, record: Uint8Array): Promise<ReleaseRow | undefined> {
    const sql = "SELECT * FROM releases WHERE request = ? AND record = ?";
    return this.#get(sql, [request, record], releaseOf);
  }

  async releases(request: Uint8Array): Promise<ReleaseRow[]> {
    const sql = "SELECT * FROM releases WHERE request = ? ORDER BY record";
    return this.#all(sql, [request], releaseOf);
  }

  async policies(): Promise<NoteRow[]> {
    return this.#all("SELECT * FROM policies ORDER BY number, sequence", [], noteOf);
  }

  async identities(): Promise<NoteRow[]> {
    return this.#all("SELECT * FROM identities ORDER BY number", [], noteOf);
  }

  async ownerSecret(owner: string): Promise<Uint8Array | undefined> {
    return this.#get("SELECT secret FROM owners WHERE owner = ?", [owner], (row) =>
      bytes(row, "secret"),
    );
  }

  async seenCheckpoint(): Promise<Head | undefined> {
    return this.#get("SELECT * FROM seen ORDER BY size DESC LIMIT 1", [], headOf);
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
    const entries: LogEntry[] = [
      ...records("escrow"),
      ...records("verified"),
      ...standing("releases", "leaf", (row) => ({ type: "release" as const, row: releaseOf(row) })),
      ...standing("approvals", "veto_leaf", (row) => ({
        type: "veto" as const,
        row: approvalOf(row),
      })),
      ...standing("policies", "leaf", (row) => ({ type: "policy" as const, row: noteOf(row) })),
      ...standing("identities", "leaf", (row) => ({
        type: "authority" as const,
        row: noteOf(row),
      })),
    ];
    return entries.sort((a, b) => a.leaf - b.leaf);
  }
}
