import { equalBytes, toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import type { Padding } from "../envelope/header.js";
import { notVerified } from "../errors.js";
import type { RsaPublicKey } from "../keys/index.js";
import {
  type AuthorityFile,
  type Identity,
  keysHash,
  type LogPoint,
  parseIdentity,
} from "./identity.js";
import type { VerifierKey } from "./note.js";
import {
  checkShares,
  officerKey,
  type Policy,
  type PolicyPlace,
  type PolicySignatures,
  parsePolicy,
  policySignatures,
  signersOf,
} from "./policy.js";
import { encodeSpki, formatSpki } from "./spki.js";

// An authority's identities and policies are one chain: each names the note before it, of either kind. The first
// policy names the keys of the first identity, and that identity names the first policy. So whoever knows the hash
// of the first identity can verify all that follow, and no signature counts for another chain.

/** An authority whose notes verified. */
export interface Authority {
  origin: string;
  /** The hash of its first identity, 32 bytes: what people compare, and what never changes. */
  fingerprint: Uint8Array;
  identities: Identity[];
  policies: Policy[];
  /** Whose checkpoints count: the log key in use, then those of logs that ended. */
  logKeys: VerifierKey[];
  /** The key to wrap for. */
  wrapKey: RsaPublicKey;
  /** How to pad for it: OAEP. */
  padding: Padding;
  /** Fingerprints (32 bytes) of all keys that were ever wrapped for. */
  wrapFingerprints: Uint8Array[];
}

/** A chain so far. */
export interface Chain {
  /** Hash of the newest note, 32 bytes. */
  newest: Uint8Array;
  identities: Identity[];
  policies: Policy[];
}

/** Which signatures an identity has that follows another. */
export interface IdentitySignatures {
  /** Whether its own log key signed: somebody has that key. */
  own: boolean;
  /** Whether the log key before signed. */
  log: boolean;
  /** The officers of the newest policy before it who signed, by name. */
  officers: string[];
  /** How many it takes: the emergency number if the log key before has not signed. */
  needed: number;
  complete: boolean;
}

/** The chain that an identity begins. */
function begin(first: Identity): Chain {
  return { newest: first.hash, identities: [first], policies: [] };
}

/**
 * The part of a verified chain that is before one of its policies; all of it for any other hash, as of a draft.
 * @param hash policyHash, 32 bytes
 */
export function chainBefore(
  { identities, policies }: Pick<Authority, "identities" | "policies">,
  hash: Uint8Array,
): Chain {
  let newest = identities[0]!.hash;
  let count = 1;
  const follow = (until?: Uint8Array) => {
    while (count < identities.length && (until === undefined || !equalBytes(until, newest))) {
      newest = identities[count++]!.hash;
    }
  };
  for (const [at, policy] of policies.entries()) {
    if (policy.number > 1) follow(policy.previous);
    if (equalBytes(policy.hash, hash)) {
      return { newest, identities: identities.slice(0, count), policies: policies.slice(0, at) };
    }
    // The first policy stands before the first identity, which names it.
    if (policy.number > 1) newest = policy.hash;
  }
  follow();
  return { newest, identities: [...identities], policies: [...policies] };
}

/** What is before the next policy. */
export function policyPlace(core: Core, { newest, identities, policies }: Chain): PolicyPlace {
  const { log, ended } = identities.at(-1)!;
  const policy = policies.at(-1);
  const previous = policy === undefined ? keysHash(core, identities[0]!) : newest;
  return { previous, policy, log, retired: ended };
}

/** The chain with one more policy. */
export function withPolicy(chain: Chain, policy: Policy): Chain {
  // The first policy stands before the first identity, which names it.
  const newest = policy.number === 1 ? chain.newest : policy.hash;
  return { ...chain, newest, policies: [...chain.policies, policy] };
}

/**
 * Signatures that were counted, by their note: a note is verified once in a process. What is before it is in its
 * hash, but for who signed that.
 */
const counted = new Map<string, PolicySignatures>();
/** More are not kept: all notes of one authority, and some drafts. */
const MAX_COUNTED = 4096;

/**
 * The signatures of a policy that follows a chain, as {@link policySignatures}.
 * @throws TwinwrapError BAD_FORMAT, NOT_VERIFIED
 */
export async function signaturesInChain(
  core: Core,
  note: string,
  chain: Chain,
): Promise<PolicySignatures> {
  const place = policyPlace(core, chain);
  const name = [core.sha256(toUtf8(note)), place.previous, chain.newest].map(toHex).join(" ");
  const known = counted.get(name);
  if (known !== undefined) return copyOf(known);
  const signatures = await policySignatures(core, note, place);
  if (counted.size >= MAX_COUNTED) counted.clear();
  counted.set(name, copyOf(signatures));
  return signatures;
}

/** Callers may change theirs. Chrome 92 has no structuredClone. */
function copyOf(signatures: PolicySignatures): PolicySignatures {
  const { officers, joining, weaker } = signatures;
  return { ...signatures, officers: [...officers], joining: [...joining], weaker: [...weaker] };
}

/**
 * Checks the signatures of an identity that follows a chain. It takes its own log key, the log key before, and as
 * many officers of the newest policy as that asks for a change. Where the log key before is lost, the emergency
 * number of officers stands in for it.
 * @throws TwinwrapError NOT_VERIFIED if it does not follow the chain, or a signature is wrong
 */
export async function identitySignatures(
  core: Core,
  note: string,
  chain: Chain,
): Promise<IdentitySignatures> {
  const identity = parseIdentity(core, note);
  const before = chain.identities.at(-1)!;
  const policy = chain.policies.at(-1);
  if (policy === undefined) throw notVerified("no policy is in force: nobody can sign an identity");
  const what = `identity ${identity.number}`;
  const follows =
    identity.number === before.number + 1 &&
    identity.origin === before.origin &&
    equalBytes(identity.previous, chain.newest);
  if (!follows) throw notVerified(`${what} does not follow what is before it`);
  checkEnded(identity, before, what);
  checkIdentityKeys(identity, policy, what);
  const officers = policy.officers.map(officerKey);
  const signed = await signersOf(core, note, [identity.log, before.log, ...officers]);
  const own = signed.includes(identity.log);
  const log = signed.includes(before.log);
  const names = officers.filter((key) => signed.includes(key)).map(({ name }) => name);
  const needed = log ? policy.change : policy.emergency;
  return { own, log, officers: names, needed, complete: own && names.length >= needed };
}

/**
 * A log goes on, or it ends with its key: what was said of logs that ended stays. Less may be kept of them when
 * another one ends: the store that goes on may be older.
 */
function checkEnded(identity: Identity, before: Identity, what: string): void {
  const isSame = (a: VerifierKey, b: VerifierKey) =>
    a.name === b.name && equalBytes(a.publicKey, b.publicKey);
  const isAt = (a: LogPoint, b: LogPoint) => a.size === b.size && equalBytes(a.root, b.root);
  const goesOn = isSame(identity.log, before.log);
  const stays = before.ended.every((old, i) => {
    const now = identity.ended[i];
    if (now === undefined || !isSame(now, old) || !isAt(now.end, old.end)) return false;
    return isAt(now.kept, old.kept) || (!goesOn && now.kept.size < old.kept.size);
  });
  const [added, ...more] = identity.ended.slice(before.ended.length);
  const isRight =
    stays &&
    more.length === 0 &&
    (goesOn ? added === undefined : added !== undefined && isSame(added, before.log));
  if (!isRight) throw notVerified(`${what} does not say where the log before it ended`);
}

/** No officer has a key of the authority. */
function checkIdentityKeys(identity: Identity, policy: Policy, what: string): void {
  checkShares(policy, identity.wrapKeys);
  for (const { name, key } of policy.officers) {
    if (equalBytes(identity.log.publicKey, key)) {
      throw notVerified(`the log key of ${what} is the key of officer ${name}`);
    }
  }
}

/**
 * Verifies an authority's notes from the first identity on. Its own log key signs the first, and every officer the
 * first policy. {@link policySignatures} and {@link identitySignatures} say who signs what follows.
 * @param options.pinned the hash of the first identity, if it is known; 32 bytes
 * @throws TwinwrapError BAD_FORMAT; NOT_VERIFIED if it is another authority's, a note does not follow
 *   the one before, or signatures are missing or wrong
 */
export async function verifyAuthority(
  core: Core,
  file: AuthorityFile,
  options: { pinned?: Uint8Array | undefined } = {},
): Promise<Authority> {
  const [first, ...identities] = file.identities.map((note) => ({
    note,
    identity: parseIdentity(core, note),
  }));
  if (first === undefined) throw notVerified("the authority has no identity");
  if (options.pinned !== undefined && !equalBytes(first.identity.hash, options.pinned)) {
    throw notVerified("this is another authority than the one that was given before");
  }
  if (first.identity.number !== 1) throw notVerified("the first identity is missing");
  const signed = await signersOf(core, first.note, [first.identity.log]);
  if (signed.length === 0) throw notVerified("identity 1 lacks the log key's signature");
  let chain = begin(first.identity);
  for (const note of file.policies) {
    const policy = parsePolicy(core, note);
    // Identities stand where they say: between the policies.
    chain = await withIdentities(core, chain, identities, policy.previous);
    chain = await extend(core, chain, note, policy);
  }
  chain = await withIdentities(core, chain, identities);
  if (identities.length > 0) throw notVerified("an identity follows no note of this authority");
  return authorityOf(core, chain);
}

/** Takes identities off a list, up to the one that a policy names as the note before it. */
async function withIdentities(
  core: Core,
  chain: Chain,
  rest: { note: string; identity: Identity }[],
  until?: Uint8Array,
): Promise<Chain> {
  let so = chain;
  while (rest[0] !== undefined && (until === undefined || !equalBytes(until, so.newest))) {
    if (so.policies.length === 0) return so;
    const { note, identity } = rest.shift()!;
    const { complete } = await identitySignatures(core, note, so);
    if (!complete) throw notVerified(`identity ${identity.number} lacks signatures`);
    so = { ...so, newest: identity.hash, identities: [...so.identities, identity] };
  }
  return so;
}

async function extend(core: Core, chain: Chain, note: string, policy: Policy): Promise<Chain> {
  const [first] = chain.identities;
  const { origin } = first!;
  if (policy.authority !== origin) {
    throw notVerified(`policy ${policy.number} is not one of ${origin}`);
  }
  if (policy.number === 1 && !equalBytes(policy.hash, first!.previous)) {
    throw notVerified("the first policy is not the one that the identity names");
  }
  const { complete } = await signaturesInChain(core, note, chain);
  if (!complete) throw notVerified(`policy ${policy.number} lacks signatures`);
  for (const { wrapKeys } of chain.identities) checkShares(policy, wrapKeys);
  return withPolicy(chain, policy);
}

function authorityOf(core: Core, { identities, policies }: Chain): Authority {
  const newest = identities.at(-1)!;
  return {
    origin: newest.origin,
    fingerprint: identities[0]!.hash,
    identities,
    policies,
    logKeys: [newest.log, ...newest.ended],
    wrapKey: newest.wrapKeys[0]!,
    padding: newest.paddings[0]!,
    wrapFingerprints: everyWrapKey(identities).map((key) => core.sha256(encodeSpki(key))),
  };
}

/** What {@link everyWrapKey} found: it is asked for every submission. */
const wrapKeysOf = new WeakMap<readonly Identity[], RsaPublicKey[]>();

/** The RSA keys of all identities, each once. */
function everyWrapKey(identities: readonly Identity[]): RsaPublicKey[] {
  let keys = wrapKeysOf.get(identities);
  if (keys === undefined) {
    const all = identities.flatMap(({ wrapKeys }) => wrapKeys);
    keys = [...new Map(all.map((key) => [formatSpki(key), key])).values()];
    wrapKeysOf.set(identities, keys);
  }
  return keys;
}

/** Of the keys that were ever wrapped for, the one with this fingerprint (32 bytes). */
export function wrapKeyOf(
  { identities, wrapFingerprints }: Authority,
  fingerprint: Uint8Array,
): RsaPublicKey | undefined {
  const at = wrapFingerprints.findIndex((known) => equalBytes(known, fingerprint));
  return everyWrapKey(identities)[at];
}
