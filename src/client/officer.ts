import { equalBytes, toHex } from "../bytes.js";
import type { Core } from "../core/index.js";
import { formatSerial, type Header } from "../envelope/index.js";
import { isAboutContent, notVerified, TwinwrapError } from "../errors.js";
import {
  type Authority,
  type Decision,
  decodeRequest,
  isBlob,
  isProven,
  type LogView,
  type Officer,
  type Policy,
  parseRequestId,
  parseVeto,
  quorumPolicy,
  type RecordStatus,
  type RecoveryRequest,
  type RequestLeaf,
  type RequestStatus,
  type RequestSummary,
  recipientFingerprint,
  requestHash,
  requestId,
  requestLeaf,
  type Signer,
  type StandingMessage,
  sayId,
  signApproval,
  verifyNote,
  verifyProof,
} from "../escrow/index.js";
import { formatTime } from "../jcs.js";
import { type Cell, outside, outsidePath, safe } from "../text.js";
import { type KnownRecord, type Party, type ReadRecord, readStored } from "./party.js";

// What officers do: they see what a request asks for and where it stands, and decide.

/** What officers are shown. Everything in it was verified, or was decided here from verified facts. */
export interface Question {
  /** The request's ID, 26 characters. */
  id: string;
  request: RecoveryRequest;
  /** The policy in force, which an approval names. */
  policy: Policy;
  /** The records of the request that are known: from the authority, or from submissions. Their hashes match. */
  records: readonly (KnownRecord & { status?: RecordStatus })[];
}

/** A question that the authority has, and what was decided about it. */
export interface Standing extends Question {
  status: RequestStatus;
  /** When the log says that it came. */
  received: Date;
  /** Until when it waits, by its leaf. */
  notBefore: Date;
  /** Owners who have vetoed it. A veto counts once a record of its owner was opened. */
  vetoes: readonly string[];
  /** Owners of its records who are enrolled, so that they can veto it. Only the authority knows: nothing shows it. */
  enrolled: readonly string[];
  decision: Decision;
  /** All records of the request, in its order; see {@link standingFor}. */
  records: readonly ReadRecord[];
  /** The time of the decision. */
  now: Date;
}

/** The policy in force. @throws TwinwrapError NO_POLICY */
export function policyInForce({ policies }: Authority): Policy {
  const policy = policies.at(-1);
  if (policy !== undefined) return policy;
  throw new TwinwrapError("NO_POLICY", "the authority has no policy in force yet");
}

/**
 * Reads what an authority says about a request, and decides from that again.
 * @param id the ID that was asked for, 26 characters
 * @param owner whose records may stand there alone: who decides for all of them needs all of them
 * @throws TwinwrapError NOT_VERIFIED if it is about another request, or its records are not the request's;
 *   NO_POLICY
 */
export async function readStanding(
  { core, authority, view }: Party,
  message: StandingMessage,
  id?: string,
  owner?: string,
): Promise<Standing> {
  const policy = policyInForce(authority);
  const { status, approvals } = message;
  const request = await answered(() => decodeRequest(message.request));
  const records = await answered(() => message.records.map((stored) => readStored(core, stored)));
  const found = requestId(requestHash(core, request));
  if (id !== undefined && found !== parseRequestId(id)) {
    throw notVerified("the authority answered with another request");
  }
  if (request.authority !== authority.origin) {
    throw notVerified(`the request is for another authority, ${safe(request.authority)}`);
  }
  if (!isOfRequest(request, records, owner)) {
    throw notVerified("the authority answered with other records than the request's");
  }
  const leaf = await answered(() => readRequested(core, authority, message, view));
  const isAsked =
    equalBytes(leaf.request, requestHash(core, request)) &&
    leaf.expires.getTime() === request.expires.getTime();
  if (!isAsked) throw notVerified("the log does not say that this request was taken in");
  const now = new Date();
  // A record that nobody has opened may name any owner: anybody can send one in. Those owners do not count.
  const opened = records.filter(({ verifiedLeaf }) => verifiedLeaf !== undefined);
  const owners = opened.map(({ record }) => record.owner);
  const vetoes = await ownersWhoVeto(core, message, requestHash(core, request));
  const { time: received, notbefore: notBefore } = leaf;
  const decision = await quorumPolicy(policy).decide(core, {
    request,
    approvals,
    owners,
    received,
    notBefore,
    vetoed: vetoes.some((owner) => owners.includes(owner)),
    now,
  });
  const about = { id: found, request, policy, status, records };
  const { enrolled } = message;
  return { ...about, received, notBefore, vetoes, enrolled, decision, now };
}

