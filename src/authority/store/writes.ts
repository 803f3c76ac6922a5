import { randomInt } from "node:crypto";
import { newBytes } from "../../bytes.js";
import { TwinwrapError } from "../../errors.js";
import type { RecordStatus, RequestStatus } from "../../escrow/authority-client.js";
import type { MerkleNode } from "../../escrow/merkle.js";
import { batches, repeated } from "./batches.js";
import { indexOf, placeOf } from "./place.js";
import { SqlReads } from "./reads.js";
import { fold, seconds } from "./rows.js";
import type { Row, Sql, Value } from "./sql.js";
import type {
  ApprovalRow,
  CandidateOf,
  DeliveryName,
  EnrolmentRow,
  LogHead,
  NewEvent,
  NoteRow,
  OwnerRow,
  ReceiverRow,
  RecordChange,
  RecordRow,
  ReleaseRow,
  RequestRow,
  StoreWrites,
  TokenRow,
  VetoRow,
} from "./store.js";

/** What stands for the tag of a wrap that has none. */
const NO_TAG = newBytes(0);

/**
 * One transaction, as those who work in it see it. Any failure ends it: in PostgreSQL nothing works any more after one,
 * and so it is everywhere.
 */
export class Transaction implements Sql {
  readonly #sql: Sql;
  #isOver = false;
  #failure: unknown;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  get name(): string {
    return this.#sql.name;
  }

  get texts(): Sql["texts"] {
    return this.#sql.texts;
  }

  all(sql: string, values: readonly Value[]): Promise<Row[]> {
    return this.#does(() => this.#sql.all(sql, values));
  }

  run(sql: string, values: readonly Value[]): Promise<number> {
    return this.#does(() => this.#sql.run(sql, values));
  }

  async #does<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isOver) throw new TwinwrapError("DISPOSED", "the transaction is over");
    try {
      return await work();
    } catch (error) {
      throw this.fail(error);
    }
  }

  /** Ends it with an error. */
  fail(error: unknown): unknown {
    this.#isOver = true;
    this.#failure ??= error;
    return error;
  }

  /** After this nothing can be read or written through it any more. */
  end(): void {
    this.#isOver = true;
  }

  /** Before the commit. @throws the transaction's error, if the work swallowed it */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Everything that is written, inside one transaction. */
export class SqlWrites extends SqlReads implements StoreWrites {
  readonly #sql: Transaction;

  constructor(sql: Transaction) {
    super(sql);
    this.#sql = sql;
  }

