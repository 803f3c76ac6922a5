import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { equalBytes, wipe } from "../bytes.js";
import { isFolder, isSystemError } from "../calls.node.js";
import { type Core, sharedCore } from "../core/index.js";
import { withFile } from "../envelope/file.node.js";
import { TwinwrapError } from "../errors.js";
import {
  type Authority,
  type AuthorityFile,
  article,
  decodeMessage,
  encodeAuthority,
  MAX_MESSAGE,
  parseCheckpoint,
  parseIdentity,
  type Signer,
  verifyAuthority,
} from "../escrow/index.js";
import { messagePieces } from "../escrow/message.js";
import { collectPieces, makeFolderWhole, readFileWhole, writeFileWhole } from "../files.node.js";
import { writeEd25519Key } from "../keys/ed25519.js";
import { type Passphrase, wipePrivateKey, writePrivateKey } from "../keys/index.js";
import { MAX_KEY_FILE } from "../keys/recognise.js";
import { AUTHORITY, isWrapKey, LOG_KEY, NEXT_LOG_KEY, STORE, WRAP_KEY } from "./folder.js";
import { anchorIn, nextLogIn, readLogKey } from "./folder-keys.js";
import { type OpenStore, openFolderStore, writeStorePlace } from "./folder-store.js";
import { beginStore, type FoundingOptions, found } from "./founding.js";
import { fence } from "./log.js";
import type { OperatorSettings } from "./office.js";
import { AuthorityService, publishNewest } from "./service.js";
import { dropPostgres } from "./store/postgres.js";
import type { PostgresPlace } from "./store/postgres-url.js";
import { copySqlite } from "./store/sqlite.js";
import type { Store } from "./store/store.js";
import { publicFile } from "./verified-chain.js";
import type { WrapKeyFile } from "./wrap-keys.js";

// An authority as a folder: its identity for everybody, its private keys, and its store.

const PRIVATE_MODE = 0o600;

export interface DirectoryOptions {
  core?: Core | undefined;
  /** Opens the store: by default the one in the folder, or that of which the folder says where it is. */
  openStore?: OpenStore | undefined;
}

export interface OpenOptions extends DirectoryOptions, OperatorSettings {
  /**
   * Needs no private key and no right to write, and writes nothing. Whatever would write or sign is UNAVAILABLE.
   * The store is read where it is while others work with it, and else from a private copy in $TMPDIR.
   */
  readOnly?: boolean | undefined;
}

export interface InitOptions extends DirectoryOptions, FoundingOptions {
  /** Locks the RSA key; without it, it stays open. */
  passphrase?: Passphrase | undefined;
  /** PBKDF2 iterations. */
  iterations?: number | undefined;
  /** Where the store is made, if not in the folder. */
  store?: PostgresPlace | undefined;
}

/**
 * Makes the folder of a new authority, whole or not at all: authority.json, the two keys (mode 0600)
 * and the store. Its first policy is a draft until every officer has signed it.
 * @throws TwinwrapError BAD_ARGUMENT if officers or numbers don't fit, CONFLICT if the folder has
 *   something in it
 */
export async function initDirectory(path: string, options: InitOptions): Promise<Authority> {
  const core = options.core ?? (await sharedCore());
  const founding = await found(core, options);
  const { passphrase, iterations, openStore = openFolderStore, store: place } = options;
  let isMade = false;
  const keys: [name: string, pem: Uint8Array][] = [];
  try {
    const lock = { core, passphrase, iterations };
    keys.push([WRAP_KEY, await writePrivateKey(founding.wrapKey, "pem", lock)]);
    keys.push([LOG_KEY, await writeEd25519Key(founding.logSeed, { core })]);
    await makeFolderWhole(path, async (folder) => {
      for (const [name, pem] of keys) {
        await writeFileWhole(join(folder, name), [pem], { mode: PRIVATE_MODE });
      }
      if (place !== undefined) await writeStorePlace(folder, place);
      const store = await openStore(folder, { create: true });
      isMade = true;
      await withStore(store, async () => {
        await beginStore(core, store, founding);
        await publish(folder, await publicFile(store));
        await writeAnchor(folder, store);
      });
    });
    return founding.authority;
  } catch (error) {
    // The folder is gone as if it had never been; so is what was made elsewhere.
    if (isMade && place !== undefined) await dropPostgres(place).catch(() => {});
    throw error;
  } finally {
    wipe(founding.logSeed, ...keys.map(([, pem]) => pem));
    wipePrivateKey(founding.wrapKey);
  }
}

