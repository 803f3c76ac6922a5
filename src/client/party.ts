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

// The authority that an owner or an officer deals with.

export interface Party {
  core: Core;
  authority: Authority;
  /** How it is reached; undefined if messages are carried to it and back. */
  client: AuthorityClient | undefined;
  /** What was seen of its log: every proof that comes up is held against the others. */
  view: LogView;
}

/** An authority that is known already. @param asked how it is reached, if it can be */
export function partyOf(core: Core, authority: Authority, asked?: AuthorityClient): Party {
  const client = asked && withCheckedAnswers(asked);
  const log = client && { logKeys: authority.logKeys, source: client };
  return { core, authority, client, view: new LogView(core, log) };
}

/**
 * An authority that is asked who it is.
 * @param options.pinned the fingerprint (32 bytes) that it has to have
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

/** A record that is known by its content. */
export interface KnownRecord {
  record: EscrowRecord;
  /** recordHash, 32 bytes. */
  hash: Uint8Array;
}

/** What an authority holds, read. */
export type ReadRecord = KnownRecord & Omit<StoredRecord, "record">;

/** @throws TwinwrapError BAD_FORMAT */
export function readStored(core: Core, stored: StoredRecord): ReadRecord {
  const record = decodeRecord(stored.record);
  return { ...stored, record, hash: recordHash(core, record) };
}
