// One operation on all its sizes by all peers: checked, warmed up, then timed in turns.
import { alternate, summarise } from "../build/bench/timing.js";
import { contender } from "./contenders.mjs";
import { sizesOf } from "./operations.mjs";

/** Compilers take over 7 to 35 ms after the first call. */
const WARM_UP = 0.05;
/** One call may last so many seconds; a slower peer is not timed on that size, and its cell says so. */
const LONGEST_CALL = 0.3;

/** Makes one peer ready; what is wrong with it becomes its cell. */
async function makeReady(peer, operation, size, before) {
  if (peer.failure !== undefined) return { cell: { failure: peer.failure } };
  // What a smaller size took tells whether this one would last too long.
  const { cell, size: smaller } = before ?? { cell: {} };
  if (cell.tooSlow || (cell.best * size) / smaller > LONGEST_CALL) {
    return { cell: { tooSlow: true } };
  }
  try {
    const ready = await contender(peer, operation, size);
    if (ready === undefined) return {};
    await ready.check();
    await ready.slice(WARM_UP);
    return { ready };
  } catch (error) {
    return { cell: { failure: String(error.message ?? error).split("\n")[0] } };
  }
}

/**
 * @param settings `seconds` a slice and `rounds` of turns
 * @returns for each peer's name and each size a cell: `best` and `median` seconds, or `tooSlow`, or
 * `failure`; no cell where a peer has no such operation
 */
export async function measure(operation, peers, settings, onSize) {
  const cells = Object.fromEntries(peers.map(({ name }) => [name, {}]));
  const before = new Map();
  for (const size of sizesOf(operation, settings)) {
    onSize?.(size);
    const field = [];
    for (const peer of peers) {
      const { cell, ready } = await makeReady(peer, operation, size, before.get(peer.name));
      if (ready !== undefined) field.push(ready);
      if (cell !== undefined) {
        cells[peer.name][size] = cell;
        if (cell.tooSlow) before.set(peer.name, { size, cell });
      }
    }
    if (field.length === 0) continue;
    const failures = new Map();
    const slice = async (ready) => {
      if (failures.has(ready.name)) return [];
      try {
        return await ready.slice(settings.seconds);
      } catch (error) {
        failures.set(ready.name, String(error.message ?? error));
        return [];
      }
    };
    const pools = await alternate(field, slice, (rounds) => rounds < settings.rounds);
    for (const [name, samples] of pools) {
      const cell = failures.has(name) ? { failure: failures.get(name) } : summarise(samples);
      cells[name][size] = cell;
      before.set(name, { size, cell });
    }
  }
  return {
    ...Object.fromEntries(["id", "title", "about", "unit"].map((key) => [key, operation[key]])),
    sizes: sizesOf(operation, settings),
    cells: Object.fromEntries(Object.entries(cells).filter(([, row]) => Object.keys(row).length)),
  };
}
