import { equalBytes, fromBase64, toBase64, toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified, readBack, TwinwrapError } from "../errors.js";
import { isEd25519PublicKey } from "../keys/ed25519-point.js";
import type { RsaPublicKey } from "../keys/index.js";
import { labelledHash } from "./hashes.js";
import { formatLines, Lines } from "./lines.js";
import { checkName, checkOrigin, checkOwnerId, foldName } from "./names.js";
import { keyId, parseNote, type VerifierKey, verifyNote } from "./note.js";
import { formatSpki, parseSpkiText } from "./spki.js";

// A policy says who decides at an authority, and how many of them it takes. It is a note, signed by those
// who decided before. quorum.ts applies it.

const KIND = "twinwrap/policy/v1";
/** A note has at most 128 signatures: officers before, officers after and a log key sign one. */
const MAX_OFFICERS = 63;
const MAX_SELF = 64;
/** A request is good for 366 days at most, so waiting longer would be waiting for nothing. */
const MAX_WAITING = 366 * 86_400;

export interface Officer {
  /** The name under which the officer's key signs. */
  name: string;
  /** Ed25519, 32 bytes: signs approvals and policies. */
  key: Uint8Array;
  /** Receives shares of the authority's key. */
  share: RsaPublicKey;
  /** Owner ids that are this person: on their records the officer does not approve. Sorted. */
  self: string[];
}

export interface PolicyText {
  /** The authority's origin. */
  authority: string;
  /** 1, 2, … */
  number: number;
  /** Hash of the policy before, 32 bytes; none for number 1. */
  previous: Uint8Array | undefined;
  /** How many officers it takes to release keys. */
  release: number;
  /** How many to change the policy or the authority's identity. */
  change: number;
  /** How many to release without waiting. */
  emergency: number;
  /** Seconds between a request and its release. */
  waiting: number;
  /** Sorted by name. */
  officers: Officer[];
}

/** A policy and its hash. */
export interface Policy extends PolicyText {
  /** SHA-256("twinwrap/v1/policy\n" ‖ text), 32 bytes. */
  hash: Uint8Array;
}

/** Which signatures a policy has. */
export interface PolicySignatures {
  /** Whether a log key signed. */
  log: boolean;
  /** The officers whose signatures count, by name: who decided before, or everybody in number 1. */
  officers: string[];
  /** How many of them it takes. */
  needed: number;
  complete: boolean;
}

/** The text to sign. @throws TwinwrapError BAD_FORMAT if it would not be a policy, LIMIT_EXCEEDED */
export function formatPolicy(policy: PolicyText): string {
  const text = formatLines(KIND, [
    ["authority", policy.authority],
    ["number", String(policy.number)],
    ["previous", policy.previous === undefined ? "none" : toHex(policy.previous)],
    ["release", String(policy.release)],
    ["change", String(policy.change)],
    ["emergency", String(policy.emergency)],
    ["waiting", String(policy.waiting)],
    ...policy.officers.flatMap((officer): [string, string][] => [
      ["officer", officer.name],
      ["key", toBase64(officer.key)],
      ["share", formatSpki(officer.share)],
      ...officer.self.map((id): [string, string] => ["self", id]),
    ]),
  ]);
  readBack(() => parsePolicyText(text), "BAD_FORMAT");
  return text;
}

/** The policy in a text that is to be signed. @throws TwinwrapError BAD_FORMAT */
export function parsePolicyText(text: string): PolicyText {
  const lines = new Lines(text, KIND);
  const policy: PolicyText = {
    authority: lines.value("authority", checkOrigin),
    number: lines.number("number", 1),
    previous: lines.hashOrNone("previous"),
    release: lines.number("release", 1, MAX_OFFICERS),
    change: lines.number("change", 1, MAX_OFFICERS),
    emergency: lines.number("emergency", 1, MAX_OFFICERS),
    waiting: lines.number("waiting", 0, MAX_WAITING),
    officers: lines.values("officer", 1, MAX_OFFICERS, (name, where) => ({
      name: checkName(name, where),
      key: lines.value("key", parseEd25519),
      share: lines.value("share", parseSpkiText),
      self: lines.values("self", 0, MAX_SELF, checkOwnerId),
    })),
  };
  lines.end();
  const { officers } = policy;
  if ((policy.number === 1) !== (policy.previous === undefined)) {
    throw lines.bad("only number 1 has no policy before it");
  }
  for (const quorum of ["release", "change", "emergency"] as const) {
    if (policy[quorum] > officers.length) {
      throw lines.bad(`"${quorum}" asks for more officers than there are`);
    }
  }
  if (!isSorted(officers.map(({ name }) => name))) {
    throw lines.bad("the officers are not in order of name, or one is there twice");
  }
  checkFolded(lines, officers);
  if (!officers.every(({ self }) => isSorted(self))) {
    throw lines.bad('the "self" of an officer are not in order, or one is there twice');
  }
  for (const [what, keys] of [
    ["key", officers.map(({ key }) => toHex(key))],
    ["share key", officers.map(({ share }) => formatSpki(share))],
  ] as const) {
    if (new Set(keys).size < officers.length) throw lines.bad(`two officers have the same ${what}`);
  }
  return policy;
}

