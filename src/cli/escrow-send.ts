import { toHex } from "../bytes.js";
import { presentEscrow, renewEscrow } from "../client/escrow.js";
import { amendFile } from "../envelope/file.node.js";
import { attachReceipt } from "../escrow/index.js";
import type { NamedParty } from "./authority-io.js";
import { writeSubmission } from "./escrow-io.js";
import { givenOwnerId, type OwnerIdOptions } from "./owner-id.js";
import { readSealed } from "./sealed.js";
import type { SentFacts } from "./sent.js";
import { formatFingerprint } from "./text.js";

/** Sends the submission that a file holds already, which takes no key. @returns undefined if it holds none */
export async function sendAgain(
  path: string,
  party: NamedParty,
  options: OwnerIdOptions & { force?: boolean | undefined },
): Promise<SentFacts | undefined> {
  const { core, authority, view } = party;
  const found = await presentEscrow(party, await readSealed(path), await givenOwnerId(options));
  if (found === undefined) return undefined;
  const { submission, record } = found.held;
  const { status, receipt, isCarried } = await renewEscrow(party, found);
  const { origin } = authority;
  const sent: SentFacts = {
    origin,
    fingerprint: formatFingerprint(authority.fingerprint),
    record: toHex(record),
    owner: submission.record.owner,
    status,
  };
  if (isCarried) {
    return { ...sent, ...(await writeSubmission(path, party, submission, options)), status };
  }
  if (receipt === undefined) return sent;
  await amendFile(path, async (now) => ({
    escrows: await attachReceipt(core, now, receipt, authority, view),
  }));
  return found.status === "lost" ? { ...sent, again: true } : sent;
}
