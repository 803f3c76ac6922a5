import { equalBytes, fromUtf8, toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { isAboutContent, notVerified, type TwinwrapError } from "../errors.js";
import { type Checkpoint, verifyCheckpoint, weighProof } from "../escrow/checkpoint.js";
import { GrowingTree } from "../escrow/growing-tree.js";
import type { EndedLog, LogPoint } from "../escrow/identity.js";
import {
  type Authority,
  type AuthorityFile,
  enrolTag,
  ownerTag,
  type Receipt,
  requestId,
  requestTag,
} from "../escrow/index.js";
import { decodeLeaf, type Leaf, type ReleaseLeaf } from "../escrow/leaf.js";
import { verifyConsistency } from "../escrow/merkle.js";
import type { VerifierKey } from "../escrow/note.js";
import { TILE_WIDTH } from "../escrow/tiles.js";
import { formatTime } from "../jcs.js";
import type { Watched, WatchedLog, WatchedRequest } from "./watch-state.js";

// Follows an authority's log from outside: every leaf is read once, and the tree is made again from the leaves, so that
// nothing is skipped and nothing that was seen is changed. Nothing of this is the authority's word: a leaf is in a log
// whose checkpoint it signed, or the look fails.

/** A log's public files. */
export interface LogFiles {
  /** The newest checkpoint of a log; undefined while it is empty. @param log from 0 */
  checkpointOf(log: number): Promise<string | undefined>;
  /** A tile of leaves, each behind its length. */
  entries(log: number, index: number, width: number): Promise<Uint8Array>;
  /** See LogSource: of the log in use. */
  consistency(from: number, to: number): Promise<Uint8Array[]>;
}

/** Something that stands in a log, or that is wrong with it. Its members are texts and numbers: it goes out as JSON. */
export interface Sight {
  /**
   * A leaf's type. Or what is wrong: "malformed" (a leaf that is none), "clock", "receipt" (it is not in the log),
   * "lost" (what was seen is not kept of a log that ended), "contradiction" (the log shrank, was forked or rewritten).
   */
  type: Leaf["type"] | "malformed" | "clock" | "receipt" | "lost" | "contradiction";
  /** The log's name. */
  log: string;
  index?: number;
  time?: string;
  /** Of a request: its ID, 26 characters. */
  request?: string;
  /** recordHash in hexadecimal digits. */
  record?: string;
  /** The number of a policy or an identity. */
  number?: number;
  basis?: string;
  notBefore?: string;
  expires?: string;
  /** The type of a leaf that is unknown. */
  name?: string;
  /** What is wrong, in words. */
  alarm?: string;
}

export interface LookOptions {
  /** The secret of the owner who watches, 32 bytes: of requests, releases and enrolments only theirs are shown. */
  ownerSecret?: Uint8Array | undefined;
  /** Receipts that have to be in the log, each with its name for people. */
  receipts?: readonly { name: string; receipt: Receipt }[] | undefined;
  /** By default now. */
  now?: Date | undefined;
}

export interface Look {
  /** In the order of the log. */
  sights: Sight[];
  /** Leaves that were read: those of no concern too. */
  leaves: number;
  /** To be kept until the next look, once everything was shown. */
  watched: Watched;
}

/** How far a leaf's time may be ahead of our own clock, in milliseconds. */
const AHEAD = 5 * 60_000;
/** Tiles that are read at the same time. */
const AT_ONCE = 8;

const NOTHING: WatchedLog = {
  size: 0,
  root: new Uint8Array(),
  whole: { size: 0, edge: [] },
  time: undefined,
  isOver: false,
};

/**
 * Looks at what came into an authority's logs since the last look.
 * @param about the authority as it is by now; whoever calls has seen that it goes on from what was known
 * @param before the state after the last look; undefined for the first
 * @throws TwinwrapError NOT_VERIFIED if the log shrank, was forked or rewritten, or its leaves are not those that it
 *   signed; UNAVAILABLE
 */
export async function lookAtLog(
  core: Core,
  about: { authority: Authority; file: AuthorityFile },
  files: LogFiles,
  before: Watched | undefined,
  options: LookOptions = {},
): Promise<Look> {
  const { authority, file } = about;
  const { log: inUse, ended } = authority.identities.at(-1)!;
  const logs: WatchedLog[] = [];
  const watcher = new Watcher(core, options);
  for (const [number, key] of ended.entries()) {
    const known = before?.logs[number] ?? NOTHING;
    watcher.begin(key.name, isLast(before, number) ? before!.requests : []);
    logs.push(known.isOver ? known : await watcher.end(files, number, key, known));
  }
  const number = ended.length;
  const known = before?.logs[number] ?? NOTHING;
  watcher.begin(inUse.name, isLast(before, number) ? before!.requests : []);
  const newest = await newestOf(core, files, authority, number);
  if (newest.size < known.size) {
    throw notVerified(
      `log ${inUse.name} was rolled back: it has ${newest.size} leaves, but ${known.size} were seen`,
    );
  }
  const now = await watcher.follow(files, number, known, newest);
  logs.push(now);
  for (const { name, receipt } of options.receipts ?? []) {
    await watcher.check(name, receipt, { authority, files, newest });
  }
  watcher.tellOfClock();
  const requests = watcher.openAt(now.time);
  return {
    sights: watcher.sights,
    leaves: watcher.leaves,
    watched: { authority: file, logs, requests },
  };
}

function isLast(before: Watched | undefined, log: number): boolean {
  return before !== undefined && before.logs.length === log + 1;
}

/** @throws TwinwrapError NOT_VERIFIED */
async function newestOf(
  core: Core,
  files: LogFiles,
  { logKeys, identities }: Authority,
  number: number,
): Promise<Checkpoint> {
  const note = await files.checkpointOf(number);
  const origin = identities.at(-1)!.log.name;
  if (note === undefined) return { origin, size: 0, root: core.sha256(new Uint8Array()) };
  const checkpoint = await verifyCheckpoint(core, note, logKeys);
  if (checkpoint.origin === origin) return checkpoint;
  throw notVerified(`the checkpoint of log ${origin} is one of ${checkpoint.origin}`);
}

/** What one look sees. */
class Watcher {
  readonly sights: Sight[] = [];
  leaves = 0;
  readonly #core: Core;
  readonly #secret: Uint8Array | undefined;
  readonly #now: Date;
  #log = "";
  #requests = new Map<string, WatchedRequest>();
  /** Leaves whose time is ahead of our clock. */
  #ahead: { first: Sight; count: number } | undefined;

  constructor(core: Core, { ownerSecret, now = new Date() }: LookOptions) {
    this.#core = core;
    this.#secret = ownerSecret;
    this.#now = now;
  }

  /** From now on it is about another log. @param requests that were open in it */
  begin(log: string, requests: readonly WatchedRequest[]): void {
    this.#log = log;
    // Requests end with their log.
    this.#requests = new Map(requests.map((one) => [toHex(one.request), one]));
  }

  /** Requests of which something can still come. */
  openAt(time: Date | undefined): WatchedRequest[] {
    return [...this.#requests.values()].filter(
      ({ expires }) => time === undefined || expires >= time,
    );
  }

  /** Sees the last of a log that has ended. */
  async end(
    files: LogFiles,
    number: number,
    { name, kept, end }: EndedLog,
    known: WatchedLog,
  ): Promise<WatchedLog> {
    if (known.size === end.size && known.size > 0 && !equalBytes(known.root, end.root)) {
      throw forked(name, `it ended with other leaves than the ${known.size} that were seen`);
    }
    if (known.size <= kept.size) {
      return { ...(await this.follow(files, number, known, kept)), isOver: true };
    }
    // The officers' word stands for what is lost. It is told all the same.
    const more = known.size > end.size ? `, and says that it never had more than ${end.size}` : "";
    this.#alarm({
      type: "lost",
      log: name,
      alarm: `log ${name} ended and kept ${kept.size} leaves, but ${known.size} were seen${more}: hand in again what was in the others`,
    });
    return { ...known, isOver: true };
  }

  /**
   * Reads what came behind the leaves that were seen, up to a signed size.
   * @throws TwinwrapError NOT_VERIFIED
   */
  async follow(
    files: LogFiles,
    number: number,
    known: WatchedLog,
    { size, root }: LogPoint,
  ): Promise<WatchedLog> {
    const name = this.#log;
    const isNew = known.size === 0;
    if (size === known.size) {
      if (isNew || equalBytes(root, known.root)) {
        return { ...known, root };
      }
      throw forked(name, `it has other leaves than the ${size} that were seen`);
    }
    const tree = await GrowingTree.from(this.#core, known.whole);
    let { whole, time } = known;
    for await (const tile of tilesOf(files, number, whole.size, size)) {
      const seen = Math.max(0, Math.min(known.size - tree.size, tile.length));
      await tree.appendBytes(tile.slice(0, seen));
      if (!isNew && tree.size === known.size && !equalBytes(tree.root, known.root)) {
        throw forked(name, `of the ${known.size} leaves that were seen, some are others now`);
      }
      for (const [i, bytes] of tile.entries()) {
        if (i >= seen) time = this.#see(bytes, tree.size - seen + i, time);
      }
      await tree.appendBytes(tile.slice(seen));
      if (tree.size % TILE_WIDTH === 0) whole = tree.edge;
    }
    if (!equalBytes(tree.root, root)) {
      throw notVerified(
        `the leaves of log ${name} are not the ${size} that it signed, or not in their order`,
      );
    }
    // Only now is it sure that what was seen is the log's. If it were not, nobody would be shown any of it.
    this.leaves += size - known.size;
    return { size, root, whole, time, isOver: false };
  }

  /** @returns the time of the leaf, or of the one before if this is none */
  #see(bytes: Uint8Array, index: number, before: Date | undefined): Date | undefined {
    const leaf = leafOf(bytes);
    const place = { log: this.#log, index };
    if (leaf === undefined) {
      this.#alarm({
        ...place,
        type: "malformed",
        alarm: `entry ${index} of log ${this.#log} is no leaf`,
      });
      return before;
    }
    const at = { ...place, time: formatTime(leaf.time) };
    if (before !== undefined && leaf.time < before) {
      this.#alarm({
        ...at,
        type: "clock",
        alarm: `entry ${index} of log ${this.#log} is of ${at.time}, before the one before it: times never go back`,
      });
    }
    if (leaf.time.getTime() > this.#now.getTime() + AHEAD) {
      this.#ahead ??= { first: { ...at, type: "clock" }, count: 0 };
      this.#ahead.count++;
    }
    this.#show(leaf, at);
    return leaf.time;
  }

  /** Tells of leaves that are ahead of our clock, once. */
  tellOfClock(): void {
    if (this.#ahead === undefined) return;
    const { first, count } = this.#ahead;
    const others = count > 1 ? ` (and ${count - 1} more)` : "";
    this.#alarm({
      ...first,
      alarm: `entry ${first.index} of log ${first.log} is of ${first.time}${others}, but here it is ${formatTime(this.#now)}: the authority's clock is ahead, or this one behind; a waiting period may be cut short so`,
    });
  }

  #show(leaf: Leaf, at: Pick<Sight, "log" | "index" | "time">): void {
    switch (leaf.type) {
      case "escrow":
      case "verified":
        return;
      case "request": {
        const { request, notbefore: notBefore, expires, owners } = leaf;
        const isTheirs = this.#isTheirs((secret) => {
          const tag = requestTag(this.#core, secret, request);
          return owners.some((owner) => equalBytes(owner, tag));
        });
        this.#requests.set(toHex(request), { request, notBefore, expires, isTheirs });
        if (!isTheirs) return;
        const times = { notBefore: formatTime(notBefore), expires: formatTime(expires) };
        this.sights.push({ type: "request", ...at, request: requestId(request), ...times });
        return;
      }
      case "release":
        this.#showRelease(leaf, at);
        return;
      case "denial":
      case "veto": {
        const { type, request } = leaf;
        const known = this.#requests.get(toHex(request));
        if (this.#secret !== undefined && known?.isTheirs !== true) return;
        this.sights.push({ type, ...at, request: requestId(request) });
        return;
      }
      case "enrol": {
        const { owner } = leaf;
        const tag = (secret: Uint8Array) => enrolTag(this.#core, secret);
        if (!this.#isTheirs((secret) => equalBytes(owner, tag(secret)))) return;
        this.sights.push({ type: "enrol", ...at });
        return;
      }
      case "announce": {
        const { type, number, notbefore } = leaf;
        this.sights.push({ type, ...at, number, notBefore: formatTime(notbefore) });
        return;
      }
      case "policy":
      case "authority":
        this.sights.push({ type: leaf.type, ...at, number: leaf.number });
        return;
      case "unknown":
        this.sights.push({ type: "unknown", ...at, name: leaf.name });
    }
  }

  /** A release that the log does not bear out is told to everybody, whoever it concerns. */
  #showRelease(leaf: ReleaseLeaf, at: Pick<Sight, "log" | "index" | "time">): void {
    const { record, owner, request, basis, time } = leaf;
    const known = this.#requests.get(toHex(request));
    const wrong =
      known === undefined
        ? "no request that is open in the log stands before it"
        : basis === "quorum" && time < known.notBefore
          ? `its request had to wait until ${formatTime(known.notBefore)}`
          : time >= known.expires
            ? `its request had expired at ${formatTime(known.expires)}`
            : undefined;
    const sight: Sight = {
      type: "release",
      ...at,
      request: requestId(request),
      record: toHex(record),
      basis,
    };
    if (wrong !== undefined) {
      this.#alarm({ ...sight, alarm: `a release that may not be there: ${wrong}` });
    } else if (
      this.#isTheirs((secret) => equalBytes(owner, ownerTag(this.#core, secret, record)))
    ) {
      this.sights.push(sight);
    }
  }

  /** Without a secret everything is of concern. */
  #isTheirs(test: (secret: Uint8Array) => boolean): boolean {
    return this.#secret === undefined || test(this.#secret);
  }

  #alarm(sight: Sight & { alarm: string }): void {
    this.sights.push(sight);
  }

  /** Whether a receipt's leaf is in the log that was seen, or was kept of one that ended. */
  async check(
    name: string,
    receipt: Receipt,
    about: { authority: Authority; files: LogFiles; newest: Checkpoint },
  ): Promise<void> {
    const why = await this.#missing(receipt, about);
    if (why === undefined) return;
    this.#alarm({
      type: "receipt",
      log: about.newest.origin,
      alarm: `the leaf of receipt ${name} is not in the log: ${why}`,
    });
  }

  async #missing(
    { leaf, proof }: Receipt,
    { authority, files, newest }: { authority: Authority; files: LogFiles; newest: Checkpoint },
  ): Promise<string | undefined> {
    const core = this.#core;
    const logKeys: readonly VerifierKey[] = authority.logKeys;
    try {
      const { index, checkpoint, worth } = await weighProof(core, leaf, proof, logKeys);
      const { origin, size, root } = checkpoint;
      if (worth === "lost" || worth === "after the end") {
        return `log ${origin} has ended without it: hand its record in again`;
      }
      if (worth === "unconfirmed")
        return await this.#unkept(files, authority, { origin, index, leaf });
      // In a log that ended, a proof that counts leads to what was kept.
      if (origin !== newest.origin) return undefined;
      if (size > newest.size) return `it has ${newest.size} leaves, but signed ${size}`;
      const path = size === newest.size ? [] : await files.consistency(size, newest.size);
      verifyConsistency(core, size, root, newest.size, newest.root, path);
      return undefined;
    } catch (error) {
      if (!isAboutContent(error)) throw error;
      return (error as Error).message;
    }
  }

  /** Looks whether a leaf stands in what is kept of a log that ended, where its proof says. */
  async #unkept(
    files: LogFiles,
    { identities }: Authority,
    { origin, index, leaf }: { origin: string; index: number; leaf: string },
  ): Promise<string | undefined> {
    const { ended } = identities.at(-1)!;
    const number = ended.findIndex(({ name }) => name === origin);
    const tile = Math.floor(index / TILE_WIDTH);
    const width = Math.min(TILE_WIDTH, ended[number]!.kept.size - tile * TILE_WIDTH);
    const entries = entriesIn(await files.entries(number, tile, width), width);
    return equalBytes(entries[index % TILE_WIDTH]!, toUtf8(leaf))
      ? undefined
      : `log ${origin} has kept another leaf in its place`;
  }
}

