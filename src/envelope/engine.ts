import type { Core } from "../core/index.js";
import type { SealingCore } from "../core/sealing.js";
import { TwinwrapError } from "../errors.js";
import { nodeCrypto, noNodeCrypto } from "../node-crypto.js";
import type { Pieces, Reader } from "../source.js";
import type { Picker as AnyPicker, Fixed } from "./auto.js";
import type { Cobblestone } from "./cobblestone.js";
import { loadLate } from "./loaded.js";
import type { PoolOptions, WorkerPool } from "./pool.js";
import type { StartWorker } from "./pools.js";
import {
  type Direction,
  type Engine,
  LocalEngine,
  type RunOptions,
  runSegments,
} from "./segments.js";

/** What works on a file's chunks; the bytes are the same. */
export const ENGINES = ["wasm", "webcrypto", "native", "auto"] as const;
export type EngineName = (typeof ENGINES)[number];

/** How the chunks of a file are worked on. */
export interface EngineOptions {
  /**
   * "wasm", the default: the core, constant-time by construction, wherever WebAssembly is.
   * "webcrypto": the platform's AES-GCM, which as a rule uses the processor's AES instructions, and threads of its
   * own but for Chromium's: faster on large files, and only as good as the platform's promises. The
   * session key and the keys made from it stay with the core in either case.
   * "native": the AES-GCM of OpenSSL by node:crypto, in Node, Deno and Bun: as "webcrypto", but with less
   * work around each chunk. The fastest where there are AES instructions.
   * "auto": the fastest of them here, for a file of 4 MiB or more; it is measured once. For smaller files "wasm".
   */
  engine?: EngineName | undefined;
  /**
   * Workers that do it, 1 to 64; with 1, the default, everything happens on this thread.
   * They start once a file turns out to be large, and end with it. If none can start, this thread does
   * the work.
   */
  jobs?: number | undefined;
  /** Workers that are there already, instead of `jobs`; several files may be in work at once. */
  pool?: WorkerPool | undefined;
  /** Where a page serves twinwrap/worker.js for them; see {@link PoolOptions.workerUrl}. */
  workerUrl?: PoolOptions["workerUrl"];
  /** How to start a worker; twinwrap in Node and in browsers knows this by itself. */
  startWorker?: StartWorker | undefined;
}

/** Settings of work that takes its time. */
export interface WorkOptions extends RunOptions, EngineOptions {
  /** The core to work with; a shared one by default. */
  core?: Core | undefined;
}

/** @throws TwinwrapError UNSUPPORTED if the platform has nothing that the engine could use */
export function checkEngine({ engine }: EngineOptions): void {
  if (engine === "native" && nodeCrypto() === undefined) {
    throw noNodeCrypto();
  }
  if (engine === "webcrypto" && globalThis.crypto?.subtle === undefined) {
    throw new TwinwrapError(
      "UNSUPPORTED",
      "WebCrypto is missing here: browsers have it in secure contexts (https) only",
    );
  }
}

/** Seals or opens what `reader` gives with the engine that was asked for. */
export async function* workThrough(
  direction: Direction,
  cobblestone: Cobblestone,
  reader: Reader,
  options: EngineOptions & RunOptions,
): Pieces {
  const engine = await makeEngine(direction, cobblestone, reader.size, options);
  try {
    yield* runSegments(direction, reader, engine, options);
  } finally {
    engine.dispose();
  }
}

// What works on chunks in other ways is loaded when it is asked for: most pages never do.

/** An engine on this thread. */
async function ownEngine(
  name: Fixed,
  cobblestone: Cobblestone,
  direction: Direction,
): Promise<Engine> {
  if (name === "wasm") return new LocalEngine(cobblestone.cipher, direction);
  const { platformEngine } = await loadLate();
  return platformEngine(name, cobblestone.copyKeys(), direction);
}

let picker: AnyPicker | undefined;

async function pick(core: SealingCore, size: number | undefined, jobs: number): Promise<Fixed> {
  const { Picker } = await loadLate();
  picker ??= new Picker((name, cobblestone) => ownEngine(name, cobblestone, "seal"));
  return picker.pick(core, size, jobs);
}

async function makeEngine(
  direction: Direction,
  cobblestone: Cobblestone,
  size: number | undefined,
  { engine = "wasm", jobs = 1, pool, startWorker, workerUrl }: EngineOptions,
): Promise<Engine> {
  const picked =
    engine === "auto" ? await pick(cobblestone.core, size, pool?.jobs ?? jobs) : engine;
  const own = await ownEngine(picked, cobblestone, direction);
  try {
    const about = { direction, size, by: picked, own };
    if (pool !== undefined) return pool.engine(cobblestone, about);
    if (jobs === 1 || startWorker === undefined) return own;
    const { WorkerPool } = await loadLate();
    const workers = new WorkerPool(startWorker, { jobs, workerUrl });
    return workers.engine(cobblestone, about, () => workers.close());
  } catch (error) {
    own.dispose();
    throw error;
  }
}
