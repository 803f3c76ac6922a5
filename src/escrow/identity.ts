import { fromHex, toBase64, toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { ALGS, algOf, type Padding, paddingOf } from "../envelope/header.js";
import { readBack, TwinwrapError } from "../errors.js";
import { decodeJcs, encodeJcs, type Json, Members } from "../jcs.js";
import type { RsaPublicKey } from "../keys/index.js";
import { labelledHash } from "./hashes.js";
import { formatLines, Lines } from "./lines.js";
import { checkOrigin } from "./names.js";
import { MAX_NOTE, parseNote, type VerifierKey } from "./note.js";
import { MAX_NOTES, parseEd25519 } from "./policy.js";
import { formatSpki, parseSpkiText } from "./spki.js";

// An identity says which keys are an authority's. It is a note; every change is another note, signed by the
// keys and officers before it: see chain.ts.

const KIND = "twinwrap/authority/v1";
const MAX_KEYS = 64;
/** Logs of one authority that have ended, at most. */
const MAX_ENDED = 63;
/** Bytes of an authority.json at most. */
export const MAX_AUTHORITY = 32 << 20;
/** Values in its JSON: two lists of notes and a type, with some to spare for a better error. */
const MAX_VALUES = 4 * MAX_NOTES;

/** A log at one size. */
export interface LogPoint {
  /** Leaves. */
  size: number;
  /** The root hash, 32 bytes. */
  root: Uint8Array;
}

/** A log that goes on no more, and the key that signed it. */
export interface EndedLog extends VerifierKey {
  /** What the authority still holds of it. */
  kept: LogPoint;
  /** The newest state that was known when it ended. What its key signed beyond has no worth. */
  end: LogPoint;
}

export interface IdentityText {
  /** The authority's name; stays the same. */
  origin: string;
  /** 1 to 1024. */
  number: number;
  /** Hash of the note before it, a policy's or an identity's; for number 1 that of the first policy. 32 bytes. */
  previous: Uint8Array;
  /** The log key, with the origin of the log that it signs. */
  log: VerifierKey;
  /** RSA keys that session keys were wrapped for; the first is the one to wrap for. */
  wrapKeys: RsaPublicKey[];
  /** What the authority takes. */
  paddings: Padding[];
  /** Logs before this one, in the order in which they ended. */
  ended: EndedLog[];
}

/** An identity and its hash. */
export interface Identity extends IdentityText {
  /** SHA-256("twinwrap/v1/authority\n" ‖ text), 32 bytes. */
  hash: Uint8Array;
}

/** What authority.json holds: notes, oldest first. */
export interface AuthorityFile {
  identities: string[];
  /** Those in force so far; none while the first lacks signatures. */
  policies: string[];
}

/** The lines that name the keys of an identity. */
function keyLines({ origin, log, wrapKeys, paddings }: IdentityText): [string, string][] {
  return [
    ["origin", origin],
    ["log", `${log.name} ${toBase64(log.publicKey)}`],
    ...wrapKeys.map((key): [string, string] => ["wrap", formatSpki(key)]),
    ["alg", paddings.map(algOf).join(" ")],
  ];
}

/**
 * The hash of an identity's keys, which the first policy names: whoever signs that policy signs for these keys.
 * @returns SHA-256("twinwrap/v1/keys\n" ‖ the lines origin, log, wrap and alg), 32 bytes
 */
export function keysHash(core: Core, identity: IdentityText): Uint8Array<ArrayBuffer> {
  const lines = keyLines(identity).map(([key, value]) => `${key} ${value}\n`);
  return labelledHash(core, "twinwrap/v1/keys", toUtf8(lines.join("")));
}

/** The text to sign. @throws TwinwrapError BAD_FORMAT if it would not be an identity, LIMIT_EXCEEDED */
export function formatIdentity(identity: IdentityText): string {
  const [origin, ...keys] = keyLines(identity);
  const point = ({ size, root }: LogPoint) => `${size} ${toHex(root)}`;
  const text = formatLines(KIND, [
    origin!,
    ["number", String(identity.number)],
    ["previous", toHex(identity.previous)],
    ...keys,
    ...identity.ended.flatMap(({ name, publicKey, kept, end }): [string, string][] => [
      ["ended", `${name} ${toBase64(publicKey)}`],
      ["kept", point(kept)],
      ["end", point(end)],
    ]),
  ]);
  readBack(() => parseIdentityText(text), "BAD_FORMAT");
  return text;
}

/** The identity in a text that is to be signed. @throws TwinwrapError BAD_FORMAT */
export function parseIdentityText(text: string): IdentityText {
  const lines = new Lines(text, KIND);
  const identity: IdentityText = {
    origin: lines.value("origin", checkOrigin),
    number: lines.number("number", 1, MAX_NOTES),
    previous: lines.hash("previous"),
    log: lines.value("log", parseLog),
    wrapKeys: lines.values("wrap", 1, MAX_KEYS, parseSpkiText),
    paddings: lines
      .oneOf("alg", [ALGS[0], `${ALGS[0]} ${ALGS[1]}`])
      .split(" ")
      .map((alg) => paddingOf(alg as (typeof ALGS)[number])),
    ended: lines.values("ended", 0, MAX_ENDED, (value, where) => ({
      ...parseLog(value, where),
      kept: lines.value("kept", parsePoint),
      end: lines.value("end", parsePoint),
    })),
  };
  lines.end();
  const { log, ended, wrapKeys } = identity;
  if (identity.number === 1 && (log.name !== identity.origin || ended.length > 0)) {
    throw lines.bad("the first log key does not sign under the origin");
  }
  if (ended.some(({ kept, end }) => kept.size > end.size)) {
    throw lines.bad("a log is kept beyond its end");
  }
  const isOnce = (values: string[]) => new Set(values).size === values.length;
  const logs = [log, ...ended];
  const isRight =
    isOnce(logs.map(({ publicKey }) => toHex(publicKey))) &&
    isOnce(logs.map(({ name }) => name)) &&
    isOnce(wrapKeys.map(formatSpki));
  if (!isRight) throw lines.bad("a key or a log is there twice");
  return identity;
}

function parseLog(value: string, where: string): VerifierKey {
  const space = value.indexOf(" ");
  return {
    name: checkOrigin(value.slice(0, Math.max(0, space)), where),
    publicKey: parseEd25519(value.slice(space + 1), where),
  };
}

const POINT = /^(0|[1-9]\d{0,15}) ([0-9a-f]{64})$/;

function parsePoint(value: string, where: string): LogPoint {
  const [, size, root] = POINT.exec(value) ?? [];
  if (root === undefined || !Number.isSafeInteger(Number(size))) {
    throw new TwinwrapError("BAD_FORMAT", `${where}: not a number of leaves and a hash`);
  }
  return { size: Number(size), root: fromHex(root) };
}

/** The identity in a note. Nothing is verified. @throws TwinwrapError BAD_FORMAT */
export function parseIdentity(core: Core, note: string): Identity {
  const { text } = parseNote(note);
  return { ...parseIdentityText(text), hash: identityHash(core, text) };
}

/** The hash of an identity's text (signatures don't change it), 32 bytes. */
export function identityHash(core: Core, text: string): Uint8Array<ArrayBuffer> {
  return labelledHash(core, "twinwrap/v1/authority", toUtf8(text));
}

/** @throws TwinwrapError LIMIT_EXCEEDED, BAD_ARGUMENT if the bytes of authority.json could not be read back */
export function encodeAuthority({ identities, policies }: AuthorityFile): Uint8Array<ArrayBuffer> {
  const bytes = encodeJcs({
    identities,
    type: KIND,
    ...(policies.length === 0 ? {} : { policies }),
  });
  readBack(() => decodeAuthority(bytes));
  return bytes;
}

/** @throws TwinwrapError BAD_FORMAT */
export function decodeAuthority(bytes: Uint8Array): AuthorityFile {
  const members = new Members(decodeJcs(bytes, MAX_AUTHORITY, MAX_VALUES), "authority");
  members.exactly("type", KIND);
  const file = authorityNotes(members);
  members.end();
  return file;
}

/** The notes of an authority, as they stand in JSON. @throws TwinwrapError BAD_FORMAT */
export function authorityNotes(members: Members): AuthorityFile {
  const note = (item: Json, where: string) =>
    new Members({ note: item }, where).text("note", MAX_NOTE);
  const notes = (name: string) => {
    const list = members.list(name, MAX_NOTES, note);
    if (list.length === 0) throw new TwinwrapError("BAD_FORMAT", `authority: no ${name}`);
    return list;
  };
  return {
    identities: notes("identities"),
    policies: members.has("policies") ? notes("policies") : [],
  };
}
