import {
  detailRows,
  fileOf,
  type GivenFile,
  ownersOf,
  type Question,
  questionRows,
  type Standing,
  shownStatus,
  stateText,
} from "../client/officer.js";
import type { Core } from "../core/index.js";
import type { RequestSummary } from "../escrow/index.js";
import { formatTime } from "../jcs.js";
import { recordFacts } from "./authority-records.js";
import { formatFingerprint, table } from "./text.js";

// Where a request stands, for people and for machines.

/** A question or a standing for people, each record with what is known of it. */
export function describeQuestion(
  core: Core,
  question: Question | Standing,
  files: readonly GivenFile[],
  output: string | undefined,
): string {
  return table([...questionRows(core, question), ...detailRows(question, files)], output);
}

/** A request in a list, for machines. */
export function summaryFacts(row: RequestSummary) {
  const { id, received, expires, requester, records } = row;
  const times = { received: formatTime(received), expires: formatTime(expires) };
  return { id, status: shownStatus(row), ...times, requester, records };
}

/** Where a request stands, for machines. */
export function standingFacts(
  standing: Standing,
  files: readonly GivenFile[] = [],
): Record<string, unknown> {
  const { id, status, received, request, decision, policy, records, vetoes } = standing;
  const { requester, expires, padding } = request;
  const names = (side: Standing["decision"]["count"]["approving"]) =>
    side.map(({ officer }) => officer.name);
  return {
    ...summaryFacts({ id, status, received, expires, requester, records: request.records.length }),
    state: stateText(standing),
    padding,
    policy: { number: policy.number, hash: formatFingerprint(policy.hash) },
    needed: policy.release,
    approved: names(decision.count.approving),
    denied: names(decision.count.denying),
    vetoed: vetoes,
    owners: ownersOf(standing).owners,
    enrolled: ownersOf(standing).able,
    records: records.map((one) => ({ ...recordFacts(one), ...fileFacts(fileOf(one, files)) })),
  };
}

/** Where a request stands after a word about it, and what is next. */
export function nowText(standing: Standing): string {
  const state = stateText(standing);
  if (standing.status === "released") return `released: ${standing.records.length} records`;
  return state === "approved"
    ? `approved; the authority's key is locked, so \`twinwrap authority release ${standing.id}\` is next`
    : state;
}

/** A question that was carried, for machines. */
export function questionFacts(question: Question, files: readonly GivenFile[]) {
  const { id, request, policy, records } = question;
  return {
    id,
    requester: request.requester,
    expires: formatTime(request.expires),
    padding: request.padding,
    policy: { number: policy.number, hash: formatFingerprint(policy.hash) },
    records: request.records.map((hash) => ({ record: formatFingerprint(hash) })),
    known: records.map(({ hash, record }) => ({
      record: formatFingerprint(hash),
      owner: record.owner,
      description: record.description,
      ...fileFacts(fileOf({ hash, record }, files)),
    })),
  };
}

function fileFacts(file: GivenFile | undefined) {
  return file === undefined ? {} : { file: file.path, name: file.header.name };
}
