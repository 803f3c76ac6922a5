import { equalBytes, randomBytes, toBase64Url, toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { readBack, TwinwrapError } from "../errors.js";
import { checkName } from "../escrow/names.js";
import { wholeSeconds } from "./log.js";
import { SCOPES, type Scope } from "./scopes.js";
import type { Store, StoreReads, TokenRow } from "./store/store.js";

// Tokens keep strangers and floods out of an authority's service. What is decided stands on signatures alone.

/** How a token begins, so that a search for lost secrets finds it. */
const PREFIX = "twinwrap_";
const SECRET = 32;
const FORM = /^twinwrap_[A-Za-z0-9_-]{43}$/;
/** Characters of a token's ID. */
const ID = 16;

/** What is known of a token; the token itself is not kept. */
export interface Token extends TokenRow {
  /** Names it in lists: the first 64 bits of its hash, in hexadecimal digits. */
  id: string;
}

const withId = (row: TokenRow): Token => ({ ...row, id: toHex(row.hash).slice(0, ID) });

export interface NewToken {
  /** At least one. */
  scopes: readonly Scope[];
  /** The owner ID that it is bound to. */
  owner?: string | undefined;
  expires?: Date | undefined;
}

/**
 * Makes a token.
 * @returns the token, which is shown this once, and what is kept of it
 * @throws TwinwrapError BAD_ARGUMENT without a scope, or for an owner ID that none can be
 */
export async function addToken(
  core: Core,
  store: Store,
  { scopes, owner, expires }: NewToken,
): Promise<{ text: string; token: Token }> {
  const each = SCOPES.filter((scope) => scopes.includes(scope));
  if (each.length === 0 || each.length !== new Set(scopes).size) {
    throw new TwinwrapError("BAD_ARGUMENT", `a token's scopes are ${SCOPES.join(", ")}`);
  }
  if (owner !== undefined) readBack(() => checkName(owner, "the owner ID"));
  const text = `${PREFIX}${toBase64Url(randomBytes(SECRET))}`;
  const row: TokenRow = {
    hash: core.sha256(toUtf8(text)),
    scopes: each,
    owner,
    created: wholeSeconds(new Date()),
    expires: expires && wholeSeconds(expires),
    revoked: undefined,
  };
  await store.write((writes) => writes.insertToken(row));
  return { text, token: withId(row) };
}

/** All tokens, the oldest one first. */
export async function tokensOf(reads: StoreReads): Promise<Token[]> {
  return (await reads.tokens()).map(withId);
}

/**
 * Revokes a token, at once and for good.
 * @param id of it, or its beginning
 * @throws TwinwrapError NOT_FOUND unless there is just one
 */
export async function revokeToken(store: Store, id: string): Promise<Token> {
  const found = (await tokensOf(store)).filter((token) => token.id.startsWith(id.toLowerCase()));
  const [token, ...more] = found;
  if (id === "" || token === undefined || more.length > 0) {
    const why =
      more.length > 0 ? "several tokens have an ID that begins so" : "no token has this ID";
    throw new TwinwrapError("NOT_FOUND", why);
  }
  await store.write((writes) => writes.revokeToken(token.hash, new Date()));
  return withId((await store.token(token.hash))!);
}

/** What a token lets its bearer do; undefined if it is none, has expired or was revoked. */
export async function tokenOf(
  core: Core,
  reads: StoreReads,
  text: string,
  now = new Date(),
): Promise<Token | undefined> {
  // Its hash is looked up: how long that takes says nothing about any token.
  if (!FORM.test(text)) return undefined;
  const hash = core.sha256(toUtf8(text));
  const row = await reads.token(hash);
  if (row === undefined || !equalBytes(row.hash, hash)) return undefined;
  if (row.revoked !== undefined || (row.expires !== undefined && row.expires <= now)) {
    return undefined;
  }
  return withId(row);
}
