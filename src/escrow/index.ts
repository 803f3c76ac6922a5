/**
 * What passes between owners, a backup authority and its officers: the messages, and the checks of what they promise.
 * Nothing here asks anybody; that is twinwrap/client. Most programs need few of these names:
 *
 * - to verify a file's receipt: `decodeAuthority`, `verifyAuthority`, `checkFile`, `isRecoverable`;
 * - to verify what came back: `decodeRelease`, `checkRelease`;
 * - for an officer: `readOfficerKey`, `SigningKey`, `signApproval`, `addSignature`;
 * - to read any message: `decodeMessage`; each kind has its `decode…` and `encode…`, or `parse…` and `format…`;
 * - to build an authority or a client of one's own: `AuthorityClient`, and the log (`leafHash`, `verifyInclusion`, …).
 *
 * Can this file be recovered, by what stands in it?
 *
 *     const core = await loadCore();
 *     const authority = await verifyAuthority(core, decodeAuthority(authorityJson), { pinned });
 *     const reports = await checkFile(core, await inspectHead(file), authority);
 *     console.log(isRecoverable(reports, authority));
 *
 * @module
 */

import {
  needBytes,
  needDate,
  needFlag,
  needFunction,
  needStableBytes,
  needText,
  needUint8Array,
  objectOf,
  oneOf,
  optional,
  optionsOf,
  taking,
  takingAsync,
  whole,
} from "../arguments.js";
import { needCore } from "../core/need.js";
import { needPrepared } from "../core/need-prepared.js";
import * as $header from "../envelope/header.js";
import { LOCK } from "../keys/ed25519.js";
import { READ_OPTIONS, type ReadKeyOptions } from "../keys/read.js";
import * as $approval from "./approval.js";
import * as k from "./arguments.js";
import * as $blobSubmission from "./blob-submission.js";
import * as $chain from "./chain.js";
import * as $checkpoint from "./checkpoint.js";
import * as $connection from "./connection.js";
import * as $identity from "./identity.js";
import * as $leaf from "./leaf.js";
import * as $merkle from "./merkle.js";
import * as $message from "./message.js";
import * as $names from "./names.js";
import * as $note from "./note.js";
import * as $officerFile from "./officer-file.js";
import * as $ownerFile from "./owner-file.js";
import * as $policy from "./policy.js";
import type { Question } from "./quorum.js";
import * as $quorum from "./quorum.js";
import * as $receipt from "./receipt.js";
import * as $record from "./record.js";
import * as $recovery from "./recovery.js";
import * as $release from "./release.js";
import * as $reports from "./reports.js";
import * as $request from "./request.js";
import * as $submission from "./submission.js";
import * as $veto from "./veto.js";
import * as $words from "./words.js";

