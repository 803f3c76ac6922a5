import { equalBytes, fromUtf8, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import { checkNesting } from "../jcs.js";
import { parseApproval } from "./approval.js";
import { parseCheckpoint } from "./checkpoint.js";
import { type AuthorityFile, decodeAuthority } from "./identity.js";
import { parsePolicy } from "./policy.js";
import { decodeReceipt, type Receipt } from "./receipt.js";
import { decodeRelease, MAX_RELEASE, type Release } from "./release.js";
import { decodeRequest, type RecoveryRequest } from "./request.js";
import { decodeSubmission, type Submission } from "./submission.js";

// Every message between owner, authority and officers is a file too. Which one it is shows in the file
// itself, whatever its name.

export type Message =
  | { kind: "submission"; submission: Submission }
  | { kind: "receipt"; receipt: Receipt }
  | { kind: "request"; request: RecoveryRequest }
  | { kind: "release"; release: Release }
  | { kind: "authority"; authority: AuthorityFile }
  | { kind: "approval"; note: string }
  | { kind: "policy"; note: string }
  | { kind: "checkpoint"; note: string };

export type MessageKind = Message["kind"];

/** How a sealed file begins. */
const SEALED = toUtf8("TWIN\r\n\x1a\n");

/** What is read of a text that begins as one of our JSON objects. */
function parseObject(text: string): { type?: unknown; releases?: unknown } {
  checkNesting(text);
  try {
    return JSON.parse(text);
  } catch {
    throw new TwinwrapError(
      "BAD_FORMAT",
      "this is damaged or cut: it only begins as a message does",
    );
  }
}

/** A key without its proof is not one that can't be read, but one that the log does not vouch for. */
function checkProofs(releases: unknown): void {
  if (!Array.isArray(releases)) return;
  if (releases.every((key) => typeof key?.leaf === "string" && typeof key.proof === "string"))
    return;
  throw notVerified("a key in it comes without the proof that its release is in the log");
}

function decodeJson(bytes: Uint8Array, text: string): Message | undefined {
  const { type, releases } = parseObject(text);
  switch (type) {
    case "twinwrap/submission/v1":
      return { kind: "submission", submission: decodeSubmission(bytes) };
    case "twinwrap/receipt/v1":
      return { kind: "receipt", receipt: decodeReceipt(bytes) };
    case "twinwrap/request/v1":
      return { kind: "request", request: decodeRequest(bytes) };
    case "twinwrap/release/v1":
      checkProofs(releases);
      return { kind: "release", release: decodeRelease(bytes) };
    case "twinwrap/authority/v1":
      return { kind: "authority", authority: decodeAuthority(bytes) };
    default:
      return undefined;
  }
}

function decodeNote(core: Core, text: string): Message | undefined {
  if (!text.includes("\n\n\u2014 ")) return undefined;
  if (text.startsWith("twinwrap/approval/v1\n")) {
    parseApproval(text);
    return { kind: "approval", note: text };
  }
  if (text.startsWith("twinwrap/policy/v1\n")) {
    parsePolicy(core, text);
    return { kind: "policy", note: text };
  }
  parseCheckpoint(text);
  return { kind: "checkpoint", note: text };
}

/** The most bytes that a message has. */
export const MAX_MESSAGE = MAX_RELEASE;

/** Whether bytes begin as a sealed file does, which is no message. */
export function startsSealedFile(bytes: Uint8Array): boolean {
  return bytes.length >= SEALED.length && equalBytes(bytes.subarray(0, SEALED.length), SEALED);
}

/**
 * Reads a message, whichever it is. Nothing of it is verified.
 * @throws TwinwrapError BAD_FORMAT if it is none, or a malformed one; NOT_VERIFIED for a release whose keys
 *   come without their proofs
 */
export function decodeMessage(core: Core, bytes: Uint8Array): Message {
  const foreign = "this is no message of an authority or an owner";
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    throw new TwinwrapError("BAD_FORMAT", foreign);
  }
  const message = text.startsWith("{") ? decodeJson(bytes, text) : decodeNote(core, text);
  if (message !== undefined) return message;
  throw new TwinwrapError("BAD_FORMAT", foreign);
}

/** What a kind of message is called in a sentence. */
export function article(kind: string): string {
  if (kind === "authority") return "an authority.json";
  return `${kind === "approval" ? "an" : "a"} ${kind}`;
}
