// Which objects are whole cores. A check by class would bring the class along, into pages that never make one.

const cores = new WeakSet<object>();

/** Remembers a whole core. */
export function markCore(core: object): void {
  cores.add(core);
}

export function isWholeCore(value: unknown): boolean {
  return cores.has(value as object);
}
