import { equalBytes, toHex, wipe } from "../bytes.js";
import { partyOf } from "../client/party.js";
import { type Core, sharedCore } from "../core/index.js";
import type { Connection } from "../escrow/connection.js";
import { type Authority, decodeMessage, verifyAuthority } from "../escrow/index.js";
import {
  identifyKey,
  publicKeyOf,
  readPrivateKey,
  readPublicKey,
  wipePrivateKey,
} from "../keys/index.js";
import { changed } from "./changes.js";
import { addKey, authorities } from "./keyring.js";
import { reach } from "./link.js";
import { readMessageBytes } from "./messages.js";
import { askPassphrase } from "./passphrase.js";
import { type Link, type TabAuthority, unlink } from "./tab-authority.js";
import { TEXTS } from "./texts.js";
import { awayText, PageError } from "./words.js";

// How keys and authorities get into the tab. Loaded with the first of them.

/**
 * Reads a file with a key or an authority, and finds out which it is.
 * @returns what is to be said of it, besides that it is in the list now
 */
export async function addFile(file: File): Promise<string | undefined> {
  const { name } = file;
  const bytes = await readMessageBytes(file);
  try {
    if (looksLikeMessage(bytes)) return await addAuthority(name, bytes);
    if (identifyKey(bytes).kind === "public") {
      await addKey(name, readPublicKey(bytes));
      return undefined;
    }
    const privateKey = await askPassphrase(name, (passphrase) =>
      readPrivateKey(bytes, { passphrase, allowEmptyPassphrase: true }),
    );
    try {
      await addKey(name, publicKeyOf(privateKey), privateKey);
    } catch (error) {
      wipePrivateKey(privateKey);
      throw error;
    }
    return undefined;
  } finally {
    wipe(bytes);
  }
}

/** A JWK is JSON too, but does not say that it is Twinwrap's. */
function looksLikeMessage(bytes: Uint8Array): boolean {
  const text = new TextDecoder().decode(bytes);
  return text.trimStart().startsWith("{") && text.includes('"twinwrap/');
}

async function addAuthority(name: string, bytes: Uint8Array): Promise<string> {
  const core = await sharedCore();
  const message = decodeMessage(core, bytes);
  if (message.kind === "connection") return addConnection(core, name, message.connection);
  if (message.kind !== "authority") {
    throw new PageError(TEXTS.keys.elsewhere(TEXTS.kinds[message.kind]));
  }
  const authority = await verifyAuthority(core, message.authority);
  const other = present(authority);
  if (other === undefined) authorities.push({ ...partyOf(core, authority), link: undefined });
  // What a service says of itself is newer.
  else if (other.link !== undefined) return TEXTS.keys.authorityHere(authority.origin);
  else other.authority = authority;
  changed();
  return addedText(authority);
}

/** The authority of this name that is here already. @throws PageError if it is another one */
function present({ origin, fingerprint }: Authority): TabAuthority | undefined {
  const other = authorities.find(({ authority }) => authority.origin === origin);
  if (other === undefined || equalBytes(other.authority.fingerprint, fingerprint)) return other;
  throw new PageError(TEXTS.keys.authorityOther(origin));
}

function addedText({ origin, fingerprint }: Authority): string {
  return TEXTS.keys.authorityAdded(origin, toHex(fingerprint));
}

/** An authority whose service is asked from now on. If it is away, it is asked again when it is needed. */
export async function addConnection(
  core: Core,
  name: string,
  connection: Connection,
): Promise<string> {
  const link: Link = { name, connection, isNewer: false, away: undefined };
  try {
    const authority = await verifyAuthority(core, connection.authority);
    const other = present(authority);
    const one = { ...partyOf(core, longer(authority, other?.authority)), link };
    await reach(one);
    unlink(other?.link);
    // Whoever is at work with the one that is here goes on by the new connection.
    if (other !== undefined && authorities.includes(other)) Object.assign(other, one);
    else authorities.push(one);
    changed();
    return [
      addedText(one.authority),
      ...(link.away === undefined ? [] : [awayText(one.authority, link.away)]),
      ...(link.isNewer ? [TEXTS.words.newer] : []),
    ].join(". ");
  } catch (error) {
    unlink(link);
    throw error;
  }
}

/** Of two states of one authority the one with more notes. */
function longer(one: Authority, other: Authority | undefined): Authority {
  const notes = ({ identities, policies }: Authority) => identities.length + policies.length;
  return other !== undefined && notes(other) > notes(one) ? other : one;
}
