import { equalBytes } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import { chainBefore, type IdentitySignatures, identitySignatures } from "../escrow/chain.js";
import { formatIdentity, identityHash, parseIdentity } from "../escrow/identity.js";
import type { Authority, AuthorityFile, EndedLog, LogPoint, Signer } from "../escrow/index.js";
import { rootHash } from "../escrow/merkle.js";
import { signNote } from "../escrow/note.js";
import { officerKey } from "../escrow/policy.js";
import type { SigningKey } from "../escrow/signing-key.js";
import { tell } from "./events.js";
import {
  appendTo,
  compareKnown,
  dropFence,
  fence,
  logsOf,
  type NewLeaf,
  wholeSeconds,
} from "./log.js";
import type { Office } from "./office.js";
import { withSignaturesOf } from "./policies.js";
import { placeOf } from "./store/place.js";
import type { NoteRow, StoreReads, StoreWrites } from "./store/store.js";
import {
  chainWithTaken,
  dropTaken,
  firstThatWaited,
  isLonger,
  type KnownChain,
  keepTaken,
  type LostNote,
  longestChain,
  lostNotes,
} from "./taken-back.js";
import type { Known } from "./verified-chain.js";

// A log never forks: it ends. The quorum signs an identity that says what is held of it and what is known of it, with
// the key of the log that follows. From then on nothing counts that the old key signs. A store that lost the newest
// policies or identities with the end of its log takes them back from an authority.json (taken-back.ts).

/** Keys for the end of a log. */
export interface ClosingKeys {
  /** Of the log that ends; undefined if it is lost. */
  old: Signer | undefined;
  /** Of the log that follows. */
  next: SigningKey;
}

/** What is known outside of a log that is to end. */
export interface KnownOutside {
  /** Checkpoints (notes). */
  checkpoints: readonly string[];
  /** Policies and identities: the store may have lost some. */
  files: readonly AuthorityFile[];
  /** Somebody vouches that the policies among them that had to wait came into force. */
  wereInForce?: boolean | undefined;
}

/** An identity that is to end a log, with the signatures that it has by now. */
export interface Closing extends IdentitySignatures {
  note: string;
  /** What is held of the log, and the newest state of it that is known. */
  kept: LogPoint;
  end: LogPoint;
  /** All that is before it, with what the store had lost. */
  authority: Authority;
  /** What the store had lost of that. */
  takenBack: Pick<LostNote, "kind" | "number">[];
}

/** What an identity that ends a log follows. */
interface Before {
  own: Known;
  chain: KnownChain;
}

/** What the store holds of each log of the chain, the first one first: it may lack the newest logs. */
async function heldPoints(
  core: Core,
  reads: StoreReads,
  { own, chain }: Before,
): Promise<LogPoint[]> {
  const head = await reads.head();
  const empty: LogPoint = { size: 0, root: await rootHash(core, () => [], 0) };
  const ended = own.authority.identities.at(-1)!.ended.map(({ kept }) => kept);
  const held = [...ended, head === undefined ? empty : { size: head.size, root: head.root }];
  return logsOf(chain.authority).map((_, log) => held[log] ?? empty);
}

/**
 * What an older store still keeps of a log that has ended: the same, or less.
 * @throws TwinwrapError NOT_VERIFIED if it holds something else than what was kept
 */
function withLess(log: EndedLog, held: LogPoint): EndedLog {
  const { kept, name } = log;
  if (held.size > kept.size || (held.size === kept.size && !equalBytes(held.root, kept.root))) {
    throw notVerified(`the store does not hold what was kept of log ${name} when that ended`);
  }
  return { ...log, kept: held };
}

/** The newest of some points of a log. @throws TwinwrapError NOT_VERIFIED if a checkpoint contradicts the store */
async function newestPoint(
  core: Core,
  reads: StoreReads,
  known: readonly string[],
  authority: Authority,
  held: LogPoint,
): Promise<LogPoint> {
  const log = logsOf(authority).length - 1;
  const seen = await reads.seenCheckpoint();
  const notes = [...known, ...(seen === undefined ? [] : [seen.checkpoint])];
  let newest = held;
  for (const note of notes) {
    const point = await compareKnown(core, reads, note, authority, { mayBeLonger: true });
    if (point.log !== log) continue;
    if (point.size === newest.size && !equalBytes(point.root, newest.root)) {
      throw notVerified(`the log was forked: two states of ${point.size} leaves are known`);
    }
    if (point.size > newest.size) newest = { size: point.size, root: point.root };
  }
  return newest;
}

/** What the next identity follows: the chain of the store, with what was taken back before. */
async function before({ core, chain }: Reader, reads: StoreReads): Promise<Before> {
  const own = await chain.read(reads);
  return { own, chain: await chainWithTaken(core, reads, own) };
}

