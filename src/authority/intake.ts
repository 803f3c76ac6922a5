import { equalBytes, randomBytes, toHex, wipe } from "../bytes.js";
import type { Core } from "../core/index.js";
import { formatSerial, type Padding } from "../envelope/index.js";
import { isWrapFor } from "../envelope/wraps.js";
import { TwinwrapError } from "../errors.js";
import {
  type Authority,
  encodeRecord,
  isBlob,
  isBoundWrap,
  isProven,
  type Leaf,
  openSubmission,
  ownerTag,
  type Receipt,
  recordHash,
  type Submission,
  wrapKeyOf,
} from "../escrow/index.js";
import { type Log, requireUnfenced } from "./log.js";
import { checkBlock, type OpenKey, openCandidates, recordOfRow } from "./opening.js";
import type { Candidate, RecordRow, Store, StoreWrites } from "./store/store.js";

// How records come in. What is sent is opened before the transaction, if the authority's key is at
// hand; the transaction decides what the record is by then.

/** Wraps of one unverified record that are kept side by side at most. */
const MAX_CANDIDATES = 4;
/** Records that one transaction of {@link verifyWaiting} takes along. */
const BATCH = 64;

/** What became of a submission. */
export interface Intake {
  /** recordHash, 32 bytes. */
  record: Uint8Array;
  status: "verified" | "unverified" | "unproven";
  /** It was not there before. */
  isNew: boolean;
  receipt: Receipt;
}

/** What all of an authority's work needs. */
export interface Office {
  core: Core;
  store: Store;
  log: Log;
  authority: Authority;
  /** While it is open. */
  key: OpenKey | undefined;
}

/** Whether the authority's newest identity takes this padding. */
export function takesPadding({ identities }: Authority, padding: Padding): boolean {
  return identities.at(-1)!.paddings.includes(padding);
}

/** The secret that an owner's tags are made with; made when he first sends something. */
async function secretOf(writes: StoreWrites, owner: string): Promise<Uint8Array> {
  const known = await writes.ownerSecret(owner);
  if (known !== undefined) return known;
  const secret = randomBytes(32);
  await writes.insertOwner(owner, secret);
  return secret;
}

/**
 * A record turned out to be what it says: the change, and the leaf to append.
 * @param verifiedLeaf the index that the leaf will have
 */
export async function markVerified(
  core: Core,
  writes: StoreWrites,
  row: RecordRow,
  candidate: Candidate,
  verifiedLeaf: number,
): Promise<Leaf> {
  await writes.updateRecord({ hash: row.hash, status: "verified", verifiedLeaf });
  await writes.keepCandidate(row.hash, candidate);
  const secret = await secretOf(writes, recordOfRow(core, row).owner);
  const owner = ownerTag(core, secret, row.hash);
  return { type: "verified", time: new Date(), record: row.hash, owner };
}

export interface IntakeOptions {
  /** Takes keys that nobody proves, too: whoever has such a blob could have sent it. */
  acceptUnproven?: boolean | undefined;
}

/**
 * Takes submissions in, all of them or none; what is there already is left as it is.
 * @throws TwinwrapError REFUSED if one is for another authority or another key, padded otherwise than the
 *   authority takes, not proven though that was not allowed, or with the blob of another record, the record
 *   has too many wraps waiting, or the log is fenced; DECRYPTION_FAILED if the key is open and a wrap does
 *   not lead to the session key of commitment and tag
 */
export async function intake(
  office: Office,
  submissions: readonly Submission[],
  { acceptUnproven = false }: IntakeOptions = {},
): Promise<Intake[]> {
  const { core, store, log } = office;
  const checked = submissions.map((submission) => check(office, submission));
  const isNew = await store.write(async (writes) => {
    // Also for what is there already: a receipt would look as if it came from the log's newest state.
    await requireUnfenced(writes);
    const start = await log.size(writes);
    const leaves: Leaf[] = [];
    const news: boolean[] = [];
    for (const item of checked) {
      const row = await writes.record(item.hash);
      news.push(row === undefined);
      if (row === undefined && item.status === "unproven" && !acceptUnproven) {
        throw new TwinwrapError(
          "REFUSED",
          "the key is not proven: whoever has the blob could have sent it, so it is taken in only with --accept-unproven",
        );
      }
      const leaf =
        row === undefined
          ? await insert(core, writes, item, start + leaves.length)
          : await update(core, writes, row, item, start + leaves.length);
      if (leaf !== undefined) leaves.push(leaf);
    }
    await log.append(writes, leaves);
    return news;
  });
  const results: Intake[] = [];
  for (const [i, { hash, status: asked }] of checked.entries()) {
    const row = (await store.record(hash))!;
    const receipt = (await receiptOf(office, row))!;
    const opened = row.verifiedLeaf === undefined ? "unverified" : "verified";
    const status = asked === "unproven" ? asked : opened;
    results.push({ record: hash, status, isNew: isNew[i]!, receipt });
  }
  return results;
}

