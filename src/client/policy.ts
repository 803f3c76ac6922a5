import { equalBytes, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import {
  type Authority,
  type Policy,
  type PolicySignatures,
  parsePolicy,
  policySignatures,
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
  { identities, policies }: Authority,
  note: string,
): Promise<PolicyState> {
  const policy = parsePolicy(core, note);
  const before = policies.find(({ number }) => number === policy.number - 1);
  const logKeys = identities.flatMap(({ logs }) => logs);
  const signatures = await policySignatures(core, note, before, logKeys);
  return { note, policy, signatures, isDraft: !isInForce(policies, policy) };
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
export function decidingPolicy({ policies }: Authority, policy: Policy): Policy {
  if (policy.number === 1) return policy;
  const before = policies.find(({ number }) => number === policy.number - 1);
  if (before !== undefined && equalBytes(before.hash, policy.previous!)) return before;
  throw notVerified(
    `policy ${policy.number} follows another policy than number ${policy.number - 1} of this authority`,
  );
}

/** Whether a policy's hash begins with these digits. */
export function isNamed({ policy }: PolicyState, digits: string): boolean {
  return toHex(policy.hash).startsWith(digits);
}