/** Officers are kept from approving by their names, however these are spelled: each has one of their own. */
function checkFolded(lines: Lines, officers: readonly Officer[]): void {
  const folded = officers.map(({ name }) => foldName(name));
  if (folded.includes("")) throw lines.bad("the name of an officer has no letter and no digit");
  if (new Set(folded).size < folded.length) {
    throw lines.bad("two officers have names that differ only in case, accents or punctuation");
  }
}

/**
 * A share of the authority's key is not for that key itself.
 * @param wrapKeys of the authority's identities
 * @throws TwinwrapError NOT_VERIFIED
 */
export function checkShares({ officers }: PolicyText, wrapKeys: readonly RsaPublicKey[]): void {
  const known = wrapKeys.map(formatSpki);
  for (const { name, share } of officers) {
    if (known.includes(formatSpki(share))) {
      throw notVerified(`the share key of officer ${name} is the authority's own key`);
    }
  }
}

/** 32 bytes of an Ed25519 public key from base64. @throws TwinwrapError BAD_FORMAT */
export function parseEd25519(base64: string, where: string): Uint8Array<ArrayBuffer> {
  const key = fromBase64(base64);
  if (!isEd25519PublicKey(key)) {
    throw new TwinwrapError("BAD_FORMAT", `${where}: no Ed25519 public key of prime order`);
  }
  return key;
}

/** Whether the texts are in order (of UTF-16 code units, as JCS has it), each once. */
function isSorted(texts: readonly string[]): boolean {
  return texts.every((text, i) => i === 0 || texts[i - 1]! < text);
}

/** The policy in a note. Nothing is verified. @throws TwinwrapError BAD_FORMAT */
export function parsePolicy(core: Core, note: string): Policy {
  const { text } = parseNote(note);
  return { ...parsePolicyText(text), hash: policyHash(core, text) };
}

/** The hash of a policy's text (signatures don't change it), 32 bytes. */
export function policyHash(core: Core, text: string): Uint8Array<ArrayBuffer> {
  return labelledHash(core, "twinwrap/v1/policy", toUtf8(text));
}

/** An officer's key, as notes are verified with it. */
export function officerKey(officer: Officer): VerifierKey {
  return { name: officer.name, publicKey: officer.key };
}

/**
 * Which of some keys signed a note; may be none of them.
 * @throws TwinwrapError NOT_VERIFIED if a signature of one of them is wrong
 */
export async function signersOf<Key extends VerifierKey>(
  core: Core,
  note: string,
  keys: readonly Key[],
): Promise<Key[]> {
  const { signatures } = parseNote(note);
  const named = keys.filter((key) => {
    const id = keyId(core, key);
    return signatures.some(({ name, keyId }) => name === key.name && equalBytes(keyId, id));
  });
  return named.length === 0 ? [] : (await verifyNote(core, note, named)).signers;
}

/**
 * Checks the signatures of a policy. Number 1 needs a log key and every officer in it. A later one needs
 * a log key and as many of its predecessor's officers as the predecessor asks for a change.
 * @param predecessor the policy before; undefined for number 1
 * @throws TwinwrapError NOT_VERIFIED if it does not follow its predecessor, a signature is wrong, or an
 *   officer's key is a log key
 */
export async function policySignatures(
  core: Core,
  note: string,
  predecessor: Policy | undefined,
  logKeys: readonly VerifierKey[],
): Promise<PolicySignatures> {
  const policy = parsePolicy(core, note);
  const follows =
    predecessor === undefined
      ? policy.number === 1
      : policy.number === predecessor.number + 1 &&
        equalBytes(policy.previous!, predecessor.hash) &&
        policy.authority === predecessor.authority;
  if (!follows) throw notVerified("the policy does not follow the one before it");
  for (const { name, key } of policy.officers) {
    if (logKeys.some(({ publicKey }) => equalBytes(publicKey, key))) {
      throw notVerified(`the key of officer ${name} is a log key`);
    }
  }
  const deciding = predecessor ?? policy;
  const log = await signersOf(core, note, logKeys);
  const officers = await signersOf(core, note, deciding.officers.map(officerKey));
  const needed = predecessor === undefined ? policy.officers.length : predecessor.change;
  return {
    log: log.length > 0,
    officers: officers.map(({ name }) => name),
    needed,
    complete: log.length > 0 && officers.length >= needed,
  };
}

/**
 * Verifies all policies of an authority, the first one first.
 * @param logKeys the log keys of its identity
 * @throws TwinwrapError BAD_FORMAT; NOT_VERIFIED if one is for another authority, does not follow the
 *   one before, or lacks signatures
 */
export async function verifyPolicyChain(
  core: Core,
  notes: readonly string[],
  authority: { origin: string; logKeys: readonly VerifierKey[] },
): Promise<Policy[]> {
  const policies: Policy[] = [];
  for (const note of notes) {
    const signatures = await policySignatures(core, note, policies.at(-1), authority.logKeys);
    const policy = parsePolicy(core, note);
    if (policy.authority !== authority.origin) {
      throw notVerified(`policy ${policy.number} is not one of ${authority.origin}`);
    }
    if (!signatures.complete) throw notVerified(`policy ${policy.number} lacks signatures`);
    policies.push(policy);
  }
  return policies;
}
