import { equalBytes, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import { chainBefore, signaturesInChain } from "../escrow/chain.js";
import {
  type Authority,
  type Policy,
  type PolicySignatures,
  parsePolicy,
} from "../escrow/index.js";
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

/** The hash of the newest note of an authority, which the next policy names, 32 bytes. */
export function newestNote(authority: Authority): Uint8Array {
  return chainBefore(authority, new Uint8Array()).newest;
}

/** Whether a policy's hash begins with these digits. */
export function isNamed({ policy }: PolicyState, digits: string): boolean {
  return toHex(policy.hash).startsWith(digits);
}
