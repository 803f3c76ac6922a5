import type { PresentEscrow } from "../client/escrow.js";
import { inline } from "./text.js";

// What became of the escrow, said to people. Also where there was none: this loads nothing of an authority.

/** What an authority was sent for one file, and what it answered, for machines. */
export interface SentFacts {
  origin: string;
  /** The authority's, in lower-case hexadecimal. */
  fingerprint: string;
  /** In lower-case hexadecimal. */
  record: string;
  /** The ID of its owner. */
  owner: string;
  status: PresentEscrow["status"] | "unproven";
  /** It was sent again: the authority had lost it. */
  again?: boolean;
  /** The submission's file, while there is no answer. */
  submission?: string;
}

/** What became of the escrow, for people. Says also that there is none. */
export function sentRows(sent: readonly SentFacts[]): [string, string][] {
  if (sent.length === 0) return [["escrow", "not escrowed: no authority was given"]];
  return sent.flatMap((one): [string, string][] => [
    ["authority", one.fingerprint],
    ["escrow", sentText(one)],
  ]);
}

/** What became of the escrow of several files, for people. */
export function sentSummary(counts: ReadonlyMap<string, number>): [string, string][] {
  if (counts.size === 0) return sentRows([]);
  return [...counts].map(([text, count]) => ["escrow", `${count} ${text}`]);
}

/** Counts what became of one file's escrow. */
export function countSent(counts: Map<string, number>, sent: readonly SentFacts[]): void {
  for (const { status, origin } of sent) {
    const text = `${status}${status === "pending" ? " for" : " by"} ${inline(origin)}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
}

/** What became of it at one authority. */
export function sentText({ origin, status, submission, again = false }: SentFacts): string {
  const by = inline(origin);
  if (status === "pending" && submission === undefined) {
    return `pending: ${by} was not reached, so run \`twinwrap escrow flush\` where you keep the file`;
  }
  if (submission === undefined) {
    return `${status} by ${by}${again ? ", sent again: the entry before was lost" : ""}`;
  }
  const why = {
    lost: `lost by ${by}`,
    unconfirmed: `unconfirmed: that log of ${by} has ended`,
  };
  return status === "lost" || status === "unconfirmed"
    ? `${why[status]}; carry ${submission} there again`
    : `pending: carry ${submission} to ${by}`;
}
