import { concatBytes, randomBytes, toBase64Url, toUtf8, wipe } from "../bytes.js";
import type { Core, PreparedRsaPrivateKey } from "../core/index.js";
import { KEY } from "../envelope/cobblestone.js";
import { type Padding, readWrap, type Wrap, wrapToJson } from "../envelope/header.js";
import { encryptedKeyOf, wrapFor } from "../envelope/wraps.js";
import { decryptionFailed, readBack, TwinwrapError } from "../errors.js";
import { decodeJcs, encodeJcs, type Json, Members } from "../jcs.js";
import type { RsaPublicKey } from "../keys/index.js";
import { labelledTag } from "./hashes.js";
import {
  commitmentOf,
  type EscrowRecord,
  type FileRecord,
  isProven,
  MAX_SUBMISSION,
  readRecord,
  recordHash,
  recordToJson,
} from "./record.js";

// What an owner sends to an authority for one key, and what the authority checks of it.

const TYPE = "twinwrap/submission/v1";
const TAG = 32;

export interface Submission<Kind extends EscrowRecord = EscrowRecord> {
  record: Kind;
  /**
   * 32 bytes that only somebody who knows the session key can make for this record; none for a record of
   * an unproven key.
   */
  tag: Uint8Array | undefined;
  /**
   * The session key for the authority. Outside the hash: it may be replaced by one for another key,
   * unless the record names it.
   */
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

/** A submission as it stands in a file's header. */
export function submissionToJson({ record, tag, wrap }: Submission): Json {
  return {
    record: recordToJson(record),
    type: TYPE,
    wrap: wrapToJson(wrap),
    ...(tag === undefined ? {} : { tag: toBase64Url(tag) }),
  };
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
  const record = readRecord(members.members("record"));
  const tag = isProven(record) ? members.bytes("tag", TAG) : undefined;
  const wrapMembers = members.members("wrap");
  const wrap = readWrap(wrapMembers);
  wrapMembers.end();
  members.end();
  return { record, tag, wrap };
}

/**
 * Shows that the author of the record knew the session key: 32 bytes.
 * @param record {@link recordHash}
 */
export function recordTag(core: Core, sessionKey: Uint8Array, record: Uint8Array): Uint8Array {
  const info = concatBytes(toUtf8("twinwrap/v1/record-tag"), Uint8Array.of(0), record);
  return core.hkdfExpand("SHA-512", sessionKey, info, TAG);
}

/**
 * How the log names an owner: only somebody with the owner's secret can tell that a leaf is theirs.
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
 * How the log names an owner of a request's records.
 * @param request {@link requestHash}
 */
export function requestTag(
  core: Core,
  ownerSecret: Uint8Array,
  request: Uint8Array,
): Uint8Array<ArrayBuffer> {
  return labelledTag(core, ownerSecret, "twinwrap/v1/request-tag", request);
}

/** How the log names an owner whose control key is enrolled: HMAC-SHA-256(secret, "twinwrap/v1/enrol"), 32 bytes. */
export function enrolTag(core: Core, ownerSecret: Uint8Array): Uint8Array<ArrayBuffer> {
  return core.hmac("SHA-256", ownerSecret, toUtf8("twinwrap/v1/enrol"));
}

/**
 * How the log names the key of a release: only somebody with the submission can tell which it is.
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
): Promise<Submission<FileRecord>> {
  const { sessionKey, authority, owner, file } = options;
  const record: FileRecord = {
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
  return checkMade({
    record,
    tag: recordTag(core, sessionKey, recordHash(core, record)),
    wrap: await wrapFor(core, sessionKey, { key: authority.wrapKey, padding: authority.padding }),
  });
}

/**
 * A new submission, as its receiver will read it.
 * @throws TwinwrapError BAD_ARGUMENT if it can't be read, LIMIT_EXCEEDED if it is over 16 KiB
 */
export function checkMade<Kind extends EscrowRecord>(made: Submission<Kind>): Submission<Kind> {
  const bytes = encodeSubmission(made);
  // It reads as the form that it was written in: each form has members of its own.
  return readBack(() => decodeSubmission(bytes)) as Submission<Kind>;
}

/**
 * Opens the wrap of a submission and checks that the key in it is the one of the commitment and of
 * the tag, in one comparison, which does not show which of them was wrong.
 * @param key the private key that the wrap's fingerprint names, prepared
 * @returns the session key, 32 bytes; the caller wipes it
 * @throws TwinwrapError DECRYPTION_FAILED, also for a key that is not proven: nothing can be checked
 */
export function openSubmission(
  core: Core,
  { record, tag, wrap }: Submission,
  key: PreparedRsaPrivateKey,
): Uint8Array<ArrayBuffer> {
  if (!isProven(record) || tag === undefined) throw decryptionFailed();
  const sessionKey = key.unwrapKey(encryptedKeyOf(wrap), { padding: wrap.padding, length: KEY });
  let right = false;
  try {
    right = core.equal(
      concatBytes(
        commitmentOf(core, record, sessionKey),
        recordTag(core, sessionKey, recordHash(core, record)),
      ),
      concatBytes(record.commitment, tag),
    );
  } finally {
    if (!right) wipe(sessionKey);
  }
  if (!right) throw decryptionFailed();
  return sessionKey;
}
