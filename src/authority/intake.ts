import { toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { formatSerial, type Padding } from "../envelope/index.js";
import { isWrapFor } from "../envelope/wraps.js";
import { decryptionFailed, TwinwrapError } from "../errors.js";
import { isBoundWrap } from "../escrow/blob-submission.js";
import { type Authority, wrapKeyOf } from "../escrow/chain.js";
import type { Policy } from "../escrow/policy.js";
import type { Receipt } from "../escrow/receipt.js";
import { encodeRecord, isBlob, isProven, recordHashOf } from "../escrow/record.js";
import type { Submission } from "../escrow/submission.js";
import { type Outcome, outcomeOf } from "./groups.js";
import { type Checked, IntakePlan, type Taken } from "./intake-plan.js";
import type { Office } from "./office.js";
import { blockOf, knownBlocks, wrapState } from "./opening.js";
import { requirePolicy } from "./policies.js";
import type { RecordRow, StoreReads } from "./store/store.js";

// How records come in. A submission is opened before the transaction, if the authority's key is at hand. Those that
// wait then share a transaction (groups.ts), which decides what each record is by then (intake-plan.ts). What is wrong
// with one of them is its own affair.

/** What became of a submission. */
export interface Intake {
  /** recordHash, 32 bytes. */
  record: Uint8Array;
  status: "verified" | "unverified" | "unproven";
  /** Whether it is new here. */
  isNew: boolean;
  /** Whether its wrap took the place of one that is damaged. */
  isRepaired: boolean;
  receipt: Receipt;
}

/** What became of one of several: it is there, or why it is not. */
export type IntakeResult = Intake | { error: unknown };

/** Whether the authority's newest identity takes this padding. */
export function takesPadding({ identities }: Authority, padding: Padding): boolean {
  return identities.at(-1)!.paddings.includes(padding);
}

/**
 * What shows of a submission without the authority's key.
 * @throws TwinwrapError WRONG_AUTHORITY if it is for another authority or another key; REFUSED if the authority does
 *   not take its padding, or its blob is malformed
 */
function check({ core, authority }: Office, submission: Submission): Checked {
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
  const bytes = encodeRecord(record);
  const hash = recordHashOf(core, bytes);
  // What shows without the key is refused before anything is kept, whether the key is at hand or not.
  const algorithms = isBlob(record) ? [record.blob.aiKeyAlg] : undefined;
  if (!isWrapFor(wrap, wrapKey, algorithms)) {
    throw new TwinwrapError("REFUSED", `${which}: its blob is not of the form that it has to be`);
  }
  if (!isProven(record)) {
    // Never opened here: whether it opens must not show.
    if (isBoundWrap(core, record, wrap)) return { submission, bytes, hash, status: "unproven" };
    throw new TwinwrapError("REFUSED", `${which}: its blob is not the one that the record is for`);
  }
  return { submission, bytes, hash, status: "unverified" };
}

/**
 * Looks at submissions before they wait for a transaction, and opens those whose key is at hand.
 * @returns for each the same, or as {@link check}, or DECRYPTION_FAILED if its wrap does not lead to the session key of
 *   commitment and tag
 */
export async function prepare(
  office: Office,
  submissions: readonly Submission[],
): Promise<Outcome<Checked>[]> {
  const opened = submissions.map((one) => outcomeOf(() => open(office, check(office, one))));
  return findDamaged(office, await Promise.all(opened));
}

/** Opens it, if the key that it names is at hand. @throws TwinwrapError DECRYPTION_FAILED */
async function open({ openers }: Office, item: Checked): Promise<Checked> {
  const { tag, wrap } = item.submission;
  if (item.status === "unproven" || !openers.keys.has(toHex(wrap.fingerprint))) return item;
  const { right } = await openers.check(item.bytes, [{ tag, wrap }]);
  if (right === undefined) throw decryptionFailed();
  return { ...item, status: "verified" };
}

/** Finds the stored wraps that do not open any more, of records for which a right one has come. */
async function findDamaged(
  office: Office,
  items: readonly Outcome<Checked>[],
): Promise<Outcome<Checked>[]> {
  const { store } = office;
  const right = items.flatMap((item) =>
    "value" in item && item.value.status !== "unverified" ? [item.value] : [],
  );
  if (right.length === 0) return [...items];
  const rows = await store.recordsByHash(right.map(({ hash }) => hash));
  const present = rows.filter((row) => row !== undefined && row.status !== "unverified");
  const candidates = await store.candidatesOf(present.map((row) => row!.hash));
  return Promise.all(
    items.map(async (item) => {
      const row = "value" in item ? rows[right.indexOf(item.value)] : undefined;
      const at = present.indexOf(row);
      if (!("value" in item) || row === undefined || at < 0) return item;
      return outcomeOf(async () => {
        const state = await wrapState(office, row, candidates[at]!);
        return state === "wrong" ? { ...item.value, damaged: candidates[at]! } : item.value;
      });
    }),
  );
}

/** What no two items of a group may share: an unproven key is refused if its RSA block is another record's. */
export function namesOf({ hash, submission: { wrap } }: Checked): string[] {
  return [hash, blockOf(wrap)].map((bytes) => Buffer.from(bytes).toString("latin1"));
}

/**
 * Takes in submissions that share no record and no RSA block, in one transaction. Leaves records that are there already
 * as they are, but that a wrap that opens takes the place of a stored one that does not.
 * @returns what became of each: an error is NO_POLICY; NOT_PROVEN; NOT_ENTITLED; DUPLICATE if it has the blob of another
 *   record; BACKLOG; FENCED; or what the store says
 */
export async function takeGroup(
  office: Office,
  items: readonly Checked[],
): Promise<Outcome<Intake>[]> {
  const { outcomes, failure } = await commitGroup(office, items);
  if (outcomes !== undefined) return withReceipts(office, outcomes);
  if (items.length === 1 || failure.isOfAll) return items.map(() => failure);
  return withReceipts(office, await oneByOne(office, items));
}

/** What became of a submission in the transaction. */
type Committed = Outcome<Taken & { item: Checked }>;
/** Why a transaction failed, and whether that is so whatever is in it. */
type Failure = { error: unknown; isOfAll: boolean };

/** Has each of a group's submissions in a transaction of its own: one that fails must harm no other. */
async function oneByOne(office: Office, items: readonly Checked[]): Promise<Committed[]> {
  const all: Committed[] = [];
  let isOver: Failure | undefined;
  for (const item of items) {
    const { outcomes, failure } = isOver ? { failure: isOver } : await commitGroup(office, [item]);
    // Where the store is gone nobody waits for it again and again.
    if (failure?.isOfAll) isOver = failure;
    all.push(...(outcomes ?? [failure!]));
  }
  return all;
}

/** The transaction of a group. */
async function commitGroup(
  office: Office,
  items: readonly Checked[],
): Promise<
  { outcomes: Committed[]; failure?: undefined } | { outcomes?: undefined; failure: Failure }
> {
  const { core, store, log } = office;
  let isAboutItems = false;
  try {
    const outcomes = await store.write(async (writes) => {
      isAboutItems = false;
      // A receipt would look as if the key could be released.
      const policy = await requirePolicy(office, writes);
      // Also for records that are there already: a receipt would look as if it came from the log's newest state.
      const end = await log.end(writes);
      isAboutItems = true;
      const plan = new IntakePlan(core, end);
      const planned = await planGroup(office, writes, { policy, plan }, items);
      await plan.write(writes);
      return planned;
    });
    return { outcomes };
  } catch (error) {
    const isGone =
      error instanceof TwinwrapError && ["UNAVAILABLE", "DISPOSED"].includes(error.code);
    return { failure: { error, isOfAll: isGone || !isAboutItems } };
  }
}

/** All that decides about submissions, before anything is written. */
async function planGroup(
  { core }: Office,
  reads: StoreReads,
  { policy, plan }: { policy: Policy; plan: IntakePlan },
  items: readonly Checked[],
): Promise<Committed[]> {
  const rows = await reads.recordsByHash(items.map(({ hash }) => hash));
  const fresh = items.filter((_, i) => rows[i] === undefined);
  const refusals = await refusalsOf(core, reads, policy, fresh);
  const changing = items.filter((item, i) => {
    const row = rows[i];
    return row !== undefined && (row.status === "unverified" || item.damaged !== undefined);
  });
  const candidates = await reads.candidatesOf(changing.map(({ hash }) => hash));
  return Promise.all(
    items.map((item, i) =>
      outcomeOf(() => {
        const refusal = refusals.get(item);
        if (refusal !== undefined) throw refusal;
        const waiting = candidates[changing.indexOf(item)] ?? [];
        return { item, ...plan.take(item, rows[i], waiting) };
      }),
    ),
  );
}

/** Why new records are not taken in. */
async function refusalsOf(
  core: Core,
  reads: StoreReads,
  { owners, unproven }: Policy,
  items: readonly Checked[],
): Promise<Map<Checked, unknown>> {
  const refusals = new Map<Checked, unknown>();
  const held = items.map(({ hash, submission: { record, wrap } }) => ({ hash, record, wrap }));
  const blocks = await knownBlocks(core, reads, held);
  const names = items.map(({ submission }) => submission.record.owner);
  const enrolments = owners === "enrolled" ? await reads.enrolments(names) : [];
  for (const [i, item] of items.entries()) {
    if (unproven === "refused" && item.status === "unproven") refusals.set(item, notProven());
    else if (enrolments[i]?.length === 0) refusals.set(item, notEnrolled(names[i]!));
    else if (blocks[i] !== undefined) refusals.set(item, blocks[i]);
  }
  return refusals;
}

function notProven(): TwinwrapError {
  return new TwinwrapError(
    "NOT_PROVEN",
    "the key is not proven: whoever has the blob could have sent it, and this authority does not take such keys in",
  );
}

function notEnrolled(owner: string): TwinwrapError {
  return new TwinwrapError(
    "NOT_ENTITLED",
    `owner ${owner} is not enrolled, and this authority takes the records of enrolled owners alone`,
  );
}

/** What became of submissions, with the receipts of those that are there. */
async function withReceipts(
  office: Office,
  outcomes: readonly Committed[],
): Promise<Outcome<Intake>[]> {
  const taken = outcomes.flatMap((outcome) => ("value" in outcome ? [outcome.value] : []));
  const receipts = await outcomeOf(() =>
    receiptsOf(
      office,
      taken.map(({ row }) => row),
    ),
  );
  // What is wrong with one of the records must keep no other from its receipt.
  const each =
    "value" in receipts
      ? receipts.value.map((value) => ({ value }))
      : await Promise.all(
          taken.map(({ row }) => outcomeOf(async () => (await receiptsOf(office, [row]))[0]!)),
        );
  return outcomes.map((outcome) => {
    if (!("value" in outcome)) return outcome;
    const receipt = each[taken.indexOf(outcome.value)]!;
    return "value" in receipt ? { value: intakeOf(outcome.value, receipt.value) } : receipt;
  });
}

function intakeOf(
  { item, row, isNew, isRepaired }: Taken & { item: Checked },
  receipt: Receipt,
): Intake {
  const opened = row.verifiedLeaf === undefined ? "unverified" : "verified";
  const status = item.status === "unproven" ? item.status : opened;
  return { record: item.hash, status, isNew, isRepaired, receipt };
}

/** The newest receipts of records, in their order. */
export function receiptsOf({ store, log }: Office, rows: readonly RecordRow[]): Promise<Receipt[]> {
  return log.prove(
    store,
    rows.map(({ verifiedLeaf, escrowLeaf }) => (verifiedLeaf ?? escrowLeaf)!),
  );
}
