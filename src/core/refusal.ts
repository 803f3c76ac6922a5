import { fromBase64 } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { notTheCore } from "./not-the-core.js";

// (module)
const EMPTY_MODULE = "AGFzbQEAAAA=";

/**
 * Replaces an engine's own error when it refuses a module: because it may not compile any, for want of
 * memory, or because the bytes are no module.
 */
export async function refusal(cause: unknown): Promise<TwinwrapError> {
  const { message, name } = cause as Error;
  try {
    await WebAssembly.compile(fromBase64(EMPTY_MODULE));
  } catch {
    return new TwinwrapError(
      "UNSUPPORTED",
      `WebAssembly is not allowed here: a Content-Security-Policy needs script-src 'wasm-unsafe-eval'; where nothing may be compiled, hand in a WebAssembly.Module (useWasm): ${message}`,
      { cause },
    );
  }
  // Engines name other refusals in their own ways; errors of a bad module have these names.
  if (!["CompileError", "LinkError", "TypeError"].includes(name)) {
    return new TwinwrapError(
      "UNSUPPORTED",
      `there is no room for WebAssembly's memory (Node and Chrome reserve 10 GiB of addresses): lift the limit (ulimit -v), or set NODE_OPTIONS=--disable-wasm-trap-handler: ${message}`,
      { cause },
    );
  }
  return notTheCore(message, cause);
}
