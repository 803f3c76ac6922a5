import type { TwinwrapError } from "../errors.js";
import type { Fixed } from "./auto.js";
import type { ChunkKeys } from "./cobblestone.js";
import type { Direction, Segment, Worked } from "./segments.js";

// What passes between a pool (pool.ts) and its workers (worker.ts).

/** What a worker is told, in this order: a module; keys before segments; and in the end nothing more. */
export type Order =
  /**
   * The first: the core's compiled WebAssembly, and the name of a lock (Web Locks) that the worker holds while it
   * lives: nothing else tells a page that a worker is gone.
   */
  | { module: WebAssembly.Module; lock?: string }
  /** The keys of a message, and what works with them. */
  | { message: number; direction: Direction; keys: ChunkKeys; by: Fixed }
  /** A part of it, whose buffer is transferred, and comes back. */
  | { message: number; segment: Segment }
  /** That message is done: wipe its keys. */
  | { forget: number }
  /** Wipe everything and end. */
  | { end: true };

/** What it answers: that it is ready, and of which build; then one answer for each segment, in the order they came. */
export type Answer = { ready: string } | (Omit<Worked, "error"> & { error?: WorkerError });

/** An error on its way between threads. */
export type WorkerError = Pick<TwinwrapError, "code" | "message">;
