import { withWorkers } from "./envelope/arguments.js";
import * as envelope from "./envelope/index.js";
import { loadLate } from "./envelope/loaded.js";
import type { StartWorker } from "./envelope/pools.js";

export type { SavedBy } from "./envelope/download.browser.js";
export {
  amendFile,
  FileSource,
  openFile,
  rewrapFile,
  sealFile,
  withFile,
} from "./envelope/file.browser.js";
export { type SaveOptions, save } from "./envelope/save.browser.js";
export type { WriteOptions } from "./files.node.js";
export * from "./index.js";

// What the neutral door has, with this platform's workers. Names and types are those of node.ts.

/** Loaded with the first worker. */
const startWorker: StartWorker = async (events, url) => {
  const late = await loadLate();
  return late.startWorker(events, url);
};

/** As {@link envelope.seal}; `jobs` are Web Workers. */
export const seal: typeof envelope.seal = (source, options) =>
  envelope.seal(source, withWorkers(options, startWorker));

/** As {@link envelope.open}; `jobs` are Web Workers. */
export const open: typeof envelope.open = (source, options) =>
  envelope.open(source, withWorkers(options, startWorker));

/**
 * Web Workers that several files can share; see {@link envelope.WorkerPool}.
 * @throws TwinwrapError BAD_ARGUMENT unless `jobs` is a whole number from 1 to 64
 */
export function workerPool(options: envelope.PoolOptions): envelope.WorkerPool {
  return new envelope.WorkerPool(startWorker, options);
}
