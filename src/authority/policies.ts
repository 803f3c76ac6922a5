import { equalBytes, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import { chainBefore, policyPlace, signaturesInChain } from "../escrow/chain.js";
import { encodeAuthority } from "../escrow/identity.js";
import {
  MAX_AUTHORITY,
  type OwnersRule,
  type Policy,
  type PolicySignatures,
  type PolicyText,
  type Signer,
  type UnprovenRule,
  type VerifierKey,
} from "../escrow/index.js";
import { decodeLeaf } from "../escrow/leaf.js";
import { addSignature, formatNote, keyId, parseNote, signatureRoom } from "../escrow/note.js";
import { checkShares, formatPolicy, officerKey, parsePolicy } from "../escrow/policy.js";
import type { RsaPublicKey } from "../keys/index.js";
import { ownerWithKey } from "./enrolments.js";
import { tell } from "./events.js";
import type { LogEnd } from "./log.js";
import type { Office } from "./office.js";
import { logOf } from "./store/place.js";
import type { NoteRow, StoreReads, StoreWrites } from "./store/store.js";
import type { Known } from "./verified-chain.js";

// Policies say who decides. A policy is in force once the log key and the officers before it have signed it
// and its leaf is in the log; until then it is a draft that collects signatures. Drafts of the next
// policy stand side by side, so that nobody can keep others from agreeing on theirs. A policy that is weaker than the
// one before, and is not signed by the emergency number, is announced, and waits.

/** Drafts that one officer can bring in while others are undecided. */
const MAX_DRAFTS = 4;

/** An officer of a new policy. */
export interface NewOfficer {
  name: string;
  /** Ed25519, 32 bytes. */
  publicKey: Uint8Array;
  shareKey: RsaPublicKey;
  /** Owner ids that are this person. */
  self?: readonly string[] | undefined;
}

function officersOf(officers: readonly NewOfficer[]): PolicyText["officers"] {
  return officers.map(({ name, publicKey, shareKey, self = [] }) => ({
    name,
    key: publicKey,
    share: shareKey,
    self: [...self].sort(),
  }));
}

function byName(officers: PolicyText["officers"]): PolicyText["officers"] {
  return officers.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** How many officers a change takes: never fewer than a majority, however few release a key. */
function quorums(
  officers: number,
  release: number,
): Pick<PolicyText, "release" | "change" | "emergency"> {
  return { release, change: Math.max(release, majority(officers)), emergency: officers };
}

/** More than half of `officers`. */
export function majority(officers: number): number {
  return Math.floor(officers / 2) + 1;
}

/** Reports a value that can't be written into a note as a wrong argument. */
export function asArgument<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TwinwrapError && error.code === "BAD_FORMAT")) throw error;
    throw new TwinwrapError("BAD_ARGUMENT", error.message);
  }
}

/** What is asked for in a policy besides its officers. */
export interface PolicyRules {
  /** How many it takes to release keys. */
  quorum?: number | undefined;
  /** Seconds between a request and its release. */
  waiting?: number | undefined;
  /** Whose records are taken in. */
  owners?: OwnersRule | undefined;
  /** Whether keys that nobody proves are taken in. */
  unproven?: UnprovenRule | undefined;
}

/**
 * The text of an authority's first policy. By default a majority releases keys, at once; anybody's records are taken
 * in, but no unproven keys.
 * @param keys the keysHash of its first identity, 32 bytes
 * @throws TwinwrapError BAD_ARGUMENT if officers or numbers don't fit, LIMIT_EXCEEDED
 */
export function firstPolicy(
  origin: string,
  keys: Uint8Array,
  options: PolicyRules & { officers: readonly NewOfficer[] },
): string {
  const { officers, quorum = majority(officers.length), waiting = 0 } = options;
  const text = asArgument(() =>
    formatPolicy({
      authority: origin,
      number: 1,
      previous: keys,
      ...quorums(officers.length, quorum),
      waiting,
      owners: options.owners ?? "open",
      unproven: options.unproven ?? "refused",
      officers: byName(officersOf(officers)),
    }),
  );
  signatureRoom(text, [origin, ...officers.map(({ name }) => name)]);
  return text;
}

/** What a policy changes of the one before; the rest stays. */
export interface PolicyChange extends PolicyRules {
  add?: readonly NewOfficer[] | undefined;
  /** Names. */
  remove?: readonly string[] | undefined;
}

