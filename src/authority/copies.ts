import { existsSync } from "node:fs";
import { join } from "node:path";
import { equalBytes } from "../bytes.js";
import { type Core, sharedCore } from "../core/index.js";
import { withFile } from "../envelope/file.node.js";
import { isAboutContent, TwinwrapError } from "../errors.js";
import { parseIdentity } from "../escrow/identity.js";
import { makeFolderWhole, writeFileWhole } from "../files.node.js";
import { type DirectoryOptions, openDirectory } from "./directory.js";
import { exportStore } from "./export.js";
import { AUTHORITY, STORE, STORE_EXPORT } from "./folder.js";
import { anchorIn } from "./folder-keys.js";
import {
  asAuthority,
  copyAnchor,
  copyKeys,
  copyPublic,
  PRIVATE_MODE,
  readPart,
  withStore,
} from "./folder-parts.js";
import { openFolderStore, readStorePlace, writeStorePlace } from "./folder-store.js";
import { importStore } from "./import.js";
import { fence } from "./log.js";
import { piecesOf } from "./pieces.js";
import { dropPostgres, migratePostgres } from "./store/postgres.js";
import type { PostgresPlace } from "./store/postgres-url.js";
import { copySqlite, migrateSqlite } from "./store/sqlite.js";
import type { Store } from "./store/store.js";
import { publicFile } from "./verified-chain.js";

// Copies of an authority: backups, what is restored from them, and its way into another store.

/** Where a copy makes its store. */
export interface CopyOptions extends DirectoryOptions {
  /** By default in the folder. */
  store?: PostgresPlace | undefined;
}

/**
 * Copies an authority, as of one moment, into a new folder. The copy's log is fenced: nothing may be appended to it
 * while the original goes on. A store that is not in the folder is exported.
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
      if ((await readStorePlace(path)) === undefined) {
        await copySqlite(join(path, STORE), join(folder, STORE));
        await withStore(await openFolderStore(folder, {}), async (store) => {
          await store.write((writes) => fence(writes, "restored"));
          await copyPublic(service.core, path, folder, await publicFile(store));
          await copyAnchor(shown, folder, store);
        });
      } else {
        await writeExport(join(folder, STORE_EXPORT), (sink) => service.export(sink));
        await copyPublic(service.core, path, folder, await service.file());
        if (shown !== undefined) await anchorIn(folder).write(shown, () => true);
      }
      await copyKeys(path, folder);
    });
  } finally {
    await service.close();
  }
}

/** Brings the tables of an authority's store up to date. @returns whether anything was changed */
export async function migrateDirectory(path: string): Promise<boolean> {
  const place = await readStorePlace(path);
  return place === undefined ? migrateSqlite(join(path, STORE)) : migratePostgres(place);
}

/** An export has the secrets of owners in it. */
async function writeExport(path: string, write: Parameters<typeof piecesOf>[0]): Promise<void> {
  await writeFileWhole(path, piecesOf(write), { mode: PRIVATE_MODE });
}

/**
 * Makes an authority's folder from a backup whose log verifies, or from another folder. Its log is fenced until
 * somebody vouches that it holds everything that is known outside.
 * @throws TwinwrapError CONFLICT if there is something already; FAULT or NOT_VERIFIED if the backup
 *   was altered
 */
export async function restoreDirectory(
  from: string,
  path: string,
  options: CopyOptions = {},
): Promise<void> {
  const core = options.core ?? (await sharedCore());
  await makeCopy(
    path,
    from,
    options,
    async (folder) => {
      if (existsSync(join(from, STORE)) && options.store === undefined) {
        // As of one moment: somebody may work with the folder that it comes from.
        await copySqlite(join(from, STORE), join(folder, STORE));
        const store = await openFolderStore(folder, {});
        await store.write((writes) => fence(writes, "restored"));
        return store;
      }
      return fill(core, folder, options, async (take) => {
        if (existsSync(join(from, STORE_EXPORT))) {
          await withFile(join(from, STORE_EXPORT), (file) => take(file.pieces()));
          return;
        }
        await withStore(await openFolderStore(from, { readOnly: true }), (store) =>
          take(piecesOf((sink) => exportStore({ core, store }, sink))),
        );
      });
    },
    true,
  );
}

