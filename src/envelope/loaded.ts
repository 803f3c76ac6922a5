import { decryptionFailed, overLimit, TwinwrapError } from "../errors.js";
import { isWholeCore, markPool } from "../known.js";
import { loadScript } from "./script.js";

let late: typeof import("./lazily.js") | undefined;

/** What most pages never need: it is loaded when it is asked for. */
export async function loadLate(): Promise<typeof import("./lazily.js")> {
  const { default: make } = await import("./late.js");
  late ??= make({ TwinwrapError, decryptionFailed, isWholeCore, loadScript, markPool, overLimit });
  return late;
}
