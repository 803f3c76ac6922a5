import { X509Certificate } from "node:crypto";
import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { toHex, wipe } from "../bytes.js";
import { present } from "../calls.node.js";
import { TwinwrapError } from "../errors.js";
import {
  checkPublicKey,
  fingerprint,
  identifyKey,
  type ReadPublicKeyOptions,
  type RsaPrivateKey,
  type RsaPublicKey,
  readPrivateKey,
  readPublicKey,
  wipePrivateKey,
} from "../keys/index.js";
import { UsageError } from "./command.js";
import { readSmall, STANDARD, warn } from "./io.js";
import { publicPath } from "./key-names.js";
import { isSealed } from "./messages.js";
import { type PassphraseOptions, unlockingOf } from "./passphrase.js";
import { about } from "./report.js";

// Keys as people name them: by a file, by the name of a key in their own folder, or by the first digits of its
// fingerprint.

/** Names the key that is used where none is given. */
export const KEY_VARIABLE = "TWINWRAP_KEY";

const PUBLIC = ".pub.pem";
/** First digits of a fingerprint that stand for the whole: fewer could be a word. */
const PREFIX = /^[0-9a-f]{8,64}$/i;

/** Whether a text may be the beginning of a fingerprint. */
export function isPrefix(text: string): boolean {
  return PREFIX.test(text);
}

/** The folder of somebody's own keys. */
export function keyFolder(): string {
  const { XDG_CONFIG_HOME: config } = process.env;
  return join(config ? config : join(homedir(), ".config"), "twinwrap");
}

type Half = "private" | "public";

/** The public keys in somebody's folder: NAME for NAME.pub.pem. */
function keyNames(): string[] {
  try {
    return readdirSync(keyFolder())
      .filter((name) => name.endsWith(PUBLIC) && name.length > PUBLIC.length)
      .map((name) => name.slice(0, -PUBLIC.length))
      .sort();
  } catch {
    return []; // there is no such folder
  }
}

function pathOf(name: string, half: Half): string {
  return join(keyFolder(), half === "public" ? `${name}${PUBLIC}` : `${name}.pem`);
}

/**
 * The file of a key that is named by a file, a name or the first digits of a fingerprint.
 * @throws UsageError if that means two things: a file must not take the place of a key by its name
 */
export async function keyPath(named: string, half: Half): Promise<string> {
  if (named === STANDARD || /[\\/]/.test(named)) return named;
  const isFile = present(named) !== undefined;
  const found = keyNames().includes(named) ? [named] : await keysWithPrefix(named);
  const paths = found.map((name) => pathOf(name, half)).filter((path) => present(path));
  if (paths.length > 1) {
    throw new UsageError(`${named} may be any of ${paths.join(", ")}: give more digits`);
  }
  const [path] = paths;
  if (path === undefined) return named;
  if (!isFile) return path;
  throw new UsageError(
    `${named} is a file here, and a key of yours (${path}): write ./${named} for the file`,
  );
}

async function keysWithPrefix(digits: string): Promise<string[]> {
  if (!isPrefix(digits)) return [];
  const found: string[] = [];
  for (const name of keyNames()) {
    const key = await ownPublicKey(name);
    if (key !== undefined && toHex(await fingerprint(key)).startsWith(digits.toLowerCase()))
      found.push(name);
  }
  return found;
}

/** A public key in somebody's folder; undefined if it is none that can be used: other keys may lie there too. */
async function ownPublicKey(name: string): Promise<RsaPublicKey | undefined> {
  try {
    return readPublicKey(await readSmall(pathOf(name, "public")));
  } catch (error) {
    if (error instanceof TwinwrapError) return undefined;
    throw error;
  }
}

/** The private keys that are tried where none is given: that of the variable, or all in somebody's folder. @throws UsageError */
export async function defaultKeys(): Promise<string[]> {
  const named = process.env[KEY_VARIABLE];
  if (named) return [await keyPath(named, "private")];
  const paths: string[] = [];
  for (const name of keyNames()) {
    const path = pathOf(name, "private");
    if (present(path) && (await ownPublicKey(name)) !== undefined) paths.push(path);
  }
  if (paths.length > 0) return paths;
  throw new UsageError(
    `which key? Give -k FILE, or set ${KEY_VARIABLE}, or keep one in ${keyFolder()}`,
  );
}

