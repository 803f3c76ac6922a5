import { HttpProblem } from "./problems.js";

/** Tokens that are counted at once. When there are more, the one that handed in longest ago is forgotten. */
const MAX_TOKENS = 10_000;
/** Seconds after which it may be worth another try: an operator has to open the records meanwhile. */
const RETRY = 60;

/**
 * How much of the store each token may fill with records that nobody has opened yet. While the authority's key is
 * locked, nothing shows whether what is handed in is any good.
 */
export class Shares {
  readonly #most: number;
  readonly #waiting: () => Promise<number>;
  /** Of each token the records that it brought, less those that are known to have been opened. */
  readonly #brought = new Map<string, number>();

  /** @param waiting how many unverified records the store holds */
  constructor(most: number, waiting: () => Promise<number>) {
    this.#most = most;
    this.#waiting = waiting;
  }

  /**
   * Takes room for records, or none.
   * @returns gives back the room of those that took none after all
   * @throws HttpProblem BACKLOG if there is not enough
   */
  async take(token: string, records: number): Promise<(unused: number) => void> {
    if (this.#of(token) + records > this.#most) {
      // Some may have been opened since.
      const waiting = await this.#waiting();
      this.#set(token, Math.min(this.#of(token), waiting));
      if (this.#of(token) + records > this.#most) {
        const message = `more than ${this.#most} records that came with this token wait until the authority opens them`;
        throw new HttpProblem("BACKLOG", message, undefined, { "retry-after": String(RETRY) });
      }
    }
    this.#set(token, this.#of(token) + records);
    return (unused) => this.#set(token, Math.max(0, this.#of(token) - unused));
  }

  #of(token: string): number {
    return this.#brought.get(token) ?? 0;
  }

  #set(token: string, records: number): void {
    this.#brought.delete(token);
    this.#brought.set(token, records);
    if (this.#brought.size > MAX_TOKENS) {
      this.#brought.delete(this.#brought.keys().next().value!);
    }
  }
}
