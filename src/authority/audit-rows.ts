import { equalBytes, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { isWrapFor } from "../envelope/wraps.js";
import { isAboutContent } from "../errors.js";
import {
  type Authority,
  approvalHash,
  decodeLeaf,
  type EscrowRecord,
  isBoundWrap,
  isProven,
  type Leaf,
  parseApproval,
  parseIdentity,
  type RecoveryRequest,
  type ReleaseLeaf,
  recipientFingerprint,
  recipientTag,
  type UnprovenRecord,
} from "../escrow/index.js";
import { takesPadding } from "./intake.js";
import { fault } from "./nodes.js";
import type { Office } from "./office.js";
import { hasColumnsOf, recordOfRow } from "./opening.js";
import { OwnerSecrets } from "./owners.js";
import { type PolicyState, policyStates } from "./policies.js";
import { decide, requestOfRow } from "./requests.js";
import type { LogEntry, RecordRow, RequestRow, StoreReads } from "./store/store.js";

/** What an audit is made with. */
export type Auditor = Pick<Office, "core" | "authority" | "notes">;

/** What the rows of a page are compared with. */
interface Beside {
  /** The records that are released on it, by hash. */
  released: Map<string, RecordRow | undefined>;
  secrets: OwnerSecrets;
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
  /** The last release looked at: those of one request stand one after the other. */
  #release: { of: string; facts: ReleaseFacts } | undefined;

  private constructor({ core, authority }: Auditor, reads: StoreReads, policies: PolicyState[]) {
    this.#core = core;
    this.#reads = reads;
    this.#authority = authority;
    this.#policies = policies;
  }

  /** @throws TwinwrapError NOT_VERIFIED or FAULT if the policies are not what was signed */
  static async begin(auditor: Auditor, reads: StoreReads): Promise<Rows> {
    return new Rows(auditor, reads, await policyStates(auditor, reads));
  }

  /** Every leaf stands for one row, and that row says the same. @throws TwinwrapError FAULT */
  async check(leaves: readonly string[], from: number): Promise<void> {
    const entries = await this.#reads.entries(from, from + leaves.length);
    if (entries.some(({ leaf }, i) => leaf !== from + i) || entries.length !== leaves.length) {
      throw fault(
        `of the leaves from ${from} on, one belongs to no entry of the store or to several`,
      );
    }
    const beside = await this.#beside(entries);
    for (const [i, text] of leaves.entries()) {
      const entry = entries[i]!;
      const wrong = await this.#wrong(entry, decodeLeaf(text), beside);
      if (wrong === undefined) continue;
      throw fault(`leaf ${entry.leaf} (${entry.type}) is not what the store has for it: ${wrong}`);
    }
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
    return { released, secrets };
  }

  /** What differs, in words. */
  async #wrong(entry: LogEntry, leaf: Leaf, beside: Beside): Promise<string | undefined> {
    if ("isReleased" in entry) {
      const isRight = leaf.type === entry.type && equalBytes(leaf.record, entry.row.hash);
      return isRight ? this.#wrongRecord(entry, leaf.owner, beside) : "the record";
    }
    if (entry.type === "release") {
      return leaf.type === "release" ? this.#wrongRelease(entry, leaf, beside) : "its type";
    }
    if (entry.type === "veto") {
      const { request, note } = entry.row;
      // Its row is checked with the request's other approvals.
      const isRight =
        leaf.type === "veto" &&
        equalBytes(leaf.approval, approvalHash(this.#core, note)) &&
        equalBytes(leaf.request, request) &&
        (await this.#reads.request(request)) !== undefined;
      return isRight ? undefined : "the denial, or its request";
    }
    const { row } = entry;
    if (leaf.type !== entry.type) return "its type";
    // policyStates compared policies with their leaves.
    if (leaf.type !== "authority") return undefined;
    const { hash, number } = parseIdentity(this.#core, row.note);
    const isRight =
      leaf.number === number &&
      row.number === number &&
      equalBytes(leaf.identity, hash) &&
      equalBytes(row.hash, hash);
    return isRight ? undefined : "the identity";
  }

  async #wrongRecord(
    { leaf, row, isReleased }: Extract<LogEntry, { isReleased: boolean }>,
    tag: Uint8Array,
    { secrets }: Beside,
  ): Promise<string | undefined> {
    if (!this.#core.equal(secrets.tag(this.#core, row.owner, row.hash), tag)) {
      return "the owner's secret";
    }
    // A record that was verified later stands on two leaves: once is enough for the rest.
    if (leaf !== (row.verifiedLeaf ?? row.escrowLeaf)) return undefined;
    const record = recordOfRow(this.#core, row);
    if (!hasColumnsOf(row, record)) return `a column of record ${toHex(row.hash)}`;
    if (record.authority !== this.#authority.origin) return "the authority of the record";
    if (!isProven(record)) return this.#wrongUnproven(row, record, isReleased);
    const status =
      row.verifiedLeaf === undefined ? "unverified" : isReleased ? "released" : "verified";
    return row.status === status ? undefined : `the status of record ${toHex(row.hash)}`;
  }

  /** Nothing shows that its wrap opens, but the record names the wrap. */
  async #wrongUnproven(
    { hash, status, verifiedLeaf }: RecordRow,
    record: UnprovenRecord,
    isReleased: boolean,
  ): Promise<string | undefined> {
    const isRight = verifiedLeaf === undefined && status === (isReleased ? "released" : "unproven");
    if (!isRight) return `the status of record ${toHex(hash)}`;
    const [candidate, ...others] = (await this.#reads.candidatesOf([hash]))[0]!;
    const isBound =
      candidate !== undefined &&
      others.length === 0 &&
      candidate.tag === undefined &&
      isBoundWrap(this.#core, record, candidate.wrap);
    return isBound ? undefined : `the blob of record ${toHex(hash)}`;
  }

  async #checkWraps(): Promise<void> {
    const { kinds, odd } = await this.#reads.wrapFacts();
    if (odd !== undefined) throw fault(`record ${toHex(odd)} lacks the wrap that was opened`);
    const { wrapFingerprints } = this.#authority;
    for (const { fingerprint, padding } of kinds) {
      const isKnown = wrapFingerprints.some((known) => equalBytes(known, fingerprint));
      if (isKnown && takesPadding(this.#authority, padding)) continue;
      throw fault(`there are wraps for ${toHex(fingerprint)} (${padding}), which were never taken`);
    }
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
  async #factsOf(leaf: ReleaseLeaf, index: number): Promise<ReleaseFacts> {
    const of = `${toHex(leaf.request)} ${leaf.time.getTime()} ${toHex(leaf.policy)}`;
    if (this.#release?.of === of) return this.#release.facts;
    const core = this.#core;
    const row = await this.#reads.request(leaf.request);
    if (row === undefined) throw fault(`the request of leaf ${index} (release) is missing`);
    const request = requestOfRow(core, row);
    const inForce = this.#policies.filter(
      ({ row: { leaf } }) => leaf !== undefined && leaf < index,
    );
    const policy = inForce.at(-1)?.policy;
    if (policy === undefined || !equalBytes(policy.hash, leaf.policy)) {
      throw fault(`leaf ${index} (release) names another policy than the one in force then`);
    }
    const { records, released } = await this.#recordsOf(row, request);
    // An unproven record keeps nobody out.
    const counts = ({ hash, verifiedLeaf }: RecordRow) =>
      verifiedLeaf !== undefined && (verifiedLeaf < index || released.has(toHex(hash)));
    const about = { row, request, records };
    const approvals = (await this.#reads.approvals(row.hash)).map(({ note }) => note);
    const decision = await decide(core, policy, about, approvals, { now: leaf.time, counts });
    if (!decision.approved) {
      throw fault(`leaf ${index} (release) lacks approvals: ${decision.reason}`);
    }
    const fingerprint = recipientFingerprint(core, request);
    const facts = { request, fingerprint, approvals: decision.approvals };
    this.#release = { of, facts };
    return facts;
  }

  async #recordsOf(row: RequestRow, { records: hashes }: RecoveryRequest) {
    const records = await this.#reads.recordsByHash(hashes);
    if (records.includes(undefined)) throw fault(`a record of request ${row.id} is missing`);
    const rows = await this.#reads.releases(row.hash);
    return {
      records: records as RecordRow[],
      released: new Set(rows.map(({ record }) => toHex(record))),
    };
  }

  /** What stands on no leaf: wraps; requests and approvals, by their own hashes. */
  async end(): Promise<void> {
    await this.#checkWraps();
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
    for (const { hash, note, request: of, vetoLeaf } of approvals) {
      const approval = tried(() => parseApproval(note));
      const isRight =
        approval !== undefined &&
        equalBytes(approvalHash(this.#core, note), hash) &&
        equalBytes(approval.request, of) &&
        (approval.decision === "deny") === (vetoLeaf !== undefined);
      if (!isRight) throw fault(`an approval of request ${row.id} was altered`);
    }
    const isReleased = (await this.#reads.releases(row.hash)).length > 0;
    const isRight =
      request.authority === this.#authority.origin &&
      isReleased === (row.status === "released") &&
      (row.status !== "denied" || approvals.some(({ vetoLeaf }) => vetoLeaf !== undefined));
    if (!isRight) throw fault(`the status of request ${row.id} was altered`);
  }
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
