import { needFunction, optional, optionsOf, whole } from "../arguments.js";
import { wipe } from "../bytes.js";
import type { Core } from "../core/index.js";
import { coreOption, sealingCoreOr } from "../core/need.js";
import { TwinwrapError } from "../errors.js";
import { markPool } from "../known.js";
import type { Fixed } from "./auto.js";
import { buildId } from "./build-id.js";
import type { Cobblestone } from "./cobblestone.js";
import {
  MAX_JOBS,
  needUrl,
  type StartWorker,
  type WorkerEvents,
  type WorkerHandle,
} from "./pools.js";
import type { Answer, Order } from "./protocol.js";
import type { Direction, Engine, Segment, Worked } from "./segments.js";

/**
 * Bytes of a file that this thread does before it starts workers. Starting two costs as much processor
 * time as sealing some 20 MiB, and a stream's length is unknown: the guess is that one that has come so
 * far goes on for as much again. If a source is known to have twice as many bytes, they start at once.
 * This thread works on while they start.
 */
const START_AFTER = 16 << 20;

/** Milliseconds after which the pool gives up a worker that is not ready. */
const READY_WITHIN = 10_000;

/** Segments that a worker has at a time: one at work, and the next. */
const PER_WORKER = 2;

interface Task {
  engine: PoolEngine;
  segment: Segment;
  resolve(worked: Worked): void;
  reject(error: unknown): void;
}

export interface PoolOptions {
  /** Workers at most, 1 to 64. */
  jobs: number;
  /**
   * Bytes of a file after which they start, unless `start()` did it; 16 MiB by default. They start at once
   * if the file is known to have twice as many.
   */
  startAfter?: number | undefined;
  /**
   * Where a page serves twinwrap/worker.js, if its Content-Security-Policy forbids workers from blob: URLs.
   * Node does without.
   */
  workerUrl?: string | URL | undefined;
}

const OPTIONS = /* @__PURE__ */ optionsOf<PoolOptions>(
  {
    jobs: /* @__PURE__ */ whole(1, MAX_JOBS),
    startAfter: /* @__PURE__ */ whole(0),
    workerUrl: /* @__PURE__ */ optional(needUrl),
  },
  ["jobs"],
);

/** A worker and what it has been given. */
class Member {
  handle: WorkerHandle | undefined;
  ready = false;
  /** Called once it is ready, or known to have failed. */
  settled = () => {};
  /** In the order in which they will be answered. */
  readonly tasks: Task[] = [];
  /** The engines whose keys it has. */
  readonly engines = new Set<PoolEngine>();

  post(order: Order, transfer: ArrayBuffer[] = []): void {
    this.handle?.post(order, transfer);
  }
}

/**
 * Workers that seal and open chunks, each with an instance of the core. Several files can be in work
 * at a time. They start with the first file that is large enough, or with `start()`, and idle ones do
 * not keep a process alive. If one dies, the files whose chunks it had fail (FAULT); another replaces
 * it for the next file.
 */
export class WorkerPool {
  /** Workers at most. */
  readonly jobs: number;
  /** Bytes of a file after which workers are started. */
  readonly startAfter: number;
  readonly #startWorker: (events: WorkerEvents) => ReturnType<StartWorker>;
  readonly #members = new Set<Member>();
  readonly #queue: Task[] = [];
  #starting: Promise<void> | undefined;
  #messages = 0;
  #closed = false;
  #held = false;

  /**
   * @param startWorker how a worker is started
   * @throws TwinwrapError BAD_ARGUMENT, also unless `jobs` is a whole number from 1 to 64
   */
  constructor(startWorker: StartWorker, options: PoolOptions) {
    const { jobs, startAfter = START_AFTER, workerUrl } = OPTIONS(options, "options");
    needFunction(startWorker, "startWorker");
    this.startAfter = startAfter;
    this.jobs = jobs;
    markPool(this);
    this.#startWorker = (events) => startWorker(events, workerUrl);
  }

