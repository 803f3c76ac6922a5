import { randomBytes, wipe } from "../bytes.js";
import type { SealingCore } from "../core/sealing.js";
import { nodeCrypto } from "../node-crypto.js";
import { CHUNK, Cobblestone, KEY, SALT, SEALED_CHUNK } from "./cobblestone.js";
import type { Engine } from "./segments.js";

// Which engine is the fastest here. It is measured once, for the first file that is large enough to make up for that.

/** What works on chunks. */
export type Fixed = "wasm" | "webcrypto" | "native";

/** Bytes from which on a file is worth the measurement, which takes some 20 ms. */
const WORTH = 4 << 20;
/** Each engine seals so many chunks so often; its best time counts. Longer turns would rarely go by undisturbed. */
const CHUNKS = 32;
const ROUNDS = 8;
/** The platform has to be faster by so much: the core promises more. */
const GAIN = 1.25;

/** Makes an engine that works on this thread. */
export type MakeEngine = (name: Fixed, cobblestone: Cobblestone) => Promise<Engine>;

/** The platform's AES, by the way with the least work around it; undefined where there is none. */
function platform(): Exclude<Fixed, "wasm"> | undefined {
  if (nodeCrypto() !== undefined) return "native";
  return globalThis.crypto?.subtle === undefined ? undefined : "webcrypto";
}

/** What the platform's AES was measured to do. */
interface Measured {
  /** How many times as fast as the core in one thread it is. */
  advantage: number;
  /** Whether it works on the thread that calls it, as node:crypto and Chromium's WebCrypto do: workers make more of it. */
  here: boolean;
}

/** Picks engines, and keeps what it measured. */
export class Picker {
  readonly #make: MakeEngine;
  #measured: Promise<Measured> | undefined;

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
    this.#measured ??= measure(core, other, this.#make);
    const { advantage, here } = await this.#measured;
    const threads = Math.min(jobs, globalThis.navigator?.hardwareConcurrency ?? jobs);
    // Workers do for it what they do for the core, unless it has threads of its own already.
    return advantage > (here ? GAIN : GAIN * threads) ? other : "wasm";
  }
}

/** Measures it, and finds no advantage in what does not work here. */
async function measure(core: SealingCore, other: Fixed, make: MakeEngine): Promise<Measured> {
  const [key, salt] = [randomBytes(KEY), randomBytes(SALT)];
  const cobblestone = new Cobblestone(core, key, salt, new Uint8Array(0));
  const engines: Engine[] = [];
  try {
    for (const name of ["wasm", other] as const) engines.push(await make(name, cobblestone));
    const best = engines.map(() => ({
      all: Number.POSITIVE_INFINITY,
      call: Number.POSITIVE_INFINITY,
    }));
    const buffer = new ArrayBuffer(CHUNKS * SEALED_CHUNK);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, engine] of engines.entries()) {
        const { all, call } = await timesOf(engine, buffer);
        best[i] = { all: Math.min(best[i]!.all, all), call: Math.min(best[i]!.call, call) };
      }
    }
    const [ours, theirs] = best as [Times, Times];
    return {
      advantage: ours.all / theirs.all,
      here: other === "native" || theirs.call > theirs.all / 2,
    };
  } catch {
    return { advantage: 0, here: true };
  } finally {
    for (const engine of engines) engine.dispose();
    cobblestone.dispose();
    wipe(key);
  }
}

/** Milliseconds that the chunks took, and those before the call came back. */
interface Times {
  all: number;
  call: number;
}

async function timesOf(engine: Engine, buffer: ArrayBuffer): Promise<Times> {
  const start = performance.now();
  const working = engine.work({ index: 0, length: CHUNKS * CHUNK, buffer });
  const call = performance.now() - start;
  const { error } = await working;
  if (error !== undefined) throw error;
  // Some clocks are coarse.
  return { all: Math.max(performance.now() - start, 0.01), call };
}
