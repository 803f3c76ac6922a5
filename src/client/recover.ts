import { equalBytes, toHex } from "../bytes.js";
import type { Head, Wrap } from "../envelope/index.js";
import type { WrapChange } from "../envelope/rewrap.js";
import { notVerified, TwinwrapError } from "../errors.js";
import { allPages } from "../escrow/authority-client.js";
import {
  type BlobRecord,
  type CheckedRelease,
  checkRelease,
  findReleased,
  fits,
  isBlob,
  makeRequest,
  originsOf,
  type RecordStatus,
  type RecoveryRequest,
  type Release,
  recipientFingerprint,
  recordHash,
  releasedFor,
  requestHash,
  requestId,
  type Submission,
  submissionsToAsk,
  type Unshown,
  weighedSubmissions,
  wrapKeyOf,
} from "../escrow/index.js";
import { fingerprint, publicKeyOf, type RsaPrivateKey } from "../keys/index.js";
import { type KnownRecord, type Party, type ReadRecord, readStored } from "./party.js";

// How owners get session keys back: find the records to ask for, ask, take in the release.

/**
 * The record of a submission that was kept: of a blob, or of a file whose header lost it.
 * @throws TwinwrapError WRONG_AUTHORITY
 */
export function recordOfKept({ core, authority }: Party, submission: Submission): KnownRecord {
  const { record } = submission;
  if (record.authority !== authority.origin) {
    throw new TwinwrapError("WRONG_AUTHORITY", `it is for ${record.authority}`);
  }
  return { record, hash: recordHash(core, record) };
}

/** Released and opened records come first: anybody can send in any number of the others. */
const BY_WEIGHT: readonly RecordStatus[] = ["released", "verified", "unverified", "unproven"];

/**
 * All records that an authority has for a serial, those of one status newest first. Strangers may have sent some.
 * @param serial 16 bytes
 * @throws TwinwrapError UNAVAILABLE if the authority can't be asked; NOT_VERIFIED
 */
export async function* recordsWithSerial(
  { core, client }: Party,
  serial: Uint8Array,
): AsyncGenerator<ReadRecord> {
  if (client === undefined) {
    throw new TwinwrapError("UNAVAILABLE", "this authority can't be asked: messages are carried");
  }
  for (const status of BY_WEIGHT) {
    for await (const stored of allPages((page) => client.records({ serial, status }, page))) {
      const read = readStored(core, stored);
      if (!equalBytes(read.record.serial, serial)) {
        throw notVerified("the authority answered with a record of another serial");
      }
      yield read;
    }
  }
}

/** The records that fit a file's header and body; none if the authority can't be asked. */
async function recordsOfFile(party: Party, head: Head): Promise<ReadRecord[]> {
  if (party.client === undefined) return [];
  const rows: ReadRecord[] = [];
  for await (const row of recordsWithSerial(party, head.header.serial)) {
    if (fits(head, row.record)) rows.push(row);
  }
  return rows;
}

/** The records that were verified once, or all if none was. The others need not be asked for. */
export function preferVerified(rows: readonly ReadRecord[]): ReadRecord[] {
  const opened = rows.filter(({ verifiedLeaf }) => verifiedLeaf !== undefined);
  return opened.length > 0 ? opened : [...rows];
}

/** The records to ask for to recover a file. */
export interface ToAsk {
  /** Hashes, 32 bytes each. */
  records: Uint8Array[];
  /** The authority has them: it says so, or its receipt does. */
  known: boolean;
  /** The authority lost what a receipt in the file is for, and is not known to have it again. */
  lost: boolean;
  /** How a receipt in the file contradicts what was seen of the log, in words; undefined if none does. */
  contradiction: string | undefined;
}

/**
 * Finds the records to ask for to recover a file. A receipt that contradicts the log proves nothing, but does not stand
 * in the way.
 * @param kept records of submissions that were kept
 * @throws TwinwrapError NOT_FOUND if the file is not escrowed with this authority
 */
export async function recordsToAsk(
  party: Party,
  head: Head,
  kept: readonly KnownRecord[] = [],
): Promise<ToAsk> {
  const { core, authority, client } = party;
  const contradiction = await contradictionIn(party, head);
  const known = { known: true, lost: false, contradiction };
  const mine = kept.filter(({ record }) => fits(head, record));
  if (mine.length > 0) return { ...known, records: mine.map(({ hash }) => hash) };
  const { held, proven, lost } = await submissionsToAsk(core, head, authority);
  const hashes = held.map(({ record }) => record);
  if (client === undefined && hashes.length > 0) {
    const isKnown = proven && contradiction === undefined;
    return { records: hashes, known: isKnown, lost, contradiction };
  }
  const rows = await recordsByHash(party, hashes);
  // Whoever can write the file can add submissions that nobody else has, or remove all of them.
  const found = preferVerified(rows.length > 0 ? rows : await recordsOfFile(party, head));
  if (found.length > 0) return { ...known, records: found.map(({ hash }) => hash) };
  const what = "the submission that is in it";
  const missing =
    lost || proven
      ? `${authority.origin} lost ${what}: it has to be sent again`
      : `${authority.origin} did not get ${what}`;
  throw new TwinwrapError(
    "NOT_FOUND",
    held.length === 0 ? `it is not escrowed with ${authority.origin}` : missing,
  );
}

