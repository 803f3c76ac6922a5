import { toBase64Url, wipe } from "../bytes.js";
import { readBack, TwinwrapError } from "../errors.js";
import { decodeJcs, encodeJcs, Members } from "../jcs.js";
import { type AuthorityFile, authorityNotes, MAX_AUTHORITY } from "./identity.js";
import { checkName } from "./names.js";

// How somebody reaches an authority's service: where it is, what it was when it was seen last, and what lets them in.

const TYPE = "twinwrap/connection/v1";
/** Bytes of a connection file at most. */
export const MAX_CONNECTION = MAX_AUTHORITY + 8192;
const MAX_URL = 2048;
const MAX_TOKEN = 128;

/** Whether a text can be a token: it goes into a header. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && text.length <= MAX_TOKEN;
}

/** A connection file. Whoever has it can call in its holder's name, so it is secret. */
export interface Connection {
  /** Where the service is. */
  url: string;
  /** The authority's notes, as they were seen last. */
  authority: AuthorityFile;
  /** What lets its holder in; undefined if they only see what everybody sees. */
  token: string | undefined;
  /** The holder's ID, and the secret that tells which leaves of the log are about them (32 bytes). */
  owner: { id: string; secret: Uint8Array } | undefined;
}

/**
 * The bytes of a connection file; the caller wipes them.
 * @throws TwinwrapError BAD_ARGUMENT, LIMIT_EXCEEDED if they could not be read back
 */
export function encodeConnection(connection: Connection): Uint8Array<ArrayBuffer> {
  const { url, authority, token, owner } = connection;
  const { identities, policies } = authority;
  const bytes = encodeJcs({
    connect: url,
    identities,
    type: TYPE,
    ...(policies.length === 0 ? {} : { policies }),
    ...(token === undefined ? {} : { token }),
    ...(owner === undefined ? {} : { owner: owner.id, secret: toBase64Url(owner.secret) }),
  });
  readBack(() => wipe(decodeConnection(bytes).owner?.secret));
  return bytes;
}

/** The secret in it is the caller's to wipe. @throws TwinwrapError BAD_FORMAT, LIMIT_EXCEEDED */
export function decodeConnection(bytes: Uint8Array): Connection {
  const members = new Members(decodeJcs(bytes, MAX_CONNECTION), "connection");
  members.exactly("type", TYPE);
  const url = members.text("connect", MAX_URL);
  const token = members.has("token") ? members.text("token", MAX_TOKEN) : undefined;
  if (token !== undefined && !isToken(token)) {
    throw new TwinwrapError("BAD_FORMAT", "connection: its token is none");
  }
  const authority = authorityNotes(members);
  const owner =
    members.has("owner") || members.has("secret")
      ? {
          id: checkName(members.text("owner", 255), "the owner ID"),
          secret: members.bytes("secret", 32),
        }
      : undefined;
  members.end();
  return { url, authority, token, owner };
}
