import { type Bytes, needBytes, needUint8Array } from "../arguments.js";
import { copyBytes, newBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import type { Instance } from "./instance.js";

const INTO = "the array for the result";
/** Bytes of a cipher block, of a GCM tag, of a CBC IV. */
export const BLOCK = 16;

/** @throws TwinwrapError BAD_ARGUMENT unless `value` is `length` bytes */
export function needLength(value: unknown, length: number, what: string): Uint8Array {
  const bytes = needBytes(value, what);
  if (bytes.length === length) return bytes;
  throw new TwinwrapError("BAD_ARGUMENT", `${what} must be ${length} bytes long`);
}

/** @throws TwinwrapError BAD_ARGUMENT unless `length` is a number of bytes that fits the core's windows */
export function needWindow({ windowSize }: Instance, length: number): void {
  if (!Number.isInteger(length) || length < 0 || length > windowSize) {
    throw new TwinwrapError("BAD_ARGUMENT", `the core's windows hold 0 to ${windowSize} bytes`);
  }
}

/**
 * Where a result of `length` bytes goes: the beginning of the caller's array, or a new one.
 * @throws TwinwrapError BAD_ARGUMENT if the caller's array is no array of bytes, or too short
 */
export function resultArray(
  length: number,
  into: Uint8Array<ArrayBuffer> | undefined,
): Uint8Array<ArrayBuffer> {
  if (into === undefined) return newBytes(length);
  // The caller gets it back, so it stays what it is.
  needUint8Array(into, INTO);
  if (into.length < length) {
    throw new TwinwrapError("BAD_ARGUMENT", `${INTO} is under ${length} bytes`);
  }
  return into.length === length ? into : into.subarray(0, length);
}

/**
 * The AES part of one instance: its windows, and the slots in which the core holds expanded keys.
 * There are fewer slots than there may be keys. The least recently used key loses its slot; its owner
 * keeps it and expands it again at the next use.
 */
export class AesUnit {
  readonly instance: Instance;
  /** The windows with the bytes behind them, for a tag. */
  readonly input: Uint8Array<ArrayBuffer>;
  readonly output: Uint8Array<ArrayBuffer>;
  readonly #keys: Uint8Array<ArrayBuffer>;
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
    this.#keys = new Uint8Array(memory, instance.constant("KEYS"));
    const slots = instance.constant("KEY_SLOTS");
    this.#owners = new Array(slots).fill(undefined);
    this.#lastUse = new Array(slots).fill(0);
    this.#expand = instance.function("aesExpand");
    this.#forget = instance.function("aesForget");
  }

  /** Expands `bytes`, the key of `key`, and returns its slot. */
  take(key: AesKey, bytes: Uint8Array): number {
    const lastUse = this.#lastUse;
    let slot = 0;
    for (let i = 1; i < lastUse.length; i++) if (lastUse[i]! < lastUse[slot]!) slot = i;
    const before = this.#owners[slot];
    if (before !== undefined) {
      const at = slot * this.instance.constant("KEY_SLOT_SIZE");
      before.keep(this.#keys.subarray(at, at + before.length));
    }
    this.instance.params.set(bytes);
    this.instance.check(this.#expand(slot, bytes.length));
    this.#owners[slot] = key;
    lastUse[slot] = ++this.#clock;
    return slot;
  }

  /** Whether `slot` still belongs to `key`; if so it counts as used. */
  holds(key: AesKey, slot: number): boolean {
    if (this.#owners[slot] !== key) return false;
    this.#lastUse[slot] = ++this.#clock;
    return true;
  }

  /** Wipes what the core holds of `key`. */
  forget(key: AesKey, slot: number): void {
    if (this.#owners[slot] !== key) return;
    this.instance.check(this.#forget(slot));
    this.#owners[slot] = undefined;
    this.#lastUse[slot] = 0;
  }
}

/** A prepared AES key: for one mode, until it is disposed of. Usually only the core holds it. */
export abstract class AesKey {
  /** Bytes of the key. */
  readonly length: number;
  readonly #unit: AesUnit;
  /** The key itself, while it has no slot. */
  #kept: Uint8Array | undefined;
  #slot: number;
  #disposed = false;

  /** @throws TwinwrapError BAD_ARGUMENT unless `key` has 16, 24 or 32 bytes */
  constructor(unit: AesUnit, key: Bytes) {
    const bytes = needBytes(key, "the key");
    const { length } = bytes;
    if (length !== 16 && length !== 24 && length !== 32) {
      throw new TwinwrapError("BAD_ARGUMENT", "an AES key has 16, 24 or 32 bytes");
    }
    this.length = length;
    this.#unit = unit;
    this.#slot = unit.take(this, bytes);
  }

  /** Keeps the key when its slot goes to another. For the core alone. */
  keep(bytes: Uint8Array): void {
    this.#kept = copyBytes(bytes);
  }

  /**
   * The core's slot for this key, until another key is used.
   * @throws TwinwrapError DISPOSED after `dispose`
   */
  protected slot(): number {
    if (this.#disposed) throw new TwinwrapError("DISPOSED", "the key was disposed of");
    const kept = this.#kept;
    if (!this.#unit.holds(this, this.#slot) && kept !== undefined) {
      this.#slot = this.#unit.take(this, kept);
      wipe(kept);
      this.#kept = undefined;
    }
    return this.#slot;
  }

  /** Wipes the key, here and in the core. Using it afterwards throws DISPOSED. */
  dispose(): void {
    this.#disposed = true;
    wipe(this.#kept);
    this.#kept = undefined;
    this.#unit.forget(this, this.#slot);
  }
}
