import {
  algorithmName,
  CALG_AES_256,
  SESSION_ALGORITHMS,
  sessionAlgorithm,
} from "../blob/index.js";
import { concatBytes, toBase64Url, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { COMMITMENT, Cobblestone, SALT } from "../envelope/cobblestone.js";
import { ALGORITHMS, MAX_DESCRIPTION, type Wrap, wrapToJson } from "../envelope/header.js";
import { bodyContext } from "../envelope/seal.js";
import { TwinwrapError } from "../errors.js";
import { decodeJcs, encodeJcs, formatTime, type Json, Members } from "../jcs.js";
import { labelledHash } from "./hashes.js";
import { checkOrigin, checkOwnerId, checkText } from "./names.js";

// What is recorded for good about one session key. There are three forms: for a sealed file; for another
// program's key that the owner proves to know; and for such a key that nobody proves to know.

/** Bytes of a record, and of the submission around it, at most. */
export const MAX_SUBMISSION = 16384;
/** `body` in the `alg` of a key that another program uses. */
const BLOB = "blob";
/** Bytes of UTF-8 of a foreign serial at most. */
export const MAX_LABEL = 255;
/** Years in which a record can have been made: others come from a clock that is wrong, or from somebody who lies. */
const [FIRST_YEAR, LAST_YEAR] = [2000, 2199];

/** What every record says; its hash names the record everywhere. */
export interface RecordFacts {
  /** The authority's origin. */
  authority: string;
  /** The owner's id with that authority. */
  owner: string;
  /** The file's serial; of a blob its own, random. 16 bytes. */
  serial: Uint8Array;
  description?: string;
  created: Date;
  /** 32 random bytes: hides what the hash is of from those who see only the hash. */
  blind: Uint8Array;
}

/** What a key is recognised by. */
export interface KeyProof {
  /** H of the file; of a blob SHA-256 over the owner's SIMPLEBLOB, as they keep it. 32 bytes. */
  header: Uint8Array;
  /** Of the file's body, or random: 24 bytes. */
  salt: Uint8Array;
  /** Of the file's body, or made for the record: 32 bytes. */
  commitment: Uint8Array;
}

/** What the record of another program's key says of it. */
export interface BlobFacts {
  /** ALG_ID of a session key. */
  aiKeyAlg: number;
  /** Bytes of the key. */
  keyLength: number;
  /** What the program that made it calls it: one line of at most 255 bytes. */
  label?: string;
}

/** Of a sealed file. */
export interface FileRecord extends RecordFacts, KeyProof {
  blob?: undefined;
  wrapHash?: undefined;
}

/** Of another program's AES-256 key that its sender proved to know. */
export interface ProvenBlobRecord extends RecordFacts, KeyProof {
  blob: BlobFacts;
  wrapHash?: undefined;
}

/** Of another program's key that nobody proved to know: anybody who has the blob can send it in. */
export interface UnprovenRecord extends RecordFacts {
  blob: BlobFacts;
  /** {@link wrapHash} of the one wrap that the record is for, 32 bytes. */
  wrapHash: Uint8Array;
}

export type ProvenRecord = FileRecord | ProvenBlobRecord;
export type BlobRecord = ProvenBlobRecord | UnprovenRecord;
export type EscrowRecord = ProvenRecord | UnprovenRecord;

/** Whether a right key can be told from a wrong one. */
export function isProven(record: EscrowRecord): record is ProvenRecord {
  return record.wrapHash === undefined;
}

/** Whether the key is another program's. */
export function isBlob(record: EscrowRecord): record is BlobRecord {
  return record.blob !== undefined;
}

/** Whether keys of this algorithm have one length only, so that a record does not say it. */
function hasOneLength(aiKeyAlg: number): boolean {
  const { minKeyLength, maxKeyLength } = sessionAlgorithm(aiKeyAlg)!;
  return minKeyLength === maxKeyLength;
}

function blobToJson({ aiKeyAlg, keyLength, label }: BlobFacts): { [name: string]: Json } {
  return {
    alg: { body: BLOB, key: algorithmName(aiKeyAlg), wrap: ALGORITHMS.wrap },
    ...(hasOneLength(aiKeyAlg) ? {} : { keyLength }),
    ...(label === undefined ? {} : { label }),
  };
}

export function recordToJson(record: EscrowRecord): Json {
  return {
    ...(isBlob(record) ? blobToJson(record.blob) : { alg: { ...ALGORITHMS } }),
    authority: record.authority,
    blind: toBase64Url(record.blind),
    created: formatTime(record.created),
    owner: record.owner,
    serial: toBase64Url(record.serial),
    v: 1,
    ...(record.description === undefined ? {} : { description: record.description }),
    ...(isProven(record)
      ? {
          commitment: toBase64Url(record.commitment),
          header: toBase64Url(record.header),
          salt: toBase64Url(record.salt),
        }
      : { wrap: toBase64Url(record.wrapHash) }),
  };
}

/** A record as it is hashed. */
export function encodeRecord(record: EscrowRecord): Uint8Array<ArrayBuffer> {
  return encodeJcs(recordToJson(record));
}

/** @throws TwinwrapError BAD_FORMAT */
export function decodeRecord(bytes: Uint8Array): EscrowRecord {
  return readRecord(new Members(decodeJcs(bytes, MAX_SUBMISSION), "submission: core"));
}

/** @throws TwinwrapError BAD_FORMAT */
export function readRecord(members: Members): EscrowRecord {
  members.exactly("v", 1);
  const algorithms = members.members("alg");
  algorithms.exactly("wrap", ALGORITHMS.wrap);
  const blob =
    algorithms.oneOf("body", [ALGORITHMS.body, BLOB]) === BLOB
      ? readBlob(members, algorithms)
      : undefined;
  if (blob === undefined) algorithms.exactly("key", ALGORITHMS.key);
  algorithms.end();
  const facts: RecordFacts = {
    authority: checkOrigin(members.text("authority", 255)),
    owner: checkOwnerId(members.text("owner", 255)),
    serial: members.bytes("serial", 16),
    created: readCreated(members),
    blind: members.bytes("blind", 32),
  };
  if (members.has("description")) facts.description = members.text("description", MAX_DESCRIPTION);
  const record = { ...facts, ...readKey(members, blob) };
  members.end();
  return record;
}

function readCreated(members: Members): Date {
  const created = members.time("created");
  const year = created.getUTCFullYear();
  if (year >= FIRST_YEAR && year <= LAST_YEAR) return created;
  throw new TwinwrapError(
    "BAD_FORMAT",
    `submission: core: "created" is not in the years ${FIRST_YEAR} to ${LAST_YEAR}`,
  );
}

/** What the record says of its key, beside its algorithm. */
function readKey(members: Members, blob: BlobFacts | undefined) {
  if (blob === undefined) return readProof(members);
  if (members.has("wrap")) return { blob, wrapHash: members.bytes("wrap", 32) };
  // With a commitment over a shorter key, somebody could try keys.
  if (blob.aiKeyAlg === CALG_AES_256) return { blob, ...readProof(members) };
  throw new TwinwrapError("BAD_FORMAT", "submission: core: only an AES-256 key can be proven");
}

function readBlob(members: Members, algorithms: Members): BlobFacts {
  const name = algorithms.oneOf(
    "key",
    SESSION_ALGORITHMS.map((algorithm) => algorithm.name),
  );
  const { algId, minKeyLength, maxKeyLength } = SESSION_ALGORITHMS.find(
    (algorithm) => algorithm.name === name,
  )!;
  const blob: BlobFacts = {
    aiKeyAlg: algId,
    keyLength: hasOneLength(algId)
      ? minKeyLength
      : members.integer("keyLength", minKeyLength, maxKeyLength),
  };
  if (members.has("label")) {
    blob.label = checkText(members.text("label", MAX_LABEL), MAX_LABEL, "the label");
  }
  return blob;
}

function readProof(members: Members): KeyProof {
  return {
    header: members.bytes("header", 32),
    salt: members.bytes("salt", SALT),
    commitment: members.bytes("commitment", COMMITMENT),
  };
}

/** The record's name: 32 bytes, hidden by the blind in it. */
export function recordHash(core: Core, record: EscrowRecord): Uint8Array<ArrayBuffer> {
  return recordHashOf(core, encodeRecord(record));
}

/** The same of its bytes, see {@link encodeRecord}. */
export function recordHashOf(core: Core, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return labelledHash(core, "twinwrap/v1/record", bytes);
}

/** What binds an unproven record to the one wrap that it is for, padding and all: 32 bytes. */
export function wrapHash(core: Core, wrap: Wrap): Uint8Array<ArrayBuffer> {
  return labelledHash(core, "twinwrap/v1/wrap", encodeJcs(wrapToJson(wrap)));
}

/** What the commitment of a record binds its key to: never the same for a file and for a blob. */
function contextOf(record: ProvenRecord): Uint8Array {
  const { serial, header } = record;
  if (!isBlob(record)) return bodyContext({ serial, hash: header });
  return concatBytes(toUtf8("twinwrap/v1/blob"), Uint8Array.of(0), serial, header);
}

/**
 * The commitment that a session key has under the salt of a record, 32 bytes.
 * @param sessionKey 32 bytes; the caller keeps and wipes it
 */
export function commitmentOf(
  core: Core,
  record: ProvenRecord,
  sessionKey: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const body = new Cobblestone(core, sessionKey, record.salt, contextOf(record));
  body.dispose();
  return body.commitment;
}
