import { toBase64Url } from "../bytes.js";
import { readBack, TwinwrapError } from "../errors.js";
import type { TreeEdge } from "../escrow/growing-tree.js";
import { type AuthorityFile, authorityNotes, MAX_AUTHORITY } from "../escrow/identity.js";
import { decodeJcs, encodeJcs, formatTime, type Json, Members } from "../jcs.js";

// What somebody who follows an authority's log keeps in mind from one look to the next.

/** A log as it was seen last. */
export interface WatchedLog {
  /** Leaves that were seen. */
  size: number;
  /** The root over them, 32 bytes. */
  root: Uint8Array;
  /** The tree up to the last whole tile: from there on leaves are read again. */
  whole: TreeEdge;
  /** Of the last leaf: times never go back. */
  time: Date | undefined;
  /** Nothing comes any more. */
  isOver: boolean;
}

/** A request that something can still come of. */
export interface WatchedRequest {
  /** requestHash, 32 bytes. */
  request: Uint8Array;
  notBefore: Date;
  expires: Date;
  /** Whether it concerns the owner who watches. */
  isTheirs: boolean;
}

export interface Watched {
  /** The authority's notes. */
  authority: AuthorityFile;
  /** The first one first; the last is in use. */
  logs: readonly WatchedLog[];
  /** Of the log in use. */
  requests: readonly WatchedRequest[];
}

const TYPE = "twinwrap/watch/v1";
/** Bytes of it at most. */
export const MAX_WATCHED = MAX_AUTHORITY + (64 << 20);
const MAX_LOGS = 64;
const MAX_REQUESTS = 200_000;
const MAX_SIZE = 2 ** 44;

/** @throws TwinwrapError LIMIT_EXCEEDED */
export function encodeWatched({ authority, logs, requests }: Watched): Uint8Array<ArrayBuffer> {
  const { identities, policies } = authority;
  const bytes = encodeJcs({
    type: TYPE,
    identities: [...identities],
    ...(policies.length === 0 ? {} : { policies: [...policies] }),
    logs: logs.map(({ size, root, whole, time, isOver }) => ({
      size,
      root: toBase64Url(root),
      whole: whole.size,
      edge: whole.edge.map((hash) => toBase64Url(hash)),
      ...(time === undefined ? {} : { time: formatTime(time) }),
      over: isOver ? 1 : 0,
    })),
    requests: requests.map(({ request, notBefore, expires, isTheirs }) => ({
      request: toBase64Url(request),
      notbefore: formatTime(notBefore),
      expires: formatTime(expires),
      theirs: isTheirs ? 1 : 0,
    })),
  });
  readBack(() => decodeWatched(bytes));
  return bytes;
}

/** @throws TwinwrapError BAD_FORMAT, LIMIT_EXCEEDED */
export function decodeWatched(bytes: Uint8Array): Watched {
  const members = new Members(decodeJcs(bytes, MAX_WATCHED), "watch");
  members.exactly("type", TYPE);
  const authority = authorityNotes(members);
  const logs = members.list("logs", MAX_LOGS, readLog);
  const requests = members.list("requests", MAX_REQUESTS, readRequest);
  members.end();
  return { authority, logs, requests };
}

function readLog(item: Json, where: string): WatchedLog {
  const members = new Members(item, where);
  const size = members.integer("size", 0, MAX_SIZE);
  const whole = {
    size: members.integer("whole", 0, size),
    edge: members.list("edge", 64, (hash, place) => new Members({ hash }, place).bytes("hash", 32)),
  };
  if (whole.edge.length !== onesIn(whole.size)) {
    throw new TwinwrapError("BAD_FORMAT", `${where}: its edge has too few hashes, or too many`);
  }
  const log = {
    size,
    root: members.bytes("root", 32),
    whole,
    time: members.has("time") ? members.time("time") : undefined,
    isOver: members.integer("over", 0, 1) === 1,
  };
  members.end();
  return log;
}

function readRequest(item: Json, where: string): WatchedRequest {
  const members = new Members(item, where);
  const request = {
    request: members.bytes("request", 32),
    notBefore: members.time("notbefore"),
    expires: members.time("expires"),
    isTheirs: members.integer("theirs", 0, 1) === 1,
  };
  members.end();
  return request;
}

function onesIn(size: number): number {
  return [...size.toString(2)].filter((digit) => digit === "1").length;
}
