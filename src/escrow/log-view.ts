import { needFunction, needText, objectOf, optional, same } from "../arguments.js";
import { equalBytes, toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { needCore } from "../core/need.js";
import { notVerified, type TwinwrapError } from "../errors.js";
import { type Checkpoint, parseCheckpoint, parseProof } from "./checkpoint.js";
import { leafHash, provenSubtrees } from "./merkle.js";

// Each proof by itself is good in a forked or rewritten log, too. That there is one log only shows where
// proofs meet: at one size there is one root, and a complete subtree is the same at every size.

/** A log itself, where somebody has it. */
export interface LogHere {
  /** The name under which its checkpoints are signed. */
  origin: string;
  /** Leaves now. */
  size(): Promise<number>;
  /** The root hash of its first `size` leaves, 32 bytes. */
  root(size: number): Promise<Uint8Array>;
}

const needHere = optional(
  same(objectOf<LogHere>({ origin: needText, size: needFunction, root: needFunction })),
);

/** A hash, and the size of the log that it was seen at first. */
interface Seen {
  hash: Uint8Array;
  size: number;
}

/**
 * What was seen of an authority's logs: proofs that belong to one log go together. What does not meet
 * any other proof (no size and no subtree in common) can't be compared, unless the log itself is here.
 */
export class LogView {
  readonly #core: Core;
  readonly #here: LogHere | undefined;
  /** By log, and within it by what the hash is of. */
  readonly #seen = new Map<string, Map<string, Seen>>();
  /** Checkpoints that the log here has. */
  readonly #compared = new Set<string>();

  /** @param here the log itself, if it is here */
  constructor(core: Core, here?: LogHere) {
    this.#core = needCore(core);
    this.#here = needHere(here, "the log");
  }

  /**
   * Compares a proof with everything that was seen before, and remembers it if it goes together with that.
   * @param leaf as it stands in the log
   * @param proof C2SP tlog-proof; one that verified, as what the authority did not sign shows nothing
   * @throws TwinwrapError NOT_VERIFIED that names both sizes if the log was forked, rewritten or rolled
   *   back; BAD_FORMAT
   */
  async see(leaf: string, proof: string): Promise<void> {
    needText(leaf, "the leaf");
    const { index, path, checkpoint: note } = parseProof(needText(proof, "the proof"));
    const checkpoint = parseCheckpoint(note);
    const { origin, size, root } = checkpoint;
    const shown = new Map([[`root ${size}`, root]]);
    const entry = leafHash(this.#core, toUtf8(leaf));
    for (const node of provenSubtrees(this.#core, entry, index, size, path)) {
      shown.set(`subtree ${node.level} ${node.index}`, node.hash);
    }
    const seen = this.#seen.get(origin) ?? new Map<string, Seen>();
    for (const [name, hash] of shown) {
      const before = seen.get(name);
      if (before !== undefined && !equalBytes(before.hash, hash)) {
        throw forked(`what it signed at ${before.size} and at ${size} leaves contradicts itself`);
      }
    }
    await this.#compareHere(checkpoint);
    for (const [name, hash] of shown) if (!seen.has(name)) seen.set(name, { hash, size });
    this.#seen.set(origin, seen);
  }

  async #compareHere({ origin, size, root }: Checkpoint): Promise<void> {
    const here = this.#here;
    // A log under an earlier name is another log.
    if (here === undefined || here.origin !== origin) return;
    const name = `${size} ${toHex(root)}`;
    if (this.#compared.has(name)) return;
    const present = await here.size();
    if (size > present) {
      throw notVerified(`the log was rolled back: it has ${present} leaves, but signed ${size}`);
    }
    if (!equalBytes(await here.root(size), root)) {
      throw forked(
        `of its ${present} leaves, the first ${size} are not those that it signed at ${size}`,
      );
    }
    this.#compared.add(name);
  }
}

function forked(how: string): TwinwrapError {
  return notVerified(`the log was forked or rewritten: ${how}`);
}
