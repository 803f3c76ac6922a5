import { isWellFormed } from "../bytes.js";
import { isAboutContent, TwinwrapError } from "../errors.js";
import type {
  ApprovalRow,
  Candidate,
  EnrolmentRow,
  NoteRow,
  ReceiverRow,
  RecordRow,
  ReleaseRow,
  RequestRow,
  TokenRow,
  VetoRow,
} from "./store/store.js";

// What a store holds, as text: a line for each leaf, checkpoint and row, a JSON array whose first member says what it
// is. docs/format.md has the order. Rows are there as the store has them, so that an audit of the copy finds what an
// audit of the store would have found.

export const FORMAT = "twinwrap/v1/authority-export";

/** What a member of a line can be. */
type Member = string | number | boolean | null | Member[];
export type Line = readonly [kind: string, ...members: Member[]];

/** A record with all that belongs to it alone. */
export interface FullRecord {
  row: RecordRow;
  /** Of its owner, 32 bytes. */
  secret: Uint8Array;
  candidates: readonly Candidate[];
}

const base64 = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");

export function recordLine({ row, secret, candidates }: FullRecord): Line {
  return [
    "record",
    row.escrowLeaf ?? null,
    row.verifiedLeaf ?? null,
    row.status,
    base64(row.hash),
    row.owner,
    base64(secret),
    base64(row.serial),
    row.description ?? null,
    row.label ?? null,
    row.created.getTime() / 1000,
    base64(row.record),
    candidates.map(({ tag, wrap }) => [
      tag === undefined ? null : base64(tag),
      base64(wrap.fingerprint),
      wrap.padding,
      base64(wrap.simpleBlob),
    ]),
  ];
}

export function requestLine({ hash, id, bytes, status, expires, leaf }: RequestRow): Line {
  return ["request", leaf, status, base64(hash), id, base64(bytes), expires.getTime() / 1000];
}

export function approvalLine({ hash, request, note, denialLeaf }: ApprovalRow): Line {
  return ["approval", denialLeaf ?? null, base64(hash), base64(request), note];
}

export function vetoLine({ hash, request, note, leaf }: VetoRow): Line {
  return ["veto", leaf, base64(hash), base64(request), note];
}

export function releaseLine({ request, record, wrap, leaf }: ReleaseRow): Line {
  const { fingerprint, padding, simpleBlob } = wrap;
  const bytes = [request, record, fingerprint].map(base64);
  return ["release", leaf, ...bytes, padding, base64(simpleBlob)];
}

export function enrolmentLine({ owner, control, leaf }: EnrolmentRow, secret: Uint8Array): Line {
  return ["enrolment", leaf, owner, base64(secret), base64(control)];
}

export function tokenLine({ hash, scopes, owner, created, expires, revoked }: TokenRow): Line {
  const times = [created, expires, revoked].map((time) => (time ? time.getTime() / 1000 : null));
  return ["token", base64(hash), scopes.join(" "), owner ?? null, ...times];
}

export function receiverLine(row: ReceiverRow): Line {
  const { id, role, name, means, address, secret, created } = row;
  const key = secret === undefined ? null : base64(secret);
  return ["receiver", id, role, name ?? null, means, address, key, created.getTime() / 1000];
}

export function noteLine(kind: "policy" | "identity", row: NoteRow): Line {
  const { number, hash, note, announceLeaf, leaf } = row;
  return [kind, leaf ?? null, announceLeaf ?? null, number, base64(hash), note];
}

/** The members of a line, each asked for by its kind. */
export class LineReader {
  readonly #members: readonly unknown[];
  readonly #where: string;
  #next = 0;

  private constructor(members: unknown, where: string) {
    this.#where = where;
    if (!Array.isArray(members)) throw this.bad("it is no array");
    this.#members = members;
  }

  /** @param where for messages @throws TwinwrapError BAD_FORMAT */
  static of(text: string, where: string): LineReader {
    let members: unknown;
    try {
      members = JSON.parse(text);
    } catch {
      throw new TwinwrapError("BAD_FORMAT", `${where}: it is no JSON`);
    }
    return new LineReader(members, where);
  }

  bad(why: string): TwinwrapError {
    return new TwinwrapError("BAD_FORMAT", `${this.#where}: ${why}`);
  }

  #one(): unknown {
    return this.#members[this.#next++];
  }

  text(): string {
    const value = this.#one();
    // PostgreSQL keeps no U+0000, and no text of an authority has one.
    const isText = typeof value === "string" && isWellFormed(value) && !value.includes("\0");
    if (isText) return value;
    throw this.bad(`member ${this.#next} is no text`);
  }

  /** A text that follows a rule: keys of the store have a length. @param check throws if it does not */
  name(check: (text: string) => unknown): string {
    const value = this.text();
    try {
      check(value);
    } catch (error) {
      if (!isAboutContent(error)) throw error;
      throw this.bad(`member ${this.#next}: ${error.message}`);
    }
    return value;
  }

  optionalText(): string | undefined {
    return this.#isNull() ? undefined : this.text();
  }

  optionalName(check: (text: string) => unknown): string | undefined {
    return this.#isNull() ? undefined : this.name(check);
  }

  number(): number {
    const value = this.#one();
    if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
    throw this.bad(`member ${this.#next} is no number`);
  }

  optionalNumber(): number | undefined {
    return this.#isNull() ? undefined : this.number();
  }

  /** Before 1970 too. */
  time(): Date {
    const value = this.#one();
    const time = new Date(typeof value === "number" ? value * 1000 : Number.NaN);
    if (Number.isSafeInteger(value) && !Number.isNaN(time.getTime())) return time;
    throw this.bad(`member ${this.#next} is no time`);
  }

  optionalTime(): Date | undefined {
    return this.#isNull() ? undefined : this.time();
  }

  boolean(): boolean {
    const value = this.#one();
    if (typeof value === "boolean") return value;
    throw this.bad(`member ${this.#next} is neither true nor false`);
  }

  bytes(): Uint8Array {
    const text = this.text();
    const bytes = Buffer.from(text, "base64");
    if (bytes.toString("base64") !== text) throw this.bad(`member ${this.#next} is no base64`);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  optionalBytes(): Uint8Array | undefined {
    return this.#isNull() ? undefined : this.bytes();
  }

  /** One of some words. */
  word<T extends string>(words: readonly T[]): T {
    const value = this.text();
    const word = words.find((one) => one === value);
    if (word !== undefined) return word;
    throw this.bad(`member ${this.#next} is none of ${words.join(", ")}`);
  }

  /** Members of a member. */
  lists<T>(read: (list: LineReader) => T): T[] {
    const value = this.#one();
    if (!Array.isArray(value)) throw this.bad(`member ${this.#next} is no list`);
    return value.map((one) => {
      const list = new LineReader(one, `${this.#where}, member ${this.#next}`);
      const item = read(list);
      list.end();
      return item;
    });
  }

  #isNull(): boolean {
    if (this.#members[this.#next] !== null) return false;
    this.#next++;
    return true;
  }

  /** @throws TwinwrapError BAD_FORMAT if there is more */
  end(): void {
    if (this.#next < this.#members.length) throw this.bad("it has too many members");
  }
}
