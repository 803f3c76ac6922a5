import { equalBytes, toBase64, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import { chainBefore, signaturesInChain } from "../escrow/chain.js";
import {
  type Authority,
  type Officer,
  type Policy,
  type PolicySignatures,
  parsePolicy,
} from "../escrow/index.js";
import { encodeSpki } from "../keys/pkcs.js";
import type { Party } from "./party.js";

// The policies of an authority, which say who decides, and drafts of the next one.

export interface PolicyState {
  /** With the signatures that it has by now. */
  note: string;
  policy: Policy;
  signatures: PolicySignatures;
  isDraft: boolean;
}

/** Counts a policy's signatures, by the policies in force. @throws TwinwrapError NOT_VERIFIED */
export async function stateOfPolicy(
  core: Core,
  authority: Authority,
  note: string,
): Promise<PolicyState> {
  const policy = parsePolicy(core, note);
  const before = chainBefore(authority, policy.hash);
  const signatures = await signaturesInChain(core, note, before);
  return { note, policy, signatures, isDraft: !isInForce(authority.policies, policy) };
}

function isInForce(policies: readonly Policy[], { hash }: Policy): boolean {
  return policies.some((one) => equalBytes(one.hash, hash));
}

/** All policies, the first one first. The last may be drafts. @throws TwinwrapError NOT_VERIFIED, UNAVAILABLE */
export async function policyStates(party: Party): Promise<PolicyState[]> {
  const { core, authority, client } = party;
  if (client === undefined) {
    throw new TwinwrapError("UNAVAILABLE", "this authority can't be asked: messages are carried");
  }
  const notes = await client.policies();
  return Promise.all(notes.map((note) => stateOfPolicy(core, authority, note)));
}

/**
 * The policy whose officers decide about a policy: the one before it. The first policy decides about itself.
 * @throws TwinwrapError NOT_VERIFIED if it does not follow one that is in force
 */
export function decidingPolicy(authority: Authority, policy: Policy): Policy {
  if (policy.number === 1) return policy;
  const { newest, policies } = chainBefore(authority, policy.hash);
  const before = policies.at(-1);
  const follows = before?.number === policy.number - 1 && equalBytes(newest, policy.previous);
  if (follows) return before;
  throw notVerified(`policy ${policy.number} does not follow what this authority has in force`);
}

/**
 * The officer who signs a policy with a key: one of those who decide about it, or one who joins with it.
 * @param before the policy before; undefined for the first
 * @param publicKey Ed25519, 32 bytes
 * @throws TwinwrapError NOT_ENTITLED
 */
export function signingOfficer(
  policy: Policy,
  before: Policy | undefined,
  publicKey: Uint8Array,
): Officer {
  const decides = (before ?? policy).officers.find(({ key }) => equalBytes(key, publicKey));
  const joins = policy.officers.find(({ key }) => equalBytes(key, publicKey));
  const officer = decides ?? joins;
  if (officer !== undefined) return officer;
  throw new TwinwrapError(
    "NOT_ENTITLED",
    `this is no officer's key in policy ${(before ?? policy).number}, nor of one who joins`,
  );
}

/** The hash of the newest note of an authority, which the next policy names, 32 bytes. */
export function newestNote(authority: Authority): Uint8Array {
  return chainBefore(authority, new Uint8Array()).newest;
}

/** Whether a policy's hash begins with these digits. */
export function isNamed({ policy }: PolicyState, digits: string): boolean {
  return toHex(policy.hash).startsWith(digits);
}

/** One thing in which a policy differs from the one before it. */
export interface PolicyChange {
  /**
   * What differs: an officer who comes or goes; an officer's signing key, share key or own owner ID; how many
   * officers a release, a change or an emergency takes; the waiting period; whose records and which keys are taken.
   */
  what: "officer" | "key" | "share" | "self" | (typeof RULES)[number];
  /** Whose it is. */
  officer?: string;
  /** As it was: a key as {@link officerKeys} gives it, a number in digits, a word; undefined if it was not there. */
  before?: string;
  /** As it is to be; undefined if it is there no more. */
  after?: string;
}

/** An officer's two keys: Ed25519 in base64, and the fingerprint of the share key in hexadecimal. */
export function officerKeys(core: Core, { key, share }: Officer): { key: string; share: string } {
  return { key: toBase64(key), share: toHex(core.sha256(encodeSpki(share))) };
}

const RULES = ["release", "change", "emergency", "waiting", "owners", "unproven"] as const;

/** Everything in which a policy differs from the one before it: its rules first, then officers by name. */
export function policyChanges(core: Core, before: Policy, policy: Policy): PolicyChange[] {
  const rules = RULES.map((what) => ({
    what,
    before: String(before[what]),
    after: String(policy[what]),
  }));
  const names = [...before.officers, ...policy.officers].map(({ name }) => name);
  const officers = [...new Set(names)].sort().flatMap((name) => {
    const of = ({ officers }: Policy) => officers.find((officer) => officer.name === name);
    return officerChanges(core, name, of(before), of(policy));
  });
  return [...rules, ...officers].filter((change) => change.before !== change.after);
}

function officerChanges(
  core: Core,
  officer: string,
  before: Officer | undefined,
  after: Officer | undefined,
): PolicyChange[] {
  const was = before && officerKeys(core, before);
  const is = after && officerKeys(core, after);
  const change = (what: PolicyChange["what"], from?: string, to?: string): PolicyChange => ({
    what,
    officer,
    ...(from === undefined ? {} : { before: from }),
    ...(to === undefined ? {} : { after: to }),
  });
  const ids = new Set([...(before?.self ?? []), ...(after?.self ?? [])]);
  return [
    change("officer", before?.name, after?.name),
    change("key", was?.key, is?.key),
    change("share", was?.share, is?.share),
    ...[...ids].sort().map((id) => {
      const kept = (one: Officer | undefined) => (one?.self.includes(id) ? id : undefined);
      return change("self", kept(before), kept(after));
    }),
  ];
}