/** How a receipt in a file contradicts what was seen of the log; undefined if none does. */
async function contradictionIn(
  { core, authority, view }: Party,
  head: Head,
): Promise<string | undefined> {
  try {
    await weighedSubmissions(core, head, authority, view);
    return undefined;
  } catch (error) {
    if (error instanceof TwinwrapError && error.code === "NOT_VERIFIED") return error.message;
    throw error;
  }
}

/** Those of these records that the authority has; none if it can't be asked. @throws TwinwrapError NOT_VERIFIED */
export async function recordsByHash(
  { core, client }: Party,
  hashes: readonly Uint8Array[],
): Promise<ReadRecord[]> {
  const rows: ReadRecord[] = [];
  for (const hash of hashes) {
    const stored = await client?.record(hash);
    if (stored === undefined) continue;
    const row = readStored(core, stored);
    if (!equalBytes(row.hash, hash))
      throw notVerified("the authority answered with another record");
    rows.push(row);
  }
  return rows;
}

/**
 * The records to ask for to recover everything of one owner, those that were opened first. Of records of one serial
 * that were opened, the others are left out: anybody can send in any number of these.
 * @param owner the owner's ID
 * @throws TwinwrapError UNAVAILABLE if the authority can't be asked; NOT_VERIFIED
 */
export async function recordsOfOwner(party: Party, owner: string): Promise<ReadRecord[]> {
  const { core, client } = party;
  if (client === undefined) {
    throw new TwinwrapError("UNAVAILABLE", "this authority can't be asked: messages are carried");
  }
  const bySerial = new Map<string, ReadRecord[]>();
  for await (const stored of allPages((page) => client.records({ owner }, page))) {
    const read = readStored(core, stored);
    if (read.record.owner !== owner) {
      throw notVerified("the authority answered with a record of another owner");
    }
    const serial = toHex(read.record.serial);
    bySerial.set(serial, [...(bySerial.get(serial) ?? []), read]);
  }
  const rows = [...bySerial.values()].flatMap(preferVerified);
  const isOpened = ({ verifiedLeaf }: ReadRecord) => verifiedLeaf !== undefined;
  return [...rows.filter(isOpened), ...rows.filter((one) => !isOpened(one))];
}

/** A request that was made. */
export interface Asked {
  request: RecoveryRequest;
  /** The owner tells it to each officer. 26 characters. */
  id: string;
}

/**
 * Makes a request, but does not hand it in.
 * @param options those of makeRequest, except the authority
 * @throws TwinwrapError REFUSED if it is for a key of the authority's own
 */
export function makeAsked(
  { core, authority }: Party,
  options: Omit<Parameters<typeof makeRequest>[0], "authority">,
): Asked {
  const request = makeRequest({ ...options, authority: authority.origin });
  if (wrapKeyOf(authority, recipientFingerprint(core, request)) !== undefined) {
    throw new TwinwrapError("REFUSED", `the recipient's key is one of ${authority.origin} itself`);
  }
  return { request, id: requestId(requestHash(core, request)) };
}

/** A release that verified, and what is needed to find the records in it. */
export interface Recovery {
  party: Party;
  checked: CheckedRelease;
  /** Records of submissions that were kept. */
  kept: readonly KnownRecord[];
}

/**
 * Takes a release in: verifies it, and everything in it.
 * @param expected the request that was kept, or its ID; undefined: {@link checkRecipient} has to show whose it is
 * @throws TwinwrapError NOT_VERIFIED
 */
export async function takeRelease(
  party: Party,
  release: Release,
  expected: Parameters<typeof checkRelease>[3],
  kept: readonly KnownRecord[] = [],
): Promise<Recovery> {
  const { core, authority, view } = party;
  return { party, kept, checked: await checkRelease(core, release, authority, expected, view) };
}

/**
 * Checks that a release is for this private key. Where nothing else is known, that shows whose release it is.
 * @throws TwinwrapError NOT_VERIFIED
 */
export async function checkRecipient(
  { party: { core }, checked: { request } }: Recovery,
  key: RsaPrivateKey,
): Promise<void> {
  const mine = await fingerprint(publicKeyOf(key), { core });
  if (equalBytes(mine, recipientFingerprint(core, request))) return;
  throw notVerified("the release is for another key than the private key that was given");
}

