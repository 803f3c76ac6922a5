import { toHex, wipe } from "../bytes.js";
import type { Core, PreparedRsaPrivateKey } from "../core/index.js";
import type { Wrap } from "../envelope/index.js";
import { type Recipient, wrapFor } from "../envelope/wraps.js";
import { TwinwrapError } from "../errors.js";
// Not through the door, behind which a thread would find all of escrow.
import { openUnproven } from "../escrow/blob-submission.js";
import { decodeRecord, type EscrowRecord, isProven } from "../escrow/record.js";
import { openSubmission } from "../escrow/submission.js";
import type { RsaPrivateKey } from "../keys/index.js";
import { type RsaEngine, rsadpOf } from "../keys/native-rsa.js";
import type { Candidate } from "./store/store.js";

// All that is done with an authority's RSA keys, in whatever thread they are. A session key never leaves
// this file: what comes out says which wrap is right, or is a wrap for somebody else.

/** What became of a record's wraps: each by its number among those given. */
export interface Tried {
  /** The first that is right; those behind it were not tried. */
  right: number | undefined;
  wrong: number[];
  /** Those for a key that is not open. */
  untried: number[];
}

/** The same, and the key of the right one for somebody else. */
export interface Rewrapped extends Tried {
  wrap: Wrap | undefined;
}

/** Where an authority's RSA keys work: in this thread (openers.ts), or in threads of their own (opener-threads.ts). */
export interface Openers {
  /** Fingerprints of the keys that are open, in lower-case hexadecimal. */
  readonly keys: ReadonlySet<string>;
  /**
   * @param key the caller wipes it
   * @throws TwinwrapError BAD_KEY; UNAVAILABLE if no thread can be started
   */
  add(fingerprint: string, key: RsaPrivateKey): Promise<void>;
  /** See {@link Opener.check}. @throws TwinwrapError UNAVAILABLE if a thread was lost; DISPOSED */
  check(record: Uint8Array, candidates: readonly Candidate[]): Promise<Tried>;
  /** See {@link Opener.release}. @throws TwinwrapError the same, and WEAK_KEY, BAD_KEY */
  release(record: Uint8Array, candidates: readonly Candidate[], to: Recipient): Promise<Rewrapped>;
  /** Wipes the keys. What is not done by then is DISPOSED. */
  close(): Promise<void>;
}

/** The RSA keys that are open in one thread, and what they open. */
export class Opener {
  readonly #core: Core;
  readonly #rsa: RsaEngine | undefined;
  /** By fingerprint in lower-case hexadecimal. */
  readonly #keys = new Map<string, PreparedRsaPrivateKey>();

  /** @param rsa what does the keys' operations */
  constructor(core: Core, rsa?: RsaEngine) {
    this.#core = core;
    this.#rsa = rsa;
  }

  /**
   * @param key is copied; the caller wipes it
   * @throws TwinwrapError BAD_KEY; UNSUPPORTED, see {@link rsadpOf}
   */
  add(fingerprint: string, key: RsaPrivateKey): void {
    if (this.#keys.has(fingerprint)) return;
    this.#keys.set(fingerprint, this.#core.rsaPrivateKey(key, rsadpOf(key, this.#rsa)));
  }

  /** Tries a record's wraps. @param record its bytes, which the caller compared with their hash */
  check(record: Uint8Array, candidates: readonly Candidate[]): Tried {
    const { sessionKey, tried } = this.#open(decodeRecord(record), candidates);
    wipe(sessionKey);
    return tried;
  }

  /**
   * Opens a record's wraps until one is right, and wraps its key for somebody else.
   * @throws TwinwrapError WEAK_KEY or BAD_KEY if the recipient's key does not fit for new wraps
   */
  async release(
    record: Uint8Array,
    candidates: readonly Candidate[],
    to: Recipient,
  ): Promise<Rewrapped> {
    const about = decodeRecord(record);
    const { sessionKey, tried } = this.#open(about, candidates);
    try {
      const wrap = sessionKey && (await wrapFor(this.#core, sessionKey, to, algorithmOf(about)));
      return { ...tried, wrap };
    } finally {
      wipe(sessionKey);
    }
  }

  /** Opens each with the key that it names; for an unproven key, the one that the record names. */
  #open(record: EscrowRecord, candidates: readonly Candidate[]) {
    const tried: Tried = { right: undefined, wrong: [], untried: [] };
    for (const [i, candidate] of candidates.entries()) {
      const rsa = this.#keys.get(toHex(candidate.wrap.fingerprint));
      if (rsa === undefined) {
        tried.untried.push(i);
        continue;
      }
      try {
        const sessionKey = isProven(record)
          ? openSubmission(this.#core, { record, ...candidate }, rsa)
          : openUnproven(this.#core, record, candidate.wrap, rsa);
        return { sessionKey, tried: { ...tried, right: i } };
      } catch (error) {
        if (!(error instanceof TwinwrapError && error.code === "DECRYPTION_FAILED")) throw error;
        tried.wrong.push(i);
      }
    }
    return { sessionKey: undefined, tried };
  }

  /** Wipes the keys. */
  dispose(): void {
    for (const rsa of this.#keys.values()) rsa.dispose();
    this.#keys.clear();
  }
}

/** The ALG_ID in a release's SIMPLEBLOB: the one that the submitted blob had. */
function algorithmOf({ blob }: EscrowRecord): { aiKeyAlg?: number } {
  return blob === undefined ? {} : { aiKeyAlg: blob.aiKeyAlg };
}

export function openersClosed(): TwinwrapError {
  return new TwinwrapError("DISPOSED", "the authority's keys were put away");
}
