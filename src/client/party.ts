import type { Core } from "../core/index.js";
import {
  type Authority,
  type AuthorityClient,
  decodeRecord,
  type EscrowRecord,
  LogView,
  recordHash,
  type StoredRecord,
  verifyAuthority,
} from "../escrow/index.js";
import { withCheckedAnswers } from "./answers.js";

// The authority that owners and officers deal with.

export interface Party {
  core: Core;
  authority: Authority;
  /** Asks it; undefined if messages are carried to it and back. */
  client: AuthorityClient | undefined;
  /** What was seen of its logs. Every new proof is compared with it. */
  view: LogView;
}

/** An authority that is known already. @param asked its client, if it can be asked */
export function partyOf(core: Core, authority: Authority, asked?: AuthorityClient): Party {
  const client = asked && withCheckedAnswers(asked);
  const view = new LogView(core, { logKeys: authority.logKeys, source: client });
  return { core, authority, client, view };
}

/**
 * Asks an authority who it is.
 * @param options.pinned the fingerprint (32 bytes) that it must have
 * @throws TwinwrapError NOT_VERIFIED, UNAVAILABLE
 */
export async function connect(
  core: Core,
  client: AuthorityClient,
  options: { pinned?: Uint8Array } = {},
): Promise<Party> {
  const file = await withCheckedAnswers(client).file();
  return partyOf(core, await verifyAuthority(core, file, options), client);
}

/** A record whose content is known. */
export interface KnownRecord {
  record: EscrowRecord;
  /** recordHash, 32 bytes. */
  hash: Uint8Array;
}

/** A record that an authority holds, decoded. */
export type ReadRecord = KnownRecord & Omit<StoredRecord, "record">;

/** Decodes a stored record. @throws TwinwrapError BAD_FORMAT */
export function readStored(core: Core, stored: StoredRecord): ReadRecord {
  const record = decodeRecord(stored.record);
  return { ...stored, record, hash: recordHash(core, record) };
}
