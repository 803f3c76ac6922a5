import type { WorkerEvents, WorkerHandle } from "./pool.js";

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
      ? URL.createObjectURL(
          new Blob([(await import("./worker-script.js")).script], { type: "text/javascript" }),
        )
      : undefined;
  const worker = new Worker(blob ?? url!);
  worker.onmessage = ({ data }) => {
    // The script is loaded by now.
    if (blob !== undefined) URL.revokeObjectURL(blob);
    answered(data);
  };
  worker.onerror = (event) => {
    // The pool tells whoever waits; the page's own handlers need not hear of it.
    event.preventDefault();
    ended();
  };
  worker.onmessageerror = ended;
  return {
    post: (order, transfer) => worker.postMessage(order, transfer),
    hold: () => {},
    terminate: () => worker.terminate(),
  };
}
