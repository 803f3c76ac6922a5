import { equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import {
  type Authority,
  addSignature,
  formatNote,
  keyId,
  officerKey,
  type Policy,
  type PolicySignatures,
  parseNote,
  parsePolicy,
  policySignatures,
  type Signer,
  type VerifierKey,
  verifyPolicyChain,
} from "../escrow/index.js";
import type { Office } from "./intake.js";
import type { NoteRow, StoreReads } from "./store.js";

// Policies: who decides. One is in force once the log key and those who decided before have signed it
// and its leaf is in the log; until then it is a draft that collects signatures.

/** A stored policy and the signatures it has. */
export interface PolicyState {
  row: NoteRow;
  policy: Policy;
  signatures: PolicySignatures;
}

/** All policies, the first one first; only the last can be a draft. */
export async function policyStates(
  core: Core,
  reads: StoreReads,
  { logKeys }: Pick<Authority, "logKeys">,
): Promise<PolicyState[]> {
  const states: PolicyState[] = [];
  for (const row of await reads.policies()) {
    const before = states.at(-1)?.policy;
    const signatures = await policySignatures(core, row.note, before, logKeys);
    states.push({ row, policy: parsePolicy(core, row.note), signatures });
  }
  return states;
}

/**
 * The policy that decides, from notes verified again; undefined while the first is a draft.
 * @throws TwinwrapError NOT_VERIFIED if a stored note was altered
 */
export async function policyInForce(
  core: Core,
  reads: StoreReads,
  authority: Pick<Authority, "origin" | "identities" | "logKeys">,
): Promise<Policy | undefined> {
  const rows = (await reads.policies()).filter(({ leaf }) => leaf !== undefined);
  const notes = rows.map(({ note }) => note);
  const policies = await verifyPolicyChain(core, notes, authority);
  const [first] = policies;
  if (first !== undefined && !equalBytes(first.hash, authority.identities[0]!.policy)) {
    throw notVerified("the first policy is not the one that the authority's identity names");
  }
  return policies.at(-1);
}

/** The same, or an error that says what to do. @throws TwinwrapError REFUSED */
export async function requirePolicy(
  core: Core,
  reads: StoreReads,
  authority: Authority,
): Promise<Policy> {
  const policy = await policyInForce(core, reads, authority);
  if (policy !== undefined) return policy;
  throw new TwinwrapError(
    "REFUSED",
    "no policy is in force: every officer has to sign the first one (`authority policy sign`)",
  );
}

/** The note with the signatures of some keys only, each once. */
function withSignaturesOf(core: Core, notes: readonly string[], keys: readonly VerifierKey[]) {
  const ids = keys.map((key) => ({ name: key.name, id: keyId(core, key) }));
  const all = notes.flatMap((note) => parseNote(note).signatures);
  const signatures = ids.flatMap(({ name, id }) => {
    const found = all.find((one) => one.name === name && equalBytes(one.keyId, id));
    return found === undefined ? [] : [found];
  });
  return formatNote({ text: parseNote(notes[0]!).text, signatures });
}

/**
 * Takes a policy with one or more signatures: adds them to what is there, or begins a new draft that
 * follows the policy in force. Complete, it is in force with its leaf.
 * @param logSigner signs drafts for the authority
 * @throws TwinwrapError NOT_VERIFIED if it does not follow, or a signature is wrong; REFUSED if it has
 *   no signature that counts, or another draft of that number is there; BAD_FORMAT
 */
export async function takePolicy(
  { core, store, log, authority }: Office,
  logSigner: Signer,
  note: string,
): Promise<PolicySignatures> {
  const policy = parsePolicy(core, note);
  return store.write(async (writes) => {
    const states = await policyStates(core, writes, authority);
    const present = states.find(({ row }) => equalBytes(row.hash, policy.hash));
    if (present === undefined && policy.number <= states.length) {
      throw new TwinwrapError("REFUSED", `another policy with number ${policy.number} is there`);
    }
    const before = states[policy.number - 2];
    if (policy.authority !== authority.origin || (policy.number > 1 && before === undefined)) {
      throw notVerified("the policy does not follow one of this authority");
    }
    if (before !== undefined && before.row.leaf === undefined) {
      throw new TwinwrapError("REFUSED", `policy ${before.policy.number} is not in force yet`);
    }
    const given = await policySignatures(core, note, before?.policy, authority.logKeys);
    if (given.officers.length === 0) {
      throw new TwinwrapError("REFUSED", "nobody who decides about this policy has signed it");
    }
    if (present?.row.leaf !== undefined) return present.signatures;
    const deciding = (before?.policy ?? policy).officers.map(officerKey);
    const notes = present === undefined ? [note] : [present.row.note, note];
    let merged = withSignaturesOf(core, notes, [...authority.logKeys, ...deciding]);
    if (!given.log && present === undefined) merged = await addSignature(core, merged, logSigner);
    const signatures = await policySignatures(core, merged, before?.policy, authority.logKeys);
    const { hash, number } = policy;
    let leaf: number | undefined;
    if (signatures.complete) {
      const time = new Date();
      leaf = await log.append(writes, [{ type: "policy", time, number, policy: hash }]);
    }
    await writes.putPolicy({ number, hash, note: merged, leaf });
    return signatures;
  });
}
