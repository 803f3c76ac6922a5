import { existsSync, statSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { equalBytes, fromUtf8, randomBytes, toUtf8, wipe } from "../bytes.js";
import { isSystemError } from "../calls.node.js";
import type { Core } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import type { Identity, Signer } from "../escrow/index.js";
import { MAX_NOTE } from "../escrow/note.js";
import { SigningKey } from "../escrow/signing-key.js";
import { readFileWhole, withLockBeside, writeFileWhole } from "../files.node.js";
import { readEd25519Key, writeEd25519Key } from "../keys/ed25519.js";
import { MAX_KEY_FILE } from "../keys/recognise.js";
import type { Anchor } from "./anchor.js";
import { ANCHOR, LOG_KEY, NEXT_LOG_KEY } from "./folder.js";
import type { NextLog } from "./service.js";

// What an authority's folder holds besides its store and its RSA key: the log key, the key of the log that is to
// follow, and the anchor.

const PRIVATE_MODE = 0o600;

async function readIfThere(
  path: string,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await readFileWhole(path, maxBytes);
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function readKey(core: Core, path: string): Promise<SigningKey | undefined> {
  const pem = await readIfThere(path, MAX_KEY_FILE);
  if (pem === undefined) return undefined;
  const seed = await readEd25519Key(pem, { core }).finally(() => wipe(pem));
  return SigningKey.from(seed).finally(() => wipe(seed));
}

/**
 * The log key of one of some identities; undefined if the folder has none. A process may have been stopped between the
 * end of a log and the last change of names.
 * @returns under the name of the identity that it fits, or else of the last one
 * @throws TwinwrapError as readEd25519Key
 */
export async function readLogKey(
  core: Core,
  folder: string,
  identities: readonly Pick<Identity, "log">[],
): Promise<Signer | undefined> {
  const logs = identities.map(({ log }) => log);
  const logOf = (key: SigningKey) =>
    logs.find(({ publicKey }) => equalBytes(publicKey, key.publicKey));
  const next = await readKey(core, join(folder, NEXT_LOG_KEY));
  const nextLog = next && logOf(next);
  if (next !== undefined && nextLog !== undefined) {
    await nextLogIn(core, folder).use();
    return next.signer(nextLog.name);
  }
  const key = await readKey(core, join(folder, LOG_KEY));
  return key?.signer((logOf(key) ?? logs.at(-1)!).name);
}

/** The key of the log that is to follow, in a folder. */
export function nextLogIn(core: Core, folder: string): NextLog {
  const path = join(folder, NEXT_LOG_KEY);
  return {
    async key() {
      const present = await readKey(core, path);
      if (present !== undefined) return present;
      const seed = randomBytes(32);
      let pem: Uint8Array | undefined;
      try {
        pem = await writeEd25519Key(seed, { core });
        await writeFileWhole(path, [pem], { mode: PRIVATE_MODE });
        return await SigningKey.from(seed);
      } finally {
        wipe(seed, pem);
      }
    },
    // What the old key could sign has no worth any more. Another process may have been here first.
    use: () =>
      rename(path, join(folder, LOG_KEY)).catch((error) => {
        if (!isSystemError(error, "ENOENT") || !existsSync(join(folder, LOG_KEY))) throw error;
      }),
  };
}

/** Which file stands under a name, and in which state; undefined if there is none. */
function stateOf(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
}

/** The anchor in a folder: a checkpoint, as it is. */
export function anchorIn(folder: string): Anchor {
  const path = join(folder, ANCHOR);
  const readFile = async () => {
    const bytes = await readIfThere(path, MAX_NOTE);
    return bytes && fromUtf8(bytes);
  };
  /** The file as it was read or written last. It is always replaced as a whole. */
  let known: { state: string | undefined; note: string | undefined } | undefined;
  const read = async () => {
    // Looked at before it is read: if it is replaced in between, it is read again the next time.
    const state = stateOf(path);
    if (known === undefined || known.state !== state) known = { state, note: await readFile() };
    return known.note;
  };
  const write: Anchor["write"] = (note, isNewer) =>
    withLockBeside(path, async () => {
      // Clocks of file systems are too coarse to rely on a state here.
      const present = await readFile();
      if (present !== undefined && !isNewer(present)) return;
      await writeFileWhole(path, [toUtf8(note)], { force: true, mode: PRIVATE_MODE });
      known = { state: stateOf(path), note };
    });
  // Of one process one after the other.
  let last: Promise<unknown> = Promise.resolve();
  return {
    read,
    write(note, isNewer) {
      const written = last.then(() => whenFree(() => write(note, isNewer)));
      last = written.catch(() => {});
      return written;
    },
  };
}

/** How long one process waits for others, in milliseconds, and the longest pause between two attempts. */
const BUSY = 30_000;
const PAUSE = 20;

/** Does something under a lock as soon as no other process holds it. @throws TwinwrapError CONFLICT after a while */
async function whenFree(work: () => Promise<void>): Promise<void> {
  const until = Date.now() + BUSY;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isBusy = error instanceof TwinwrapError && error.code === "CONFLICT";
      if (!isBusy || Date.now() > until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * PAUSE));
  }
}
