import { equalBytes, fromBase64, toBase64, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, overLimit, readBack, TwinwrapError } from "../errors.js";
import type { EndedLog } from "./identity.js";
import { leafHash, verifyInclusion } from "./merkle.js";
import { checkOrigin } from "./names.js";
import { parseNote, type Signer, signNote, type VerifierKey, verifyNote } from "./note.js";

// What a log signs, and how it shows that a leaf is in it: C2SP tlog-checkpoint and tlog-proof,
// https://c2sp.org/tlog-checkpoint and https://c2sp.org/tlog-proof.

const PROOF = "c2sp.org/tlog-proof@v1";
const HASH = 32;
/** Hashes in a proof at most: a tree has fewer than 2^53 leaves. */
const MAX_PATH = 53;
const NUMBER = /^(0|[1-9]\d{0,15})$/;

/** A log at one size. */
export interface Checkpoint {
  /** The log's name. */
  origin: string;
  /** Leaves. */
  size: number;
  /** The root hash, 32 bytes. */
  root: Uint8Array;
}

/** A proof taken apart. Nothing of it is verified. */
export interface LogProof {
  /** Of the leaf, counted from 0. */
  index: number;
  /** The Merkle audit path, 32 bytes each, the leaf's sibling first. */
  path: Uint8Array[];
  /** The signed checkpoint, with all its signatures. */
  checkpoint: string;
}

function bad(message: string): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", message);
}

function parseNumber(text: string | undefined, what: string): number {
  const value = Number(text);
  if (text === undefined || !NUMBER.test(text) || !Number.isSafeInteger(value)) {
    throw bad(`${what} is not a number below 2^53`);
  }
  return value;
}

function parseHash(text: string | undefined, what: string): Uint8Array<ArrayBuffer> {
  const hash = fromBase64(text ?? "");
  if (hash.length !== HASH) throw bad(`${what}: a hash has ${HASH} bytes`);
  return hash;
}

/** A checkpoint that a log key signed. */
export interface SignedCheckpoint {
  checkpoint: Checkpoint;
  /** The log that it is of, if that has ended. */
  ended: EndedLog | undefined;
}

/**
 * What a proof is worth.
 *
 * full: the leaf is in the log in use, or in what was kept of a log that ended. unconfirmed: that log has ended, and
 * kept the leaf's index, but the proof does not lead to what was kept. lost: the index is not kept. after the end:
 * nor was it there when the log ended.
 */
export type ProofWorth = "full" | "unconfirmed" | "lost" | "after the end";

/** A proof that a log key signed, and that leads there. */
export interface WeighedProof {
  /** Of the leaf, counted from 0. */
  index: number;
  checkpoint: Checkpoint;
  worth: ProofWorth;
}

/** Signs a checkpoint, under the origin. @throws TwinwrapError BAD_FORMAT, BAD_ARGUMENT */
export function signCheckpoint(core: Core, checkpoint: Checkpoint, key: Signer): Promise<string> {
  const { origin, size, root } = checkpoint;
  const text = `${origin}\n${size}\n${toBase64(root)}\n`;
  parseCheckpointText(text);
  if (key.name !== origin) {
    throw new TwinwrapError("BAD_ARGUMENT", "a log signs under its origin");
  }
  return signNote(core, text, key);
}

function parseCheckpointText(text: string): Checkpoint {
  // What extension lines mean is up to a log; ours writes none, so there is nothing to understand.
  const [origin, size, root, ...extensions] = text.slice(0, -1).split("\n");
  if (extensions.length > 0) throw bad("a checkpoint has more than three lines");
  return {
    origin: checkOrigin(origin ?? "", "checkpoint: origin"),
    size: parseNumber(size, "checkpoint: size"),
    root: parseHash(root, "checkpoint: root"),
  };
}

/** What a checkpoint says. Nothing is verified. @throws TwinwrapError BAD_FORMAT */
export function parseCheckpoint(note: string): Checkpoint {
  return parseCheckpointText(parseNote(note).text);
}

/**
 * Verifies a checkpoint: a log key signed it under the checkpoint's origin. Signatures of witnesses
 * are ignored.
 * @param logKeys an authority's log keys, each with its origin
 * @throws TwinwrapError BAD_FORMAT; NOT_VERIFIED
 */
export async function verifyCheckpoint(
  core: Core,
  note: string,
  logKeys: readonly VerifierKey[],
): Promise<Checkpoint> {
  const { checkpoint, ended } = await signedCheckpoint(core, note, logKeys);
  if (ended === undefined) return checkpoint;
  const { origin, size } = checkpoint;
  if (size > ended.end.size) {
    throw notVerified(
      `log ${origin} ended at ${ended.end.size} leaves: its key signed ${size} after that`,
    );
  }
  checkEnded(checkpoint, ended);
  return checkpoint;
}

/**
 * Verifies the signature of a checkpoint, and no more: the log may have ended, with less than this or otherwise.
 * @param logKeys as for {@link verifyCheckpoint}
 * @throws TwinwrapError BAD_FORMAT; NOT_VERIFIED
 */
