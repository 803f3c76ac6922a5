import { TwinwrapError } from "../errors.js";

/** The error when the caller's WebAssembly is something else. */
export function notTheCore(message: string, cause?: unknown): TwinwrapError {
  return new TwinwrapError(
    "BAD_ARGUMENT",
    `the WebAssembly given is not the core of this version: ${message}`,
    { cause },
  );
}
