import { instantiate } from "#wasm";
import { decryptionFailed, TwinwrapError } from "../errors.js";
import { notTheCore } from "./not-the-core.js";
import { refused } from "./refused.js";

/** A call of the core; every argument is a number: a length, a slot, an offset in a window. */
type Call = (...numbers: number[]) => number;

/** The core's answer to a call (assembly/status.ts). */
const OK = 0;
const NOT_AUTHENTIC = 2;
const BAD_KEY = 3;
const FAULT = 4;

/**
 * One instance of the core: its calls and its three windows. The memory never grows, so the views
 * stay valid. Instances share nothing but the compiled module.
 */
export class Instance {
  /** The compiled module: workers make their instances from it, without compiling again. */
  readonly module: WebAssembly.Module;
  /** Bytes that one call can take in or give out. */
  readonly windowSize: number;
  /** What a call reads. */
  readonly input: Uint8Array;
  /** What a call writes. */
  readonly output: Uint8Array;
  /** Small arguments: key, IV, counter block, salt. */
  readonly params: Uint8Array;
  readonly #exports: Record<string, unknown>;

  private constructor(module: WebAssembly.Module, exports: Record<string, unknown>) {
    this.module = module;
    this.#exports = exports;
    const memory = this.#export<WebAssembly.Memory>("memory").buffer;
    this.windowSize = this.constant("WINDOW_SIZE");
    this.input = new Uint8Array(memory, this.constant("INPUT"), this.windowSize);
    this.output = new Uint8Array(memory, this.constant("OUTPUT"), this.windowSize);
    this.params = new Uint8Array(memory, this.constant("PARAMS"), this.constant("PARAMS_SIZE"));
  }

  /** @throws TwinwrapError UNSUPPORTED if the engine refuses, BAD_ARGUMENT if the module is not the core */
  static async create(module: WebAssembly.Module): Promise<Instance> {
    let exports: Record<string, unknown>;
    try {
      exports = await instantiate(module);
    } catch (error) {
      throw await refused(error);
    }
    return new Instance(module, exports);
  }

  #export<T>(name: string): T {
    const value = this.#exports[name];
    if (value === undefined) throw notTheCore(`it has no ${name}`);
    return value as T;
  }

  /** A number that the core exports (which hands constants over as WebAssembly.Global). */
  constant(name: string): number {
    return this.#export<WebAssembly.Global>(name).value;
  }

  /** A call of the core that answers a plain number. */
  function(name: string): Call {
    return this.#export<Call>(name);
  }

  /**
   * Throws the error that belongs to a call's status.
   * @throws TwinwrapError DECRYPTION_FAILED, BAD_KEY, FAULT, or BAD_ARGUMENT
   */
  check(status: number): void {
    if (status === OK) return;
    if (status === NOT_AUTHENTIC) throw decryptionFailed();
    if (status === BAD_KEY) throw new TwinwrapError("BAD_KEY", "the key cannot be used");
    if (status === FAULT) {
      throw new TwinwrapError("FAULT", "a computation failed its own check; nothing was given out");
    }
    throw new TwinwrapError("BAD_ARGUMENT", "the core refused an argument");
  }

  /**
   * Whether two byte strings are the same. If they have the same length, compares every byte.
   * @throws TwinwrapError BAD_ARGUMENT if they are longer than half of the window
   */
  compare(a: Uint8Array, b: Uint8Array): boolean {
    const { length } = a;
    if (length !== b.length) return false;
    if (2 * length > this.windowSize) {
      throw new TwinwrapError("BAD_ARGUMENT", `at most ${this.windowSize / 2} bytes are compared`);
    }
    this.input.set(a);
    this.input.set(b, length);
    return this.function("compareInput")(length) === OK;
  }

  /** Clears the windows: called after every operation that put secrets into them. */
  wipeWindows(): void {
    this.function("wipeWindows")();
  }
}
