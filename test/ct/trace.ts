// Runs one case again and again with other secrets and compares what the module did.

import { GLOBALS, type Instrumented, instrument, LOG_SLOTS, LOG_START } from "./wasm.js";

/** One instance of the core, driven by its ABI as src/core/ drives it. */
export class Abi {
  readonly #exports: Record<string, unknown>;
  /** The core's exported calls that were made. */
  readonly called: Set<string>;
  readonly statuses: number[] = [];
  readonly memory: Uint8Array;

  constructor(exports: Record<string, unknown>, called: Set<string>) {
    this.#exports = exports;
    this.called = called;
    this.memory = new Uint8Array((exports.memory as WebAssembly.Memory).buffer);
  }

  global(name: string): WebAssembly.Global {
    return this.#exports[name] as WebAssembly.Global;
  }

  #put(region: string, bytes: Uint8Array, at: number): this {
    this.memory.set(bytes, this.global(region).value + at);
    return this;
  }
  input(bytes: Uint8Array, at = 0): this {
    return this.#put("INPUT", bytes, at);
  }
  params(bytes: Uint8Array, at = 0): this {
    return this.#put("PARAMS", bytes, at);
  }
  output(length: number, at = 0): Uint8Array {
    const start = this.global("OUTPUT").value + at;
    return this.memory.slice(start, start + length);
  }

  /** A call whose answer may differ. */
  read(name: string, ...numbers: number[]): number {
    this.called.add(name);
    return (this.#exports[name] as (...numbers: number[]) => number)(...numbers);
  }

  /** A call whose status must be the same in every run. */
  call(name: string, ...numbers: number[]): this {
    this.statuses.push(this.read(name, ...numbers) ?? 0);
    return this;
  }
}

const OK = 0;
/** What a refused message ends with. */
export const NOT_AUTHENTIC = 2;
/** And a refused key. */
export const BAD_KEY = 3;

/** Gives the secret bytes of one run, as many as are asked for. */
export type Secrets = (length: number) => Buffer;

export interface Case {
  name: string;
  /** What is done, every time from a fresh instance. `run` counts the runs from 0. */
  run: (core: Abi, secrets: Secrets, run: number) => void;
  /** How many runs are compared at least; six unless said, which have secrets of every kind. */
  runs?: number;
  /** Only where all cases run (`npm run ct`): longer, or of another size than a case of every test run. */
  isLong?: boolean;
  /** The status of its last call (assembly/status.ts); OK unless said. */
  ends?: number;
}

export interface Trace {
  hash: bigint;
  events: bigint;
  instructions: bigint;
  statuses: string;
  site: number;
  /** Operations on floating-point numbers with a subnormal one, and where the first was. */
  subnormals: bigint;
  subnormalSite: number;
}

/** What the secrets of a run are made of: groups of so many bytes, each zeros, ones or anything. */
const GROUPS = [4, 1, 16, 8];

/**
 * Secrets of run 0 are all zeros, of run 1 all ones. Then rare values and ordinary ones in turns: of every
 * four runs one has random bytes, and three have words, bytes or blocks of nothing but zeros and ones among
 * random ones. All are pseudo-random by the run's number.
 */
function secretsOf(run: number): Secrets {
  let state = (0x9e3779b9 ^ Math.imul(run, 0x85ebca6b)) >>> 0;
  const random = () => {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state >>> 11;
  };
  return (length) => {
    const bytes = Buffer.alloc(length, run === 0 ? 0 : 0xff);
    if (run < 2) return bytes;
    const group = run % 4 === 0 ? length : GROUPS[run % 4]!;
    for (let at = 0; at < length; at += group) {
      const kind = group === length ? 2 : random() % 3;
      const end = Math.min(at + group, length);
      if (kind === 0) bytes.fill(0, at, end);
      if (kind === 2) for (let i = at; i < end; i++) bytes[i] = random();
    }
    return bytes;
  };
}

/** What a case's runs did, and where the first difference is, if there is one. */
export interface Verdict {
  runs: number;
  trace: Trace;
  difference?: string;
}

/** A module under the gate. */
export class Gate {
  readonly #wasm: Uint8Array<ArrayBuffer>;
  readonly #module: WebAssembly.Module;
  /** Made when there is a difference to find. */
  #logging: WebAssembly.Module | undefined;
  readonly #code: Instrumented;
  readonly #names: () => Map<number, string> | Promise<Map<number, string>>;
  /** Every export that a case called. */
  readonly called = new Set<string>();
  /** The exported functions of the module itself. */
  readonly exported: string[];

