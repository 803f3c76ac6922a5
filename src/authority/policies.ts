import { equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import {
  type Authority,
  addSignature,
  checkShares,
  decodeLeaf,
  formatNote,
  formatPolicy,
  officerKey,
  type Policy,
  type PolicySignatures,
  type PolicyText,
  parseNote,
  parsePolicy,
  policySignatures,
  type Signer,
  type VerifierKey,
} from "../escrow/index.js";
import type { RsaPublicKey } from "../keys/index.js";
import type { Office } from "./office.js";
import type { NoteRow, StoreReads } from "./store/store.js";
import { everyLogKey, signaturesOf } from "./verified-notes.js";

// Policies say who decides. A policy is in force once the log key and the officers before it have signed it
// and its leaf is in the log; until then it is a draft that collects signatures. Drafts of the next
// policy stand side by side, so that nobody can keep others from agreeing on theirs.

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

/**
 * The text of an authority's first policy.
 * @throws TwinwrapError BAD_ARGUMENT if officers or numbers don't fit
 */
export function firstPolicy(
  origin: string,
  options: {
    officers: readonly NewOfficer[];
    /** How many it takes to release keys: by default a majority. */
    quorum?: number | undefined;
    /** Seconds between a request and its release; 0 by default. */
    waiting?: number | undefined;
  },
): string {
  const { officers, quorum = majority(officers.length), waiting = 0 } = options;
  return asArgument(() =>
    formatPolicy({
      authority: origin,
      number: 1,
      previous: undefined,
      ...quorums(officers.length, quorum),
      waiting,
      officers: byName(officersOf(officers)),
    }),
  );
}

/** What a policy changes of the one before; the rest stays. */
export interface PolicyChange {
  add?: readonly NewOfficer[] | undefined;
  /** Names. */
  remove?: readonly string[] | undefined;
  quorum?: number | undefined;
  waiting?: number | undefined;
}

/**
 * The text of the policy that follows another.
 * @throws TwinwrapError BAD_ARGUMENT if officers or numbers don't fit
 */
export function nextPolicy(before: Policy, change: PolicyChange): string {
  const { add = [], remove = [], quorum = before.release, waiting = before.waiting } = change;
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
  return asArgument(() =>
    formatPolicy({
      authority: before.authority,
      number: before.number + 1,
      previous: before.hash,
      ...quorums(officers.length, quorum),
      waiting,
      officers,
    }),
  );
}

/** Whether a policy's signatures suffice, and the note that has them all. */
export interface TakenPolicy extends PolicySignatures {
  note: string;
}

/** A stored policy and the signatures it has. */
export interface PolicyState {
  row: NoteRow;
  policy: Policy;
  signatures: PolicySignatures;
}

/** What policies are read with. */
export type PolicyReader = Pick<Office, "core" | "notes"> & {
  authority: Pick<Authority, "origin" | "identities">;
};

/**
 * All policies, the first one first, each verified from its note: those in force so far, then the
 * drafts of the next.
 * @throws TwinwrapError NOT_VERIFIED or FAULT if one was altered, or it is not what its leaf says
 */
export async function policyStates(
  { core, notes, authority }: PolicyReader,
  reads: StoreReads,
): Promise<PolicyState[]> {
  const rows = await reads.policies();
  await checkLeaves(reads, rows);
  const inForce: PolicyState[] = [];
  const drafts: PolicyState[] = [];
  for (const row of rows) {
    const before = inForce.at(-1)?.policy;
    const policy = parsePolicy(core, row.note);
    const signatures = await notes.signatures(row.note, before);
    checkRow({ row, policy, signatures }, authority);
    if (row.leaf === undefined) {
      drafts.push({ row, policy, signatures });
      continue;
    }
    // Rival drafts were removed when it came into force.
    if (drafts.length > 0)
      throw notVerified(`drafts of policy ${row.number} were left in the store`);
    inForce.push({ row, policy, signatures });
  }
  return [...inForce, ...drafts];
}

function checkRow(
  { row, policy, signatures }: PolicyState,
  { origin, identities }: Pick<Authority, "origin" | "identities">,
): void {
  const { number } = policy;
  if (row.number !== number || !equalBytes(row.hash, policy.hash)) {
    throw notVerified(`the stored policy ${row.number} was altered`);
  }
  if (policy.authority !== origin) {
    throw notVerified(`policy ${number} is not one of ${origin}`);
  }
  if (number === 1 && !equalBytes(policy.hash, identities[0]!.policy)) {
    throw notVerified("the first policy is not the one that the authority's identity names");
  }
  // A policy comes into force in the transaction that completes it: if the leaf is missing, somebody removed it.
  if (signatures.complete !== (row.leaf !== undefined)) {
    const lacks = signatures.complete ? "its entry in the log" : "signatures";
    throw notVerified(`the stored policy ${number} lacks ${lacks}`);
  }
}

/** Those in force are what their leaves say. */
async function checkLeaves(reads: StoreReads, rows: readonly NoteRow[]): Promise<void> {
  const inForce = rows.filter(({ leaf }) => leaf !== undefined);
  const texts = await reads.leavesAt(inForce.map(({ leaf }) => leaf!));
  for (const [i, { number, hash, leaf: index }] of inForce.entries()) {
    const text = texts[i];
    const leaf = text === undefined ? undefined : decodeLeaf(text);
    const isRight =
      leaf?.type === "policy" && leaf.number === number && equalBytes(leaf.policy, hash);
    if (!isRight) throw notVerified(`entry ${index} of the log is not the one of policy ${number}`);
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
  return states.filter(({ row }) => row.leaf !== undefined).at(-1)?.policy;
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

/** The note with the signatures of some keys only, each once. */
function withSignaturesOf(core: Core, notes: readonly string[], keys: readonly VerifierKey[]) {
  const { text } = parseNote(notes[0]!);
  return formatNote({ text, signatures: signaturesOf(core, notes, keys) });
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

/**
 * Takes a policy with one or more signatures: adds them to what is there, or begins a new draft that
 * follows the policy in force. Once complete, it comes into force with its leaf, and other drafts are removed.
 * @param logSigner signs drafts for the authority
 * @throws TwinwrapError NOT_VERIFIED if it does not follow, or a signature is wrong; NOT_ENTITLED
 *   if it has no signature that counts; DUPLICATE if another policy of that number is in force; REFUSED if its
 *   officers have brought in too many drafts; BAD_FORMAT
 */
export async function takePolicy(
  office: Office,
  logSigner: Signer,
  note: string,
): Promise<TakenPolicy> {
  const { core, store, log, authority } = office;
  const policy = parsePolicy(core, note);
  checkShares(
    policy,
    authority.identities.flatMap(({ wrapKeys }) => wrapKeys),
  );
  const logKeys = everyLogKey(authority);
  return store.write(async (writes) => {
    const states = await policyStates(office, writes);
    const inForce = states.filter(({ row }) => row.leaf !== undefined);
    const present = states.find(({ row }) => equalBytes(row.hash, policy.hash));
    const { hash, number } = policy;
    const isFirst = number === 1 && !equalBytes(hash, authority.identities[0]!.policy);
    if (isFirst || (present === undefined && number <= inForce.length)) {
      throw new TwinwrapError("DUPLICATE", `another policy with number ${number} is there`);
    }
    const before = inForce[number - 2]?.policy;
    if (policy.authority !== authority.origin || number > inForce.length + 1) {
      throw notVerified("the policy does not follow one of this authority that is in force");
    }
    const given = await policySignatures(core, note, before, logKeys);
    if (given.officers.length === 0) {
      throw new TwinwrapError("NOT_ENTITLED", "nobody who decides about this policy has signed it");
    }
    if (present?.row.leaf !== undefined) return { ...present.signatures, note: present.row.note };
    const deciding = (before ?? policy).officers.map(officerKey);
    const notes = present === undefined ? [note] : [present.row.note, note];
    let merged = withSignaturesOf(core, notes, [...logKeys, ...deciding]);
    if (!given.log && present === undefined) merged = await addSignature(core, merged, logSigner);
    const signatures = await office.notes.signatures(merged, before);
    let leaf: number | undefined;
    if (signatures.complete) {
      const end = await log.end(writes);
      leaf = end.size;
      await end.append([{ type: "policy", time: new Date(), number, policy: hash }]);
      await writes.dropDrafts(number);
    } else if (present === undefined) {
      checkRoom(states.slice(inForce.length), given);
    }
    await writes.putPolicy({ number, hash, note: merged, leaf });
    return { ...signatures, note: merged };
  });
}
