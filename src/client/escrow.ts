import { needFunction, needText } from "../arguments.js";
import { equalBytes } from "../bytes.js";
import type { Head } from "../envelope/index.js";
import type { MakeEscrows } from "../envelope/seal.js";
import { notVerified } from "../errors.js";
import {
  checkReceipt,
  type EscrowStatus,
  type HeldSubmission,
  makeSubmission,
  provenSubmissions,
  type Receipt,
  receiptLeaf,
  recordHash,
  type Submission,
  submissionsOf,
  withSubmission,
} from "../escrow/index.js";
import { needParties } from "./arguments.js";
import type { Party } from "./party.js";

// What an owner does to have a session key escrowed: make the submission, hand it in, keep what comes back.

/** What an authority was sent, and answered. */
export interface Sent<To extends Party = Party> {
  party: To;
  submission: Submission;
  /** recordHash, 32 bytes. */
  record: Uint8Array;
  /** undefined: it has still to be carried there. */
  receipt: Receipt | undefined;
}

/**
 * Hands a submission in.
 * @returns a receipt that verified; undefined if the submission has to be carried
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
  await checkReceipt(core, submission, receipt, authority);
  await view.see(receipt.leaf, receipt.proof);
  return receipt;
}

/** verified or unverified: what a receipt says became of its record. */
export function receiptStatus(receipt: Receipt): "verified" | "unverified" {
  return receiptLeaf(receipt).type === "verified" ? "verified" : "unverified";
}

/** What became of a submission. */
export function sentStatus({ receipt }: Pick<Sent, "receipt">): EscrowStatus {
  return receipt === undefined ? "pending" : receiptStatus(receipt);
}

/** Escrows the session key of one file with authorities, while it is sealed. */
export class Escrower<To extends Party = Party> {
  readonly #parties: readonly To[];
  readonly #owner: string;
  readonly #handIn: (party: To, submission: Submission) => Promise<Receipt | undefined>;
  #sent: Sent<To>[] = [];

  /**
   * @param owner the owner's ID at each of them
   * @param give how a submission is handed in
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

  /** What was sent for the file as it is now. */
  get sent(): readonly Sent<To>[] {
    return this.#sent;
  }

  /** For seal and rewrap. An authority that can be reached has answered before the file is there. */
  readonly make: MakeEscrows = async ({ sessionKey, ...file }, present) => {
    // A file that is sealed again asks again: then only the last counts.
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

/** A submission that a file holds, and how far its escrow is. */
export interface PresentEscrow {
  held: HeldSubmission;
  /** By its receipt, if that verifies. */
  status: "verified" | "unverified" | "pending";
}

/**
 * A file's own submission to an authority, the one that is furthest: it can be sent again without a key.
 * @param owner only one of this owner's ID
 * @returns undefined if it holds none that the authority could open
 */
export async function presentEscrow(
  { core, authority }: Party,
  head: Head,
  owner?: string,
): Promise<PresentEscrow | undefined> {
  // A receipt that does not verify is none: it is asked for again.
  const proven = await provenSubmissions(core, head, authority);
  const all = [...proven, ...submissionsOf(core, head, authority.origin)]
    .filter(
      ({ submission: { record, wrap } }) =>
        (owner === undefined || record.owner === owner) &&
        authority.wrapFingerprints.some((key) => equalBytes(key, wrap.fingerprint)),
    )
    .map((held) => ({
      held,
      status: proven.includes(held) ? receiptStatus(held.receipt!) : ("pending" as const),
    }));
  const steps = ["verified", "unverified", "pending"] as const;
  return steps
    .map((step) => all.find(({ status }) => status === step))
    .find((one) => one !== undefined);
}
