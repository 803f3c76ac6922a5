import { TwinwrapError } from "../errors.js";

/**
 * Opens a lock with the passphrase as given, or else with the same text in Unicode's normal forms NFC and NFD,
 * in which keyboards and systems differ. ASCII has one spelling, and bytes count as they are.
 * @param open throws WRONG_PASSPHRASE for a wrong one
 * @throws TwinwrapError what `open` throws, WRONG_PASSPHRASE once no spelling is left
 */
export function openInAnySpelling<T>(
  passphrase: string | Uint8Array,
  open: (spelling: string | Uint8Array) => T,
): T {
  const spellings = new Set([passphrase]);
  if (typeof passphrase === "string") {
    spellings.add(passphrase.normalize("NFC")).add(passphrase.normalize("NFD"));
  }
  let failure: unknown;
  for (const spelling of spellings) {
    try {
      return open(spelling);
    } catch (error) {
      if (!(error instanceof TwinwrapError && error.code === "WRONG_PASSPHRASE")) throw error;
      failure = error;
    }
  }
  throw failure;
}
