import { toHex } from "../../bytes.js";
import { TwinwrapError } from "../../errors.js";
import {
  type Page,
  type PageOptions,
  RECORD_STATUSES,
  type RecordQuery,
  type RecordStatus,
  type RequestQuery,
} from "../../escrow/authority-client.js";
import type { NodeId } from "../../escrow/merkle.js";
import { batches, repeated } from "./batches.js";
import { indexOf, logOf, placeOf } from "./place.js";
import {
  approvalOf,
  bytes,
  candidateOf,
  deliveryOf,
  enrolmentOf,
  fold,
  headOf,
  noteOf,
  number,
  optionalText,
  receiverOf,
  recordOf,
  releaseOf,
  requestOf,
  seconds,
  text,
  tokenOf,
  vetoOf,
} from "./rows.js";
import type { Row, Sql, Value } from "./sql.js";
import type {
  ApprovalRow,
  BlockQuery,
  Candidate,
  DeliveryName,
  DeliveryRow,
  DeliveryState,
  EnrolmentRow,
  LogEntry,
  LogExtent,
  LogHead,
  Means,
  NoteRow,
  ReceiverRow,
  RecordLeaf,
  RecordRow,
  ReleaseRow,
  RequestRow,
  StoreReads,
  TokenRow,
  VetoRow,
} from "./store.js";

const PAGE = 50;
const MAX_PAGE = 1000;

/** Characters of a text that an index knows, at least. */
const INDEXED = 3;
/** Records that are all read for a text to which nothing leads, at most. */
const FEW_RECORDS = 100_000;

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

/** Deliveries, with what they are of and to whom; {@link deliveryOf} reads them. */
const DELIVERIES = `SELECT receivers.*, deliveries.*, kind, time, content, events.id AS event_id
  FROM deliveries JOIN receivers ON receivers.id = receiver JOIN events ON number = event`;

/** The order of pages, newest first. */
interface Order {
  by: string;
  /** The cursor of a page that ends with a row. */
  cursor(row: Row): string;
  /** What stands behind such a page. @throws TwinwrapError BAD_ARGUMENT */
  after(cursor: string): Condition;
}

const NUMBER = "(0|[1-9]\\d{0,15})";

function partsOf(cursor: string, form: string): number[] {
  const parts = new RegExp(`^${form}$`).exec(cursor);
  if (parts !== null) return parts.slice(1).map(Number);
  throw new TwinwrapError("BAD_ARGUMENT", "this is not the cursor of a page");
}

/** By the (first) leaf. @param column its name, if there is more than one in a query */
const byLeaf = (column = "leaf"): Order => ({
  by: `${column} DESC`,
  cursor: (row) => String(row.leaf),
  after: (cursor) => [`${column} < ?`, ...partsOf(cursor, NUMBER)],
});

/** Where dates are asked for: whatever else stands in the log, an index leads to them. */
const BY_CREATED: Order = {
  by: "created DESC, leaf DESC",
  cursor: (row) => `${row.created} ${row.leaf}`,
  after: (cursor) => ["(created, leaf) < (?, ?)", ...partsOf(cursor, `(-?\\d{1,15}) ${NUMBER}`)],
};

function checkLimit({ limit = PAGE }: PageOptions): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PAGE) return;
  throw new TwinwrapError("BAD_ARGUMENT", `a page has 1 to ${MAX_PAGE} rows`);
}

/** What a page is made from. */
interface PageQuery {
  /** Tables, and columns of which `SELECT` takes all. */
  from: string;
  columns: string;
  order: Order;
  conditions: readonly Condition[];
}

/** Everything that is read, over one connection. */
export class SqlReads implements StoreReads {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  async #all<T>(sql: string, values: readonly Value[], read: (row: Row) => T): Promise<T[]> {
    return (await this.#sql.all(sql, values)).map(read);
  }

