import { stat } from "node:fs/promises";
import { join } from "node:path";
import { equalBytes, randomBytes, toBase32, wipe } from "../bytes.js";
import { isSystemError } from "../calls.node.js";
import { type Core, sharedCore } from "../core/index.js";
import { withFile } from "../envelope/file.node.js";
import { TwinwrapError } from "../errors.js";
import {
  type Authority,
  type AuthorityFile,
  article,
  decodeMessage,
  encodeAuthority,
  formatIdentity,
  identityHash,
  MAX_MESSAGE,
  policyHash,
  signNote,
  verifyAuthority,
} from "../escrow/index.js";
import { messagePieces } from "../escrow/message.js";
import {
  collectPieces,
  FileSource,
  makeFolderWhole,
  readFileWhole,
  writeFileWhole,
} from "../files.node.js";
import {
  generateKeyPair,
  type Passphrase,
  wipePrivateKey,
  writePrivateKey,
} from "../keys/index.js";
import { MAX_KEY_FILE } from "../keys/recognise.js";
import { Ed25519Key } from "./ed25519.js";
import { AUTHORITY, LOG_KEY, STORE, WAL, WRAP_KEY } from "./folder.js";
import { fence, Log } from "./log.js";
import { asArgument, firstPolicy, type NewOfficer } from "./policies.js";
import { AuthorityService, publicFile, publishNewest } from "./service.js";
import { openSqlite } from "./store/sqlite.js";
import type { Store } from "./store/store.js";

// An authority as a folder: its identity for everybody, its two private keys, and its store.

const PRIVATE_MODE = 0o600;
const DEFAULT_BITS = 3072;

export interface DirectoryOptions {
  core?: Core | undefined;
}

export interface InitOptions extends DirectoryOptions {
  /** By default random. */
  origin?: string | undefined;
  officers: readonly NewOfficer[];
  /** How many officers it takes to release keys: by default a majority. */
  quorum?: number | undefined;
  /** Seconds between a request and its release; 0 by default. */
  waiting?: number | undefined;
  /** Locks the RSA key; without it, it stays open. */
  passphrase?: Passphrase | undefined;
  /** PBKDF2 iterations. */
  iterations?: number | undefined;
  /** Of the RSA key: 3072 by default. */
  bits?: number | undefined;
  /** Takes and gives out wraps padded as PKCS#1 v1.5, too; by default OAEP alone. */
  pkcs1?: boolean | undefined;
}

/**
 * Makes the folder of a new authority, whole or not at all: authority.json, the two keys (mode 0600)
 * and the store. Its first policy is a draft until every officer has signed it.
 * @throws TwinwrapError BAD_ARGUMENT if officers or numbers don't fit, CONFLICT if the folder has
 *   something in it
 */
