import { equalBytes, toHex, wipe } from "../bytes.js";
import { type Party, partyOf } from "../client/party.js";
import { sharedCore } from "../core/index.js";
import { article, decodeMessage, verifyAuthority } from "../escrow/index.js";
import {
  fingerprint,
  identifyKey,
  publicKeyOf,
  type RsaPrivateKey,
  type RsaPublicKey,
  readPrivateKey,
  readPublicKey,
  wipePrivateKey,
} from "../keys/index.js";
import { askPassphrase } from "./passphrase.js";
import { PageError } from "./words.js";

// The keys and authorities that the page knows while its tab is open. Nothing of them is stored.

export interface TabKey {
  /** The name of the file that it came from. */
  name: string;
  publicKey: RsaPublicKey;
  /** Wiped when the key is removed. */
  privateKey: RsaPrivateKey | undefined;
  /** 32 bytes. */
  fingerprint: Uint8Array;
}

export const keys: TabKey[] = [];
/** Authorities. Messages are carried to them. */
export const authorities: Party[] = [];

const listeners: (() => void)[] = [];

/** Calls back now, and whenever keys or authorities change. */
export function onChange(listener: () => void): void {
  listeners.push(listener);
  listener();
}

function changed(): void {
  for (const listener of listeners) listener();
}

/** The private keys that are here. */
export function privateKeys(): RsaPrivateKey[] {
  return keys.flatMap(({ privateKey }) => privateKey ?? []);
}

export function keyFor(print: Uint8Array): TabKey | undefined {
  return keys.find((key) => equalBytes(key.fingerprint, print));
}

/** Adds a key. A private half joins its public half. */
export async function addKey(
  name: string,
  publicKey: RsaPublicKey,
  privateKey?: RsaPrivateKey,
): Promise<TabKey> {
  const print = await fingerprint(publicKey);
  const present = keyFor(print);
  if (present === undefined) {
    const key = { name, publicKey, privateKey, fingerprint: print };
    keys.push(key);
    changed();
    return key;
  }
  if (privateKey !== undefined) {
    if (present.privateKey === undefined) {
      present.privateKey = privateKey;
      present.name = name;
    } else wipePrivateKey(privateKey);
    changed();
  }
  return present;
}

export function removeKey(key: TabKey): void {
  wipePrivateKey(key.privateKey);
  keys.splice(keys.indexOf(key), 1);
  changed();
}

export function removeAuthority(one: Party): void {
  authorities.splice(authorities.indexOf(one), 1);
  changed();
}

/** Reads a file with a key or an authority, and finds out which it is. */
export async function addFile(name: string, bytes: Uint8Array): Promise<string> {
  try {
    if (looksLikeMessage(bytes)) return await addAuthority(bytes);
    if (identifyKey(bytes).kind === "public") {
      await addKey(name, readPublicKey(bytes));
      return "public key added";
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
    return "private key added";
  } finally {
    wipe(bytes);
  }
}

/** A JWK is JSON too, but does not say that it is Twinwrap's. */
function looksLikeMessage(bytes: Uint8Array): boolean {
  const text = new TextDecoder().decode(bytes);
  return text.trimStart().startsWith("{") && text.includes('"twinwrap/');
}

async function addAuthority(bytes: Uint8Array): Promise<string> {
  const core = await sharedCore();
  const message = decodeMessage(core, bytes);
  if (message.kind !== "authority") {
    throw new PageError(`This is ${article(message.kind)}: it goes elsewhere in this page.`);
  }
  const authority = await verifyAuthority(core, message.authority);
  const { origin } = authority;
  const other = authorities.find((one) => one.authority.origin === origin);
  if (other === undefined) {
    authorities.push(partyOf(core, authority));
  } else if (equalBytes(other.authority.fingerprint, authority.fingerprint)) {
    other.authority = authority;
  } else {
    throw new PageError(
      `Another authority that calls itself ${origin} is here already: one of them is not the one you mean. Compare their fingerprints.`,
    );
  }
  changed();
  return `authority ${origin} added; compare its fingerprint with what you were told: ${toHex(authority.fingerprint)}`;
}
