import { TwinwrapError } from "../errors.js";
import type { NodeId } from "../escrow/index.js";
import type { ReadNodes } from "../escrow/merkle.js";
import type { StoreReads } from "./store/store.js";

/** A name that no other subtree has. */
export function nodeName({ level, index }: NodeId): string {
  return `${level} ${index}`;
}

/**
 * Reads hashes of a log's tree, each once, and those asked for at the same time in one call. For one piece of
 * work: nothing read is ever forgotten.
 * @param log which one, from 0
 */
export function nodeReader(reads: Pick<StoreReads, "nodes">, log: number): ReadNodes {
  const known = new Map<string, Uint8Array>();
  let wanted = new Map<string, NodeId>();
  let reading: Promise<void> | undefined;

  async function readWanted(): Promise<void> {
    // By then all callers of this turn have asked.
    await Promise.resolve();
    const asked = wanted;
    wanted = new Map();
    reading = undefined;
    const hashes = await reads.nodes(log, [...asked.values()]);
    for (const [i, name] of [...asked.keys()].entries()) {
      const hash = hashes[i];
      if (hash === undefined) throw fault("a hash of its tree is missing");
      known.set(name, hash);
    }
  }

  return async (ids) => {
    for (const id of ids) if (!known.has(nodeName(id))) wanted.set(nodeName(id), id);
    if (wanted.size > 0) {
      reading ??= readWanted();
      await reading;
    }
    return ids.map((id) => known.get(nodeName(id))!);
  };
}

export function fault(what: string): TwinwrapError {
  return new TwinwrapError("FAULT", `the log is damaged: ${what}`);
}