/**
 * The text of the policy that follows another.
 * @param previous the hash of the note before it, a policy's or an identity's, 32 bytes
 * @throws TwinwrapError BAD_ARGUMENT if officers or numbers don't fit, LIMIT_EXCEEDED
 */
export function nextPolicy(before: Policy, previous: Uint8Array, change: PolicyChange): string {
  const { add = [], remove = [], quorum = before.release } = change;
  for (const name of remove) {
    if (before.officers.some((officer) => officer.name === name)) continue;
    throw new TwinwrapError("BAD_ARGUMENT", `${name} is no officer of policy ${before.number}`);
  }
  const stay = before.officers.filter(({ name }) => !remove.includes(name));
  const officers = byName([...stay, ...officersOf(add)]);
  if (quorum > officers.length) {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      `a release would take ${quorum} of ${officers.length} officers: give another quorum`,
    );
  }
  const text = asArgument(() =>
    formatPolicy({
      authority: before.authority,
      number: before.number + 1,
      previous,
      ...quorums(officers.length, quorum),
      waiting: change.waiting ?? before.waiting,
      owners: change.owners ?? before.owners,
      unproven: change.unproven ?? before.unproven,
      officers,
    }),
  );
  checkSignatureRoom(text, before, { officers });
  return text;
}

/** @throws TwinwrapError LIMIT_EXCEEDED if a policy has no room for all signatures that it may get */
function checkSignatureRoom(
  text: string,
  before: Policy | undefined,
  { officers }: Pick<PolicyText, "officers">,
): void {
  // The log key's name is as long as any.
  const names = [...(before?.officers ?? []), ...officers].map(({ name }) => name);
  signatureRoom(text, ["x".repeat(255), ...names]);
}

/** Whether a policy's signatures suffice, and the note that has them all. */
export interface TakenPolicy extends PolicySignatures {
  note: string;
  /** Until when it waits, if it was announced. */
  notBefore: Date | undefined;
}

/** A stored policy and the signatures it has. */
export interface PolicyState {
  row: NoteRow;
  policy: Policy;
  signatures: PolicySignatures;
  /** Until when a draft waits that was announced, or a policy in force has waited. */
  notBefore: Date | undefined;
}

/** What policies are read with. */
export type PolicyReader = Pick<Office, "core" | "chain">;

/**
 * All policies, the first one first, each verified from its note: those in force so far, then the
 * drafts of the next. Those are left out that were announced, and ended before they came into force.
 * @throws TwinwrapError NOT_VERIFIED or FAULT if one was altered, or it is not what its leaf says
 */
export async function policyStates(
  reader: PolicyReader,
  reads: StoreReads,
): Promise<PolicyState[]> {
  return (await knownStates(reader, reads)).states;
}

async function knownStates(
  { core, chain }: PolicyReader,
  reads: StoreReads,
): Promise<{ known: Known; states: PolicyState[] }> {
  const known = await chain.read(reads);
  const { authority, policies: rows } = known;
  const leaves = await leavesOf(reads, rows);
  const { newest } = chainBefore(authority, new Uint8Array());
  const states: PolicyState[] = [];
  for (const row of rows) {
    const policy = parsePolicy(core, row.note);
    checkRow(row, policy);
    const notBefore = leaves.announced(row)?.notbefore;
    if (row.leaf === undefined && isOvertaken(policy, newest)) continue;
    const before = chainBefore(authority, policy.hash);
    const signatures = await signaturesInChain(core, row.note, before);
    const state = { row, policy, signatures, notBefore };
    checkState(state, leaves.time(row), isTakenBack(row, known));
    states.push(state);
  }
  return { known, states };
}

