import { TwinwrapError } from "../errors.js";

/**
 * The error of an engine that refuses a module. What finds out why is loaded only then; if it can't be, the engine's own
 * words have to do.
 */
export async function refused(cause: unknown): Promise<TwinwrapError> {
  try {
    const { default: make } = await import("./refusal-late.js");
    return await make({ TwinwrapError }).refusal(cause);
  } catch {
    const message = `this engine refuses the core's WebAssembly: ${(cause as Error).message}`;
    return new TwinwrapError("UNSUPPORTED", message, { cause });
  }
}
