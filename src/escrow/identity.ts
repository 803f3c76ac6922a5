import { equalBytes, toBase64, toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { PADDINGS, type Padding } from "../envelope/header.js";
import { notVerified, readBack, TwinwrapError } from "../errors.js";
import { decodeJcs, encodeJcs, type Json, Members } from "../jcs.js";
import type { RsaPublicKey } from "../keys/index.js";
import { labelledHash } from "./hashes.js";
import { formatLines, Lines } from "./lines.js";
import { checkOrigin } from "./names.js";
import { MAX_NOTE, parseNote, type VerifierKey } from "./note.js";
import {
  checkShares,
  officerKey,
  type Policy,
  parseEd25519,
  signersOf,
  verifyPolicyChain,
} from "./policy.js";
import { encodeSpki, formatSpki, parseSpkiText } from "./spki.js";

// An identity says which keys are an authority's. It is a note; every change is another note, signed by the
// keys and officers before it. Anybody who knows the hash of the first can verify all that follow.

const KIND = "twinwrap/authority/v1";
const MAX_KEYS = 64;
/** Identities, and policies, in one authority.json at most. */
const MAX_NOTES = 256;
/** Bytes of an authority.json at most. */
export const MAX_AUTHORITY = 32 << 20;
/** Values in its JSON: two lists of notes and a type, with some to spare for a better error. */
const MAX_VALUES = 4 * MAX_NOTES;

export interface IdentityText {
  /** The authority's name; stays the same. */
  origin: string;
  /** 1, 2, … */
  number: number;
  /** Hash of the identity before, 32 bytes; none for number 1. */
  previous: Uint8Array | undefined;
  /** Log keys, each with the origin of the log it signs; the first is in use. */
  logs: VerifierKey[];
  /** RSA keys that session keys were wrapped for; the first is the one to wrap for. */
  wrapKeys: RsaPublicKey[];
  /** What the authority takes. */
  paddings: Padding[];
  /** Hash of the first policy, 32 bytes. */
  policy: Uint8Array;
}

/** An identity and its hash. */
export interface Identity extends IdentityText {
  /** SHA-256("twinwrap/v1/authority\n" ‖ text), 32 bytes. */
  hash: Uint8Array;
}

/** What authority.json holds: notes, oldest first. */
export interface AuthorityFile {
  identities: string[];
  /** The policies whose officers signed the identities after the first; may be missing with one. */
  policies: string[];
}

/** An authority whose notes verified. */
export interface Authority {
  origin: string;
  /** The hash of its first identity, 32 bytes: what people compare, and what never changes. */
  fingerprint: Uint8Array;
  identities: Identity[];
  policies: Policy[];
  /** Whose checkpoints count: the log keys of the newest identity. */
  logKeys: VerifierKey[];
  /** The key to wrap for. */
  wrapKey: RsaPublicKey;
  /** How to pad for it: OAEP. */
  padding: Padding;
  /** Fingerprints (32 bytes) of all keys that were ever wrapped for. */
  wrapFingerprints: Uint8Array[];
}

/** The text to sign. @throws TwinwrapError BAD_FORMAT if it would not be an identity, LIMIT_EXCEEDED */
export function formatIdentity(identity: IdentityText): string {
  const text = formatLines(KIND, [
    ["origin", identity.origin],
    ["number", String(identity.number)],
    ["previous", identity.previous === undefined ? "none" : toHex(identity.previous)],
    ...identity.logs.map(({ name, publicKey }): [string, string] => [
      "log",
      `${name} ${toBase64(publicKey)}`,
    ]),
    ...identity.wrapKeys.map((key): [string, string] => ["wrap", formatSpki(key)]),
    ["padding", identity.paddings.join(" ")],
    ["policy", toHex(identity.policy)],
  ]);
  readBack(() => parseIdentityText(text), "BAD_FORMAT");
  return text;
}

function parseIdentityText(text: string): IdentityText {
  const lines = new Lines(text, KIND);
  const identity: IdentityText = {
    origin: lines.value("origin", checkOrigin),
    number: lines.number("number", 1),
    previous: lines.hashOrNone("previous"),
    logs: lines.values("log", 1, MAX_KEYS, parseLog),
    wrapKeys: lines.values("wrap", 1, MAX_KEYS, parseSpkiText),
    paddings: lines.oneOf("padding", ["oaep", PADDINGS.join(" ")]).split(" ") as Padding[],
    policy: lines.hash("policy"),
  };
  lines.end();
  if ((identity.number === 1) !== (identity.previous === undefined)) {
    throw lines.bad("only number 1 has no identity before it");
  }
  if (identity.number === 1 && identity.logs[0]!.name !== identity.origin) {
    throw lines.bad("the first log key does not sign under the origin");
  }
  const isOnce = (keys: string[]) => new Set(keys).size === keys.length;
  if (
    !isOnce(identity.logs.map(({ publicKey }) => toHex(publicKey))) ||
    !isOnce(identity.wrapKeys.map(formatSpki))
  ) {
    throw lines.bad("a key is there twice");
  }
  return identity;
}

function parseLog(value: string, where: string): VerifierKey {
  const space = value.indexOf(" ");
  return {
    name: checkOrigin(value.slice(0, Math.max(0, space)), where),
    publicKey: parseEd25519(value.slice(space + 1), where),
  };
}

/** The identity in a note. Nothing is verified. @throws TwinwrapError BAD_FORMAT */
export function parseIdentity(core: Core, note: string): Identity {
  const { text } = parseNote(note);
  return { ...parseIdentityText(text), hash: identityHash(core, text) };
}

/** The hash of an identity's text (signatures don't change it), 32 bytes. */
export function identityHash(core: Core, text: string): Uint8Array<ArrayBuffer> {
  return labelledHash(core, "twinwrap/v1/authority", toUtf8(text));
}

/** @throws TwinwrapError LIMIT_EXCEEDED, BAD_ARGUMENT if the bytes of authority.json could not be read back */
export function encodeAuthority({ identities, policies }: AuthorityFile): Uint8Array<ArrayBuffer> {
  const bytes = encodeJcs({
    identities,
    type: KIND,
    ...(policies.length === 0 ? {} : { policies }),
  });
  readBack(() => decodeAuthority(bytes));
  return bytes;
}

/** @throws TwinwrapError BAD_FORMAT */
export function decodeAuthority(bytes: Uint8Array): AuthorityFile {
  const members = new Members(decodeJcs(bytes, MAX_AUTHORITY, MAX_VALUES), "authority");
  members.exactly("type", KIND);
  const note = (item: Json, where: string) =>
    new Members({ note: item }, where).text("note", MAX_NOTE);
  const notes = (name: string) => {
    const list = members.list(name, MAX_NOTES, note);
    if (list.length === 0) throw new TwinwrapError("BAD_FORMAT", `authority: no ${name}`);
    return list;
  };
  const file: AuthorityFile = {
    identities: notes("identities"),
    policies: members.has("policies") ? notes("policies") : [],
  };
  members.end();
  return file;
}

/**
 * Verifies an authority's notes from the first identity on. Its own log key signs the first. The log key in
 * use before signs a later one, with as many officers of a policy as the policy asks for a change.
 * @param pinned the hash of the first identity, if it is known; 32 bytes
 * @throws TwinwrapError BAD_FORMAT; NOT_VERIFIED if it is another authority's, a note does not follow
 *   the one before, or signatures are missing or wrong
 */
export async function verifyAuthority(
  core: Core,
  file: AuthorityFile,
  options: { pinned?: Uint8Array | undefined } = {},
): Promise<Authority> {
  const identities = file.identities.map((note) => parseIdentity(core, note));
  const first = identities[0];
  if (first === undefined) throw notVerified("the authority has no identity");
  if (options.pinned !== undefined && !equalBytes(first.hash, options.pinned)) {
    throw notVerified("this is another authority than the one that was given before");
  }
  const { origin } = first;
  const policies = await verifyPolicyChain(core, file.policies, {
    origin,
    logKeys: identities.flatMap(({ logs }) => logs),
  });
  if (policies[0] !== undefined && !equalBytes(policies[0].hash, first.policy)) {
    throw notVerified("the first policy is not the one that the identity names");
  }
  for (const policy of policies)
    checkShares(
      policy,
      identities.flatMap(({ wrapKeys }) => wrapKeys),
    );
  let at = 0;
  for (const [index, identity] of identities.entries()) {
    const before = identities[index - 1];
    if (!followsIdentity(identity, before)) {
      throw notVerified(`identity ${index + 1} does not follow the one before it`);
    }
    const note = file.identities[index]!;
    const log = await signersOf(core, note, [(before ?? identity).logs[0]!]);
    if (log.length === 0) throw notVerified(`identity ${index + 1} lacks the log key's signature`);
    if (before === undefined) continue;
    // Replaced officers have no say any more: policies only go forward.
    while (at < policies.length && !(await hasQuorum(core, note, policies[at]!))) at++;
    if (at === policies.length)
      throw notVerified(`identity ${index + 1} lacks officers' signatures`);
  }
  const newest = identities.at(-1)!;
  return {
    origin,
    fingerprint: first.hash,
    identities,
    policies,
    logKeys: newest.logs,
    wrapKey: newest.wrapKeys[0]!,
    padding: newest.paddings[0]!,
    wrapFingerprints: identities
      .flatMap(({ wrapKeys }) => wrapKeys)
      .map((key) => core.sha256(encodeSpki(key))),
  };
}

/** Of the keys that were ever wrapped for, the one with this fingerprint (32 bytes). */
export function wrapKeyOf(
  { identities, wrapFingerprints }: Authority,
  fingerprint: Uint8Array,
): RsaPublicKey | undefined {
  const at = wrapFingerprints.findIndex((known) => equalBytes(known, fingerprint));
  return identities.flatMap(({ wrapKeys }) => wrapKeys)[at];
}

function followsIdentity(identity: Identity, before: Identity | undefined): boolean {
  if (before === undefined) return identity.number === 1;
  return (
    identity.number === before.number + 1 &&
    identity.origin === before.origin &&
    equalBytes(identity.previous!, before.hash) &&
    equalBytes(identity.policy, before.policy)
  );
}

async function hasQuorum(core: Core, note: string, policy: Policy): Promise<boolean> {
  const signers = await signersOf(core, note, policy.officers.map(officerKey));
  return signers.length >= policy.change;
}
