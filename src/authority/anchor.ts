import type { Core } from "../core/index.js";
import { isAboutContent, TwinwrapError } from "../errors.js";
import type { Authority } from "../escrow/chain.js";
import { type Checkpoint, parseCheckpoint } from "../escrow/checkpoint.js";
import { compareKnown, logsOf } from "./log.js";
import { indexOf, logOf, placeOf } from "./store/place.js";
import type { LogHead, StoreReads } from "./store/store.js";

// The newest checkpoint that was shown to anybody, kept beside the store. A store that lost its newest part, or was
// put back, does not reach it.

/** Where it is kept. */
export interface Anchor {
  /** The checkpoint (a note); undefined if there is none. */
  read(): Promise<string | undefined>;
  /**
   * Replaces the checkpoint, synced, before this is answered.
   * @param isNewer whether it is newer than the one that is there: decided while nobody else writes it
   */
  write(note: string, isNewer: (present: string) => boolean): Promise<void>;
}

/** Keeps an authority's anchor. */
export class Anchored {
  readonly #core: Core;
  readonly #anchor: Anchor | undefined;
  /** The place up to which this process knows that the anchor covers the log. */
  #covered = -1;
  /** The last checkpoint that the store was compared with. */
  #compared: string | undefined;
  #writing: Promise<void> | undefined;

  /** @param anchor undefined where none is kept */
  constructor(core: Core, anchor: Anchor | undefined) {
    this.#core = core;
    this.#anchor = anchor;
  }

  /**
   * Before anything is appended, and at the start.
   * @throws TwinwrapError FENCED unless what the store holds extends the anchor
   */
  async check(reads: StoreReads, authority: Authority): Promise<void> {
    if (this.#anchor === undefined) return;
    const note = await this.#anchor.read();
    const head = await reads.head();
    if (note === undefined) {
      if (head === undefined) return;
      throw fenced("nothing says which state of its log was shown last");
    }
    try {
      // One that was compared before is looked for again: the database may have been put back, and gone on, meanwhile.
      if (note === this.#compared && (await isStored(reads, note, authority))) return;
      await compareKnown(this.#core, reads, note, authority);
    } catch (error) {
      if (!isAboutContent(error)) throw error;
      throw fenced(error.message);
    }
    this.#compared = note;
  }

  /**
   * Before a checkpoint, or what leads to one, is shown. All that is to be shown while it is written shares the next.
   * @param upTo where what is shown ends, if that is known
   */
  async cover(reads: StoreReads, authority: Authority, upTo?: number): Promise<void> {
    if (this.#anchor === undefined) return;
    if (upTo !== undefined && upTo <= this.#covered) return;
    const place = placeOfHead(await reads.head());
    if (place <= this.#covered) return;
    // What is being written may be older.
    await this.#writing?.catch(() => {});
    if (place <= this.#covered) return;
    this.#writing ??= this.#write(this.#anchor, reads, authority).finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  async #write(anchor: Anchor, reads: StoreReads, authority: Authority): Promise<void> {
    const head = await reads.head();
    if (head === undefined) return;
    const place = placeOfHead(head);
    // A log that this process does not know is a newer one.
    await anchor.write(
      head.checkpoint,
      (present) => (placeOfNote(present, authority) ?? Number.POSITIVE_INFINITY) < place,
    );
    this.#covered = place;
    // The next append compares it with what the store holds then: a database may be put back meanwhile.
  }

  /** Somebody vouched for this state. */
  async reset(head: LogHead | undefined): Promise<void> {
    if (this.#anchor === undefined || head === undefined) return;
    await this.#anchor.write(head.checkpoint, () => true);
    this.#covered = placeOfHead(head);
    this.#compared = undefined;
  }
}

/** Whether a checkpoint stands in the store as it is. */
async function isStored(reads: StoreReads, note: string, authority: Authority): Promise<boolean> {
  const place = placeOfNote(note, authority);
  if (place === undefined) return false;
  const [stored] = await reads.checkpoints(logOf(place), indexOf(place) - 1, 1);
  return stored?.checkpoint === note;
}

/** Where a head ends; -1 without one. */
function placeOfHead(head: LogHead | undefined): number {
  return head === undefined ? -1 : placeOf(head.log, head.size);
}

/** Where a checkpoint ends; undefined if it is none, or of no log that is known. */
function placeOfNote(note: string, authority: Authority): number | undefined {
  let checkpoint: Checkpoint;
  try {
    checkpoint = parseCheckpoint(note);
  } catch (error) {
    if (!isAboutContent(error)) throw error;
    return undefined;
  }
  const { origin, size } = checkpoint;
  const log = logsOf(authority).findIndex(({ name }) => name === origin);
  return log < 0 ? undefined : placeOf(log, size);
}

function fenced(why: string): TwinwrapError {
  return new TwinwrapError("FENCED", `the store is not what was shown of it before: ${why}`);
}
