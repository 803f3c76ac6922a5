import { copyBytes, newBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import type { Instance } from "./instance.js";

/** Bytes of a cipher block, of a GCM tag, of a CBC IV. */
export const BLOCK = 16;

/** @throws TwinwrapError BAD_ARGUMENT unless `value` is a Uint8Array */
export function needBytes(value: unknown, what: string): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) {
    throw new TwinwrapError("BAD_ARGUMENT", `the ${what} must be a Uint8Array`);
  }
}

/** @throws TwinwrapError BAD_ARGUMENT unless `value` is a Uint8Array of `length` bytes */
export function needLength(value: unknown, length: number, what: string): void {
  needBytes(value, what);
  if (value.length !== length) {
    throw new TwinwrapError("BAD_ARGUMENT", `the ${what} must be ${length} bytes long`);
  }
}

/**
 * Where a result of `length` bytes goes: the beginning of the caller's array, or a new one.
 * @throws TwinwrapError BAD_ARGUMENT if the caller's array is too short
 */
export function resultArray(
  length: number,
  into: Uint8Array<ArrayBuffer> | undefined,
): Uint8Array<ArrayBuffer> {
  if (into === undefined) return newBytes(length);
  needBytes(into, "array for the result");
  if (into.length < length) {
    throw new TwinwrapError("BAD_ARGUMENT", `the array for the result is under ${length} bytes`);
  }
  return into.length === length ? into : into.subarray(0, length);
}

/**
 * The AES part of one instance: its windows, and the slots in which the core holds expanded keys.
 * There are fewer slots than there may be keys; the key that was not used for the longest time
 * loses its slot and is expanded again when it is used next.
 */
export class AesUnit {
  readonly instance: Instance;
  /** The windows with the bytes behind them, for a block before the data and a tag behind. */
  readonly input: Uint8Array<ArrayBuffer>;
  readonly output: Uint8Array<ArrayBuffer>;
  readonly #owners: (AesKey | undefined)[];
  readonly #lastUse: number[];
  readonly #expand: (slot: number, length: number) => number;
  readonly #forget: (slot: number) => number;
  #clock = 0;

  constructor(instance: Instance) {
    this.instance = instance;
    const memory = instance.input.buffer as ArrayBuffer;
    const size = instance.windowSize + 64;
    this.input = new Uint8Array(memory, instance.input.byteOffset, size);
    this.output = new Uint8Array(memory, instance.output.byteOffset, size);
    const slots = instance.constant("KEY_SLOTS");
    this.#owners = new Array(slots).fill(undefined);
    this.#lastUse = new Array(slots).fill(0);
    this.#expand = instance.function("aesExpand");
    this.#forget = instance.function("aesForget");
  }

  /** The slot of `key`, whose bytes are `raw`; `slot` is the one it had, or -1. */
  slotOf(key: AesKey, raw: Uint8Array, slot: number): number {
    let mine = slot;
    if (mine < 0 || this.#owners[mine] !== key) {
      mine = 0;
      for (let i = 1; i < this.#lastUse.length; i++) {
        if (this.#lastUse[i]! < this.#lastUse[mine]!) mine = i;
      }
      this.instance.params.set(raw);
      this.instance.check(this.#expand(mine, raw.length));
      this.#owners[mine] = key;
    }
    this.#lastUse[mine] = ++this.#clock;
    return mine;
  }

  /** Wipes what the core holds of `key`. */
  forget(key: AesKey, slot: number): void {
    if (slot < 0 || this.#owners[slot] !== key) return;
    this.instance.check(this.#forget(slot));
    this.#owners[slot] = undefined;
    this.#lastUse[slot] = 0;
  }
}

/** A prepared AES key: for one mode, until it is disposed of. */
export abstract class AesKey {
  readonly #unit: AesUnit;
  #raw: Uint8Array | undefined;
  #slot = -1;

  /** @throws TwinwrapError BAD_ARGUMENT unless `key` has 16, 24 or 32 bytes */
  constructor(unit: AesUnit, key: Uint8Array) {
    needBytes(key, "key");
    if (key.length !== 16 && key.length !== 24 && key.length !== 32) {
      throw new TwinwrapError("BAD_ARGUMENT", "an AES key has 16, 24 or 32 bytes");
    }
    this.#unit = unit;
    this.#raw = copyBytes(key);
  }

  /**
   * The core's slot for this key, until another key is used.
   * @throws TwinwrapError DISPOSED after `dispose`
   */
  protected slot(): number {
    if (this.#raw === undefined) throw new TwinwrapError("DISPOSED", "the key was disposed of");
    this.#slot = this.#unit.slotOf(this, this.#raw, this.#slot);
    return this.#slot;
  }

  /** Wipes the key, here and in the core. Using it afterwards throws DISPOSED. */
  dispose(): void {
    wipe(this.#raw);
    this.#raw = undefined;
    this.#unit.forget(this, this.#slot);
    this.#slot = -1;
  }
}
