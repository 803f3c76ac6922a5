import { equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import { verifyAuthority } from "../escrow/chain.js";
import { encodeAuthority } from "../escrow/identity.js";
import type {
  Authority,
  AuthorityFile,
  Identity,
  Page,
  PageOptions,
  Policy,
  Receipt,
  RecordQuery,
  RecordStatus,
  RecoveryRequest,
  Release,
  RequestQuery,
  RequestSummary,
  Signer,
  StandingMessage,
  StoredRecord,
  Submission,
} from "../escrow/index.js";
import type { SigningKey } from "../escrow/signing-key.js";
import type { Passphrase } from "../keys/index.js";
import { type Anchor, Anchored } from "./anchor.js";
import { type LogState, type VerifyLogOptions, verifyLog } from "./audit.js";
import { beginClosing, type Closing, closingDraft, lostOf, takeClosing } from "./closing.js";
import {
  type Deliverer,
  Deliveries,
  deliveriesOf,
  retryDelivery,
  type ShownDelivery,
} from "./deliveries.js";
import { type EnrolledOwner, enrolledOwners } from "./enrolments.js";
import { type ExportOptions, exportStore, type Sink } from "./export.js";
import { Groups, MAX_GROUP, type Outcome, outcomeOf } from "./groups.js";
import { type Intake, type IntakeResult, namesOf, prepare, takeGroup } from "./intake.js";
import type { Checked } from "./intake-plan.js";
import {
  FENCE,
  fence,
  fenceOf,
  isFenced,
  Log,
  logSource,
  logsOf,
  refuseFence,
  requireUnfenced,
  unfence,
} from "./log.js";
import type { Office, OperatorSettings } from "./office.js";
import type { Openers } from "./opener.js";
import { type OpenerOptions, openersOf } from "./openers.js";
import { type Enrolled, enrolOwner } from "./owners.js";
import {
  type PolicyState,
  policyInForce,
  policyStates,
  settlePolicies,
  type TakenPolicy,
  takePolicy,
} from "./policies.js";
import {
  addReceiver,
  type NewReceiver,
  type Receiver,
  receiversOf,
  removeReceiver,
} from "./receivers.js";
import {
  release,
  released,
  type Standing,
  standingMessage,
  standingOf,
  takeApproval,
  takeRequest,
} from "./requests.js";
import { placeOf } from "./store/place.js";
import type { DeliveryState, RequestRow, Store, StoreReads } from "./store/store.js";
import { stored, summaries } from "./stored.js";
import { isLonger, longestChain } from "./taken-back.js";
import { shownSize, type TileName, tileOf } from "./tiles.js";
import { addToken, type NewToken, revokeToken, type Token, tokenOf, tokensOf } from "./tokens.js";
import { publicFile, VerifiedChain } from "./verified-chain.js";
import { verifyAll, verifyWaiting, type WrapReport } from "./verifying.js";
import { takeVeto } from "./vetoes.js";
import { type WrapKeyFile, WrapKeys } from "./wrap-keys.js";

/** What an authority works with. */
export interface ServiceParts extends OpenerOptions {
  core: Core;
  store: Store;
  /**
   * The log key, under the origin of the log; undefined if it is lost: then nothing is appended. Nor if it is the key of
   * a log that the store lost as a whole.
   */
  logSigner: Signer | undefined;
  /** Looks for the log key of an identity that another process brought into force. */
  readLogKey?: ((identity: Identity) => Promise<Signer | undefined>) | undefined;
  /** The key for a log that follows this one. */
  nextLog?: NextLog | undefined;
  /** Where the newest checkpoint that was shown is kept. */
  anchor?: Anchor | undefined;
  /** Reads what was published last, which the store may have lost since. */
  shown?: (() => Promise<AuthorityFile>) | undefined;
  /** Reads the RSA keys' files, locked or not, that of the key in use first. They are wiped. */
  readWrapKeys: () => Promise<WrapKeyFile[]>;
  /** Called when the authority's public data has changed. */
  publish: (file: AuthorityFile) => Promise<void>;
  settings?: OperatorSettings | undefined;
}

/** The key of the log that is to follow, wherever it is kept. */
export interface NextLog {
  /** Makes the key, or reads the one that was made before. */
  key(): Promise<SigningKey>;
  /** From now on it is the log key. */
  use(): Promise<void>;
}

/**
 * An authority at work: takes submissions, requests and approvals, decides, and releases. Several
 * processes may work on one store at the same time.
 */
export class AuthorityService {
  readonly core: Core;
  readonly #parts: ServiceParts;
  readonly #anchored: Anchored;
  #logSigner: Signer | undefined;
  #log: Log;
  #authority: Authority;
  readonly #chain: VerifiedChain;
  readonly #openers: Openers;
  readonly #keys: WrapKeys;
  /** The last attempt to open it. */
  #opening: Promise<unknown> | undefined;
  readonly #groups = new Groups(
    (group: readonly Checked[]) => this.#takeGroup(group),
    namesOf,
    () => this.#preparing > 0,
  );
  /** Intakes that are being opened. */
  #preparing = 0;
  /** Intakes that were accepted, and are not answered yet. */
  readonly #accepted = new Set<Promise<unknown>>();
  #isClosed = false;

  private constructor(
    parts: ServiceParts,
    authority: Authority,
    file: AuthorityFile,
    openers: Openers,
  ) {
    this.core = parts.core;
    this.#parts = parts;
    this.#anchored = new Anchored(parts.core, parts.anchor);
    this.#authority = authority;
    this.#logSigner = isKeyOf(authority, parts.logSigner) ? parts.logSigner : undefined;
    this.#log = this.#logWith(this.#logSigner);
    this.#chain = new VerifiedChain(parts.core, authority, file);
    this.#openers = openers;
    this.#keys = new WrapKeys(parts.core, openers, parts.readWrapKeys);
  }

  /**
   * Begins work, and takes care of the store from then on.
   * @throws TwinwrapError BAD_KEY if the log key is not the one of the identity; NOT_VERIFIED if a
   *   stored note was altered, or what was published is a fork of what is stored
   */
  static async start(parts: ServiceParts): Promise<AuthorityService> {
    const { core, store, logSigner } = parts;
    try {
      // First: others may publish more, but never before they have stored it.
      const shown = await parts.shown?.();
      const file = await publicFile(store);
      const authority = await verifyAuthority(core, file);
      const known = await longestChain(
        core,
        { authority, file },
        shown === undefined ? [] : [shown],
      );
      const isRight = [authority, known.authority].some((one) => isKeyOf(one, logSigner));
      if (logSigner !== undefined && !isRight) {
        throw new TwinwrapError("BAD_KEY", "the log key is not the one of this authority");
      }
      const openers = await openersOf(core, parts);
      const service = new AuthorityService(parts, authority, file, openers);
      await service.#fenceIfLost(isLonger(known.file, file));
      return service;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  #logWith(signer: Signer | undefined): Log {
    return new Log(this.core, {
      signer,
      logs: logsOf(this.#authority),
      guard: (reads) => this.#anchored.check(reads, this.#authority),
    });
  }

  /**
   * A store that is not what was shown of it stops for good, until somebody sees to it.
   * @param lacksNotes whether more policies or identities were published than it has
   */
  async #fenceIfLost(lacksNotes: boolean): Promise<void> {
    const { store } = this.#parts;
    if (await isFenced(store)) return;
    try {
      if (lacksNotes) throw new TwinwrapError("FENCED", "what was published is not in the store");
      await this.#anchored.check(store, this.#authority);
    } catch (error) {
      if (!(error instanceof TwinwrapError && error.code === "FENCED")) throw error;
      await store.write((writes) => fence(writes, "anchor"));
    }
  }

  /**
   * What another process brought into force is in force here, and its log is the log.
   * @param next the key of the log that this process has begun
   * @param version of the notes, if it was looked up just now
   */
  async #refresh(next?: SigningKey, version?: number): Promise<void> {
    const { store, readLogKey } = this.#parts;
    const { authority } = await this.#chain.readOf(version ?? (await store.notesVersion()), store);
    if (authority === this.#authority) return;
    const identity = authority.identities.at(-1)!;
    let signer = next?.signer(identity.log.name) ?? this.#logSigner;
    if (!isKeyOf(authority, signer)) signer = await readLogKey?.(identity);
    this.#authority = authority;
    this.#logSigner = isKeyOf(authority, signer) ? signer : undefined;
    this.#log = this.#logWith(this.#logSigner);
  }

  /** Does something, and shows its result only when the anchor covers what it leads to. */
  async #covered<T>(work: () => Promise<T>): Promise<T> {
    const result = await work();
    await this.#anchored.cover(this.#store, this.#authority);
    return result;
  }

  /** Shows what is there. */
  async #shown<T>(work: () => Promise<T>): Promise<T> {
    await this.#refresh();
    return this.#covered(work);
  }

  /** Decides something, by the policy that is due. */
  async #decided<T>(work: () => Promise<T>): Promise<T> {
    await this.#settle();
    return this.#covered(work);
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
      chain: this.#chain,
      settings,
      openers: this.#openers,
    };
  }

  /** Whether an RSA key is open. */
  get isUnlocked(): boolean {
    return this.#openers.keys.size > 0;
  }

  /**
   * Opens the RSA keys that are not locked, and all that the passphrase opens.
   * @returns whether one is open
   * @throws TwinwrapError WRONG_PASSPHRASE if it opens none; BAD_KEY if one is not a key of the identity; UNAVAILABLE
   *   if there is no thread for them
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
    const taken = await this.#decided(async () => {
      const logSigner = this.#logSigner;
      if (logSigner === undefined) throw new TwinwrapError("FENCED", "the log key is not here");
      return takePolicy(this.#office, logSigner, note);
    });
    if (taken.complete) await this.#renew();
    return taken;
  }

  /** What was published before may be older than what the store says now. */
  async #renew(next?: SigningKey): Promise<void> {
    const { store, publish } = this.#parts;
    await publishNewest(store, publish);
    await this.#refresh(next);
  }

  /** Brings an announced policy into force whose time has come. */
  async #settle(): Promise<void> {
    await this.#refresh();
    if (await settlePolicies(this.#office)) await this.#renew();
  }

  /** Enrols an owner, or replaces their control key; see {@link enrolOwner}. */
  enrolOwner(
    owner: string,
    control: Uint8Array,
    options: Parameters<typeof enrolOwner>[3] = {},
  ): Promise<Enrolled> {
    return this.#decided(() => enrolOwner(this.#office, owner, control, options));
  }

  /** The owners who have a control key. */
  owners(): Promise<EnrolledOwner[]> {
    return enrolledOwners(this.#store);
  }

  /** Takes an owner's veto; see {@link takeVeto}. */
  async takeVeto(note: string): Promise<RequestRow> {
    return this.#shown(() => takeVeto(this.#office, note));
  }

  /**
   * Takes a submission in, with others that come at the same time; see {@link prepare} and {@link takeGroup}. Of several
   * each has a result of its own, in order.
   */
  intake(submission: Submission): Promise<Intake>;
  intake(submissions: readonly Submission[]): Promise<IntakeResult[]>;
  async intake(given: Submission | readonly Submission[]): Promise<Intake | IntakeResult[]> {
    if (this.#isClosed) throw new TwinwrapError("DISPOSED", "the authority was closed");
    const several = "length" in given ? given : [given];
    const results = this.#takeIn(several);
    this.#accepted.add(results);
    try {
      const settled = await results;
      if ("length" in given) return settled;
      const [only] = settled as [IntakeResult];
      if ("error" in only) throw only.error;
      return only;
    } finally {
      this.#accepted.delete(results);
    }
  }

  async #takeIn(submissions: readonly Submission[]): Promise<IntakeResult[]> {
    const parts: Promise<IntakeResult[]>[] = [];
    for (let at = 0; at < submissions.length; at += MAX_GROUP) {
      parts.push(this.#takePart(submissions.slice(at, at + MAX_GROUP)));
    }
    return (await Promise.all(parts)).flat();
  }

  async #takePart(submissions: readonly Submission[]): Promise<IntakeResult[]> {
    this.#preparing++;
    const prepared = await outcomeOf(async () => {
      await this.#refresh();
      return prepare(this.#office, submissions);
    });
    this.#preparing--;
    if ("error" in prepared) return submissions.map(() => prepared);
    return Promise.all(
      prepared.value.map((item) =>
        "error" in item ? item : this.#groups.add(item.value).catch((error) => ({ error })),
      ),
    );
  }

  /** A group of intakes: one look at what is due, one transaction, one anchor. */
  async #takeGroup(group: readonly Checked[]): Promise<Outcome<Intake>[]> {
    await this.#settle();
    const outcomes = await takeGroup(this.#office, group);
    // A state that is shown to nobody is not covered: it may be the one that was just found to be wrong.
    if (outcomes.some((outcome) => "value" in outcome)) {
      await this.#anchored.cover(this.#store, this.#authority);
    }
    return outcomes;
  }

  /** The newest receipt of a record; undefined if it is not there. @param record recordHash, 32 bytes */
  async receipt(record: Uint8Array): Promise<Receipt | undefined> {
    await this.#refresh();
    return this.#receipt(record);
  }

  /**
   * The same, for those who take it for the newest that there is.
   * @throws TwinwrapError FENCED while the log may not grow
   */
  async newestReceipt(record: Uint8Array): Promise<Receipt | undefined> {
    const { notes, setting } = await this.#store.notesAndSetting(FENCE);
    refuseFence(setting);
    await this.#refresh(undefined, notes);
    return this.#receipt(record);
  }

  async #receipt(record: Uint8Array): Promise<Receipt | undefined> {
    const found = await this.#store.recordLeaf(record);
    if (found === undefined) return undefined;
    const { leaf, proof, place } = await this.#log.proveRecord(this.#store, found);
    await this.#anchored.cover(this.#store, this.#authority, place);
    return { leaf, proof };
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
  async requests(query: RequestQuery, page?: PageOptions): Promise<Page<RequestSummary>> {
    const { rows, next } = await this.#store.requests(query, page);
    return { rows: await summaries(this.core, this.#store, rows), next };
  }

  countRequests(query: RequestQuery): Promise<number> {
    return this.#store.countRequests(query);
  }

  /** Opens what was taken in unopened; see {@link verifyWaiting}. @throws TwinwrapError PASSPHRASE_NEEDED */
  async verifyWaiting(
    onProgress?: (done: number) => void,
  ): Promise<{ verified: number; failed: Uint8Array[] }> {
    this.#needKey();
    return this.#shown(() => verifyWaiting(this.#office, onProgress));
  }

  /** Opens every stored wrap again; see {@link verifyAll}. @throws TwinwrapError PASSPHRASE_NEEDED */
  async verifyAll(onProgress?: (done: number) => void): Promise<WrapReport> {
    this.#needKey();
    return this.#shown(() => verifyAll(this.#office, onProgress));
  }

  #needKey(): void {
    if (this.isUnlocked) return;
    throw new TwinwrapError("PASSPHRASE_NEEDED", "the authority's RSA key is locked");
  }

  /** See {@link takeRequest}. */
  takeRequest(request: RecoveryRequest): Promise<RequestRow> {
    return this.#decided(() => takeRequest(this.#office, request));
  }

  /** Where a request stands. @param id 26 characters @throws TwinwrapError NOT_FOUND if there is none */
  standing(id: string): Promise<Standing> {
    return standingOf(this.#office, this.#store, id);
  }

  /** Everything that a decision about a request is made from; see {@link standingMessage}. */
  standingMessage(id: string): Promise<StandingMessage> {
    return this.#shown(() => standingMessage(this.#office, this.#store, id));
  }

  /** Takes an approval or denial; see {@link takeApproval}. Releases nothing. */
  takeApproval(note: string): Promise<Standing> {
    return this.#decided(() => takeApproval(this.#office, note));
  }

  /** Releases what is approved, or gives what was released before; see {@link release}. */
  release(id: string): Promise<Release> {
    return this.#decided(() => release(this.#office, id));
  }

  /** What was released before; undefined if nothing was. */
  released(id: string): Promise<Release | undefined> {
    return this.#shown(() => released(this.#office, id));
  }

  /** Verifies the whole log as of one moment, while others write; see {@link verifyLog}. */
  async verifyLog(options: VerifyLogOptions = {}): Promise<LogState> {
    this.#chain.forget();
    await this.#refresh();
    const office = this.#office;
    return office.store.snapshot((reads) => verifyLog(office, reads, options));
  }

  /** The database's own check of the whole store; see {@link Store.check}. */
  checkStore(): Promise<string[] | undefined> {
    return this.#parts.store.check();
  }

  /** The newest signed checkpoint; undefined while the log is empty. */
  checkpoint(): Promise<string | undefined> {
    return this.checkpointOf(this.#log.number);
  }

  /** The checkpoint where one of the logs ends; undefined if it is empty, or there is none. @param log from 0 */
  checkpointOf(log: number): Promise<string | undefined> {
    return this.#shown(async () => {
      const size = await shownSize(this.#store, this.#authority, log);
      if (size === 0) return undefined;
      return (await this.#store.checkpointOf(placeOf(log, size - 1)))?.checkpoint;
    });
  }

  /** Proof that the log's first `to` leaves begin with its first `from`; see consistencyProof. */
  consistency(from: number, to: number): Promise<Uint8Array[]> {
    return logSource(this.core, this.#store, this.#log.number).consistency(from, to);
  }

  /** A tile of one of the logs; see {@link tileOf}. */
  tile(which: TileName): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#shown(() => tileOf(this.#store, this.#authority, which));
  }

  /** Makes a token for the authority's service; see {@link addToken}. */
  addToken(token: NewToken): Promise<{ text: string; token: Token }> {
    return addToken(this.core, this.#parts.store, token);
  }

  tokens(): Promise<Token[]> {
    return tokensOf(this.#store);
  }

  /** See {@link revokeToken}. */
  revokeToken(id: string): Promise<Token> {
    return revokeToken(this.#parts.store, id);
  }

  /** What a token lets its bearer do; undefined if it is not good. */
  token(text: string): Promise<Token | undefined> {
    return tokenOf(this.core, this.#store, text);
  }

  /** Adds somebody who is told of events; see {@link addReceiver}. */
  async addReceiver(
    receiver: NewReceiver,
  ): Promise<{ receiver: Receiver; secret: string | undefined }> {
    await this.#refresh();
    return addReceiver(this.#office, receiver);
  }

  receivers(): Promise<Receiver[]> {
    return receiversOf(this.#store);
  }

  /** See {@link removeReceiver}. */
  removeReceiver(id: string): Promise<Receiver> {
    return removeReceiver(this.#parts.store, id);
  }

  /** What makes this process's deliveries of events. */
  deliverer(deliverer: Deliverer): Deliveries {
    return new Deliveries(this.#parts.store, deliverer);
  }

  /** Deliveries that wait, or that were given up. */
  deliveries(state: DeliveryState): Promise<ShownDelivery[]> {
    return deliveriesOf(this.#store, state);
  }

  /** See {@link retryDelivery}. */
  retryDelivery(id: string): Promise<ShownDelivery> {
    return retryDelivery(this.#parts.store, id);
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
  async unfence(
    known: readonly string[],
    options: { nothingNewer?: boolean | undefined } = {},
  ): Promise<void> {
    const { core, store, anchor } = this.#parts;
    // What was shown, or drafted as the end of the log, is known outside too.
    const shown = await anchor?.read();
    const notes = shown === undefined ? known : [...known, shown];
    const [lost] = await lostOf(this.#office, store, await this.#published());
    if (lost !== undefined) {
      throw notVerified(
        `${lost.kind} ${lost.number} is known outside, but not in the store: it was rolled back`,
      );
    }
    const closing = await this.closing();
    if (closing !== undefined && closing.end.size > closing.kept.size) {
      throw notVerified(
        `the log has ${closing.kept.size} leaves, but one of ${closing.end.size} was shown when its end was drafted: it was rolled back`,
      );
    }
    await store.write((writes) => unfence(core, writes, notes, this.#authority, options));
    await this.#anchored.reset(await store.head());
  }

  /** What was published last. */
  async #published(): Promise<AuthorityFile[]> {
    const shown = await this.#parts.shown?.();
    return shown === undefined ? [] : [shown];
  }

  /**
   * Drafts the identity that ends the log, and stops the log; see {@link beginClosing}.
   * @param known checkpoints (notes) that are known outside
   * @param options.files what else is known outside: policies and identities that the store may have lost
   * @param options.wereInForce somebody vouches that those of them that had to wait came into force
   */
  async beginClosing(
    known: readonly string[] = [],
    options: { files?: readonly AuthorityFile[]; wereInForce?: boolean | undefined } = {},
  ): Promise<Closing> {
    const shown = await this.#parts.anchor?.read();
    const checkpoints = shown === undefined ? known : [...known, shown];
    const files = [...(options.files ?? []), ...(await this.#published())];
    const old = this.#logSigner ?? this.#parts.logSigner;
    const keys = { old, next: await this.#nextKey() };
    return beginClosing(this.#office, keys, { ...options, checkpoints, files });
  }

  #nextKey(): Promise<SigningKey> {
    const { nextLog } = this.#parts;
    if (nextLog !== undefined) return nextLog.key();
    throw new TwinwrapError("UNSUPPORTED", "no next log can be begun here");
  }

  /** The identity that is to end the log; see {@link closingDraft}. */
  closing(): Promise<Closing | undefined> {
    return closingDraft(this.#office, this.#store);
  }

  /** Takes signatures for it; see {@link takeClosing}. */
  async takeClosing(note: string): Promise<Closing> {
    const next = await this.#nextKey();
    const taken = await takeClosing(this.#office, note, next);
    if (!taken.complete) return taken;
    await this.#parts.nextLog!.use();
    await this.#renew(next);
    await this.#anchored.reset(await this.#parts.store.head());
    return taken;
  }

  /**
   * Exports everything that the store holds; see {@link exportStore}.
   * @throws TwinwrapError FENCED if it is to be moved, but its log may not grow
   */
  async export(sink: Sink, options: ExportOptions = {}): Promise<void> {
    const office = this.#office;
    const { store } = this.#parts;
    if (options.move && (await fenceOf(store)) !== "moved") {
      await requireUnfenced(store);
      await this.#anchored.check(store, this.#authority);
    }
    await exportStore(office, sink, options);
  }

  /** Finishes the intakes that were accepted, ends the work and wipes the keys. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#accepted);
    await this.#opening?.catch(() => {});
    await this.#openers.close();
    await this.#parts.store.close();
  }
}

/** Whether a key is the one of the log in use. */
function isKeyOf({ logKeys: [inUse] }: Authority, signer: Signer | undefined): boolean {
  return inUse?.name === signer?.name && equalBytes(inUse!.publicKey, signer!.publicKey);
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