/** Tiles of leaves, from a whole number of tiles on up to a size. */
async function* tilesOf(
  files: LogFiles,
  log: number,
  from: number,
  size: number,
): AsyncGenerator<Uint8Array[]> {
  for (let at = from; at < size; at += AT_ONCE * TILE_WIDTH) {
    const starts = Array.from({ length: AT_ONCE }, (_, i) => at + i * TILE_WIDTH);
    const tiles = starts
      .filter((start) => start < size)
      .map(async (start) => {
        const width = Math.min(TILE_WIDTH, size - start);
        return entriesIn(await files.entries(log, start / TILE_WIDTH, width), width);
      });
    yield* await Promise.all(tiles);
  }
}

/** @throws TwinwrapError NOT_VERIFIED unless they are as many as there have to be */
function entriesIn(tile: Uint8Array, width: number): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let at = 0;
  while (at + 2 <= tile.length) {
    const length = tile[at]! * 256 + tile[at + 1]!;
    if (at + 2 + length > tile.length) break;
    entries.push(tile.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  if (entries.length === width && at === tile.length) return entries;
  throw notVerified("the log's service gave a tile with other entries than it has to have");
}

function leafOf(bytes: Uint8Array): Leaf | undefined {
  try {
    return decodeLeaf(fromUtf8(bytes));
  } catch (error) {
    if (!isAboutContent(error)) throw error;
    return undefined;
  }
}

function forked(name: string, how: string): TwinwrapError {
  return notVerified(`log ${name} was forked or rewritten: ${how}`);
}