/**
 * For whoever takes keys out of a release that no private key can show to be right.
 * @throws TwinwrapError NOT_VERIFIED if its proofs do not suffice for that
 */
export function needConfirmed({ checked }: Recovery): void {
  if (checked.confirmed) return;
  throw notVerified(
    "the log of the release has ended, and its proofs do not lead to what was kept of that: only the private key can tell whether it has the right key",
  );
}

async function unshownOf({ party, checked }: Recovery, head: Head): Promise<Unshown> {
  const { core, authority } = party;
  const contradiction = await contradictionIn(party, head);
  const { lost } = await submissionsToAsk(core, head, authority);
  return { unconfirmed: !checked.confirmed, lost, contradiction };
}

/** The released wrap for a file. @throws TwinwrapError NOT_FOUND, NOT_VERIFIED */
async function wrapOf({ party, checked, kept }: Recovery, head: Head): Promise<Wrap> {
  const { core, authority } = party;
  const records = kept.map(({ record }) => record);
  const wrap = await findReleased(core, checked, head, authority, records);
  if (wrap !== undefined) return wrap;
  const row = (await recordsOfFile(party, head)).find(({ hash }) => checked.keys.has(toHex(hash)));
  if (row !== undefined) return releasedFor(core, checked, head, row.record);
  throw new TwinwrapError("NOT_FOUND", "the release has nothing for this file");
}

/** Whether two wraps are equal: in key, padding and bytes. */
function isSameWrap(a: Wrap, b: Wrap): boolean {
  return (
    equalBytes(a.fingerprint, b.fingerprint) &&
    a.padding === b.padding &&
    equalBytes(a.simpleBlob, b.simpleBlob)
  );
}

/**
 * For `amend` and `amendFile`: adds the released wrap without opening it. All other wraps stay. So everything has to be
 * shown by proofs, but that a lost receipt of the file is no reason against the release.
 * @param onWrap called with that wrap, and with what can't be shown
 */
export function addReleased(recovery: Recovery, onWrap?: (wrap: Wrap, unshown: Unshown) => void) {
  return async (head: Head): Promise<{ wraps: Wrap[] }> => {
    const unshown = await unshownOf(recovery, head);
    if (unshown.contradiction !== undefined) throw notVerified(unshown.contradiction);
    needConfirmed(recovery);
    const wrap = await wrapOf(recovery, head);
    onWrap?.(wrap, unshown);
    const { wraps } = head.header;
    return { wraps: wraps.some((other) => isSameWrap(other, wrap)) ? wraps : [...wraps, wrap] };
  };
}

/** What happens to a file when a released wrap is opened and put into it. */
export interface Replacing {
  wrap: Wrap;
  /** Fingerprints of the wraps that are removed, 32 bytes each. */
  removed: Uint8Array[];
  /** Origins of the authorities that the file is escrowed with. A body that is sealed again loses these escrows. */
  origins: string[];
  /** That the wrap opens to the file's key does not depend on it. */
  unshown: Unshown;
}

/**
 * For `rewrap` and `rewrapFile`: opens the released wrap. That it leads to the key of the file's commitment shows that
 * it is right, whatever the file's receipts are worth. It replaces a wrap that the new key had.
 * @param options.remove fingerprints (32 bytes each) of keys whose wraps are removed
 * @param options.rewrite seals the whole file again if the header has no room
 * @param onWrap called with what is about to happen
 */
export function replaceReleased(
  recovery: Recovery,
  key: RsaPrivateKey,
  options: { remove?: readonly Uint8Array[]; rewrite?: boolean } = {},
  onWrap?: (replacing: Replacing) => void,
) {
  const { remove = [], rewrite = false } = options;
  return async (head: Head): Promise<WrapChange> => {
    const unshown = await unshownOf(recovery, head);
    const wrap = await wrapOf(recovery, head);
    const removed = remove.filter((gone) =>
      head.header.wraps.some((one) => equalBytes(one.fingerprint, gone)),
    );
    onWrap?.({ wrap, removed, origins: originsOf(head), unshown });
    return { key, released: [wrap], remove: removed, rewrite };
  };
}

/**
 * The blobs whose keys were released, as far as their records are known here.
 * @throws TwinwrapError NOT_FOUND if none is known
 */
export async function releasedBlobs({ party, checked, kept }: Recovery): Promise<BlobRecord[]> {
  const records = new Map<string, BlobRecord>();
  const add = ({ record, hash }: KnownRecord) => {
    if (isBlob(record)) records.set(toHex(hash), record);
  };
  kept.forEach(add);
  const released = [...checked.keys.values()].map(({ record }) => record);
  (await recordsByHash(party, released)).forEach(add);
  if (records.size > 0) return [...records.values()];
  throw new TwinwrapError("NOT_FOUND", "no key of a blob that is known here was released");
}