  async #get<T>(
    sql: string,
    values: readonly Value[],
    read: (row: Row) => T,
  ): Promise<T | undefined> {
    return (await this.#all(sql, values, read))[0];
  }

  /**
   * For each key the one row that it names.
   * @param sql for some of the keys, whose `values` it takes
   * @param read a row, with the name of its key
   */
  async #each<Key, T>(
    keys: readonly Key[],
    sql: (some: readonly Key[]) => string,
    values: (key: Key) => Value[],
    read: (row: Row) => [name: string, value: T],
    nameOf: (key: Key) => string,
  ): Promise<(T | undefined)[]> {
    const found = new Map<string, T>();
    for (const some of batches(keys)) {
      for (const [name, value] of await this.#all(sql(some), some.flatMap(values), read)) {
        found.set(name, value);
      }
    }
    return keys.map((key) => found.get(nameOf(key)));
  }

  /** Pages along an order that has an index, newest first. */
  async #page<T>(
    { from, columns, order, conditions }: PageQuery,
    { limit = PAGE, cursor }: PageOptions,
    read: (row: Row) => T,
  ): Promise<Page<T>> {
    const all = [...conditions];
    if (cursor !== undefined) all.push(order.after(cursor));
    const sql = `SELECT ${columns} FROM ${from} ${whereOf(all)}
      ORDER BY ${order.by} LIMIT ${limit + 1}`;
    const rows = await this.#all(sql, valuesOf(all), (row) => row);
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
    const row = await this.#get(sql, [], (found) => found);
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
    const values = [from, to, log, from, to];
    return (await this.#get(sql, values, (row) => ({
      leaves: number(row, "leaves")!,
      nodes: number(row, "nodes")!,
      checkpoints: number(row, "checkpoints")!,
    })))!;
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
      (some) => `SELECT * FROM nodes WHERE (log, level, position) IN
        (VALUES ${repeated("(CAST(? AS INTEGER), CAST(? AS INTEGER), CAST(? AS BIGINT))", some)})`,
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

  async recordLeaf(hash: Uint8Array): Promise<RecordLeaf | undefined> {
    const sql = `SELECT stands, text, place, root, note FROM
      (SELECT COALESCE(verified_leaf, leaf) AS stands FROM records WHERE hash = ?) AS record
      LEFT JOIN leaves ON leaves.leaf = stands
      LEFT JOIN checkpoints ON place =
        (SELECT min(place) FROM checkpoints AS later WHERE later.place > stands)`;
    return this.#get(sql, [hash], (row) => {
      const leaf = number(row, "stands")!;
      const head = row.note === null ? undefined : headOf(row);
      return {
        leaf,
        text: optionalText(row, "text"),
        head: head?.log === logOf(leaf) ? head : undefined,
      };
    });
  }

  async candidatesOf(records: readonly Uint8Array[]): Promise<Candidate[][]> {
    const found = new Map<string, Candidate[]>(records.map((record) => [toHex(record), []]));
    // One that is asked for twice may stand in two batches.
    const each = [...new Map(records.map((record) => [toHex(record), record])).values()];
    for (const some of batches(each)) {
      const sql = `SELECT hash, candidates.* FROM records JOIN candidates ON record = leaf
        WHERE hash IN (${repeated("?", some)}) ORDER BY tag, simple_blob, fingerprint, padding`;
      const read = (row: Row) => [toHex(bytes(row, "hash")), candidateOf(row)] as const;
      for (const [record, candidate] of await this.#all(sql, some, read)) {
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
      JOIN records ON records.leaf = record WHERE hash <> ?
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
    checkLimit(page);
    return this.#page(await this.#recordQuery(query, page), page, recordOf);
  }

  /** @throws TwinwrapError BAD_ARGUMENT if nothing leads to a text, and too many records have one */
  async #recordQuery(query: RecordQuery, page: PageOptions): Promise<PageQuery> {
    const { text, fingerprint, from, before } = query;
    const conditions: Condition[] = [];
    for (const column of ["serial", "label", "owner", "status"] as const) {
      const value = query[column];
      if (value !== undefined) conditions.push([`${column} = ?`, value]);
    }
    const hasDates = from !== undefined || before !== undefined;
    if (from !== undefined) conditions.push(["created >= ?", seconds(from)]);
    if (before !== undefined) conditions.push(["created < ?", seconds(before)]);
    const isAlone = conditions.length === 0 && text === undefined;
    if (fingerprint !== undefined) {
      conditions.push(isAlone ? amongWrapped(fingerprint, page) : wrappedFor(fingerprint));
    }
    const all: PageQuery = {
      from: "records",
      columns: "records.*",
      order: hasDates ? BY_CREATED : byLeaf(),
      conditions,
    };
    if (text === undefined) return all;
    const folded = fold(text);
    // These lead to few records, and need nothing else that does.
    const isNarrow = [query.serial, query.label, query.owner].some((value) => value !== undefined);
    const { texts } = this.#sql;
    if (!isNarrow && !hasDates && [...folded].length >= INDEXED && texts === "table") {
      // The table gives them in their order.
      const phrase = `"${folded.replaceAll('"', '""')}"`;
      return {
        ...all,
        from: "records_text CROSS JOIN records ON leaf = records_text.rowid",
        order: byLeaf("records_text.rowid"),
        conditions: [...conditions, ["records_text MATCH ?", phrase]],
      };
    }
    const isIndexed = texts !== "none" && [...folded].length >= INDEXED;
    if (!isNarrow && !hasDates && !isIndexed) await this.#checkFew();
    return { ...all, conditions: [...conditions, containing(folded)] };
  }

  /** Where nothing leads to a text, all records are read. @throws TwinwrapError BAD_ARGUMENT if they are too many */
  async #checkFew(): Promise<void> {
    const counts = Object.values(await this.countRecords());
    if (counts.reduce((sum, count) => sum + count, 0) <= FEW_RECORDS) return;
    const more = this.#sql.texts === "none" ? "" : `a text of at least ${INDEXED} characters, `;
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      `there are too many records to read them all for this text: give ${more}an owner or dates as well`,
    );
  }

  async countRecords(): Promise<Record<RecordStatus, number>> {
    const counts = Object.fromEntries(RECORD_STATUSES.map((status) => [status, 0]));
    for (const row of await this.#all("SELECT * FROM record_counts", [], (found) => found)) {
      counts[text(row, "status")] = number(row, "records")!;
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
    const conditions = requestConditions(query);
    const all = { from: "requests", columns: "*", order: byLeaf(), conditions };
    checkLimit(page);
    return this.#page(all, page, requestOf);
  }

  async countRequests(query: RequestQuery): Promise<number> {
    const conditions = requestConditions(query);
    const sql = `SELECT count(*) AS count FROM requests ${whereOf(conditions)}`;
    return (await this.#get(sql, valuesOf(conditions), (row) => number(row, "count")!))!;
  }

  async approvals(request: Uint8Array): Promise<ApprovalRow[]> {
    const sql = "SELECT * FROM approvals WHERE request = ? ORDER BY hash";
    return this.#all(sql, [request], approvalOf);
  }

  async vetoes(request: Uint8Array): Promise<VetoRow[]> {
    return this.#all("SELECT * FROM vetoes WHERE request = ? ORDER BY leaf", [request], vetoOf);
  }

  async releases(request: Uint8Array): Promise<ReleaseRow[]> {
    const sql = `SELECT hash, releases.* FROM releases JOIN records ON records.leaf = record
      WHERE request = ? ORDER BY record`;
    return this.#all(sql, [request], releaseOf);
  }

  async notesVersion(): Promise<number> {
    return (await this.#get("SELECT notes FROM head", [], (row) => number(row, "notes")))!;
  }

  async notesAndSetting(name: string) {
    const sql = "SELECT notes, (SELECT value FROM settings WHERE name = ?) AS value FROM head";
    const found = await this.#get(sql, [name], (row) => ({
      notes: number(row, "notes")!,
      setting: optionalText(row, "value"),
    }));
    return found!;
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
      for (const row of await this.#all(sql, some, enrolmentOf)) found.get(row.owner)!.push(row);
    }
    return owners.map((owner) => found.get(owner)!);
  }

  async allEnrolments(): Promise<EnrolmentRow[]> {
    return this.#all("SELECT * FROM enrolments ORDER BY leaf", [], enrolmentOf);
  }

  async token(hash: Uint8Array): Promise<TokenRow | undefined> {
    return this.#get("SELECT * FROM tokens WHERE hash = ?", [hash], tokenOf);
  }

  async tokens(): Promise<TokenRow[]> {
    return this.#all("SELECT * FROM tokens ORDER BY created, hash", [], tokenOf);
  }

  async receivers(): Promise<ReceiverRow[]> {
    return this.#all("SELECT * FROM receivers ORDER BY created, id", [], receiverOf);
  }

  async deliveries(state: DeliveryState, limit: number, receiver?: string): Promise<DeliveryRow[]> {
    const conditions: Condition[] = [["state = ?", state]];
    if (receiver !== undefined) conditions.push(["receiver = ?", receiver]);
    const sql = `${DELIVERIES} ${whereOf(conditions)} ORDER BY event, receiver LIMIT ?`;
    return this.#all(sql, [...valuesOf(conditions), limit], deliveryOf);
  }

  async delivery({ receiver, event }: DeliveryName): Promise<DeliveryRow | undefined> {
    const sql = `${DELIVERIES} WHERE receiver = ? AND event = ?`;
    return this.#get(sql, [receiver, event], deliveryOf);
  }

  async dueDeliveries(means: readonly Means[], now: Date): Promise<DeliveryRow[]> {
    if (means.length === 0) return [];
    const sql = `${DELIVERIES}
      WHERE state = 'waiting' AND due <= ? AND held <= ? AND means IN (${repeated("?", means)})
        AND NOT EXISTS (SELECT 1 FROM deliveries AS before WHERE before.state = deliveries.state
          AND before.receiver = deliveries.receiver AND before.event < deliveries.event)
      ORDER BY event, receiver`;
    return this.#all(sql, [now.getTime(), now.getTime(), ...means], deliveryOf);
  }

  async eventOwners(event: number): Promise<string[]> {
    const sql = "SELECT owner FROM event_owners WHERE event = ? ORDER BY owner";
    return this.#all(sql, [event], (row) => text(row, "owner"));
  }

  async seenCheckpoint(): Promise<LogHead | undefined> {
    return this.#get("SELECT * FROM seen ORDER BY place DESC LIMIT 1", [], headOf);
  }

  async entries(from: number, to: number): Promise<LogEntry[]> {
    const standing = <Entry extends object>(
      rows: string,
      column: string,
      read: (row: Row) => Entry,
      where = "",
    ) => {
      const sql = `SELECT ${rows} WHERE ${column} >= ? AND ${column} < ?${where}`;
      return this.#all(sql, [from, to], (row) => ({
        leaf: number(row, column.split(".").at(-1)!)!,
        ...read(row),
      }));
    };
    const records = (type: "escrow" | "verified", column: string, where?: string) =>
      standing(
        "*, EXISTS (SELECT 1 FROM releases WHERE record = records.leaf) AS is_released FROM records",
        column,
        (row) => ({ type, row: recordOf(row), isReleased: Boolean(row.is_released) }),
        where,
      );
    const one = <Type extends string, T>(
      type: Type,
      table: string,
      read: (row: Row) => T,
      column = "leaf",
    ) => standing(`* FROM ${table}`, column, (row) => ({ type, row: read(row) }));
    const entries: LogEntry[][] = [
      await records("escrow", "leaf", " AND (verified_leaf IS NULL OR verified_leaf <> leaf)"),
      await records("verified", "verified_leaf"),
      await one("request", "requests", requestOf),
      await standing(
        "hash, releases.* FROM releases JOIN records ON records.leaf = record",
        "releases.leaf",
        (row) => ({ type: "release" as const, row: releaseOf(row) }),
      ),
      await one("denial", "approvals", approvalOf, "denial_leaf"),
      await one("veto", "vetoes", vetoOf),
      await one("enrol", "enrolments", enrolmentOf),
      await one("announce", "policies", noteOf, "announce_leaf"),
      await one("policy", "policies", noteOf),
      await one("authority", "identities", noteOf),
    ];
    return entries.flat().sort((a, b) => a.leaf - b.leaf);
  }
}

