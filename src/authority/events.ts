import { randomBytes, toHex } from "../bytes.js";
import type { Basis, Policy } from "../escrow/index.js";
import { formatTime } from "../jcs.js";
import { indexOf, logOf } from "./store/place.js";
import type { EventRow, StoreWrites } from "./store/store.js";

// What happened, for those who are to be told. An event is written in the transaction of what it tells of, so that
// there is neither one without the other. It has no words of anybody's: IDs, numbers and times alone.

/** What happened. Where it has a leaf, this is the leaf's type. */
export type EventKind =
  | "request"
  | "approval"
  | "denial"
  | "veto"
  | "release"
  | "announce"
  | "policy"
  | "authority"
  | "enrol"
  | "fence";

/** What everybody who is told may know of an event. */
export interface EventContent {
  /** A request's ID, 26 characters. */
  request?: string;
  /** What became of the request by this: undefined if it goes on. */
  status?: "denied" | "released";
  /** On whose word a release went out. */
  basis?: Basis;
  /** The number of a policy: that in force, or the one that this is about. */
  policy?: number;
  /** The number of an identity. */
  identity?: number;
  /** Until when a request or a policy waits. */
  notBefore?: string;
  expires?: string;
  /** Why the log may not grow. */
  reason?: string;
  /** Which log, from 0, and the index of the leaf: a release's first one. */
  log?: number;
  leaf?: number;
}

/** An event, as whoever acts describes it. */
export interface Happening extends Omit<EventContent, "log" | "leaf" | "notBefore" | "expires"> {
  kind: EventKind;
  time: Date;
  /** Its place. */
  leaf?: number | undefined;
  notBefore?: Date | undefined;
  expires?: Date | undefined;
  /** IDs of owners whom it concerns; of all others none is told. */
  owners?: Iterable<string>;
  /** Whose officers are told; by default all who have an address. */
  policies?: readonly Pick<Policy, "officers">[];
}

/** Writes an event, and who is to be told of it, with the transaction that it tells of. */
export async function tell(writes: StoreWrites, happening: Happening): Promise<void> {
  const { kind, time, leaf, notBefore, expires, owners = [], policies, ...rest } = happening;
  const content: EventContent = {
    ...rest,
    ...(notBefore === undefined ? {} : { notBefore: formatTime(notBefore) }),
    ...(expires === undefined ? {} : { expires: formatTime(expires) }),
    ...(leaf === undefined ? {} : { log: logOf(leaf), leaf: indexOf(leaf) }),
  };
  await writes.addEvent({
    id: `evt_${toHex(randomBytes(16))}`,
    kind,
    time,
    content: JSON.stringify(content),
    owners: [...owners],
    officers: policies?.flatMap(({ officers }) => officers.map(({ name }) => name)),
  });
}

/** What an event tells, besides its kind and time. */
export function contentOf({ content }: Pick<EventRow, "content">): EventContent {
  return JSON.parse(content) as EventContent;
}