/** Begins the anchor with what a store holds. */
async function writeAnchor(folder: string, store: Store): Promise<void> {
  const head = await store.head();
  if (head !== undefined) await anchorIn(folder).write(head.checkpoint, () => true);
}

/**
 * A copy's anchor: that of the original if it knows more than the store, which then has lost something.
 * @param shown the original's, read before its store was copied: others may work with it
 */
async function copyAnchor(shown: string | undefined, folder: string, store: Store): Promise<void> {
  await writeAnchor(folder, store);
  const held = await anchorIn(folder).read();
  if (shown === undefined || held === undefined) return;
  const [theirs, ours] = [parseCheckpoint(shown), parseCheckpoint(held)];
  if (theirs.origin !== ours.origin || theirs.size <= ours.size) return;
  await anchorIn(folder).write(shown, () => true);
}

async function withStore<T>(store: Store, work: (store: Store) => Promise<T>): Promise<T> {
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

function publish(folder: string, file: AuthorityFile): Promise<void> {
  return writeFileWhole(join(folder, AUTHORITY), [encodeAuthority(file)], { force: true });
}

async function readPart(folder: string, name: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await readFileWhole(join(folder, name), name === AUTHORITY ? MAX_MESSAGE : MAX_KEY_FILE);
  } catch (error) {
    if (!isSystemError(error, "ENOENT") && !isSystemError(error, "ENOTDIR")) throw error;
    throw new TwinwrapError("BAD_FORMAT", `${folder} is no authority's folder: it has no ${name}`);
  }
}

/** The names of the RSA keys' files, that of the key in use first. It has to be there. */
async function wrapKeyNames(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter(isWrapKey).sort();
  return [WRAP_KEY, ...names.filter((name) => name !== WRAP_KEY)];
}

