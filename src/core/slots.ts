/**
 * Tracks which key has which of the core's few slots. A key that finds none free takes the slot of the
 * least recently used one, which loads itself again at its next use.
 */
export class Slots {
  /** The keys by slot, and the slots from the one used longest ago to the latest. */
  readonly #keys: (object | undefined)[];
  readonly #order: number[];

  constructor(count: number) {
    this.#keys = Array.from({ length: count });
    this.#order = this.#keys.map((_, slot) => slot);
  }

  /** A slot for `key`, and whether the key is in it already. */
  take(key: object): { slot: number; loaded: boolean } {
    const held = this.#keys.indexOf(key);
    const slot = held >= 0 ? held : this.#order[0]!;
    this.#keys[slot] = key;
    this.#order.splice(this.#order.indexOf(slot), 1);
    this.#order.push(slot);
    return { slot, loaded: held >= 0 };
  }

  /** Frees the slot of `key`: it is the next one given away. Returns it, if the key had one. */
  release(key: object): number | undefined {
    const slot = this.#keys.indexOf(key);
    if (slot < 0) return undefined;
    this.#keys[slot] = undefined;
    this.#order.splice(this.#order.indexOf(slot), 1);
    this.#order.unshift(slot);
    return slot;
  }
}
