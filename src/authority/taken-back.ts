import { equalBytes, fromUtf8, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified } from "../errors.js";
import { chainBefore, signaturesInChain, verifyAuthority } from "../escrow/chain.js";
import { decodeAuthority, encodeAuthority } from "../escrow/identity.js";
import type { Authority, AuthorityFile, Policy } from "../escrow/index.js";
import type { StoreReads, StoreWrites } from "./store/store.js";
import type { Known } from "./verified-chain.js";

// A store that is older than the newest policy or identity has lost it with the end of its log. Everybody has these
// notes in an authority.json, and they prove themselves. So they are taken back from there when the log is ended:
// until then they are kept as they came, and the next log begins with their entries.

const SETTING = "taken back";

/** A chain that verified, and its notes. */
export interface KnownChain {
  authority: Authority;
  file: AuthorityFile;
}

const lengthOf = ({ identities, policies }: AuthorityFile) => identities.length + policies.length;

/** Whether there are more notes in one than in the other, whatever they say. */
export function isLonger(one: AuthorityFile, other: AuthorityFile): boolean {
  return lengthOf(one) > lengthOf(other);
}

/** Whether one file has no note that another lacks. */
function isPart(one: AuthorityFile, other: AuthorityFile): boolean {
  return (
    one.identities.every((note, i) => note === other.identities[i]) &&
    one.policies.every((note, i) => note === other.policies[i])
  );
}

/** @throws TwinwrapError NOT_VERIFIED if two chains of one authority went different ways */
function longerOf(one: KnownChain, other: KnownChain): KnownChain {
  const [long, short] = isLonger(other.file, one.file) ? [other, one] : [one, other];
  const goesOn = <Note extends { hash: Uint8Array }>(of: (authority: Authority) => Note[]) =>
    of(short.authority).every(({ hash }, i) => {
      const note = of(long.authority)[i];
      return note !== undefined && equalBytes(note.hash, hash);
    });
  if (goesOn((authority) => authority.identities) && goesOn(({ policies }) => policies))
    return long;
  throw notVerified("two notes of this authority follow the same one: its chain was forked");
}

/**
 * The longest chain that is known, of a store's own and of files from elsewhere.
 * @throws TwinwrapError BAD_FORMAT; NOT_VERIFIED if one is another authority's, does not verify, or is a fork
 */
export async function longestChain(
  core: Core,
  own: KnownChain,
  files: readonly AuthorityFile[],
): Promise<KnownChain> {
  const pinned = own.authority.fingerprint;
  let longest: KnownChain = own;
  for (const file of files) {
    if (isPart(file, longest.file)) continue;
    longest = longerOf(longest, { authority: await verifyAuthority(core, file, { pinned }), file });
  }
  return longest;
}

/** The chain of a store, with what was taken back. @throws TwinwrapError NOT_VERIFIED */
export async function chainWithTaken(
  core: Core,
  reads: StoreReads,
  own: Known,
): Promise<KnownChain> {
  const text = await reads.setting(SETTING);
  return longestChain(core, own, text === undefined ? [] : [decodeAuthority(toUtf8(text))]);
}

/** Keeps what was taken back until the log ends. */
export function keepTaken(writes: StoreWrites, file: AuthorityFile): Promise<void> {
  return writes.setSetting(SETTING, fromUtf8(encodeAuthority(file)));
}

export function dropTaken(writes: StoreWrites): Promise<void> {
  return writes.setSetting(SETTING, undefined);
}

/** A note that a store lacks. */
export interface LostNote {
  kind: "policy" | "identity";
  number: number;
  /** 32 bytes. */
  hash: Uint8Array;
  note: string;
}

/** What a chain has beyond a store's own, in the order of the chain. */
export function lostNotes(own: Known, { authority, file }: KnownChain): LostNote[] {
  const kinds = [
    ["policy", authority.policies, file.policies, own.authority.policies.length],
    ["identity", authority.identities, file.identities, own.authority.identities.length],
  ] as const;
  const lost = kinds.flatMap(([kind, notes, texts, known]) =>
    notes.slice(known).map(({ number, hash, previous }, i) => {
      return { kind, number, hash, previous, note: texts[known + i]! };
    }),
  );
  let { newest } = chainBefore(own.authority, new Uint8Array());
  const inOrder: LostNote[] = [];
  for (const _ of lost) {
    const { previous, ...next } = lost.find((one) => equalBytes(one.previous, newest))!;
    inOrder.push(next);
    newest = next.hash;
  }
  return inOrder;
}

/**
 * Of the policies that a chain has beyond another one, the first that had to wait before it came into force: no
 * signature shows that it did.
 */
export async function firstThatWaited(
  core: Core,
  { authority, file }: KnownChain,
  before: KnownChain,
): Promise<Policy | undefined> {
  for (const [i, policy] of authority.policies.entries()) {
    if (i < before.authority.policies.length) continue;
    const chain = chainBefore(authority, policy.hash);
    if ((await signaturesInChain(core, file.policies[i]!, chain)).waiting > 0) return policy;
  }
  return undefined;
}