/** Whether these are all records of a request, or of the records of one owner some, in its order. */
function isOfRequest(
  request: RecoveryRequest,
  records: readonly ReadRecord[],
  owner: string | undefined,
): boolean {
  const places = records.map(({ hash }) =>
    request.records.findIndex((one) => equalBytes(one, hash)),
  );
  if (!places.every((place, i) => place >= 0 && (i === 0 || place > places[i - 1]!))) return false;
  if (records.length === request.records.length) return true;
  return owner !== undefined && records.every(({ record }) => record.owner === owner);
}

/** The leaf of a request, which the authority's log holds. */
async function readRequested(
  core: Core,
  { logKeys }: Authority,
  { requested }: StandingMessage,
  view: LogView,
): Promise<RequestLeaf> {
  await verifyProof(core, requested.leaf, requested.proof, logKeys);
  await view.see(requested.leaf, requested.proof);
  return requestLeaf({ requested });
}

/** The owners whose vetoes are signed. Whose control key it is, only the authority knows. */
async function ownersWhoVeto(
  core: Core,
  { vetoes }: StandingMessage,
  request: Uint8Array,
): Promise<string[]> {
  const owners: string[] = [];
  for (const { note, control } of vetoes) {
    const veto = await answered(() => parseVeto(note));
    await answered(() => verifyNote(core, note, [{ name: veto.owner, publicKey: control }]));
    if (!equalBytes(veto.request, request)) throw notVerified("a veto is against another request");
    owners.push(veto.owner);
  }
  return owners;
}

async function answered<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isAboutContent(error)) throw error;
    throw notVerified(`the authority's answer is malformed: ${error.message}`);
  }
}

/** Where a request stands. @param id 26 characters @throws TwinwrapError NOT_FOUND; as {@link readStanding} */
export async function standingOf(party: Party, id: string): Promise<Standing> {
  return readStanding(party, await reachable(party).standing(id), id);
}

/**
 * Where a request stands, for an owner of some of its records: of the others the authority may show them nothing.
 * @param id 26 characters
 * @throws TwinwrapError NOT_FOUND; as {@link readStanding}
 */
export async function standingFor(party: Party, id: string, owner: string): Promise<Standing> {
  return readStanding(party, await reachable(party).standing(id), id, owner);
}

/**
 * Hands in an officer's approval or denial.
 * @param note the signed note
 * @throws TwinwrapError as AuthorityClient.decide
 */
export async function handInDecision(party: Party, id: string, note: string): Promise<Standing> {
  return readStanding(party, await reachable(party).decide(note), id);
}

/**
 * Hands in an owner's veto.
 * @param note the signed note
 * @throws TwinwrapError as AuthorityClient.decide; NOT_VERIFIED if the authority does not count it afterwards
 */
export async function handInVeto(party: Party, id: string, note: string): Promise<Standing> {
  const { owner } = parseVeto(note);
  const standing = await readStanding(party, await reachable(party).decide(note), id, owner);
  if (standing.vetoes.includes(owner)) return standing;
  throw notVerified("the authority answered without the veto that it was given");
}

function reachable({ client }: Party) {
  if (client !== undefined) return client;
  throw new TwinwrapError("UNAVAILABLE", "this authority can't be asked: messages are carried");
}

/**
 * A question from a request that was carried to an officer.
 * @param id the whole ID, as the requester told it
 * @param known records of submissions that the officer has
 * @throws TwinwrapError NOT_VERIFIED if it is another request, or for another authority; NO_POLICY
 */
export function questionOf(
  { core, authority }: Party,
  request: RecoveryRequest,
  id: string,
  known: readonly KnownRecord[] = [],
): Question {
  const policy = policyInForce(authority);
  if (requestId(requestHash(core, request)) !== parseRequestId(id)) {
    throw notVerified("it is not the request that this ID was made from");
  }
  if (request.authority !== authority.origin) {
    throw notVerified(`it is for another authority, ${safe(request.authority)}`);
  }
  const records = request.records.flatMap(
    (hash) => known.find((one) => equalBytes(one.hash, hash)) ?? [],
  );
  return { id: parseRequestId(id), request, policy, records };
}

