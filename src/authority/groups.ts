// What comes at the same time shares one piece of work: one transaction, one checkpoint, one sync.

/** What became of one of several. */
export type Outcome<T> = { value: T } | { error: unknown };

/** Items of a group at most. */
export const MAX_GROUP = 256;

/** How long a group waits for items that are on their way, in milliseconds. */
const PATIENCE = 10;

interface Waiting<Item, Result> {
  item: Item;
  names: readonly string[];
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Gathers items into groups. A group is what waits one turn of the event loop after nobody is at work, and the next one
 * gathers while it is at work. Only for items that are known to be on their way it waits a moment.
 */
export class Groups<Item, Result> {
  readonly #work: (group: readonly Item[]) => Promise<Outcome<Result>[]>;
  readonly #namesOf: (item: Item) => readonly string[];
  readonly #areMoreComing: () => boolean;
  #waiting: Waiting<Item, Result>[] = [];
  #isAtWork = false;

  /**
   * @param work does a group, and tells the outcome of each item, in order
   * @param namesOf what an item may share with no other one of its group: the later one waits for the next
   * @param areMoreComing whether items are on their way
   */
  constructor(
    work: (group: readonly Item[]) => Promise<Outcome<Result>[]>,
    namesOf: (item: Item) => readonly string[],
    areMoreComing = () => false,
  ) {
    this.#work = work;
    this.#namesOf = namesOf;
    this.#areMoreComing = areMoreComing;
  }

  /** Has an item done in the next group that has room for it. */
  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, names: this.#namesOf(item), resolve, reject });
      if (!this.#isAtWork) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#isAtWork = true;
    while (this.#waiting.length > 0) {
      // Whoever comes in this turn comes along.
      await new Promise(setImmediate);
      if (this.#areMoreComing() && this.#waiting.length < MAX_GROUP) {
        await new Promise((resolve) => setTimeout(resolve, PATIENCE));
      }
      const group = this.#next();
      const done = await outcomeOf(() => this.#work(group.map(({ item }) => item)));
      for (const [i, { resolve, reject }] of group.entries()) {
        const outcome = "value" in done ? done.value[i]! : done;
        if ("value" in outcome) resolve(outcome.value);
        else reject(outcome.error);
      }
    }
    this.#isAtWork = false;
  }

  /** The next group, in the order in which its items came. */
  #next(): Waiting<Item, Result>[] {
    const group: Waiting<Item, Result>[] = [];
    const rest: Waiting<Item, Result>[] = [];
    const taken = new Set<string>();
    for (const one of this.#waiting) {
      const isFree = group.length < MAX_GROUP && !one.names.some((name) => taken.has(name));
      (isFree ? group : rest).push(one);
      // Also of one that waits: a third one does not overtake it.
      for (const name of one.names) taken.add(name);
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
