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
} from "../escrow/index.js";
import { fingerprint, publicKeyOf, type RsaPrivateKey } from "../keys/index.js";
import { type KnownRecord, type Party, type ReadRecord, readStored } from "./party.js";

// What an owner does to have session keys back: find the records to ask for, ask, take in what was released.

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

/** Those that were given out or opened come first: anybody can send in more of the others. */
const BY_WEIGHT: readonly RecordStatus[] = ["released", "verified", "unverified", "unproven"];

/**
 * All that an authority has for a serial, of which a stranger may have handed in some; each kind newest first.
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

/** The same for one file: those of this header and body; none if the authority can't be asked. */
async function recordsOfFile(party: Party, head: Head): Promise<ReadRecord[]> {
  if (party.client === undefined) return [];
  const rows: ReadRecord[] = [];
  for await (const row of recordsWithSerial(party, head.header.serial)) {
    if (fits(head, row.record)) rows.push(row);
  }
  return rows;
}

/** Those that were verified once, if any was: then the others need not be asked for. */
export function preferVerified(rows: readonly ReadRecord[]): ReadRecord[] {
  const opened = rows.filter(({ verifiedLeaf }) => verifiedLeaf !== undefined);
  return opened.length > 0 ? opened : [...rows];
}

/** Which records to ask for, so that a file can be recovered. */
export interface ToAsk {
  /** Hashes, 32 bytes each. */
  records: Uint8Array[];
  /** The authority is known to have them: it says so, or a receipt of it does. */
  known: boolean;
}

/**
 * @param kept records of submissions that were kept
 * @throws TwinwrapError NOT_FOUND if the file is not escrowed with this authority
 */
export async function recordsToAsk(
  party: Party,
  head: Head,
  kept: readonly KnownRecord[] = [],
): Promise<ToAsk> {
  const { core, authority, client, view } = party;
  const mine = kept.filter(({ record }) => fits(head, record));
  if (mine.length > 0) return { records: mine.map(({ hash }) => hash), known: true };
  const { held, proven } = await submissionsToAsk(core, head, authority, view);
  const hashes = held.map(({ record }) => record);
  if (client === undefined && hashes.length > 0) return { records: hashes, known: proven };
  const rows = await recordsByHash(party, hashes);
  // Whoever can write the file can put in submissions that nobody else has, or take out all.
  const found = preferVerified(rows.length > 0 ? rows : await recordsOfFile(party, head));
  if (found.length > 0) return { records: found.map(({ hash }) => hash), known: true };
  throw new TwinwrapError(
    "NOT_FOUND",
    held.length === 0
      ? `it is not escrowed with ${authority.origin}`
      : `${authority.origin} did not get the submission that is in it`,
  );
}

/** What the authority has of these records; nothing if it can't be asked. @throws TwinwrapError NOT_VERIFIED */
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

/** A request that was made. */
export interface Asked {
  request: RecoveryRequest;
  /** What the owner tells each officer, 26 characters. */
  id: string;
}

/**
 * Makes a request, without handing it in.
 * @param options as makeRequest takes them, but for the authority
 */
export function makeAsked(
  { core, authority }: Party,
  options: Omit<Parameters<typeof makeRequest>[0], "authority">,
): Asked {
  const request = makeRequest({ ...options, authority: authority.origin });
  return { request, id: requestId(requestHash(core, request)) };
}

/** A release that verified, and what the records in it are found with. */
export interface Recovery {
  party: Party;
  checked: CheckedRelease;
  /** Records of submissions that were kept. */
  kept: readonly KnownRecord[];
}

/**
 * Takes a release in: verifies it, and everything in it.
 * @param expected the request that was kept, or its ID; undefined: {@link checkRecipient} shows whose it is
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
 * With nothing else known, a release is one's own if one has the key that it is for.
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

/** The wrap that was released for a file. @throws TwinwrapError NOT_FOUND, NOT_VERIFIED */
async function wrapOf({ party, checked, kept }: Recovery, head: Head): Promise<Wrap> {
  const { core, authority, view } = party;
  const records = kept.map(({ record }) => record);
  const wrap = await findReleased(core, checked, head, authority, records, view);
  if (wrap !== undefined) return wrap;
  const row = (await recordsOfFile(party, head)).find(({ hash }) => checked.keys.has(toHex(hash)));
  if (row !== undefined) return releasedFor(core, checked, head, row.record);
  throw new TwinwrapError("NOT_FOUND", "the release has nothing for this file");
}

/** Whether two wraps are one: for the same key, padded alike, with the same bytes. */
function isSameWrap(a: Wrap, b: Wrap): boolean {
  return (
    equalBytes(a.fingerprint, b.fingerprint) &&
    a.padding === b.padding &&
    equalBytes(a.simpleBlob, b.simpleBlob)
  );
}

/**
 * For `amend` and `amendFile`: adds the wrap that was released, unopened; whatever is there stays.
 * @param onWrap told which wrap it is
 */
export function addReleased(recovery: Recovery, onWrap?: (wrap: Wrap) => void) {
  return async (head: Head): Promise<{ wraps: Wrap[] }> => {
    const wrap = await wrapOf(recovery, head);
    onWrap?.(wrap);
    const { wraps } = head.header;
    return { wraps: wraps.some((other) => isSameWrap(other, wrap)) ? wraps : [...wraps, wrap] };
  };
}

/** What happens to a file into which a released wrap goes, opened. */
export interface Replacing {
  wrap: Wrap;
  /** Of the keys whose wraps go, those that the file had. */
  removed: Uint8Array[];
  /** Origins of the authorities that the file is escrowed with; a body that is sealed again is escrowed no more. */
  origins: string[];
}

/**
 * For `rewrap` and `rewrapFile`: opens the wrap that was released, and puts it in the place of what the new
 * key had.
 * @param options.remove fingerprints of keys whose wraps go then
 * @param options.rewrite seals the whole file again if the header has no room
 * @param onWrap told what is about to happen
 */
export function replaceReleased(
  recovery: Recovery,
  key: RsaPrivateKey,
  options: { remove?: readonly Uint8Array[]; rewrite?: boolean } = {},
  onWrap?: (replacing: Replacing) => void,
) {
  const { remove = [], rewrite = false } = options;
  return async (head: Head): Promise<WrapChange> => {
    const wrap = await wrapOf(recovery, head);
    const removed = remove.filter((gone) =>
      head.header.wraps.some((one) => equalBytes(one.fingerprint, gone)),
    );
    onWrap?.({ wrap, removed, origins: originsOf(head) });
    return { key, released: [wrap], remove: removed, rewrite };
  };
}

/**
 * The records of blobs that a release has keys of, as far as they are known here.
 * @throws TwinwrapError NOT_FOUND if there is none
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
