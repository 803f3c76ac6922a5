import { concatBytes, fromUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import type { Json } from "../jcs.js";
import { describeForeign } from "../keys/foreign.js";
import { parseApproval } from "./approval.js";
import { carriedLimit, readCarried } from "./carried.js";
import { parseCheckpoint } from "./checkpoint.js";
import { type Connection, decodeConnection, MAX_CONNECTION } from "./connection.js";
import { type AuthorityFile, decodeAuthority, MAX_AUTHORITY, parseIdentity } from "./identity.js";
import { MAX_NOTE } from "./note.js";
import { decodeOwnerFile, MAX_OWNER_FILE, type OwnerFile } from "./owner-file.js";
import { parsePolicy } from "./policy.js";
import { decodeReceipt, MAX_RECEIPT, type Receipt } from "./receipt.js";
import { MAX_SUBMISSION } from "./record.js";
import { decodeRelease, MAX_RELEASE, type Release } from "./release.js";
import { decodeRequest, MAX_REQUEST, type RecoveryRequest } from "./request.js";
import { decodeSubmission, type Submission } from "./submission.js";
import { parseVeto } from "./veto.js";

// Every message between owner, authority and officers is a file too. Its content tells its kind, whatever its
// name.

export type Message =
  | { kind: "submission"; submission: Submission }
  | { kind: "receipt"; receipt: Receipt }
  | { kind: "request"; request: RecoveryRequest }
  | { kind: "release"; release: Release }
  | { kind: "authority"; authority: AuthorityFile }
  | { kind: "owner"; owner: OwnerFile }
  | { kind: "connection"; connection: Connection }
  | { kind: "approval"; note: string }
  | { kind: "veto"; note: string }
  | { kind: "policy"; note: string }
  | { kind: "identity"; note: string }
  | { kind: "checkpoint"; note: string };

export type MessageKind = Message["kind"];

/** How a sealed file begins. */

/** The error of a key without its proof: it can be read, but the log does not vouch for it. */
function checkProofs(release: Json): void {
  const { releases, requested } = release as { releases?: Json; requested?: Json };
  if (!Array.isArray(releases)) return;
  const isWhole = (key: Json | undefined) => {
    const { leaf, proof } = (key ?? {}) as { leaf?: Json; proof?: Json };
    return typeof leaf === "string" && typeof proof === "string";
  };
  if (releases.every(isWhole) && isWhole(requested)) return;
  throw notVerified("something in it comes without the proof that it is in the log");
}

/** A kind of JSON message. In canonical order each begins with another member, so the first bytes tell it. */
interface JsonKind {
  kind: MessageKind;
  first: string;
  maxBytes: number;
  read: (bytes: Uint8Array) => Message;
}

const JSON_KINDS: readonly JsonKind[] = [
  {
    kind: "submission",
    first: "record",
    maxBytes: MAX_SUBMISSION,
    read: (bytes) => ({ kind: "submission", submission: decodeSubmission(bytes) }),
  },
  {
    kind: "receipt",
    first: "leaf",
    maxBytes: MAX_RECEIPT,
    read: (bytes) => ({ kind: "receipt", receipt: decodeReceipt(bytes) }),
  },
  {
    kind: "request",
    first: "alg",
    maxBytes: MAX_REQUEST,
    read: (bytes) => ({ kind: "request", request: decodeRequest(bytes) }),
  },
  {
    kind: "release",
    first: "releases",
    maxBytes: MAX_RELEASE,
    read: (bytes) => ({ kind: "release", release: decodeRelease(bytes, checkProofs) }),
  },
  {
    kind: "authority",
    first: "identities",
    maxBytes: MAX_AUTHORITY,
    read: (bytes) => ({ kind: "authority", authority: decodeAuthority(bytes) }),
  },
  {
    kind: "owner",
    first: "authority",
    maxBytes: MAX_OWNER_FILE,
    read: (bytes) => ({ kind: "owner", owner: decodeOwnerFile(bytes) }),
  },
  {
    kind: "connection",
    first: "connect",
    maxBytes: MAX_CONNECTION,
    read: (bytes) => ({ kind: "connection", connection: decodeConnection(bytes) }),
  },
];

/** Bytes at a message's start that tell its kind, whatever blanks stand there. */
export const MESSAGE_START = 256;

/** Which kind of JSON message bytes begin as. */
function jsonKindOf(bytes: Uint8Array): JsonKind | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, MESSAGE_START));
  const [, first] = /^(?:\xef\xbb\xbf)?\s*\{\s*"([a-z]+)"/.exec(start) ?? [];
  return JSON_KINDS.find((kind) => kind.first === first);
}

