/**
 * What owners and officers do with a backup authority, however it is reached. The whole way of an owner:
 *
 *     const authority = await connectAuthority(await loadCore(), connectionFile);
 *     const sealed = await seal(file, { to: [publicKey], authorities: [authority] });
 *     // … the key is lost …
 *     const { id } = await requestRecovery(sealedFile, { authority, to: newPublicKey, requester: "Olivia Owner" });
 *     // … the officers, who were told the ID, agree …
 *     const again = await recover(sealedFile, { authority, id, key: newPrivateKey });
 *
 * The other calls are the steps that these are made of.
 *
 * @module
 */

import {
  needDate,
  needFlag,
  needFunction,
  needSignal,
  needStableBytes,
  needText,
  objectOf,
  oneOf,
  optional,
  optionsOf,
  same,
  taking,
  takingAsync,
  unchecked,
  whole,
} from "../arguments.js";
import { needCore } from "../core/need.js";
import { PADDINGS } from "../envelope/header.js";
import * as k from "../escrow/arguments.js";
import { needAnyPrivateKey, needAnyPublicKey } from "../keys/any.js";
import { needPrivateKey } from "../keys/types.js";
import { needClient, needParty, needReach } from "./arguments.js";
import * as $connect from "./connect.js";
import * as $escrow from "./escrow.js";
import * as $officer from "./officer.js";
import * as $party from "./party.js";
import * as $recover from "./recover.js";
import * as $sealed from "./recover-sealed.js";

export type { Reach } from "./arguments.js";
export type { Connected, ConnectOptions } from "./connect.js";
export { Escrower, type PresentEscrow, type RenewedEscrow, type Sent } from "./escrow.js";
export { NOT_PROVEN, type Question, type Standing } from "./officer.js";
export type { KnownRecord, Party, ReadRecord } from "./party.js";
export type { Asked, Recovery, Replacing, ToAsk } from "./recover.js";
export type { RecoverOptions, RecoveryOptions } from "./recover-sealed.js";
export { Unreachable } from "./unreachable.js";

// What owners and officers do with an authority, however it is reached. Outside callers come in here, and every
// argument is checked here. Each function is documented where it is written.

const PINNED = optionsOf<NonNullable<Parameters<typeof $connect.connectClient>[2]>>({
  pinned: k.hash,
  owner: needText,
});
const CONNECTING = optionsOf<$connect.ConnectOptions>({
  patience: whole(0),
  tryFor: whole(1),
  maxAnswer: whole(1),
  signal: needSignal,
  fetch: needFunction,
  owner: needText,
});
const DECIDING = optionsOf<Parameters<typeof $officer.signDecision>[3]>(
  { decision: oneOf("approve", "deny"), identity: needText },
  ["decision", "identity"],
);
const REPLACING = optionsOf<NonNullable<Parameters<typeof $recover.replaceReleased>[2]>>({
  remove: k.hashes,
  rewrite: needFlag,
});
const ASKING = optionsOf<Parameters<typeof $recover.makeAsked>[1]>(
  {
    requester: needText,
    recipient: k.publicKey as never,
    padding: oneOf(...PADDINGS),
    records: k.hashes,
    created: needDate,
    expires: needDate,
  },
  ["requester", "recipient", "records"],
);
const REQUESTING = optionsOf<$sealed.RecoveryOptions>(
  {
    authority: needParty,
    to: needAnyPublicKey,
    requester: needText,
    padding: oneOf(...PADDINGS),
    expires: needDate,
  },
  ["authority", "to", "requester"],
);
const RECOVERING = optionsOf<$sealed.RecoverOptions>(
  { authority: needParty, id: needText, key: needAnyPrivateKey, remove: k.hashes },
  ["authority", "id", "key"],
);
const needPresent = same(
  objectOf<$escrow.PresentEscrow>({
    held: objectOf<$escrow.PresentEscrow["held"]>({
      submission: k.submission as never,
      record: k.hash,
      receipt: optional(k.receipt) as never,
    }),
    status: oneOf(...$escrow.BY_STATUS),
  }),
);
const needKnown = k.knownRecords;
const needRecovery = same(
  objectOf<$recover.Recovery>({
    party: needParty,
    checked: k.checkedRelease as never,
    kept: needKnown as never,
  }),
);
const needQuestion = same(
  objectOf<$officer.Question>({
    id: needText,
    request: k.request as never,
    policy: k.policy as never,
    records: needKnown as never,
  }),
);

