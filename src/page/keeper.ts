import type { Output } from "../source.js";

/** Takes files one after the other. */
export interface Keeper {
  /** Everything becomes one file, which is saved as a whole or not at all. */
  isOneFile: boolean;
  /**
   * Takes a file, read to its end.
   * @returns the name that it got
   * @throws what the output throws; TwinwrapError ABORTED if saving was stopped
   */
  add(name: string, output: Output): Promise<string>;
  /** Ends it. @returns what is to be said of it */
  finish(good: number, signal: AbortSignal): Promise<string | undefined>;
}
