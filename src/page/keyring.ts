import { equalBytes } from "../bytes.js";
import {
  fingerprint,
  type RsaPrivateKey,
  type RsaPublicKey,
  wipePrivateKey,
} from "../keys/index.js";
import { changed } from "./changes.js";
import { type TabAuthority, unlink } from "./tab-authority.js";

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
/** Authorities, and how each is reached. */
export const authorities: TabAuthority[] = [];

/** The private keys that are here. */
export function privateKeys(): RsaPrivateKey[] {
  return keys.flatMap(({ privateKey }) => privateKey ?? []);
}

/** Whether a key is whoever's who works here. */
export const isOwn = ({ privateKey }: TabKey) => privateKey !== undefined;

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

export function removeAuthority(one: TabAuthority): void {
  unlink(one.link);
  // Whatever is still at work with it has its token no more.
  one.client = undefined;
  authorities.splice(authorities.indexOf(one), 1);
  changed();
}
