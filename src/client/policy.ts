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

// Who decides at an authority: its policies, and the drafts that are to follow them.

export interface PolicyState {
  /** As it is signed so far. */
  note: string;
  policy: Policy;
  signatures: PolicySignatures;
  isDraft: boolean;
}

/** What a policy's signatures come to, as the policies in force say. @throws TwinwrapError NOT_VERIFIED */
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

/** All policies, the first one first; those at the end may be drafts. @throws TwinwrapError NOT_VERIFIED */
export async function policyStates(party: Party): Promise<PolicyState[]> {
  const { core, authority, client } = party;
  if (client === undefined) {
    throw new TwinwrapError("UNAVAILABLE", "this authority can't be asked: messages are carried");
  }
  const notes = await client.policies();
  return Promise.all(notes.map((note) => stateOfPolicy(core, authority, note)));
}

/**
 * Who decides about a policy: those of the one before it, about the first its own officers.
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

/** A draft that is meant by the first digits of its hash. */
export function isNamed({ policy }: PolicyState, digits: string): boolean {
  return toHex(policy.hash).startsWith(digits);
}
