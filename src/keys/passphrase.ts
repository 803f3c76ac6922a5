import { needBytes, wrongKind } from "../arguments.js";
import { copyBytes, isWellFormed, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";

/**
 * A passphrase: text, which counts as UTF-8 without normalisation, or bytes; or how to ask for one, called only if
 * it is needed. A promise is none: await it.
 */
export type Passphrase =
  | string
  | Uint8Array
  | (() => string | Uint8Array | Promise<string | Uint8Array>);

function isBytes(value: unknown): value is Uint8Array {
  // Other arrays and buffers are ambiguous: their bytes may be meant, or their numbers.
  return (
    ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === "[object Uint8Array]"
  );
}

/** @throws TwinwrapError BAD_ARGUMENT for anything but a passphrase or a function */
export function needPassphrase(value: unknown, what: string): Passphrase {
  if (typeof value === "function") return value as Passphrase & (() => never);
  if (isBytes(value)) return needBytes(value, what);
  if (typeof value !== "string") throw wrongKind(value, what, "text, a Uint8Array or a function");
  if (isWellFormed(value)) return value;
  // TextEncoder would replace it, and lock a key under a passphrase that nobody can type.
  throw new TwinwrapError("BAD_ARGUMENT", `${what} has half a surrogate pair`);
}

/**
 * Works with a passphrase, asking for it if need be. Copies bytes at once, so that callers can wipe their own, and
 * wipes the copy.
 * @param allowEmpty takes an empty one, which is a mistake as a rule
 * @throws TwinwrapError PASSPHRASE_NEEDED if there is none; BAD_ARGUMENT
 */
export async function withPassphrase<T>(
  given: Passphrase | undefined,
  allowEmpty: boolean | undefined,
  work: (passphrase: string | Uint8Array) => T | Promise<T>,
): Promise<T> {
  if (given === undefined) {
    throw new TwinwrapError("PASSPHRASE_NEEDED", "the key is locked with a passphrase");
  }
  const what =
    typeof given === "function" ? "what the passphrase function gives" : "the passphrase";
  const found = needPassphrase(typeof given === "function" ? await given() : given, what);
  if (typeof found === "function") throw wrongKind(found, what, "text or a Uint8Array");
  if (found.length === 0 && allowEmpty !== true) {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      "the passphrase is empty, which protects nothing; allowEmptyPassphrase says that it is meant",
    );
  }
  const passphrase = typeof found === "string" ? found : copyBytes(found);
  try {
    return await work(passphrase);
  } finally {
    if (typeof passphrase !== "string") wipe(passphrase);
  }
}
