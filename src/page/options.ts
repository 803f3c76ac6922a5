import type { WorkOptions } from "../envelope/index.js";
import type { Doing } from "./work.js";

/** Most workers. More bring little, and each takes a few megabytes. */
const MOST_JOBS = 8;

/** Where the page serves the service worker for downloads. */
export const DOWNLOADS = { downloadUrl: "download.js" };

/** How the page seals and opens. */
export function workOptions({ signal, onProgress }: Doing): WorkOptions {
  return {
    signal,
    onProgress,
    jobs: Math.max(1, Math.min(MOST_JOBS, navigator.hardwareConcurrency || 1)),
    workerUrl: "worker.js",
  };
}
