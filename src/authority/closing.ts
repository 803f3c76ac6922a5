import { equalBytes, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import { chainBefore, type IdentitySignatures, identitySignatures } from "../escrow/chain.js";
import {
  type Authority,
  type EndedLog,
  formatIdentity,
  identityHash,
  type LogPoint,
  officerKey,
  parseIdentity,
  rootHash,
  type Signer,
  signNote,
} from "../escrow/index.js";
import { appendTo, compareKnown, dropFence, fence, logsOf, wholeSeconds } from "./log.js";
import type { Office } from "./office.js";
import { withSignaturesOf } from "./policies.js";
import { placeOf } from "./store/place.js";
import type { NoteRow, StoreReads, StoreWrites } from "./store/store.js";

// A log never forks: it ends. The quorum signs an identity that says what is held of it and what is known of it, with
// the key of the log that follows. From then on nothing counts that the old key signs.

/** Keys for the end of a log. */
export interface ClosingKeys {
  /** Of the log that ends; undefined if it is lost. */
  old: Signer | undefined;
  /** Of the log that follows, under its origin. */
  next: Signer;
}

/** An identity that is to end a log, with the signatures that it has by now. */
export interface Closing extends IdentitySignatures {
  note: string;
  /** What is held of the log, and the newest state of it that is known. */
  kept: LogPoint;
  end: LogPoint;
}

/** The state of the log that the store holds. */
async function heldPoint(core: Core, reads: StoreReads): Promise<LogPoint> {
  const head = await reads.head();
  if (head !== undefined) return { size: head.size, root: head.root };
  return { size: 0, root: await rootHash(core, () => [], 0) };
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

/**
 * Drafts the identity that ends the log, and stops the log. An equal draft that is there stays.
 * @param known checkpoints (notes) that are known outside
 * @throws TwinwrapError NO_POLICY; NOT_VERIFIED if what is known contradicts the store; LIMIT_EXCEEDED
 */
export async function beginClosing(
  office: Office,
  keys: ClosingKeys,
  known: readonly string[],
): Promise<Closing> {
  const { core, store, chain } = office;
  return store.write(async (writes) => {
    const { authority, identities } = await chain.read(writes);
    if (authority.policies.length === 0) {
      throw new TwinwrapError("NO_POLICY", "no policy is in force: nobody can end the log yet");
    }
    const kept = await heldPoint(core, writes);
    const drafted = draftedEnd(core, identities);
    const shown = await newestPoint(core, writes, known, authority, kept);
    // What another officer has shown is not forgotten.
    const end = drafted !== undefined && drafted.size > shown.size ? drafted : shown;
    const before = authority.identities.at(-1)!;
    const ended: EndedLog = { ...before.log, kept, end };
    const { newest } = chainBefore(authority, new Uint8Array());
    const text = formatIdentity({
      ...before,
      number: before.number + 1,
      previous: newest,
      log: { name: keys.next.name, publicKey: keys.next.publicKey },
      ended: [...before.ended, ended],
    });
    const hash = identityHash(core, text);
    const present = identities.find((row) => equalBytes(row.hash, hash));
    await fence(writes, "closing");
    if (present !== undefined) return closingOf(core, authority, present.note);
    // Another draft said less, or is overtaken.
    await writes.dropDrafts();
    const signers = keys.old === undefined ? [keys.next] : [keys.next, keys.old];
    const note = await signNote(core, text, ...signers);
    const number = before.number + 1;
    await writes.putIdentity({ number, hash, note, announceLeaf: undefined, leaf: undefined });
    return closingOf(core, authority, note);
  });
}

/** Where a draft says that the log ended. */
function draftedEnd(core: Core, identities: readonly NoteRow[]): LogPoint | undefined {
  const draft = identities.find(({ leaf }) => leaf === undefined);
  return draft && parseIdentity(core, draft.note).ended.at(-1)?.end;
}

async function closingOf(core: Core, authority: Authority, note: string): Promise<Closing> {
  const identity = parseIdentity(core, note);
  const chain = chainBefore(authority, new Uint8Array());
  const signatures = await identitySignatures(core, note, chain);
  const { kept, end } = identity.ended.at(-1)!;
  return { ...signatures, note, kept, end };
}

/** The identity that is to end the log; undefined if nobody is ending it. @throws TwinwrapError NOT_VERIFIED */
export async function closingDraft(
  { core, chain }: Pick<Office, "core" | "chain">,
  reads: StoreReads,
): Promise<Closing | undefined> {
  const { authority, identities } = await chain.read(reads);
  const draft = identities.find(({ leaf }) => leaf === undefined);
  return draft && closingOf(core, authority, draft.note);
}

/**
 * Takes signatures for the identity that is to end the log. Once it has all, the log ends, and the next one begins
 * with it. Open requests end with the log.
 * @param next the key of the log that follows
 * @throws TwinwrapError NOT_FOUND if no such draft is there; NOT_VERIFIED; NOT_ENTITLED if no officer's signature is
 *   on it; CONFLICT if the log has grown since it was drafted
 */
export async function takeClosing(office: Office, note: string, next: Signer): Promise<Closing> {
  const { core, store, chain } = office;
  const identity = parseIdentity(core, note);
  return store.write(async (writes) => {
    const { authority, identities } = await chain.read(writes);
    const row = identities.find(({ hash }) => equalBytes(hash, identity.hash));
    if (row === undefined) {
      throw new TwinwrapError(
        "NOT_FOUND",
        "no such identity is drafted here: the log may have grown",
      );
    }
    if (row.leaf !== undefined) throw new TwinwrapError("DUPLICATE", "it is in force already");
    const given = await closingOf(core, authority, note);
    if (given.officers.length === 0) {
      throw new TwinwrapError("NOT_ENTITLED", "no officer who decides about it has signed it");
    }
    const before = authority.identities.at(-1)!;
    const officers = authority.policies.at(-1)!.officers.map(officerKey);
    const keys = [identity.log, before.log, ...officers];
    const merged = withSignaturesOf(core, [row.note, note], keys);
    const closing = await closingOf(core, authority, merged);
    const draft = { ...row, note: merged };
    if (closing.complete) await end(core, writes, { authority, draft, next, kept: closing.kept });
    else await writes.putIdentity(draft);
    return closing;
  });
}

/** Ends the log and begins the next one. */
async function end(
  core: Core,
  writes: StoreWrites,
  about: { authority: Authority; draft: NoteRow; next: Signer; kept: LogPoint },
): Promise<void> {
  const { authority, draft, next, kept } = about;
  const { number, hash } = draft;
  const { log } = parseIdentity(core, draft.note);
  if (next.name !== log.name || toHex(next.publicKey) !== toHex(log.publicKey)) {
    throw new TwinwrapError(
      "BAD_KEY",
      "the key of the next log is not the one that was signed for",
    );
  }
  const held = await heldPoint(core, writes);
  if (held.size !== kept.size || !equalBytes(held.root, kept.root)) {
    throw new TwinwrapError("CONFLICT", "the store does not hold what the officers signed for");
  }
  const logs = logsOf(authority).length;
  const begin = placeOf(logs, 0);
  const time = wholeSeconds(new Date());
  const leaf = { type: "authority", number, identity: hash } as const;
  await appendTo(
    core,
    writes,
    { log: logs, size: 0, read: () => [], signer: next, time },
    [leaf],
    placeOf(logs - 1, held.size),
  );
  await writes.putIdentity({ ...draft, leaf: begin });
  await writes.dropDrafts();
  await writes.endRequests();
  await dropFence(writes);
}