export async function signedCheckpoint(
  core: Core,
  note: string,
  logKeys: readonly VerifierKey[],
): Promise<SignedCheckpoint> {
  const checkpoint = parseCheckpoint(note);
  const keys = logKeys.filter(({ name }) => name === checkpoint.origin);
  if (keys.length === 0) throw notVerified(`${checkpoint.origin} is another log`);
  await verifyNote(core, note, keys);
  return { checkpoint, ended: endedLog(keys, checkpoint.origin) };
}

/** The log of this origin, if it has ended. @param logKeys as for {@link verifyCheckpoint} */
export function endedLog(logKeys: readonly VerifierKey[], origin: string): EndedLog | undefined {
  return logKeys.find((key): key is EndedLog => key.name === origin && "kept" in key);
}

/** @throws TwinwrapError NOT_VERIFIED if a checkpoint contradicts where its log ended */
function checkEnded({ origin, size, root }: Checkpoint, { kept, end }: EndedLog): void {
  for (const point of [kept, end]) {
    if (size === point.size && !equalBytes(root, point.root)) {
      throw notVerified(`log ${origin} ended with other leaves than these ${size}`);
    }
  }
}

/** The text of a proof whose parts were verified. */
export function proofText({ index, path, checkpoint }: LogProof): string {
  const lines = [PROOF, `index ${index}`, ...path.map(toBase64)];
  return `${lines.join("\n")}\n\n${checkpoint}`;
}

/** The text of a proof. @throws TwinwrapError BAD_FORMAT if it could not be read back */
export function formatProof(proof: LogProof): string {
  const text = proofText(proof);
  readBack(() => parseProof(text), "BAD_FORMAT");
  return text;
}

/** Reads a proof. @throws TwinwrapError BAD_FORMAT, also for extra data, which no authority's proof has */
export function parseProof(text: string): LogProof {
  const end = text.indexOf("\n\n");
  // Its kind, its index, and one hash more than allowed: no more lines are split off.
  const [kind, index, ...path] = text.slice(0, Math.max(0, end)).split("\n", 2 + MAX_PATH + 1);
  if (kind !== PROOF) throw bad("not a proof of a log (C2SP tlog-proof)");
  if (!index?.startsWith("index ")) throw bad("a proof does not say which leaf it is for");
  if (path.length > MAX_PATH) throw overLimit(`a proof has more than ${MAX_PATH} hashes`);
  const proof = {
    index: parseNumber(index.slice("index ".length), "proof: index"),
    path: path.map((line) => parseHash(line, "proof")),
    checkpoint: text.slice(end + 2),
  };
  parseCheckpoint(proof.checkpoint);
  return proof;
}

/**
 * Verifies that a leaf is in a log.
 * @param leaf as it stands in the log
 * @param logKeys as for {@link verifyCheckpoint}
 * @returns the leaf's index, and the checkpoint that the proof leads to
 * @throws TwinwrapError BAD_FORMAT; NOT_VERIFIED
 */
export async function verifyProof(
  core: Core,
  leaf: string,
  proof: string,
  logKeys: readonly VerifierKey[],
): Promise<{ index: number; checkpoint: Checkpoint }> {
  const parsed = parseProof(proof);
  const checkpoint = await verifyCheckpoint(core, parsed.checkpoint, logKeys);
  verifyPath(core, leaf, parsed, checkpoint);
  return { index: parsed.index, checkpoint };
}

/**
 * Verifies that a leaf is in a log, which may have ended, and tells what that is worth.
 * @param leaf as it stands in the log
 * @param logKeys as for {@link verifyCheckpoint}
 * @throws TwinwrapError BAD_FORMAT; NOT_VERIFIED, also if it contradicts where the log ended
 */
export async function weighProof(
  core: Core,
  leaf: string,
  proof: string,
  logKeys: readonly VerifierKey[],
): Promise<WeighedProof> {
  const parsed = parseProof(proof);
  const { checkpoint, ended } = await signedCheckpoint(core, parsed.checkpoint, logKeys);
  verifyPath(core, leaf, parsed, checkpoint);
  const { index } = parsed;
  if (ended === undefined) return { index, checkpoint, worth: "full" };
  checkEnded(checkpoint, ended);
  return { index, checkpoint, worth: worthInEnded(ended, checkpoint.size, index) };
}

/** @param size of the checkpoint that the proof leads to, which does not contradict the end */
export function worthInEnded({ kept, end }: EndedLog, size: number, index: number): ProofWorth {
  if (index >= end.size) return "after the end";
  if (index >= kept.size) return "lost";
  return size === kept.size ? "full" : "unconfirmed";
}

/**
 * Verifies that a proof leads from a leaf to the root of a checkpoint. The caller has to know whose
 * checkpoint it is.
 * @throws TwinwrapError NOT_VERIFIED
 */
export function verifyPath(
  core: Core,
  leaf: string,
  { index, path }: Pick<LogProof, "index" | "path">,
  { size, root }: Checkpoint,
): void {
  verifyInclusion(core, leafHash(core, toUtf8(leaf)), index, size, path, root);
}
