import { equalBytes, toHex, wipe } from "../bytes.js";
import type { PreparedRsaPrivateKey } from "../core/index.js";
import { formatSerial, type Wrap } from "../envelope/index.js";
import { wrapFor } from "../envelope/wraps.js";
import { TwinwrapError } from "../errors.js";
import {
  approvalHash,
  countApprovals,
  type Decision,
  decodeRecord,
  decodeRequest,
  encodeRequest,
  type Leaf,
  ownerTag,
  type Policy,
  parseApproval,
  parseRequestId,
  quorumPolicy,
  type RecoveryRequest,
  type Release,
  recipientFingerprint,
  recipientTag,
  requestHash,
  requestId,
} from "../escrow/index.js";
import { markVerified, type Office, openCandidates } from "./intake.js";
import { requirePolicy } from "./policies.js";
import type { Candidate, RecordRow, RequestRow, StoreReads, StoreWrites } from "./store.js";

// How keys go out: request, approvals, release. Whatever decides is read and verified again inside the
// transaction that acts on it.

/** Where a request stands. */
export interface Standing {
  row: RequestRow;
  request: RecoveryRequest;
  decision: Decision;
  /** In force now. */
  policy: Policy;
  /** The records asked for, in the request's order. */
  records: RecordRow[];
}

function refused(message: string): TwinwrapError {
  return new TwinwrapError("REFUSED", message);
}

/** The records, and the request's hex hashes of those that are not there. */
async function recordsOf(reads: StoreReads, { records }: RecoveryRequest): Promise<RecordRow[]> {
  const rows: RecordRow[] = [];
  const unknown: Uint8Array[] = [];
  for (const hash of records) {
    const row = await reads.record(hash);
    if (row === undefined) unknown.push(hash);
    else rows.push(row);
  }
  if (unknown.length === 0) return rows;
  const more = unknown.length > 1 ? ` and ${unknown.length - 1} more` : "";
  throw refused(
    `the request is for records that this authority does not have: ${toHex(unknown[0]!)}${more}`,
  );
}

/**
 * Takes a request; one that is there already is left as it is.
 * @throws TwinwrapError REFUSED if it is for another authority, has expired, or is for records that
 *   are not here
 */
export async function takeRequest(office: Office, request: RecoveryRequest): Promise<RequestRow> {
  const { core, store, authority } = office;
  const hash = requestHash(core, request);
  return store.write(async (writes) => {
    const present = await writes.request(hash);
    if (present !== undefined) return present;
    const received = new Date();
    if (request.authority !== authority.origin) {
      throw refused(`the request is for another authority, ${request.authority}`);
    }
    if (request.expires <= received) throw refused("the request has expired");
    await recordsOf(writes, request);
    const row: RequestRow = {
      hash,
      id: requestId(hash),
      bytes: encodeRequest(request),
      status: "open",
      expires: request.expires,
      received,
    };
    await writes.insertRequest(row);
    return row;
  });
}

async function rowOf(reads: StoreReads, id: string): Promise<RequestRow> {
  const row = await reads.requestById(parseRequestId(id));
  if (row === undefined) throw refused(`there is no request ${id} here`);
  // The ID is what officers were told: it is made from the hash, whatever the store says.
  if (requestId(row.hash) !== row.id) {
    throw new TwinwrapError("FAULT", `the stored request ${id} was altered`);
  }
  return row;
}

/**
 * Reads and verifies everything a decision takes.
 * @throws TwinwrapError REFUSED if there is no such request, or no policy in force
 */
export async function standingOf(
  { core, authority }: Office,
  reads: StoreReads,
  id: string,
): Promise<Standing> {
  const row = await rowOf(reads, id);
  const request = decodeRequest(row.bytes);
  if (!equalBytes(requestHash(core, request), row.hash)) {
    throw new TwinwrapError("FAULT", `the stored request ${id} was altered`);
  }
  const policy = await requirePolicy(core, reads, authority);
  const records = await recordsOf(reads, request);
  const approvals = await reads.approvals(row.hash);
  const decision = await quorumPolicy(policy).decide(core, {
    request,
    approvals: approvals.map(({ note }) => note),
    owners: records.map(({ owner }) => owner),
    received: row.received,
    now: new Date(),
  });
  return { row, request, decision, policy, records };
}

/**
 * Takes an approval or a denial; one that is there already is left as it is. A denial goes into the
 * log, and ends the request if too few officers are left.
 * @throws TwinwrapError REFUSED with the reason why it would not count; BAD_FORMAT
 */
export async function takeApproval(office: Office, note: string): Promise<Standing> {
  const { core, store, log } = office;
  const approval = parseApproval(note);
  const hash = approvalHash(core, note);
  return store.write(async (writes) => {
    const request = await writes.request(approval.request);
    if (request === undefined) throw refused("it is for a request that is not here");
    const before = await standingOf(office, writes, request.id);
    const known = await writes.approvals(request.hash);
    if (known.some((other) => equalBytes(other.hash, hash))) return before;
    if (request.status !== "open") throw refused(`the request is ${request.status} already`);
    await checkCounts(office, before, note);
    const denies = approval.decision === "deny";
    const time = new Date();
    const leaf: Leaf = { type: "veto", time, request: request.hash, approval: hash };
    const vetoLeaf = denies ? await log.append(writes, [leaf]) : undefined;
    await writes.insertApproval({ hash, request: request.hash, note, vetoLeaf });
    const after = await standingOf(office, writes, request.id);
    if (!after.decision.denied) return after;
    await writes.setRequestStatus(request.hash, "denied");
    return { ...after, row: { ...after.row, status: "denied" } };
  });
}

