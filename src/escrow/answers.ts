import { fromUtf8, toBase64Url } from "../bytes.js";
import { ALGS, algOf, paddingOf } from "../envelope/header.js";
import { type ErrorCode, TwinwrapError } from "../errors.js";
import { decodeJcs, encodeJcs, formatTime, type Json, Members, parseJson } from "../jcs.js";
import { safe } from "../text.js";
import {
  type Page,
  RECORD_STATUSES,
  REQUEST_STATUSES,
  type RequestSummary,
  type StandingMessage,
  type StoredRecord,
  type SubmitResult,
} from "./authority-client.js";
import { MAX_LEAF } from "./leaf.js";
import { MAX_NOTE } from "./note.js";
import { MAX_NOTES } from "./policy.js";
import { MAX_PROOF, receiptFromJson, receiptToJson } from "./receipt.js";
import { MAX_RECORDS } from "./request.js";

// What an authority's service answers where the answer is no message of its own, as JSON (RFC 8785), and how it is read.
// The forms are those of the port (authority-client.ts). Nothing is verified here.

/** Bytes of any answer at most. */
export const MAX_ANSWER = 64 << 20;
/** Submissions that are handed in at once, at most. */
export const MAX_SUBMISSIONS = 256;
/** Items of a page at most. */
const MAX_PAGE = 1000;
const MAX_TEXT = 4096;
const MAX_CODE = 64;
const MAX_WRAPS = 1024;
const MAX_INDEX = Number.MAX_SAFE_INTEGER;

const jsonOf = (bytes: Uint8Array): Json =>
  parseJson<Json>(fromUtf8(bytes), bytes.length, "this is no JSON");

function storedToJson({ record, status, escrowLeaf, verifiedLeaf, wraps }: StoredRecord): Json {
  return {
    record: jsonOf(record),
    status,
    wraps: wraps.map(({ fingerprint, padding }) => ({
      alg: algOf(padding),
      fingerprint: toBase64Url(fingerprint),
    })),
    ...(escrowLeaf === undefined ? {} : { escrow: escrowLeaf }),
    ...(verifiedLeaf === undefined ? {} : { verified: verifiedLeaf }),
  };
}

function storedFromJson(json: Json, where: string): StoredRecord {
  const members = new Members(json, where);
  const leaf = (name: string) =>
    members.has(name) ? members.integer(name, 0, MAX_INDEX) : undefined;
  const stored: StoredRecord = {
    record: encodeJcs(members.json("record")),
    status: members.oneOf("status", RECORD_STATUSES),
    escrowLeaf: leaf("escrow"),
    verifiedLeaf: leaf("verified"),
    wraps: members.list("wraps", MAX_WRAPS, (item, at) => {
      const wrap = new Members(item, at);
      return {
        fingerprint: wrap.bytes("fingerprint", 32),
        padding: paddingOf(wrap.oneOf("alg", ALGS)),
      };
    }),
  };
  members.end();
  return stored;
}

export const encodeStored = (stored: StoredRecord) => encodeJcs(storedToJson(stored));

/** @throws TwinwrapError BAD_FORMAT */
export function decodeStored(bytes: Uint8Array): StoredRecord {
  return storedFromJson(decodeJcs(bytes, MAX_ANSWER), "record");
}

function summaryToJson(summary: RequestSummary): Json {
  const { id, status, received, expires, requester, records } = summary;
  return {
    expires: formatTime(expires),
    id,
    received: formatTime(received),
    records,
    requester,
    status,
  };
}

function summaryFromJson(json: Json, where: string): RequestSummary {
  const members = new Members(json, where);
  const summary: RequestSummary = {
    id: members.text("id", 26),
    status: members.oneOf("status", REQUEST_STATUSES),
    received: members.time("received"),
    expires: members.time("expires"),
    requester: members.text("requester", MAX_TEXT),
    records: members.integer("records", 1, MAX_RECORDS),
  };
  members.end();
  return summary;
}

function encodePage<Item>({ rows, next }: Page<Item>, toJson: (item: Item) => Json) {
  return encodeJcs({ rows: rows.map(toJson), ...(next === undefined ? {} : { next }) });
}

function decodePage<Item>(
  bytes: Uint8Array,
  read: (json: Json, where: string) => Item,
): Page<Item> {
  const members = new Members(decodeJcs(bytes, MAX_ANSWER), "page");
  const page = {
    rows: members.list("rows", MAX_PAGE, read),
    next: members.has("next") ? members.text("next", MAX_TEXT) : undefined,
  };
  members.end();
  return page;
}

export const encodeRecordPage = (page: Page<StoredRecord>) => encodePage(page, storedToJson);
export const encodeRequestPage = (page: Page<RequestSummary>) => encodePage(page, summaryToJson);
/** @throws TwinwrapError BAD_FORMAT */
export const decodeRecordPage = (bytes: Uint8Array) => decodePage(bytes, storedFromJson);
/** @throws TwinwrapError BAD_FORMAT */
export const decodeRequestPage = (bytes: Uint8Array) => decodePage(bytes, summaryFromJson);

export function encodeStanding(standing: StandingMessage): Uint8Array<ArrayBuffer> {
  const { request, status, requested, approvals, vetoes, enrolled, records } = standing;
  return encodeJcs({
    approvals: [...approvals],
    enrolled: [...enrolled],
    records: records.map(storedToJson),
    request: jsonOf(request),
    requested: { leaf: requested.leaf, proof: requested.proof },
    status,
    vetoes: vetoes.map(({ note, control }) => ({ control: toBase64Url(control), note })),
  });
}

const textOf =
  (maxBytes: number) =>
  (item: Json, where: string): string =>
    new Members({ text: item }, where).text("text", maxBytes);