/** The officer with this Ed25519 key (32 bytes). @throws TwinwrapError NOT_ENTITLED if there is none */
export function officerWithKey(policy: Policy, publicKey: Uint8Array): Officer {
  const officer = policy.officers.find(({ key }) => equalBytes(key, publicKey));
  if (officer !== undefined) return officer;
  throw new TwinwrapError("NOT_ENTITLED", `this is no officer's key in policy ${policy.number}`);
}

/** Signs a decision about what was shown. @returns the note */
export function signDecision(
  core: Core,
  { request, policy }: Question,
  signer: Signer,
  options: { decision: "approve" | "deny"; identity: string },
): Promise<string> {
  return signApproval(core, signer, request, policy.hash, options);
}

/** A status for people. A request that has expired is not open any more, though the store still says so. */
export function shownStatus({
  status,
  expires,
}: Pick<RequestSummary, "status" | "expires">): RequestStatus | "expired" {
  return status === "open" && expires <= new Date() ? "expired" : status;
}

/** Where a request stands, in words. */
export function stateText({ status, request, decision }: Standing): string {
  const shown = shownStatus({ status, expires: request.expires });
  if (shown !== "open") return shown;
  const when = decision.notBefore === undefined ? "" : ` until ${formatTime(decision.notBefore)}`;
  return decision.reason === undefined ? "approved" : `waiting: ${decision.reason}${when}`;
}

/** Whether nothing can come of a request any more. */
export function isOver({ status, request }: Standing): boolean {
  return status === "denied" || request.expires <= new Date();
}

/** What officers have to know about a key that nobody proved. */
export const NOT_PROVEN = "key not proven: whoever has the blob could have submitted it";

/** A request for people: everything that officers have to know before they sign. Nothing in it controls a terminal. */
export function questionRows(core: Core, question: Question | Standing): [string, Cell][] {
  const { id, request, policy, records } = question;
  const recipient = toHex(recipientFingerprint(core, request));
  const unproven = records.filter(({ record }) => !isProven(record)).length;
  const standing = "decision" in question ? question : undefined;
  return [
    ["request", id],
    ["requester", outside(request.requester)],
    ["recipient", `${recipient}  ${request.padding}`],
    ...(standing === undefined ? [] : [row("received", formatTime(standing.received))]),
    ["expires", formatTime(request.expires)],
    ...(standing === undefined ? [] : standingRows(standing, policy)),
    ["records", recordsText(question)],
    ...(unproven === 0 ? [] : [row("beware", `${NOT_PROVEN} (${unproven} of them)`)]),
  ];
}

const row = (name: string, value: Cell): [string, Cell] => [name, value];

function standingRows(standing: Standing, policy: Policy): [string, Cell][] {
  const { approving, denying } = standing.decision.count;
  // In the order of the policy: the notes themselves have none.
  const inOrder = (side: typeof approving) =>
    policy.officers.flatMap(({ key }) =>
      side.filter(({ officer }) => equalBytes(officer.key, key)),
    );
  const word = (name: string, { officer, approval }: (typeof approving)[0]) =>
    row(name, outside(`${officer.name}: ${approval.identity}`));
  return [
    ["policy", `number ${policy.number}: ${policy.release} of ${policy.officers.length} officers`],
    ...inOrder(approving).map((one) => word("approved by", one)),
    ...inOrder(denying).map((one) => word("denied by", one)),
    ...standing.vetoes.map((owner) => row("vetoed by", vetoText(standing, owner))),
    row("owners", ownersText(standing)),
    ...partRows(standing),
    ["state", stateText(standing)],
  ];
}

/** What an owner is told who is shown their own records alone. */
function partRows({ request, records }: Standing): [string, Cell][] {
  if (records.length === request.records.length) return [];
  const [shown, all] = [records.length, request.records.length];
  return [row("shown", `${shown} of ${all} records: the others are not this owner's`)];
}

/** Whether an owner's veto counts: a record of theirs was opened. */
export function countsVeto({ records }: Pick<Standing, "records">, owner: string): boolean {
  return records.some((one) => one.record.owner === owner && one.verifiedLeaf !== undefined);
}