export const partyOf = /* @__PURE__ */ taking($party.partyOf, {
  core: needCore,
  authority: k.authority,
  client: optional(needClient),
});
export const connect = /* @__PURE__ */ takingAsync($connect.connectClient, {
  core: needCore,
  client: needClient,
  options: PINNED,
});
export const connectAuthority = /* @__PURE__ */ takingAsync($connect.connectAuthority, {
  core: needCore,
  given: needReach,
  options: CONNECTING,
});
export const asOwner = /* @__PURE__ */ taking($escrow.asOwner, {
  party: needParty,
  owner: needText,
});
export const requestRecovery = /* @__PURE__ */ takingAsync($sealed.requestRecovery, {
  source: unchecked,
  options: REQUESTING,
});
export const recover = /* @__PURE__ */ takingAsync($sealed.recover, {
  source: unchecked,
  options: RECOVERING,
});
export const recoverFile = /* @__PURE__ */ takingAsync($sealed.recoverFile, {
  path: needText,
  options: RECOVERING,
});
export const handIn = /* @__PURE__ */ takingAsync($escrow.handIn, {
  party: needParty,
  submission: k.submission,
});
export const presentEscrow = /* @__PURE__ */ takingAsync($escrow.presentEscrow, {
  party: needParty,
  head: k.head,
  owner: optional(needText),
});
export const renewEscrow = /* @__PURE__ */ takingAsync($escrow.renewEscrow, {
  party: needParty,
  present: needPresent,
});
export const recordOfKept = /* @__PURE__ */ taking($recover.recordOfKept, {
  party: needParty,
  submission: k.submission,
});
export const recordsWithSerial = /* @__PURE__ */ taking($recover.recordsWithSerial, {
  party: needParty,
  serial: needStableBytes,
});
export const recordsByHash = /* @__PURE__ */ takingAsync($recover.recordsByHash, {
  party: needParty,
  hashes: k.hashes,
});
export const recordsToAsk = /* @__PURE__ */ takingAsync($recover.recordsToAsk, {
  party: needParty,
  head: k.head,
  kept: optional(needKnown),
});
export const makeAsked = /* @__PURE__ */ taking($recover.makeAsked, {
  party: needParty,
  options: ASKING,
});
export const takeRelease = /* @__PURE__ */ takingAsync($recover.takeRelease, {
  party: needParty,
  release: k.release,
  expected: optional(k.expected),
  kept: optional(needKnown),
});
export const checkRecipient = /* @__PURE__ */ takingAsync($recover.checkRecipient, {
  recovery: needRecovery,
  key: needPrivateKey,
});
export const addReleased = /* @__PURE__ */ taking($recover.addReleased, {
  recovery: needRecovery,
  onWrap: optional(needFunction),
});
export const needConfirmed = /* @__PURE__ */ taking($recover.needConfirmed, {
  recovery: needRecovery,
});
export const replaceReleased = /* @__PURE__ */ taking($recover.replaceReleased, {
  recovery: needRecovery,
  key: needPrivateKey,
  options: REPLACING,
  onWrap: optional(needFunction),
});
export const releasedBlobs = /* @__PURE__ */ takingAsync($recover.releasedBlobs, {
  recovery: needRecovery,
});
export const standingOf = /* @__PURE__ */ takingAsync($officer.standingOf, {
  party: needParty,
  id: needText,
});
export const standingFor = /* @__PURE__ */ takingAsync($officer.standingFor, {
  party: needParty,
  id: needText,
  owner: needText,
});
export const questionOf = /* @__PURE__ */ taking($officer.questionOf, {
  party: needParty,
  request: k.request,
  id: needText,
  known: optional(needKnown),
});
export const officerWithKey = /* @__PURE__ */ taking($officer.officerWithKey, {
  policy: k.policy,
  publicKey: k.hash,
});
export const signDecision = /* @__PURE__ */ takingAsync($officer.signDecision, {
  core: needCore,
  question: needQuestion,
  signer: k.signer,
  options: DECIDING,
});
export const handInDecision = /* @__PURE__ */ takingAsync($officer.handInDecision, {
  party: needParty,
  id: needText,
  note: needText,
});
export const handInVeto = /* @__PURE__ */ takingAsync($officer.handInVeto, {
  party: needParty,
  id: needText,
  note: needText,
});
export const recordsOfOwner = /* @__PURE__ */ takingAsync($recover.recordsOfOwner, {
  party: needParty,
  owner: needText,
});
