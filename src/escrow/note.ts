import { verifyEd25519 } from "#ed25519";
import {
  concatBytes,
  equalBytes,
  fromBase64,
  isWellFormed,
  toBase64,
  toHex,
  toUtf8,
} from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, overLimit, readBack, TwinwrapError } from "../errors.js";
import { isEd25519PublicKey } from "../keys/ed25519-point.js";
import { ED25519_SIGNATURE } from "./ed25519.js";
import { checkName } from "./names.js";

// Signed notes: C2SP signed-note, https://c2sp.org/signed-note. Only its signature type Ed25519 is used;
// signatures of other types and of unknown keys are kept and ignored.

/** Whose signature on a note counts. */
export interface VerifierKey {
  /** The name under which the key signs, see {@link checkName}. */
  name: string;
  /** Ed25519, 32 bytes. */
  publicKey: Uint8Array;
}

/** A signer of notes, wherever it keeps its private key and however it uses it. */
export interface Signer extends VerifierKey {
  /** The Ed25519 signature of `message` (RFC 8032, not prehashed), 64 bytes. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** One signature line of a note. */
export interface NoteSignature {
  name: string;
  /** 4 bytes. Together with the name it says which key and which algorithm. */
  keyId: Uint8Array;
  /** At least 1 byte; 64 if it is Ed25519's. */
  signature: Uint8Array;
}

/** A note taken apart. Nothing of it is verified. */
export interface Note {
  /** What is signed. Ends in a newline. */
  text: string;
  signatures: NoteSignature[];
}

/** A note that verified. */
export interface VerifiedNote<Key extends VerifierKey> {
  text: string;
  /** Which of the keys asked about signed it: at least one, each once, in the order asked. */
  signers: Key[];
}

/** Bytes of a whole note, and signatures on it. */
export const MAX_NOTE = 65536;
export const MAX_SIGNATURES = 128;

const ED25519_TYPE = 0x01;
const KEY_ID = 4;
const CONTROL = /[\0-\x09\x0b-\x1f]/;
const SIGNATURE = /^— ([^\p{White_Space}+]+) ([^ ]+)$/u;
const VERIFIER_KEY = /^([^+]+)\+([0-9a-f]{8})\+([^+].*)$/;

function bad(message: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", message);
}

/**
 * Takes a note apart, without verifying anything.
 * @throws TwinwrapError BAD_FORMAT if it is malformed, over 64 KiB, has no or over 128 signatures, or two of
 *   one name and key ID
 */
export function parseNote(note: string): Note {
  if (note.length > MAX_NOTE || toUtf8(note).length > MAX_NOTE) {
    throw overLimit(`a note is longer than ${MAX_NOTE} bytes`);
  }
  if (CONTROL.test(note) || !isWellFormed(note)) {
    throw bad("a note has a control or malformed character");
  }
  const end = note.lastIndexOf("\n\n");
  if (end < 0) throw bad("not a signed note: no empty line before signatures");
  // One more than allowed, and the empty end after the last: no more lines are split off.
  const lines = note.slice(end + 2).split("\n", MAX_SIGNATURES + 2);
  if (lines.length > MAX_SIGNATURES + 1) {
    throw overLimit(`a note has more than ${MAX_SIGNATURES} signatures`);
  }
  if (lines.pop() !== "" || lines.length === 0) throw bad("a note does not end in signatures");
  const signatures = lines.map(parseSignature);
  // Each line of a known key costs a verification: a line that says nothing new is refused unseen.
  const signers = new Set(signatures.map(({ name, keyId }) => `${name} ${toHex(keyId)}`));
  if (signers.size < signatures.length)
    throw bad("a note has two signatures of one name and key ID");
  return { text: note.slice(0, end + 1), signatures };
}

function parseSignature(line: string): NoteSignature {
  const match = SIGNATURE.exec(line);
  if (match === null) throw bad("a note has a malformed signature line");
  const bytes = fromBase64(match[2]!);
  if (bytes.length <= KEY_ID) throw bad("a note has a signature that is too short");
  return { name: match[1]!, keyId: bytes.slice(0, KEY_ID), signature: bytes.slice(KEY_ID) };
}

/**
 * Puts a note together, as {@link parseNote} takes it apart.
 * @throws TwinwrapError BAD_FORMAT if it could not be read back, LIMIT_EXCEEDED
 */
export function formatNote({ text, signatures }: Note): string {
  if (!text.endsWith("\n")) throw bad("a note's text does not end in a newline");
  const lines = signatures.map(formatSignature);
  for (const line of lines) parseSignature(line);
  const note = `${text}\n${lines.map((line) => `${line}\n`).join("")}`;
  readBack(() => parseNote(note), "BAD_FORMAT");
  return note;
}

/**
 * Checks that a text has room for the signatures of some keys.
 * @param names under which they sign
 * @throws TwinwrapError LIMIT_EXCEEDED if the note would be longer than 64 KiB
 */
export function signatureRoom(text: string, names: readonly string[]): void {
  const keyId = new Uint8Array(KEY_ID);
  const signature = new Uint8Array(ED25519_SIGNATURE);
  const lines = names.map((name) => `${formatSignature({ name, keyId, signature })}\n`);
  if (toUtf8(`${text}\n${lines.join("")}`).length <= MAX_NOTE) return;
  throw new TwinwrapError("LIMIT_EXCEEDED", "a note has no room for all signatures that it needs");
}

function formatSignature({ name, keyId, signature }: NoteSignature): string {
  return `— ${name} ${toBase64(concatBytes(keyId, signature))}`;
}

/**
 * The ID of an Ed25519 key: SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key), its first 4 bytes.
 * @throws TwinwrapError BAD_FORMAT if the name or the key can't be one
 */
export function keyId(core: Core, { name, publicKey }: VerifierKey): Uint8Array<ArrayBuffer> {
  if (!isEd25519PublicKey(publicKey)) throw bad("this is no Ed25519 public key of prime order");
  const start = toUtf8(`${checkName(name, "a key's name")}\n`);
  const digest = core.sha256(concatBytes(start, Uint8Array.of(ED25519_TYPE), publicKey));
  return digest.slice(0, KEY_ID);
}

/** A public key in one line, `NAME+ID+KEY`, as Go's note package and log witnesses take it. */
export function formatVerifierKey(core: Core, key: VerifierKey): string {
  const encoded = toBase64(concatBytes(Uint8Array.of(ED25519_TYPE), key.publicKey));
  return `${key.name}+${toHex(keyId(core, key))}+${encoded}`;
}

/**
 * Reads such a line.
 * @throws TwinwrapError BAD_FORMAT if it is malformed, no Ed25519 key, or its ID is another key's
 */
export function parseVerifierKey(core: Core, text: string): VerifierKey {
  const [name, id, encoded] = splitVerifierKey(text);
  const bytes = fromBase64(encoded);
  if (bytes[0] !== ED25519_TYPE) throw bad("not an Ed25519 verifier key");
  const key = { name, publicKey: bytes.slice(1) };
  if (toHex(keyId(core, key)) !== id) throw bad("a verifier key's ID is not of this name and key");
  return key;
}

/** The first two "+" separate; base64 may have more of them. */
function splitVerifierKey(text: string): [string, string, string] {
  const match = VERIFIER_KEY.exec(text);
  if (match === null) throw bad("not a verifier key, NAME+ID+KEY");
  return [match[1]!, match[2]!, match[3]!];
}

async function sign(core: Core, text: string, signer: Signer): Promise<NoteSignature> {
  const id = keyId(core, signer);
  const signature = await signer.sign(toUtf8(text));
  if (signature.length !== ED25519_SIGNATURE) {
    throw new TwinwrapError("BAD_ARGUMENT", "an Ed25519 signature has 64 bytes");
  }
  return { name: signer.name, keyId: id, signature };
}

/**
 * Signs a text.
 * @param text ends in a newline
 * @returns the note
 * @throws TwinwrapError BAD_FORMAT if the text, a name or the whole can't be a note
 */
export async function signNote(core: Core, text: string, ...signers: Signer[]): Promise<string> {
  const signatures: NoteSignature[] = [];
  for (const signer of signers) signatures.push(await sign(core, text, signer));
  return formatNote({ text, signatures });
}

/**
 * Adds a signature to a note. Its other signatures stay, unverified.
 * @throws TwinwrapError BAD_FORMAT as {@link signNote}, BAD_ARGUMENT if this key signed it already
 */
export async function addSignature(core: Core, note: string, signer: Signer): Promise<string> {
  const { text, signatures } = parseNote(note);
  const id = keyId(core, signer);
  if (signatures.some((signature) => isFor(signature, signer.name, id))) {
    throw new TwinwrapError("BAD_ARGUMENT", `${signer.name} has signed this note already`);
  }
  return formatNote({ text, signatures: [...signatures, await sign(core, text, signer)] });
}

function isFor(signature: NoteSignature, name: string, id: Uint8Array): boolean {
  return signature.name === name && equalBytes(signature.keyId, id);
}

/**
 * Verifies a note. Signatures of keys other than `keys` don't matter. One bad signature that names one
 * of `keys` spoils the whole note.
 * @param keys whose signatures count; their names may repeat
 * @throws TwinwrapError BAD_FORMAT if the note is malformed, NOT_VERIFIED if a signature is bad or
 *   there is none of these keys
 */
export async function verifyNote<Key extends VerifierKey>(
  core: Core,
  note: string,
  keys: readonly Key[],
): Promise<VerifiedNote<Key>> {
  const { text, signatures } = parseNote(note);
  const message = toUtf8(text);
  const known = keys.map((key) => ({ key, id: keyId(core, key) }));
  const signed = new Set<Key>();
  for (const signature of signatures) {
    // Names may repeat, and somebody can make IDs of 4 bytes repeat: then the key that fits is meant.
    const meant = known.filter(({ key, id }) => isFor(signature, key.name, id));
    const good = await signersAmong(core, message, signature.signature, meant);
    if (meant.length > 0 && good.length === 0) {
      throw notVerified(`the signature of ${signature.name} does not verify`);
    }
    for (const key of good) signed.add(key);
  }
  const signers = keys.filter((key) => signed.has(key));
  if (signers.length === 0) throw notVerified("no signature of a known key");
  return { text, signers };
}

/** Which of some keys made a signature. Each is tried once, however often it is there. */
async function signersAmong<Key extends VerifierKey>(
  core: Core,
  message: Uint8Array,
  signature: Uint8Array,
  meant: readonly { key: Key }[],
): Promise<Key[]> {
  const tried = new Map<string, boolean>();
  for (const { key } of meant) {
    const hex = toHex(key.publicKey);
    if (tried.has(hex)) continue;
    tried.set(hex, await verifyEd25519(core, key.publicKey, message, signature));
  }
  return meant.map(({ key }) => key).filter((key) => tried.get(toHex(key.publicKey)) === true);
}
