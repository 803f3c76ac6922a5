import { Worker } from "node:worker_threads";
import type { StartWorker } from "./pool.js";

/** Starts a worker thread of Node. */
export const startWorker: StartWorker = async ({ answered, ended }) => {
  const { script } = await import("./worker-script.js");
  // It inherits nothing of the process: no environment, no --import of the user's to be run again.
  // All that it allocates is outside its heap; the limits save 5 MiB a worker.
  const worker = new Worker(
    `globalThis.twinwrapPort = require("node:worker_threads").parentPort;${script}`,
    {
      eval: true,
      env: {},
      execArgv: [],
      name: "twinwrap",
      resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 },
    },
  );
  worker.on("message", answered);
  for (const event of ["error", "messageerror", "exit"]) worker.on(event, ended);
  return {
    post: (order, transfer) => worker.postMessage(order, transfer),
    hold: (busy) => (busy ? worker.ref() : worker.unref()),
    terminate: () => void worker.terminate(),
  };
};
