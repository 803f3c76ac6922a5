import {
  isObject,
  type Kind,
  listOf,
  needDate,
  needFlag,
  needFunction,
  needText,
  needUint8Array,
  objectOf,
  oneOf,
  optional,
  same,
  unchecked,
  wrongKind,
} from "../arguments.js";
import { PADDINGS } from "../envelope/header.js";
import { FIELDS, type FieldKind, type KnownLeaf } from "./leaf.js";
import { LogView } from "./log-view.js";

// The arguments of this room's functions, checked at its door (index.ts). Inside, the functions pass checked values
// to each other. Objects go on as they are, so their bytes have to be Uint8Arrays.

/** Any number; whether it fits is checked with the text that it goes into. */
export const anyNumber: Kind<number> = (value, what) => {
  if (typeof value === "number") return value;
  throw wrongKind(value, what, "a number");
};
const number = anyNumber;
const bytes = needUint8Array;
const padding = oneOf(...PADDINGS);
export const texts = listOf(needText);
const list = <T>(kind: Kind<T>) => same(listOf(kind));
const like = (shape: Record<string, Kind<unknown>>) => same(objectOf(shape as never));

export const hash: Kind<Uint8Array> = (value, what) => {
  const found = needUint8Array(value, what);
  if (found.length === 32) return found;
  throw wrongKind(value, what, "32 bytes");
};
export const hashes = list(hash);
/** Hashes out of a proof; even their length is still to be verified. */
export const proof = list(bytes);

export const publicKey = like({ n: bytes, e: bytes });
export const publicKeys = list(publicKey);
export const verifierKey = like({ name: needText, publicKey: bytes });
export const verifierKeys = list(verifierKey);
export const signer = like({ name: needText, publicKey: bytes, sign: needFunction });

export const wrap = like({ fingerprint: bytes, padding, simpleBlob: bytes });
export const escrows = list(like({ submission: unchecked }));
export const head = like({
  header: like({
    serial: bytes,
    created: needDate,
    escrow: texts,
    wraps: list(wrap),
    escrows,
    hash: bytes,
    description: optional(needText),
  }),
  body: like({ salt: bytes, commitment: bytes }),
});

const blobFacts = like({ aiKeyAlg: number, keyLength: number, label: optional(needText) });
const facts = {
  authority: needText,
  owner: needText,
  serial: bytes,
  description: optional(needText),
  created: needDate,
  blind: bytes,
  blob: optional(blobFacts),
};
const provenRecord = like({ ...facts, header: bytes, salt: bytes, commitment: bytes });
export const unprovenRecord = like({ ...facts, blob: blobFacts, wrapHash: bytes });
export const record: Kind<unknown> = (value, what) =>
  isObject(value) && (value as { wrapHash?: unknown }).wrapHash !== undefined
    ? unprovenRecord(value, what)
    : provenRecord(value, what);
export const proven = provenRecord;
export const blobRecord: Kind<unknown> = (value, what) => {
  record(value, what);
  return like({ blob: blobFacts })(value, what);
};
export const records = list(record);

/** Records with their hashes. */
export const knownRecords = list(like({ record, hash }));

export const receipt = like({ leaf: needText, proof: needText });
export const submission = like({ record, tag: optional(bytes), wrap });
export const request = like({
  authority: needText,
  requester: needText,
  recipient: publicKey,
  padding,
  records: list(bytes),
  created: needDate,
  expires: needDate,
  nonce: bytes,
});
const released = like({ record: bytes, wrap, leaf: needText, proof: needText });
const provenLeaf = like({ leaf: needText, proof: needText });
export const release = like({ request, requested: provenLeaf, releases: list(released) });
export const requestedHolder = like({ requested: like({ leaf: needText }) });
export const veto = like({ authority: needText, request: bytes, owner: needText, date: needDate });
export const authorityFile = like({ identities: texts, policies: texts });
export const connection = like({
  url: needText,
  authority: authorityFile,
  token: optional(needText),
  owner: optional(like({ id: needText, secret: hash })),
});
export const ownerFile = like({
  authority: needText,
  fingerprint: hash,
  owner: needText,
  secret: hash,
});
export const leafHolder = like({ leaf: needText });
const map: Kind<unknown> = (value, what) => {
  if (Object.prototype.toString.call(value) === "[object Map]") return value;
  throw wrongKind(value, what, "a Map");
};
export const checkedRelease = like({
  request,
  requestHash: bytes,
  basis: oneOf("quorum", "emergency"),
  confirmed: needFlag,
  keys: map,
});
export const expected: Kind<unknown> = (value, what) =>
  isObject(value) && "id" in value
    ? like({ id: needText })(value, what)
    : like({ request })(value, what);

