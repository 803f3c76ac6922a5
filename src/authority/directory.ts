import { join } from "node:path";
import { equalBytes, wipe } from "../bytes.js";
import { isFolder } from "../calls.node.js";
import { type Core, sharedCore } from "../core/index.js";
import { withFile } from "../envelope/file.node.js";
import { TwinwrapError } from "../errors.js";
import { verifyAuthority } from "../escrow/chain.js";
import { parseIdentity } from "../escrow/identity.js";
import { type Authority, type AuthorityFile, MAX_MESSAGE, type Signer } from "../escrow/index.js";
import { messagePieces } from "../escrow/message.js";
import { collectPieces, makeFolderWhole, writeFileWhole } from "../files.node.js";
import { writeEd25519Key } from "../keys/ed25519.js";
import { type Passphrase, wipePrivateKey, writePrivateKey } from "../keys/index.js";
import { AUTHORITY, LOG_KEY, STORE, WRAP_KEY } from "./folder.js";
import { anchorIn, nextLogIn, readLogKey } from "./folder-keys.js";
import {
  asAuthority,
  PRIVATE_MODE,
  publish,
  publishLonger,
  readPart,
  readWrapKeys,
  withStore,
  writeAnchor,
} from "./folder-parts.js";
import { type OpenStore, openFolderStore, writeStorePlace } from "./folder-store.js";
import { beginStore, type FoundingOptions, found } from "./founding.js";
import type { OperatorSettings } from "./office.js";
import type { OpenerOptions } from "./openers.js";
import { AuthorityService, publishNewest } from "./service.js";
import { dropPostgres } from "./store/postgres.js";
import type { PostgresPlace } from "./store/postgres-url.js";
import type { Store } from "./store/store.js";
import { publicFile } from "./verified-chain.js";

// An authority as a folder: its identity for everybody, its private keys, and its store.

export interface DirectoryOptions {
  core?: Core | undefined;
  /** Opens the store: by default the one in the folder, or that of which the folder says where it is. */
  openStore?: OpenStore | undefined;
}

export interface OpenOptions extends DirectoryOptions, OperatorSettings, OpenerOptions {
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

/**
 * Opens an authority's folder for work.
 * @throws TwinwrapError BAD_FORMAT if it is none, BAD_KEY if its keys are not those of its identity
 */
export async function openDirectory(
  path: string,
  options: OpenOptions = {},
): Promise<AuthorityService> {
  const { openStore = openFolderStore, partial, openers, rsa } = options;
  const core = options.core ?? (await sharedCore());
  if (options.readOnly) return openToRead(path, core, openStore);
  const shown = asAuthority(core, await readPart(path, AUTHORITY));
  const store = await openStore(path, { create: false });
  const logSigner = await logKeyFor(core, path, store, shown);
  const service = await AuthorityService.start({
    core,
    store,
    logSigner,
    readLogKey: (identity) => readLogKey(core, path, [identity]),
    nextLog: nextLogIn(core, path),
    anchor: anchorIn(path),
    shown: async () => asAuthority(core, await readPart(path, AUTHORITY)),
    readWrapKeys: () => readWrapKeys(path),
    publish: (file) => publishLonger(core, path, file),
    settings: { partial },
    openers,
    rsa,
  });
  try {
    await publishNewest(store, (newest) => publishLonger(core, path, newest));
    return service;
  } catch (error) {
    await service.close();
    throw error;
  }
}

/**
 * The log key of a store's newest identity, or of the newest one that is shown: the service verifies them.
 * @throws TwinwrapError FAULT if they are of two authorities
 */
async function logKeyFor(
  core: Core,
  path: string,
  store: Store,
  shown: AuthorityFile,
): Promise<Signer | undefined> {
  try {
    const stored = await publicFile(store);
    if (stored.identities.length === 0) {
      throw new TwinwrapError("FAULT", "the store has no identity");
    }
    const [first, ...newest] = [
      shown.identities[0]!,
      shown.identities.at(-1)!,
      stored.identities.at(-1)!,
    ].map((note) => parseIdentity(core, note));
    const { hash } = parseIdentity(core, stored.identities[0]!);
    if (!equalBytes(first!.hash, hash)) throw ofTwo(path);
    return await readLogKey(core, path, newest);
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
 * Reads and verifies what everybody may know of an authority.
 * @param path its folder, or an authority.json
 * @throws TwinwrapError BAD_FORMAT, NOT_VERIFIED
 */
export async function readAuthority(
  path: string,
  options: DirectoryOptions = {},
): Promise<{ authority: Authority; file: AuthorityFile }> {
  const core = options.core ?? (await sharedCore());
  return authorityOf(core, await namingBytes(path));
}

/** The bytes of what names an authority: of its folder's authority.json, or of a file. */
export function namingBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  if (isFolder(path)) return readPart(path, AUTHORITY);
  return withFile(path, (file) =>
    collectPieces(path, messagePieces(file.pieces()), MAX_MESSAGE),
  ) as Promise<Uint8Array<ArrayBuffer>>;
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
