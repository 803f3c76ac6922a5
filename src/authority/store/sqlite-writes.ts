import { newBytes } from "../../bytes.js";
import { TwinwrapError } from "../../errors.js";
import type { RequestStatus } from "../../escrow/authority-client.js";
import type { MerkleNode } from "../../escrow/merkle.js";
import { batches, repeated } from "./batches.js";
import { indexOf, placeOf } from "./place.js";
import { errorCode } from "./sqlite-errors.js";
import { fold, type RowStatement, SqliteReads, seconds, type Value } from "./sqlite-reads.js";
import type {
  ApprovalRow,
  CandidateOf,
  EnrolmentRow,
  LogHead,
  NoteRow,
  OwnerRow,
  RecordChange,
  RecordRow,
  ReleaseRow,
  RequestRow,
  StoreWrites,
  VetoRow,
} from "./store.js";

/** What stands for the tag of a wrap that has none. */
const NO_TAG = newBytes(0);

/** Everything that is written, inside one transaction. */
export class SqliteWrites extends SqliteReads implements StoreWrites {
  #isOver = false;
  #failure: unknown;

  /** After this nothing can be read or written through it any more. */
  end(): void {
    this.#isOver = true;
  }

  /** Before the commit. @throws the transaction's error, if `work` swallowed it */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Any failure ends the transaction, as in other databases. */
  protected override run<T>(sql: string, work: (statement: RowStatement) => T): T {
    if (this.#isOver) throw new TwinwrapError("DISPOSED", "the transaction is over");
    try {
      return super.run(sql, work);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #failed(error: unknown): unknown {
    this.#isOver = true;
    this.#failure = error;
    return error;
  }

  /** @returns rows changed */
  #run(sql: string, ...values: Value[]): number {
    return this.run(sql, (statement) => statement.run(...values)).changes;
  }

  /**
   * Rows that must be new.
   * @param into a table, with its columns if not all of them are given
   * @param otherwise what to throw if something with the same key is there already
   */
  #insert<Row>(
    into: string,
    rows: readonly Row[],
    values: (row: Row) => Value[],
    otherwise: TwinwrapError,
  ): void {
    for (const some of batches(rows)) {
      const one = `(${repeated("?", values(some[0]!))})`;
      const sql = `INSERT INTO ${into} VALUES ${repeated(one, some)} ON CONFLICT DO NOTHING`;
      if (this.#run(sql, ...some.flatMap(values)) < some.length) throw this.#failed(otherwise);
    }
  }

  async setSetting(name: string, value: string | undefined): Promise<void> {
    if (value === undefined) this.#run("DELETE FROM settings WHERE name = ?", name);
    else
      this.#run(
        "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name,
        value,
      );
  }

  async extendLog(
    from: number,
    leaves: readonly string[],
    nodes: readonly MerkleNode[],
    head: LogHead,
    old: number = from,
  ): Promise<void> {
    const place = placeOf(head.log, head.size);
    const swapped = this.#run("UPDATE head SET place = ? WHERE place = ?", place, old);
    if (swapped === 0 || place !== from + leaves.length) {
      throw this.#failed(new TwinwrapError("CONFLICT", "the log has grown meanwhile"));
    }
    const damaged = new TwinwrapError(
      "FAULT",
      `the log is damaged: after its ${indexOf(from)} leaves something is there already`,
    );
    this.#insert("leaves", [...leaves.entries()], ([i, leaf]) => [from + i, leaf], damaged);
    const { log } = head;
    this.#insert("nodes", nodes, ({ level, index, hash }) => [log, level, index, hash], damaged);
    this.#insert("checkpoints", [head], (one) => [place, one.root, one.checkpoint], damaged);
  }