const officer = like({ name: needText, key: bytes, share: publicKey, self: texts });
const policyText = {
  authority: needText,
  number,
  previous: bytes,
  release: number,
  change: number,
  emergency: number,
  waiting: number,
  owners: oneOf("open", "enrolled"),
  unproven: oneOf("refused", "taken"),
  officers: list(officer),
};

export const officerKeys = like({ seed: hash, shareKey: unchecked });
export const officerPublicKeys = like({ publicKey: hash, shareKey: publicKey });

export { officer as anOfficer };
export const aPolicyText = like(policyText);
export const policy = like({ ...policyText, hash: bytes });
export const policyPlace = like({
  previous: bytes,
  policy: optional(policy),
  log: verifierKey,
  retired: verifierKeys,
});
const logPoint = like({ size: number, root: bytes });
const identityText = {
  origin: needText,
  number,
  previous: bytes,
  log: verifierKey,
  wrapKeys: publicKeys,
  paddings: list(padding),
  ended: list(like({ name: needText, publicKey: bytes, kept: logPoint, end: logPoint })),
};
export const anIdentityText = like(identityText);
export const authority = like({
  origin: needText,
  fingerprint: bytes,
  identities: list(like({ ...identityText, hash: bytes })),
  policies: list(policy),
  logKeys: verifierKeys,
  wrapKey: publicKey,
  padding,
  wrapFingerprints: list(bytes),
});

export const checkpoint = like({ origin: needText, size: number, root: bytes });
export const logProof = like({ index: number, path: list(bytes), checkpoint: needText });
export const view: Kind<unknown> = (value, what) => {
  if (value instanceof LogView) return value;
  throw wrongKind(value, what, "a LogView");
};
const leafType = like({
  type: oneOf(...(Object.keys(FIELDS) as KnownLeaf["type"][])),
  time: needDate,
});
const FIELD_KINDS: Record<FieldKind, Kind<unknown>> = {
  hash: bytes,
  number: anyNumber,
  time: needDate,
  basis: oneOf("quorum", "emergency"),
  owners: list(bytes),
};
export const leaf: Kind<unknown> = (value, what) => {
  const { type } = leafType(value, what) as KnownLeaf;
  const fields = Object.entries(FIELDS[type]).map(([field, kind]) => [
    field,
    FIELD_KINDS[kind as FieldKind],
  ]);
  return like(Object.fromEntries(fields))(value, what);
};
export const note = like({
  text: needText,
  signatures: list(like({ name: needText, keyId: bytes, signature: bytes })),
});
export const approval = like({
  authority: needText,
  policy: bytes,
  request: bytes,
  recipient: bytes,
  records: number,
  decision: oneOf("approve", "deny"),
  identity: needText,
  date: needDate,
  expires: needDate,
});
export const report = like({
  status: oneOf(
    "verified",
    "unverified",
    "unproven",
    "unconfirmed",
    "lost",
    "after the end",
    "pending",
    "not escrowed",
    "mismatch",
  ),
  origin: needText,
  time: optional(needDate),
  reason: optional(needText),
});

export const reports = list(report);
export const addressee = like({ origin: needText, wrapKey: publicKey, padding });
export const fileFacts = like({
  serial: bytes,
  hash: bytes,
  salt: bytes,
  commitment: bytes,
  description: optional(needText),
});
export const ownerProof = like({ sessionKey: bytes, ownerBlob: bytes });
/** JSON, checked where it is encoded. */
export const json: Kind<unknown> = (value) => value;
