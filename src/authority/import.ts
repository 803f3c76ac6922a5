import { createHash } from "node:crypto";
import { equalBytes, fromHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { PADDINGS } from "../envelope/header.js";
import type { Wrap } from "../envelope/index.js";
import { isAboutContent, TwinwrapError } from "../errors.js";
import { verifyAuthority } from "../escrow/chain.js";
import { parseCheckpoint } from "../escrow/checkpoint.js";
import { GrowingTree } from "../escrow/growing-tree.js";
import { parseIdentity } from "../escrow/identity.js";
import { type AuthorityFile, RECORD_STATUSES, REQUEST_STATUSES } from "../escrow/index.js";
import { checkOwnerId, checkText } from "../escrow/names.js";
import { parsePolicy } from "../escrow/policy.js";
import { MAX_LABEL } from "../escrow/record.js";
import { parseRequestId } from "../escrow/request.js";
import { checkerOf } from "./checker.js";
import { FORMAT, type FullRecord, LineReader } from "./export-lines.js";
import { fence, logsOf } from "./log.js";
import { checkMail, checkWebhook } from "./receivers.js";
import { SCOPES, type Scope } from "./scopes.js";
import { placeOf } from "./store/place.js";
import type { LogHead, NoteRow, OwnerRow, ReceiverRow, Store, StoreWrites } from "./store/store.js";

// A store from an export. Its log is made again from its leaves, and compared with what was signed, before a row is
// taken; the rows are compared with the log by an audit afterwards. All of it is one transaction.

/** Rows that are written at once. */
const PAGE = 256;
/** Longest line, in characters. */
const MAX_LINE = 1 << 22;

const damaged = (why: string) => new TwinwrapError("BAD_FORMAT", `the export is damaged: ${why}`);

/** The lines of an export, and the checksum over them. */
async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const sum = createHash("sha256");
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let rest = "";
  let isEnded = false;
  let before: string | undefined;
  const decode = (piece?: Uint8Array) => {
    try {
      return decoder.decode(piece, { stream: piece !== undefined });
    } catch {
      throw damaged("it is no UTF-8");
    }
  };
  for await (const piece of pieces) {
    const [first = "", ...more] = decode(piece).split("\n");
    const lines = [rest + first, ...more];
    if (lines.some(({ length }) => length > MAX_LINE)) throw damaged("a line is too long");
    rest = lines.pop()!;
    for (const line of lines) {
      if (isEnded) throw damaged("something stands behind its end");
      if (before !== undefined) {
        sum.update(`${before}\n`);
        yield before;
      }
      before = line;
      isEnded = line.startsWith('["end",');
    }
  }
  if (decode() !== "" || rest !== "" || !isEnded) throw damaged("its end is missing");
  if (before !== JSON.stringify(["end", sum.digest("hex")])) {
    throw damaged("its checksum is another one");
  }
}

export interface Imported {
  /** Whether its source was fenced, so that this one may go on at once. */
  isMoved: boolean;
  head: LogHead;
}

/**
 * Fills an empty store from an export. Unless its source was moved, its log is fenced, as after a restore.
 * @param pieces of the export
 * @throws TwinwrapError that says on which line: BAD_FORMAT if it is none, or damaged; NOT_VERIFIED or FAULT if its log
 *   is not the one that was signed. CONFLICT if the store is not empty
 */
export function importStore(
  core: Core,
  store: Store,
  pieces: AsyncIterable<Uint8Array>,
): Promise<Imported> {
  let isBegun = false;
  return store.write(async (writes) => {
    // The pieces come once.
    if (isBegun) {
      throw new TwinwrapError("UNAVAILABLE", "the store was lost while it was filled: begin again");
    }
    isBegun = true;
    if ((await writes.identities()).length > 0) {
      throw new TwinwrapError("CONFLICT", "the store holds an authority already");
    }
    return new Import(core, writes).run(linesOf(pieces));
  });
}

/** One import: what is known of it so far. */
class Import {
  readonly #core: Core;
  readonly #writes: StoreWrites;
  readonly #notes: Record<"identity" | "policy", NoteRow[]> = { identity: [], policy: [] };
  #logs: ReturnType<typeof logsOf> = [];
  #isSigned: (note: string) => boolean = () => false;
  #log = -1;
  #tree: GrowingTree | undefined;
  #leaves: string[] = [];
  #head: LogHead | undefined;
  #seen: LogHead | undefined;
  #records: FullRecord[] = [];
  #line = 0;
  /** The lines of these records. */
  #lines = { from: 1, to: 1 };

