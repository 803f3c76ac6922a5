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
// who decided before. quorum.ts applies it, chain.ts says what is before it.

const KIND = "twinwrap/policy/v1";
/** A note has at most 128 signatures: the log key signs, and all officers of two policies may. */
const MAX_OFFICERS = 63;
/** Policies of an authority, and identities, at most. */
export const MAX_NOTES = 1024;
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

/** Whose records are taken in: anybody's, or only those of owners who are enrolled. */
export type OwnersRule = "open" | "enrolled";
/** Whether keys that nobody proves are taken in. */
export type UnprovenRule = "refused" | "taken";

export interface PolicyText {
  /** The authority's origin. */
  authority: string;
  /** 1 to 1024. */
  number: number;
  /** Hash of the note before it, a policy's or an identity's; for number 1 the keysHash. 32 bytes. */
  previous: Uint8Array;
  /** How many officers it takes to release keys. */
  release: number;
  /** How many to change the policy or the authority's identity. */
  change: number;
  /** How many to release without waiting. */
  emergency: number;
  /** Seconds between a request and its release. */
  waiting: number;
  owners: OwnersRule;
  unproven: UnprovenRule;
  /** Sorted by name. */
  officers: Officer[];
}

/** A policy and its hash. */
export interface Policy extends PolicyText {
  /** SHA-256("twinwrap/v1/policy\n" ‖ text), 32 bytes. */
  hash: Uint8Array;
}

/** What is before a policy in the chain of notes. */
export interface PolicyPlace {
  /** What its `previous` has to be, 32 bytes. */
  previous: Uint8Array;
  /** The newest policy before it; undefined for number 1. */
  policy: Policy | undefined;
  /** The log key in use, which signs it. */
  log: VerifierKey;
  /** Log keys that were in use before. */
  retired: readonly VerifierKey[];
}

/** Which signatures a policy has. */
export interface PolicySignatures {
  /** Whether the log key signed. */
  log: boolean;
  /** The officers whose signatures count, by name: who decided before, or everybody in number 1. */
  officers: string[];
  /** How many of them it takes. */
  needed: number;
  /** Officers who join, or have another key than before, and have not signed yet. They never count. */
  joining: string[];
  /** What makes it weaker than the policy before, in words for people. */
  weaker: string[];
  /** Whether all signatures are there that it takes. */
  complete: boolean;
  /** Seconds that it has to wait once it was announced, because it is weaker and fewer than the emergency number signed. */
  waiting: number;
}