export async function initDirectory(path: string, options: InitOptions): Promise<Authority> {
  const core = options.core ?? (await sharedCore());
  const origin = options.origin ?? `authority-${toBase32(randomBytes(10))}`;
  const logKey = Ed25519Key.generate();
  const signer = logKey.signer(origin);
  const policyText = firstPolicy(origin, options);
  const { publicKey, privateKey } = await generateKeyPair({ bits: options.bits ?? DEFAULT_BITS });
  let wrapPem: Uint8Array | undefined;
  let logPem: Uint8Array | undefined;
  try {
    const policy = policyHash(core, policyText);
    const identityText = asArgument(() =>
      formatIdentity({
        origin,
        number: 1,
        previous: undefined,
        logs: [{ name: origin, publicKey: logKey.publicKey }],
        wrapKeys: [publicKey],
        paddings: options.pkcs1 ? ["oaep", "pkcs1-v1_5"] : ["oaep"],
        policy,
      }),
    );
    const identity = await signNote(core, identityText, signer);
    const authority = await verifyAuthority(core, { identities: [identity], policies: [] });
    const draft = await signNote(core, policyText, signer);
    const { passphrase, iterations } = options;
    wrapPem = await writePrivateKey(privateKey, "pem", {
      core,
      passphrase,
      iterations,
    });
    logPem = await logKey.write({ core });
    const files: [string, Uint8Array][] = [
      [WRAP_KEY, wrapPem],
      [LOG_KEY, logPem],
    ];
    await makeFolderWhole(path, async (folder) => {
      for (const [name, content] of files) {
        await writeFileWhole(join(folder, name), [content], { mode: PRIVATE_MODE });
      }
      await withStore(await openSqlite(join(folder, STORE), { create: true }), async (store) => {
        const hash = identityHash(core, identityText);
        await store.write(async (writes) => {
          const log = new Log(core, signer);
          const leaf = { type: "authority", time: new Date(), number: 1, identity: hash } as const;
          const index = await log.append(writes, [leaf]);
          await writes.putIdentity({ number: 1, hash, note: identity, leaf: index });
          await writes.putPolicy({ number: 1, hash: policy, note: draft, leaf: undefined });
        });
        await publish(folder, await publicFile(store));
      });
    });
    return authority;
  } finally {
    wipe(wrapPem, logPem);
    wipePrivateKey(privateKey);
  }
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

/**
 * Opens an authority's folder for work.
 * @throws TwinwrapError BAD_FORMAT if it is none, BAD_KEY if its keys are not those of its identity
 */
export async function openDirectory(
  path: string,
  options: DirectoryOptions = {},
): Promise<AuthorityService> {
  const core = options.core ?? (await sharedCore());
  const shown = await readPart(path, AUTHORITY);
  const { authority } = await readAuthority(path, { core });
  const logPem = await readPart(path, LOG_KEY);
  const logKey = await Ed25519Key.read(logPem, { core }).finally(() => wipe(logPem));
  const service = await AuthorityService.start({
    core,
    store: await openSqlite(join(path, STORE)),
    logSigner: logKey.signer(authority.logKeys[0]!.name),
    readWrapKey: () => readPart(path, WRAP_KEY),
    publish: (file) => publish(path, file),
  });
  try {
    if (!equalBytes(service.authority.fingerprint, authority.fingerprint)) {
      throw new TwinwrapError("FAULT", `${path}: ${AUTHORITY} and ${STORE} are of two authorities`);
    }
    // Whoever changed it last may have been stopped before it was written.
    const file = await publicFile(service.store);
    if (!equalBytes(encodeAuthority(file), shown)) {
      await publishNewest(service.store, (newest) => publish(path, newest));
    }
    return service;
  } catch (error) {
    await service.close();
    throw error;
  }
}

/**
 * Reads and verifies what everybody may know of an authority.
 * @param path its folder, or an authority.json
 * @throws TwinwrapError BAD_FORMAT, NOT_VERIFIED
 */
export async function readAuthority(
  path: string,
  options: DirectoryOptions = {},
): Promise<{ authority: Authority; file: AuthorityFile; isDirectory: boolean }> {
  const core = options.core ?? (await sharedCore());
  const isDirectory = (await stat(path)).isDirectory();
  const bytes = await (isDirectory
    ? readPart(path, AUTHORITY)
    : withFile(path, (file) => collectPieces(path, messagePieces(file.pieces()), MAX_MESSAGE)));
  return { ...(await authorityOf(core, bytes)), isDirectory };
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
 * Copies an authority, as of one moment, into a new folder. The copy's log is fenced: while the
 * original goes on, nothing may be appended to it.
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
      await service.backup(join(folder, STORE));
      await withStore(await openSqlite(join(folder, STORE)), async (store) => {
        await store.write(fence);
        await publish(folder, await publicFile(store));
      });
      await copyKeys(path, folder);
    });
  } finally {
    await service.close();
  }
}

/** A copy for its user alone, whatever the backup's medium made of the mode. */
async function copyPrivate(from: string, to: string): Promise<void> {
  const file = await FileSource.open(from);
  try {
    await writeFileWhole(to, file.pieces(), { mode: PRIVATE_MODE });
  } finally {
    await file.close();
  }
}

async function copyKeys(from: string, to: string): Promise<void> {
  for (const name of [WRAP_KEY, LOG_KEY]) {
    const key = await readPart(from, name);
    await writeFileWhole(join(to, name), [key], { mode: PRIVATE_MODE }).finally(() => wipe(key));
  }
}

/**
 * Makes an authority's folder from a backup whose log verifies. Its log is fenced until it is shown
 * what is known outside.
 * @throws TwinwrapError CONFLICT if there is something already; FAULT or NOT_VERIFIED if the backup
 *   was altered
 */
export async function restoreDirectory(
  from: string,
  path: string,
  options: DirectoryOptions = {},
): Promise<void> {
  await makeFolderWhole(path, async (folder) => {
    await copyPrivate(join(from, STORE), join(folder, STORE));
    // Left there if somebody worked with the backup and was stopped.
    await copyPrivate(join(from, WAL), join(folder, WAL)).catch((error) => {
      if (!isSystemError(error, "ENOENT")) throw error;
    });
    await writeFileWhole(join(folder, AUTHORITY), [await readPart(from, AUTHORITY)]);
    await copyKeys(from, folder);
    await withStore(await openSqlite(join(folder, STORE)), (store) => store.write(fence));
    const service = await openDirectory(folder, options);
    await service.verifyLog().finally(() => service.close());
  });
}
