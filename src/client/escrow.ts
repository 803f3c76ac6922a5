import { needFunction, needText } from "../arguments.js";
import { equalBytes } from "../bytes.js";
import type { Head } from "../envelope/index.js";
import type { EscrowAuthority, MakeEscrows } from "../envelope/seal.js";
import { notVerified, TwinwrapError } from "../errors.js";
import {
  checkOwnerId,
  checkReceipt,
  type HeldSubmission,
  makeSubmission,
  type Receipt,
  receiptLeaf,
  recordHash,
  type Submission,
  type WeighedSubmission,
  weighedSubmissions,
  withSubmission,
} from "../escrow/index.js";
import { needParties } from "./arguments.js";
import type { Party } from "./party.js";

// How owners escrow a session key: make the submission, hand it in, keep the receipt.

/** What an authority was sent, and what it answered. */
export interface Sent<To extends Party = Party> {
  party: To;
  submission: Submission;
  /** recordHash, 32 bytes. */
  record: Uint8Array;
  /** undefined: the submission has still to be carried there. */
  receipt: Receipt | undefined;
}

/**
 * Hands in a submission.
 * @returns a receipt that verified, in full; undefined if the submission has to be carried
 * @throws TwinwrapError NOT_VERIFIED; the authority's reason why it does not take it
 */
export async function handIn(party: Party, submission: Submission): Promise<Receipt | undefined> {
  const { core, authority, client, view } = party;
  if (client === undefined) return undefined;
  const [result, ...more] = await client.submit([submission]);
  if (result === undefined || more.length > 0)
    throw notVerified("the authority answered otherwise than it was asked");
  if ("error" in result) throw result.error;
  const { receipt } = result;
  const { worth } = await checkReceipt(core, submission, receipt, authority);
  if (worth !== "full") {
    throw notVerified("the authority answered with a receipt that does not lead to what it kept");
  }
  await view.see(receipt.leaf, receipt.proof);
  return receipt;
}

/** What a receipt says about its record. */
export function receiptStatus(receipt: Receipt): "verified" | "unverified" {
  return receiptLeaf(receipt).type === "verified" ? "verified" : "unverified";
}

/** Escrows the session key of one file with authorities, while it is sealed. */
export class Escrower<To extends Party = Party> {
  readonly #parties: readonly To[];
  readonly #owner: string;
  readonly #handIn: (party: To, submission: Submission) => Promise<Receipt | undefined>;
  #sent: Sent<To>[] = [];

  /**
   * @param owner the owner's ID at each authority
   * @param give hands in one submission
   * @throws TwinwrapError BAD_ARGUMENT
   */
  constructor(
    parties: readonly To[],
    owner: string,
    give: (party: To, submission: Submission) => Promise<Receipt | undefined> = handIn,
  ) {
    this.#parties = needParties(parties, "the parties") as To[];
    this.#owner = needText(owner, "the owner");
    this.#handIn = needFunction(give, "the call that hands in");
  }

  /** What was sent for the file, as it was sealed last. */
  get sent(): readonly Sent<To>[] {
    return this.#sent;
  }

  /** For seal and rewrap. Authorities that can be asked have answered before the file is written. */
  readonly make: MakeEscrows = async ({ sessionKey, ...file }, present) => {
    // A file that is sealed again calls this again. Then only the last time counts.
    this.#sent = [];
    let escrows = [...present];
    for (const party of this.#parties) {
      const { core, authority } = party;
      const owner = this.#owner;
      const submission = await makeSubmission(core, { sessionKey, authority, owner, file });
      const receipt = await this.#handIn(party, submission);
      escrows = withSubmission(core, escrows, submission, receipt);
      const record = recordHash(core, submission.record);
      this.#sent.push({ party, submission, record, receipt });
    }
    return escrows;
  };
}

/**
 * The same authority, for one of its owners: then `seal` takes it among its `authorities`.
 * @param owner the owner's ID there
 * @throws TwinwrapError BAD_FORMAT if there can be no such ID
 */
export function asOwner<To extends Party>(party: To, owner: string): To & EscrowAuthority {
  const id = checkOwnerId(owner);
  return escrowing(party, (facts, present) => new Escrower([party], id).make(facts, present));
}