export interface ImportOptions extends CopyOptions {
  /** The folder whose keys the new one gets. */
  keys: string;
}

/**
 * Makes an authority's folder from an export, whose log is verified on the way in, and from the keys of another
 * folder. An audit (verifyLog) shows whether its rows are what the log says. If its source was fenced when it was
 * exported, the new one goes on at once; else it is fenced, as after a restore.
 * @throws TwinwrapError CONFLICT if there is something already; BAD_FORMAT if it is no whole export; FAULT or
 *   NOT_VERIFIED if it was altered
 */
export async function importDirectory(
  pieces: AsyncIterable<Uint8Array>,
  path: string,
  options: ImportOptions,
): Promise<{ isMoved: boolean }> {
  const core = options.core ?? (await sharedCore());
  let isMoved = false;
  await makeCopy(
    path,
    options.keys,
    options,
    (folder) =>
      fill(
        core,
        folder,
        options,
        async (take) => {
          isMoved = await take(pieces);
        },
        false,
      ),
    false,
  );
  return { isMoved };
}

/** Makes the store of a folder, and fills it. @param from calls what it is given with the pieces of an export */
async function fill(
  core: Core,
  folder: string,
  { store: place }: CopyOptions,
  from: (take: (pieces: AsyncIterable<Uint8Array>) => Promise<boolean>) => Promise<void>,
  isFenced = true,
): Promise<Store> {
  if (place !== undefined) await writeStorePlace(folder, place);
  const store = await openFolderStore(folder, { create: true });
  try {
    await from(async (pieces) => {
      const { isMoved } = await importStore(core, store, pieces);
      if (isMoved && isFenced) await store.write((writes) => fence(writes, "restored"));
      return isMoved;
    });
    return store;
  } catch (error) {
    await store.close();
    if (place !== undefined) await dropPostgres(place).catch(() => {});
    throw error;
  }
}

/** A folder with a store, and with the keys and the anchor of another one; it has to open. */
async function makeCopy(
  path: string,
  keys: string,
  options: CopyOptions,
  makeStore: (folder: string) => Promise<Store>,
  isAudited: boolean,
): Promise<void> {
  const core = options.core ?? (await sharedCore());
  let isMade = false;
  try {
    await makeFolderWhole(path, async (folder) => {
      const shown = await anchorIn(keys).read();
      const made = await makeStore(folder);
      isMade = true;
      await withStore(made, async (store) => {
        await requireSame(core, keys, store);
        await copyPublic(core, keys, folder, await publicFile(store));
        await copyKeys(keys, folder);
        await copyAnchor(shown, folder, store);
      });
      await openCopy(folder, options, isAudited);
    });
  } catch (error) {
    if (isMade && options.store !== undefined) await dropPostgres(options.store).catch(() => {});
    throw error;
  }
}

/** @throws TwinwrapError FAULT or NOT_VERIFIED if an audit finds anything in it that is not what its log says */
async function openCopy(
  folder: string,
  options: DirectoryOptions,
  isAudited: boolean,
): Promise<void> {
  const service = await openDirectory(folder, options);
  try {
    if (isAudited) await service.verifyLog();
  } catch (cause) {
    if (!isAboutContent(cause) && !(cause instanceof TwinwrapError && cause.code === "FAULT")) {
      throw cause;
    }
    const message = `what was to be copied does not verify: ${cause.message}`;
    throw new TwinwrapError(cause.code, message, { cause });
  } finally {
    await service.close();
  }
}

/** @throws TwinwrapError WRONG_AUTHORITY unless a store is of the authority that a folder has the keys of */
async function requireSame(core: Core, folder: string, store: Store): Promise<void> {
  const files = [asAuthority(core, await readPart(folder, AUTHORITY)), await publicFile(store)];
  const [theirs, ours] = files.map(
    ({ identities: [first] }) => first && parseIdentity(core, first),
  );
  if (theirs && ours && equalBytes(theirs.hash, ours.hash)) return;
  throw new TwinwrapError("WRONG_AUTHORITY", `the keys in ${folder} are of another authority`);
}
