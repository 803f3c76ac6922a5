import { wipe } from "../bytes.js";
import { readOfficerKey, type SigningKey } from "../escrow/index.js";
import { readSmall } from "./io.js";
import { type PassphraseOptions, unlockingOf } from "./passphrase.js";
import { about } from "./report.js";

/** Works with the signing key in an officer's file. Errors name the file. */
export function withOfficerKey<T>(
  path: string,
  options: PassphraseOptions,
  work: (key: SigningKey) => Promise<T>,
): Promise<T> {
  return about(path, async () => {
    const pem = await readSmall(path);
    try {
      return await work(await readOfficerKey(pem, unlockingOf(path, options)));
    } finally {
      wipe(pem);
    }
  });
}