export type { LockOptions } from "../keys/ed25519.js";
export type { Approval, SignedApproval } from "./approval.js";
export {
  type AuthorityClient,
  type Page,
  type PageOptions,
  RECORD_STATUSES,
  REQUEST_STATUSES,
  type RecordQuery,
  type RecordStatus,
  type RequestQuery,
  type RequestStatus,
  type RequestSummary,
  type StandingMessage,
  type StoredRecord,
  type SubmitResult,
} from "./authority-client.js";
export type { OwnerProof } from "./blob-submission.js";
export type { Authority } from "./chain.js";
export type { Checkpoint, LogProof, ProofWorth } from "./checkpoint.js";
export type { Connection } from "./connection.js";
export type { AuthorityFile, EndedLog, Identity, IdentityText, LogPoint } from "./identity.js";
export { MAX_AUTHORITY } from "./identity.js";
export type {
  AnnounceLeaf,
  AuthorityLeaf,
  Basis,
  DenialLeaf,
  EnrolLeaf,
  KnownLeaf,
  Leaf,
  PolicyLeaf,
  RecordLeaf,
  ReleaseLeaf,
  RequestLeaf,
  UnknownLeaf,
  VetoLeaf,
} from "./leaf.js";
export { type ComparedLog, type LogSource, LogView } from "./log-view.js";
export type { Append, MerkleNode, NodeId, ReadNodes } from "./merkle.js";
export type { Message, MessageKind } from "./message.js";
export { MAX_MESSAGE } from "./message.js";
export type { Note, NoteSignature, Signer, VerifiedNote, VerifierKey } from "./note.js";
export type { OfficerKeys, OfficerPublicKeys } from "./officer-file.js";
export type { OwnerFile } from "./owner-file.js";
export type {
  Officer,
  OwnersRule,
  Policy,
  PolicyPlace,
  PolicySignatures,
  PolicyText,
  UnprovenRule,
} from "./policy.js";
export type {
  ApprovalCount,
  CountedApproval,
  Decision,
  Question,
  ReleasePolicy,
} from "./quorum.js";
export type { Receipt } from "./receipt.js";
export type {
  BlobFacts,
  BlobRecord,
  EscrowRecord,
  FileRecord,
  KeyProof,
  ProvenBlobRecord,
  ProvenRecord,
  RecordFacts,
  UnprovenRecord,
} from "./record.js";
export type { CheckedRelease, SubmissionsToAsk, Unshown } from "./recovery.js";
export type { ProvenLeaf, Release, ReleasedKey } from "./release.js";
export { MAX_RELEASE } from "./release.js";
export type {
  CheckedReceipt,
  EscrowReport,
  EscrowStatus,
  HeldSubmission,
  WeighedSubmission,
} from "./reports.js";
export type { RecoveryRequest } from "./request.js";
export { SigningKey } from "./signing-key.js";
export type { Addressee, FileFacts, Submission } from "./submission.js";
export type { Veto } from "./veto.js";

// The door of this room: it checks every argument. Each function is documented where it is written. Within the
// room, checked values are passed on.

const number = whole(0);
const needPadding = oneOf(...$header.PADDINGS);
const needMessageKind = oneOf("submission", "receipt");
/** A number to be verified: anything but a number is a wrong argument, a number out of range a wrong proof. */
const needNumber = k.anyNumber;

const READING = optionsOf<ReadKeyOptions>(READ_OPTIONS);
const APPROVING = optionsOf<Parameters<typeof $approval.signApproval>[4]>(
  { decision: oneOf("approve", "deny"), identity: needText, date: needDate, expires: needDate },
  ["decision", "identity"],
);
const VERIFYING = optionsOf<NonNullable<Parameters<typeof $chain.verifyAuthority>[2]>>({
  pinned: k.hash,
});
const COUNTING = optionsOf<{ now: Date; owners: readonly string[] }>(
  { now: needDate, owners: k.texts },
  ["now", "owners"],
);
const REQUESTING = optionsOf<Parameters<typeof $request.makeRequest>[0]>(
  {
    authority: needText,
    requester: needText,
    recipient: k.publicKey as never,
    padding: needPadding,
    records: k.hashes,
    created: needDate,
    expires: needDate,
  },
  ["authority", "requester", "recipient", "records"],
);
const SUBMITTING = optionsOf<Parameters<typeof $submission.makeSubmission>[1]>(
  {
    sessionKey: k.hash,
    authority: k.addressee as never,
    owner: needText,
    file: k.fileFacts as never,
    created: needDate,
    blind: k.hash,
  },
  ["sessionKey", "authority", "owner", "file"],
);
const BLOB_SUBMISSION = optionsOf<Parameters<typeof $blobSubmission.makeBlobSubmission>[1]>(
  {
    authority: needText,
    owner: needText,
    wrap: k.wrap as never,
    keyLength: number,
    label: needText,
    description: needText,
    proof: k.ownerProof as never,
    created: needDate,
    serial: needUint8Array,
    salt: needUint8Array,
    blind: k.hash,
  },
  ["authority", "owner", "wrap"],
);

