import * as envelope from "./envelope/index.js";
import { startWorker } from "./envelope/worker.browser.js";

export * from "./index.js";

// What the neutral door has, with this platform's workers.

/** As {@link envelope.seal}; `jobs` are Web Workers. */
export const seal: typeof envelope.seal = (source, options) =>
  envelope.seal(source, { startWorker, ...options });

/** As {@link envelope.open}; `jobs` are Web Workers. */
export const open: typeof envelope.open = (source, options) =>
  envelope.open(source, { startWorker, ...options });

/**
 * Web Workers that several files can share; see {@link envelope.WorkerPool}.
 * @param options `workerUrl` is where twinwrap/worker.js is served, for a page whose Content-Security-Policy
 *   forbids workers from blob: URLs
 * @throws TwinwrapError BAD_ARGUMENT unless `jobs` is a whole number from 1 to 64
 */
export function workerPool(
  options: envelope.PoolOptions & { workerUrl?: string | URL },
): envelope.WorkerPool {
  return new envelope.WorkerPool((events) => startWorker(events, options.workerUrl), options);
}
