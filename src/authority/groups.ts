// What comes at the same time shares one piece of work: one transaction, one checkpoint, one sync.

/** What became of one of several. */
export type Outcome<T> = { value: T } | { error: unknown };

/** Items of a group at most. */
export const MAX_GROUP = 256;

interface Waiting<Item, Result> {
  item: Item;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Gathers items into groups. There is no clock: a group is what waits one turn of the event loop after there is nobody
 * at work, and the next one gathers while it is at work.
 */
export class Groups<Item, Result> {
  readonly #work: (group: readonly Item[]) => Promise<Outcome<Result>[]>;
  readonly #namesOf: (item: Item) => readonly string[];
  #waiting: Waiting<Item, Result>[] = [];
  #isAtWork = false;

  /**
   * @param work does a group, and tells the outcome of each item, in order
   * @param namesOf what an item may share with no other one of its group: the later one waits for the next
   */
  constructor(
    work: (group: readonly Item[]) => Promise<Outcome<Result>[]>,
    namesOf: (item: Item) => readonly string[],
  ) {
    this.#work = work;
    this.#namesOf = namesOf;
  }

  /** Has an item done in the next group that has room for it. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (!this.#isAtWork) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isAtWork = true;
    while (this.#waiting.length > 0) {
      // Whoever comes in this turn comes along.
      await new Promise(setImmediate);
      const group = this.#next();
      const outcomes = await this.#outcomesOf(group.map(({ item }) => item));
      for (const [i, { resolve, reject }] of group.entries()) {
        const outcome = outcomes[i]!;
        if ("value" in outcome) resolve(outcome.value);
        else reject(outcome.error);
      }
    }
    this.#isAtWork = false;
  }

  async #outcomesOf(items: readonly Item[]): Promise<Outcome<Result>[]> {
    try {
      return await this.#work(items);
    } catch (error) {
      return items.map(() => ({ error }));
    }
  }

  /** The next group, in the order in which its items came. */
  #next(): Waiting<Item, Result>[] {
    const group: Waiting<Item, Result>[] = [];
    const rest: Waiting<Item, Result>[] = [];
    const taken = new Set<string>();
    for (const one of this.#waiting) {
      const names = this.#namesOf(one.item);
      const isFree = group.length < MAX_GROUP && !names.some((name) => taken.has(name));
      (isFree ? group : rest).push(one);
      // Also of one that waits: a third one does not overtake it.
      for (const name of names) taken.add(name);
    }
    this.#waiting = rest;
    return group;
  }
}

/** The outcome of a call that may throw. */
export async function outcomeOf<T>(work: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { error };
  }
}