  /** Whether a worker is there to take work. */
  get ready(): boolean {
    return [...this.#members].some(({ ready }) => ready);
  }

  /** Whether workers are being started. */
  get starting(): boolean {
    return this.#starting !== undefined;
  }

  /**
   * Starts the missing workers; settles when each is ready or has failed. It is no error if none can
   * start: then this thread does the work.
   * @param core whose WebAssembly they run; the shared one by default
   * @throws TwinwrapError BAD_ARGUMENT
   */
  async start(core?: Core): Promise<void> {
    const { module } = await sealingCoreOr(coreOption(core, "the core"), undefined);
    await this.startWith(module);
  }

  /** @internal The same with a compiled core. */
  async startWith(module: WebAssembly.Module): Promise<void> {
    if (this.#closed) return;
    this.#starting ??= Promise.all(
      Array.from({ length: this.jobs - this.#members.size }, () => this.#add(module)),
    ).then(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  async #add(module: WebAssembly.Module): Promise<void> {
    const member = new Member();
    this.#members.add(member);
    const ended = () => this.#ended(member);
    // A script that is not ours may load and never say a word.
    const timer = setTimeout(ended, READY_WITHIN);
    const settled = new Promise<void>((resolve) => {
      member.settled = resolve;
    });
    try {
      // A script that is not ours may say anything.
      const answered = (data: unknown) => {
        if (typeof data === "object" && data !== null) this.#answered(member, data as Answer);
        else ended();
      };
      member.handle = await this.#startWorker({ answered, ended });
      // It may have ended, or the pool was closed, before it was there.
      if (this.#members.has(member)) member.post({ module });
      else member.handle.terminate();
    } catch {
      ended();
    }
    await settled;
    clearTimeout(timer);
  }

  /** @internal An engine for one message. @param done called when the engine is disposed of */
  engine(cobblestone: Cobblestone, about: Passing, done = () => {}): Engine {
    this.needOpen();
    return new PoolEngine(this, ++this.#messages, cobblestone, about, done);
  }

  /** @internal @throws TwinwrapError DISPOSED */
  needOpen(): void {
    if (this.#closed) throw closed();
  }

  /** @internal Lets a worker do it. */
  submit(engine: PoolEngine, segment: Segment): Promise<Worked> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ engine, segment, resolve, reject });
      this.#dispatch();
    });
  }

  /** @internal Makes the workers wipe a message's keys, and takes back segments that none of them has yet. */
  forget(engine: PoolEngine): void {
    for (const task of this.#queue.filter((task) => task.engine === engine)) {
      this.#queue.splice(this.#queue.indexOf(task), 1);
      task.reject(closed());
    }
    for (const member of this.#members) {
      if (member.engines.delete(engine)) member.post({ forget: engine.message });
    }
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      let least: Member | undefined;
      for (const member of this.#members) {
        if (member.ready && member.tasks.length < (least?.tasks.length ?? PER_WORKER))
          least = member;
      }
      if (least === undefined) break;
      const task = this.#queue.shift()!;
      try {
        this.#give(least, task);
      } catch (error) {
        task.reject(error);
      }
    }
    const busy = [...this.#members].some(({ tasks }) => tasks.length > 0);
    if (busy === this.#held) return;
    this.#held = busy;
    for (const { handle, ready } of this.#members) if (ready) handle?.hold(busy);
  }

  #give(member: Member, task: Task): void {
    const { engine, segment } = task;
    const { message, direction, by } = engine;
    if (!member.engines.has(engine)) {
      const keys = engine.copyKeys();
      // Transferred, so that no copy stays behind on the way.
      const order = { message, direction, keys, by };
      member.post(order, [keys.key.buffer, keys.baseNonce.buffer]);
      member.engines.add(engine);
    }
    member.post({ message, segment }, [segment.buffer]);
    member.tasks.push(task);
  }

  #answered(member: Member, answer: Answer): void {
    if (!this.#members.has(member)) {
      // The pool was closed, and nobody waits for what may be plaintext.
      if ("buffer" in answer) wipe(new Uint8Array(answer.buffer));
      return;
    }
    if ("ready" in answer) {
      // A page may serve the script of another build, which would make nonsense of this core.
      if (answer.ready !== buildId) {
        this.#ended(member);
        return;
      }
      member.ready = true;
      member.settled();
      member.handle?.hold(this.#held);
    } else {
      const { error, ...worked } = answer;
      const failure = error && { error: new TwinwrapError(error.code, error.message) };
      member.tasks.shift()?.resolve({ ...worked, ...failure });
    }
    this.#dispatch();
  }

  /** Handles the loss of a worker, and of the work it had. */
  #ended(member: Member): void {
    if (!this.#members.delete(member)) return;
    member.settled();
    member.handle?.terminate();
    const lost = [...member.tasks, ...(this.ready ? [] : this.#queue.splice(0))];
    for (const { reject } of lost) {
      reject(new TwinwrapError("FAULT", "a worker ended unexpectedly; its work is lost"));
    }
    this.#dispatch();
  }

  /** Ends the workers, each as soon as it has wiped its keys. Files in work fail with DISPOSED. */
  close(): void {
    this.#closed = true;
    for (const member of this.#members) {
      this.#members.delete(member);
      member.settled();
      member.handle?.hold(false);
      // One that is not ready has no keys, and might never read the order.
      if (member.ready) member.post({ end: true });
      else member.handle?.terminate();
      for (const { reject } of member.tasks) reject(closed());
    }
    for (const { reject } of this.#queue.splice(0)) reject(closed());
  }
}

function closed(): TwinwrapError {
  return new TwinwrapError("DISPOSED", "the worker pool was closed");
}

/** How a message goes through a pool. */
interface Passing {
  direction: Direction;
  /** Bytes of its source, where that is known. */
  size: number | undefined;
  /** What works on it in the workers. */
  by: Fixed;
  /** The same on this thread; disposed of with the pool's engine. */
  own: Engine;
}

/** One message in a pool. Until a worker is ready, and if none ever is, this thread does the work. */
class PoolEngine implements Engine {
  readonly depth: number;
  readonly message: number;
  readonly direction: Direction;
  readonly by: Fixed;
  readonly #pool: WorkerPool;
  readonly #cobblestone: Cobblestone;
  readonly #own: Engine;
  readonly #done: () => void;
  readonly #isLarge: boolean;
  #seen = 0;
  #asked = false;

  constructor(
    pool: WorkerPool,
    message: number,
    cobblestone: Cobblestone,
    { direction, size, by, own }: Passing,
    done: () => void,
  ) {
    this.#pool = pool;
    this.message = message;
    this.direction = direction;
    this.by = by;
    this.#isLarge = size !== undefined && size >= 2 * pool.startAfter;
    this.#cobblestone = cobblestone;
    this.#own = own;
    this.#done = done;
    this.depth = PER_WORKER * pool.jobs + 1;
  }

  copyKeys() {
    return this.#cobblestone.copyKeys();
  }

  async work(segment: Segment): Promise<Worked> {
    const pool = this.#pool;
    pool.needOpen();
    this.#seen += segment.length;
    if ((this.#isLarge || this.#seen > pool.startAfter) && !this.#asked) {
      // Once a message: a failed start is not tried again for every segment.
      this.#asked = true;
      void pool.startWith(this.#cobblestone.core.module);
    }
    // A turn of the event loop, in which a worker can tell that it is ready.
    if (!pool.ready && pool.starting) await new Promise((resolve) => setTimeout(resolve));
    return pool.ready ? pool.submit(this, segment) : this.#own.work(segment);
  }

  dispose(): void {
    this.#pool.forget(this);
    this.#own.dispose();
    this.#done();
  }
}
