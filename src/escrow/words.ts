import { toHex } from "../bytes.js";
import { formatTime } from "../jcs.js";
import { safe } from "../text.js";
import type { Authority } from "./chain.js";
import type { Unshown } from "./recovery.js";
import type { EscrowReport } from "./reports.js";

// The words and file names that the command line and the page share.

/** One report in words. */
export function statusText({ status, origin, time, reason }: EscrowReport): string {
  const by = safe(origin);
  switch (status) {
    case "verified":
      return `verified by ${by} on ${formatTime(time!)}`;
    case "unverified":
      return `unverified: taken in by ${by} on ${formatTime(time!)}, not opened yet`;
    case "unproven":
      return `key not proven: taken in by ${by} on ${formatTime(time!)}; nobody can tell whether it opens`;
    case "unconfirmed":
      return `unconfirmed: taken in by ${by} on ${formatTime(time!)}; that log has ended, and the receipt does not show that it was kept`;
    case "lost":
      return `lost: taken in by ${by} on ${formatTime(time!)}, but ${by} lost it: send it again`;
    case "after the end":
      return `lost: signed for ${by} on ${formatTime(time!)}, after that log had ended: send it again`;
    case "pending":
      return `pending: no receipt of ${by} yet`;
    case "not escrowed":
      return origin === "" ? "not escrowed" : `not escrowed with ${by}`;
    case "mismatch":
      return `mismatch: ${safe(reason ?? "")}`;
  }
}

/**
 * What to know before a file's records are asked for, one text for each.
 * @param found as recordsToAsk of the room client/ gives it
 */
export function askingTexts(found: {
  known: boolean;
  lost: boolean;
  contradiction: string | undefined;
}): string[] {
  const { known, lost, contradiction } = found;
  const texts = contradiction === undefined ? [] : [safe(contradiction)];
  if (lost) {
    const what = "the authority lost the entry that its receipt is for";
    texts.push(`${what}; send it again first, or the authority refuses the whole request`);
  } else if (!known) {
    const what = "no receipt in it verifies; if the authority did not get its submission";
    texts.push(`${what}, it refuses the whole request`);
  }
  return texts;
}

export const UNCONFIRMED_RELEASE =
  "the log of the release has ended, and nothing shows that the authority kept the release";

/** What could not be shown of a recovered file, one text for each. */
export function unshownTexts({ unconfirmed, lost, contradiction }: Unshown): string[] {
  return [
    ...(unconfirmed ? [UNCONFIRMED_RELEASE] : []),
    ...(lost ? ["the authority lost the entry that its receipt is for"] : []),
    ...(contradiction === undefined ? [] : [safe(contradiction)]),
  ];
}

/**
 * Whether the file can be recovered, as far as its receipts prove it.
 * @param authority that the reports are about: one without a policy in force has nobody who could release a key
 */
export function isRecoverable(
  reports: readonly EscrowReport[],
  authority: Pick<Authority, "policies"> | undefined,
): boolean {
  const isDecided = authority !== undefined && authority.policies.length > 0;
  return isDecided && reports.some(({ status, shown }) => status === "verified" && shown);
}

/** Said where an authority has no policy in force; undefined if it has one. */
export function noPolicyText({
  origin,
  policies,
}: Pick<Authority, "origin" | "policies">): string | undefined {
  if (policies.length > 0) return undefined;
  return `${safe(origin)} has no policy in force here, so nobody could release the key`;
}

/**
 * The name of a file that goes to an authority or comes back, and lies beside the file it is for.
 * @param name of the file that it is for
 */
export function messageName(
  name: string,
  { fingerprint }: Authority,
  kind: "submission" | "receipt",
): string {
  return `${name}.${toHex(fingerprint.subarray(0, 8))}.${kind}.json`;
}

/** A request's ID in groups of four, as people say it. */
export function sayId(id: string): string {
  return id.replace(/.{4}(?=.)/g, "$&-");
}
