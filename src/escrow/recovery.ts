import { CALG_AES_256, SESSION_ALGORITHMS } from "../blob/index.js";
import { equalBytes, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import type { Wrap } from "../envelope/header.js";
import type { Head } from "../envelope/open.js";
import { isWrapFor } from "../envelope/wraps.js";
import { notVerified, TwinwrapError } from "../errors.js";
import { type Authority, wrapKeyOf } from "./chain.js";
import {
  type Checkpoint,
  endedLog,
  parseProof,
  verifyCheckpoint,
  verifyPath,
  worthInEnded,
} from "./checkpoint.js";
import type { Basis, ReleaseLeaf, RequestLeaf } from "./leaf.js";
import type { LogView } from "./log-view.js";
import type { Policy } from "./policy.js";
import { receiptLeaf } from "./receipt.js";
import { type BlobRecord, type EscrowRecord, recordHash } from "./record.js";
import {
  type ProvenLeaf,
  type Release,
  type ReleasedKey,
  releaseLeaf,
  requestLeaf,
} from "./release.js";
import {
  fits,
  type HeldSubmission,
  orNotVerified,
  seeReceipts,
  submissionsOf,
  type WeighedSubmission,
  weighedSubmissions,
} from "./reports.js";
import {
  parseRequestId,
  type RecoveryRequest,
  recipientFingerprint,
  requestHash,
  requestId,
} from "./request.js";
import { recipientTag } from "./submission.js";

// What owners check of a release before a wrap of it goes into a file: that they asked for it, that the
// authority's log says so, and that it is for their key.

/** What a release can hold before it is known which record is a file's. */
const ANY_ALGORITHM = SESSION_ALGORITHMS.map(({ algId }) => algId);

/** What can't be shown of a release, and of what a file holds. The private key can tell all the same. */
export interface Unshown {
  /** The release's log has ended, and its proofs do not lead to what was kept of that. */
  unconfirmed: boolean;
  /** The authority lost the entry that a receipt in the file is for. */
  lost: boolean;
  /** How a receipt in the file contradicts what was seen of the log, in words. */
  contradiction: string | undefined;
}

/** A release that verified, all but what {@link releasedFor} and {@link releasedBlob} check. */
export interface CheckedRelease {
  request: RecoveryRequest;
  /** 32 bytes. */
  requestHash: Uint8Array;
  /** Whether officers released it without waiting, or against a veto: then an owner should know. */
  basis: Basis;
  /**
   * false: its log has ended since, and its proofs do not lead to what was kept of that. Only the private key can tell
   * then whether it has the right keys.
   */
  confirmed: boolean;
  /** By record, in lower-case hexadecimal. */
  keys: Map<string, ReleasedKey>;
}

/**
 * Checks a release: it answers the request expected, and every key in it is wrapped for the request's
 * recipient and has a leaf of its own, in the authority's log, that says so.
 * @param expected the request that was kept, or its ID. undefined: the caller checks that the request is
 *   their own, for example by holding the recipient's private key
 * @param view what was seen of the authority's log before; gets the release's proofs
 * @throws TwinwrapError NOT_VERIFIED, also if its log has ended and lost it
 */
export function checkRelease(
  core: Core,
  release: Release,
  authority: Authority,
  expected: { request: RecoveryRequest } | { id: string } | undefined,
  view?: LogView,
): Promise<CheckedRelease> {
  return orNotVerified(async () => {
    const { request } = release;
    const hash = requestHash(core, request);
    if (request.authority !== authority.origin) {
      throw notVerified(`the release is one of ${request.authority}`);
    }
    if (expected !== undefined && !isExpected(core, hash, expected)) {
      throw notVerified("the release is for another request than the one that was made");
    }
    const about = {
      request,
      hash,
      recipient: recipientFingerprint(core, request),
      records: new Set(request.records.map(toHex)),
      policies: authority.policies,
    };
    // It would be one more wrap that the authority opens.
    if (wrapKeyOf(authority, about.recipient) !== undefined) {
      throw notVerified("the release is for the authority's own key");
    }
    // A release has thousands of proofs, and all lead to one checkpoint.
    const { checkpoint: note } = parseProof(release.requested.proof);
    const checkpoint = await verifyCheckpoint(core, note, authority.logKeys);
    let [confirmed, basis]: [boolean, Basis] = [true, "quorum"];
    const indexOf = async ({ leaf, proof: text }: ProvenLeaf) => {
      const proof = parseProof(text);
      if (proof.checkpoint !== note) throw notVerified("its proofs lead to several checkpoints");
      verifyPath(core, leaf, proof, checkpoint);
      confirmed = isConfirmed(authority, checkpoint, proof.index) && confirmed;
      await view?.see(leaf, text);
      return proof.index;
    };
    const asked = requestLeaf(release);
    checkRequested(asked, about);
    const first = await indexOf(release.requested);
    const keys = new Map<string, ReleasedKey>();
    const places = new Set<number>();
    for (const key of release.releases) {
      const name = toHex(key.record);
      const leaf = checkReleased(key, about);
      if (leaf.basis === "emergency") basis = leaf.basis;
      const index = await indexOf(key);
      checkOrder(name, { leaf, index }, { leaf: asked, index: first });
      checkPolicy(name, leaf, asked, about);
      if (keys.has(name) || places.has(index)) {
        throw notVerified("the release has the same leaf twice");
      }
      places.add(index);
      keys.set(name, key);
    }
    return { request, requestHash: hash, basis, confirmed, keys };
  });
}

/** Whether a proof leads to what was kept, if its log has ended. @throws TwinwrapError NOT_VERIFIED if its leaf was lost */
function isConfirmed(
  { origin, logKeys }: Authority,
  checkpoint: Checkpoint,
  index: number,
): boolean {
  const ended = endedLog(logKeys, checkpoint.origin);
  if (ended === undefined) return true;
  const worth = worthInEnded(ended, checkpoint.size, index);
  if (worth === "lost" || worth === "after the end") {
    throw notVerified(`${origin} lost the release: it has to be asked for again`);
  }
  return worth === "full";
}

/** What the leaf of the request must say: of the policy that it names it is known how long that waits. */
function checkRequested(leaf: RequestLeaf, { request, hash, policies }: About): void {
  const policy = policyOf(leaf, policies);
  const waits = leaf.notbefore.getTime() - leaf.time.getTime();
  const isRight =
    equalBytes(leaf.request, hash) &&
    leaf.expires.getTime() === request.expires.getTime() &&
    (policies.length === 0 ? waits >= 0 : waits === (policy?.waiting ?? Number.NaN) * 1000);
  if (!isRight) throw notVerified("the log does not say that this request was taken in");
}

/** A release comes after its request, and within the time in which it may. */
function checkOrder(
  name: string,
  { leaf, index }: { leaf: ReleaseLeaf; index: number },
  asked: { leaf: RequestLeaf; index: number },
): void {
  const { time, basis } = leaf;
  const { notbefore, expires } = asked.leaf;
  const isRight =
    index > asked.index &&
    time >= asked.leaf.time &&
    time < expires &&
    (basis === "emergency" || time >= notbefore);
  if (isRight) return;
  throw notVerified(`the release of record ${name} came before it was allowed, or after`);
}

/** The policy that a leaf names, if it is known. */
function policyOf(
  leaf: Pick<ReleaseLeaf, "policy">,
  policies: readonly Policy[],
): Policy | undefined {
  return policies.find(({ hash }) => equalBytes(hash, leaf.policy));
}

/**
 * What can be told of the policy that decided, which has to be the one in force at its leaf: it is one of the
 * authority's, not an older one than when the request came, and a quorum waits as long as it says. Only who has the
 * whole log can tell whether a later one was in force by then.
 */
function checkPolicy(
  name: string,
  leaf: ReleaseLeaf,
  asked: RequestLeaf,
  { policies }: About,
): void {
  if (policies.length === 0) return;
  const [policy, before] = [policyOf(leaf, policies), policyOf(asked, policies)];
  const need = (condition: boolean, problem: string) => {
    if (!condition) throw notVerified(`the release of record ${name}: ${problem}`);
  };
  need(policy !== undefined, "it was released under a policy that is not the authority's");
  need(policy!.number >= before!.number, "its policy is older than the one of its request");
  const waited = (leaf.time.getTime() - asked.time.getTime()) / 1000;
  need(
    leaf.basis === "emergency" || waited >= policy!.waiting,
    `it came before policy ${policy!.number} allows it`,
  );
}

/** What a release is checked against. */
interface About {
  request: RecoveryRequest;
  /** requestHash, 32 bytes. */
  hash: Uint8Array;
  /** Fingerprint of the key that is wrapped for. */
  recipient: Uint8Array;
  records: ReadonlySet<string>;
  /** The authority's; none if they are not known. */
  policies: readonly Policy[];
}

function isExpected(
  core: Core,
  hash: Uint8Array,
  expected: { request: RecoveryRequest } | { id: string },
): boolean {
  return "id" in expected
    ? requestId(hash) === parseRequestId(expected.id)
    : equalBytes(requestHash(core, expected.request), hash);
}

/** What a released key's leaf and wrap must say. */
function checkReleased(key: ReleasedKey, about: About): ReleaseLeaf {
  const leaf = releaseLeaf(key);
  const name = toHex(key.record);
  const need = (condition: boolean, problem: string) => {
    if (!condition) throw notVerified(`the release of record ${name}: ${problem}`);
  };
  need(about.records.has(name), "the request does not ask for it");
  need(equalBytes(leaf.record, key.record), "its leaf is of another record");
  need(equalBytes(leaf.request, about.hash), "its leaf is of another request");
  need(equalBytes(key.wrap.fingerprint, about.recipient), "it is wrapped for another key");
  need(key.wrap.padding === about.request.padding, "it is padded otherwise than the request says");
  need(
    isWrapFor(key.wrap, about.request.recipient, ANY_ALGORITHM),
    "its wrap is not of the form of that key's",
  );
  return leaf;
}

/**
 * The wrap that a release has for one file. Only the private key can tell whether it opens to the file's
 * key.
 * @param record of the submission, as the file holds it
 * @throws TwinwrapError NOT_VERIFIED if the record is not the file's, or the leaf in the log is of a
 *   release to another key; NOT_FOUND if the release has nothing for the record
 */
export function releasedFor(
  core: Core,
  checked: CheckedRelease,
  head: Head,
  record: EscrowRecord,
): Wrap {
  if (!fits(head, record)) throw notVerified("the record is another file's");
  return releasedWrap(core, checked, record, CALG_AES_256);
}

/**
 * The same, with a search for the record: in the file's header, and among records known otherwise.
 * @param others such as those of kept submissions: anybody who can write the file can take out its own
 * @param view gets the file's receipts: they have to go with the release's proofs
 * @returns undefined if the release has nothing for any record of this file
 * @throws TwinwrapError NOT_VERIFIED, as {@link releasedFor}
 */
export async function findReleased(
  core: Core,
  checked: CheckedRelease,
  head: Head,
  authority: Authority,
  others: readonly EscrowRecord[] = [],
  view?: LogView,
): Promise<Wrap | undefined> {
  await seeReceipts(core, head, authority, view);
  const held = submissionsOf(core, head, authority.origin);
  const found = [...others, ...held.map(({ submission }) => submission.record)].find(
    (record) => fits(head, record) && checked.keys.has(toHex(recordHash(core, record))),
  );
  return found && releasedFor(core, checked, head, found);
}

/** Submissions of a file to ask for. */
export interface SubmissionsToAsk {
  held: HeldSubmission[];
  /** Receipts show that the authority has them. */
  proven: boolean;
  /** The authority says that it lost what a receipt of theirs is for. */
  lost: boolean;
}

/**
 * Of a file's submissions, those to ask for: verified ones if there are any, else those with a receipt that the
 * authority has not lost, else all. Then it is unknown whether the authority has them.
 */
export async function submissionsToAsk(
  core: Core,
  head: Head,
  authority: Authority,
  view?: LogView,
): Promise<SubmissionsToAsk> {
  const all = await weighedSubmissions(core, head, authority, view);
  const of = (...worths: WeighedSubmission["worth"][]) =>
    all.filter(({ worth }) => worths.includes(worth));
  const proven = of("full", "unconfirmed");
  const verified = proven.filter(({ receipt }) => receiptLeaf(receipt!).type === "verified");
  if (verified.length > 0) return { held: verified, proven: true, lost: false };
  if (proven.length > 0) return { held: proven, proven: true, lost: false };
  return { held: all, proven: false, lost: of("lost", "after the end").length > 0 };
}

/**
 * The wrap that a release has for another program's key: that program imports its SIMPLEBLOB with the
 * new key.
 * @param record of the submission, as the owner kept it or the authority has it
 * @throws TwinwrapError NOT_VERIFIED, NOT_FOUND as {@link releasedFor}
 */
export function releasedBlob(core: Core, checked: CheckedRelease, record: BlobRecord): Wrap {
  return releasedWrap(core, checked, record, record.blob.aiKeyAlg);
}

function releasedWrap(
  core: Core,
  checked: CheckedRelease,
  record: EscrowRecord,
  aiKeyAlg: number,
): Wrap {
  const hash = recordHash(core, record);
  const name = toHex(hash);
  const key = checked.keys.get(name);
  if (key === undefined) {
    throw new TwinwrapError("NOT_FOUND", `the release has nothing for record ${name}`);
  }
  if (!isWrapFor(key.wrap, checked.request.recipient, [aiKeyAlg])) {
    throw notVerified(`the release of record ${name}: its wrap is for another algorithm`);
  }
  const tag = recipientTag(core, record.blind, recipientFingerprint(core, checked.request));
  if (!core.equal(releaseLeaf(key).recipient, tag)) {
    throw notVerified("the log says that the key was released to another key");
  }
  return key.wrap;
}
