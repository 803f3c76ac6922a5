import { equalBytes, fromHex, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { formatSerial, type Wrap } from "../envelope/index.js";
import { type ErrorCode, TwinwrapError } from "../errors.js";
import { approvalHash, parseApproval } from "../escrow/approval.js";
import { wrapKeyOf } from "../escrow/chain.js";
import {
  type Authority,
  type Decision,
  type EscrowRecord,
  type Policy,
  quorumPolicy,
  type RecoveryRequest,
  type Release,
  type RequestLeaf,
  type StandingMessage,
} from "../escrow/index.js";
import { decodeLeaf, MAX_OWNERS } from "../escrow/leaf.js";
import { countApprovals } from "../escrow/quorum.js";
import { isProven } from "../escrow/record.js";
import {
  encodeRequest,
  parseRequestId,
  recipientFingerprint,
  requestHash,
  requestId,
} from "../escrow/request.js";
import { recipientTag, requestTag } from "../escrow/submission.js";
import { formatTime } from "../jcs.js";
import { CLOCK_SKEW } from "./clock.js";
import { tell } from "./events.js";
import { takesPadding } from "./intake.js";
import { type NewLeaf, requireUnfenced, wholeSeconds } from "./log.js";
import type { Office } from "./office.js";
import { checkBlocks, recordOfRow } from "./opening.js";
import { OwnerSecrets } from "./owners.js";
import { requirePolicy } from "./policies.js";
import { requestOfRow } from "./request-row.js";
import type {
  ApprovalRow,
  Candidate,
  RecordChange,
  RecordRow,
  ReleaseRow,
  RequestRow,
  StoreReads,
  StoreWrites,
} from "./store/store.js";
import { stored } from "./stored.js";
import { ownersWhoVeto, vetoesOf } from "./vetoes.js";

// How keys go out: request, approvals, release. Whatever decides is read and verified again inside the
// transaction that acts on it.

/** Bits of a recipient's key at most: wrapping for a larger one costs the authority too much. */
const MAX_BITS = 8192;
/** How long a request is open at most, counted from its arrival, whatever its own clock said. */
const MAX_OPEN = 366 * 86_400_000;

/** A request and what belongs to it, as a transaction read it. */
export interface Asked {
  row: RequestRow;
  request: RecoveryRequest;
  /** When it came, and until when it waits: its leaf. */
  leaf: RequestLeaf;
  /** The records asked for, in the request's order. */
  records: RecordRow[];
  /** Owners whose vetoes verified. */
  vetoes: readonly string[];
}

/** Where a request stands. */
export interface Standing extends Asked {
  decision: Decision;
  /** In force now. */
  policy: Policy;
  /** When that was. */
  now: Date;
}

function refused(message: string, code: ErrorCode = "REFUSED"): TwinwrapError {
  return new TwinwrapError(code, message);
}

/** The records of a request, in its order. @throws TwinwrapError NOT_FOUND if one is not there */
async function recordsOf(reads: StoreReads, { records }: RecoveryRequest): Promise<RecordRow[]> {
  const rows = await reads.recordsByHash(records);
  const unknown = records.filter((_, i) => rows[i] === undefined);
  if (unknown.length === 0) return rows as RecordRow[];
  const more = unknown.length > 1 ? ` and ${unknown.length - 1} more` : "";
  throw refused(
    `the request is for records that this authority does not have: ${toHex(unknown[0]!)}${more}`,
    "NOT_FOUND",
  );
}

/**
 * Takes a request; one that is there already is left as it is.
 * @throws TwinwrapError NO_POLICY; WRONG_AUTHORITY; CLOSED if it has expired; NOT_FOUND if it is for records that are
 *   not here; REFUSED if its times are wrong, it is for a key or padding that this authority does not wrap for, is for
 *   its own key, or too few officers could ever approve it; FENCED
 */
export async function takeRequest(office: Office, request: RecoveryRequest): Promise<RequestRow> {
  const { core, store, log } = office;
  const hash = requestHash(core, request);
  return store.write(async (writes) => {
    const present = await writes.request(hash);
    if (present !== undefined) return present;
    const end = await log.end(writes);
    checkRequest(office, request, end.time);
    const policy = await requirePolicy(office, writes);
    const records = await recordsOf(writes, request);
    const row: RequestRow = {
      hash,
      id: requestId(hash),
      bytes: encodeRequest(request),
      status: "open",
      expires: request.expires,
      leaf: end.next,
    };
    const leaf: RequestLeaf = {
      type: "request",
      time: end.time,
      request: hash,
      policy: policy.hash,
      expires: request.expires,
      notbefore: new Date(end.time.getTime() + policy.waiting * 1000),
      owners: await ownerTags(core, writes, records, hash),
    };
    if (leaf.notbefore >= request.expires) {
      throw refused(
        `the request expires at ${formatTime(request.expires)}, before policy ${policy.number} lets anything be released (${formatTime(leaf.notbefore)})`,
      );
    }
    const asked = { row, request, leaf, records, vetoes: [] };
    const decision = await decide(core, policy, asked, [], { now: end.time, counts: isOpened });
    if (decision.denied) {
      throw refused(
        `it could never be approved: policy ${policy.number} asks for ${policy.release} officers, and too few are neither the requester nor owners`,
      );
    }
    await end.append([leaf]);
    await writes.insertRequest(row);
    const { time, notbefore: notBefore, expires } = leaf;
    const about = { request: row.id, policy: policy.number, leaf: row.leaf, notBefore, expires };
    const owners = ownersOf(core, records);
    await tell(writes, { kind: "request", time, ...about, owners, policies: [policy] });
    return row;
  });
}

/** What a request has to be, whatever it is for. @throws TwinwrapError as {@link takeRequest} */
function checkRequest(office: Office, request: RecoveryRequest, now: Date): void {
  const { authority } = office;
  if (request.authority !== authority.origin) {
    throw refused(`the request is for another authority, ${request.authority}`, "WRONG_AUTHORITY");
  }
  if (request.created.getTime() > now.getTime() + CLOCK_SKEW) {
    throw refused(
      `the requester's clock said ${formatTime(request.created)} when the request was made, but here it is ${formatTime(now)}: one of the two clocks is wrong`,
    );
  }
  if (request.expires <= now) throw refused("the request has expired", "CLOSED");
  if (request.expires.getTime() > now.getTime() + MAX_OPEN) {
    throw refused("the request expires more than 366 days from now");
  }
  const bits = 8 * request.recipient.n.length;
  if (bits > MAX_BITS) {
    throw refused(
      `the recipient's key has ${bits} bits; this authority wraps for up to ${MAX_BITS}`,
    );
  }
  if (!takesPadding(authority, request.padding)) {
    throw refused(`this authority does not pad as the request asks for (${request.padding})`);
  }
  refuseOwnKey(office, request);
}

/** The owners of records, whether or not these were opened. */
function ownersOf(core: Core, records: readonly RecordRow[]): Set<string> {
  return new Set(records.map((row) => recordOfRow(core, row).owner));
}

/** How the log names the owners of a request's records. @throws TwinwrapError REFUSED if they are too many */
export async function ownerTags(
  core: Core,
  reads: StoreReads,
  records: readonly RecordRow[],
  request: Uint8Array,
): Promise<Uint8Array[]> {
  const owners = ownersOf(core, records);
  if (owners.size > MAX_OWNERS) {
    throw refused(`the records asked for are of ${owners.size} owners, more than ${MAX_OWNERS}`);
  }
  const secrets = await OwnerSecrets.read(reads, owners);
  return [...owners]
    .map((owner) => toHex(requestTag(core, secrets.secret(owner), request)))
    .sort()
    .map(fromHex);
}

/** A wrap for the authority's own key could be handed in as anybody's. @throws TwinwrapError REFUSED */
function refuseOwnKey(
  { core, authority }: Pick<Office, "core" | "authority">,
  request: RecoveryRequest,
): void {
  if (wrapKeyOf(authority, recipientFingerprint(core, request)) === undefined) return;
  throw refused("the recipient's key is one of the authority itself");
}

/** Whether the author of the record has shown that they knew its key; never so for an unproven one. */
function isOpened({ verifiedLeaf }: RecordRow): boolean {
  return verifiedLeaf !== undefined;
}

/**
 * Asks a policy, from what is stored.
 * @param approvals notes, denials too
 * @param at.now the moment that it is decided for
 * @param at.counts which records keep their owners out as officers: none that was not opened yet, because
 *   anybody can send one that names any owner
 */
export async function decide(
  core: Core,
  policy: Policy,
  { request, leaf, records, vetoes }: Asked,
  approvals: readonly string[],
  { now, counts }: { now: Date; counts: (record: RecordRow) => boolean },
): Promise<Decision> {
  const owners = records.filter(counts).map((record) => recordOfRow(core, record).owner);
  return quorumPolicy(policy).decide(core, {
    request,
    approvals,
    owners,
    received: leaf.time,
    notBefore: leaf.notbefore,
    vetoed: vetoes.some((owner) => owners.includes(owner)),
    now,
  });
}

async function rowOf(reads: StoreReads, id: string): Promise<RequestRow> {
  const row = await reads.requestById(parseRequestId(id));
  if (row === undefined) throw refused(`there is no request ${id} here`, "NOT_FOUND");
  return row;
}

/**
 * Reads and verifies everything a decision takes.
 * @param at see {@link decide}: now by default, and records that were opened
 * @throws TwinwrapError NOT_FOUND if there is no such request; NO_POLICY; FAULT
 */
export async function standingOf(
  office: Office,
  reads: StoreReads,
  id: string,
  at: Partial<Parameters<typeof decide>[4]> = {},
): Promise<Standing> {
  const row = await rowOf(reads, id);
  return standingFrom(office, reads, row, await reads.approvals(row.hash), at);
}

/** A request and what belongs to it, verified. @throws TwinwrapError NOT_FOUND, FAULT */
export async function askedOf(core: Core, reads: StoreReads, row: RequestRow): Promise<Asked> {
  const request = requestOfRow(core, row);
  const [text] = await reads.leavesAt([row.leaf]);
  const leaf = text === undefined ? undefined : decodeLeaf(text);
  const isRight =
    leaf?.type === "request" &&
    equalBytes(leaf.request, row.hash) &&
    leaf.expires.getTime() === request.expires.getTime();
  if (!isRight) {
    throw new TwinwrapError("FAULT", `request ${row.id} is not what the log says of it`);
  }
  const records = await recordsOf(reads, request);
  const vetoes = await ownersWhoVeto(core, reads, row);
  return { row, request, leaf, records, vetoes };
}

/**
 * Everything that a decision about a request is made from.
 * @throws TwinwrapError NOT_FOUND, FAULT
 */
export async function standingMessage(
  { core, log }: Pick<Office, "core" | "log">,
  reads: StoreReads,
  id: string,
): Promise<StandingMessage> {
  const row = await rowOf(reads, id);
  const { records } = await askedOf(core, reads, row);
  const [requested] = await log.prove(reads, [row.leaf]);
  return {
    request: row.bytes,
    status: row.status,
    requested: requested!,
    approvals: (await reads.approvals(row.hash)).map(({ note }) => note),
    vetoes: (await vetoesOf(core, reads, row)).map(({ note, control }) => ({ note, control })),
    enrolled: await enrolledOf(core, reads, records),
    records: await stored(core, reads, records),
  };
}

/** The owners of records who have a control key. */
async function enrolledOf(
  core: Core,
  reads: StoreReads,
  records: readonly RecordRow[],
): Promise<string[]> {
  const owners = [...new Set(records.map((row) => recordOfRow(core, row).owner))];
  const enrolments = await reads.enrolments(owners);
  return owners.filter((_, i) => enrolments[i]!.length > 0);
}

async function standingFrom(
  office: Office,
  reads: StoreReads,
  row: RequestRow,
  approvals: readonly ApprovalRow[],
  { now = new Date(), counts = isOpened }: Partial<Parameters<typeof decide>[4]> = {},
): Promise<Standing> {
  const { core } = office;
  const policy = await requirePolicy(office, reads);
  const about = await askedOf(core, reads, row);
  const notes = approvals.map(({ note }) => note);
  const decision = await decide(core, policy, about, notes, { now, counts });
  return { ...about, decision, policy, now };
}

/**
 * Takes an approval or a denial; one that is there already is left as it is. A denial goes into the
 * log, and ends the request if too few officers are left.
 * @throws TwinwrapError NOT_FOUND; CLOSED; NOT_ENTITLED with the reason that it would not count; DUPLICATE;
 *   FENCED; BAD_FORMAT
 */
export async function takeApproval(office: Office, note: string): Promise<Standing> {
  const { core, store, log } = office;
  const approval = parseApproval(note);
  const hash = approvalHash(core, note);
  return store.write(async (writes) => {
    const request = await writes.request(approval.request);
    if (request === undefined) throw refused("it is for a request that is not here", "NOT_FOUND");
    const known = await writes.approvals(request.hash);
    const before = await standingFrom(office, writes, request, known);
    if (known.some((other) => equalBytes(other.hash, hash))) return before;
    if (request.status !== "open") {
      throw refused(`the request is ${request.status} already`, "CLOSED");
    }
    await requireUnfenced(writes);
    await checkCounts(office, before, note);
    const denies = approval.decision === "deny";
    const end = denies ? await log.end(writes) : undefined;
    await end?.append([{ type: "denial", request: request.hash, approval: hash }]);
    await writes.insertApproval({ hash, request: request.hash, note, denialLeaf: end?.next });
    const notes = [...known.map((other) => other.note), note];
    const decision = await decide(core, before.policy, before, notes, {
      now: before.now,
      counts: isOpened,
    });
    // Only a denial ends it: who is kept out by a new policy or as an owner may change again.
    const isOver = denies && decision.denied;
    await tell(writes, {
      kind: denies ? "denial" : "approval",
      time: end?.time ?? wholeSeconds(before.now),
      leaf: end?.next,
      request: request.id,
      ...(isOver ? { status: "denied" } : {}),
      policy: before.policy.number,
      owners: ownersOf(core, before.records),
      policies: [before.policy],
    });
    if (!isOver) return { ...before, decision };
    await writes.setRequestStatus(request.hash, "denied");
    return { ...before, decision, row: { ...request, status: "denied" } };
  });
}

/** @throws TwinwrapError NOT_ENTITLED, DUPLICATE unless the note, by itself and with those before it, counts */
async function checkCounts(
  { core }: Office,
  { policy, request, records, decision, now }: Standing,
  note: string,
): Promise<void> {
  const owners = records.filter(isOpened).map((row) => recordOfRow(core, row).owner);
  const alone = await countApprovals(core, policy, request, [note], { now, owners });
  const [ignored] = alone.ignored;
  if (ignored !== undefined) {
    throw refused(`the approval does not count: ${ignored.reason}`, "NOT_ENTITLED");
  }
  const [{ officer, approval }] = [...alone.approving, ...alone.denying] as [
    (typeof alone.approving)[0],
  ];
  const isTheirs = (other: { officer: { key: Uint8Array } }) =>
    equalBytes(other.officer.key, officer.key);
  if (decision.count.denying.some(isTheirs)) {
    throw refused(`${officer.name} has denied it already`, "DUPLICATE");
  }
  if (approval.decision === "approve" && decision.count.approving.some(isTheirs)) {
    throw refused(`${officer.name} has approved it already`, "DUPLICATE");
  }
}

/** A session key that was opened and wrapped again, before the decision whether it goes out. */
interface Prepared {
  record: Uint8Array;
  candidate: Candidate;
  wrap: Wrap;
}

/**
 * Releases what is approved. A request that was released before gets the same bytes again.
 * @throws TwinwrapError NOT_FOUND; NOT_APPROVED with the reason; CLOSED; DUPLICATE if a key is not proven and
 *   has another record's blob; PASSPHRASE_NEEDED;
 *   DECRYPTION_FAILED if no record's wrap is right, or some are not and the rest alone may not go out
 */
export async function release(office: Office, id: string): Promise<Release> {
  const { store, openers } = office;
  const before = await released(office, id);
  if (before !== undefined) return before;
  const standing = await standingOf(office, store, id);
  checkApproved(standing);
  // The identity may have changed since the request came in.
  refuseOwnKey(office, standing.request);
  if (openers.keys.size === 0) {
    throw new TwinwrapError(
      "PASSPHRASE_NEEDED",
      "it is approved; the authority's RSA key has to be opened to release it",
    );
  }
  const prepared = await prepare(office, standing);
  await store.write((writes) => commit(office, writes, id, prepared));
  return (await released(office, id))!;
}

function checkApproved({ row, decision }: Standing): void {
  if (row.status === "denied") throw refused("the request was denied", "CLOSED");
  if (decision.approved) return;
  const [ignored] = decision.count.ignored;
  const why = ignored === undefined ? "" : ` (one does not count: ${ignored.reason})`;
  throw refused(`nothing is released: ${decision.reason}${why}`, "NOT_APPROVED");
}

async function prepare(
  { core, store, openers, authority, settings: { partial = false } }: Office,
  { request, records }: Standing,
): Promise<Prepared[]> {
  const to = { key: request.recipient, padding: request.padding };
  const prepared: Prepared[] = [];
  const missing: string[] = [];
  const candidates = await store.candidatesOf(records.map(({ hash }) => hash));
  const held = records.flatMap((row, i) => {
    const record = recordOfRow(core, row);
    return candidates[i]!.map(({ wrap }) => ({ hash: row.hash, record, wrap }));
  });
  await checkBlocks(core, store, held);
  const tried = await Promise.all(
    records.map((row, i) => openers.release(row.record, candidates[i]!, to)),
  );
  for (const [i, row] of records.entries()) {
    const { right, wrap, untried } = tried[i]!;
    if (right !== undefined && wrap !== undefined) {
      prepared.push({ record: row.hash, candidate: candidates[i]![right]!, wrap });
      continue;
    }
    const record = recordOfRow(core, row);
    checkTried(
      authority,
      record,
      untried.map((at) => candidates[i]![at]!),
    );
    missing.push(formatSerial(record.serial));
  }
  if (missing.length === 0 || (partial && prepared.length > 0)) return prepared;
  const more = missing.length > 5 ? ` and ${missing.length - 5} more` : "";
  const rest =
    prepared.length === 0
      ? "send the right submissions in again"
      : "send the right submissions in again, or release the others alone, which ends the request";
  throw new TwinwrapError(
    "DECRYPTION_FAILED",
    `nothing is released: of the ${records.length} records, ${missing.length} without a wrap that opens (${missing.slice(0, 5).join(", ")}${more}): ${rest}`,
  );
}

/** A wrap whose key is only locked is not missing. @throws TwinwrapError PASSPHRASE_NEEDED */
function checkTried(
  authority: Authority,
  { serial }: EscrowRecord,
  untried: readonly Candidate[],
): void {
  for (const { wrap } of untried) {
    if (wrapKeyOf(authority, wrap.fingerprint) === undefined) continue;
    throw new TwinwrapError(
      "PASSPHRASE_NEEDED",
      `${formatSerial(serial)} is wrapped for the authority's RSA key ${toHex(wrap.fingerprint)}, which is not open`,
    );
  }
}

/** The transaction of a release: decides again, and either everything of it is there or nothing. */
async function commit(
  office: Office,
  writes: StoreWrites,
  id: string,
  prepared: readonly Prepared[],
): Promise<void> {
  const { core, log } = office;
  // Records that were opened just now are as good as verified: their owners are kept out, too.
  const opened = new Set(prepared.map(({ record }) => toHex(record)));
  const counts = (row: RecordRow) =>
    isOpened(row) || (opened.has(toHex(row.hash)) && isProven(recordOfRow(core, row)));
  const end = await log.end(writes);
  const standing = await standingOf(office, writes, id, { counts, now: end.time });
  const { row: request } = standing;
  // Another process was first: its release stands.
  if (request.status === "released") return;
  checkApproved(standing);
  const rows = new Map(standing.records.map((row) => [toHex(row.hash), row]));
  const given = prepared.map((one): Given => {
    const row = rows.get(toHex(one.record))!;
    return { ...one, row, about: recordOfRow(core, row) };
  });
  // Somebody may have proven since then that the blob is theirs.
  await checkBlocks(
    core,
    writes,
    given.map(({ record: hash, about: record, candidate: { wrap } }) => ({ hash, record, wrap })),
  );
  const secrets = await OwnerSecrets.read(
    writes,
    given.map(({ about }) => about.owner),
  );
  const { leaves, changes, releases } = planRelease(core, standing, given, secrets, end.next);
  await end.append(leaves);
  await writes.updateRecords(changes);
  await writes.keepCandidates(
    given
      .filter(({ row }) => row.status === "unverified")
      .map(({ record, candidate }) => ({ record, ...candidate })),
  );
  await writes.insertReleases(releases);
  await writes.setRequestStatus(request.hash, "released");
  await tell(writes, {
    kind: "release",
    time: end.time,
    leaf: releases[0]!.leaf,
    request: request.id,
    status: "released",
    basis: standing.decision.basis!,
    policy: standing.policy.number,
    owners: given.map(({ about }) => about.owner),
    policies: [standing.policy],
  });
}

/** A key that goes out, and its record as it is in the transaction. */
interface Given extends Prepared {
  row: RecordRow;
  about: EscrowRecord;
}

/** The leaves of a release, and the rows that stand on them. @param start the first leaf's place */
function planRelease(
  core: Core,
  { row: request, request: asked, decision, policy }: Standing,
  given: readonly Given[],
  secrets: OwnerSecrets,
  start: number,
) {
  const fingerprint = recipientFingerprint(core, asked);
  const leaves: NewLeaf[] = [];
  const changes: RecordChange[] = [];
  const releases: ReleaseRow[] = [];
  const next = () => start + leaves.length;
  for (const { record, row, about, wrap } of given) {
    const owner = secrets.tag(core, about.owner, record);
    let { verifiedLeaf } = row;
    if (row.status === "unverified") {
      verifiedLeaf = next();
      leaves.push({ type: "verified", record, owner });
    }
    releases.push({ request: request.hash, record, wrap, leaf: next() });
    leaves.push({
      type: "release",
      record,
      owner,
      request: request.hash,
      policy: policy.hash,
      approvals: decision.approvals,
      recipient: recipientTag(core, about.blind, fingerprint),
      basis: decision.basis!,
    });
    changes.push({ hash: record, status: "released", verifiedLeaf });
  }
  return { leaves, changes, releases };
}

/** What was released for a request; undefined if nothing was. @throws TwinwrapError NOT_FOUND */
export async function released(
  { core, store, log }: Office,
  id: string,
): Promise<Release | undefined> {
  const row = await rowOf(store, id);
  const request = requestOfRow(core, row);
  const rows = await store.releases(row.hash);
  if (rows.length === 0) return undefined;
  const byRecord = new Map(rows.map((one) => [toHex(one.record), one]));
  const inOrder = request.records.flatMap((hash) => byRecord.get(toHex(hash)) ?? []);
  const places = [row.leaf, ...inOrder.map(({ leaf }) => leaf)];
  // All of a release came with one checkpoint.
  const [requested, ...proven] = await log.prove(store, places, inOrder[0]!.leaf);
  const releases = inOrder.map(({ record, wrap }, i) => ({ record, wrap, ...proven[i]! }));
  return { request, requested: requested!, releases };
}