async function readWrapKeys(folder: string): Promise<WrapKeyFile[]> {
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

/**
 * Opens an authority's folder for work.
 * @throws TwinwrapError BAD_FORMAT if it is none, BAD_KEY if its keys are not those of its identity
 */
export async function openDirectory(
  path: string,
  options: OpenOptions = {},
): Promise<AuthorityService> {
  const { openStore = openFolderStore, partial } = options;
  const core = options.core ?? (await sharedCore());
  if (options.readOnly) return openToRead(path, core, openStore);
  const shown = await readPart(path, AUTHORITY);
  asAuthority(core, shown);
  const store = await openStore(path, { create: false });
  const logSigner = await logKeyFor(core, path, store);
  const service = await AuthorityService.start({
    core,
    store,
    logSigner,
    nextLog: nextLogIn(core, path),
    anchor: anchorIn(path),
    readWrapKeys: () => readWrapKeys(path),
    publish: (file) => publish(path, file),
    settings: { partial },
  });
  try {
    await republish(path, shown, service, store);
    return service;
  } catch (error) {
    await service.close();
    throw error;
  }
}

/** The log key of a store's newest identity: only its name counts here, the service verifies the rest. */
async function logKeyFor(core: Core, path: string, store: Store): Promise<Signer | undefined> {
  try {
    const newest = (await publicFile(store)).identities.at(-1);
    if (newest === undefined) throw new TwinwrapError("FAULT", "the store has no identity");
    return await readLogKey(core, path, parseIdentity(core, newest));
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** An authority's folder as somebody sees it who has neither its keys nor a right to write. */
async function openToRead(
  path: string,
  core: Core,
  openStore: OpenStore,
): Promise<AuthorityService> {
  const shown = (await authorityOf(core, await readPart(path, AUTHORITY))).authority;
  const store = await openStore(path, { create: false, readOnly: true });
  const refuse = () => {
    const message = "the authority was opened to be read alone";
    return Promise.reject(new TwinwrapError("UNAVAILABLE", message));
  };
  const service = await AuthorityService.start({
    core,
    store,
    logSigner: undefined,
    readWrapKeys: refuse,
    publish: refuse,
  });
  if (equalBytes(service.authority.fingerprint, shown.fingerprint)) return service;
  await service.close();
  throw ofTwo(path);
}

function ofTwo(path: string): TwinwrapError {
  return new TwinwrapError("FAULT", `${path}: ${AUTHORITY} and ${STORE} are of two authorities`);
}

/**
 * The public file has to say what the store says: the process that changed the store last may have been stopped
 * before writing it.
 * @throws TwinwrapError FAULT if what is shown is of another authority, or as {@link authorityOf}
 */
async function republish(
  path: string,
  shown: Uint8Array,
  { core, authority }: AuthorityService,
  store: Store,
): Promise<void> {
  if (equalBytes(encodeAuthority(await publicFile(store)), shown)) return;
  const { fingerprint } = (await authorityOf(core, shown)).authority;
  if (!equalBytes(authority.fingerprint, fingerprint)) {
    throw ofTwo(path);
  }
  await publishNewest(store, (newest) => publish(path, newest));
}

/**
 * Reads and verifies what everybody may know of an authority.
 * @param path its folder, or an authority.json
 * @throws TwinwrapError BAD_FORMAT, NOT_VERIFIED
 */
export async function readAuthority(
  path: string,
  options: DirectoryOptions = {},
): Promise<{ authority: Authority; file: AuthorityFile }> {
  const core = options.core ?? (await sharedCore());
  const bytes = await (isFolder(path)
    ? readPart(path, AUTHORITY)
    : withFile(path, (file) => collectPieces(path, messagePieces(file.pieces()), MAX_MESSAGE)));
  return authorityOf(core, bytes);
}

/**
 * The same from the bytes of an authority.json, as it came.
 * @throws TwinwrapError BAD_FORMAT, NOT_VERIFIED
 */
export async function authorityOf(
  core: Core,
  bytes: Uint8Array,
): Promise<{ authority: Authority; file: AuthorityFile }> {
  const file = asAuthority(core, bytes);
  return { authority: await verifyAuthority(core, file), file };
}

function asAuthority(core: Core, bytes: Uint8Array): AuthorityFile {
  let what: string;
  try {
    const message = decodeMessage(core, bytes);
    if (message.kind === "authority") return message.authority;
    what = `this is ${article(message.kind)}`;
  } catch (cause) {
    if (!(cause instanceof TwinwrapError && cause.code === "BAD_FORMAT")) throw cause;
    what = cause.message;
  }
  throw new TwinwrapError("BAD_FORMAT", `this is no ${AUTHORITY} (${what})`);
}

/**
 * Copies an authority whose store is in its folder, as of one moment, into a new folder. The copy's log is fenced:
 * nothing may be appended to it while the original goes on.
 * @throws TwinwrapError CONFLICT if there is something already
 */
export async function backupDirectory(
  path: string,
  to: string,
  options: DirectoryOptions = {},
): Promise<void> {
  const service = await openDirectory(path, options);
  try {
    await makeFolderWhole(to, async (folder) => {
      const shown = await anchorIn(path).read();
      await copySqlite(join(path, STORE), join(folder, STORE));
      await withStore(await openFolderStore(folder, { create: false }), async (store) => {
        await store.write((writes) => fence(writes, "restored"));
        await publish(folder, await publicFile(store));
        await copyAnchor(shown, folder, store);
      });
      await copyKeys(path, folder);
    });
  } finally {
    await service.close();
  }
}

/** The keys that are there: a log key may be lost, and there may be one of a log that is to follow. */
async function copyKeys(from: string, to: string): Promise<void> {
  const logKeys = [LOG_KEY, NEXT_LOG_KEY].filter((name) => existsSync(join(from, name)));
  for (const name of [...(await wrapKeyNames(from)), ...logKeys]) {
    const key = await readPart(from, name);
    await writeFileWhole(join(to, name), [key], { mode: PRIVATE_MODE }).finally(() => wipe(key));
  }
}

/**
 * Makes an authority's folder from a backup whose log verifies. Its log is fenced until somebody shows it
 * the checkpoints known outside.
 * @throws TwinwrapError CONFLICT if there is something already; FAULT or NOT_VERIFIED if the backup
 *   was altered
 */
export async function restoreDirectory(
  from: string,
  path: string,
  options: DirectoryOptions = {},
): Promise<void> {
  await makeFolderWhole(path, async (folder) => {
    const shown = await anchorIn(from).read();
    // As of one moment: somebody may work with the folder that it comes from.
    await copySqlite(join(from, STORE), join(folder, STORE));
    await writeFileWhole(join(folder, AUTHORITY), [await readPart(from, AUTHORITY)]);
    await copyKeys(from, folder);
    await withStore(await openFolderStore(folder, { create: false }), async (store) => {
      await store.write((writes) => fence(writes, "restored"));
      await copyAnchor(shown, folder, store);
    });
    const service = await openDirectory(folder, options);
    await service.verifyLog().finally(() => service.close());
  });
}