/** The text to sign. @throws TwinwrapError BAD_FORMAT if it would not be a policy, LIMIT_EXCEEDED */
export function formatPolicy(policy: PolicyText): string {
  const text = formatLines(KIND, [
    ["authority", policy.authority],
    ["number", String(policy.number)],
    ["previous", toHex(policy.previous)],
    ["release", String(policy.release)],
    ["change", String(policy.change)],
    ["emergency", String(policy.emergency)],
    ["waiting", String(policy.waiting)],
    ["owners", policy.owners],
    ["unproven", policy.unproven],
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
    number: lines.number("number", 1, MAX_NOTES),
    previous: lines.hash("previous"),
    release: lines.number("release", 1, MAX_OFFICERS),
    change: lines.number("change", 1, MAX_OFFICERS),
    emergency: lines.number("emergency", 1, MAX_OFFICERS),
    waiting: lines.number("waiting", 0, MAX_WAITING),
    owners: lines.oneOf("owners", ["open", "enrolled"]),
    unproven: lines.oneOf("unproven", ["refused", "taken"]),
    officers: lines.values("officer", 1, MAX_OFFICERS, (name, where) => ({
      name: checkName(name, where),
      key: lines.value("key", parseEd25519),
      share: lines.value("share", parseSpkiText),
      self: lines.values("self", 0, MAX_SELF, checkOwnerId),
    })),
  };
  lines.end();
  const { officers } = policy;
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
 * Checks the signatures of a policy. Number 1 needs the log key and every officer in it. A later one needs the
 * log key, as many of its predecessor's officers as the predecessor asks for a change, and every officer who joins
 * or has a new key.
 * @param place what is before it
 * @throws TwinwrapError BAD_FORMAT; NOT_VERIFIED if it does not follow what is before it, a signature is wrong, or
 *   an officer's key is a log key
 */
export async function policySignatures(
  core: Core,
  note: string,
  place: PolicyPlace,
): Promise<PolicySignatures> {
  const policy = parsePolicy(core, note);
  const before = place.policy;
  const follows =
    policy.number === (before?.number ?? 0) + 1 &&
    equalBytes(policy.previous, place.previous) &&
    policy.authority === (before?.authority ?? policy.authority);
  if (!follows) throw notVerified(`policy ${policy.number} does not follow what is before it`);
  for (const { name, key } of policy.officers) {
    const isLogKey = [place.log, ...place.retired].some(({ publicKey }) =>
      equalBytes(publicKey, key),
    );
    if (isLogKey) throw notVerified(`the key of officer ${name} is a log key`);
  }
  const deciding = (before ?? policy).officers.map(officerKey);
  const joining = before === undefined ? [] : joiningOfficers(before, policy).map(officerKey);
  const keys = [place.log, ...deciding, ...joining];
  const signed = await signersOf(core, note, keys);
  const officers = deciding.filter((key) => signed.includes(key)).map(({ name }) => name);
  const missing = joining.filter((key) => !hasSigned(signed, key)).map(({ name }) => name);
  const needed = before === undefined ? policy.officers.length : before.change;
  const log = signed.includes(place.log);
  const weaker = before === undefined ? [] : weakenings(before, policy);
  const waits = weaker.length > 0 && officers.length < before!.emergency;
  return {
    log,
    officers,
    needed,
    joining: missing,
    weaker,
    complete: log && officers.length >= needed && missing.length === 0,
    waiting: waits ? before!.waiting : 0,
  };
}

function hasSigned(signed: readonly VerifierKey[], { name, publicKey }: VerifierKey): boolean {
  return signed.some((key) => key.name === name && equalBytes(key.publicKey, publicKey));
}

/** Officers of a policy who were not in the one before with this name and these keys. */
function joiningOfficers(before: PolicyText, { officers }: PolicyText): Officer[] {
  return officers.filter(
    ({ name, key, share }) =>
      !before.officers.some(
        (other) =>
          other.name === name &&
          equalBytes(other.key, key) &&
          formatSpki(other.share) === formatSpki(share),
      ),
  );
}

/**
 * What a policy weakens of the one before, in words for people: it brings in officers or keys, asks for fewer
 * officers or a shorter wait, forgets an owner ID that is an officer, or opens what was closed.
 */
export function weakenings(before: PolicyText, policy: PolicyText): string[] {
  const found: string[] = [];
  for (const { name } of joiningOfficers(before, policy)) {
    const isThere = before.officers.some((other) => other.name === name);
    found.push(isThere ? `${name} has another key` : `${name} joins`);
  }
  for (const number of ["release", "change", "emergency"] as const) {
    if (policy[number] < before[number]) {
      found.push(`${number} takes ${policy[number]} officers, not ${before[number]}`);
    }
  }
  if (policy.waiting < before.waiting) {
    found.push(`a release waits ${policy.waiting} seconds, not ${before.waiting}`);
  }
  for (const officer of policy.officers) {
    const old = before.officers.find(({ key }) => equalBytes(key, officer.key));
    for (const id of old?.self ?? []) {
      if (!officer.self.includes(id)) found.push(`owner ${id} is not ${officer.name} any more`);
    }
  }
  if (policy.owners === "open" && before.owners === "enrolled") {
    found.push("owners need not be enrolled");
  }
  if (policy.unproven === "taken" && before.unproven === "refused") {
    found.push("unproven keys are taken");
  }
  return found;
}
