import { toHex, wipe } from "../bytes.js";
import { formatSerial, type Padding } from "../envelope/index.js";
import { isWrapFor } from "../envelope/wraps.js";
import { TwinwrapError } from "../errors.js";
import {
  type Authority,
  isBlob,
  isBoundWrap,
  isProven,
  openSubmission,
  type Receipt,
  recordHash,
  type Submission,
  wrapKeyOf,
} from "../escrow/index.js";
import { type Checked, IntakePlan } from "./intake-plan.js";
import type { Office } from "./office.js";
import { checkBlocks, type OpenKey, openCandidates, recordOfRow } from "./opening.js";
import { OwnerSecrets } from "./owners.js";
import type { Candidate, RecordRow, StoreWrites } from "./store/store.js";

// How records come in. A submission is opened before the transaction, if the authority's key is at
// hand. The transaction decides what the record is by then (intake-plan.ts).

/** Records that one transaction of {@link verifyWaiting} takes along. */
const BATCH = 64;

/** What became of a submission. */
export interface Intake {
  /** recordHash, 32 bytes. */
  record: Uint8Array;
  status: "verified" | "unverified" | "unproven";
  /** Whether it is new here. */
  isNew: boolean;
  receipt: Receipt;
}

/** Whether the authority's newest identity takes this padding. */
export function takesPadding({ identities }: Authority, padding: Padding): boolean {
  return identities.at(-1)!.paddings.includes(padding);
}

/**
 * Takes submissions in, all of them or none. Leaves records that are there already as they are.
 * @throws TwinwrapError WRONG_AUTHORITY if one is for another authority or another key; REFUSED if the authority
 *   does not take its padding, or its blob is malformed; NOT_PROVEN; DUPLICATE if it has the blob of another
 *   record; BACKLOG; FENCED; DECRYPTION_FAILED if the key is open and a wrap does not lead to the session key of
 *   commitment and tag
 */
export async function intake(
  office: Office,
  submissions: readonly Submission[],
): Promise<Intake[]> {
  const { store } = office;
  const checked = submissions.map((submission) => check(office, submission));
  const isNew = await store.write((writes) => takeIn(office, writes, checked));
  const rows = (await store.recordsByHash(checked.map(({ hash }) => hash))) as RecordRow[];
  const receipts = await receiptsOf(office, rows);
  return checked.map(({ hash, status: asked }, i) => {
    const opened = rows[i]!.verifiedLeaf === undefined ? "unverified" : "verified";
    const status = asked === "unproven" ? asked : opened;
    return { record: hash, status, isNew: isNew[i]!, receipt: receipts[i]! };
  });
}

/** Its transaction. @returns for each submission whether it is new */
async function takeIn(
  { core, log, settings }: Office,
  writes: StoreWrites,
  items: readonly Checked[],
): Promise<boolean[]> {
  // Also for records that are there already: a receipt would look as if it came from the log's newest state.
  const end = await log.end(writes);
  const rows = await writes.recordsByHash(items.map(({ hash }) => hash));
  const fresh = items.filter((_, i) => rows[i] === undefined);
  if (!settings.acceptUnproven && fresh.some(({ status }) => status === "unproven")) {
    throw new TwinwrapError(
      "NOT_PROVEN",
      "the key is not proven: whoever has the blob could have sent it, and this authority does not take such keys in",
    );
  }
  const held = fresh.map(({ hash, submission: { record, wrap } }) => ({
    hash,
    record,
    wrap,
  }));
  await checkBlocks(core, writes, held);
  const present = rows.filter((row) => row !== undefined);
  const waiting = present.filter(({ status }) => status === "unverified");
  const candidates = await writes.candidatesOf(waiting.map(({ hash }) => hash));
  const plan = new IntakePlan(core, end);
  for (const row of present) plan.know(row, candidates[waiting.indexOf(row)] ?? []);
  const isNew = items.map((item) => plan.take(item));
  await plan.write(writes);
  return isNew;
}

