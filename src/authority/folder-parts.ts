import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { equalBytes, wipe } from "../bytes.js";
import { isSystemError } from "../calls.node.js";
import type { Core } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import { parseCheckpoint } from "../escrow/checkpoint.js";
import type { Connection } from "../escrow/connection.js";
import { encodeAuthority } from "../escrow/identity.js";
import { type AuthorityFile, MAX_MESSAGE } from "../escrow/index.js";
import { article, decodeMessage } from "../escrow/message.js";
import { readFileWhole, writeFileWhole } from "../files.node.js";
import { MAX_KEY_FILE } from "../keys/recognise.js";
import { AUTHORITY, isWrapKey, LOG_KEY, NEXT_LOG_KEY, WRAP_KEY } from "./folder.js";
import { anchorIn } from "./folder-keys.js";
import type { Store } from "./store/store.js";
import { isLonger } from "./taken-back.js";
import type { WrapKeyFile } from "./wrap-keys.js";

// The parts of an authority's folder: read, written, and copied into another one.

export const PRIVATE_MODE = 0o600;

/** Begins the anchor with what a store holds. */
export async function writeAnchor(folder: string, store: Store): Promise<void> {
  const head = await store.head();
  if (head !== undefined) await anchorIn(folder).write(head.checkpoint, () => true);
}

/**
 * A copy's anchor: that of the original if it knows more than the store, which then has lost something.
 * @param shown the original's, read before its store was copied: others may work with it
 */
export async function copyAnchor(
  shown: string | undefined,
  folder: string,
  store: Store,
): Promise<void> {
  await writeAnchor(folder, store);
  const held = await anchorIn(folder).read();
  if (shown === undefined || held === undefined) return;
  const [theirs, ours] = [parseCheckpoint(shown), parseCheckpoint(held)];
  if (theirs.origin !== ours.origin || theirs.size <= ours.size) return;
  await anchorIn(folder).write(shown, () => true);
}

export async function withStore<T>(store: Store, work: (store: Store) => Promise<T>): Promise<T> {
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

export function publish(folder: string, file: AuthorityFile): Promise<void> {
  return writeFileWhole(join(folder, AUTHORITY), [encodeAuthority(file)], { force: true });
}

/**
 * The public file has to say what the store says: the process that changed the store last may have been stopped before
 * writing it. But what it says beyond the store stays: the store has lost that.
 */
export async function publishLonger(
  core: Core,
  folder: string,
  file: AuthorityFile,
): Promise<void> {
  const bytes = await readPart(folder, AUTHORITY);
  if (isLonger(asAuthority(core, bytes), file) || equalBytes(bytes, encodeAuthority(file))) return;
  await publish(folder, file);
}

/** A copy's public file: that of the original if it says more than the store, which then has lost something. */
export async function copyPublic(
  core: Core,
  from: string,
  folder: string,
  file: AuthorityFile,
): Promise<void> {
  await writeFileWhole(join(folder, AUTHORITY), [await readPart(from, AUTHORITY)]);
  await publishLonger(core, folder, file);
}

/** What an authority.json holds; nothing is verified. @throws TwinwrapError BAD_FORMAT */
export function asAuthority(core: Core, bytes: Uint8Array): AuthorityFile {
  const { file, connection } = asNamed(core, bytes);
  wipe(connection?.owner?.secret);
  return file;
}

/** The same of what names an authority: a connection file has the same notes in it. Its secret is the caller's to wipe. */
export function asNamed(
  core: Core,
  bytes: Uint8Array,
): { file: AuthorityFile; connection?: Connection } {
  let what: string;
  try {
    const message = decodeMessage(core, bytes);
    if (message.kind === "authority") return { file: message.authority };
    if (message.kind === "connection") {
      const { connection } = message;
      return { file: connection.authority, connection };
    }
    what = `this is ${article(message.kind)}`;
  } catch (cause) {
    if (!(cause instanceof TwinwrapError && cause.code === "BAD_FORMAT")) throw cause;
    what = cause.message;
  }
  throw new TwinwrapError("BAD_FORMAT", `this is no ${AUTHORITY} (${what})`);
}

export async function readPart(folder: string, name: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readFileWhole(join(folder, name), name === AUTHORITY ? MAX_MESSAGE : MAX_KEY_FILE);
  } catch (error) {
    if (!isSystemError(error, "ENOENT") && !isSystemError(error, "ENOTDIR")) throw error;
    throw new TwinwrapError("BAD_FORMAT", `${folder} is no authority's folder: it has no ${name}`);
  }
}

/** The names of the RSA keys' files, that of the key in use first. It has to be there. */
export async function wrapKeyNames(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter(isWrapKey).sort();
  return [WRAP_KEY, ...names.filter((name) => name !== WRAP_KEY)];
}

export async function readWrapKeys(folder: string): Promise<WrapKeyFile[]> {
  const files: WrapKeyFile[] = [];
  try {
    for (const name of await wrapKeyNames(folder)) {
      files.push({ name, pem: await readPart(folder, name) });
    }
    return files;
  } catch (error) {
    wipe(...files.map(({ pem }) => pem));
    throw error;
  }
}

/** The keys that are there: a log key may be lost, and there may be one of a log that is to follow. */
export async function copyKeys(from: string, to: string): Promise<void> {
  const logKeys = [LOG_KEY, NEXT_LOG_KEY].filter((name) => existsSync(join(from, name)));
  for (const name of [...(await wrapKeyNames(from)), ...logKeys]) {
    const key = await readPart(from, name);
    await writeFileWhole(join(to, name), [key], { mode: PRIVATE_MODE }).finally(() => wipe(key));
  }
}
