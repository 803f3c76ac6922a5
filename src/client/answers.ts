import {
  type Kind,
  listOf,
  needDate,
  needFlag,
  needText,
  needUint8Array,
  objectOf,
  oneOf,
  optional,
  same,
  unchecked,
  whole,
} from "../arguments.js";
import { PADDINGS } from "../envelope/header.js";
import { notVerified, TwinwrapError } from "../errors.js";
import * as k from "../escrow/arguments.js";
import {
  type AuthorityClient,
  type Page,
  RECORD_STATUSES,
  REQUEST_STATUSES,
  type RequestSummary,
  type StandingMessage,
  type StoredRecord,
  type SubmitResult,
} from "../escrow/index.js";

// Checks the form of an authority's answers, before anything in them is verified.

const leaf = optional(whole(0));
const stored = objectOf<StoredRecord>({
  record: needUint8Array,
  status: oneOf(...RECORD_STATUSES),
  escrowLeaf: leaf,
  verifiedLeaf: leaf,
  wraps: listOf(objectOf({ fingerprint: k.hash, padding: oneOf(...PADDINGS) })),
});
const summary = objectOf<RequestSummary>({
  id: needText,
  status: oneOf(...REQUEST_STATUSES),
  received: needDate,
  expires: needDate,
  requester: needText,
  records: whole(1),
});
const pageOf = <Item>(item: Kind<Item>) =>
  objectOf<Page<Item>>({ rows: listOf(item), next: optional(needText) });
const standing = objectOf<StandingMessage>({
  request: needUint8Array,
  status: oneOf(...REQUEST_STATUSES),
  requested: objectOf({ leaf: needText, proof: needText }),
  approvals: listOf(needText),
  vetoes: listOf(objectOf({ note: needText, control: k.hash })),
  enrolled: listOf(needText),
  records: listOf(stored),
});
const refused = objectOf({ record: k.hash, error: unchecked });
const taken = objectOf({ record: k.hash, isNew: needFlag, receipt: k.receipt });
const submitted: Kind<SubmitResult> = (value, what) => {
  const { error } = same(refused)(value, what) as { error?: unknown };
  if (error instanceof TwinwrapError) return value as SubmitResult;
  return taken(value, what) as SubmitResult;
};

/** Waits for an answer, and checks its form. @throws TwinwrapError NOT_VERIFIED */
async function formed<T>(kind: Kind<unknown>, asking: Promise<T>): Promise<T> {
  const answer = await asking;
  try {
    return kind(answer, "it") as T;
  } catch (error) {
    if (!(error instanceof TwinwrapError && error.code === "BAD_ARGUMENT")) throw error;
    throw notVerified(`the authority's answer is malformed: ${error.message}`);
  }
}

/** A client whose answers have the right form. Others become NOT_VERIFIED. */
export function withCheckedAnswers(client: AuthorityClient): AuthorityClient {
  return {
    file: () => formed(k.authorityFile, client.file()),
    submit: (submissions) => formed(listOf(submitted), client.submit(submissions)),
    receipt: (record) => formed(optional(k.receipt), client.receipt(record)),
    record: (record) => formed(optional(stored), client.record(record)),
    records: (query, page) => formed(pageOf(stored), client.records(query, page)),
    requests: (query, page) => formed(pageOf(summary), client.requests(query, page)),
    ask: (request) => formed(standing, client.ask(request)),
    standing: (id) => formed(standing, client.standing(id)),
    decide: (note) => formed(standing, client.decide(note)),
    policies: () => formed(listOf(needText), client.policies()),
    takePolicy: (note) => formed(needText, client.takePolicy(note)),
    released: (id) => formed(optional(k.release), client.released(id)),
    checkpoint: () => formed(optional(needText), client.checkpoint()),
    consistency: (from, to) => formed(listOf(needUint8Array), client.consistency(from, to)),
  };
}