  /** @param names of the module's functions, asked for once there is a difference to tell */
  constructor(
    wasm: Uint8Array<ArrayBuffer>,
    names: () => Map<number, string> | Promise<Map<number, string>>,
  ) {
    this.exported = WebAssembly.Module.exports(new WebAssembly.Module(wasm))
      .filter(({ kind }) => kind === "function")
      .map(({ name }) => name);
    this.#wasm = wasm;
    this.#code = instrument(wasm);
    this.#module = new WebAssembly.Module(this.#code.bytes);
    this.#names = names;
  }

  /** One run from a fresh instance of a build, with its globals set. */
  #run(
    module: WebAssembly.Module,
    one: Case,
    run: number,
    globals: Partial<Record<keyof typeof GLOBALS, bigint>>,
  ): Abi {
    const { exports } = new WebAssembly.Instance(module);
    const core = new Abi(exports, this.called);
    for (const [name, value] of Object.entries(globals)) {
      core.global(GLOBALS[name as keyof typeof GLOBALS]).value = value;
    }
    try {
      one.run(core, secretsOf(run), run);
    } catch (error) {
      // The trap at the limit
      if (!globals.limit || core.global(GLOBALS.events).value !== globals.limit) throw error;
    }
    return core;
  }

  /** One run, which ends at event `limit`, if it is given. */
  trace(one: Case, run: number, limit = 0n): Trace {
    const core = this.#run(this.#module, one, run, { limit });
    const read = (name: string) => core.global(name).value as bigint;
    return {
      hash: read(GLOBALS.hash),
      events: read(GLOBALS.events),
      instructions: read(GLOBALS.instructions),
      statuses: core.statuses.join(" "),
      site: Number(read(GLOBALS.site)),
      subnormals: read(GLOBALS.subnormals),
      subnormalSite: Number(read(GLOBALS.subnormalSite)),
    };
  }

  /** Compares all runs of a case with its first; `factor` times as many as it asks for. */
  async judge(one: Case, factor = 1): Promise<Verdict> {
    const runs = factor * (one.runs ?? 6);
    const trace = this.trace(one, 0);
    for (let run = 0; run < runs; run++) {
      const other = run === 0 ? trace : this.trace(one, run);
      if (other.subnormals > 0n) {
        const where = await this.#place(other.subnormalSite);
        return { runs, trace, difference: `run ${run}: a subnormal number in a ${where}` };
      }
      const ends = Number(other.statuses.split(" ").at(-1));
      if (run === 0 && ends !== (one.ends ?? OK)) {
        return { runs, trace, difference: `ends with status ${ends}` };
      }
      if (other.statuses !== trace.statuses) {
        const difference = `run ${run} ends with status ${other.statuses}, not ${trace.statuses}`;
        return { runs, trace, difference };
      }
      if (other.hash !== trace.hash || other.events !== trace.events) {
        return { runs, trace, difference: await this.#locate(one, run, trace.events) };
      }
    }
    return { runs, trace };
  }

  /** A site in words. */
  async #place(site: number): Promise<string> {
    const { function: index, offset, what } = this.#code.sites[site]!;
    const name = (await this.#names()).get(index) ?? `function ${index}`;
    return `${what} at 0x${offset.toString(16)} in ${name}`;
  }

  /** The hashes of one run from event `first` on, each the last of 2^shift events. */
  #log(one: Case, run: number, first: bigint, shift: bigint): BigUint64Array {
    this.#logging ??= new WebAssembly.Module(instrument(this.#wasm, true).bytes);
    const limit = first + (BigInt(LOG_SLOTS - 1) << shift);
    const { memory } = this.#run(this.#logging, one, run, { first, shift, limit });
    return new BigUint64Array(memory.buffer, LOG_START, LOG_SLOTS);
  }

  /** The first event in which a run differs from the first run, in words. */
  async #locate(one: Case, run: number, events: bigint): Promise<string> {
    let first = 0n;
    for (let shift = BigInt(Math.max(0, events.toString(2).length - 15)); ; shift = 0n) {
      const [a, b] = [this.#log(one, 0, first, shift), this.#log(one, run, first, shift)];
      first += BigInt(a.findIndex((hash, slot) => hash !== b[slot])) << shift;
      if (shift === 0n) break;
    }
    const a = await this.#place(this.trace(one, 0, first).site);
    const b = await this.#place(this.trace(one, run, first).site);
    return `run ${run}, event ${first} of ${events}: ${a === b ? a : `${a} against ${b}`}`;
  }
}