/**
 * How long a message can be as it comes, by its first bytes: a reader stops there.
 * @param start its first {@link MESSAGE_START} bytes, or all if it has fewer
 * @returns bytes
 */
export function messageLimit(start: Uint8Array): number {
  return carriedLimit(jsonKindOf(start)?.maxBytes ?? MAX_NOTE);
}

/** The most bytes that any message has as it comes. */
export const MAX_MESSAGE: number = carriedLimit(Math.max(MAX_RELEASE, MAX_CONNECTION));

function decodeNote(core: Core, bytes: Uint8Array): Message {
  const text = fromUtf8(bytes);
  if (text.startsWith("twinwrap/approval/v1\n")) {
    parseApproval(text);
    return { kind: "approval", note: text };
  }
  if (text.startsWith("twinwrap/veto/v1\n")) {
    parseVeto(text);
    return { kind: "veto", note: text };
  }
  if (text.startsWith("twinwrap/policy/v1\n")) {
    parsePolicy(core, text);
    return { kind: "policy", note: text };
  }
  if (text.startsWith("twinwrap/authority/v1\n")) {
    parseIdentity(core, text);
    return { kind: "identity", note: text };
  }
  parseCheckpoint(text);
  return { kind: "checkpoint", note: text };
}

/** Whether bytes are text that could be a note: one has a signature, or calls itself ours. */
function looksLikeNote(bytes: Uint8Array): boolean {
  const start = String.fromCharCode(...bytes.subarray(0, MESSAGE_START));
  return /^(?:\xef\xbb\xbf)?\s*twinwrap\//.test(start) || /[\r\n]\u2014 /.test(fromUtf8(bytes));
}

/** The error of a file that is no message; its text says what the file is, as far as that is known. */
export class ForeignFile extends TwinwrapError {}

function foreign(bytes: Uint8Array): TwinwrapError {
  const start = String.fromCharCode(...bytes.subarray(0, MESSAGE_START));
  if (/^(?:\xef\xbb\xbf)?\s*\{\s*"type"\s*:\s*"twinwrap\//.test(start)) {
    return new TwinwrapError(
      "BAD_FORMAT",
      "this was a message, but a program has changed the order of its members: get it again, unchanged",
    );
  }
  const what = describeForeign(bytes);
  const isNone = "no message of an authority or an owner";
  return new ForeignFile(
    "BAD_FORMAT",
    what === undefined ? `this is ${isNone}` : `this is ${what}, ${isNone}`,
  );
}

/**
 * Reads a message of any kind. Undoes what mail and editors do to a text (a byte order mark, other line ends,
 * one more or fewer at the end, blanks at ends of lines, broken lines). Nothing of it is verified.
 * @throws TwinwrapError BAD_FORMAT if it is none, or a malformed one; LIMIT_EXCEEDED if it is longer than one
 *   of its kind can be; NOT_VERIFIED for a release whose keys come without their proofs
 */
export function decodeMessage(core: Core, bytes: Uint8Array): Message {
  const json = jsonKindOf(bytes);
  if (bytes.length > messageLimit(bytes)) throw tooLong(bytes);
  if (json === undefined && !isNote(bytes)) throw foreign(bytes);
  return readCarried(bytes, json?.read ?? ((note) => decodeNote(core, note)));
}

/**
 * A message's pieces as they come, up to the length that its kind can have.
 * @throws TwinwrapError as {@link decodeMessage} for a longer one
 */
export async function* messagePieces(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let start: Uint8Array = new Uint8Array(0);
  let length = 0;
  for await (const piece of pieces) {
    length += piece.length;
    if (start.length < MESSAGE_START) {
      start = concatBytes(start, piece.subarray(0, MESSAGE_START - start.length));
    }
    if (length > messageLimit(start)) throw tooLong(start);
    yield piece;
  }
}

/** The error of a message too long for its kind; one of no known kind is too long for a note. */
function tooLong(start: Uint8Array): TwinwrapError {
  const json = jsonKindOf(start);
  if (json === undefined) return foreign(start);
  const { kind, maxBytes } = json;
  return new TwinwrapError("LIMIT_EXCEEDED", `${article(kind)} is at most ${maxBytes} bytes long`);
}

function isNote(bytes: Uint8Array): boolean {
  try {
    return looksLikeNote(bytes);
  } catch (error) {
    if (error instanceof TwinwrapError) return false; // no text at all
    throw error;
  }
}

/** The name of a kind of message in a sentence. */
export function article(kind: string): string {
  if (kind === "authority") return "an authority.json";
  if (kind === "owner") return "an owner's file";
  if (kind === "connection") return "a connection file";
  return `${/^[ai]/.test(kind) ? "an" : "a"} ${kind}`;
}