  constructor(core: Core, writes: StoreWrites) {
    this.#core = core;
    this.#writes = writes;
  }

  async run(lines: AsyncIterable<string>): Promise<Imported> {
    let isMoved: boolean | undefined;
    for await (const text of lines) {
      this.#line++;
      const line = LineReader.of(text, this.#where());
      const kind = line.text();
      if (isMoved === undefined) {
        if (kind !== FORMAT) throw line.bad(`it does not begin with ${FORMAT}`);
        isMoved = line.boolean();
      } else await this.#located(() => this.#take(kind, line));
      line.end();
    }
    await this.#located(() => this.#endLog());
    await this.#flush();
    const newest = this.#logs.length - 1;
    if (this.#head === undefined || this.#head.log !== newest) throw damaged("a log is missing");
    if (!isMoved) await fence(this.#writes, "restored");
    return { isMoved: isMoved!, head: this.#head };
  }

  #where({ from, to } = { from: this.#line, to: this.#line }): string {
    return `${from < to ? `lines ${from} to ${to}` : `line ${to}`} of the export`;
  }

  /** Does something with what lines say: by default the one that was read last. @throws an error that says where */
  async #located(work: () => Promise<void>, lines?: { from: number; to: number }): Promise<void> {
    try {
      await work();
    } catch (cause) {
      if (!(cause instanceof TwinwrapError) || /^(lines? \d|the export)/.test(cause.message)) {
        throw cause;
      }
      const { code, message } = cause;
      // What the database has to say about it is of no more help.
      const isMisfit = code === "FAULT" && cause.cause !== undefined;
      const why = isMisfit ? "it does not fit what comes before" : message;
      if (code === "CONFLICT" || isMisfit) {
        throw new TwinwrapError("BAD_FORMAT", `${this.#where(lines)}: ${why}`, { cause });
      }
      if (code !== "FAULT" && !isAboutContent(cause)) throw cause;
      throw new TwinwrapError(code, `${this.#where(lines)}: ${why}`, { cause });
    }
  }

  async #take(kind: string, line: LineReader): Promise<void> {
    if (kind !== "record") await this.#flush();
    switch (kind) {
      case "identity":
      case "policy": {
        if (this.#logs.length > 0) throw line.bad("notes come before the log");
        const row = readNote(line);
        const parse = kind === "policy" ? parsePolicy : parseIdentity;
        const { number, hash } = parse(this.#core, row.note);
        if (row.number !== number || !equalBytes(row.hash, hash)) {
          throw line.bad("number or hash are not those of the note");
        }
        if (this.#notes[kind].some((other) => equalBytes(other.hash, hash))) {
          throw line.bad("the note is there twice");
        }
        this.#notes[kind].push(row);
        return;
      }
      case "seen":
        if (this.#log >= 0) throw line.bad("what was seen comes before the log");
        return this.#takeSeen(line);
      case "log":
        return this.#beginLog(line);
      case "leaf":
        if (this.#tree === undefined) throw line.bad("a leaf stands in no log");
        this.#leaves.push(line.text());
        return;
      case "checkpoint":
        return this.#takeCheckpoint(line);
      default:
        await this.#endLog();
        return this.#takeRow(kind, line);
    }
  }

  /** Who signed the log, from the notes, which prove themselves. */
  async #readNotes(): Promise<void> {
    if (this.#logs.length > 0) return;
    const inForce = (rows: readonly NoteRow[]) =>
      rows.filter(({ leaf }) => leaf !== undefined).map(({ note }) => note);
    const file: AuthorityFile = {
      identities: inForce(this.#notes.identity),
      policies: inForce(this.#notes.policy),
    };
    const authority = await verifyAuthority(this.#core, file);
    this.#logs = logsOf(authority);
    this.#isSigned = checkerOf(this.#core, this.#logs);
  }

  async #takeSeen(line: LineReader): Promise<void> {
    await this.#readNotes();
    const [log, size, root] = [line.number(), line.number(), hash(line, fromHex(line.text()))];
    const checkpoint = line.text();
    const signed = parseCheckpoint(checkpoint);
    const isRight =
      signed.origin === this.#logs[log]?.name &&
      signed.size === size &&
      equalBytes(signed.root, root) &&
      this.#isSigned(checkpoint);
    if (!isRight) throw line.bad("it is no checkpoint of one of the logs");
    this.#seen = { log, size, root, checkpoint };
  }

  async #beginLog(line: LineReader): Promise<void> {
    if (this.#log < 0) await this.#readNotes();
    else if (this.#tree === undefined) throw line.bad("a log comes before all rows");
    else this.#checkLogEnd();
    if (line.number() !== ++this.#log) throw line.bad("it is not the log that comes next");
    this.#tree = await GrowingTree.empty(this.#core);
  }

  async #takeCheckpoint(line: LineReader): Promise<void> {
    const tree = this.#tree;
    if (tree === undefined) throw line.bad("a checkpoint stands in no log");
    const checkpoint = line.text();
    const from = tree.size;
    const nodes = await tree.append(this.#leaves);
    const { size, root } = tree;
    const signed = parseCheckpoint(checkpoint);
    const isRight =
      signed.origin === this.#logs[this.#log]?.name &&
      signed.size === size &&
      equalBytes(signed.root, root);
    if (!isRight) {
      throw new TwinwrapError("FAULT", `the leaves up to ${size} are not those that were signed`);
    }
    const head = { log: this.#log, size, root, checkpoint };
    const old = this.#head === undefined ? 0 : placeOf(this.#head.log, this.#head.size);
    await this.#writes.extendLog(placeOf(this.#log, from), this.#leaves, nodes, head, old);
    this.#leaves = [];
    this.#head = head;
  }

  /** The last checkpoint's signature stands for all before it: they are of the same leaves. */
  #checkLogEnd(): void {
    if (this.#leaves.length > 0)
      throw new TwinwrapError("BAD_FORMAT", "leaves before it have no checkpoint");
    // Of a log that was lost as a whole nothing is kept.
    if (this.#tree?.size === 0 && this.#log < this.#logs.length - 1) return;
    if (this.#head?.log !== this.#log || !this.#isSigned(this.#head.checkpoint)) {
      throw new TwinwrapError(
        "NOT_VERIFIED",
        "the log's newest checkpoint is not signed by its key",
      );
    }
  }

  /** Once, before the first row. */
  async #endLog(): Promise<void> {
    if (this.#tree === undefined) {
      if (this.#log < 0) throw damaged("it has no log");
      return;
    }
    this.#checkLogEnd();
    this.#tree = undefined;
    for (const row of this.#notes.identity) await this.#writes.putIdentity(row);
    for (const row of this.#notes.policy) await this.#writes.putPolicy(row);
    if (this.#seen !== undefined) await this.#writes.addSeenCheckpoint(this.#seen);
  }

  async #takeRow(kind: string, line: LineReader): Promise<void> {
    switch (kind) {
      case "record":
        this.#lines = { from: this.#line - this.#records.length, to: this.#line };
        this.#records.push(readRecord(line));
        if (this.#records.length >= PAGE) await this.#flush();
        return;
      case "enrolment": {
        const [leaf, owner, secret] = [line.number(), line.name(checkOwnerId), hash(line)];
        await this.#addOwners([{ owner, secret }]);
        return this.#writes.insertEnrolment({ leaf, owner, control: hash(line) });
      }
      case "request":
        return this.#writes.insertRequest({
          leaf: line.number(),
          status: line.word(REQUEST_STATUSES),
          hash: hash(line),
          id: line.name(parseRequestId),
          bytes: line.bytes(),
          expires: line.time(),
        });
      case "approval":
        return this.#writes.insertApproval({
          denialLeaf: line.optionalNumber(),
          hash: hash(line),
          request: hash(line),
          note: line.text(),
        });
      case "veto":
        return this.#writes.insertVeto({
          leaf: line.number(),
          hash: hash(line),
          request: hash(line),
          note: line.text(),
        });
      case "release":
        return this.#writes.insertReleases([
          { leaf: line.number(), request: hash(line), record: hash(line), wrap: readWrap(line) },
        ]);
      case "token":
        return this.#writes.insertToken({
          hash: hash(line),
          scopes: line
            .text()
            .split(" ")
            .map((scope) => asScope(scope, line)),
          owner: line.optionalName(checkOwnerId),
          created: line.time(),
          expires: line.optionalTime(),
          revoked: line.optionalTime(),
        });
      case "receiver":
        return this.#writes.insertReceiver(readReceiver(line));
      default:
        throw line.bad(`there is no such row as "${kind.slice(0, 20)}"`);
    }
  }

  /** Writes the records that were gathered. */
  async #flush(): Promise<void> {
    const records = this.#records;
    if (records.length === 0) return;
    this.#records = [];
    await this.#located(async () => {
      await this.#addOwners(records.map(({ row: { owner }, secret }) => ({ owner, secret })));
      await this.#writes.insertRecords(records.map(({ row }) => row));
      await this.#writes.addCandidates(
        records.flatMap(({ row, candidates }) =>
          candidates.map((candidate) => ({ record: row.hash, ...candidate })),
        ),
      );
    }, this.#lines);
  }

  /** An owner comes with each of their records. */
  async #addOwners(rows: readonly OwnerRow[]): Promise<void> {
    const each = [...new Map(rows.map((row) => [row.owner, row])).values()];
    const present = await this.#writes.ownerSecrets(each.map(({ owner }) => owner));
    await this.#writes.insertOwners(each.filter((_, i) => present[i] === undefined));
  }
}

