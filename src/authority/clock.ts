/** How far two clocks, or a log's newest time and a clock, may be apart, in milliseconds. */
export const CLOCK_SKEW = 5 * 60_000;
