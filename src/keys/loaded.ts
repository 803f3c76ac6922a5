import { CryptoApiError } from "../blob/errors.js";
import { overLimit, TwinwrapError } from "../errors.js";
import { isWholeCore } from "../known.js";

let readers: typeof import("./lazily.js") | undefined;

/** The readers of keys: they are loaded when they are asked for. */
export async function loadReaders(): Promise<typeof import("./lazily.js")> {
  const { default: make } = await import("./readers.js");
  readers ??= make({ CryptoApiError, TwinwrapError, isWholeCore, overLimit });
  return readers;
}
