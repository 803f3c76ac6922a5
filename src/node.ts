import { withWorkers } from "./envelope/arguments.js";
import * as envelope from "./envelope/index.js";
import { startWorker } from "./envelope/worker.node.js";

export type { SavedBy } from "./envelope/download.browser.js";
export { amendFile, openFile, rewrapFile, sealFile, withFile } from "./envelope/file.node.js";
export { type SaveOptions, save } from "./envelope/save.browser.js";
export { FileSource, type WriteOptions } from "./files.node.js";
export * from "./index.js";

// What the neutral door has, with this platform's workers. Both doors have the same names and types; these are the
// types of the package. `save` is a page's, and pages are tested in Node (jsdom) and rendered there.

/** As {@link envelope.seal}; `jobs` are worker threads. */
export const seal: typeof envelope.seal = (source, options) =>
  envelope.seal(source, withWorkers(options, startWorker));

/** As {@link envelope.open}; `jobs` are worker threads. */
export const open: typeof envelope.open = (source, options) =>
  envelope.open(source, withWorkers(options, startWorker));

/**
 * Worker threads that several files can share; see {@link envelope.WorkerPool}.
 * @throws TwinwrapError BAD_ARGUMENT unless `jobs` is a whole number from 1 to 64
 */
export function workerPool(options: envelope.PoolOptions): envelope.WorkerPool {
  return new envelope.WorkerPool(startWorker, options);
}
