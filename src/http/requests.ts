import { TwinwrapError } from "../errors.js";
import {
  encodeRequestPage,
  encodeStanding,
  encodeWaiting,
  type Waiting,
} from "../escrow/answers.js";
import { parseApproval } from "../escrow/approval.js";
import { REQUEST_STATUSES, type RequestStatus, type StandingMessage } from "../escrow/index.js";
import { decodeRecord } from "../escrow/record.js";
import { encodeRelease } from "../escrow/release.js";
import { parseRequestId, requestId } from "../escrow/request.js";
import { parseVeto } from "../escrow/veto.js";
import { isAbout, notTheirs } from "./admission.js";
import { type Answer, type Call, messageIn } from "./answer.js";
import { pageIn, timeIn, wordIn } from "./records.js";

function noRequest(): TwinwrapError {
  return new TwinwrapError("NOT_FOUND", "there is no such request here");
}

/** Owners of a request's records. */
const ownersOf = ({ records }: StandingMessage) =>
  records.map(({ record }) => decodeRecord(record).owner);

/** The ID in a path. */
function idIn({ params }: Call): string {
  try {
    return parseRequestId(params.id!);
  } catch {
    throw noRequest();
  }
}

/** Where a request stands; the same words whether it is not there or not the caller's. @throws TwinwrapError NOT_FOUND */
async function standingIn({ client }: Call, id: string): Promise<StandingMessage> {
  try {
    return await client.standing(id);
  } catch (error) {
    throw error instanceof TwinwrapError && error.code === "NOT_FOUND" ? noRequest() : error;
  }
}

/** Which of a request's records the caller may see. @throws TwinwrapError NOT_FOUND if that is none */
async function seenOf(call: Call, id: string): Promise<"all" | "some"> {
  if (call.token?.owner === undefined) return "all";
  const owners = ownersOf(await standingIn(call, id));
  const theirs = owners.filter((owner) => isAbout(call.token, owner));
  if (theirs.length === 0) throw noRequest();
  return theirs.length === owners.length ? "all" : "some";
}

/**
 * The ID of a request that the caller may see.
 * @throws TwinwrapError NOT_FOUND, as for one that is not there; FORBIDDEN if some of its records are another owner's
 */
async function seenIn(call: Call): Promise<string> {
  const id = idIn(call);
  if ((await seenOf(call, id)) === "all") return id;
  throw new TwinwrapError(
    "FORBIDDEN",
    "the request is for records of other owners as well: it takes a token that is bound to none",
  );
}

/** Of where a request stands, what is about one owner. */
function partOf(standing: StandingMessage, owner: string): StandingMessage {
  const isTheirs = (note: string) => parseVeto(note).owner === owner;
  return {
    ...standing,
    vetoes: standing.vetoes.filter(({ note }) => isTheirs(note)),
    enrolled: standing.enrolled.filter((one) => one === owner),
    records: standing.records.filter(({ record }) => decodeRecord(record).owner === owner),
  };
}

/** Whoever owns some of the records sees their own part: they have a veto. */
function shownOf({ token }: Call, seen: "all" | "some", standing: StandingMessage) {
  return seen === "all" ? standing : partOf(standing, token!.owner!);
}

export async function ask(call: Call): Promise<Answer> {
  const { client, service, token } = call;
  const { request } = messageIn(call, "request");
  if (token?.owner !== undefined) {
    // Who may ask for their own keys alone learns nothing of others' records.
    const rows = await service.recordsByHash(request.records);
    const mine = rows.filter(({ record }) => isAbout(token, decodeRecord(record).owner));
    if (mine.length < request.records.length) throw notTheirs();
  }
  return { body: encodeStanding(await client.ask(request)) };
}

export async function requests(call: Call): Promise<Answer> {
  const { client, query, token } = call;
  if (token?.owner !== undefined) {
    throw new TwinwrapError("FORBIDDEN", "the list takes a token that is bound to no owner");
  }
  const page = await client.requests(
    {
      status: wordIn<RequestStatus>(query.status, REQUEST_STATUSES, "a status"),
      after: timeIn(query.after, "after"),
      until: timeIn(query.until, "until"),
    },
    pageIn(call),
  );
  return { body: encodeRequestPage(page) };
}

export async function standing(call: Call): Promise<Answer> {
  const id = idIn(call);
  const seen = await seenOf(call, id);
  return { body: encodeStanding(shownOf(call, seen, await call.client.standing(id))) };
}

/** An approval, a denial or a veto. */
export async function decide(call: Call): Promise<Answer> {
  const { kind, note } = messageIn(call, "approval", "veto");
  const scopes = call.token?.scopes ?? [];
  const needed = kind === "veto" ? "recover" : "officer";
  if (!scopes.includes(needed)) {
    throw new TwinwrapError(
      "FORBIDDEN",
      `handing in this ${kind} takes a token of scope ${needed}`,
    );
  }
  // Whoever owns one of the records has a veto, whatever else is asked for.
  const isVeto = kind === "veto";
  const id = isVeto ? idIn(call) : await seenIn(call);
  const seen = isVeto ? await seenOf(call, id) : "all";
  const { request } = kind === "veto" ? parseVeto(note) : parseApproval(note);
  if (requestId(request) !== id) {
    throw new TwinwrapError("BAD_ARGUMENT", `the ${kind} is about another request than the path`);
  }
  const standing = await call.client.decide(note);
  return { body: encodeStanding(shownOf(call, seen, standing)) };
}

/** The most that somebody who waits is told to wait, in seconds. */
const MAX_WAIT = 60;

function waitAnswer(waiting: Waiting): Answer {
  const { notBefore } = waiting;
  const seconds = notBefore === undefined ? MAX_WAIT : (notBefore.getTime() - Date.now()) / 1000;
  const wait = Math.min(MAX_WAIT, Math.max(1, Math.ceil(seconds)));
  return { status: 202, headers: { "retry-after": String(wait) }, body: encodeWaiting(waiting) };
}

/** What a request waits for. @throws TwinwrapError CLOSED if nothing can come of it any more */
async function waitingOf({ service }: Call, id: string, error?: TwinwrapError): Promise<Waiting> {
  const { row, request, decision, now } = await service.standing(id);
  if (row.status === "denied") throw new TwinwrapError("CLOSED", "the request was denied");
  if (row.status === "ended") {
    throw new TwinwrapError("CLOSED", "the request ended with its log: ask again");
  }
  if (request.expires <= now) throw new TwinwrapError("CLOSED", "the request has expired");
  if (decision.approved) {
    const detail =
      "it is approved: the authority's key has to be opened, or the release to be asked for";
    return { for: "key", detail: error?.message ?? detail };
  }
  const { notBefore, reason } = decision;
  return notBefore === undefined
    ? { for: "approvals", detail: reason ?? "it waits for approvals" }
    : { for: "notbefore", detail: reason ?? "it waits", notBefore };
}

/** What was released; changes nothing. */
export async function released(call: Call): Promise<Answer> {
  const id = await seenIn(call);
  const release = await call.client.released(id);
  if (release !== undefined) return { body: encodeRelease(release) };
  return waitAnswer(await waitingOf(call, id));
}

/** Releases what is due; the same bytes again if it was released before. */
export async function release(call: Call): Promise<Answer> {
  const id = await seenIn(call);
  try {
    return { body: encodeRelease(await call.service.release(id)) };
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    if (error.code !== "NOT_APPROVED" && error.code !== "PASSPHRASE_NEEDED") throw error;
    return waitAnswer(await waitingOf(call, id, error));
  }
}
