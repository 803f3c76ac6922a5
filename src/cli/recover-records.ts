import type { AuthorityService } from "../authority/service.js";
import type { RecordRow } from "../authority/store/store.js";
import { sharedCore } from "../core/index.js";
import type { Head } from "../envelope/index.js";
import { TwinwrapError } from "../errors.js";
import { decodeRecord, type EscrowRecord, fits, recordHash } from "../escrow/index.js";
import type { Party } from "./authority-io.js";
import { readMessage } from "./messages.js";

// The records of files: a header holds what anybody wrote into it, or nothing; submissions that were
// kept and the authority's own store say more.

/** A submission that was kept, and where. */
export interface Kept {
  path: string;
  record: EscrowRecord;
  /** recordHash, 32 bytes. */
  hash: Uint8Array;
}

/** @throws TwinwrapError REFUSED if one is for another authority */
export async function readKept(paths: readonly string[], { authority }: Party): Promise<Kept[]> {
  const core = await sharedCore();
  const kept: Kept[] = [];
  for (const path of paths) {
    const { core: record } = (await readMessage(path, "submission")).submission;
    if (record.authority !== authority.origin) {
      throw new TwinwrapError("REFUSED", `${path}: it is for ${record.authority}`);
    }
    kept.push({ path, record, hash: recordHash(core, record) });
  }
  return kept;
}

/** All that an authority has for a serial, of which a stranger may have handed in some. */
export async function recordsWithSerial(
  service: AuthorityService,
  serial: Uint8Array,
): Promise<RecordRow[]> {
  const all: RecordRow[] = [];
  for await (const row of service.recordsOf(serial)) all.push(row);
  return all;
}

/** The same for one file: those of this header and body. */
export async function recordsOfFile(service: AuthorityService, head: Head): Promise<RecordRow[]> {
  const rows = await recordsWithSerial(service, head.header.serial);
  return rows.filter((row) => fits(head, decodeRecord(row.core)));
}

/** Those that were verified once, if any was: then the others need not be asked for. */
export function preferVerified(rows: readonly RecordRow[]): RecordRow[] {
  const opened = rows.filter(({ verifiedLeaf }) => verifiedLeaf !== undefined);
  return opened.length > 0 ? opened : [...rows];
}
