// Runs one case again and again with other secrets and compares what the module did.

import { GLOBALS, type Instrumented, instrument } from "./wasm.js";

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

/** Gives the secret bytes of one run, as many as are asked for. */
export type Secrets = (length: number) => Buffer;

export interface Case {
  name: string;
  /** What is done, every time from a fresh instance. `run` counts the runs from 0. */
  run: (core: Abi, secrets: Secrets, run: number) => void;
  /** How many runs are compared; 16 unless said. */
  runs?: number;
  /** The status of its last call (assembly/status.ts); OK unless said. */
  ends?: number;
}

export interface Trace {
  hash: bigint;
  events: bigint;
  instructions: bigint;
  statuses: string;
  site: number;
}

/** Secrets of run 0 are all zeros, of run 1 all ones, then pseudo-random by the run's number. */
function secretsOf(run: number): Secrets {
  let state = (0x9e3779b9 ^ Math.imul(run, 0x85ebca6b)) >>> 0;
  return (length) => {
    const bytes = Buffer.alloc(length, run === 0 ? 0 : 0xff);
    if (run < 2) return bytes;
    for (let i = 0; i < length; i++) {
      // xorshift32
      state ^= state << 13;
      state ^= state >>> 17;
      state = (state ^ (state << 5)) >>> 0;
      bytes[i] = state >>> 11;
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
  readonly #module: WebAssembly.Module;
  readonly #code: Instrumented;
  readonly #names: () => Map<number, string>;
  /** Every export that a case called. */
  readonly called = new Set<string>();
  /** The exported functions of the module itself. */
  readonly exported: string[];

  /** @param names of the module's functions, asked for once there is a difference to tell */
  constructor(wasm: Uint8Array<ArrayBuffer>, names: () => Map<number, string>) {
    this.exported = WebAssembly.Module.exports(new WebAssembly.Module(wasm))
      .filter(({ kind }) => kind === "function")
      .map(({ name }) => name);
    this.#code = instrument(wasm);
    this.#module = new WebAssembly.Module(this.#code.bytes);
    this.#names = names;
  }

  /** One run, whose events count up to `limit`. */
  trace(one: Case, run: number, limit = 1n << 62n): Trace {
    const { exports } = new WebAssembly.Instance(this.#module);
    const core = new Abi(exports, this.called);
    core.global(GLOBALS.limit).value = limit;
    one.run(core, secretsOf(run), run);
    const read = (name: string) => core.global(name).value as bigint;
    return {
      hash: read(GLOBALS.hash),
      events: read(GLOBALS.events),
      instructions: read(GLOBALS.instructions),
      statuses: core.statuses.join(" "),
      site: Number(read(GLOBALS.site)),
    };
  }

  /** Compares all runs of a case with its first. */
  judge(one: Case): Verdict {
    const runs = one.runs ?? 16;
    const trace = this.trace(one, 0);
    const ends = Number(trace.statuses.split(" ").at(-1));
    if (ends !== (one.ends ?? OK)) return { runs, trace, difference: `ends with status ${ends}` };
    for (let run = 1; run < runs; run++) {
      const other = this.trace(one, run);
      if (other.statuses !== trace.statuses) {
        const difference = `run ${run} ends with status ${other.statuses}, not ${trace.statuses}`;
        return { runs, trace, difference };
      }
      if (other.hash !== trace.hash || other.events !== trace.events) {
        return { runs, trace, difference: this.#locate(one, run, trace.events) };
      }
    }
    return { runs, trace };
  }

  /** The first event in which a run differs from the first run, in words. */
  #locate(one: Case, run: number, events: bigint): string {
    let [same, other] = [0n, events + 1n];
    while (other - same > 1n) {
      const middle = (same + other) / 2n;
      const alike = this.trace(one, 0, middle).hash === this.trace(one, run, middle).hash;
      if (alike) same = middle;
      else other = middle;
    }
    const names = this.#names();
    const [a, b] = [this.trace(one, 0, other), this.trace(one, run, other)].map(({ site }) => {
      const { function: index, offset, what } = this.#code.sites[site]!;
      return `${what} at 0x${offset.toString(16)} in ${names.get(index) ?? `function ${index}`}`;
    });
    return `run ${run}, event ${other} of ${events}: ${a === b ? a : `${a} against ${b}`}`;
  }
}
