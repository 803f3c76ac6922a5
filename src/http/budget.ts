/** Keys that are counted at once. When there are more, the oldest is forgotten. */
const MAX_KEYS = 10_000;

/** How much each of many may use in a stretch of time. */
export class Budget {
  readonly #most: number;
  readonly #stretch: number;
  readonly #used = new Map<string, { until: number; count: number }>();

  /** @param stretch milliseconds */
  constructor(most: number, stretch: number) {
    this.#most = most;
    this.#stretch = stretch;
  }

  /**
   * Uses some of it, or nothing. Whoever has used nothing yet may use more than there is, so that nothing is too large
   * for ever.
   * @returns how many milliseconds to wait; 0 if it was there
   */
  take(key: string, count: number, now = Date.now()): number {
    if (count === 0) return 0;
    let used = this.#used.get(key);
    if (used === undefined || used.until <= now) used = { until: now + this.#stretch, count: 0 };
    if (used.count > 0 && used.count + count > this.#most) return used.until - now;
    used.count += count;
    this.#used.delete(key);
    this.#used.set(key, used);
    if (this.#used.size > MAX_KEYS) this.#used.delete(this.#used.keys().next().value!);
    return 0;
  }
}
