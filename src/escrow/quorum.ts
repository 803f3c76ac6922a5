import { equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { isAboutContent } from "../errors.js";
import { approvalHash, approvalsHash, parseApproval, type SignedApproval } from "./approval.js";
import type { Basis } from "./leaf.js";
import { comparedName } from "./names.js";
import { verifyNote } from "./note.js";
import { type Officer, officerKey, type Policy } from "./policy.js";
import { type RecoveryRequest, recipientFingerprint, requestHash } from "./request.js";
import { encodeSpki } from "./spki.js";

// Decides whether keys are released. An authority asks a ReleasePolicy and nothing else; the one
// here counts officers.

/** Everything a decision is made from. */
export interface Question {
  request: RecoveryRequest;
  /** All approvals and denials there are, as notes. */
  approvals: readonly string[];
  /** Owner ids of the records asked for. Callers leave out unopened records, which could name anybody. */
  owners: readonly string[];
  /** When the authority got the request: the time of its leaf. */
  received: Date;
  /** Until when it waits, as its leaf says. */
  notBefore: Date;
  /** Whether an enrolled owner of a record has a veto against it. */
  vetoed: boolean;
  now: Date;
}

export interface Decision {
  approved: boolean;
  /** Why not, in words for people; undefined if approved. */
  reason: string | undefined;
  /** What the approvals suffice for; undefined unless approved. */
  basis: Basis | undefined;
  /** When it would be approved if nothing changes; undefined if it takes more than time. */
  notBefore: Date | undefined;
  /** Whether too few officers are left who neither deny nor are kept from approving. */
  denied: boolean;
  /** The hash of the approvals that counted, 32 bytes, as the log has it. */
  approvals: Uint8Array;
  count: ApprovalCount;
}

/** What a policy is to an authority. */
export interface ReleasePolicy {
  /** The authority's origin. */
  readonly authority: string;
  /** 32 bytes; approvals name it, and so does the log. */
  readonly hash: Uint8Array;
  decide(core: Core, question: Question): Promise<Decision>;
}

/** An approval or denial that counts. */
export interface CountedApproval {
  officer: Officer;
  approval: SignedApproval;
  /** {@link approvalHash}, 32 bytes. */
  hash: Uint8Array;
}

export interface ApprovalCount {
  /** One for every officer who approves. */
  approving: CountedApproval[];
  /** One for every officer who denies. */
  denying: CountedApproval[];
  /** What does not count, and why. */
  ignored: { note: string; reason: string }[];
}

/** Why an approval does not count. */
class Ignored extends Error {}

/**
 * Counts the approvals of a request. Each is verified again, from the note alone; an officer counts
 * once, however many notes there are, and not as approving if they deny, are the requester or own a record.
 * @param approvals notes
 * @param options.owners owner ids of the records: these owners must not approve
 */
export async function countApprovals(
  core: Core,
  policy: Policy,
  request: RecoveryRequest,
  approvals: readonly string[],
  options: { now: Date; owners: readonly string[] },
): Promise<ApprovalCount> {
  const about = {
    hash: requestHash(core, request),
    recipient: recipientFingerprint(core, request),
  };
  const count: ApprovalCount = { approving: [], denying: [], ignored: [] };
  for (const note of approvals) {
    try {
      const { officer, approval } = await check(core, policy, request, about, note, options);
      const side = approval.decision === "approve" ? count.approving : count.denying;
      if (side.some((other) => equalBytes(other.officer.key, officer.key))) {
        throw new Ignored(`${officer.name} is counted already`);
      }
      side.push({ officer, approval, hash: approvalHash(core, note) });
    } catch (error) {
      if (!(error instanceof Ignored || isAboutContent(error))) throw error;
      count.ignored.push({ note, reason: error.message });
    }
  }
  const denies = (officer: Officer) =>
    count.denying.some((other) => equalBytes(other.officer.key, officer.key));
  count.approving = count.approving.filter(({ officer }) => !denies(officer));
  return count;
}

async function check(
  core: Core,
  policy: Policy,
  request: RecoveryRequest,
  about: { hash: Uint8Array; recipient: Uint8Array },
  note: string,
  { now, owners }: { now: Date; owners: readonly string[] },
): Promise<{ officer: Officer; approval: SignedApproval }> {
  const need = (condition: boolean, reason: string) => {
    if (!condition) throw new Ignored(reason);
  };
  const approval = parseApproval(note);
  need(approval.authority === policy.authority, "it is for another authority");
  need(equalBytes(approval.policy, policy.hash), "it was given under another policy");
  need(equalBytes(approval.request, about.hash), "it is for another request");
  need(equalBytes(approval.recipient, about.recipient), "it is for another key");
  need(approval.records === request.records.length, "it is for another number of records");
  // A denial is in the log, for good: it holds as long as the request does.
  need(approval.decision === "deny" || approval.expires > now, "it has expired");
  const officer = policy.officers.find(({ name }) => name === approval.officer);
  if (officer === undefined) throw new Ignored(`${approval.officer} is no officer`);
  await verifyNote(core, note, [officerKey(officer)]);
  // Anybody can write an officer's name as the requester. That must not silence the officer.
  const bias = approval.decision === "deny" ? undefined : biasOf(officer, request, owners);
  if (bias !== undefined) throw new Ignored(bias);
  return { officer, approval };
}

/** Why an officer must not approve a request, in words; undefined if there is no reason. */
function biasOf(
  { name, self, share }: Officer,
  { requester, recipient }: RecoveryRequest,
  owners: readonly string[],
): string | undefined {
  // Requester and owner write their names themselves: no spelling of them makes them somebody else.
  const theirs = new Set([name, ...self].map(comparedName));
  if (theirs.has(comparedName(requester))) return `${name} is the requester`;
  if (owners.some((owner) => theirs.has(comparedName(owner)))) {
    return `${name} owns one of the records`;
  }
  const isForThem = equalBytes(encodeSpki(recipient), encodeSpki(share));
  return isForThem ? `the keys would be wrapped for ${name}` : undefined;
}

/**
 * The built-in policy: `release` officers, and the waiting period, which begins when the authority
 * got the request; `emergency` officers need not wait, and they alone release what an owner has vetoed. Fewer than
 * `release` never suffice.
 */
export function quorumPolicy(policy: Policy): ReleasePolicy {
  return {
    authority: policy.authority,
    hash: policy.hash,
    async decide(core, question) {
      const { request, received, now } = question;
      const count = await countApprovals(core, policy, request, question.approvals, question);
      const able = policy.officers.filter(
        (officer) =>
          biasOf(officer, request, question.owners) === undefined &&
          !count.denying.some(({ officer: { name } }) => name === officer.name),
      );
      const denied = able.length < policy.release;
      const answer = (reason?: string, notBefore?: Date, basis?: Basis): Decision => ({
        approved: reason === undefined,
        reason,
        basis,
        notBefore,
        denied,
        approvals: approvalsHash(
          core,
          count.approving.map(({ hash }) => hash),
        ),
        count,
      });
      if (request.authority !== policy.authority) return answer("it is for another authority");
      if (request.expires <= now) return answer("the request has expired");
      if (denied) return answer("too few officers are left who could approve");
      const approvals = count.approving.length;
      const missing = policy.release - approvals;
      if (missing > 0) return answer(`${missing} more of ${policy.release} approvals are needed`);
      const end = new Date(
        Math.max(question.notBefore.getTime(), received.getTime() + policy.waiting * 1000),
      );
      if (end <= now && !question.vetoed) return answer(undefined, undefined, "quorum");
      if (approvals >= policy.emergency) return answer(undefined, undefined, "emergency");
      if (!question.vetoed) return answer("the waiting period is not over", end);
      const more = policy.emergency - approvals;
      return answer(
        `an owner has vetoed it: ${more} more of ${policy.emergency} approvals are needed`,
      );
    },
  };
}