/** The leaves of policies, which say what they have to. @throws TwinwrapError NOT_VERIFIED */
async function leavesOf(reads: StoreReads, rows: readonly NoteRow[]) {
  const places = rows.flatMap(({ leaf, announceLeaf }) => [leaf, announceLeaf]);
  const asked = places.filter((place) => place !== undefined);
  const texts = await reads.leavesAt(asked);
  const leaves = new Map(asked.map((place, i) => [place, texts[i]]));
  const leaf = <Type extends "policy" | "announce">(
    { number, hash }: NoteRow,
    place: number | undefined,
    type: Type,
  ) => {
    if (place === undefined) return undefined;
    const text = leaves.get(place);
    const found = text === undefined ? undefined : decodeLeaf(text);
    const isRight =
      found?.type === type &&
      "policy" in found &&
      "number" in found &&
      found.number === number &&
      equalBytes(found.policy, hash);
    if (isRight) return found as Extract<typeof found, { type: Type }>;
    throw notVerified(`entry ${place} of the log is not the one of policy ${number}`);
  };
  return {
    time: (row: NoteRow) => leaf(row, row.leaf, "policy")?.time,
    announced: (row: NoteRow) => leaf(row, row.announceLeaf, "announce"),
  };
}

function checkRow(row: NoteRow, { number, hash }: Policy): void {
  if (row.number === number && equalBytes(row.hash, hash)) return;
  throw notVerified(`the stored policy ${row.number} was altered`);
}

/** Whether another note came behind the one that a draft names. @param newest the hash of the newest note in force */
function isOvertaken({ number, previous }: Policy, newest: Uint8Array): boolean {
  return number > 1 && !equalBytes(previous, newest);
}

/**
 * Whether a policy's entry is one of those that a log begins with, before the identity that ended the log before: it
 * was lost with that one, and taken back.
 */
function isTakenBack({ leaf }: NoteRow, { authority, identities }: Known): boolean {
  if (leaf === undefined) return false;
  const first = authority.identities.find(({ ended }) => ended.length === logOf(leaf));
  const row = identities.find((one) => one.leaf !== undefined && one.number === first?.number);
  return row !== undefined && row.leaf! > leaf;
}

/** @param time when it came into force */
function checkState(
  { policy, signatures, notBefore }: PolicyState,
  time: Date | undefined,
  takenBack: boolean,
): void {
  const { number } = policy;
  // Where its entries were lost, officers vouched for it.
  const waits = signatures.waiting > 0 && !takenBack;
  if (time !== undefined && waits && !(notBefore !== undefined && notBefore <= time)) {
    throw notVerified(`policy ${number} came into force before its time`);
  }
  // A policy gets its leaf in the transaction that completes it: if the leaf is missing, somebody removed it.
  const isStated = waits ? notBefore !== undefined : time !== undefined;
  if (signatures.complete && !isStated && time === undefined) {
    throw notVerified(`the stored policy ${number} lacks its entry in the log`);
  }
}

/**
 * The policy that decides, from notes that verified; undefined while the first is a draft.
 * @throws TwinwrapError as {@link policyStates}
 */
export async function policyInForce(
  reader: PolicyReader,
  reads: StoreReads,
): Promise<Policy | undefined> {
  const states = await policyStates(reader, reads);
  return states.filter(isInForce).at(-1)?.policy;
}

/** The same. @throws TwinwrapError NO_POLICY */
export async function requirePolicy(reader: PolicyReader, reads: StoreReads): Promise<Policy> {
  const policy = await policyInForce(reader, reads);
  if (policy !== undefined) return policy;
  throw new TwinwrapError(
    "NO_POLICY",
    "no policy is in force: every officer has to sign the first one",
  );
}

/** The signatures of some keys in notes of one text, in the order of the keys, each once. Nothing is verified. */
export function withSignaturesOf(
  core: Core,
  notes: readonly string[],
  keys: readonly VerifierKey[],
) {
  const { text } = parseNote(notes[0]!);
  const all = notes.flatMap((note) => parseNote(note).signatures);
  const names = new Set<string>();
  const signatures = keys.flatMap((key) => {
    const id = keyId(core, key);
    const name = `${key.name} ${toHex(id)}`;
    const found = all.find((one) => one.name === key.name && equalBytes(one.keyId, id));
    if (found === undefined || names.has(name)) return [];
    names.add(name);
    return [found];
  });
  return formatNote({ text, signatures });
}

/** Keeps a signer from filling the store with drafts: one of a draft's signers has to have room. */
function checkRoom(drafts: readonly PolicyState[], { officers }: PolicySignatures): void {
  const brought = (name: string) =>
    drafts.filter(({ signatures }) => signatures.officers.includes(name)).length;
  if (officers.some((name) => brought(name) < MAX_DRAFTS)) return;
  throw new TwinwrapError(
    "REFUSED",
    `${officers.join(", ")} signed ${MAX_DRAFTS} drafts of this policy already: let others sign one of those`,
  );
}

