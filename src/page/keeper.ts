import type { Output } from "../source.js";

/** Takes files one after the other. */
export interface Keeper {
  /**
   * Whether a file of so many bytes has to be read to its end before it is added. What becomes part of one large file
   * can't be taken back.
   */
  readsAhead(size: number): boolean;
  /**
   * Takes a file, read to its end. If that fails, the others are kept.
   * @param size its bytes, more or less
   * @returns the name that it got
   * @throws what the output throws; TwinwrapError ABORTED if saving was stopped
   */
  add(name: string, output: Output, size: number): Promise<string>;
  /** Ends it. @returns what is to be said of it */
  finish(good: number, signal: AbortSignal): Promise<string | undefined>;
}
