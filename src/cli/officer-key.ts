import { wipe } from "../bytes.js";
import { readOfficerKey, type SigningKey } from "../escrow/index.js";
import { readSmall } from "./io.js";
import { type PassphraseOptions, unlockingOf } from "./passphrase.js";
import { about } from "./report.js";

/** Works with the key of an officer's file that signs; what goes wrong is told with the file's name. */
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
