import { type Kind, needText } from "../arguments.js";

// What every call knows of worker pools. The pools themselves are loaded where there is one.

/** What a worker reports to its pool. */
export interface WorkerEvents {
  /** It has answered. */
  answered(data: unknown): void;
  /** It cannot be started, or has ended. */
  ended(): void;
}

/** A worker as a pool sees it, in Node and in browsers. */
export interface WorkerHandle {
  post(order: unknown, transfer: ArrayBuffer[]): void;
  /** Whether the process must wait for it: until it is ready, and while it has work. */
  hold(busy: boolean): void;
  /** Ends it at once. */
  terminate(): void;
}

/** Starts a worker that runs the script twinwrap/worker.js, from `url` if the platform can't do without. */
export type StartWorker = (
  events: WorkerEvents,
  url?: string | URL,
) => WorkerHandle | Promise<WorkerHandle>;

/** More workers than this are a mistake. */
export const MAX_JOBS = 64;

/** Where something is served: text, or a URL of any realm. */
export const needUrl: Kind<string | URL> = (value, what) => {
  const isUrl = typeof value === "object" && value !== null && "href" in value;
  return isUrl ? new URL(needText(value.href, what)) : needText(value, what);
};