/** The public key that files are sealed for where none is given: the one that belongs to the only default key. */
export async function defaultRecipient(): Promise<string | undefined> {
  const named = process.env[KEY_VARIABLE];
  if (!named) {
    const [name, ...others] = keyNames().filter((one) => present(pathOf(one, "private")));
    return name === undefined || others.length > 0 ? undefined : pathOf(name, "public");
  }
  const path = await keyPath(named, "private");
  const beside = publicPath(path);
  return present(beside) ? beside : path;
}

/** The bytes of a key's file. */
async function readKeyBytes(path: string): Promise<Uint8Array> {
  try {
    return await readSmall(path);
  } catch (error) {
    const isLong = error instanceof TwinwrapError && error.code === "LIMIT_EXCEEDED";
    if (isLong && (await isSealed(path))) {
      throw new TwinwrapError("BAD_FORMAT", "this is a sealed file, and no key");
    }
    throw error;
  }
}

/** A public key, or the public half of an unlocked private one, in any form. */
export async function readPublicKeyFile(named: string): Promise<RsaPublicKey> {
  const path = await keyPath(named, "public");
  return about(path, async () => readPublicKey(await readKeyBytes(path)));
}

/** The dates of the certificate that a key's file counts by; undefined if it is no certificate. */
function datesOf(bytes: Uint8Array): { from: Date; to: Date } | undefined {
  if (identifyKey(bytes).structure !== "Certificate") return undefined;
  try {
    const { validFrom, validTo } = new X509Certificate(bytes);
    return { from: new Date(validFrom), to: new Date(validTo) };
  } catch {
    return undefined; // a spelling that only our reader knows
  }
}

/**
 * Reads a public key for a new wrap. Warns of a certificate that is out of date: its key is used all the same, because
 * whoever named it may know that it is still the right one.
 * @param where the key's file, as warnings name it
 */
export function readRecipientKey(where: string, bytes: Uint8Array): RsaPublicKey {
  const key = readPublicKey(bytes);
  const dates = datesOf(bytes);
  const day = (date: Date) => date.toISOString().slice(0, 10);
  const now = new Date();
  if (dates !== undefined && dates.to < now) {
    warn(`${where}: this certificate expired on ${day(dates.to)}; its owner may have another key`);
  } else if (dates !== undefined && dates.from > now) {
    warn(`${where}: this certificate is not valid before ${day(dates.from)}`);
  }
  return key;
}

/** A public key for a new wrap. @throws TwinwrapError BAD_KEY, WEAK_KEY */
export async function readRecipientFile(named: string, allowWeak: boolean): Promise<RsaPublicKey> {
  const path = await keyPath(named, "public");
  return about(path, async () => {
    const key = readRecipientKey(path, await readKeyBytes(path));
    checkPublicKey(key, { forWrap: true, allowWeak });
    return key;
  });
}

const OTHERS = 0o004;
const warned = new Set<string>();

/** Warns once of a private key that everybody on the machine can read. */
export function warnOfOthers(path: string): void {
  if (process.platform === "win32" || path === STANDARD || warned.has(path)) return;
  warned.add(path);
  const stats = present(path);
  if (!stats?.isFile() || (stats.mode & OTHERS) === 0) return;
  warn(`${path} is a private key that others can read: chmod 600 ${path}`);
}

/** Reads a private key in any form and unlocks it if it is locked. The caller wipes it. */
export function readPrivateKeyFile(
  path: string,
  options: PassphraseOptions & ReadPublicKeyOptions,
): Promise<RsaPrivateKey> {
  return about(path, async () => {
    const bytes = await readKeyBytes(path);
    try {
      const { allowExponentOne } = options;
      const unlocking = { ...unlockingOf(path, options), allowExponentOne };
      const key = await readPrivateKey(bytes, unlocking);
      warnOfOthers(path);
      return key;
    } finally {
      wipe(bytes);
    }
  });
}

/** Reads a private key in any form, unlocks it if it is locked, works with it and wipes it. */
export async function withPrivateKeyFile<T>(
  named: string,
  options: PassphraseOptions & ReadPublicKeyOptions,
  work: (key: RsaPrivateKey) => Promise<T>,
): Promise<T> {
  const key = await readPrivateKeyFile(await keyPath(named, "private"), options);
  try {
    return await work(key);
  } finally {
    wipePrivateKey(key);
  }
}