type Reader = Pick<Office, "core" | "chain">;

/**
 * What a store lacks of what is known outside, or was taken back before.
 * @throws TwinwrapError NOT_VERIFIED if a file is a fork
 */
export async function lostOf(
  reader: Reader,
  reads: StoreReads,
  files: readonly AuthorityFile[],
): Promise<LostNote[]> {
  const { own, chain } = await before(reader, reads);
  return lostNotes(own, await longestChain(reader.core, chain, files));
}

/**
 * Takes back what the store lost of the authority's notes.
 * @throws TwinwrapError NOT_VERIFIED if a file is a fork, or another authority's; REFUSED if nobody vouches for a policy
 *   that had to wait
 */
async function takeBack(
  { core, chain }: Reader,
  writes: StoreWrites,
  { files, wereInForce = false }: KnownOutside,
): Promise<Before> {
  const known = await before({ core, chain }, writes);
  const longest = await longestChain(core, known.chain, files);
  const waited = await firstThatWaited(core, longest, known.chain);
  if (waited !== undefined && !wereInForce) {
    throw new TwinwrapError(
      "REFUSED",
      `policy ${waited.number} is weaker than the one before it, so it had to wait, and nothing shows that it came into force: somebody has to vouch for that`,
    );
  }
  if (isLonger(longest.file, known.own.file)) await keepTaken(writes, longest.file);
  return { own: known.own, chain: longest };
}

/**
 * Drafts the identity that ends the log, and stops the log. An equal draft that is there stays. What the store lost of
 * the authority's policies and identities is taken back from what is known outside.
 * @throws TwinwrapError NO_POLICY; NOT_VERIFIED if what is known contradicts the store; REFUSED if nobody vouches for a
 *   policy that is taken back and had to wait; BAD_KEY if the key for the next log is that of another; LIMIT_EXCEEDED
 */
export async function beginClosing(
  office: Office,
  keys: ClosingKeys,
  outside: KnownOutside,
): Promise<Closing> {
  const { core, store } = office;
  return store.write(async (writes) => {
    const known = await takeBack(office, writes, outside);
    const { identities } = known.own;
    const { authority } = known.chain;
    if (authority.policies.length === 0) {
      throw new TwinwrapError("NO_POLICY", "no policy is in force: nobody can end the log yet");
    }
    const held = await heldPoints(core, writes, known);
    const kept = held.at(-1)!;
    const drafted = draftedEnd(core, identities, authority);
    const shown = await newestPoint(core, writes, outside.checkpoints, authority, kept);
    // What another officer has shown is not forgotten.
    const end = drafted !== undefined && drafted.size > shown.size ? drafted : shown;
    const last = authority.identities.at(-1)!;
    const next = nextLog(authority, keys.next);
    const { newest } = chainBefore(authority, new Uint8Array());
    const text = formatIdentity({
      ...last,
      number: last.number + 1,
      previous: newest,
      log: { name: next.name, publicKey: next.publicKey },
      ended: [...last.ended.map((log, i) => withLess(log, held[i]!)), { ...last.log, kept, end }],
    });
    const hash = identityHash(core, text);
    const present = identities.find((row) => equalBytes(row.hash, hash));
    await fence(writes, "closing");
    if (present !== undefined) return closingOf(core, known, present.note);
    // Another draft said less, or is overtaken.
    await writes.dropDrafts();
    const isOld = keys.old !== undefined && equalBytes(keys.old.publicKey, last.log.publicKey);
    const signers = isOld ? [next, keys.old!] : [next];
    const note = await signNote(core, text, ...signers);
    const number = last.number + 1;
    await writes.putIdentity({ number, hash, note, announceLeaf: undefined, leaf: undefined });
    return closingOf(core, known, note);
  });
}

/** The next log's key, under the name of that log. @throws TwinwrapError BAD_KEY if it is another log's */
function nextLog(authority: Authority, key: SigningKey): Signer {
  const logs = logsOf(authority);
  if (logs.some(({ publicKey }) => equalBytes(publicKey, key.publicKey))) {
    throw new TwinwrapError("BAD_KEY", "the key that is kept for the next log is another log's");
  }
  return key.signer(`${authority.origin}/${logs.length + 1}`);
}

/** Where a draft says that the log in use ended. */
function draftedEnd(
  core: Core,
  identities: readonly NoteRow[],
  authority: Authority,
): LogPoint | undefined {
  const draft = identities.find(({ leaf }) => leaf === undefined);
  const ended = draft && parseIdentity(core, draft.note).ended.at(-1);
  return ended?.name === authority.logKeys[0]!.name ? ended.end : undefined;
}

