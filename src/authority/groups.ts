// What comes at the same time shares one piece of work: one transaction, one checkpoint, one sync.

/** What became of one of several. */
export type Outcome<T> = { value: T } | { error: unknown };

/** Items of a group at most. */
export const MAX_GROUP = 256;

/** What is still to be done before a group's items are answered, while the next group is at work. */
export type Finish<Result> = () => Promise<Outcome<Result>[]>;

interface Waiting<Item, Result> {
  item: Item;
  names: readonly string[];
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/**
 * Gathers items into groups. There is no clock: a group is what waits one turn of the event loop after nobody is at
 * work, and the next one gathers while it is at work.
 */
export class Groups<Item, Result> {
  readonly #work: (group: readonly Item[]) => Promise<Finish<Result>>;
  readonly #namesOf: (item: Item) => readonly string[];
  #waiting: Waiting<Item, Result>[] = [];
  #isAtWork = false;

  /**
   * @param work does a group; what it gives tells the outcome of each item, in order
   * @param namesOf what an item may share with no other one of its group: the later one waits for the next
   */
  constructor(
    work: (group: readonly Item[]) => Promise<Finish<Result>>,
    namesOf: (item: Item) => readonly string[],
  ) {
    this.#work = work;
    this.#namesOf = namesOf;
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
      const group = this.#next();
      const done = await outcomeOf(() => this.#work(group.map(({ item }) => item)));
      void this.#answer(group, done);
    }
    this.#isAtWork = false;
  }

  async #answer(
    group: readonly Waiting<Item, Result>[],
    done: Outcome<Finish<Result>>,
  ): Promise<void> {
    const finished = "value" in done ? await outcomeOf(done.value) : done;
    for (const [i, { resolve, reject }] of group.entries()) {
      const outcome = "value" in finished ? finished.value[i]! : finished;
      if ("value" in outcome) resolve(outcome.value);
      else reject(outcome.error);
    }
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
