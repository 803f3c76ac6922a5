import { equalBytes, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import type { Padding } from "../envelope/index.js";
import { isWrapFor } from "../envelope/wraps.js";
import { isAboutContent, type TwinwrapError } from "../errors.js";
import { approvalHash, parseApproval } from "../escrow/approval.js";
import { isBoundWrap } from "../escrow/blob-submission.js";
import { wrapKeyOf } from "../escrow/chain.js";
import { parseIdentity } from "../escrow/identity.js";
import type {
  AnnounceLeaf,
  Authority,
  AuthorityLeaf,
  EnrolLeaf,
  EscrowRecord,
  KnownLeaf,
  RecoveryRequest,
  ReleaseLeaf,
  RequestLeaf,
  UnprovenRecord,
} from "../escrow/index.js";
import { decodeLeaf } from "../escrow/leaf.js";
import { isProven } from "../escrow/record.js";
import { recipientFingerprint } from "../escrow/request.js";
import { enrolTag, recipientTag } from "../escrow/submission.js";
import { vetoHash } from "../escrow/veto.js";
import { CLOCK_SKEW } from "./clock.js";
import { fault } from "./nodes.js";
import type { Office } from "./office.js";
import { hasColumnsOf, recordOfRow } from "./opening.js";
import { OwnerSecrets } from "./owners.js";
import { type PolicyState, policyStates } from "./policies.js";
import { requestOfRow } from "./request-row.js";
import { askedOf, decide, ownerTags } from "./requests.js";
import { indexOf } from "./store/place.js";
import type {
  Candidate,
  EnrolmentRow,
  LogEntry,
  NoteRow,
  RecordRow,
  RequestRow,
  StoreReads,
} from "./store/store.js";
import { vetoesOf } from "./vetoes.js";

/** What an audit is made with. */
export type Auditor = Pick<Office, "core" | "authority" | "chain">;

/** What the rows of a page are compared with. */
interface Beside {
  /** The records that are released on it, by hash. */
  released: Map<string, RecordRow | undefined>;
  secrets: OwnerSecrets;
  /** The wraps of the records whose leaves it has, by hash. */
  wraps: Map<string, Candidate[]>;
}

/** A request that was released, and what its release has to say. */
interface ReleaseFacts {
  request: RecoveryRequest;
  fingerprint: Uint8Array;
  approvals: Uint8Array;
}

/** The rows of the store, compared with the leaves that they stand on. */
export class Rows {
  readonly #core: Core;
  readonly #reads: StoreReads;
  readonly #authority: Authority;
  readonly #policies: PolicyState[];
  readonly #identities: { leaf: number; paddings: readonly Padding[] }[];
  /** The last release looked at: those of one request stand one after the other. */
  #release: { of: string; facts: ReleaseFacts } | undefined;
  /** Of the last leaf: times never go back. */
  #time: Date | undefined;
  /** Types of leaves that this edition does not know, and how often each is there. */
  readonly unknown = new Map<string, number>();

  private constructor(
    { core, authority }: Auditor,
    reads: StoreReads,
    policies: PolicyState[],
    identities: readonly NoteRow[],
  ) {
    this.#core = core;
    this.#reads = reads;
    this.#authority = authority;
    this.#policies = policies;
    this.#identities = identities.flatMap(({ leaf, note }) =>
      leaf === undefined ? [] : [{ leaf, paddings: parseIdentity(core, note).paddings }],
    );
  }

  /** @throws TwinwrapError NOT_VERIFIED or FAULT if the policies are not what was signed */
  static async begin(auditor: Auditor, reads: StoreReads): Promise<Rows> {
    const policies = await policyStates(auditor, reads);
    const { authority } = await auditor.chain.read(reads);
    return new Rows({ ...auditor, authority }, reads, policies, await reads.identities());
  }

  /**
   * Every leaf stands for one row, and that row says the same.
   * @param from the place of the first one
   * @throws TwinwrapError FAULT
   */
  async check(leaves: readonly string[], from: number): Promise<void> {
    const entries = await this.#reads.entries(from, from + leaves.length);
    const beside = await this.#beside(entries);
    let at = 0;
    for (const [i, text] of leaves.entries()) {
      const place = from + i;
      const leaf = decodeLeaf(text);
      this.#checkTime(leaf.time, place);
      if (leaf.type === "unknown") {
        this.unknown.set(leaf.name, (this.unknown.get(leaf.name) ?? 0) + 1);
        continue;
      }
      const entry = entries[at++];
      if (entry?.leaf !== place) throw unmatched(place);
      const wrong = await this.#wrong(entry, leaf, beside);
      if (wrong === undefined) continue;
      throw fault(
        `leaf ${indexOf(place)} (${entry.type}) is not what the store has for it: ${wrong}`,
      );
    }
    if (at < entries.length) throw unmatched(entries[at]!.leaf);
  }

  #checkTime(time: Date, place: number): void {
    // A log that a wrong clock brought ahead of the time ends, and the next one begins with the right time.
    const isFirst = indexOf(place) === 0;
    if (!isFirst && this.#time !== undefined && time < this.#time) {
      throw fault(`leaf ${indexOf(place)} is older than the one before it`);
    }
    this.#time = time;
  }

  /** Reads what a page's rows are compared with, all at once. */
  async #beside(entries: readonly LogEntry[]): Promise<Beside> {
    const hashes = entries.flatMap((entry) => (entry.type === "release" ? [entry.row.record] : []));
    const found = await this.#reads.recordsByHash(hashes);
    const released = new Map(hashes.map((hash, i) => [toHex(hash), found[i]]));
    const stored = entries.flatMap((entry) => ("isReleased" in entry ? [entry.row] : []));
    const rows = [...stored, ...found.filter((row) => row !== undefined)];
    const secrets = await OwnerSecrets.read(
      this.#reads,
      rows.map(({ owner }) => owner),
    );
    const hashesOfStored = stored.map(({ hash }) => hash);
    const candidates = await this.#reads.candidatesOf(hashesOfStored);
    const wraps = new Map(hashesOfStored.map((hash, i) => [toHex(hash), candidates[i]!]));
    return { released, secrets, wraps };
  }

  /** What differs, in words. */
  async #wrong(entry: LogEntry, leaf: KnownLeaf, beside: Beside): Promise<string | undefined> {
    if (leaf.type !== entry.type) return "its type";
    const of = <Type extends KnownLeaf["type"]>(_: Type) =>
      leaf as Extract<KnownLeaf, { type: Type }>;
    switch (entry.type) {
      case "escrow":
      case "verified": {
        const { record, owner } = of("verified");
        const isRight = equalBytes(record, entry.row.hash);
        return isRight ? this.#wrongRecord(entry, owner, beside) : "the record";
      }
      case "request":
        return this.#wrongRequest(entry.row, of("request"));
      case "release":
        return this.#wrongRelease(entry, of("release"), beside);
      case "denial": {
        const { approval, request } = of("denial");
        // The row is checked with the request's other approvals.
        const isRight =
          equalBytes(approval, approvalHash(this.#core, entry.row.note)) &&
          equalBytes(request, entry.row.request) &&
          (await this.#reads.request(request)) !== undefined;
        return isRight ? undefined : "the denial, or its request";
      }
      case "veto": {
        const { request, veto } = of("veto");
        // Its signature is verified with the request.
        const isRight =
          equalBytes(veto, vetoHash(this.#core, entry.row.note)) &&
          equalBytes(veto, entry.row.hash) &&
          equalBytes(request, entry.row.request);
        return isRight ? undefined : "the veto, or its request";
      }
      case "enrol":
        return this.#wrongEnrolment(entry.row, of("enrol"));
      case "announce":
        return this.#wrongAnnouncement(entry.row, of("announce"));
      // policyStates compared policies with their leaves.
      case "policy":
        return undefined;
      case "authority":
        return this.#wrongIdentity(entry.row, of("authority"));
    }
  }

  #wrongIdentity(row: NoteRow, leaf: AuthorityLeaf): string | undefined {
    const { hash, number } = parseIdentity(this.#core, row.note);
    const isRight =
      leaf.number === number &&
      row.number === number &&
      equalBytes(leaf.identity, hash) &&
      equalBytes(row.hash, hash);
    return isRight ? undefined : "the identity";
  }

  /** The policy in force before a leaf came. */
  #policyBefore(place: number): PolicyState | undefined {
    return this.#policies.filter(({ row: { leaf } }) => leaf !== undefined && leaf < place).at(-1);
  }

  #wrongAnnouncement(row: NoteRow, leaf: AnnounceLeaf): string | undefined {
    const before = this.#policyBefore(row.announceLeaf!)?.policy;
    const end = leaf.time.getTime() + (before?.waiting ?? 0) * 1000;
    return leaf.notbefore.getTime() === end ? undefined : "until when the policy waits";
  }

  async #wrongEnrolment(
    { owner, control }: EnrolmentRow,
    leaf: EnrolLeaf,
  ): Promise<string | undefined> {
    const secrets = await OwnerSecrets.read(this.#reads, [owner]);
    const tag = enrolTag(this.#core, secrets.secret(owner));
    if (!this.#core.equal(tag, leaf.owner)) return "the owner's secret";
    return equalBytes(this.#core.sha256(control), leaf.control) ? undefined : "the control key";
  }

  async #wrongRequest(row: RequestRow, leaf: RequestLeaf): Promise<string | undefined> {
    if (!equalBytes(leaf.request, row.hash)) return "the request";
    const { request, records, vetoes } = await askedOf(this.#core, this.#reads, row);
    const policy = this.#policyBefore(row.leaf)?.policy;
    if (policy === undefined || !equalBytes(policy.hash, leaf.policy)) return "the policy";
    const end = leaf.time.getTime() + policy.waiting * 1000;
    if (leaf.notbefore.getTime() !== end || leaf.notbefore >= leaf.expires) {
      return "until when the request waits";
    }
    if (request.created.getTime() > leaf.time.getTime() + CLOCK_SKEW) {
      return "when the request was made";
    }
    const tags = await ownerTags(this.#core, this.#reads, records, row.hash);
    const isRight =
      tags.length === leaf.owners.length &&
      tags.every((tag, i) => equalBytes(tag, leaf.owners[i]!)) &&
      vetoes.length === (await this.#reads.vetoes(row.hash)).length;
    return isRight ? undefined : "the owners";
  }

  #wrongRecord(
    { leaf, row, isReleased }: Extract<LogEntry, { isReleased: boolean }>,
    tag: Uint8Array,
    { secrets, wraps }: Beside,
  ): string | undefined {
    if (!this.#core.equal(secrets.tag(this.#core, row.owner, row.hash), tag)) {
      return "the owner's secret";
    }
    // A record that was verified later stands on two leaves: once is enough for the rest.
    if (leaf !== (row.verifiedLeaf ?? row.escrowLeaf)) return undefined;
    const record = recordOfRow(this.#core, row);
    if (!hasColumnsOf(row, record)) return `a column of record ${toHex(row.hash)}`;
    if (record.authority !== this.#authority.origin) return "the authority of the record";
    const held = wraps.get(toHex(row.hash))!;
    const wrong = this.#wrongWraps(row, held);
    if (wrong !== undefined) return wrong;
    if (!isProven(record)) return this.#wrongUnproven(row, record, isReleased, held);
    const status =
      row.verifiedLeaf === undefined ? "unverified" : isReleased ? "released" : "verified";
    return row.status === status ? undefined : `the status of record ${toHex(row.hash)}`;
  }

  /** Nothing shows that its wrap opens, but the record names the wrap, released or not. */
  #wrongUnproven(
    { hash, status, verifiedLeaf }: RecordRow,
    record: UnprovenRecord,
    isReleased: boolean,
    [candidate]: readonly Candidate[],
  ): string | undefined {
    const isRight = verifiedLeaf === undefined && status === (isReleased ? "released" : "unproven");
    if (!isRight) return `the status of record ${toHex(hash)}`;
    const isBound =
      candidate !== undefined &&
      candidate.tag === undefined &&
      isBoundWrap(this.#core, record, candidate.wrap);
    return isBound ? undefined : `the blob of record ${toHex(hash)} is not the one that it names`;
  }

  /** Each wrap is for a key of the authority, as an identity took it that was in force at the record's leaf or later. */
  #wrongWraps(
    { hash, status, escrowLeaf, verifiedLeaf }: RecordRow,
    candidates: readonly Candidate[],
  ): string | undefined {
    const name = toHex(hash);
    if (status !== "unverified" && candidates.length !== 1) return `the wrap of record ${name}`;
    const first = (escrowLeaf ?? verifiedLeaf)!;
    // An identity is in force until the next one's leaf.
    const since = this.#identities.filter((_, i) => {
      const next = this.#identities[i + 1];
      return next === undefined || next.leaf > first;
    });
    for (const { wrap } of candidates) {
      const isTaken =
        wrapKeyOf(this.#authority, wrap.fingerprint) !== undefined &&
        since.some(({ paddings }) => paddings.includes(wrap.padding));
      if (isTaken) continue;
      const about = `${toHex(wrap.fingerprint)} (${wrap.padding})`;
      return `a wrap of record ${name} for ${about}, which was never taken`;
    }
    return undefined;
  }

  async #wrongRelease(
    { row, leaf: index }: Extract<LogEntry, { type: "release" }>,
    leaf: ReleaseLeaf,
    { released, secrets }: Beside,
  ): Promise<string | undefined> {
    if (!equalBytes(leaf.record, row.record)) return "the record";
    if (!equalBytes(leaf.request, row.request)) return "the request";
    const stored = released.get(toHex(row.record));
    if (stored === undefined) return "the record is missing";
    const { request, fingerprint, approvals } = await this.#factsOf(leaf, index);
    const record: EscrowRecord = recordOfRow(this.#core, stored);
    if (!this.#core.equal(secrets.tag(this.#core, record.owner, row.record), leaf.owner)) {
      return "the owner's secret";
    }
    const recipient = recipientTag(this.#core, record.blind, fingerprint);
    if (!this.#core.equal(recipient, leaf.recipient)) return "the recipient";
    const { wrap } = row;
    const isFor = equalBytes(wrap.fingerprint, fingerprint) && wrap.padding === request.padding;
    if (!isFor || !isWrapFor(wrap, request.recipient, algorithmsOf(record))) return "the wrap";
    if (!request.records.some((one) => equalBytes(one, row.record))) return "the request's records";
    return equalBytes(approvals, leaf.approvals) ? undefined : "the approvals";
  }

  /** Decides again about a request, as of its release. */
  async #factsOf(leaf: ReleaseLeaf, place: number): Promise<ReleaseFacts> {
    const of = `${toHex(leaf.request)} ${leaf.time.getTime()} ${toHex(leaf.policy)} ${leaf.basis}`;
    if (this.#release?.of === of) return this.#release.facts;
    const core = this.#core;
    const what = `leaf ${indexOf(place)} (release)`;
    const row = await this.#reads.request(leaf.request);
    if (row === undefined) throw fault(`the request of ${what} is missing`);
    if (row.leaf >= place) throw fault(`${what} stands before its request`);
    const asked = await askedOf(core, this.#reads, row);
    const policy = this.#policyBefore(place)?.policy;
    if (policy === undefined || !equalBytes(policy.hash, leaf.policy)) {
      throw fault(`${what} names another policy than the one in force then`);
    }
    const released = new Set(
      (await this.#reads.releases(row.hash)).map(({ record }) => toHex(record)),
    );
    // An unproven record keeps nobody out.
    const counts = ({ hash, verifiedLeaf }: RecordRow) =>
      verifiedLeaf !== undefined && (verifiedLeaf < place || released.has(toHex(hash)));
    const vetoes = (await vetoesOf(core, this.#reads, row))
      .filter((veto) => veto.leaf < place)
      .map(({ owner }) => owner);
    const approvals = (await this.#reads.approvals(row.hash)).map(({ note }) => note);
    const at = { now: leaf.time, counts };
    const decision = await decide(core, policy, { ...asked, vetoes }, approvals, at);
    if (!decision.approved) throw fault(`${what} lacks approvals: ${decision.reason}`);
    if (decision.basis !== leaf.basis) {
      throw fault(`${what} says ${leaf.basis}, but its approvals are the ${decision.basis}`);
    }
    const { request } = asked;
    const fingerprint = recipientFingerprint(core, request);
    const facts = { request, fingerprint, approvals: decision.approvals };
    this.#release = { of, facts };
    return facts;
  }

  /** What stands on no leaf: requests and approvals, by their own hashes. */
  async end(): Promise<void> {
    let cursor: string | undefined;
    do {
      const page = await this.#reads.requests({}, cursor === undefined ? {} : { cursor });
      for (const row of page.rows) await this.#checkRequest(row);
      cursor = page.next;
    } while (cursor !== undefined);
  }

  async #checkRequest(row: RequestRow): Promise<void> {
    const request = requestOfRow(this.#core, row);
    const approvals = await this.#reads.approvals(row.hash);
    for (const { hash, note, request: of, denialLeaf } of approvals) {
      const approval = tried(() => parseApproval(note));
      const isRight =
        approval !== undefined &&
        equalBytes(approvalHash(this.#core, note), hash) &&
        equalBytes(approval.request, of) &&
        (approval.decision === "deny") === (denialLeaf !== undefined);
      if (!isRight) throw fault(`an approval of request ${row.id} was altered`);
    }
    const isReleased = (await this.#reads.releases(row.hash)).length > 0;
    const isRight =
      request.authority === this.#authority.origin &&
      isReleased === (row.status === "released") &&
      (row.status !== "denied" || approvals.some(({ denialLeaf }) => denialLeaf !== undefined));
    if (!isRight) throw fault(`the status of request ${row.id} was altered`);
  }
}

function unmatched(place: number): TwinwrapError {
  return fault(`leaf ${indexOf(place)} belongs to no entry of the store, or to several`);
}

/** The ALG_IDs that a release of the record can have. */
function algorithmsOf({ blob }: EscrowRecord): number[] | undefined {
  return blob && [blob.aiKeyAlg];
}

/** A value that can't be read is as wrong as a different one. */
function tried<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isAboutContent(error)) return undefined;
    throw error;
  }
}