async function closingOf(core: Core, { own, chain }: Before, note: string): Promise<Closing> {
  const identity = parseIdentity(core, note);
  const { authority } = chain;
  const signatures = await identitySignatures(core, note, chainBefore(authority, new Uint8Array()));
  const { kept, end } = identity.ended.at(-1)!;
  const takenBack = lostNotes(own, chain).map(({ kind, number }) => ({ kind, number }));
  return { ...signatures, note, kept, end, authority, takenBack };
}

/** The identity that is to end the log; undefined if nobody is ending it. @throws TwinwrapError NOT_VERIFIED */
export async function closingDraft(
  reader: Reader,
  reads: StoreReads,
): Promise<Closing | undefined> {
  const known = await before(reader, reads);
  const draft = known.own.identities.find(({ leaf }) => leaf === undefined);
  return draft && closingOf(reader.core, known, draft.note);
}

/**
 * Takes signatures for the identity that is to end the log. Once it has all, the log ends, and the next one begins
 * with it. Open requests end with the log.
 * @param next the key of the log that follows
 * @throws TwinwrapError NOT_FOUND if no such draft is there; NOT_VERIFIED; NOT_ENTITLED if no officer's signature is
 *   on it; CONFLICT if the log has grown since it was drafted
 */
export async function takeClosing(
  office: Office,
  note: string,
  next: SigningKey,
): Promise<Closing> {
  const { core, store } = office;
  const identity = parseIdentity(core, note);
  return store.write(async (writes) => {
    const known = await before(office, writes);
    const { authority } = known.chain;
    const row = known.own.identities.find(({ hash }) => equalBytes(hash, identity.hash));
    if (row === undefined) {
      throw new TwinwrapError(
        "NOT_FOUND",
        "no such identity is drafted here: the log may have grown",
      );
    }
    if (row.leaf !== undefined) throw new TwinwrapError("DUPLICATE", "it is in force already");
    const given = await closingOf(core, known, note);
    if (given.officers.length === 0) {
      throw new TwinwrapError("NOT_ENTITLED", "no officer who decides about it has signed it");
    }
    const last = authority.identities.at(-1)!;
    const officers = authority.policies.at(-1)!.officers.map(officerKey);
    const keys = [identity.log, last.log, ...officers];
    const merged = withSignaturesOf(core, [row.note, note], keys);
    const closing = await closingOf(core, known, merged);
    const draft = { ...row, note: merged };
    if (closing.complete) await end(core, writes, known, draft, next);
    else await writes.putIdentity(draft);
    return closing;
  });
}

/** Ends the log and begins the next one: with the notes that were lost, and then with the identity that ends it. */
async function end(
  core: Core,
  writes: StoreWrites,
  known: Before,
  draft: NoteRow,
  key: SigningKey,
): Promise<void> {
  const { log, ended } = parseIdentity(core, draft.note);
  if (!equalBytes(key.publicKey, log.publicKey)) {
    throw new TwinwrapError(
      "BAD_KEY",
      "the key of the next log is not the one that was signed for",
    );
  }
  const held = await heldPoints(core, writes, known);
  const isHeld = ({ kept }: EndedLog, i: number) =>
    kept.size === held[i]!.size && equalBytes(kept.root, held[i]!.root);
  if (!ended.every(isHeld)) {
    throw new TwinwrapError("CONFLICT", "the store does not hold what the officers signed for");
  }
  const head = await writes.head();
  const logs = logsOf(known.chain.authority).length;
  const begin = placeOf(logs, 0);
  const time = wholeSeconds(new Date());
  const lost = lostNotes(known.own, known.chain);
  const { number, hash } = draft;
  const leaves = [...lost, { kind: "identity" as const, number, hash }].map(leafOf);
  await appendTo(
    core,
    writes,
    { log: logs, size: 0, read: () => [], signer: key.signer(log.name), time },
    leaves,
    placeOf(head?.log ?? 0, head?.size ?? 0),
  );
  const { policies, identities } = known.own;
  for (const [i, { kind, number, hash, note }] of lost.entries()) {
    const rows = kind === "policy" ? policies : identities;
    // The store may hold it as a draft that was announced.
    const announceLeaf = rows.find((row) => equalBytes(row.hash, hash))?.announceLeaf;
    const row = { number, hash, note, announceLeaf, leaf: begin + i };
    await (kind === "policy" ? writes.putPolicy(row) : writes.putIdentity(row));
  }
  const leaf = begin + lost.length;
  await writes.putIdentity({ ...draft, leaf });
  const told = known.chain.authority.policies.slice(-1);
  await tell(writes, { kind: "authority", time, leaf, identity: number, policies: told });
  await writes.dropDrafts();
  await dropTaken(writes);
  await writes.endRequests();
  await dropFence(writes);
}

function leafOf({ kind, number, hash }: Pick<LostNote, "kind" | "number" | "hash">): NewLeaf {
  if (kind === "policy") return { type: "policy", number, policy: hash };
  return { type: "authority", number, identity: hash };
}
