import { copyBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import type { WorkerHandle } from "../envelope/index.js";
import { startThread } from "../envelope/worker.node.js";
import type { Recipient } from "../envelope/wraps.js";
import { TwinwrapError } from "../errors.js";
import type { RsaPrivateKey } from "../keys/index.js";
import type { RsaEngine } from "../keys/native-rsa.js";
import { type Openers, openersClosed, type Rewrapped, type Tried } from "./opener.js";
import type { Answer, Order, Task } from "./opener-protocol.js";
import type { Candidate } from "./store/store.js";

// Threads that hold an authority's RSA keys. They start with the first key, and idle ones keep no process alive. One
// that is lost takes its copy of the keys along, and others do its work. With the last of them the keys are locked
// again.

/** Tasks that a thread has at a time: enough to go on with while this thread is held up by a commit. */
const DEPTH = 32;
/** How often a task is given out at most: one that ends a thread must not end all of them. */
const ATTEMPTS = 2;
/** Milliseconds after which a thread is given up that is not ready. */
const READY_WITHIN = 10_000;

interface Job {
  task: Task;
  attempts: number;
  resolve(result: Tried | Rewrapped | undefined): void;
  reject(error: unknown): void;
}

/** A thread, and what it has to do. */
class Thread {
  handle: WorkerHandle | undefined;
  isReady = false;
  readonly jobs = new Map<number, Job>();
  /** Called once it is ready, or has ended. */
  settled = () => {};
  /** Called once it has ended. */
  over = () => {};
  readonly isOver = new Promise<void>((resolve) => {
    this.over = resolve;
  });

  post(order: Order, transfer: ArrayBuffer[] = []): void {
    this.handle?.post(order, transfer);
  }
}

export class OpenerThreads implements Openers {
  readonly keys = new Set<string>();
  readonly #core: Core;
  readonly #count: number;
  readonly #rsa: RsaEngine | undefined;
  readonly #threads = new Set<Thread>();
  readonly #queue: Job[] = [];
  #starting: Promise<unknown> | undefined;
  #ids = 0;
  #isClosed = false;

  /** @param count how many threads there are to be @param rsa what does the keys' operations in them */
  constructor(core: Core, count: number, rsa?: RsaEngine) {
    this.#core = core;
    this.#count = count;
    this.#rsa = rsa;
  }

  async add(fingerprint: string, key: RsaPrivateKey): Promise<void> {
    if (this.#isClosed) throw openersClosed();
    this.#starting ??= Promise.all(Array.from({ length: this.#count }, () => this.#begin()));
    await this.#starting;
    const added = await Promise.allSettled(
      [...this.#threads].map(
        (thread) =>
          new Promise((resolve, reject) => {
            const { key: copy, transfer } = copyOfKey(key);
            const task = { add: { fingerprint, key: copy } };
            this.#give(thread, { task, attempts: ATTEMPTS, resolve, reject }, transfer);
          }),
      ),
    );
    // A thread that was lost meanwhile is missed only if it was the last.
    if (this.#threads.size === 0) throw this.#isClosed ? openersClosed() : lost();
    for (const one of added) {
      if (one.status === "rejected" && one.reason.code !== "UNAVAILABLE") throw one.reason;
    }
    this.keys.add(fingerprint);
  }

  async check(record: Uint8Array, candidates: readonly Candidate[]): Promise<Tried> {
    const check = { record: copyBytes(record), candidates: candidates.map(copyOf) };
    return (await this.#do({ check })) as Tried;
  }

  async release(
    record: Uint8Array,
    candidates: readonly Candidate[],
    { key: { n, e }, padding }: Recipient,
  ): Promise<Rewrapped> {
    const release = {
      record: copyBytes(record),
      candidates: candidates.map(copyOf),
      to: { key: { n: copyBytes(n), e: copyBytes(e) }, padding },
    };
    return (await this.#do({ release })) as Rewrapped;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.keys.clear();
    for (const job of this.#queue.splice(0)) job.reject(openersClosed());
    for (const { isReady, handle } of this.#threads) {
      // Nothing else may keep the process alive until the keys are wiped.
      handle?.hold(true);
      // One that is not ready has no keys, and might never read the order.
      if (isReady) handle?.post({ end: true }, []);
      else handle?.terminate();
    }
    await Promise.all([...this.#threads].map(({ isOver }) => isOver));
  }

  /** Starts a thread; settles when it is ready, or has failed. */
  async #begin(): Promise<void> {
    const thread = new Thread();
    this.#threads.add(thread);
    const ended = () => this.#ended(thread);
    const timer = setTimeout(ended, READY_WITHIN);
    const settled = new Promise<void>((resolve) => {
      thread.settled = resolve;
    });
    try {
      const { script } = await import("./opener-script.js");
      const answered = (data: unknown) => this.#answered(thread, data as Answer);
      thread.handle = await startThread(script, { answered, ended });
      // The work may be over by now.
      if (this.#isClosed) thread.handle.terminate();
      else thread.post({ module: this.#core.module, rsa: this.#rsa });
    } catch {
      ended();
    }
    await settled;
    clearTimeout(timer);
  }

  #do(task: Task): Promise<Tried | Rewrapped | undefined> {
    if (this.#isClosed) return Promise.reject(openersClosed());
    if (this.#threads.size === 0) return Promise.reject(lost());
    return new Promise((resolve, reject) => {
      this.#queue.push({ task, attempts: 0, resolve, reject });
      this.#dispatch();
    });
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      let least: Thread | undefined;
      for (const thread of this.#threads) {
        if (thread.isReady && thread.jobs.size < (least?.jobs.size ?? DEPTH)) least = thread;
      }
      if (least === undefined) return;
      this.#give(least, this.#queue.shift()!);
    }
  }

  #give(thread: Thread, job: Job, transfer?: ArrayBuffer[]): void {
    const id = this.#ids++;
    job.attempts++;
    thread.post({ id, task: job.task }, transfer);
    thread.jobs.set(id, job);
    if (thread.jobs.size === 1) thread.handle?.hold(true);
  }

  #answered(thread: Thread, answer: Answer): void {
    if ("ready" in answer) {
      thread.isReady = true;
      thread.settled();
    } else {
      const job = thread.jobs.get(answer.id);
      thread.jobs.delete(answer.id);
      if ("error" in answer) job?.reject(errorOf(answer.error));
      else job?.resolve(answer.result);
    }
    if (thread.jobs.size === 0 && !this.#isClosed) thread.handle?.hold(false);
    this.#dispatch();
  }

  /** Has others do what a thread that is gone had to do. */
  #ended(thread: Thread): void {
    if (!this.#threads.delete(thread)) return;
    thread.handle?.terminate();
    thread.settled();
    thread.over();
    if (this.#threads.size === 0) {
      this.keys.clear();
      this.#starting = undefined;
    }
    for (const job of [...thread.jobs.values(), ...this.#queue.splice(0)]) {
      if (this.#isClosed) job.reject(openersClosed());
      else if (this.#threads.size === 0 || job.attempts >= ATTEMPTS) job.reject(lost());
      else this.#queue.push(job);
    }
    this.#dispatch();
  }
}

/** A copy to be transferred, so that none stays behind on the way. */
function copyOfKey(key: RsaPrivateKey): { key: RsaPrivateKey; transfer: ArrayBuffer[] } {
  const numbers = Object.entries(key).map(([name, bytes]) => [name, copyBytes(bytes)] as const);
  return {
    key: Object.fromEntries(numbers) as unknown as RsaPrivateKey,
    transfer: numbers.map(([, { buffer }]) => buffer),
  };
}

/** A copy whose buffers hold nothing beside it: a message takes whole buffers along. */
function copyOf({ tag, wrap: { fingerprint, padding, simpleBlob } }: Candidate): Candidate {
  return {
    tag: tag && copyBytes(tag),
    wrap: { fingerprint: copyBytes(fingerprint), padding, simpleBlob: copyBytes(simpleBlob) },
  };
}

function errorOf({ code, message }: { code?: TwinwrapError["code"]; message: string }): Error {
  return code === undefined ? new Error(message) : new TwinwrapError(code, message);
}

function lost(): TwinwrapError {
  return new TwinwrapError(
    "UNAVAILABLE",
    "the threads that hold the authority's RSA keys are gone, or could not be started",
  );
}