  /** @returns rows changed */
  #run(sql: string, ...values: Value[]): Promise<number> {
    return this.#sql.run(sql, values);
  }

  /**
   * Rows that must be new.
   * @param into a table, with its columns
   * @param otherwise what to throw if something with the same key is there already
   * @param one what stands for the values of one row: by default as many question marks
   */
  async #insert<Row>(
    into: string,
    rows: readonly Row[],
    values: (row: Row) => Value[],
    otherwise: TwinwrapError,
    one?: string,
  ): Promise<void> {
    for (const some of batches(rows)) {
      const row = one ?? `(${repeated("?", values(some[0]!))})`;
      const sql = `INSERT INTO ${into} VALUES ${repeated(row, some)} ON CONFLICT DO NOTHING`;
      const changes = await this.#run(sql, ...some.flatMap(values));
      if (changes < some.length) throw this.#sql.fail(otherwise);
    }
  }

  async setSetting(name: string, value: string | undefined): Promise<void> {
    if (value === undefined) {
      await this.#run("DELETE FROM settings WHERE name = ?", name);
      return;
    }
    const sql = `INSERT INTO settings (name, value) VALUES (?, ?)
      ON CONFLICT (name) DO UPDATE SET value = excluded.value`;
    await this.#run(sql, name, value);
  }

  async extendLog(
    from: number,
    leaves: readonly string[],
    nodes: readonly MerkleNode[],
    head: LogHead,
    old: number = from,
  ): Promise<void> {
    const place = placeOf(head.log, head.size);
    const swapped = await this.#run("UPDATE head SET place = ? WHERE place = ?", place, old);
    if (swapped === 0 || place !== from + leaves.length) {
      throw this.#sql.fail(new TwinwrapError("CONFLICT", "the log has grown meanwhile"));
    }
    const damaged = new TwinwrapError(
      "FAULT",
      `the log is damaged: after its ${indexOf(from)} leaves something is there already`,
    );
    const placed = [...leaves.entries()];
    const { log } = head;
    await this.#insert("leaves (leaf, text)", placed, ([i, text]) => [from + i, text], damaged);
    await this.#insert(
      "nodes (log, level, position, hash)",
      nodes,
      ({ level, index, hash }) => [log, level, index, hash],
      damaged,
    );
    await this.#insert(
      "checkpoints (place, root, note)",
      [head],
      (one) => [place, one.root, one.checkpoint],
      damaged,
    );
  }

  async insertRecords(rows: readonly RecordRow[]): Promise<void> {
    await this.#insert(
      `records (leaf, verified_leaf, hash, owner, serial, description, label, folded, created,
        content, status)`,
      rows,
      (row) => [
        firstLeaf(row),
        row.verifiedLeaf ?? null,
        row.hash,
        row.owner,
        row.serial,
        row.description ?? null,
        row.label ?? null,
        foldedOf(row),
        seconds(row.created),
        row.record,
        row.status,
      ],
      present("the record"),
    );
    if (this.#sql.texts === "table") await this.#addTexts(rows);
    await this.#count(countOf(rows));
  }

  async #addTexts(rows: readonly RecordRow[]): Promise<void> {
    const texts = rows.filter(({ description, label }) => (description ?? label) !== undefined);
    for (const some of batches(texts)) {
      const sql = `INSERT INTO records_text (rowid, folded) VALUES ${repeated("(?, ?)", some)}`;
      await this.#run(sql, ...some.flatMap((row) => [firstLeaf(row), foldedOf(row)]));
    }
  }

  async updateRecords(rows: readonly RecordChange[]): Promise<void> {
    const changes = countOf(rows);
    for (const some of batches(rows)) {
      const sql = `SELECT status, count(*) AS records FROM records
        WHERE hash IN (${repeated("?", some)}) GROUP BY status`;
      const hashes = some.map(({ hash }) => hash);
      for (const row of await this.#sql.all(sql, hashes)) {
        const status = row.status as RecordStatus;
        changes.set(status, (changes.get(status) ?? 0) - (row.records as number));
      }
      await this.#run(
        `WITH changed (hash, status, verified_leaf) AS (
            SELECT hash, status, verified_leaf FROM records WHERE 1 = 0
            UNION ALL ${repeated("SELECT ?, ?, ?", some, " UNION ALL ")}
          )
          UPDATE records SET status = changed.status, verified_leaf = changed.verified_leaf
          FROM changed WHERE records.hash = changed.hash`,
        ...some.flatMap((row) => [row.hash, row.status, row.verifiedLeaf ?? null]),
      );
    }
    await this.#count(changes);
  }

  /** Keeps the counts: nobody counts a million rows. */
  async #count(changes: ReadonlyMap<RecordStatus, number>): Promise<void> {
    for (const [status, change] of changes) {
      if (change === 0) continue;
      const sql = "UPDATE record_counts SET records = records + ? WHERE status = ?";
      await this.#run(sql, change, status);
    }
  }

  async addCandidates(candidates: readonly CandidateOf[]): Promise<void> {
    for (const some of batches(candidates)) {
      await this.#run(
        `INSERT INTO candidates (record, tag, fingerprint, padding, simple_blob)
          VALUES ${repeated(`(${RECORD}, ?, ?, ?, ?)`, some)} ON CONFLICT DO NOTHING`,
        ...some.flatMap(candidateValues),
      );
    }
  }

  async keepCandidates(candidates: readonly CandidateOf[]): Promise<void> {
    await this.#deleteCandidates("NOT", candidates);
  }

  async dropCandidates(candidates: readonly CandidateOf[]): Promise<void> {
    await this.#deleteCandidates("", candidates);
  }

  async #deleteCandidates(not: "" | "NOT", candidates: readonly CandidateOf[]): Promise<void> {
    const one = `(record = ${RECORD}
      AND ${not} (tag = ? AND fingerprint = ? AND padding = ? AND simple_blob = ?))`;
    for (const some of batches(candidates)) {
      const sql = `DELETE FROM candidates WHERE ${repeated(one, some, " OR ")}`;
      await this.#run(sql, ...some.flatMap(candidateValues));
    }
  }

  async insertRequest(row: RequestRow): Promise<void> {
    await this.#insert(
      "requests (hash, id, bytes, status, expires, leaf)",
      [row],
      ({ hash, id, bytes, status, expires, leaf }) => [
        hash,
        id,
        bytes,
        status,
        seconds(expires),
        leaf,
      ],
      present("the request"),
    );
  }

  async setRequestStatus(hash: Uint8Array, status: RequestStatus): Promise<void> {
    await this.#run("UPDATE requests SET status = ? WHERE hash = ?", status, hash);
  }

  async endRequests(): Promise<void> {
    await this.#run("UPDATE requests SET status = 'ended' WHERE status = 'open'");
  }

  async insertApproval(row: ApprovalRow): Promise<void> {
    await this.#insert(
      "approvals (hash, request, note, denial_leaf)",
      [row],
      ({ hash, request, note, denialLeaf }) => [hash, request, note, denialLeaf ?? null],
      present("the approval"),
    );
  }

  async insertVeto(row: VetoRow): Promise<void> {
    await this.#insert(
      "vetoes (hash, request, note, leaf)",
      [row],
      ({ hash, request, note, leaf }) => [hash, request, note, leaf],
      present("the veto"),
    );
  }

  async insertReleases(rows: readonly ReleaseRow[]): Promise<void> {
    await this.#insert(
      "releases (request, record, fingerprint, padding, simple_blob, leaf)",
      rows,
      ({ request, record, wrap, leaf }) => [
        request,
        record,
        wrap.fingerprint,
        wrap.padding,
        wrap.simpleBlob,
        leaf,
      ],
      present("the release"),
      `(?, ${RECORD}, ?, ?, ?, ?)`,
    );
  }

  async #putNote(table: string, row: NoteRow): Promise<void> {
    const { number, hash, note, announceLeaf, leaf } = row;
    const others = `SELECT hash FROM ${table} WHERE number = ? AND leaf IS NOT NULL AND hash <> ?`;
    const inForce = leaf === undefined ? [] : await this.#sql.all(others, [number, hash]);
    const changes =
      inForce.length === 0 &&
      (await this.#run(
        `INSERT INTO ${table} (hash, number, note, announce_leaf, leaf) VALUES (?, ?, ?, ?, ?)
          ON CONFLICT (hash) DO UPDATE SET note = excluded.note,
            announce_leaf = excluded.announce_leaf, leaf = excluded.leaf
          WHERE ${table}.number = excluded.number`,
        hash,
        number,
        note,
        announceLeaf ?? null,
        leaf ?? null,
      ));
    if (!changes) throw this.#sql.fail(present("another note of this number"));
    await this.#noteChange();
  }

  /** At random: what was rolled back, or put back with the database, must not have the version of what comes later. */
  async #noteChange(): Promise<void> {
    await this.#run("UPDATE head SET notes = ?", randomInt(2 ** 48 - 1));
  }

  async putPolicy(row: NoteRow): Promise<void> {
    await this.#putNote("policies", row);
  }

  async putIdentity(row: NoteRow): Promise<void> {
    await this.#putNote("identities", row);
  }

  async dropDrafts(): Promise<void> {
    for (const table of ["policies", "identities"]) {
      await this.#run(`DELETE FROM ${table} WHERE leaf IS NULL AND announce_leaf IS NULL`);
    }
    await this.#noteChange();
  }

  async insertOwners(rows: readonly OwnerRow[]): Promise<void> {
    const values = ({ owner, secret }: OwnerRow) => [owner, secret];
    await this.#insert("owners (owner, secret)", rows, values, present("the owner"));
  }

  async insertEnrolment(row: EnrolmentRow): Promise<void> {
    await this.#insert(
      "enrolments (leaf, owner, control)",
      [row],
      ({ leaf, owner, control }) => [leaf, owner, control],
      present("the enrolment"),
    );
  }

  async addSeenCheckpoint({ log, size, root, checkpoint }: LogHead): Promise<void> {
    await this.#run(
      `INSERT INTO seen (place, root, note) VALUES (?, ?, ?)
        ON CONFLICT (place) DO UPDATE SET root = excluded.root, note = excluded.note`,
      placeOf(log, size),
      root,
      checkpoint,
    );
  }

  async insertToken(row: TokenRow): Promise<void> {
    const optional = (time: Date | undefined) => (time === undefined ? null : seconds(time));
    await this.#insert(
      "tokens (hash, scopes, owner, created, expires, revoked)",
      [row],
      ({ hash, scopes, owner, created, expires, revoked }) => [
        hash,
        scopes.join(" "),
        owner ?? null,
        seconds(created),
        optional(expires),
        optional(revoked),
      ],
      present("the token"),
    );
  }

  async revokeToken(hash: Uint8Array, time: Date): Promise<void> {
    const sql = "UPDATE tokens SET revoked = ? WHERE hash = ? AND revoked IS NULL";
    await this.#run(sql, seconds(time), hash);
  }

  async addEvent({ id, kind, time, content, owners, officers }: NewEvent): Promise<void> {
    // Nobody else gives out numbers meanwhile: whoever writes holds the head's row.
    const [last] = await this.#sql.all("SELECT max(number) AS number FROM events", []);
    const number = ((last?.number as number | null) ?? 0) + 1;
    await this.#insert(
      "events (number, id, kind, time, content)",
      [id],
      () => [number, id, kind, seconds(time), content],
      present("the event"),
    );
    await this.#insert(
      "event_owners (event, owner)",
      [...new Set(owners)],
      (owner) => [number, owner],
      present("the event"),
    );
    const told = (role: ReceiverRow["role"], which: string, values: Value[]) =>
      this.#run(
        `INSERT INTO deliveries (receiver, event, state, attempts, due)
          SELECT id, CAST(? AS BIGINT), CAST(? AS TEXT), 0, CAST(? AS BIGINT) FROM receivers
          WHERE role = ?${which}`,
        number,
        "waiting",
        time.getTime(),
        role,
        ...values,
      );
    await told("operator", "", []);
    if (officers === undefined) await told("officer", "", []);
    for (const some of batches([...new Set(officers)])) {
      await told("officer", ` AND name IN (${repeated("?", some)})`, [...some]);
    }
    if (owners.length === 0) return;
    const theirs = " AND name IN (SELECT owner FROM event_owners WHERE event = ?)";
    await told("owner", theirs, [number]);
  }

  async insertReceiver(row: ReceiverRow): Promise<void> {
    await this.#insert(
      "receivers (id, role, name, means, address, secret, created, held)",
      [row],
      ({ id, role, name, means, address, secret, created }) => [
        id,
        role,
        name ?? null,
        means,
        address,
        secret ?? null,
        seconds(created),
        0,
      ],
      present("the receiver"),
    );
  }

  async setReceiverAddress(id: string, address: string): Promise<void> {
    await this.#run("UPDATE receivers SET address = ? WHERE id = ?", address, id);
  }

  async removeReceiver(id: string): Promise<void> {
    await this.#run("DELETE FROM deliveries WHERE receiver = ?", id);
    await this.#run("DELETE FROM receivers WHERE id = ?", id);
  }

  async retryDelivery({ receiver, event }: DeliveryName, due: Date): Promise<void> {
    const sql = `UPDATE deliveries SET state = 'waiting', attempts = 0, due = ?, reason = NULL
      WHERE receiver = ? AND event = ?`;
    await this.#run(sql, due.getTime(), receiver, event);
  }
}

function present(what: string): TwinwrapError {
  return new TwinwrapError("CONFLICT", `${what} is in the store already`);
}

/** The record of a hash, as rows name it. */
const RECORD = "(SELECT leaf FROM records WHERE hash = ?)";

function firstLeaf({ escrowLeaf, verifiedLeaf }: RecordRow): number | null {
  return escrowLeaf ?? verifiedLeaf ?? null;
}

/** What a text is searched in. Two lines, so that no search matches across them. */
function foldedOf({ description, label }: RecordRow): string {
  return fold(`${description ?? ""}\n${label ?? ""}`);
}

/** How many rows have each status. */
function countOf(rows: readonly Pick<RecordRow, "status">[]): Map<RecordStatus, number> {
  const counts = new Map<RecordStatus, number>();
  for (const { status } of rows) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
}

function candidateValues({ record, tag, wrap }: CandidateOf): Value[] {
  return [record, tag ?? NO_TAG, wrap.fingerprint, wrap.padding, wrap.simpleBlob];
}
