import { equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { TwinwrapError } from "../errors.js";
import {
  type Authority,
  type AuthorityFile,
  encodeAuthority,
  type Page,
  type PageOptions,
  type Policy,
  type Receipt,
  type RecordQuery,
  type RecordStatus,
  type RecoveryRequest,
  type Release,
  type RequestQuery,
  type Signer,
  type StandingMessage,
  type StoredRecord,
  type Submission,
  verifyAuthority,
} from "../escrow/index.js";
import type { Passphrase } from "../keys/index.js";
import { type LogState, type VerifyLogOptions, verifyLog } from "./audit.js";
import {
  type Intake,
  intake,
  receiptsOf,
  verifyAll,
  verifyWaiting,
  type WrapReport,
} from "./intake.js";
import { isFenced, Log, logSource, requireUnfenced, unfence } from "./log.js";
import type { Office, OperatorSettings } from "./office.js";
import {
  type PolicyState,
  policyInForce,
  policyStates,
  type TakenPolicy,
  takePolicy,
} from "./policies.js";
import {
  release,
  released,
  type Standing,
  standingMessage,
  standingOf,
  takeApproval,
  takeRequest,
} from "./requests.js";
import type { RequestRow, Store, StoreReads } from "./store/store.js";
import { stored } from "./stored.js";
import { VerifiedNotes } from "./verified-notes.js";
import { type WrapKeyFile, WrapKeys } from "./wrap-keys.js";

/** What an authority works with. */
export interface ServiceParts {
  core: Core;
  store: Store;
  /** The log key, under the origin of the log. */
  logSigner: Signer;
  /** Reads the RSA keys' files, locked or not, that of the key in use first. They are wiped. */
  readWrapKeys: () => Promise<WrapKeyFile[]>;
  /** Called when the authority's public data has changed. */
  publish: (file: AuthorityFile) => Promise<void>;
  settings?: OperatorSettings | undefined;
}

/**
 * An authority at work: takes submissions, requests and approvals, decides, and releases. Several
 * processes may work on one store at the same time.
 */
export class AuthorityService {
  readonly core: Core;
  readonly #parts: ServiceParts;
  readonly #log: Log;
  #authority: Authority;
  #notes: VerifiedNotes;
  readonly #keys: WrapKeys;
  /** The last attempt to open it. */
  #opening: Promise<unknown> | undefined;

  private constructor(parts: ServiceParts, authority: Authority, file: AuthorityFile) {
    this.core = parts.core;
    this.#parts = parts;
    this.#log = new Log(parts.core, parts.logSigner, authority.logKeys);
    this.#authority = authority;
    this.#notes = new VerifiedNotes(parts.core, authority, file.policies);
    this.#keys = new WrapKeys(parts.core, parts.readWrapKeys);
  }

  /**
   * Begins work, and takes care of the store from then on.
   * @throws TwinwrapError BAD_KEY if the log key is not the one of the identity; NOT_VERIFIED if a
   *   stored note was altered
   */
  static async start(parts: ServiceParts): Promise<AuthorityService> {
    const { core, store, logSigner } = parts;
    try {
      const file = await publicFile(store);
      const authority = await verifyAuthority(core, file);
      const [inUse] = authority.logKeys;
      if (inUse?.name !== logSigner.name || !equalBytes(inUse.publicKey, logSigner.publicKey)) {
        throw new TwinwrapError("BAD_KEY", "the log key is not the one of this authority");
      }
      return new AuthorityService(parts, authority, file);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** The authority's identity. */
  get authority(): Authority {
    return this.#authority;
  }

  get #store(): StoreReads {
    return this.#parts.store;
  }

  get #office(): Office {
    const { core, store, settings = {} } = this.#parts;
    return {
      core,
      store,
      log: this.#log,
      authority: this.#authority,
      notes: this.#notes,
      settings,
      keys: this.#keys.open,
    };
  }

  /** Whether an RSA key is open. */
  get isUnlocked(): boolean {
    return this.#keys.open.size > 0;
  }

  /**
   * Opens the RSA keys that are not locked, and all that the passphrase opens.
   * @returns whether one is open
   * @throws TwinwrapError WRONG_PASSPHRASE if it opens none; BAD_KEY if one is not a key of the identity
   */
  unlock(passphrase?: Passphrase): Promise<boolean> {
    // One after the other: two at once would prepare two keys, of which only one would be wiped.
    const before = this.#opening ?? Promise.resolve();
    const opening = before
      .catch(() => {})
      .then(() => this.#keys.unlock(this.#authority, passphrase));
    this.#opening = opening;
    return opening;
  }

  /** The policy in force; undefined until everybody has signed the first. */
  policy(): Promise<Policy | undefined> {
    return policyInForce(this.#office, this.#store);
  }

  /** All policies with their signatures, the first one first; the last may be a draft. */
  policies(): Promise<PolicyState[]> {
    return policyStates(this.#office, this.#store);
  }

  /** What everybody may know of it. */
  file(): Promise<AuthorityFile> {
    return publicFile(this.#store);
  }

  /** Takes a policy's note; see {@link takePolicy}. */
  async takePolicy(note: string): Promise<TakenPolicy> {
    const taken = await takePolicy(this.#office, this.#parts.logSigner, note);
    if (taken.complete) {
      const { store, publish } = this.#parts;
      const file = await publishNewest(store, publish);
      this.#authority = await verifyAuthority(this.core, file);
      this.#notes = new VerifiedNotes(this.core, this.#authority, file.policies);
    }
    return taken;
  }

  /** Takes submissions in, all or none; see {@link intake}. */
  intake(submissions: readonly Submission[]): Promise<Intake[]> {
    return intake(this.#office, submissions);
  }

  /** The newest receipt of a record; undefined if it is not there. @param record recordHash, 32 bytes */
  async receipt(record: Uint8Array): Promise<Receipt | undefined> {
    const row = await this.#store.record(record);
    return row && (await receiptsOf(this.#office, [row]))[0];
  }

  /** Records that fit a query; see {@link StoreReads.records}. */
  async records(query: RecordQuery, page?: PageOptions): Promise<Page<StoredRecord>> {
    const { rows, next } = await this.#store.records(query, page);
    return { rows: await stored(this.core, this.#store, rows), next };
  }

  /** Records by their hashes, 32 bytes each; those that are not there are left out. */
  async recordsByHash(hashes: readonly Uint8Array[]): Promise<StoredRecord[]> {
    const rows = await this.#store.recordsByHash(hashes);
    return stored(
      this.core,
      this.#store,
      rows.filter((row) => row !== undefined),
    );
  }

  /** How many records have each status. */
  countRecords(): Promise<Record<RecordStatus, number>> {
    return this.#store.countRecords();
  }

  /** Requests that fit a query; see {@link StoreReads.requests}. */
  requests(query: RequestQuery, page?: PageOptions): Promise<Page<RequestRow>> {
    return this.#store.requests(query, page);
  }

  countRequests(query: RequestQuery): Promise<number> {
    return this.#store.countRequests(query);
  }

  /** Opens what was taken in unopened; see {@link verifyWaiting}. @throws TwinwrapError PASSPHRASE_NEEDED */
  async verifyWaiting(
    onProgress?: (done: number) => void,
  ): Promise<{ verified: number; failed: Uint8Array[] }> {
    this.#needKey();
    return verifyWaiting(this.#office, onProgress);
  }

  /** Opens every stored wrap again; see {@link verifyAll}. @throws TwinwrapError PASSPHRASE_NEEDED */
  async verifyAll(onProgress?: (done: number) => void): Promise<WrapReport> {
    this.#needKey();
    return verifyAll(this.#office, onProgress);
  }

  #needKey(): void {
    if (this.isUnlocked) return;
    throw new TwinwrapError("PASSPHRASE_NEEDED", "the authority's RSA key is locked");
  }

  /** See {@link takeRequest}. */
  takeRequest(request: RecoveryRequest): Promise<RequestRow> {
    return takeRequest(this.#office, request);
  }

  /** Where a request stands. @param id 26 characters @throws TwinwrapError NOT_FOUND if there is none */
  standing(id: string): Promise<Standing> {
    return standingOf(this.#office, this.#store, id);
  }

  /** Everything that a decision about a request is made from; see {@link standingMessage}. */
  standingMessage(id: string): Promise<StandingMessage> {
    return standingMessage(this.core, this.#store, id);
  }

  /** Takes an approval or denial; see {@link takeApproval}. Releases nothing. */
  takeApproval(note: string): Promise<Standing> {
    return takeApproval(this.#office, note);
  }

  /** Releases what is approved, or gives what was released before; see {@link release}. */
  release(id: string): Promise<Release> {
    return release(this.#office, id);
  }

  /** What was released before; undefined if nothing was. */
  released(id: string): Promise<Release | undefined> {
    return released(this.#office, id);
  }

  /** Verifies the whole log as of one moment, while others write; see {@link verifyLog}. */
  verifyLog(options: VerifyLogOptions = {}): Promise<LogState> {
    const office = this.#office;
    return office.store.snapshot((reads) => verifyLog(office, reads, options));
  }

  /** The newest signed checkpoint; undefined while the log is empty. */
  checkpoint(): Promise<string | undefined> {
    return logSource(this.core, this.#store).checkpoint();
  }

  /** Proof that the log's first `to` leaves begin with its first `from`; see consistencyProof. */
  consistency(from: number, to: number): Promise<Uint8Array[]> {
    return logSource(this.core, this.#store).consistency(from, to);
  }

  /** Whether the log was restored and may not grow yet. */
  isFenced(): Promise<boolean> {
    return isFenced(this.#store);
  }

  /** For calls that show the log's newest state as such. @throws TwinwrapError FENCED while it is */
  requireUnfenced(): Promise<void> {
    return requireUnfenced(this.#store);
  }

  /** Lets a restored log grow again; see {@link unfence}. @param known checkpoints (notes) */
  unfence(
    known: readonly string[],
    options: { isNewest?: boolean | undefined } = {},
  ): Promise<void> {
    const { core, store } = this.#parts;
    const { logKeys } = this.#authority;
    return store.write((writes) => unfence(core, writes, known, logKeys, options));
  }

  /** Ends the work and wipes the keys. */
  async close(): Promise<void> {
    await this.#opening?.catch(() => {});
    this.#keys.dispose();
    await this.#parts.store.close();
  }
}

/** What everybody may know, from the store: identities, and the policies in force so far. */
export async function publicFile(reads: StoreReads): Promise<AuthorityFile> {
  const [identities, policies] = [await reads.identities(), await reads.policies()];
  const inForce = policies.filter(({ leaf }) => leaf !== undefined);
  return {
    identities: identities.filter(({ leaf }) => leaf !== undefined).map(({ note }) => note),
    policies: inForce.map(({ note }) => note),
  };
}

/**
 * Publishes the newest state. Does it again if another process changed it meanwhile, so that nothing older
 * overwrites something newer.
 */
export async function publishNewest(
  reads: StoreReads,
  publish: ServiceParts["publish"],
): Promise<AuthorityFile> {
  let file = await publicFile(reads);
  for (;;) {
    await publish(file);
    const now = await publicFile(reads);
    if (equalBytes(encodeAuthority(now), encodeAuthority(file))) return file;
    file = now;
  }
}