/** @throws TwinwrapError BAD_FORMAT if they are not 32 bytes */
function hash(line: LineReader, bytes = line.bytes()): Uint8Array {
  if (bytes.length === 32) return bytes;
  throw line.bad("a hash, secret or key has not 32 bytes");
}

function asScope(word: string, line: LineReader): Scope {
  if ((SCOPES as readonly string[]).includes(word)) return word as Scope;
  throw line.bad(`a token's scopes are ${SCOPES.join(", ")}`);
}

function readReceiver(line: LineReader): ReceiverRow {
  const id = line.text();
  if (!/^[0-9a-f]{16}$/.test(id)) throw line.bad("a receiver's ID has 16 hexadecimal digits");
  const row = {
    id,
    role: line.word(["operator", "officer", "owner"] as const),
    name: line.optionalName(checkOwnerId),
    means: line.word(["webhook", "mail"] as const),
    address: line.text(),
    secret: line.optionalBytes(),
    created: line.time(),
  };
  const check = row.means === "mail" ? checkMail : checkWebhook;
  const isWhole =
    (row.role === "operator") === (row.name === undefined) &&
    (row.means === "mail") === (row.secret === undefined);
  try {
    if (isWhole && check(row.address) === row.address) return row;
  } catch (error) {
    if (!(error instanceof TwinwrapError && error.code === "BAD_ARGUMENT")) throw error;
  }
  throw line.bad("nobody can be told so");
}