/** What is left of authority.json for identities: an authority whose policies fill it can still end its log. */
const RESERVE = 4 << 20;

/** @throws TwinwrapError LIMIT_EXCEEDED before a policy is written that authority.json has no room for */
function checkFileRoom({ file }: Known, note: string): void {
  const policies = [...file.policies, note];
  const { length } = encodeAuthority({ ...file, policies });
  // The last policies of a file grow while they collect signatures.
  if (length + note.length <= MAX_AUTHORITY - RESERVE) return;
  throw new TwinwrapError(
    "LIMIT_EXCEEDED",
    "the policies of this authority have no room for another one",
  );
}

/**
 * Takes a policy with one or more signatures: adds them to what is there, or begins a new draft that
 * follows the policy in force. Once complete, it comes into force with its leaf, and other drafts are removed; or it
 * is announced, and waits.
 * @param logSigner signs drafts for the authority
 * @throws TwinwrapError NOT_VERIFIED if it does not follow, or a signature is wrong; NOT_ENTITLED
 *   if it has no signature that counts; DUPLICATE if another policy of that number is in force; REFUSED if its
 *   officers have brought in too many drafts, or one has an owner's control key; LIMIT_EXCEEDED; BAD_FORMAT
 */
export async function takePolicy(
  office: Office,
  logSigner: Signer,
  note: string,
): Promise<TakenPolicy> {
  const { core, store, log } = office;
  const policy = parsePolicy(core, note);
  return store.write(async (writes) => {
    const { known, states } = await knownStates(office, writes);
    const { authority } = known;
    const present = states.find(({ row }) => equalBytes(row.hash, policy.hash));
    const { hash, number } = policy;
    checkNumber(known, policy, present);
    for (const { wrapKeys } of authority.identities) checkShares(policy, wrapKeys);
    const before = chainBefore(authority, hash);
    const place = policyPlace(core, before);
    const given = await signaturesInChain(core, note, before);
    checkSigned(core, note, given, present, policy);
    if (present?.row.leaf !== undefined) {
      return { ...present.signatures, note: present.row.note, notBefore: present.notBefore };
    }
    await checkNoOwner(writes, policy);
    const deciding = (place.policy ?? policy).officers;
    const notes = present === undefined ? [note] : [present.row.note, note];
    const keys = [place.log, ...deciding.map(officerKey), ...policy.officers.map(officerKey)];
    let merged = withSignaturesOf(core, notes, keys);
    if (!given.log && present === undefined) merged = await addSignature(core, merged, logSigner);
    const signatures = await signaturesInChain(core, merged, before);
    if (present === undefined) {
      checkSignatureRoom(parseNote(note).text, place.policy, policy);
      checkFileRoom(known, merged);
    }
    const drafts = states.filter(({ row }) => row.leaf === undefined);
    if (!signatures.complete && present === undefined) checkRoom(drafts, given);
    const row: NoteRow = {
      number,
      hash,
      note: merged,
      announceLeaf: present?.row.announceLeaf,
      leaf: undefined,
    };
    const draft = { ...row, signatures, policies: [policy, place.policy ?? policy] };
    const stated = signatures.complete
      ? await state(writes, await log.end(writes), draft, present?.notBefore)
      : { row, notBefore: present?.notBefore };
    await writes.putPolicy(stated.row);
    return { ...signatures, note: merged, notBefore: stated.notBefore };
  });
}

/** @throws TwinwrapError DUPLICATE, NOT_VERIFIED unless it is the next of this authority, or is there */
function checkNumber(
  { authority }: Known,
  { authority: origin, number, hash }: Policy,
  present: PolicyState | undefined,
): void {
  if (present !== undefined) return;
  const isFirst = number === 1 && !equalBytes(hash, authority.identities[0]!.previous);
  if (isFirst || number <= authority.policies.length) {
    throw new TwinwrapError("DUPLICATE", `another policy with number ${number} is there`);
  }
  if (origin === authority.origin && number === authority.policies.length + 1) return;
  throw notVerified("the policy does not follow one of this authority that is in force");
}