function vetoText(standing: Standing, owner: string): Cell {
  return countsVeto(standing, owner)
    ? outside(owner)
    : outside(`${owner}, which counts once a record of theirs is opened`);
}

/** The owners of a request's records, and those of them who can veto it. A record of an unproven key has no owner. */
export function ownersOf({ records, enrolled }: Pick<Standing, "records" | "enrolled">): {
  owners: string[];
  able: string[];
} {
  const proven = records.filter(({ record }) => isProven(record));
  const owners = [...new Set(proven.map(({ record }) => record.owner))];
  return { owners, able: owners.filter((owner) => enrolled.includes(owner)) };
}

function ownersText(standing: Standing): string {
  const { owners, able } = ownersOf(standing);
  if (able.length === 0) return "none is enrolled: the owners have no veto";
  if (able.length === owners.length) return "enrolled: they have a veto";
  return `${able.length} of ${owners.length} enrolled: the others have no veto`;
}

/** How many records there are, and how many may turn out not to open. */
function recordsText({ request, records }: Question): string {
  const count = request.records.length;
  const unverified = records.filter(({ status }) => status === "unverified").length;
  if (unverified === 0) return String(count);
  return `${count}, ${unverified} of them never opened: whether these can be released shows then`;
}

/** What became of a record. A key that is not proven stays so when it is released. */
function recordStatus({ status, record }: Pick<ReadRecord, "status" | "record">): string {
  return status !== "unproven" && !isProven(record) ? `${status}, unproven` : status;
}

/** Records for people: a head, and a line for each. There is a column of labels if one record has a label. */
export function recordRows(records: readonly ReadRecord[]): Cell[][] {
  const isLabelled = records.some(({ record }) => record.blob?.label !== undefined);
  const label = (cell: Cell) => (isLabelled ? [cell] : []);
  return [
    ["serial", "status", "created", "owner", ...label("label"), "description"],
    ...records.map((one) => [
      formatSerial(one.record.serial),
      recordStatus(one),
      formatTime(one.record.created),
      outside(one.record.owner),
      ...label(outside(one.record.blob?.label ?? "")),
      outside(one.record.description ?? ""),
    ]),
  ];
}

/** A sealed file that the officer was given. */
export interface GivenFile {
  path: string;
  header: Header;
}

/**
 * The given file that a record is of. A record holds the hash of its file's header, and that hash covers the name in
 * it: so this name is the one that the file was sealed with.
 */
export function fileOf(
  { record }: KnownRecord,
  files: readonly GivenFile[],
): GivenFile | undefined {
  if (isBlob(record) || !isProven(record)) return undefined;
  return files.find(({ header }) => equalBytes(header.hash, record.header));
}

/** Each record of a request for people: its hash, and what it says if it is known here. */
export function detailRows(
  { request, records }: Question,
  files: readonly GivenFile[] = [],
): [string, Cell][] {
  return request.records.flatMap((hash) => {
    const known = records.find((one) => equalBytes(one.hash, hash));
    const own: [string, Cell][] =
      known === undefined ? [row("", "not shown to you")] : knownRows(known, fileOf(known, files));
    return [row("record", toHex(hash)), ...own];
  });
}

function knownRows(known: Question["records"][0], file: GivenFile | undefined): [string, Cell][] {
  const { record, status } = known;
  const { serial, created, owner, description, blob } = record;
  const stands = status === undefined ? "" : `  ${recordStatus({ status, record })}`;
  const told = (name: string, text: string | undefined) =>
    text === undefined ? [] : [row(`  ${name}`, outside(text))];
  return [
    row("  serial", `${formatSerial(serial)}${stands}`),
    row("  created", formatTime(created)),
    ...told("owner", owner),
    ...told("label", blob?.label),
    ...told("description", description),
    ...(file === undefined ? [] : [row("  file", outsidePath(file.path))]),
    ...told("name", file?.header.name),
  ];
}

/** What an officer is asked about, in short, to stand right above the question. */
export function shortRows(core: Core, { id, request }: Question): [string, Cell][] {
  return [
    ["request", sayId(id)],
    ["recipient", toHex(recipientFingerprint(core, request))],
    ["requester", outside(request.requester)],
    ["records", String(request.records.length)],
  ];
}
