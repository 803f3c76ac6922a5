import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

// What an authority's folder is made of, also for code that has no business in it.

/** For everybody. */
export const AUTHORITY = "authority.json";
export const WRAP_KEY = "wrap.pem";
export const LOG_KEY = "log.pem";
export const STORE = "store.sqlite";

const PARTS = [AUTHORITY, WRAP_KEY, LOG_KEY, STORE, `${STORE}-wal`, `${STORE}-shm`];

/** Whether a file is, or would be, one of those that an authority's folder is made of. */
export async function isAuthorityPart(path: string): Promise<boolean> {
  const target = await realpath(path).catch(() => path);
  if (!PARTS.includes(basename(target))) return false;
  const present = await stat(join(dirname(target), STORE)).catch(() => undefined);
  return present !== undefined;
}
