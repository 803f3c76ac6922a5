import { TwinwrapError } from "../errors.js";
import { systemError, systemText } from "../system.node.js";
import { adviceFor } from "./advice.js";
import { EXIT, UsageError } from "./command.js";
import { warn } from "./standard.js";

/**
 * One clear line for people, and the exit code.
 * @throws the error itself if it is none that is meant for people: a defect, shown with its stack
 */
export function explain(error: unknown): { message: string; code: number } {
  if (error instanceof UsageError) return { message: error.message, code: EXIT.usage };
  if (error instanceof TwinwrapError) {
    const advice = adviceFor(error);
    const code = error.code === "NOT_VERIFIED" ? EXIT.notVerified : EXIT.failed;
    return { message: advice === undefined ? error.message : `${error.message}; ${advice}`, code };
  }
  const system = systemError(error);
  if (system !== undefined) return { message: systemText(system), code: EXIT.failed };
  throw error;
}

/** Names the file in an error that does not (and has no `path`), so that the one line says where. */
export async function about<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // The system's errors name a file already, which may be another one; so do some of ours.
    const isOurs = error instanceof TwinwrapError && systemError(error) === undefined;
    if (isOurs && !("path" in error) && !error.message.startsWith(path)) {
      error.message = `${path}: ${error.message}`;
    }
    throw error;
  }
}

/** Where there is no --allow-weak, a key that is weak is just a bad one. */
export async function neverWeak<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TwinwrapError && error.code === "WEAK_KEY")) throw error;
    throw new TwinwrapError("BAD_KEY", error.message);
  }
}

/** Where arguments come from the command line, a wrong one is a wrong command line. */
export async function asUsage<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TwinwrapError && error.code === "BAD_ARGUMENT")) throw error;
    throw new UsageError(error.message);
  }
}

/** Tells of what failed, for a command that goes on with the rest and ends as one that failed. */
export function complain(error: unknown): void {
  warn(explain(error).message);
  process.exitCode = EXIT.failed;
}

/** Does the same with several files: one that fails is told of, and the others are done all the same. */
export async function forEachFile(
  paths: readonly string[],
  work: (path: string) => Promise<void>,
): Promise<void> {
  for (const path of paths) {
    try {
      await about(path, () => work(path));
    } catch (error) {
      if (paths.length === 1) throw error;
      complain(error);
    }
  }
}
