import { dirname, join } from "node:path";
import { type Command, Option } from "commander";
import { fromHex, toHex, toUtf8 } from "../bytes.js";
import { present } from "../calls.node.js";
import type { Header } from "../envelope/index.js";
import { fingerprint, type RsaPublicKey } from "../keys/index.js";
import { collect, UsageError } from "./command.js";
import { readSmall } from "./io.js";
import {
  defaultRecipient,
  isPrefix,
  KEY_VARIABLE,
  keyPath,
  readPublicKeyFile,
  readRecipientFile,
  readRecipientKey,
} from "./key-files.js";
import { about } from "./report.js";

// For whom something is wrapped: keys one by one, and lists of them.

/** Bytes of a list: some thousand names, or some hundred certificates. */
const MAX_LIST = 1 << 20;
const PEM = /-----BEGIN [^-]{1,64}-----[\s\S]*?-----END [^-]{1,64}-----/g;

export interface RecipientOptions {
  to?: string[];
  /** Of --owner, the older word. */
  owner?: string[];
  recipients?: string[];
}

/** @param description of a key */
export function addRecipientOptions(command: Command, description: string): Command {
  return command
    .option("--to <key>", `${description} (repeat for more)`, collect)
    .addOption(new Option("--owner <key>").argParser(collect).hideHelp())
    .option(
      "-R, --recipients <file>",
      "a list of such keys: one file's name a line, or keys and certificates in PEM (repeat)",
      collect,
    );
}

/** Keys that were read, each once, and what they were read from. */
export interface Recipients {
  keys: RsaPublicKey[];
  files: string[];
}

/** Reads the keys that the options name. @param read reads one key @throws UsageError if there is none */
export async function recipientsOf(
  { to = [], owner = [], recipients = [] }: RecipientOptions,
  read: (named: string) => Promise<RsaPublicKey>,
): Promise<Recipients> {
  const named = [...to, ...owner];
  const keys: RsaPublicKey[] = [];
  for (const one of named) keys.push(await read(one));
  for (const list of recipients) keys.push(...(await readList(list, read)));
  if (named.length + recipients.length === 0) {
    const own = await defaultRecipient();
    if (own === undefined) {
      throw new UsageError(
        `for whom? Give --to KEY or -R FILE, or set ${KEY_VARIABLE} to seal for yourself`,
      );
    }
    named.push(own);
    keys.push(await read(own));
  }
  return { keys: await once(keys), files: [...named, ...recipients] };
}

/** Each key once: two names may lead to one key. */
async function once(keys: readonly RsaPublicKey[]): Promise<RsaPublicKey[]> {
  const found = new Map<string, RsaPublicKey>();
  for (const key of keys) {
    const name = toHex(await fingerprint(key));
    if (!found.has(name)) found.set(name, key);
  }
  return [...found.values()];
}

/** The keys in a list. Names in it are looked for beside it. */
async function readList(
  path: string,
  read: (named: string) => Promise<RsaPublicKey>,
): Promise<RsaPublicKey[]> {
  const text = new TextDecoder().decode(await readSmall(path, MAX_LIST));
  const blocks = text.match(PEM);
  const keys: RsaPublicKey[] = [];
  if (blocks !== null) {
    for (const [i, block] of blocks.entries()) {
      const where = `${path}, key ${i + 1}`;
      keys.push(await about(where, async () => readRecipientKey(where, toUtf8(block))));
    }
  } else {
    const names = text.split("\n").map((line) => line.replace(/(^|\s)#.*$/, "").trim());
    for (const [i, name] of names.entries()) {
      if (name === "") continue;
      const beside = join(dirname(path), name);
      const found = present(beside) === undefined ? name : beside;
      keys.push(await about(`${path}, line ${i + 1}`, () => read(found)));
    }
  }
  if (keys.length === 0) throw new UsageError(`${path} names no key`);
  return keys;
}

/** Options of commands that take wraps away. */
export interface RemoveOptions {
  remove?: string[];
  /** Of --remove-owner, the older word. */
  removeOwner?: string[];
}

export function addRemoveOptions(command: Command, description: string): Command {
  return command
    .option(
      "--remove <key>",
      `${description}: its file, or first digits of its fingerprint (repeat)`,
      collect,
    )
    .addOption(new Option("--remove-owner <key>").argParser(collect).hideHelp());
}

/** A key whose wrap goes: its fingerprint in hexadecimal, or the first digits of it. */
export interface Removal {
  named: string;
  digits: string;
}

/** A whole fingerprint, or that of a key that is named. @returns 32 bytes @throws UsageError */
export async function fingerprintOf(flag: string, named: string): Promise<Uint8Array> {
  if (/^[0-9a-f]{64}$/i.test(named)) return fromHex(named.toLowerCase());
  if ((await namedKey(named)) !== undefined) return fingerprint(await readPublicKeyFile(named));
  throw new UsageError(
    `${flag} takes a key, or a whole fingerprint, 64 hexadecimal digits; \`twinwrap inspect\` shows them`,
  );
}

/** The file of a key, if there is one. */
async function namedKey(named: string): Promise<string | undefined> {
  const path = await keyPath(named, "public");
  return present(path) === undefined ? undefined : path;
}

/** Reads --remove. @throws UsageError */
export async function removalsOf({
  remove = [],
  removeOwner = [],
}: RemoveOptions): Promise<Removal[]> {
  const removals: Removal[] = [];
  for (const named of [...remove, ...removeOwner]) {
    if ((await namedKey(named)) === undefined) {
      if (!isPrefix(named)) {
        throw new UsageError(
          `--remove ${named}: there is no such key; give its file, or 8 digits of its fingerprint at least`,
        );
      }
      removals.push({ named, digits: named.toLowerCase() });
    } else {
      removals.push({ named, digits: toHex(await fingerprint(await readPublicKeyFile(named))) });
    }
  }
  return removals;
}

/**
 * Which wraps of a header go.
 * @returns their fingerprints, 32 bytes each, and what the header has no wrap for
 * @throws UsageError if some digits fit several wraps
 */
export function removedFrom(
  { wraps }: Pick<Header, "wraps">,
  removals: readonly Removal[],
): { found: Uint8Array[]; missing: Removal[] } {
  const found: Uint8Array[] = [];
  const missing: Removal[] = [];
  for (const removal of removals) {
    const names = wraps.map((wrap) => toHex(wrap.fingerprint));
    const [first, ...others] = new Set(names.filter((name) => name.startsWith(removal.digits)));
    if (others.length > 0) {
      throw new UsageError(`--remove ${removal.named} fits several keys: give more digits`);
    }
    if (first === undefined) missing.push(removal);
    else found.push(fromHex(first));
  }
  return { found, missing };
}

/** Reads one key for a new wrap. @throws TwinwrapError BAD_KEY, WEAK_KEY */
export function readRecipient(allowWeak: boolean): (named: string) => Promise<RsaPublicKey> {
  return (named) => readRecipientFile(named, allowWeak);
}
