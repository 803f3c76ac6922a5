export {
  type Approval,
  approvalHash,
  approvalsHash,
  formatApproval,
  parseApproval,
  type SignedApproval,
  signApproval,
} from "./approval.js";
export {
  isBoundWrap,
  makeBlobSubmission,
  type OwnerProof,
  openUnproven,
  readBlobWrap,
} from "./blob-submission.js";
export {
  type Checkpoint,
  formatProof,
  type LogProof,
  parseCheckpoint,
  parseProof,
  signCheckpoint,
  verifyCheckpoint,
  verifyProof,
} from "./checkpoint.js";
export {
  attachReceipt,
  type CheckedReceipt,
  checkFile,
  checkReceipt,
  checkSubmission,
  type EscrowReport,
  type EscrowStatus,
  fits,
  type HeldSubmission,
  originsOf,
  provenSubmissions,
  submissionsOf,
  withReceipt,
  withSubmission,
} from "./client.js";
export {
  type Authority,
  type AuthorityFile,
  decodeAuthority,
  encodeAuthority,
  formatIdentity,
  type Identity,
  type IdentityText,
  identityHash,
  MAX_AUTHORITY,
  parseIdentity,
  verifyAuthority,
  wrapKeyOf,
} from "./identity.js";
export type {
  AuthorityLeaf,
  Leaf,
  PolicyLeaf,
  RecordLeaf,
  ReleaseLeaf,
  VetoLeaf,
} from "./leaf.js";
export { decodeLeaf, encodeLeaf } from "./leaf.js";
export { type LogHere, LogView } from "./log-view.js";
export type { Append, MerkleNode, NodeId, ReadNodes } from "./merkle.js";
export {
  appendLeaves,
  consistencyProof,
  inclusionProof,
  leafHash,
  nodeHash,
  rootHash,
  verifyConsistency,
  verifyInclusion,
} from "./merkle.js";
export {
  article,
  decodeMessage,
  MAX_MESSAGE,
  type Message,
  type MessageKind,
  startsSealedFile,
} from "./message.js";
export { checkName, checkOrigin, checkOwnerId } from "./names.js";
export type { Note, NoteSignature, Signer, VerifiedNote, VerifierKey } from "./note.js";
export {
  addSignature,
  formatNote,
  formatVerifierKey,
  keyId,
  parseNote,
  parseVerifierKey,
  signNote,
  verifyNote,
} from "./note.js";
export {
  checkShares,
  formatPolicy,
  type Officer,
  officerKey,
  type Policy,
  type PolicySignatures,
  type PolicyText,
  parsePolicy,
  parsePolicyText,
  policyHash,
  policySignatures,
  verifyPolicyChain,
} from "./policy.js";
export {
  type ApprovalCount,
  type CountedApproval,
  countApprovals,
  type Decision,
  type Question,
  quorumPolicy,
  type ReleasePolicy,
} from "./quorum.js";
export {
  decodeReceipt,
  encodeReceipt,
  type Receipt,
  receiptFromJson,
  receiptLeaf,
  receiptToJson,
} from "./receipt.js";
export {
  type BlobFacts,
  type BlobRecord,
  commitmentOf,
  decodeRecord,
  type EscrowRecord,
  encodeRecord,
  type FileRecord,
  isBlob,
  isProven,
  type KeyProof,
  type ProvenBlobRecord,
  type ProvenRecord,
  type RecordFacts,
  recordHash,
  recordHashOf,
  type UnprovenRecord,
  wrapHash,
} from "./record.js";
export {
  type CheckedRelease,
  checkRelease,
  findReleased,
  releasedBlob,
  releasedFor,
  submissionsToAsk,
} from "./recovery.js";
export {
  decodeRelease,
  encodeRelease,
  MAX_RELEASE,
  type Release,
  type ReleasedKey,
  releaseLeaf,
} from "./release.js";
export {
  decodeRequest,
  encodeRequest,
  makeRequest,
  parseRequestId,
  type RecoveryRequest,
  recipientFingerprint,
  requestFromJson,
  requestHash,
  requestId,
  requestToJson,
} from "./request.js";
export {
  type Addressee,
  decodeSubmission,
  encodeSubmission,
  type FileFacts,
  makeSubmission,
  openSubmission,
  ownerTag,
  recipientTag,
  type Submission,
  submissionFromJson,
  submissionToJson,
} from "./submission.js";
export { isRecoverable, messageName, sayId, statusText } from "./words.js";
