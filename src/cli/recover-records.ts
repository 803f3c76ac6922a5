import type { KnownRecord, Party } from "../client/party.js";
import { recordOfKept } from "../client/recover.js";
import { readMessage } from "./messages.js";
import { about } from "./report.js";

/** The record of a submission that was kept, and its file. */
export interface Kept extends KnownRecord {
  path: string;
}

/** Reads submissions that were kept. @throws TwinwrapError WRONG_AUTHORITY if one is for another authority */
export async function readKept(paths: readonly string[], party: Party): Promise<Kept[]> {
  const kept: Kept[] = [];
  for (const path of paths) {
    const { submission } = await readMessage(path, "submission");
    kept.push({ path, ...(await about(path, async () => recordOfKept(party, submission))) });
  }
  return kept;
}
