import type { Core } from "../core/index.js";
import type { Recipient } from "../envelope/wraps.js";
import type { RsaPrivateKey } from "../keys/index.js";
import type { RsaEngine } from "../keys/native-rsa.js";
import { Opener, type Openers, openersClosed, type Rewrapped, type Tried } from "./opener.js";
import type { Candidate } from "./store/store.js";

export interface OpenerOptions {
  /** Threads in which the RSA keys work; without them this thread does, as in commands that do one thing. */
  openers?: number | undefined;
  /** What does the keys' operations: by default the core. */
  rsa?: RsaEngine | undefined;
}

export async function openersOf(
  core: Core,
  { openers = 0, rsa }: OpenerOptions = {},
): Promise<Openers> {
  if (openers === 0) return new OwnThread(core, rsa);
  const { OpenerThreads } = await import("./opener-threads.js");
  return new OpenerThreads(core, openers, rsa);
}

/** The keys in this thread. */
class OwnThread implements Openers {
  readonly keys = new Set<string>();
  readonly #opener: Opener;
  #isClosed = false;

  constructor(core: Core, rsa: RsaEngine | undefined) {
    this.#opener = new Opener(core, rsa);
  }

  async add(fingerprint: string, key: RsaPrivateKey): Promise<void> {
    this.#needOpen();
    this.#opener.add(fingerprint, key);
    this.keys.add(fingerprint);
  }

  async check(record: Uint8Array, candidates: readonly Candidate[]): Promise<Tried> {
    this.#needOpen();
    return this.#opener.check(record, candidates);
  }

  async release(
    record: Uint8Array,
    candidates: readonly Candidate[],
    to: Recipient,
  ): Promise<Rewrapped> {
    this.#needOpen();
    return this.#opener.release(record, candidates, to);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#opener.dispose();
    this.keys.clear();
  }

  #needOpen(): void {
    if (this.#isClosed) throw openersClosed();
  }
}
