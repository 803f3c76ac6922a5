import { concatBytes, equalBytes, randomBytes, toBase64Url, toUtf8, wipe } from "../bytes.js";
import type { Core, PreparedRsaPrivateKey } from "../core/index.js";
import { COMMITMENT, Cobblestone, KEY, SALT } from "../envelope/cobblestone.js";
import {
  ALGORITHMS,
  checkAlgorithms,
  MAX_DESCRIPTION,
  type Padding,
  readWrap,
  type Wrap,
  wrapToJson,
} from "../envelope/header.js";
import { bodyContext } from "../envelope/seal.js";
import { encryptedKeyOf, wrapFor } from "../envelope/wraps.js";
import { decryptionFailed, TwinwrapError } from "../errors.js";
import { decodeJcs, encodeJcs, formatTime, type Json, Members } from "../jcs.js";
import type { RsaPublicKey } from "../keys/index.js";
import { labelledHash, labelledTag } from "./hashes.js";
import { checkOrigin, checkOwnerId } from "./names.js";

// What an owner sends to an authority for one file, and what the authority checks of it.

const TYPE = "twinwrap/submission/v1";
/** Bytes of a submission at most. */
export const MAX_SUBMISSION = 16384;
const TAG = 32;

/** What is recorded for good; its hash names the record everywhere. */
export interface EscrowRecord {
  /** The authority's origin. */
  authority: string;
  /** The owner's id with that authority. */
  owner: string;
  /** The file's serial, 16 bytes. */
  serial: Uint8Array;
  /** H of the file, 32 bytes. */
  header: Uint8Array;
  /** Of the file's body, 24 bytes. */
  salt: Uint8Array;
  /** Of the file's body, 32 bytes. */
  commitment: Uint8Array;
  description?: string;
  created: Date;
  /** 32 random bytes: hides what the hash is of from those who see only the hash. */
  blind: Uint8Array;
}

export interface Submission {
  core: EscrowRecord;
  /** 32 bytes that only somebody who knows the session key can make for this core. */
  tag: Uint8Array;
  /** The session key for the authority. Outside the hash: it may be replaced by one for another key. */
  wrap: Wrap;
}

/** What a file's header and body say that an authority records. */
export interface FileFacts {
  serial: Uint8Array;
  /** H. */
  hash: Uint8Array;
  salt: Uint8Array;
  commitment: Uint8Array;
  description?: string | undefined;
}

/** Whom a submission is for. */
export interface Addressee {
  origin: string;
  wrapKey: RsaPublicKey;
  padding: Padding;
}

function recordToJson(record: EscrowRecord): Json {
  return {
    alg: { ...ALGORITHMS },
    authority: record.authority,
    blind: toBase64Url(record.blind),
    commitment: toBase64Url(record.commitment),
    created: formatTime(record.created),
    header: toBase64Url(record.header),
    owner: record.owner,
    salt: toBase64Url(record.salt),
    serial: toBase64Url(record.serial),
    v: 1,
    ...(record.description === undefined ? {} : { description: record.description }),
  };
}

/** A submission's core as it is hashed. */
export function encodeRecord(record: EscrowRecord): Uint8Array<ArrayBuffer> {
  return encodeJcs(recordToJson(record));
}

/** @throws TwinwrapError BAD_FORMAT */
export function decodeRecord(bytes: Uint8Array): EscrowRecord {
  return readRecord(new Members(decodeJcs(bytes, MAX_SUBMISSION), "submission: core"));
}

function readRecord(members: Members): EscrowRecord {
  members.exactly("v", 1);
  checkAlgorithms(members);
  const record: EscrowRecord = {
    authority: checkOrigin(members.text("authority", 255)),
    owner: checkOwnerId(members.text("owner", 255)),
    serial: members.bytes("serial", 16),
    header: members.bytes("header", 32),
    salt: members.bytes("salt", SALT),
    commitment: members.bytes("commitment", COMMITMENT),
    created: members.time("created"),
    blind: members.bytes("blind", 32),
  };
  if (members.has("description")) {
    record.description = members.text("description", MAX_DESCRIPTION);
  }
  members.end();
  return record;
}

/** A submission as it stands in a file's header. */
export function submissionToJson({ core, tag, wrap }: Submission): Json {
  return { core: recordToJson(core), tag: toBase64Url(tag), type: TYPE, wrap: wrapToJson(wrap) };
}

/** The bytes of a submission file. @throws TwinwrapError LIMIT_EXCEEDED if they are over 16 KiB */
export function encodeSubmission(submission: Submission): Uint8Array<ArrayBuffer> {
  const bytes = encodeJcs(submissionToJson(submission));
  if (bytes.length <= MAX_SUBMISSION) return bytes;
  throw new TwinwrapError("LIMIT_EXCEEDED", `a submission of more than ${MAX_SUBMISSION} bytes`);
}

