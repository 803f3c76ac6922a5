import { equalBytes, toHex, wipe } from "../bytes.js";
import type { Core } from "../core/index.js";
import { formatSerial, type Wrap } from "../envelope/index.js";
import { wrapFor } from "../envelope/wraps.js";
import { isAboutContent, TwinwrapError } from "../errors.js";
import {
  approvalHash,
  countApprovals,
  type Decision,
  decodeRequest,
  type EscrowRecord,
  encodeRequest,
  isProven,
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
import { markVerified, type Office, takesPadding } from "./intake.js";
import { requireUnfenced } from "./log.js";
import { checkBlock, type OpenKey, openCandidates, recordOfRow } from "./opening.js";
import { policyInForce, requirePolicy } from "./policies.js";
import type { Candidate, RecordRow, RequestRow, StoreReads, StoreWrites } from "./store/store.js";

// How keys go out: request, approvals, release. Whatever decides is read and verified again inside the
// transaction that acts on it.

/** Bits of a recipient's key at most: wrapping for a larger one costs the authority too much. */
const MAX_BITS = 8192;
/** How long a request is open at most, from when it came in: whatever its own clock said. */
const MAX_OPEN = 366 * 86_400_000;

/** Where a request stands. */
export interface Standing {
  row: RequestRow;
  request: RecoveryRequest;
  decision: Decision;
  /** In force now. */
  policy: Policy;
  /** The records asked for, in the request's order. */
  records: RecordRow[];
  /** When that was. */
  now: Date;
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
 * @throws TwinwrapError REFUSED if it is for another authority, has expired or expires too late, is for
 *   records that are not here, for a key or padding that this authority does not wrap for, or too few
 *   officers could ever approve it
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
    if (request.expires.getTime() > received.getTime() + MAX_OPEN) {
      throw refused(
        "the request expires more than 366 days from now: is the requester's clock right?",
      );
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
    const records = await recordsOf(writes, request);
    const row: RequestRow = {
      hash,
      id: requestId(hash),
      bytes: encodeRequest(request),
      status: "open",
      expires: request.expires,
      received,
    };
    const policy = await policyInForce(core, writes, authority);
    if (policy !== undefined) {
      const about = { row, request, records };
      const decision = await decide(core, writes, policy, about, {
        now: received,
        counts: isOpened,
      });
      if (decision.denied) {
        throw refused(
          `it could never be approved: policy ${policy.number} asks for ${policy.release} officers, and too few are neither the requester nor owners`,
        );
      }
    }
    await writes.insertRequest(row);
    return row;
  });
}

/** Whether it was shown that who wrote the record knew its key: never of one that is not proven. */
function isOpened({ verifiedLeaf }: RecordRow): boolean {
  return verifiedLeaf !== undefined;
}

/**
 * Asks a policy, from what is stored.
 * @param at.now the moment that it is decided for
 * @param at.counts whose owners keep out: not those of a record that nobody has opened yet, because
 *   anybody can send one that names any owner
 */
export async function decide(
  core: Core,
  reads: StoreReads,
  policy: Policy,
  { row, request, records }: Pick<Standing, "row" | "request" | "records">,
  { now, counts }: { now: Date; counts: (record: RecordRow) => boolean },
): Promise<Decision> {
  // A waiting period begins no earlier than the requester himself says that he asked.
  const received = row.received > request.created ? row.received : request.created;
  const owners = records.filter(counts).map((record) => recordOfRow(core, record).owner);
  const approvals = (await reads.approvals(row.hash)).map(({ note }) => note);
  return quorumPolicy(policy).decide(core, { request, approvals, owners, received, now });
}

/** A stored request, from the bytes that its hash names. @throws TwinwrapError FAULT if it was altered */
export function requestOfRow(core: Core, row: RequestRow): RecoveryRequest {
  let request: RecoveryRequest | undefined;
  try {
    request = decodeRequest(row.bytes);
  } catch (error) {
    if (!isAboutContent(error)) throw error;
  }
  const isRight =
    request !== undefined &&
    equalBytes(requestHash(core, request), row.hash) &&
    // The ID is what officers were told: it is made from the hash, whatever the store says.
    requestId(row.hash) === row.id &&
    request.expires.getTime() === row.expires.getTime();
  if (isRight) return request!;
  throw new TwinwrapError("FAULT", `the stored request ${row.id} was altered`);
}

async function rowOf(reads: StoreReads, id: string): Promise<RequestRow> {
  const row = await reads.requestById(parseRequestId(id));
  if (row === undefined) throw refused(`there is no request ${id} here`);
  return row;
}

/**
 * Reads and verifies everything a decision takes.
 * @param counts see {@link decide}
 * @throws TwinwrapError REFUSED if there is no such request, or no policy in force; FAULT
 */
export async function standingOf(
  { core, authority }: Office,
  reads: StoreReads,
  id: string,
  counts: (record: RecordRow) => boolean = isOpened,
): Promise<Standing> {
  const row = await rowOf(reads, id);
  const request = requestOfRow(core, row);
  const policy = await requirePolicy(core, reads, authority);
  const records = await recordsOf(reads, request);
  const now = new Date();
  const about = { row, request, records };
  const decision = await decide(core, reads, policy, about, { now, counts });
  return { ...about, decision, policy, now };
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
    await requireUnfenced(writes);
    await checkCounts(office, before, note);
    const denies = approval.decision === "deny";
    const time = new Date();
    const leaf: Leaf = { type: "veto", time, request: request.hash, approval: hash };
    const vetoLeaf = denies ? await log.append(writes, [leaf]) : undefined;
    await writes.insertApproval({ hash, request: request.hash, note, vetoLeaf });
    const after = await standingOf(office, writes, request.id);
    // Only a denial denies: whom a new policy or an owner keeps out may change again.
    if (!denies || !after.decision.denied) return after;
    await writes.setRequestStatus(request.hash, "denied");
    return { ...after, row: { ...after.row, status: "denied" } };
  });
}