/** As {@link asOwner}; without an owner it says so when something is sealed. */
export function asOwnerIfKnown<To extends Party>(party: To, owner?: string): To & EscrowAuthority {
  if (owner !== undefined) return asOwner(party, owner);
  return escrowing(party, async () => {
    const message = `${party.authority.origin} takes in keys of owners: say whose this is, by the option "owner" of connecting, or by asOwner()`;
    throw new TwinwrapError("BAD_ARGUMENT", message);
  });
}

function escrowing<To extends Party>(party: To, makeEscrows: MakeEscrows): To & EscrowAuthority {
  return { ...party, origin: party.authority.origin, makeEscrows };
}

/** A submission that a file holds, and what became of it. */
export interface PresentEscrow {
  held: HeldSubmission;
  /**
   * As its receipt says, if that verifies; else pending. Of a receipt in a log that has ended: unconfirmed if it does
   * not lead to what was kept, lost if the authority lost it.
   */
  status: "verified" | "unverified" | "unconfirmed" | "lost" | "pending";
}

/** What was found, from the best one on. */
export const BY_STATUS = ["verified", "unverified", "unconfirmed", "lost", "pending"] as const;

function presentStatus({ receipt, worth }: WeighedSubmission): PresentEscrow["status"] {
  if (receipt === undefined || worth === undefined) return "pending";
  if (worth === "full") return receiptStatus(receipt);
  return worth === "unconfirmed" ? worth : "lost";
}

/**
 * Finds a file's own submission to an authority: a verified one if there is one, else an unverified one, and so on. It
 * can be sent again without a key.
 * @param owner takes only submissions of the owner with this ID
 * @returns undefined if the file holds none that the authority could open
 * @throws TwinwrapError NOT_VERIFIED if a receipt in the file contradicts what was seen of the log
 */
export async function presentEscrow(
  { core, authority, view }: Party,
  head: Head,
  owner?: string,
): Promise<PresentEscrow | undefined> {
  // A receipt that does not verify counts as none: the authority is asked for it again.
  const all = (await weighedSubmissions(core, head, authority, view))
    .filter(
      ({ submission: { record, wrap } }) =>
        (owner === undefined || record.owner === owner) &&
        authority.wrapFingerprints.some((key) => equalBytes(key, wrap.fingerprint)),
    )
    .map((one) => {
      const { worth: _, ...held } = one;
      return { held, status: presentStatus(one) };
    });
  return BY_STATUS.map((step) => all.find(({ status }) => status === step)).find(
    (one) => one !== undefined,
  );
}

/** What is known of a submission that a file holds, once its authority was asked. */
export interface RenewedEscrow {
  status: PresentEscrow["status"];
  /** To go into the file, in place of what it has. */
  receipt: Receipt | undefined;
  /** The submission has to be carried to the authority. */
  isCarried: boolean;
}

/**
 * Brings a submission that a file holds to where its authority has it and a receipt says so. It is sent again unless
 * the authority has opened it and still has it. Whatever a receipt says, only the authority knows what it holds now.
 * @throws TwinwrapError NOT_VERIFIED; the authority's reason why it does not take it
 */
export async function renewEscrow(
  party: Party,
  { held: { submission, record }, status }: PresentEscrow,
): Promise<RenewedEscrow> {
  const { client } = party;
  if (client === undefined) {
    const isCarried = status !== "verified" && status !== "unverified";
    return { status, receipt: undefined, isCarried };
  }
  const isHeld = status === "verified" && (await client.record(record)) !== undefined;
  if (isHeld) return { status, receipt: undefined, isCarried: false };
  const kept = status === "unconfirmed" ? await keptReceipt(party, submission, record) : undefined;
  const receipt = kept ?? (await handIn(party, submission))!;
  return { status: receiptStatus(receipt), receipt, isCarried: false };
}

/** What the authority shows now of an entry that it kept; undefined if it has not opened it, or has it no more. */
async function keptReceipt(
  { core, authority, client, view }: Party,
  submission: Submission,
  record: Uint8Array,
): Promise<Receipt | undefined> {
  const receipt = await client?.receipt(record);
  if (receipt === undefined || receiptStatus(receipt) !== "verified") return undefined;
  const { worth } = await checkReceipt(core, submission, receipt, authority);
  if (worth !== "full") return undefined;
  await view.see(receipt.leaf, receipt.proof);
  return receipt;
}