/** @throws TwinwrapError BAD_FORMAT */
export function submissionFromJson(json: Json): Submission {
  return decodeSubmission(encodeJcs(json));
}

/** @throws TwinwrapError BAD_FORMAT */
export function decodeSubmission(bytes: Uint8Array): Submission {
  const members = new Members(decodeJcs(bytes, MAX_SUBMISSION), "submission");
  members.exactly("type", TYPE);
  const core = readRecord(members.members("core"));
  const tag = members.bytes("tag", TAG);
  const wrapMembers = members.members("wrap");
  const wrap = readWrap(wrapMembers);
  wrapMembers.end();
  members.end();
  return { core, tag, wrap };
}

/** The record's name: 32 bytes, hidden by the blind in it. */
export function recordHash(core: Core, record: EscrowRecord): Uint8Array<ArrayBuffer> {
  return recordHashOf(core, encodeRecord(record));
}

/** The same of its bytes, see {@link encodeRecord}. */
export function recordHashOf(core: Core, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return labelledHash(core, "twinwrap/v1/record", bytes);
}

/** What shows that whoever wrote the record knew the session key: 32 bytes. */
function recordTag(core: Core, sessionKey: Uint8Array, record: Uint8Array): Uint8Array {
  const info = concatBytes(toUtf8("twinwrap/v1/record-tag"), Uint8Array.of(0), record);
  return core.hkdfExpand("SHA-512", sessionKey, info, TAG);
}

/**
 * How the log names an owner: only who has his secret can tell that a leaf is his.
 * @param ownerSecret 32 random bytes that the authority gave the owner
 * @param record {@link recordHash}
 */
export function ownerTag(
  core: Core,
  ownerSecret: Uint8Array,
  record: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return labelledTag(core, ownerSecret, "twinwrap/v1/owner-tag", record);
}

/**
 * How the log names the key of a release: only who has the submission can tell which it is.
 * @param blind 32 bytes, from the record
 * @param fingerprint 32 bytes, of the recipient's key
 */
export function recipientTag(
  core: Core,
  blind: Uint8Array,
  fingerprint: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return labelledTag(core, blind, "twinwrap/v1/recipient-tag", fingerprint);
}

/**
 * Makes what an authority is sent for one file.
 * @param sessionKey 32 bytes; the caller keeps and wipes it
 * @throws TwinwrapError BAD_ARGUMENT if something does not fit, LIMIT_EXCEEDED if it is over 16 KiB,
 *   BAD_KEY or WEAK_KEY if the authority's key is not fit for new wraps
 */
export async function makeSubmission(
  core: Core,
  options: {
    sessionKey: Uint8Array;
    authority: Addressee;
    owner: string;
    file: FileFacts;
    /** By default now. */
    created?: Date;
    /** By default random. */
    blind?: Uint8Array;
  },
): Promise<Submission> {
  const { sessionKey, authority, owner, file } = options;
  const record: EscrowRecord = {
    authority: authority.origin,
    owner,
    serial: file.serial,
    header: file.hash,
    salt: file.salt,
    commitment: file.commitment,
    ...(file.description === undefined ? {} : { description: file.description }),
    created: options.created ?? new Date(),
    blind: options.blind ?? randomBytes(32),
  };
  const submission: Submission = {
    core: record,
    tag: recordTag(core, sessionKey, recordHash(core, record)),
    wrap: await wrapFor(core, sessionKey, { key: authority.wrapKey, padding: authority.padding }),
  };
  const bytes = encodeSubmission(submission);
  try {
    return decodeSubmission(bytes);
  } catch (error) {
    throw new TwinwrapError("BAD_ARGUMENT", (error as Error).message);
  }
}

/**
 * Opens the wrap of a submission and checks that the key in it is the one of the commitment and of
 * the tag, in one comparison: which of them was wrong cannot be told.
 * @param key the private key that the wrap's fingerprint names, prepared
 * @returns the session key, 32 bytes; the caller wipes it
 * @throws TwinwrapError DECRYPTION_FAILED
 */
export function openSubmission(
  core: Core,
  { core: record, tag, wrap }: Submission,
  key: PreparedRsaPrivateKey,
): Uint8Array<ArrayBuffer> {
  const sessionKey = key.unwrapKey(encryptedKeyOf(wrap), { padding: wrap.padding, length: KEY });
  let right = false;
  try {
    const context = bodyContext({ serial: record.serial, hash: record.header });
    const body = new Cobblestone(core, sessionKey, record.salt, context);
    body.dispose();
    right = equalBytes(
      concatBytes(body.commitment, recordTag(core, sessionKey, recordHash(core, record))),
      concatBytes(record.commitment, tag),
    );
  } finally {
    if (!right) wipe(sessionKey);
  }
  if (!right) throw decryptionFailed();
  return sessionKey;
}
