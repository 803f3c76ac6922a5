import { wipe } from "../bytes.js";
import { readControlKey, type SigningKey } from "../escrow/index.js";
import { readSmall } from "./io.js";
import { type PassphraseOptions, unlockingOf } from "./passphrase.js";
import { about } from "./report.js";

/** Works with an owner's control key. Errors name its file. */
export function withControlKey<T>(
  path: string,
  options: PassphraseOptions,
  work: (key: SigningKey) => Promise<T>,
): Promise<T> {
  return about(path, async () => {
    const pem = await readSmall(path);
    try {
      return await work(await readControlKey(pem, unlockingOf(path, options)));
    } finally {
      wipe(pem);
    }
  });
}
