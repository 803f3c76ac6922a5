import { fromHex, randomBytes, toBase32, toBase64Url, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { ALGS, algOf, type Padding, paddingOf } from "../envelope/header.js";
import { overLimit, readBack, TwinwrapError } from "../errors.js";
import { decodeJcs, encodeJcs, formatTime, type Json, Members } from "../jcs.js";
import type { RsaPublicKey } from "../keys/index.js";
import { labelledHash } from "./hashes.js";
import { checkOrigin, checkText } from "./names.js";
import { decodeSpki, encodeSpki } from "./spki.js";

// A request says who wants which keys back, and for whom to wrap them. Its ID is made from its hash:
// anybody who has the ID from the requesters themselves knows which key they want them wrapped for.

const TYPE = "twinwrap/request/v1";
/** Bytes of a request at most. */
export const MAX_REQUEST = 256 * 1024;
/** Records in one request at most. */
export const MAX_RECORDS = 1000;
/** Values in the JSON of a request: its members and records, with some to spare for a better error. */
export const MAX_REQUEST_VALUES = MAX_RECORDS + 32;
/** Bytes of UTF-8 that name a requester at most. */
const MAX_REQUESTER = 255;
/** Bytes of DER that an RSA key of 16384 bits takes, and some. */
const MAX_SPKI = 4096;
const DAY = 86_400_000;
/** How long a request can be good for. */
const MAX_LIFETIME = 366 * DAY;
/** How long one is good for by default, in milliseconds. */
export const USUAL_LIFETIME = 14 * DAY;
/** Characters of an ID: 130 bits. */
const ID = 26;

export interface RecoveryRequest {
  /** The authority's origin. */
  authority: string;
  /** Who asks, in words for people. */
  requester: string;
  /** The key to wrap the session keys for. */
  recipient: RsaPublicKey;
  /** How to pad them. */
  padding: Padding;
  /** Record hashes (32 bytes each), sorted, each once. */
  records: Uint8Array[];
  created: Date;
  expires: Date;
  /** 16 random bytes. */
  nonce: Uint8Array;
}

/** A request as it stands in a release. */
export function requestToJson(request: RecoveryRequest): Json {
  return {
    alg: algOf(request.padding),
    authority: request.authority,
    created: formatTime(request.created),
    expires: formatTime(request.expires),
    nonce: toBase64Url(request.nonce),

    recipient: toBase64Url(encodeSpki(request.recipient)),
    records: request.records.map(toBase64Url),
    requester: request.requester,
    type: TYPE,
    v: 1,
  };
}

/** The bytes of a request file. */
export function encodeRequest(request: RecoveryRequest): Uint8Array<ArrayBuffer> {
  return encodeJcs(requestToJson(request));
}

/** @throws TwinwrapError BAD_FORMAT; BAD_KEY or WEAK_KEY if nothing can be wrapped for the recipient */
export function requestFromJson(json: Json): RecoveryRequest {
  return decodeRequest(encodeJcs(json));
}

/** @throws TwinwrapError BAD_FORMAT; BAD_KEY or WEAK_KEY if nothing can be wrapped for the recipient */
export function decodeRequest(bytes: Uint8Array): RecoveryRequest {
  const members = new Members(decodeJcs(bytes, MAX_REQUEST, 2 * MAX_REQUEST_VALUES), "request");
  members.exactly("type", TYPE);
  members.exactly("v", 1);
  const request: RecoveryRequest = {
    authority: checkOrigin(members.text("authority", 255)),
    requester: checkText(members.text("requester", MAX_REQUESTER), MAX_REQUESTER, "the requester"),
    recipient: decodeSpki(members.bytes("recipient", 1, MAX_SPKI), "request: recipient"),
    padding: paddingOf(members.oneOf("alg", ALGS)),
    records: members.list("records", MAX_RECORDS, (item, where) =>
      new Members({ record: item }, where).bytes("record", 32),
    ),
    created: members.time("created"),
    expires: members.time("expires"),
    nonce: members.bytes("nonce", 16),
  };
  members.end();
  const { records, created, expires } = request;
  if (records.length === 0) throw bad("request: no records");
  const sorted = records.map(toHex);
  if (sorted.some((record, i) => i > 0 && sorted[i - 1]! >= record)) {
    throw bad("request: the records are not sorted, or one is there twice");
  }
  const lifetime = expires.getTime() - created.getTime();
  const lasting = "request: it does not expire within 366 days after it was made";
  if (lifetime > MAX_LIFETIME) throw overLimit(lasting);
  if (lifetime <= 0) throw bad(lasting);
  return request;
}

function bad(message: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", message);
}

/**
 * Makes a request for some records' keys.
 * @throws TwinwrapError BAD_ARGUMENT if something does not fit, LIMIT_EXCEEDED if there is too much of it,
 *   BAD_KEY or WEAK_KEY
 */
export function makeRequest(options: {
  authority: string;
  requester: string;
  recipient: RsaPublicKey;
  /** OAEP by default. */
  padding?: Padding | undefined;
  /** Record hashes, in any order. */
  records: readonly Uint8Array[];
  /** By default now. */
  created?: Date | undefined;
  /** By default 14 days after. */
  expires?: Date | undefined;
}): RecoveryRequest {
  const created = options.created ?? new Date();
  const records = [...new Set(options.records.map(toHex))].sort().map(fromHex);
  const request: RecoveryRequest = {
    authority: options.authority,
    requester: options.requester,
    recipient: options.recipient,
    padding: options.padding ?? "oaep",
    records,
    created,
    expires: options.expires ?? new Date(created.getTime() + USUAL_LIFETIME),
    nonce: randomBytes(16),
  };
  return readBack(() => decodeRequest(encodeRequest(request)));
}

/** The request's hash, 32 bytes. */
export function requestHash(core: Core, request: RecoveryRequest): Uint8Array<ArrayBuffer> {
  return labelledHash(core, "twinwrap/v1/request", encodeRequest(request));
}

/** The request's ID: the first 130 bits of its hash as 26 characters of base32. */
export function requestId(hash: Uint8Array): string {
  return toBase32(hash.subarray(0, 17)).slice(0, ID);
}

/**
 * An ID as people write it: in upper or lower case, with spaces and hyphens.
 * @returns its 26 characters in lower case
 * @throws TwinwrapError BAD_FORMAT if it is no ID, or not the whole of one
 */
export function parseRequestId(text: string): string {
  const id = text.replace(/[\s-]/g, "");
  if (!/^[A-Za-z2-7]{26}$/.test(id)) {
    throw bad(`a request's ID is ${ID} letters and digits from 2 to 7`);
  }
  return id.toLowerCase();
}

/** The fingerprint of the key that the request wants the session keys wrapped for, 32 bytes. */
export function recipientFingerprint(
  core: Core,
  request: RecoveryRequest,
): Uint8Array<ArrayBuffer> {
  return core.sha256(encodeSpki(request.recipient));
}
