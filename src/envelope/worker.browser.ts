import { randomBytes, toHex } from "../bytes.js";
import type { WorkerEvents, WorkerHandle } from "./pools.js";
import type { Order } from "./protocol.js";
import { loadScript } from "./script.js";

/**
 * Starts a Web Worker.
 * @param url where twinwrap/worker.js is served, for pages whose Content-Security-Policy forbids
 *   workers from blob: URLs
 */
export async function startWorker(
  { answered, ended }: WorkerEvents,
  url?: string | URL,
): Promise<WorkerHandle> {
  const blob =
    url === undefined
      ? URL.createObjectURL(new Blob([(await loadScript()).script], { type: "text/javascript" }))
      : undefined;
  const worker = new Worker(blob ?? url!);
  // A worker that is ended from outside raises no event, but gives its locks back. Plain-http pages have none.
  const locks = globalThis.navigator?.locks as LockManager | undefined;
  const lock = locks && `twinwrap-worker-${toHex(randomBytes(16))}`;
  let heard = false;
  worker.onmessage = ({ data }) => {
    if (!heard) {
      // The script is loaded by now, and has the lock.
      heard = true;
      if (blob !== undefined) URL.revokeObjectURL(blob);
      if (lock !== undefined) locks?.request(lock, ended).catch(() => {});
    }
    answered(data);
  };
  worker.onerror = (event) => {
    // The pool tells its callers; the page's own handlers need not hear of it.
    event.preventDefault();
    ended();
  };
  worker.onmessageerror = ended;
  return {
    post(order, transfer) {
      const first = lock !== undefined && "module" in (order as Order);
      worker.postMessage(first ? { ...(order as Order), lock } : order, transfer);
    },
    hold: () => {},
    terminate: () => worker.terminate(),
  };
}
