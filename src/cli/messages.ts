import { equalBytes, fromUtf8, toUtf8 } from "../bytes.js";
import { sharedCore } from "../core/index.js";
import { withFile } from "../envelope/file.node.js";
import { type Head, inspectHead } from "../envelope/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import {
  type AuthorityFile,
  decodeAuthority,
  decodeReceipt,
  decodeRelease,
  decodeRequest,
  decodeSubmission,
  MAX_RELEASE,
  parseApproval,
  parseCheckpoint,
  parsePolicy,
  type Receipt,
  type RecoveryRequest,
  type Release,
  type Submission,
} from "../escrow/index.js";
import { checkNesting } from "../jcs.js";
import { readSmall, STANDARD, withInput } from "./io.js";
import { about, neverWeak } from "./report.js";

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
  | { kind: "checkpoint"; note: string }
  | { kind: "sealed file"; head: Head };

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

async function decodeNote(text: string): Promise<Message | undefined> {
  if (!text.includes("\n\n\u2014 ")) return undefined;
  if (text.startsWith("twinwrap/approval/v1\n")) {
    parseApproval(text);
    return { kind: "approval", note: text };
  }
  if (text.startsWith("twinwrap/policy/v1\n")) {
    parsePolicy(await sharedCore(), text);
    return { kind: "policy", note: text };
  }
  parseCheckpoint(text);
  return { kind: "checkpoint", note: text };
}

/** Whether a file begins as a sealed file does. */
export async function isSealed(path: string): Promise<boolean> {
  if (path === STANDARD) return false;
  return withFile(path, async (file) => {
    if (!file.seekable || file.size < SEALED.length) return false;
    return equalBytes(await file.read(0, SEALED.length), SEALED);
  });
}

/** Reads the head of a sealed file, or of one on standard input. */
export function readSealed(path: string): Promise<Head> {
  return withInput(path, (file) => inspectHead(file.pieces()));
}

/**
 * Reads a message from a file.
 * @param kinds what the command can use
 * @throws TwinwrapError BAD_FORMAT that says what the file is, and what is needed
 */
export function readMessage<Kind extends MessageKind>(
  path: string,
  ...kinds: Kind[]
): Promise<Message & { kind: Kind }> {
  return about(path, async () => {
    const message = await neverWeak(() => recognise(path));
    if ((kinds as string[]).includes(message.kind)) return message as Message & { kind: Kind };
    throw new TwinwrapError(
      "BAD_FORMAT",
      `this is ${article(message.kind)}; needed is ${kinds.map(article).join(" or ")}`,
    );
  });
}

function article(kind: MessageKind): string {
  if (kind === "authority") return "an authority.json";
  return `${kind === "approval" ? "an" : "a"} ${kind}`;
}

async function recognise(path: string): Promise<Message> {
  if (await isSealed(path)) return { kind: "sealed file", head: await readSealed(path) };
  const bytes = await readSmall(path, MAX_RELEASE);
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    throw new TwinwrapError("BAD_FORMAT", "this is no message of an authority or an owner");
  }
  const message = text.startsWith("{") ? decodeJson(bytes, text) : await decodeNote(text);
  if (message !== undefined) return message;
  throw new TwinwrapError("BAD_FORMAT", "this is no message of an authority or an owner");
}