function readNote(line: LineReader): NoteRow {
  return {
    leaf: line.optionalNumber(),
    announceLeaf: line.optionalNumber(),
    number: line.number(),
    hash: hash(line),
    note: line.text(),
  };
}

function readWrap(line: LineReader): Wrap {
  return {
    fingerprint: hash(line),
    padding: line.word(PADDINGS),
    simpleBlob: line.bytes(),
  };
}

function readRecord(line: LineReader): FullRecord {
  const [escrowLeaf, verifiedLeaf] = [line.optionalNumber(), line.optionalNumber()];
  if (escrowLeaf === undefined && verifiedLeaf === undefined) {
    throw line.bad("the record stands on no leaf");
  }
  const status = line.word(RECORD_STATUSES);
  const [recordHash, owner, secret] = [hash(line), line.name(checkOwnerId), hash(line)];
  const row = {
    escrowLeaf,
    verifiedLeaf,
    status,
    hash: recordHash,
    owner,
    serial: line.bytes(),
    description: line.optionalText(),
    label: line.optionalName((text) => checkText(text, MAX_LABEL, "the label")),
    created: line.time(),
    record: line.bytes(),
  };
  const candidates = line.lists((list) => {
    const tag = list.optionalBytes();
    return { tag: tag && hash(list, tag), wrap: readWrap(list) };
  });
  return { row, secret, candidates };
}
