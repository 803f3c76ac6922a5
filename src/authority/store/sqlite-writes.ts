import type { Statement } from "better-sqlite3";
import { newBytes } from "../../bytes.js";
import { TwinwrapError } from "../../errors.js";
import type { MerkleNode } from "../../escrow/merkle.js";
import { errorCode } from "./sqlite-errors.js";
import { fold, SqliteReads, seconds, type Value } from "./sqlite-reads.js";
import type {
  ApprovalRow,
  Candidate,
  Head,
  NoteRow,
  RecordRow,
  ReleaseRow,
  RequestRow,
  RequestStatus,
  StoreWrites,
} from "./store.js";

/** What stands for the tag of a wrap that has none. */
const NO_TAG = newBytes(0);

/** Everything that is written, inside one transaction. */
export class SqliteWrites extends SqliteReads implements StoreWrites {
  #ended = false;

  /** After this nothing can be read or written through it any more. */
  end(): void {
    this.#ended = true;
  }

  protected override statement(sql: string): Statement<Value[], { [column: string]: Value }> {
    if (this.#ended) throw new TwinwrapError("DISPOSED", "the transaction is over");
    return super.statement(sql);
  }

  /** @returns rows changed */
  #run(sql: string, ...values: Value[]): number {
    return this.run(sql, (statement) => statement.run(...values)).changes;
  }

  #insert(what: string, sql: string, ...values: Value[]): void {
    if (this.#isNew(sql, ...values)) return;
    throw new TwinwrapError("CONFLICT", `${what} is in the store already`);
  }

  /** @returns false if something with the same key is there already */
  #isNew(sql: string, ...values: Value[]): boolean {
    try {
      this.#run(sql, ...values);
      return true;
    } catch (error) {
      if (/^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)$/.test(errorCode(error))) return false;
      throw error;
    }
  }

  async setSetting(name: string, value: string | undefined): Promise<void> {
    if (value === undefined) this.#run("DELETE FROM settings WHERE name = ?", name);
    else this.#run("REPLACE INTO settings VALUES (?, ?)", name, value);
  }

  async extendLog(
    oldSize: number,
    leaves: readonly string[],
    nodes: readonly MerkleNode[],
    head: Head,
  ): Promise<void> {
    const swapped = this.#run("UPDATE head SET size = ? WHERE size = ?", head.size, oldSize);
    if (swapped === 0 || head.size !== oldSize + leaves.length) {
      throw new TwinwrapError("CONFLICT", "the log has grown meanwhile");
    }
    const append = (sql: string, ...values: Value[]) => {
      if (this.#isNew(sql, ...values)) return;
      throw new TwinwrapError(
        "FAULT",
        `the log is damaged: after its ${oldSize} leaves something is there already`,
      );
    };
    leaves.forEach((leaf, i) => {
      append("INSERT INTO leaves VALUES (?, ?)", oldSize + i, leaf);
    });
    for (const { level, index, hash } of nodes) {
      append("INSERT INTO nodes VALUES (?, ?, ?)", level, index, hash);
    }
    append("INSERT INTO checkpoints VALUES (?, ?, ?)", head.size, head.root, head.checkpoint);
  }

  async insertRecord(row: RecordRow): Promise<void> {
    this.#insert(
      "the record",
      `INSERT INTO records (hash, owner, serial, description, label, folded, created, core, status,
        escrow_leaf, verified_leaf) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      row.hash,
      row.owner,
      row.serial,
      row.description ?? null,
      row.label ?? null,
      // Two lines, so that nothing is found across them.
      fold(`${row.description ?? ""}\n${row.label ?? ""}`),
      seconds(row.created),
      row.core,
      row.status,
      row.escrowLeaf ?? null,
      row.verifiedLeaf ?? null,
    );
  }

  async updateRecord(row: Pick<RecordRow, "hash" | "status" | "verifiedLeaf">): Promise<void> {
    this.#run(
      "UPDATE records SET status = ?, verified_leaf = ? WHERE hash = ?",
      row.status,
      row.verifiedLeaf ?? null,
      row.hash,
    );
  }

  async addCandidate(record: Uint8Array, { tag, wrap }: Candidate): Promise<void> {
    this.#run(
      `INSERT INTO candidates (record, tag, fingerprint, padding, simple_blob)
        VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      record,
      tag ?? NO_TAG,
      wrap.fingerprint,
      wrap.padding,
      wrap.simpleBlob,
    );
  }

  async keepCandidate(record: Uint8Array, candidate: Candidate): Promise<void> {
    this.#deleteCandidates("NOT", record, candidate);
  }

  async dropCandidate(record: Uint8Array, candidate: Candidate): Promise<void> {
    this.#deleteCandidates("", record, candidate);
  }

  #deleteCandidates(not: "" | "NOT", record: Uint8Array, { tag, wrap }: Candidate): void {
    this.#run(
      `DELETE FROM candidates WHERE record = ?
        AND ${not} (tag = ? AND fingerprint = ? AND padding = ? AND simple_blob = ?)`,
      record,
      tag ?? NO_TAG,
      wrap.fingerprint,
      wrap.padding,
      wrap.simpleBlob,
    );
  }

  async insertRequest(row: RequestRow): Promise<void> {
    this.#insert(
      "the request",
      `INSERT INTO requests (hash, id, bytes, status, expires, received)
        VALUES (?, ?, ?, ?, ?, ?)`,
      row.hash,
      row.id,
      row.bytes,
      row.status,
      seconds(row.expires),
      seconds(row.received),
    );
  }

  async setRequestStatus(hash: Uint8Array, status: RequestStatus): Promise<void> {
    this.#run("UPDATE requests SET status = ? WHERE hash = ?", status, hash);
  }

  async insertApproval(row: ApprovalRow): Promise<void> {
    this.#insert(
      "the approval",
      "INSERT INTO approvals (hash, request, note, veto_leaf) VALUES (?, ?, ?, ?)",
      row.hash,
      row.request,
      row.note,
      row.vetoLeaf ?? null,
    );
  }

  async insertRelease({ request, record, wrap, leaf }: ReleaseRow): Promise<void> {
    this.#insert(
      "the release",
      `INSERT INTO releases (request, record, fingerprint, padding, simple_blob, leaf)
        VALUES (?, ?, ?, ?, ?, ?)`,
      request,
      record,
      wrap.fingerprint,
      wrap.padding,
      wrap.simpleBlob,
      leaf,
    );
  }

  #putNote(table: string, { number, hash, note, leaf }: NoteRow): void {
    this.#insert(
      "another note of this number",
      `INSERT INTO ${table} (number, hash, note, leaf) VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO
        UPDATE SET note = excluded.note, leaf = excluded.leaf WHERE number = excluded.number`,
      number,
      hash,
      note,
      leaf ?? null,
    );
  }

  async putPolicy(row: NoteRow): Promise<void> {
    this.#putNote("policies", row);
  }

  async dropDrafts(number: number): Promise<void> {
    this.#run("DELETE FROM policies WHERE number = ? AND leaf IS NULL", number);
  }

  async putIdentity(row: NoteRow): Promise<void> {
    this.#putNote("identities", row);
  }

  async insertOwner(owner: string, secret: Uint8Array): Promise<void> {
    this.#insert("the owner", "INSERT INTO owners VALUES (?, ?)", owner, secret);
  }

  async addSeenCheckpoint({ size, root, checkpoint }: Head): Promise<void> {
    this.#run("REPLACE INTO seen VALUES (?, ?, ?)", size, root, checkpoint);
  }
}
