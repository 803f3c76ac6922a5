import { wipe } from "../bytes.js";
import { readControlKey, readOfficerKey, type SigningKey } from "../escrow/index.js";
import { readSmall } from "./io.js";
import { type PassphraseOptions, unlockingOf } from "./passphrase.js";
import { about } from "./report.js";

/** Works with a signing key from a file. Errors name the file. */
function withSigningKey<T>(
  read: typeof readOfficerKey,
  path: string,
  options: PassphraseOptions,
  work: (key: SigningKey) => Promise<T>,
): Promise<T> {
  return about(path, async () => {
    const pem = await readSmall(path);
    try {
      return await work(await read(pem, unlockingOf(path, options)));
    } finally {
      wipe(pem);
    }
  });
}

/** Works with the signing key in an officer's file. */
export function withOfficerKey<T>(
  path: string,
  options: PassphraseOptions,
  work: (key: SigningKey) => Promise<T>,
): Promise<T> {
  return withSigningKey(readOfficerKey, path, options, work);
}

/** Works with an owner's control key. */
export function withControlKey<T>(
  path: string,
  options: PassphraseOptions,
  work: (key: SigningKey) => Promise<T>,
): Promise<T> {
  return withSigningKey(readControlKey, path, options, work);
}
