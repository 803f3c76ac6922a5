import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import type { StartWorker, WorkerEvents, WorkerHandle } from "./pools.js";

/**
 * Whether there is a limit on addresses (ulimit -v) that workers may meet: each reserves some 12 GiB, and one that
 * gets none ends the whole process.
 */
async function areAddressesLimited(): Promise<boolean> {
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => "");
  const limit = /^Max address space +(\d+)/m.exec(limits)?.[1];
  return limit !== undefined && Number(limit) < 2 ** 40;
}

/**
 * Starts a thread of Node's that runs a script.
 * @throws where it might end the process
 */
export async function startThread(
  script: string,
  { answered, ended }: WorkerEvents,
): Promise<WorkerHandle> {
  if (await areAddressesLimited()) throw new Error("addresses are limited");
  // It inherits nothing of the process: no environment, no --import of the user's to be run again.
  // All that it allocates is outside its heap; the limits save 5 MiB a worker.
  const worker = new Worker(script, {
    eval: true,
    env: {},
    execArgv: [],
    name: "twinwrap",
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 },
  });
  worker.on("message", answered);
  for (const event of ["error", "messageerror", "exit"]) worker.on(event, ended);
  return {
    post: (order, transfer) => worker.postMessage(order, transfer),
    hold: (busy) => (busy ? worker.ref() : worker.unref()),
    terminate: () => void worker.terminate(),
  };
}

/** Starts a worker of a pool. */
export const startWorker: StartWorker = async (events) => {
  const { script } = await import("./worker-script.js");
  const port = 'globalThis.twinwrapPort = require("node:worker_threads").parentPort;';
  return startThread(port + script, events);
};
