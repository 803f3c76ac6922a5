import { SCOPES } from "../authority/scopes.js";
import { carriedLimit } from "../escrow/carried.js";
import { MAX_NOTE } from "../escrow/note.js";
import { MAX_REQUEST } from "../escrow/request.js";
import type { For } from "./admission.js";
import type { Answer, Call } from "./answer.js";
import * as authority from "./authority.js";
import { health, ready } from "./health.js";
import * as records from "./records.js";
import * as requests from "./requests.js";
import * as schemas from "./schemas.js";

// Everything that the service can be asked, on one screen.

export interface Route {
  method: "GET" | "POST";
  url: string;
  who: For;
  handle: (call: Call) => Promise<Answer>;
  /** For the description of the service. */
  summary: string;
  /** Parameters of the query. */
  query?: schemas.Schema;
  /** Of the body; a route without one takes none. */
  body?: { what: string; type: "application/json" | "text/plain"; maxBytes: number };
  /** What it answers, by status; problems can come from every route. */
  answers: Readonly<Record<number, schemas.Answered>>;
}

const ANYBODY = "everybody";
const KEEPERS = ["submit", "recover", "read", "officer"] as const;
const ASKERS = ["recover", "read", "officer"] as const;
const { json, text, bytes, nothing } = schemas;
const NOTE = { type: "text/plain", maxBytes: carriedLimit(MAX_NOTE) } as const;
const SUBMISSIONS = { type: "application/json", maxBytes: records.MAX_HANDED_IN } as const;
const REQUEST = { type: "application/json", maxBytes: carriedLimit(MAX_REQUEST) } as const;

// biome-ignore format: a table
export const ROUTES: readonly Route[] = [
  { method: "GET", url: "/v1/authority", who: ANYBODY, handle: authority.authority, summary: "Who the authority is: its authority.json", answers: { 200: json("authority.json"), 304: nothing("as before") } },
  { method: "POST", url: "/v1/records", who: ["submit"], handle: records.submit, summary: "Hands in a submission, or a list of up to 256", body: { what: "a submission, or a list of them", ...SUBMISSIONS }, answers: { 200: json("it was there already; or, for a list, what became of each", schemas.SUBMITTED), 201: json("it was taken in", schemas.SUBMITTED_ONE) } },
  { method: "GET", url: "/v1/records", who: KEEPERS, handle: records.records, query: schemas.RECORD_QUERY, summary: "Searches records, newest first", answers: { 200: json("a page", schemas.RECORD_PAGE) } },
  { method: "GET", url: "/v1/records/:hash", who: KEEPERS, handle: records.record, summary: "One record", answers: { 200: json("the record", schemas.RECORD) } },
  { method: "GET", url: "/v1/records/:hash/receipt", who: KEEPERS, handle: records.receipt, summary: "Its newest receipt", answers: { 200: json("the receipt") } },
  { method: "POST", url: "/v1/requests", who: ["recover"], handle: requests.ask, summary: "Asks for the keys of records", body: { what: "a request", ...REQUEST }, answers: { 200: json("where it stands", schemas.STANDING) } },
  { method: "GET", url: "/v1/requests", who: ["read", "officer"], handle: requests.requests, query: schemas.REQUEST_QUERY, summary: "Lists requests, newest first", answers: { 200: json("a page", schemas.REQUEST_PAGE) } },
  { method: "GET", url: "/v1/requests/:id", who: ASKERS, handle: requests.standing, summary: "Where a request stands", answers: { 200: json("everything that a decision is made from", schemas.STANDING) } },
  { method: "POST", url: "/v1/requests/:id/notes", who: ["officer", "recover"], handle: requests.decide, summary: "Hands in an approval, a denial or a veto", body: { what: "the signed note", ...NOTE }, answers: { 200: json("where the request stands now", schemas.STANDING) } },
  { method: "GET", url: "/v1/requests/:id/release", who: ASKERS, handle: requests.released, summary: "What was released; changes nothing", answers: { 200: json("the release"), 202: json("what it waits for", schemas.WAITING) } },
  { method: "POST", url: "/v1/requests/:id/release", who: ["recover", "officer"], handle: requests.release, summary: "Releases what is due, or gives what was released", answers: { 200: json("the release"), 202: json("what it waits for", schemas.WAITING) } },
  { method: "GET", url: "/v1/policy", who: ["read", "officer", "admin"], handle: authority.policies, summary: "All policies, drafts last", answers: { 200: json("their notes", schemas.POLICIES) } },
  { method: "POST", url: "/v1/policy/notes", who: ["officer", "admin"], handle: authority.takePolicy, summary: "Hands in a policy with signatures", body: { what: "the signed note", ...NOTE }, answers: { 200: text("the note with all signatures that there are") } },
  { method: "GET", url: "/v1/token", who: SCOPES, handle: authority.tokenInfo, summary: "What the caller's token is for", answers: { 200: json("its scopes, owner and end", schemas.TOKEN) } },
  { method: "POST", url: "/v1/enrolments", who: ["submit", "recover", "admin"], handle: authority.enrol, query: schemas.ENROL_QUERY, summary: "Enrols the owner that the token is bound to", body: { what: "their public control key (PEM)", type: "text/plain", maxBytes: 16384 }, answers: { 200: json("the owner's file, as before"), 201: json("the owner's file") } },
  { method: "GET", url: "/log/:log/checkpoint", who: ANYBODY, handle: authority.checkpoint, summary: "The newest checkpoint of a log (C2SP tlog-tiles)", answers: { 200: text("the checkpoint") } },
  { method: "GET", url: "/log/:log/tile/*", who: ANYBODY, handle: authority.tile, summary: "A tile of a log (C2SP tlog-tiles): hashes, or entries", answers: { 200: bytes("the tile") } },
  { method: "GET", url: "/healthz", who: ANYBODY, handle: health, summary: "Whether the process is alive", answers: { 200: text("it is") } },
  { method: "GET", url: "/readyz", who: ANYBODY, handle: ready, summary: "Whether calls can be served", answers: { 200: text("they can") } },
];
