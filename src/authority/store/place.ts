// Where a leaf stands: in which of an authority's logs, and at which index. One number says both, so that rows of
// all logs have one order. In the first log it is the index itself.

/** More leaves than a log will have. An authority has at most 64 logs, so places stay below 2^53. */
const LEAVES = 2 ** 44;

/** @param log from 0 @param index of a leaf, or a number of leaves */
export function placeOf(log: number, index: number): number {
  return log * LEAVES + index;
}

export function logOf(place: number): number {
  return Math.floor(place / LEAVES);
}

export function indexOf(place: number): number {
  return place % LEAVES;
}
