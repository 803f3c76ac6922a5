import { readFileSync } from "node:fs";
import { named } from "../../calls.node.js";
import { TwinwrapError } from "../../errors.js";

// Where a store in PostgreSQL is.

export interface PostgresPlace {
  /** postgres://USER@HOST:PORT/DATABASE, without a password. */
  url: string;
  schema: string;
  /** A file with the password alone; without it $TWINWRAP_STORE, $PGPASSWORD or .pgpass have it. */
  passwordFile?: string | undefined;
  /** Goes on with settings of the server that can lose what was committed. */
  acceptDataLoss?: boolean | undefined;
}

export const DEFAULT_SCHEMA = "twinwrap";

/** Whether a text is meant to be the URL of a store in PostgreSQL. */
export function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:/i.test(text);
}

/** What may stand behind the question mark: where the server is, and how it is known. */
const PARAMETERS = ["host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "password"];

/** @throws TwinwrapError BAD_ARGUMENT. Messages never show the URL: a password may be in it. */
function parsed(url: string): URL {
  const parts = isPostgresUrl(url) && URL.canParse(url) ? new URL(url) : undefined;
  if (parts === undefined || (parts.host === "" && !parts.searchParams.has("host"))) {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      "the URL of a store is like postgres://user@host:5432/database",
    );
  }
  for (const name of parts.searchParams.keys()) {
    if (PARAMETERS.includes(name)) continue;
    throw new TwinwrapError("BAD_ARGUMENT", `the URL of a store has no parameter "${name}"`);
  }
  return parts;
}

/** The URL without its password. @throws TwinwrapError BAD_ARGUMENT */
export function withoutPassword(url: string): string {
  const parts = parsed(url);
  parts.password = "";
  parts.searchParams.delete("password");
  return parts.href;
}

/** Whether a URL has a password in it. @throws TwinwrapError BAD_ARGUMENT */
export function hasPassword(url: string): boolean {
  const { password, searchParams } = parsed(url);
  return password !== "" || searchParams.has("password");
}

/** @throws TwinwrapError BAD_ARGUMENT */
export function checkSchema(schema: string): string {
  if (/^[a-z_][a-z0-9_]{0,62}$/.test(schema) && !schema.startsWith("pg_")) return schema;
  throw new TwinwrapError(
    "BAD_ARGUMENT",
    "the name of a schema has lower-case letters, digits and _, 63 at most, and begins with a letter",
  );
}

/**
 * The URL to connect with.
 * @param given a URL that may have the password, like that in $TWINWRAP_STORE
 * @throws TwinwrapError BAD_ARGUMENT, UNAVAILABLE
 */
export function withPassword(place: PostgresPlace, given: string | undefined): string {
  const parts = parsed(place.url);
  if (place.passwordFile !== undefined) {
    parts.password = encodeURIComponent(readPassword(place.passwordFile));
    return parts.href;
  }
  if (given !== undefined && isPostgresUrl(given) && withoutPassword(given) === place.url) {
    return parsed(given).href;
  }
  return parts.href;
}

function readPassword(path: string): string {
  try {
    return readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    throw named(error, path);
  }
}

/** The place for messages: nobody's password, no options. */
export function nameOf({ url, schema }: PostgresPlace): string {
  const { host, pathname } = parsed(url);
  return `PostgreSQL ${host}${pathname} (schema ${schema})`;
}
