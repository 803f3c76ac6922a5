import { existsSync } from "node:fs";
import { join } from "node:path";
import { fromUtf8, toUtf8 } from "../bytes.js";
import { isSystemError } from "../calls.node.js";
import { TwinwrapError } from "../errors.js";
import { readFileWhole, writeFileWhole } from "../files.node.js";
import { STORE, STORE_PLACE } from "./folder.js";
import { openPostgres } from "./store/postgres.js";
import { checkSchema, type PostgresPlace, withoutPassword } from "./store/postgres-url.js";
import { openSqlite } from "./store/sqlite.js";
import type { Store } from "./store/store.js";

// Where the store of an authority's folder is: a file in the folder, or a schema in a PostgreSQL database, of which
// store.json says where it is.

/** Longest store.json, in bytes. */
const MAX_PLACE = 4096;

export interface OpenStoreOptions {
  create?: boolean | undefined;
  readOnly?: boolean | undefined;
}

/** Opens the store that belongs to a folder, or makes it. */
export type OpenStore = (folder: string, options: OpenStoreOptions) => Promise<Store>;

/** @throws TwinwrapError as openSqlite or openPostgres */
export const openFolderStore: OpenStore = async (folder, options) => {
  const place = await readStorePlace(folder);
  if (place === undefined) return openSqlite(join(folder, STORE), options);
  if (existsSync(join(folder, STORE))) {
    throw new TwinwrapError("BAD_FORMAT", `${folder} has two stores: ${STORE} and ${STORE_PLACE}`);
  }
  return openPostgres({ ...place, ...options });
};

/** Where the store is, if not in the folder. @throws TwinwrapError BAD_FORMAT */
export async function readStorePlace(folder: string): Promise<PostgresPlace | undefined> {
  const path = join(folder, STORE_PLACE);
  let text: string;
  try {
    text = fromUtf8(await readFileWhole(path, MAX_PLACE));
  } catch (error) {
    if (isSystemError(error, "ENOENT") || isSystemError(error, "ENOTDIR")) return undefined;
    throw error;
  }
  const place = placeIn(text);
  if (place !== undefined) return place;
  throw new TwinwrapError("BAD_FORMAT", `${path} does not say where a store is`);
}

const OPTIONAL = { passwordFile: "string", acceptDataLoss: "boolean" } as const;

function placeIn(text: string): PostgresPlace | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { url, schema, ...more } = value as Record<string, unknown>;
  if (typeof url !== "string" || typeof schema !== "string") return undefined;
  for (const [name, member] of Object.entries(more)) {
    if (typeof member !== OPTIONAL[name as keyof typeof OPTIONAL]) return undefined;
  }
  return { url: withoutPassword(url), schema: checkSchema(schema), ...more };
}

/** Writes store.json. Its URL has no password. */
export async function writeStorePlace(folder: string, place: PostgresPlace): Promise<void> {
  const { url, schema, passwordFile, acceptDataLoss } = place;
  const shown = { url: withoutPassword(url), schema: checkSchema(schema), passwordFile };
  const text = JSON.stringify({ ...shown, ...(acceptDataLoss && { acceptDataLoss }) }, null, 2);
  await writeFileWhole(join(folder, STORE_PLACE), [toUtf8(`${text}\n`)], { mode: 0o600 });
}