/** @throws TwinwrapError BAD_FORMAT */
export function decodeStanding(bytes: Uint8Array): StandingMessage {
  const members = new Members(decodeJcs(bytes, MAX_ANSWER), "request");
  const requested = members.members("requested");
  const standing: StandingMessage = {
    request: encodeJcs(members.json("request")),
    status: members.oneOf("status", REQUEST_STATUSES),
    requested: {
      leaf: requested.text("leaf", MAX_LEAF),
      proof: requested.text("proof", MAX_PROOF),
    },
    approvals: members.list("approvals", MAX_RECORDS, textOf(MAX_NOTE)),
    vetoes: members.list("vetoes", MAX_RECORDS, (item, where) => {
      const veto = new Members(item, where);
      return { note: veto.text("note", MAX_NOTE), control: veto.bytes("control", 32) };
    }),
    enrolled: members.list("enrolled", MAX_RECORDS, textOf(MAX_TEXT)),
    records: members.list("records", MAX_RECORDS, storedFromJson),
  };
  members.end();
  return standing;
}

/** What a call comes to that fails (RFC 9457). */
export interface Problem {
  /** Of HTTP. */
  status: number;
  /** Of Twinwrap. */
  code: ErrorCode;
  /** For people. */
  detail: string;
}

export function problemToJson({ status, code, detail }: Problem): Json {
  return { code, detail, status, title: code.toLowerCase().replaceAll("_", " ") };
}

/**
 * The problem as an error of the caller's. A later service may have more codes. That the caller stopped, only the caller
 * can say.
 * @throws TwinwrapError BAD_FORMAT
 */
export function problemFromJson(json: Json, where = "answer"): TwinwrapError {
  const members = new Members(json, where);
  const code = members.text("code", MAX_CODE);
  const isCode = /^[A-Z_]+$/.test(code) && code !== "ABORTED";
  // Whoever shows the text knows nothing of where it is from.
  const detail = safe(members.text("detail", MAX_TEXT));
  return new TwinwrapError(isCode ? (code as ErrorCode) : "REFUSED", detail);
}

/** What became of one of several submissions, with the HTTP status that it would have had alone. */
export type SubmitAnswer = SubmitResult & { status: number };

const NEW = 201;

export function encodeSubmitted(
  results: readonly SubmitResult[],
  statusOf: (error: TwinwrapError) => number,
): Uint8Array<ArrayBuffer> {
  return encodeJcs(results.map((result) => submittedToJson(result, statusOf)));
}

/** @param statusOf the status of an error */
export function submittedToJson(
  result: SubmitResult,
  statusOf: (error: TwinwrapError) => number,
): { [name: string]: Json } & { status: number } {
  const record = toBase64Url(result.record);
  if ("error" in result) {
    const { code, message: detail } = result.error;
    const status = statusOf(result.error);
    return { error: problemToJson({ status, code, detail }), record, status };
  }
  return { receipt: receiptToJson(result.receipt), record, status: result.isNew ? NEW : 200 };
}

/** @throws TwinwrapError BAD_FORMAT */
export function decodeSubmitted(bytes: Uint8Array): SubmitResult[] {
  const members = new Members({ results: decodeJcs(bytes, MAX_ANSWER) }, "answer");
  return members.list("results", MAX_SUBMISSIONS, (item, where) => {
    const result = new Members(item, where);
    const record = result.bytes("record", 32);
    const status = result.integer("status", 100, 599);
    const outcome: SubmitResult = result.has("error")
      ? { record, error: problemFromJson(result.json("error"), where) }
      : { record, isNew: status === NEW, receipt: receiptFromJson(result.json("receipt")) };
    result.end();
    return outcome;
  });
}

export const encodeNotes = (notes: readonly string[]) => encodeJcs({ policies: [...notes] });

/** @throws TwinwrapError BAD_FORMAT */
export function decodeNotes(bytes: Uint8Array): string[] {
  const members = new Members(decodeJcs(bytes, MAX_ANSWER), "answer");
  const notes = members.list("policies", 2 * MAX_NOTES, textOf(MAX_NOTE));
  members.end();
  return notes;
}

/** What a token is for, as its bearer may know it. */
export interface TokenInfo {
  scopes: string[];
  /** The owner ID that it is bound to. */
  owner: string | undefined;
  expires: Date | undefined;
}

export function encodeTokenInfo({ scopes, owner, expires }: TokenInfo): Uint8Array<ArrayBuffer> {
  return encodeJcs({
    scopes,
    ...(owner === undefined ? {} : { owner }),
    ...(expires === undefined ? {} : { expires: formatTime(expires) }),
  });
}

/** @throws TwinwrapError BAD_FORMAT */
export function decodeTokenInfo(bytes: Uint8Array): TokenInfo {
  const members = new Members(decodeJcs(bytes, MAX_TEXT), "token");
  return {
    scopes: members.list("scopes", MAX_CODE, textOf(MAX_CODE)),
    owner: members.has("owner") ? members.text("owner", MAX_TEXT) : undefined,
    expires: members.has("expires") ? members.time("expires") : undefined,
  };
}

/** Why nothing is released yet. */
export interface Waiting {
  /** approvals: more of them. notbefore: until that time. key: until the authority's RSA key is open. */
  for: "approvals" | "notbefore" | "key";
  /** For people. */
  detail: string;
  notBefore?: Date | undefined;
}

export function encodeWaiting({ for: what, detail, notBefore }: Waiting): Uint8Array<ArrayBuffer> {
  const until = notBefore === undefined ? {} : { notbefore: formatTime(notBefore) };
  return encodeJcs({ detail, for: what, ...until });
}