/** The text as a part of a description or a label. Its own signs of LIKE count as themselves. */
function containing(folded: string): Condition {
  return ["folded LIKE ? ESCAPE '!'", `%${folded.replace(/[!%_]/g, "!$&")}%`];
}

/** Whether a record is wrapped for a key, or was released for it. */
function wrappedFor(fingerprint: Uint8Array): Condition {
  const among = (table: string) =>
    `EXISTS (SELECT 1 FROM ${table} WHERE fingerprint = ? AND record = records.leaf)`;
  return [`(${among("candidates")} OR ${among("releases")})`, fingerprint, fingerprint];
}

/** The same where nothing else is asked for: all records may be wrapped for the key, or one released for it. */
function amongWrapped(fingerprint: Uint8Array, { limit = PAGE, cursor }: PageOptions): Condition {
  const [before] = cursor === undefined ? [Number.MAX_SAFE_INTEGER] : partsOf(cursor, NUMBER);
  const some = (table: string) => `SELECT record FROM (SELECT DISTINCT record FROM ${table}
    WHERE fingerprint = ? AND record < ? ORDER BY record DESC LIMIT ${limit + 1}) AS ${table}_found`;
  const sql = `leaf IN (${some("candidates")} UNION ${some("releases")})`;
  return [sql, fingerprint, before!, fingerprint, before!];
}