/** @throws TwinwrapError REFUSED unless the note, by itself and with those before it, counts */
async function checkCounts(
  { core }: Office,
  { policy, request, records, decision }: Standing,
  note: string,
): Promise<void> {
  const owners = records.map(({ owner }) => owner);
  const alone = await countApprovals(core, policy, request, [note], { now: new Date(), owners });
  const [ignored] = alone.ignored;
  if (ignored !== undefined) throw refused(`the approval does not count: ${ignored.reason}`);
  const [{ officer, approval }] = [...alone.approving, ...alone.denying] as [
    (typeof alone.approving)[0],
  ];
  const isHis = (other: { officer: { key: Uint8Array } }) =>
    equalBytes(other.officer.key, officer.key);
  if (decision.count.denying.some(isHis)) throw refused(`${officer.name} has denied it already`);
  if (approval.decision === "approve" && decision.count.approving.some(isHis)) {
    throw refused(`${officer.name} has approved it already`);
  }
}

/** A session key that was opened and wrapped again, before it is decided whether it goes out. */
interface Prepared {
  record: Uint8Array;
  candidate: Candidate;
  wrap: Wrap;
}

/**
 * Releases what is approved; what was released before is given again, the same bytes.
 * @param key the authority's RSA key; undefined while it is locked
 * @throws TwinwrapError REFUSED with the reason why nothing is released; PASSPHRASE_NEEDED;
 *   DECRYPTION_FAILED if no record's wrap is right
 */
export async function release(office: Office, id: string): Promise<Release> {
  const { store, key } = office;
  const before = await released(office, id);
  if (before !== undefined) return before;
  const standing = await standingOf(office, store, id);
  checkApproved(standing);
  if (key === undefined) {
    throw new TwinwrapError(
      "PASSPHRASE_NEEDED",
      "it is approved; the authority's RSA key has to be opened to release it",
    );
  }
  const prepared = await prepare(office, key, standing);
  await store.write((writes) => commit(office, writes, id, prepared));
  return (await released(office, id))!;
}

function checkApproved({ row, decision }: Standing): void {
  if (row.status === "denied") throw refused("the request was denied");
  if (!decision.approved) throw refused(`nothing is released: ${decision.reason}`);
}

async function prepare(
  { core, store }: Office,
  key: PreparedRsaPrivateKey,
  { request, records }: Standing,
): Promise<Prepared[]> {
  const { recipient, padding } = request;
  const prepared: Prepared[] = [];
  for (const row of records) {
    const opened = openCandidates(core, key, row, await store.candidates(row.hash));
    if (opened === undefined) continue;
    try {
      const wrap = await wrapFor(core, opened.sessionKey, { key: recipient, padding });
      prepared.push({ record: row.hash, candidate: opened.candidate, wrap });
    } finally {
      wipe(opened.sessionKey);
    }
  }
  if (prepared.length > 0) return prepared;
  const serials = records.map(({ serial }) => formatSerial(serial)).join(", ");
  throw new TwinwrapError("DECRYPTION_FAILED", `no wrap opens for ${serials}`);
}

/** The transaction of a release: decides again, and either everything of it is there or nothing. */
async function commit(
  office: Office,
  writes: StoreWrites,
  id: string,
  prepared: readonly Prepared[],
): Promise<void> {
  const { core, log } = office;
  const standing = await standingOf(office, writes, id);
  const { row: request, decision, policy } = standing;
  // Somebody else was first: what he released is what there is.
  if (request.status === "released") return;
  checkApproved(standing);
  const fingerprint = recipientFingerprint(core, standing.request);
  const start = await log.size(writes);
  const leaves: Leaf[] = [];
  for (const { record, candidate, wrap } of prepared) {
    const row = (await writes.record(record))!;
    if (row.status === "unverified") {
      leaves.push(await markVerified(core, writes, row, candidate, start + leaves.length));
    }
    const secret = await writes.ownerSecret(row.owner);
    if (secret === undefined) throw new TwinwrapError("FAULT", "the owner's secret is missing");
    const leaf = start + leaves.length;
    leaves.push({
      type: "release",
      time: new Date(),
      record,
      owner: ownerTag(core, secret, record),
      request: request.hash,
      policy: policy.hash,
      approvals: decision.approvals,
      recipient: recipientTag(core, decodeRecord(row.core).blind, fingerprint),
    });
    await writes.insertRelease({ request: request.hash, record, wrap, leaf });
    const { verifiedLeaf } = (await writes.record(record))!;
    await writes.updateRecord({ hash: record, status: "released", verifiedLeaf });
  }
  await log.append(writes, leaves);
  await writes.setRequestStatus(request.hash, "released");
}

/** What was released for a request; undefined if nothing was. @throws TwinwrapError REFUSED */
export async function released({ store, log }: Office, id: string): Promise<Release | undefined> {
  const row = await rowOf(store, id);
  const request = decodeRequest(row.bytes);
  const rows = await store.releases(row.hash);
  if (rows.length === 0) return undefined;
  const byRecord = new Map(rows.map((one) => [toHex(one.record), one]));
  const releases: Release["releases"] = [];
  for (const hash of request.records) {
    const one = byRecord.get(toHex(hash));
    if (one === undefined) continue;
    const { record, wrap, leaf } = one;
    releases.push({ record, wrap, ...(await log.prove(store, leaf)) });
  }
  return { request, releases };
}
