import { createHash } from "node:crypto";
import { toHex, toUtf8 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { parseIdentity } from "../escrow/identity.js";
import {
  approvalLine,
  enrolmentLine,
  FORMAT,
  type Line,
  noteLine,
  receiverLine,
  recordLine,
  releaseLine,
  requestLine,
  tokenLine,
  vetoLine,
} from "./export-lines.js";
import { fence, fenceOf, requireUnfenced } from "./log.js";
import { fault } from "./nodes.js";
import type { Office } from "./office.js";
import { placeOf } from "./store/place.js";
import type { LogEntry, LogHead, NoteRow, StoreReads } from "./store/store.js";

// Everything that a store holds, as one stream: a backup, and the way into another store.

/** Leaves and rows that are read at once. */
const PAGE = 256;
/** Bytes that are given out at once, at least. */
const PIECE = 65_536;

/** Takes the pieces of an export, one after the other. */
export type Sink = (piece: Uint8Array) => Promise<void>;

export interface ExportOptions {
  /**
   * The store is fenced in the same transaction: from then on the copy goes on, and this one never again. What was
   * exported counts only with its end, which comes once that is done.
   */
  move?: boolean | undefined;
}

/** Writes lines in larger pieces, and sums them up. */
class Lines {
  readonly #sink: Sink;
  readonly #sum = createHash("sha256");
  #text = "";

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  async write(line: Line): Promise<void> {
    this.#text += `${JSON.stringify(line)}\n`;
    if (this.#text.length >= PIECE) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#text === "") return;
    const piece = toUtf8(this.#text);
    this.#text = "";
    this.#sum.update(piece);
    await this.#sink(piece);
  }

  /** The last line: the SHA-256 of all before it. */
  async end(): Promise<void> {
    await this.flush();
    await this.#sink(toUtf8(`${JSON.stringify(["end", this.#sum.digest("hex")])}\n`));
  }
}

/**
 * Exports a store as of one moment.
 * @throws TwinwrapError FAULT if something of it is missing; FENCED if it is to be moved, but its log may not grow
 */
export async function exportStore(
  { core, store }: Pick<Office, "core" | "store">,
  sink: Sink,
  { move = false }: ExportOptions = {},
): Promise<void> {
  const lines = new Lines(sink);
  await lines.write([FORMAT, move]);
  const all = async (reads: StoreReads) => {
    const identities = await reads.identities();
    const ended = endedLogs(core, identities);
    for (const row of identities) await lines.write(noteLine("identity", row));
    for (const row of await reads.policies()) await lines.write(noteLine("policy", row));
    const seen = await reads.seenCheckpoint();
    if (seen !== undefined) await lines.write(seenLine(seen));
    const head = await reads.head();
    const sizes = [...ended, head?.size ?? 0];
    for (const [log, size] of sizes.entries()) await exportLog(reads, lines, log, size);
    for (const [log, size] of sizes.entries()) {
      await exportRows(reads, lines, placeOf(log, 0), placeOf(log, size));
    }
    for (const row of await reads.tokens()) await lines.write(tokenLine(row));
    // Who is told goes along. What they were not told yet does not: those who run the copy would tell it once more.
    for (const row of await reads.receivers()) await lines.write(receiverLine(row));
    await lines.flush();
  };
  if (move) {
    let isBegun = false;
    await store.write(async (writes) => {
      // What was given out can't be taken back.
      if (isBegun) {
        throw new TwinwrapError(
          "UNAVAILABLE",
          "the store was lost while it was exported: begin again",
        );
      }
      isBegun = true;
      // A move whose output was lost is made again.
      if ((await fenceOf(writes)) !== "moved") await requireUnfenced(writes);
      await all(writes);
      await fence(writes, "moved");
    });
  } else {
    await store.snapshot(all);
  }
  await lines.end();
}

/** How many leaves are held of each log that has ended. */
function endedLogs(core: Office["core"], identities: readonly NoteRow[]): number[] {
  const newest = identities.filter(({ leaf }) => leaf !== undefined).at(-1);
  if (newest === undefined) throw new TwinwrapError("FAULT", "the store has no identity");
  return parseIdentity(core, newest.note).ended.map(({ kept }) => kept.size);
}

function seenLine({ log, size, root, checkpoint }: LogHead): Line {
  return ["seen", log, size, toHex(root), checkpoint];
}

/** Leaves, and behind those of each checkpoint the checkpoint. */
async function exportLog(
  reads: StoreReads,
  lines: Lines,
  log: number,
  size: number,
): Promise<void> {
  await lines.write(["log", log]);
  let done = 0;
  while (done < size) {
    const checkpoints = await reads.checkpoints(log, done, PAGE);
    if (checkpoints.length === 0) throw fault(`the checkpoint of ${size} leaves is missing`);
    for (const { size: to, checkpoint } of checkpoints) {
      if (to > size) throw fault(`a checkpoint of ${to} leaves stands behind its ${size} leaves`);
      while (done < to) {
        const leaves = await reads.leaves(placeOf(log, done), Math.min(PAGE, to - done));
        if (leaves.length === 0) throw fault(`leaf ${done} is missing`);
        for (const leaf of leaves) await lines.write(["leaf", leaf]);
        done += leaves.length;
      }
      await lines.write(["checkpoint", checkpoint]);
      if (to === size) return;
    }
  }
}

/** What stands on the leaves, and what belongs to that. */
async function exportRows(
  reads: StoreReads,
  lines: Lines,
  from: number,
  to: number,
): Promise<void> {
  for (let place = from; place < to; place += PAGE) {
    const entries = await reads.entries(place, Math.min(place + PAGE, to));
    const records = entries.flatMap((entry) => (isFirst(entry) ? [entry.row] : []));
    const candidates = await reads.candidatesOf(records.map(({ hash }) => hash));
    const enrolled = entries.flatMap((entry) => (entry.type === "enrol" ? [entry.row.owner] : []));
    const owners = [...new Set([...records.map(({ owner }) => owner), ...enrolled])];
    const found = await reads.ownerSecrets(owners);
    const secrets = new Map(owners.map((owner, i) => [owner, found[i]!]));
    let next = 0;
    for (const entry of entries) {
      if (isFirst(entry)) {
        const { row } = entry;
        const secret = secrets.get(row.owner)!;
        await lines.write(recordLine({ row, secret, candidates: candidates[next++]! }));
      } else await exportEntry(reads, lines, entry, secrets);
    }
  }
}

/** Whether an entry is the first that a record stands on. */
function isFirst(entry: LogEntry): entry is LogEntry & { type: "escrow" | "verified" } {
  if (entry.type === "escrow") return true;
  return entry.type === "verified" && entry.row.escrowLeaf === undefined;
}

async function exportEntry(
  reads: StoreReads,
  lines: Lines,
  entry: LogEntry,
  secrets: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  if (entry.type === "enrol") {
    await lines.write(enrolmentLine(entry.row, secrets.get(entry.row.owner)!));
  } else if (entry.type === "request") {
    await lines.write(requestLine(entry.row));
    // Denials among them.
    for (const row of await reads.approvals(entry.row.hash)) await lines.write(approvalLine(row));
  } else if (entry.type === "veto") await lines.write(vetoLine(entry.row));
  else if (entry.type === "release") await lines.write(releaseLine(entry.row));
}
