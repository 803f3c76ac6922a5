import { Unreachable } from "../client/unreachable.js";
import { TwinwrapError } from "../errors.js";
import { systemError, systemText } from "../system.node.js";
import { adviceFor } from "./advice.js";
import { EXIT, UsageError } from "./command.js";
import { warn } from "./standard.js";

/**
 * One clear line for people, and the exit code.
 * @throws the error itself if it is a defect: that is shown with its stack
 */
export function explain(error: unknown): { message: string; code: number } {
  if (error instanceof UsageError) return { message: error.message, code: EXIT.usage };
  if (error instanceof TwinwrapError) {
    const advice = adviceFor(error);
    const code = exitCodeOf(error);
    return { message: advice === undefined ? error.message : `${error.message}; ${advice}`, code };
  }
  const system = systemError(error);
  if (system !== undefined) return { message: systemText(system), code: EXIT.failed };
  throw error;
}

function exitCodeOf(error: TwinwrapError): number {
  if (error.code === "NOT_VERIFIED") return EXIT.notVerified;
  return error instanceof Unreachable ? EXIT.unreachable : EXIT.failed;
}

/** Puts the file's name into an error that has none (and no `path`): the one line says where it happened. */
export async function about<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // The system's errors, and some of ours, name a file already, which may be another one.
    const isOurs = error instanceof TwinwrapError && systemError(error) === undefined;
    if (isOurs && !("path" in error) && !error.message.startsWith(path)) {
      error.message = `${path}: ${error.message}`;
    }
    throw error;
  }
}

/** For commands without --allow-weak: to them a weak key is a bad key. */
export async function neverWeak<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TwinwrapError && error.code === "WEAK_KEY")) throw error;
    throw new TwinwrapError("BAD_KEY", error.message);
  }
}

/** For arguments that come from the command line: a bad one becomes a UsageError. */
export async function asUsage<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TwinwrapError && error.code === "BAD_ARGUMENT")) throw error;
    throw new UsageError(error.message);
  }
}

/** From the least to the worst that can become of one of several things. */
const WORSE: readonly number[] = [
  EXIT.done,
  EXIT.waiting,
  EXIT.unreachable,
  EXIT.failed,
  EXIT.notVerified,
];

/** The exit code will be this one, or a worse one that is known already. */
export function worsen(code: number): void {
  const before = Number(process.exitCode ?? EXIT.done);
  if (WORSE.indexOf(code) > WORSE.indexOf(before)) process.exitCode = code;
}

/** Shows an error and goes on. The exit code says later that something failed. */
export function complain(error: unknown): void {
  const { message, code } = explain(error);
  warn(message);
  worsen(code === EXIT.usage ? EXIT.failed : code);
}

/** Does the same with several files. If one fails, the error is shown and the others are done all the same. */
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