/** @throws TwinwrapError REFUSED if an officer has the control key of an owner */
async function checkNoOwner(reads: StoreReads, { officers }: Policy): Promise<void> {
  const found = await ownerWithKey(
    reads,
    officers.map(({ key }) => key),
  );
  if (found === undefined) return;
  throw new TwinwrapError(
    "REFUSED",
    `the key of officer ${officers[found.key]!.name} is the control key of owner ${found.owner}: an officer needs a key of their own`,
  );
}

/** A draft is brought in by somebody who decides; who joins may sign it then. */
function checkSigned(
  core: Core,
  note: string,
  given: PolicySignatures,
  present: PolicyState | undefined,
  { officers }: Policy,
): void {
  if (given.officers.length > 0) return;
  const ids = officers.map((officer) => toHex(keyId(core, officerKey(officer))));
  const joins = parseNote(note).signatures.some((one) => ids.includes(toHex(one.keyId)));
  if (present !== undefined && joins) return;
  throw new TwinwrapError("NOT_ENTITLED", "nobody who decides about this policy has signed it");
}

/**
 * Brings a complete policy into force, or announces it.
 * @param draft.policies whose officers are told of it
 */
async function state(
  writes: StoreWrites,
  end: LogEnd,
  draft: NoteRow & { signatures: PolicySignatures; policies: readonly Policy[] },
  notBefore: Date | undefined,
): Promise<{ row: NoteRow; notBefore: Date | undefined }> {
  const { signatures, policies, ...row } = draft;
  const { number, hash: policy } = row;
  const about = { time: end.time, leaf: end.next, policy: number, policies };
  const waits = signatures.waiting > 0 && !(notBefore !== undefined && notBefore <= end.time);
  if (!waits) {
    await end.append([{ type: "policy", number, policy }]);
    await writes.dropDrafts();
    await tell(writes, { kind: "policy", ...about });
    return { row: { ...row, leaf: end.next }, notBefore };
  }
  if (notBefore !== undefined) return { row, notBefore };
  const notbefore = new Date(end.time.getTime() + signatures.waiting * 1000);
  await end.append([{ type: "announce", number, policy, notbefore }]);
  await tell(writes, { kind: "announce", ...about, notBefore: notbefore });
  return { row: { ...row, announceLeaf: end.next }, notBefore: notbefore };
}

/**
 * Brings the policy into force that was announced first, if its time has come.
 * @returns whether there was one
 */
export async function settlePolicies(office: Office): Promise<boolean> {
  const { store, log } = office;
  if (!(await isDue(await store.policies(), store))) return false;
  // One that has ended is always due.
  if (firstAnnounced(await policyStates(office, store)) === undefined) return false;
  return store.write(async (writes) => {
    const states = await policyStates(office, writes);
    const first = firstAnnounced(states);
    if (first === undefined) return false;
    const end = await log.end(writes);
    const { row, signatures, notBefore } = first;
    const policies = [...states.filter(isInForce).slice(-1), first].map(({ policy }) => policy);
    const stated = await state(writes, end, { ...row, signatures, policies }, notBefore);
    if (stated.row.leaf === undefined) return false;
    await writes.putPolicy(stated.row);
    return true;
  });
}

/** Whether a policy is, or was, in force. */
function isInForce({ row }: PolicyState): boolean {
  return row.leaf !== undefined;
}

/** Of the drafts that wait, the one that was announced first. */
function firstAnnounced(states: readonly PolicyState[]): PolicyState | undefined {
  return states
    .filter(({ row, notBefore }) => row.leaf === undefined && notBefore !== undefined)
    .sort((a, b) => a.row.announceLeaf! - b.row.announceLeaf!)[0];
}

/** A first look, without a transaction. */
async function isDue(rows: readonly NoteRow[], reads: StoreReads): Promise<boolean> {
  const inForce = rows.filter(({ leaf }) => leaf !== undefined).length;
  const waiting = rows.flatMap(({ number, leaf, announceLeaf }) =>
    number > inForce && leaf === undefined && announceLeaf !== undefined ? [announceLeaf] : [],
  );
  if (waiting.length === 0) return false;
  const now = new Date();
  return (await reads.leavesAt(waiting)).some((text) => {
    const leaf = text === undefined ? undefined : decodeLeaf(text);
    return leaf?.type === "announce" && leaf.notbefore <= now;
  });
}