function check({ core, authority, key }: Office, submission: Submission): Checked {
  const { record, wrap } = submission;
  const which = `the submission for ${formatSerial(record.serial)}`;
  if (record.authority !== authority.origin) {
    throw new TwinwrapError(
      "WRONG_AUTHORITY",
      `${which} is for another authority, ${record.authority}`,
    );
  }
  const wrapKey = wrapKeyOf(authority, wrap.fingerprint);
  if (wrapKey === undefined) {
    throw new TwinwrapError(
      "WRONG_AUTHORITY",
      `${which} is wrapped for ${toHex(wrap.fingerprint)}, which is no key of this authority`,
    );
  }
  if (!takesPadding(authority, wrap.padding)) {
    throw new TwinwrapError("REFUSED", `${which}: this authority does not take ${wrap.padding}`);
  }
  const hash = recordHash(core, record);
  // What shows without the key is refused before anything is kept, whether the key is at hand or not.
  const algorithms = isBlob(record) ? [record.blob.aiKeyAlg] : undefined;
  if (!isWrapFor(wrap, wrapKey, algorithms)) {
    throw new TwinwrapError("REFUSED", `${which}: its blob is not of the form that it has to be`);
  }
  if (!isProven(record)) {
    // Never opened here: whether it opens must not show.
    if (isBoundWrap(core, record, wrap)) return { submission, hash, status: "unproven" };
    throw new TwinwrapError("REFUSED", `${which}: its blob is not the one that the record is for`);
  }
  if (key === undefined) return { submission, hash, status: "unverified" };
  wipe(openSubmission(core, submission, key.rsa));
  return { submission, hash, status: "verified" };
}

/** The newest receipts of records, in their order. */
export function receiptsOf({ store, log }: Office, rows: readonly RecordRow[]): Promise<Receipt[]> {
  return log.prove(
    store,
    rows.map(({ verifiedLeaf, escrowLeaf }) => (verifiedLeaf ?? escrowLeaf)!),
  );
}

/**
 * Opens what was taken in unopened, except unproven records, which never verify. Removes wrong wraps, so that
 * they take no place from the right one. Their record and its leaf stay, and wait for it.
 * @returns how many records are verified now, and the hashes of those of which all wraps were wrong
 */
export async function verifyWaiting(
  office: Office,
  key: OpenKey,
  onProgress?: (done: number) => void,
): Promise<{ verified: number; failed: Uint8Array[] }> {
  const { core, store } = office;
  const failed: Uint8Array[] = [];
  let verified = 0;
  let done = 0;
  let cursor: string | undefined;
  do {
    const page = { limit: BATCH, ...(cursor === undefined ? {} : { cursor }) };
    const { rows, next } = await store.records({ status: "unverified" }, page);
    const candidates = await store.candidatesOf(rows.map(({ hash }) => hash));
    const tried: Tried[] = [];
    for (const [i, row] of rows.entries()) {
      const { opened, wrong } = openCandidates(core, key, row, candidates[i]!);
      wipe(opened?.sessionKey);
      if (opened === undefined && wrong.length > 0) failed.push(row.hash);
      tried.push({ row, right: opened?.candidate, wrong });
      onProgress?.(++done);
    }
    verified += await recordTried(office, tried);
    cursor = next;
  } while (cursor !== undefined);
  return { verified, failed };
}

/** A record whose wraps were tried. */
interface Tried {
  row: RecordRow;
  right: Candidate | undefined;
  wrong: Candidate[];
}

async function recordTried({ core, store, log }: Office, tried: readonly Tried[]): Promise<number> {
  return store.write(async (writes) => {
    const rows = await writes.recordsByHash(tried.map(({ row }) => row.hash));
    // Another process may have been here in between.
    const waiting = tried.filter((_, i) => rows[i]?.status === "unverified");
    const verified = waiting.flatMap(({ row: { hash, record }, right }) => {
      if (right === undefined) return [];
      return [{ hash, owner: recordOfRow(core, { hash, record }).owner, right }];
    });
    if (verified.length > 0) {
      const end = await log.end(writes);
      const owners = verified.map(({ owner }) => owner);
      const secrets = await OwnerSecrets.read(writes, owners);
      const time = new Date();
      await end.append(
        verified.map(({ hash: record, owner }) => {
          const tag = secrets.tag(core, owner, record);
          return { type: "verified", time, record, owner: tag };
        }),
      );
      await writes.updateRecords(
        verified.map(({ hash }, i) => ({ hash, status: "verified", verifiedLeaf: end.size + i })),
      );
      await writes.keepCandidates(
        verified.map(({ hash: record, right }) => ({ record, ...right })),
      );
    }
    const useless = waiting.filter(({ right }) => right === undefined);
    await writes.dropCandidates(
      useless.flatMap(({ row: { hash: record }, wrong }) =>
        wrong.map((candidate) => ({ record, ...candidate })),
      ),
    );
    return verified.length;
  });
}