/** @throws TwinwrapError REFUSED unless the note, by itself and with those before it, counts */
async function checkCounts(
  { core }: Office,
  { policy, request, records, decision, now }: Standing,
  note: string,
): Promise<void> {
  const owners = records.filter(isOpened).map((row) => recordOfRow(core, row).owner);
  const alone = await countApprovals(core, policy, request, [note], { now, owners });
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

export interface ReleaseOptions {
  /**
   * Releases the records that open, where others do not. That ends the request: what is missing has to
   * be asked for again.
   */
  partial?: boolean | undefined;
}

/**
 * Releases what is approved; what was released before is given again, the same bytes.
 * @throws TwinwrapError REFUSED with the reason why nothing is released, such as a key that is not proven
 *   and has another record's blob; PASSPHRASE_NEEDED;
 *   DECRYPTION_FAILED if no record's wrap is right, or some are not and the rest alone was not asked for
 */
export async function release(
  office: Office,
  id: string,
  options: ReleaseOptions = {},
): Promise<Release> {
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
  const prepared = await prepare(office, key, standing, options);
  await store.write((writes) => commit(office, writes, id, prepared));
  return (await released(office, id))!;
}

function checkApproved({ row, decision }: Standing): void {
  if (row.status === "denied") throw refused("the request was denied");
  if (decision.approved) return;
  const [ignored] = decision.count.ignored;
  const why = ignored === undefined ? "" : ` (one does not count: ${ignored.reason})`;
  throw refused(`nothing is released: ${decision.reason}${why}`);
}

async function prepare(
  { core, store }: Office,
  key: OpenKey,
  { request, records }: Standing,
  { partial = false }: ReleaseOptions,
): Promise<Prepared[]> {
  const { recipient, padding } = request;
  const prepared: Prepared[] = [];
  const missing: string[] = [];
  for (const row of records) {
    const record = recordOfRow(core, row);
    const candidates = await store.candidates(row.hash);
    for (const candidate of candidates) {
      await checkBlock(core, store, row.hash, record, candidate);
    }
    const { opened } = openCandidates(core, key, row, candidates);
    if (opened === undefined) {
      missing.push(formatSerial(record.serial));
      continue;
    }
    try {
      const to = { key: recipient, padding };
      const wrap = await wrapFor(core, opened.sessionKey, to, algorithmOf(record));
      prepared.push({ record: row.hash, candidate: opened.candidate, wrap });
    } finally {
      wipe(opened.sessionKey);
    }
  }
  if (missing.length === 0 || (partial && prepared.length > 0)) return prepared;
  const more = missing.length > 5 ? ` and ${missing.length - 5} more` : "";
  const rest =
    prepared.length === 0
      ? "send the right submissions in again"
      : "send the right submissions in again, or release the others alone (--partial), which ends the request";
  throw new TwinwrapError(
    "DECRYPTION_FAILED",
    `nothing is released: of the ${records.length} records, ${missing.length} without a wrap that opens (${missing.slice(0, 5).join(", ")}${more}): ${rest}`,
  );
}

/** What a release's SIMPLEBLOB says that its key is for: what the one that came in said. */
function algorithmOf({ blob }: EscrowRecord): { aiKeyAlg?: number } {
  return blob === undefined ? {} : { aiKeyAlg: blob.aiKeyAlg };
}

/** The transaction of a release: decides again, and either everything of it is there or nothing. */
async function commit(
  office: Office,
  writes: StoreWrites,
  id: string,
  prepared: readonly Prepared[],
): Promise<void> {
  const { core, log } = office;
  // Those that were opened just now are as good as verified: their owners keep out, too.
  const opened = new Set(prepared.map(({ record }) => toHex(record)));
  const counts = (row: RecordRow) =>
    isOpened(row) || (opened.has(toHex(row.hash)) && isProven(recordOfRow(core, row)));
  const standing = await standingOf(office, writes, id, counts);
  const { row: request, decision, policy, now } = standing;
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
    const about = recordOfRow(core, row);
    // Somebody may have proven since then that the blob is his.
    await checkBlock(core, writes, record, about, candidate);
    const { owner, blind } = about;
    const secret = await writes.ownerSecret(owner);
    if (secret === undefined) throw new TwinwrapError("FAULT", "the owner's secret is missing");
    const leaf = start + leaves.length;
    leaves.push({
      type: "release",
      time: now,
      record,
      owner: ownerTag(core, secret, record),
      request: request.hash,
      policy: policy.hash,
      approvals: decision.approvals,
      recipient: recipientTag(core, blind, fingerprint),
    });
    await writes.insertRelease({ request: request.hash, record, wrap, leaf });
    const { verifiedLeaf } = (await writes.record(record))!;
    await writes.updateRecord({ hash: record, status: "released", verifiedLeaf });
  }
  await log.append(writes, leaves);
  await writes.setRequestStatus(request.hash, "released");
}

/** What was released for a request; undefined if nothing was. @throws TwinwrapError REFUSED */
export async function released(
  { core, store, log }: Office,
  id: string,
): Promise<Release | undefined> {
  const row = await rowOf(store, id);
  const request = requestOfRow(core, row);
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