interface Checked {
  submission: Submission;
  hash: Uint8Array;
  /** What it is taken in as. */
  status: Intake["status"];
}

function check({ core, authority, key }: Office, submission: Submission): Checked {
  const { core: record, wrap } = submission;
  const which = `the submission for ${formatSerial(record.serial)}`;
  if (record.authority !== authority.origin) {
    throw new TwinwrapError("REFUSED", `${which} is for another authority, ${record.authority}`);
  }
  const wrapKey = wrapKeyOf(authority, wrap.fingerprint);
  if (wrapKey === undefined) {
    throw new TwinwrapError(
      "REFUSED",
      `${which} is wrapped for ${toHex(wrap.fingerprint)}, which is no key of this authority`,
    );
  }
  if (!takesPadding(authority, wrap.padding)) {
    throw new TwinwrapError("REFUSED", `${which}: this authority does not take ${wrap.padding}`);
  }
  const hash = recordHash(core, record);
  if (isBlob(record) && !isWrapFor(wrap, wrapKey, [record.blob.aiKeyAlg])) {
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

async function insert(
  core: Core,
  writes: StoreWrites,
  { submission, hash, status }: Checked,
  index: number,
): Promise<Leaf> {
  const { core: record, tag, wrap } = submission;
  const verified = status === "verified";
  await checkBlock(core, writes, hash, record, { wrap });
  const owner = ownerTag(core, await secretOf(writes, record.owner), hash);
  await writes.insertRecord({
    hash,
    owner: record.owner,
    serial: record.serial,
    description: record.description,
    label: record.blob?.label,
    created: record.created,
    core: encodeRecord(record),
    status,
    escrowLeaf: verified ? undefined : index,
    verifiedLeaf: verified ? index : undefined,
  });
  await writes.addCandidate(hash, { tag, wrap });
  return { type: verified ? "verified" : "escrow", time: new Date(), record: hash, owner };
}

/** What comes for a record that is there already. */
async function update(
  core: Core,
  writes: StoreWrites,
  row: RecordRow,
  { submission: { tag, wrap }, status }: Checked,
  index: number,
): Promise<Leaf | undefined> {
  const verified = status === "verified";
  if (row.status !== "unverified") return undefined;
  const candidate = { tag, wrap };
  const known = await writes.candidates(row.hash);
  const isKnown = known.some((other) => isSame(other, candidate));
  if (!isKnown) {
    if (!verified && known.length >= MAX_CANDIDATES) {
      throw new TwinwrapError(
        "REFUSED",
        `${known.length} wraps of ${formatSerial(row.serial)} are waiting to be verified: \`authority verify\` comes first`,
      );
    }
    await writes.addCandidate(row.hash, candidate);
  }
  return verified ? markVerified(core, writes, row, candidate, index) : undefined;
}

function isSame(a: Candidate, b: Candidate): boolean {
  return (
    (a.tag === undefined || b.tag === undefined ? a.tag === b.tag : equalBytes(a.tag, b.tag)) &&
    equalBytes(a.wrap.fingerprint, b.wrap.fingerprint) &&
    a.wrap.padding === b.wrap.padding &&
    equalBytes(a.wrap.simpleBlob, b.wrap.simpleBlob)
  );
}

/** The newest receipt of a record; undefined if it is not there. */
export async function receiptOf(
  { store, log }: Office,
  row: RecordRow | undefined,
): Promise<Receipt | undefined> {
  const index = row?.verifiedLeaf ?? row?.escrowLeaf;
  return index === undefined ? undefined : log.prove(store, index);
}

/**
 * Opens what was taken in unopened, but not what is unproven: that never verifies. Wraps that are wrong go,
 * so that they keep no place from the right one; their record and its leaf stay, and wait for it.
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
    const tried: Tried[] = [];
    for (const row of rows) {
      const { opened, wrong } = openCandidates(core, key, row, await store.candidates(row.hash));
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
    const start = await log.size(writes);
    const leaves: Leaf[] = [];
    for (const { row, right, wrong } of tried) {
      // Another process may have been here in between.
      if ((await writes.record(row.hash))?.status !== "unverified") continue;
      if (right === undefined) {
        for (const candidate of wrong) await writes.dropCandidate(row.hash, candidate);
      } else {
        leaves.push(await markVerified(core, writes, row, right, start + leaves.length));
      }
    }
    await log.append(writes, leaves);
    return leaves.length;
  });
}
