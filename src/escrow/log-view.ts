import {
  listOf,
  needFunction,
  needText,
  needUint8Array,
  objectOf,
  optional,
  same,
} from "../arguments.js";
import { equalBytes, toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { needCore } from "../core/need.js";
import { isAboutContent, notVerified, TwinwrapError } from "../errors.js";
import {
  type Checkpoint,
  endedLog,
  parseCheckpoint,
  parseProof,
  verifyCheckpoint,
} from "./checkpoint.js";
import type { EndedLog } from "./identity.js";
import { leafHash, type NodeId, provenSubtrees, subtrees, verifyConsistency } from "./merkle.js";
import type { VerifierKey } from "./note.js";

// Each proof by itself is good in a forked or rewritten log, too. Only where proofs meet do they show that
// there is one log: at one size there is one root, and a complete subtree is the same at every size.

/** A log, as its holder shows it. */
export interface LogSource {
  /** The newest signed checkpoint (a note); undefined while the log is empty. */
  checkpoint(): Promise<string | undefined>;
  /**
   * The proof that the log's first `to` leaves begin with its first `from` (RFC 6962, section 2.1.4.1).
   * @returns hashes of 32 bytes
   */
  consistency(from: number, to: number): Promise<Uint8Array[]>;
}

/** A log that proofs are compared with. */
export interface ComparedLog {
  /** Whose checkpoints count: the log keys of its authority, the one in use first. Logs that ended say where. */
  logKeys: readonly VerifierKey[];
  /** The log in use, if it can be asked. */
  source?: LogSource | undefined;
}

const needLog = optional(
  same(
    objectOf<ComparedLog>({
      logKeys: listOf(objectOf<VerifierKey>({ name: needText, publicKey: needUint8Array })),
      source: optional(
        same(objectOf<LogSource>({ checkpoint: needFunction, consistency: needFunction })),
      ),
    }),
  ),
);

/** A hash, and the size of the log that it was seen at first. */
interface Seen {
  hash: Uint8Array;
  size: number;
  /** The authority's officers signed it when the log ended. */
  isEnd?: boolean;
}

/**
 * What was seen of an authority's logs. Proofs of one log have to agree. A proof that meets no other (no size
 * and no subtree in common) can't be compared, unless the log itself can be asked. Proofs of a log that ended have to
 * agree with where it ended. What its key signed beyond has no worth, so it shows nothing.
 */
export class LogView {
  readonly #core: Core;
  readonly #log: ComparedLog | undefined;
  /** The newest checkpoint that the log showed. */
  #newest: Checkpoint | undefined;
  /** By log, and within it by what the hash is of. */
  readonly #seen = new Map<string, Map<string, Seen>>();
  /** Checkpoints shown to be the log's own. */
  readonly #compared = new Set<string>();
  #contradiction: string | undefined;

  /** @param log what is known of the authority's logs, and the one in use if it can be asked */
  constructor(core: Core, log?: ComparedLog) {
    this.#core = needCore(core);
    this.#log = needLog(log, "the log");
  }

  /** The first two proofs that did not go together, in words; undefined if all did. It stays, whatever comes later. */
  get contradiction(): string | undefined {
    return this.#contradiction;
  }

  /**
   * Compares a proof with everything seen before, and remembers it if they agree.
   * @param leaf as it stands in the log
   * @param proof C2SP tlog-proof that verified: one that the authority did not sign shows nothing
   * @throws TwinwrapError NOT_VERIFIED that names both sizes if the log was forked, rewritten or rolled
   *   back; BAD_FORMAT
   */
  async see(leaf: string, proof: string): Promise<void> {
    needText(leaf, "the leaf");
    needText(proof, "the proof");
    try {
      await this.#see(leaf, proof);
    } catch (error) {
      if (error instanceof TwinwrapError && error.code === "NOT_VERIFIED") {
        this.#contradiction ??= error.message;
      }
      throw error;
    }
  }

  async #see(leaf: string, proof: string): Promise<void> {
    const { index, path, checkpoint: note } = parseProof(proof);
    const checkpoint = parseCheckpoint(note);
    const { origin, size, root } = checkpoint;
    const ended = endedLog(this.#log?.logKeys ?? [], origin);
    if (ended !== undefined && size > ended.end.size) return;
    const shown = new Map([[`root ${size}`, root]]);
    const entry = leafHash(this.#core, toUtf8(leaf));
    for (const node of provenSubtrees(this.#core, entry, index, size, path)) {
      shown.set(nameOf(node), node.hash);
    }
    const seen = this.#seen.get(origin) ?? seenAtEnd(ended);
    for (const [name, hash] of shown) {
      const before = seen.get(name);
      if (before !== undefined && !equalBytes(before.hash, hash)) throw contradicted(before, size);
    }
    await this.#compare(checkpoint);
    for (const [name, hash] of shown) if (!seen.has(name)) seen.set(name, { hash, size });
    this.#seen.set(origin, seen);
  }

  /** Shows that a checkpoint is the log's own, by a proof that leads to its newest. */
  async #compare({ origin, size, root }: Checkpoint): Promise<void> {
    const log = this.#log;
    // A log under an earlier name is another log.
    if (log?.source === undefined || log.logKeys[0]?.name !== origin) return;
    const name = `${size} ${toHex(root)}`;
    if (this.#compared.has(name)) return;
    const newest = await this.#newestFor(log.logKeys, log.source, size);
    await this.#checkExtends(log.source, { size, root }, newest);
    this.#compared.add(name);
  }

  /** The newest checkpoint that the log showed, asked for again where a larger one is known: it may have grown. */
  async #newestFor(
    logKeys: readonly VerifierKey[],
    source: LogSource,
    size: number,
  ): Promise<Checkpoint | undefined> {
    const before = this.#newest;
    if (before !== undefined && before.size >= size) return before;
    const note = await source.checkpoint();
    const newest =
      note === undefined ? undefined : await verifyCheckpoint(this.#core, note, logKeys);
    // What was compared so far led to the one before: it holds only if this one goes on from there.
    if (before !== undefined) await this.#checkExtends(source, before, newest);
    this.#newest = newest;
    return newest;
  }

  /** @throws TwinwrapError NOT_VERIFIED unless the newest log begins with the older one */
  async #checkExtends(
    source: LogSource,
    { size, root }: Pick<Checkpoint, "size" | "root">,
    newest: Checkpoint | undefined,
  ): Promise<void> {
    const present = newest?.size ?? 0;
    if (newest === undefined || size > present) {
      throw notVerified(`the log was rolled back: it has ${present} leaves, but signed ${size}`);
    }
    const proof = await source.consistency(size, present);
    try {
      verifyConsistency(this.#core, size, root, present, newest.root, proof);
    } catch (error) {
      if (!isAboutContent(error)) throw error;
      throw forked(
        `of its ${present} leaves, the first ${size} are not those that it signed at ${size}`,
      );
    }
  }
}

/** What the officers say of a log that ended. */
function seenAtEnd(ended: EndedLog | undefined): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  for (const { size, root } of ended === undefined ? [] : [ended.end, ended.kept]) {
    const point: Seen = { hash: root, size, isEnd: true };
    seen.set(`root ${size}`, point);
    // A complete tree is a subtree of every later one.
    const [whole, ...more] = subtrees(0, size);
    if (whole !== undefined && more.length === 0) seen.set(nameOf(whole), point);
  }
  return seen;
}

function nameOf({ level, index }: NodeId): string {
  return `subtree ${level} ${index}`;
}

function contradicted({ size: before, isEnd = false }: Seen, size: number): TwinwrapError {
  return forked(
    isEnd
      ? `what it signed at ${size} leaves is not what its authority says of ${before} leaves`
      : `what it signed at ${before} and at ${size} leaves contradicts itself`,
  );
}

function forked(how: string): TwinwrapError {
  return notVerified(`the log was forked or rewritten: ${how}`);
}
