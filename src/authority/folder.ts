import { basename, dirname, join } from "node:path";
import { present } from "../calls.node.js";

// What an authority's folder is made of, also for code that has no business in it.

/** For everybody. */
export const AUTHORITY = "authority.json";
export const WRAP_KEY = "wrap.pem";
export const LOG_KEY = "log.pem";
/** Of the log that is to follow, while officers close this one. */
export const NEXT_LOG_KEY = "log.next.pem";
/** The newest checkpoint that was shown. */
export const ANCHOR = "anchor";
/** The store in the folder itself. */
export const STORE = "store.sqlite";
/** Or where it is elsewhere. */
export const STORE_PLACE = "store.json";
/** Or, in a backup, what such a store held. */
export const STORE_EXPORT = "store.export";

/** A key that was in use before, by the first digits of its fingerprint. */
const EARLIER_KEY = /^wrap-[0-9a-f]{16}\.pem$/;

/** Whether a file in the folder has one of the RSA keys. */
export function isWrapKey(name: string): boolean {
  return name === WRAP_KEY || EARLIER_KEY.test(name);
}

const PARTS = [
  AUTHORITY,
  WRAP_KEY,
  LOG_KEY,
  NEXT_LOG_KEY,
  ANCHOR,
  STORE,
  STORE_PLACE,
  STORE_EXPORT,
  `${STORE}-wal`,
  `${STORE}-shm`,
];

/**
 * Whether a file is, or would be, one of those that an authority's folder is made of.
 * @param target its place, links of its own name followed
 */
export function isAuthorityPart(target: string): boolean {
  const name = basename(target);
  if (!PARTS.includes(name) && !isWrapKey(name)) return false;
  const folder = dirname(target);
  return [STORE, STORE_PLACE].some((part) => present(join(folder, part)) !== undefined);
}