  async insertRecords(rows: readonly RecordRow[]): Promise<void> {
    this.#insert(
      `records (hash, owner, serial, description, label, folded, created, content, status,
        escrow_leaf, verified_leaf)`,
      rows,
      (row) => [
        row.hash,
        row.owner,
        row.serial,
        row.description ?? null,
        row.label ?? null,
        // Two lines, so that no search matches across them.
        fold(`${row.description ?? ""}\n${row.label ?? ""}`),
        seconds(row.created),
        row.record,
        row.status,
        row.escrowLeaf ?? null,
        row.verifiedLeaf ?? null,
      ],
      present("the record"),
    );
  }

  async updateRecords(rows: readonly RecordChange[]): Promise<void> {
    for (const some of batches(rows)) {
      // The first part has no rows: it sets the columns' types.
      this.#run(
        `WITH changed (hash, status, verified_leaf) AS (
            SELECT hash, status, verified_leaf FROM records WHERE 1 = 0
            UNION ALL ${repeated("SELECT ?, ?, ?", some, " UNION ALL ")}
          )
          UPDATE records SET status = changed.status, verified_leaf = changed.verified_leaf
          FROM changed WHERE records.hash = changed.hash`,
        ...some.flatMap((row) => [row.hash, row.status, row.verifiedLeaf ?? null]),
      );
    }
  }

  async addCandidates(candidates: readonly CandidateOf[]): Promise<void> {
    for (const some of batches(candidates)) {
      this.#run(
        `INSERT INTO candidates (record, tag, fingerprint, padding, simple_blob)
          VALUES ${repeated("(?, ?, ?, ?, ?)", some)} ON CONFLICT DO NOTHING`,
        ...some.flatMap(candidateValues),
      );
    }
  }

  async keepCandidates(candidates: readonly CandidateOf[]): Promise<void> {
    this.#deleteCandidates("NOT", candidates);
  }

  async dropCandidates(candidates: readonly CandidateOf[]): Promise<void> {
    this.#deleteCandidates("", candidates);
  }

  #deleteCandidates(not: "" | "NOT", candidates: readonly CandidateOf[]): void {
    const one = `(record = ?
      AND ${not} (tag = ? AND fingerprint = ? AND padding = ? AND simple_blob = ?))`;
    for (const some of batches(candidates)) {
      const sql = `DELETE FROM candidates WHERE ${repeated(one, some, " OR ")}`;
      this.#run(sql, ...some.flatMap(candidateValues));
    }
  }

  async insertRequest(row: RequestRow): Promise<void> {
    this.#insert(
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
    this.#run("UPDATE requests SET status = ? WHERE hash = ?", status, hash);
  }

  async endRequests(): Promise<void> {
    this.#run("UPDATE requests SET status = 'ended' WHERE status = 'open'");
  }

  async insertApproval(row: ApprovalRow): Promise<void> {
    this.#insert(
      "approvals (hash, request, note, denial_leaf)",
      [row],
      ({ hash, request, note, denialLeaf }) => [hash, request, note, denialLeaf ?? null],
      present("the approval"),
    );
  }

  async insertVeto(row: VetoRow): Promise<void> {
    this.#insert(
      "vetoes (hash, request, note, leaf)",
      [row],
      ({ hash, request, note, leaf }) => [hash, request, note, leaf],
      present("the veto"),
    );
  }

  async insertReleases(rows: readonly ReleaseRow[]): Promise<void> {
    this.#insert(
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
    );
  }

  #putNote(table: string, { number, hash, note, announceLeaf, leaf }: NoteRow): void {
    const another = present("another note of this number");
    const values = [hash, number, note, announceLeaf ?? null, leaf ?? null];
    try {
      const changes = this.#run(
        `INSERT INTO ${table} (hash, number, note, announce_leaf, leaf) VALUES (?, ?, ?, ?, ?)
          ON CONFLICT (hash) DO UPDATE SET note = excluded.note,
            announce_leaf = excluded.announce_leaf, leaf = excluded.leaf
          WHERE ${table}.number = excluded.number`,
        ...values,
      );
      if (changes === 0) throw this.#failed(another);
    } catch (error) {
      const isThere = /^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)$/.test(errorCode(error));
      throw isThere ? this.#failed(another) : error;
    }
  }

  async putPolicy(row: NoteRow): Promise<void> {
    this.#putNote("policies", row);
  }

  async dropDrafts(): Promise<void> {
    for (const table of ["policies", "identities"]) {
      this.#run(`DELETE FROM ${table} WHERE leaf IS NULL`);
    }
  }

  async putIdentity(row: NoteRow): Promise<void> {
    this.#putNote("identities", row);
  }

  async insertOwners(rows: readonly OwnerRow[]): Promise<void> {
    this.#insert("owners", rows, ({ owner, secret }) => [owner, secret], present("the owner"));
  }

  async insertEnrolment(row: EnrolmentRow): Promise<void> {
    this.#insert(
      "enrolments (leaf, owner, control)",
      [row],
      ({ leaf, owner, control }) => [leaf, owner, control],
      present("the enrolment"),
    );
  }

  async addSeenCheckpoint({ log, size, root, checkpoint }: LogHead): Promise<void> {
    this.#run(
      `INSERT INTO seen VALUES (?, ?, ?)
        ON CONFLICT (place) DO UPDATE SET root = excluded.root, note = excluded.note`,
      placeOf(log, size),
      root,
      checkpoint,
    );
  }
}

function present(what: string): TwinwrapError {
  return new TwinwrapError("CONFLICT", `${what} is in the store already`);
}

function candidateValues({ record, tag, wrap }: CandidateOf): Value[] {
  return [record, tag ?? NO_TAG, wrap.fingerprint, wrap.padding, wrap.simpleBlob];
}
