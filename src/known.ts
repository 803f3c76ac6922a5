// Which objects are whole cores, and which are worker pools. A check by class would bring the class along, into pages that
// never make one. It imports nothing, so that a bundler makes little of it.

const cores = new WeakSet<object>();
const pools = new WeakSet<object>();

/** Remembers a whole core. */
export function markCore(core: object): void {
  cores.add(core);
}

export function isWholeCore(value: unknown): boolean {
  return cores.has(value as object);
}

/** Remembers a worker pool. */
export function markPool(pool: object): void {
  pools.add(pool);
}

export function isPool(value: unknown): boolean {
  return pools.has(value as object);
}