export const approvalHash = /* @__PURE__ */ taking($approval.approvalHash, {
  core: needCore,
  note: needText,
});
export const approvalsHash = /* @__PURE__ */ taking($approval.approvalsHash, {
  core: needCore,
  hashes: k.hashes,
});
export const formatApproval = /* @__PURE__ */ taking($approval.formatApproval, {
  approval: k.approval,
});
export const parseApproval = /* @__PURE__ */ taking($approval.parseApproval, { note: needText });
export const signApproval = /* @__PURE__ */ takingAsync($approval.signApproval, {
  core: needCore,
  signer: k.signer,
  request: k.request,
  policy: k.hash,
  options: APPROVING,
});
export const isBoundWrap = /* @__PURE__ */ taking($blobSubmission.isBoundWrap, {
  core: needCore,
  record: k.unprovenRecord,
  wrap: k.wrap,
});
export const makeBlobSubmission = /* @__PURE__ */ taking($blobSubmission.makeBlobSubmission, {
  core: needCore,
  options: BLOB_SUBMISSION,
});
export const openUnproven = /* @__PURE__ */ taking($blobSubmission.openUnproven, {
  core: needCore,
  record: k.unprovenRecord,
  wrap: k.wrap,
  key: needPrepared,
});
export const readBlobWrap = /* @__PURE__ */ takingAsync($blobSubmission.readBlobWrap, {
  core: needCore,
  blob: needStableBytes,
  key: k.publicKey,
  padding: needPadding,
});
export const formatProof = /* @__PURE__ */ taking($checkpoint.formatProof, { proof: k.logProof });
export const parseCheckpoint = /* @__PURE__ */ taking($checkpoint.parseCheckpoint, {
  note: needText,
});
export const parseProof = /* @__PURE__ */ taking($checkpoint.parseProof, { text: needText });
export const signCheckpoint = /* @__PURE__ */ takingAsync($checkpoint.signCheckpoint, {
  core: needCore,
  checkpoint: k.checkpoint,
  key: k.signer,
});
export const verifyCheckpoint = /* @__PURE__ */ takingAsync($checkpoint.verifyCheckpoint, {
  core: needCore,
  note: needText,
  logKeys: k.verifierKeys,
});
export const verifyProof = /* @__PURE__ */ takingAsync($checkpoint.verifyProof, {
  core: needCore,
  leaf: needText,
  proof: needText,
  logKeys: k.verifierKeys,
});
export const attachReceipt = /* @__PURE__ */ takingAsync($reports.attachReceipt, {
  core: needCore,
  head: k.head,
  receipt: k.receipt,
  authority: optional(k.authority),
  view: optional(k.view),
});
export const checkFile = /* @__PURE__ */ takingAsync($reports.checkFile, {
  core: needCore,
  head: k.head,
  authority: optional(k.authority),
  view: optional(k.view),
});
export const checkReceipt = /* @__PURE__ */ takingAsync($reports.checkReceipt, {
  core: needCore,
  submission: k.submission,
  receipt: k.receipt,
  authority: k.authority,
});
export const checkSubmission = /* @__PURE__ */ takingAsync($reports.checkSubmission, {
  core: needCore,
  submission: k.submission,
  receipt: optional(k.receipt),
  authority: optional(k.authority),
  view: optional(k.view),
});
export const fits = /* @__PURE__ */ taking($reports.fits, { head: k.head, record: k.record });
export const originsOf = /* @__PURE__ */ taking($reports.originsOf, { head: k.head });
export const provenSubmissions = /* @__PURE__ */ takingAsync($reports.provenSubmissions, {
  core: needCore,
  head: k.head,
  authority: k.authority,
  view: optional(k.view),
});
export const submissionsOf = /* @__PURE__ */ taking($reports.submissionsOf, {
  core: needCore,
  head: k.head,
  origin: needText,
});
export const weighedSubmissions = /* @__PURE__ */ takingAsync($reports.weighedSubmissions, {
  core: needCore,
  head: k.head,
  authority: k.authority,
  view: optional(k.view),
});
export const withReceipt = /* @__PURE__ */ taking($reports.withReceipt, {
  core: needCore,
  head: k.head,
  receipt: k.receipt,
});
export const withSubmission = /* @__PURE__ */ taking($reports.withSubmission, {
  core: needCore,
  escrows: k.escrows,
  submission: k.submission,
  receipt: optional(k.receipt),
});
export const decodeAuthority = /* @__PURE__ */ taking($identity.decodeAuthority, {
  file: needStableBytes,
});
export const encodeAuthority = /* @__PURE__ */ taking($identity.encodeAuthority, {
  file: k.authorityFile,
});
export const formatIdentity = /* @__PURE__ */ taking($identity.formatIdentity, {
  identity: k.anIdentityText,
});
export const identityHash = /* @__PURE__ */ taking($identity.identityHash, {
  core: needCore,
  text: needText,
});
export const parseIdentity = /* @__PURE__ */ taking($identity.parseIdentity, {
  core: needCore,
  note: needText,
});
export const verifyAuthority = /* @__PURE__ */ takingAsync($chain.verifyAuthority, {
  core: needCore,
  file: k.authorityFile,
  options: VERIFYING,
});
export const wrapKeyOf = /* @__PURE__ */ taking($chain.wrapKeyOf, {
  authority: k.authority,
  fingerprint: k.hash,
});
export const decodeLeaf = /* @__PURE__ */ taking($leaf.decodeLeaf, { text: needText });
export const encodeLeaf = /* @__PURE__ */ taking($leaf.encodeLeaf, { leaf: k.leaf });
export const appendLeaves = /* @__PURE__ */ takingAsync($merkle.appendLeaves, {
  core: needCore,
  read: needFunction,
  size: number,
  leafHashes: k.hashes,
});
export const consistencyProof = /* @__PURE__ */ takingAsync($merkle.consistencyProof, {
  core: needCore,
  read: needFunction,
  oldSize: number,
  size: number,
});
export const inclusionProof = /* @__PURE__ */ takingAsync($merkle.inclusionProof, {
  core: needCore,
  read: needFunction,
  index: number,
  size: number,
});
export const leafHash = /* @__PURE__ */ taking($merkle.leafHash, {
  core: needCore,
  leaf: needStableBytes,
});
export const nodeHash = /* @__PURE__ */ taking($merkle.nodeHash, {
  core: needCore,
  left: needStableBytes,
  right: needStableBytes,
});
export const rootHash = /* @__PURE__ */ takingAsync($merkle.rootHash, {
  core: needCore,
  read: needFunction,
  size: number,
});
export const verifyConsistency = /* @__PURE__ */ taking($merkle.verifyConsistency, {
  core: needCore,
  oldSize: needNumber,
  oldRoot: needStableBytes,
  size: needNumber,
  root: needStableBytes,
  proof: k.proof,
});
export const verifyInclusion = /* @__PURE__ */ taking($merkle.verifyInclusion, {
  core: needCore,
  leaf: needStableBytes,
  index: needNumber,
  size: needNumber,
  proof: k.proof,
  root: needStableBytes,
});
export const article = /* @__PURE__ */ taking($message.article, { kind: needText });
export const decodeMessage = /* @__PURE__ */ taking($message.decodeMessage, {
  core: needCore,
  message: needStableBytes,
});
export const startsSealedFile = /* @__PURE__ */ taking($header.startsSealedFile, {
  bytes: needBytes,
});
export const checkName = /* @__PURE__ */ taking($names.checkName, {
  text: needText,
  what: optional(needText),
});
export const checkOrigin = /* @__PURE__ */ taking($names.checkOrigin, {
  text: needText,
  what: optional(needText),
});
export const checkOwnerId = /* @__PURE__ */ taking($names.checkOwnerId, {
  text: needText,
  what: optional(needText),
});
export const addSignature = /* @__PURE__ */ takingAsync($note.addSignature, {
  core: needCore,
  note: needText,
  signer: k.signer,
});
export const formatNote = /* @__PURE__ */ taking($note.formatNote, { note: k.note });
export const formatVerifierKey = /* @__PURE__ */ taking($note.formatVerifierKey, {
  core: needCore,
  key: k.verifierKey,
});
export const keyId = /* @__PURE__ */ taking($note.keyId, { core: needCore, key: k.verifierKey });
export const parseNote = /* @__PURE__ */ taking($note.parseNote, { note: needText });
export const parseVerifierKey = /* @__PURE__ */ taking($note.parseVerifierKey, {
  core: needCore,
  text: needText,
});
export const signNote = /* @__PURE__ */ takingAsync($note.signNote, {
  core: needCore,
  text: needText,
  "...signer": k.signer,
});
export const verifyNote = /* @__PURE__ */ takingAsync($note.verifyNote, {
  core: needCore,
  note: needText,
  keys: k.verifierKeys,
});
export const checkShares = /* @__PURE__ */ taking($policy.checkShares, {
  policy: k.aPolicyText,
  wrapKeys: k.publicKeys,
});
export const formatPolicy = /* @__PURE__ */ taking($policy.formatPolicy, { policy: k.aPolicyText });
export const officerKey = /* @__PURE__ */ taking($policy.officerKey, { officer: k.anOfficer });
export const parsePolicy = /* @__PURE__ */ taking($policy.parsePolicy, {
  core: needCore,
  note: needText,
});
export const keysHash = /* @__PURE__ */ taking($identity.keysHash, {
  core: needCore,
  identity: k.anIdentityText,
});
export const parseIdentityText = /* @__PURE__ */ taking($identity.parseIdentityText, {
  text: needText,
});
export const weakenings = /* @__PURE__ */ taking($policy.weakenings, {
  before: k.aPolicyText,
  policy: k.aPolicyText,
});
export const parsePolicyText = /* @__PURE__ */ taking($policy.parsePolicyText, { text: needText });
export const policyHash = /* @__PURE__ */ taking($policy.policyHash, {
  core: needCore,
  text: needText,
});
export const policySignatures = /* @__PURE__ */ takingAsync($policy.policySignatures, {
  core: needCore,
  note: needText,
  place: k.policyPlace,
});
export const countApprovals = /* @__PURE__ */ takingAsync($quorum.countApprovals, {
  core: needCore,
  policy: k.policy,
  request: k.request,
  approvals: k.texts,
  options: COUNTING,
});
const QUESTION = objectOf<Question>({
  request: k.request as never,
  approvals: k.texts,
  owners: k.texts,
  received: needDate,
  notBefore: needDate,
  vetoed: needFlag,
  now: needDate,
});
export const quorumPolicy: typeof $quorum.quorumPolicy = /* @__PURE__ */ taking(
  (policy) => {
    const made = $quorum.quorumPolicy(policy);
    return { ...made, decide: takingAsync(made.decide, { core: needCore, question: QUESTION }) };
  },
  { policy: k.policy },
);
export const readOfficerKey = /* @__PURE__ */ takingAsync($officerFile.readOfficerKey, {
  pem: needStableBytes,
  options: READING,
});
export const readOfficerPublicKeys = /* @__PURE__ */ taking($officerFile.readOfficerPublicKeys, {
  pem: needStableBytes,
});
export const readOfficerShareKey = /* @__PURE__ */ takingAsync($officerFile.readOfficerShareKey, {
  pem: needStableBytes,
  options: READING,
});
export const writeOfficerKeys = /* @__PURE__ */ takingAsync($officerFile.writeOfficerKeys, {
  keys: k.officerKeys,
  options: LOCK,
});
export const writeOfficerPublicKeys = /* @__PURE__ */ taking($officerFile.writeOfficerPublicKeys, {
  keys: k.officerPublicKeys,
});
export const readControlKey = /* @__PURE__ */ takingAsync($ownerFile.readControlKey, {
  pem: needStableBytes,
  options: READING,
});
export const readControlPublicKey = /* @__PURE__ */ taking($ownerFile.readControlPublicKey, {
  pem: needStableBytes,
});
export const writeControlKey = /* @__PURE__ */ takingAsync($ownerFile.writeControlKey, {
  privateKey: k.hash,
  options: LOCK,
});
export const writeControlPublicKey = /* @__PURE__ */ taking($ownerFile.writeControlPublicKey, {
  publicKey: k.hash,
});
export const decodeConnection = /* @__PURE__ */ taking($connection.decodeConnection, {
  bytes: needStableBytes,
});
export const encodeConnection = /* @__PURE__ */ taking($connection.encodeConnection, {
  connection: k.connection,
});
export const decodeOwnerFile = /* @__PURE__ */ taking($ownerFile.decodeOwnerFile, {
  file: needStableBytes,
});
export const encodeOwnerFile = /* @__PURE__ */ taking($ownerFile.encodeOwnerFile, {
  file: k.ownerFile,
});
export const decodeReceipt = /* @__PURE__ */ taking($receipt.decodeReceipt, {
  file: needStableBytes,
});
export const encodeReceipt = /* @__PURE__ */ taking($receipt.encodeReceipt, { receipt: k.receipt });
export const receiptFromJson = /* @__PURE__ */ taking($receipt.receiptFromJson, { json: k.json });
export const receiptLeaf = /* @__PURE__ */ taking($receipt.receiptLeaf, { receipt: k.leafHolder });
export const receiptToJson = /* @__PURE__ */ taking($receipt.receiptToJson, { receipt: k.receipt });
export const commitmentOf = /* @__PURE__ */ taking($record.commitmentOf, {
  core: needCore,
  record: k.proven,
  sessionKey: k.hash,
});
export const decodeRecord = /* @__PURE__ */ taking($record.decodeRecord, {
  bytes: needStableBytes,
});
export const encodeRecord = /* @__PURE__ */ taking($record.encodeRecord, { record: k.record });
export const isBlob = /* @__PURE__ */ taking($record.isBlob, { record: k.record });
export const isProven = /* @__PURE__ */ taking($record.isProven, { record: k.record });
export const recordHash = /* @__PURE__ */ taking($record.recordHash, {
  core: needCore,
  record: k.record,
});
export const recordHashOf = /* @__PURE__ */ taking($record.recordHashOf, {
  core: needCore,
  bytes: needStableBytes,
});
export const wrapHash = /* @__PURE__ */ taking($record.wrapHash, { core: needCore, wrap: k.wrap });
export const checkRelease = /* @__PURE__ */ takingAsync($recovery.checkRelease, {
  core: needCore,
  release: k.release,
  authority: k.authority,
  expected: optional(k.expected),
  view: optional(k.view),
});
export const findReleased = /* @__PURE__ */ takingAsync($recovery.findReleased, {
  core: needCore,
  checked: k.checkedRelease,
  head: k.head,
  authority: k.authority,
  others: optional(k.records),
  view: optional(k.view),
});
export const releasedBlob = /* @__PURE__ */ taking($recovery.releasedBlob, {
  core: needCore,
  checked: k.checkedRelease,
  record: k.blobRecord,
});
export const releasedFor = /* @__PURE__ */ taking($recovery.releasedFor, {
  core: needCore,
  checked: k.checkedRelease,
  head: k.head,
  record: k.record,
});
export const submissionsToAsk = /* @__PURE__ */ takingAsync($recovery.submissionsToAsk, {
  core: needCore,
  head: k.head,
  authority: k.authority,
  view: optional(k.view),
});
export const decodeRelease = /* @__PURE__ */ taking($release.decodeRelease, {
  file: needStableBytes,
});
export const encodeRelease = /* @__PURE__ */ taking($release.encodeRelease, { release: k.release });
export const releaseLeaf = /* @__PURE__ */ taking($release.releaseLeaf, { key: k.leafHolder });
export const requestLeaf = /* @__PURE__ */ taking($release.requestLeaf, {
  release: k.requestedHolder,
});
export const decodeRequest = /* @__PURE__ */ taking($request.decodeRequest, {
  file: needStableBytes,
});
export const encodeRequest = /* @__PURE__ */ taking($request.encodeRequest, { request: k.request });
export const makeRequest = /* @__PURE__ */ taking($request.makeRequest, { options: REQUESTING });
export const parseRequestId = /* @__PURE__ */ taking($request.parseRequestId, { text: needText });
export const recipientFingerprint = /* @__PURE__ */ taking($request.recipientFingerprint, {
  core: needCore,
  request: k.request,
});
export const requestFromJson = /* @__PURE__ */ taking($request.requestFromJson, { json: k.json });
export const requestHash = /* @__PURE__ */ taking($request.requestHash, {
  core: needCore,
  request: k.request,
});
export const requestId = /* @__PURE__ */ taking($request.requestId, { hash: k.hash });
export const requestToJson = /* @__PURE__ */ taking($request.requestToJson, { request: k.request });
export const decodeSubmission = /* @__PURE__ */ taking($submission.decodeSubmission, {
  file: needStableBytes,
});
export const encodeSubmission = /* @__PURE__ */ taking($submission.encodeSubmission, {
  submission: k.submission,
});
export const makeSubmission = /* @__PURE__ */ takingAsync($submission.makeSubmission, {
  core: needCore,
  options: SUBMITTING,
});
export const openSubmission = /* @__PURE__ */ taking($submission.openSubmission, {
  core: needCore,
  submission: k.submission,
  key: needPrepared,
});
export const ownerTag = /* @__PURE__ */ taking($submission.ownerTag, {
  core: needCore,
  ownerSecret: needStableBytes,
  record: k.hash,
});
export const recipientTag = /* @__PURE__ */ taking($submission.recipientTag, {
  core: needCore,
  blind: needStableBytes,
  fingerprint: k.hash,
});
export const submissionFromJson = /* @__PURE__ */ taking($submission.submissionFromJson, {
  json: k.json,
});
export const requestTag = /* @__PURE__ */ taking($submission.requestTag, {
  core: needCore,
  ownerSecret: needStableBytes,
  request: k.hash,
});
export const enrolTag = /* @__PURE__ */ taking($submission.enrolTag, {
  core: needCore,
  ownerSecret: needStableBytes,
});
export const submissionToJson = /* @__PURE__ */ taking($submission.submissionToJson, {
  submission: k.submission,
});
export const formatVeto = /* @__PURE__ */ taking($veto.formatVeto, { veto: k.veto });
export const parseVeto = /* @__PURE__ */ taking($veto.parseVeto, { note: needText });
export const signVeto = /* @__PURE__ */ takingAsync($veto.signVeto, {
  core: needCore,
  signer: k.signer,
  request: k.request,
  options: optional(optionsOf<{ date?: Date | undefined }>({ date: optional(needDate) })),
});
export const vetoHash = /* @__PURE__ */ taking($veto.vetoHash, { core: needCore, note: needText });
export const isRecoverable = /* @__PURE__ */ taking($words.isRecoverable, {
  reports: k.reports,
  authority: optional(k.authority),
});
export const messageName = /* @__PURE__ */ taking($words.messageName, {
  name: needText,
  authority: k.authority,
  kind: needMessageKind,
});
export const sayId = /* @__PURE__ */ taking($words.sayId, { id: needText });
export const statusText = /* @__PURE__ */ taking($words.statusText, { report: k.report });
