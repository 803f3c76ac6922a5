import { randomBytes, wipe } from "../bytes.js";
import type { SealingCore } from "../core/sealing.js";
import { nodeCrypto } from "../node-crypto.js";
import { CHUNK, Cobblestone, KEY, SALT } from "./cobblestone.js";
import { type Engine, SEGMENT, SEGMENT_CHUNKS } from "./segments.js";

// Which engine is the fastest here. It is measured once, for the first file that is large enough to make up for that.

/** What works on chunks. */
export type Fixed = "wasm" | "webcrypto" | "native";

/** Bytes from which on a file is worth the measurement, which takes some 20 ms. */
const WORTH = 4 << 20;
/** Each engine seals a segment so often; its best time counts. */
const ROUNDS = 4;
/** The platform has to be faster by so much: the core promises more. */
const GAIN = 1.25;

/** Makes an engine that works on this thread. */
export type MakeEngine = (name: Fixed, cobblestone: Cobblestone) => Promise<Engine>;

/** The platform's AES, by the way with the least work around it; undefined where there is none. */
function platform(): Exclude<Fixed, "wasm"> | undefined {
  if (nodeCrypto() !== undefined) return "native";
  return globalThis.crypto?.subtle === undefined ? undefined : "webcrypto";
}

/** Picks engines, and keeps what it measured. */
export class Picker {
  readonly #make: MakeEngine;
  /** How many times as fast as the core in one thread the platform's AES is. */
  #advantage: Promise<number> | undefined;

  constructor(make: MakeEngine) {
    this.#make = make;
  }

  /**
   * The engine for a file.
   * @param size bytes of it; undefined if that is not known
   * @param jobs threads that the core would have
   */
  async pick(core: SealingCore, size: number | undefined, jobs: number): Promise<Fixed> {
    const other = platform();
    if (other === undefined || (size !== undefined && size < WORTH)) return "wasm";
    this.#advantage ??= measure(core, other, this.#make);
    const threads = Math.min(jobs, globalThis.navigator?.hardwareConcurrency ?? jobs);
    // Its own workers do for node:crypto what they do for the core; WebCrypto has threads already.
    const needed = other === "native" ? GAIN : GAIN * threads;
    return (await this.#advantage) > needed ? other : "wasm";
  }
}

/** @returns 0 if the other one does not work here */
async function measure(core: SealingCore, other: Fixed, make: MakeEngine): Promise<number> {
  const [key, salt] = [randomBytes(KEY), randomBytes(SALT)];
  const cobblestone = new Cobblestone(core, key, salt, new Uint8Array(0));
  const engines: Engine[] = [];
  try {
    for (const name of ["wasm", other] as const) engines.push(await make(name, cobblestone));
    const best = engines.map(() => Number.POSITIVE_INFINITY);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, engine] of engines.entries()) {
        best[i] = Math.min(best[i]!, await timeOf(engine));
      }
    }
    return best[0]! / best[1]!;
  } catch {
    return 0;
  } finally {
    for (const engine of engines) engine.dispose();
    cobblestone.dispose();
    wipe(key);
  }
}

async function timeOf(engine: Engine): Promise<number> {
  const buffer = new ArrayBuffer(SEGMENT);
  const start = performance.now();
  const { error } = await engine.work({ index: 0, length: SEGMENT_CHUNKS * CHUNK, buffer });
  if (error !== undefined) throw error;
  // Some clocks are coarse.
  return Math.max(performance.now() - start, 0.01);
}
