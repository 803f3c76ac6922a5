import { fromBase64Url, fromHex } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import {
  encodeRecordPage,
  encodeStored,
  encodeSubmitted,
  MAX_SUBMISSIONS,
  submittedToJson,
} from "../escrow/answers.js";
import {
  RECORD_STATUSES,
  type RecordStatus,
  type StoredRecord,
  type Submission,
  type SubmitResult,
} from "../escrow/index.js";
import { encodeReceipt } from "../escrow/receipt.js";
import { decodeRecord, MAX_SUBMISSION, recordHash } from "../escrow/record.js";
import { submissionFromJson } from "../escrow/submission.js";
import { decodeJcs, encodeJcs, type Json, parseTime } from "../jcs.js";
import { isAbout, notTheirs } from "./admission.js";
import { type Answer, type Call, messageIn } from "./answer.js";
import { forOutside, statusOf } from "./problems.js";

/** Bytes that hand in as many submissions as can be at once. */
export const MAX_HANDED_IN = MAX_SUBMISSIONS * (MAX_SUBMISSION + 1) + 1;

/** Values in them, each counted, at most: a submission has fewer than a quarter of its share. */
const MAX_VALUES = MAX_SUBMISSIONS * 128;

const OPENS_LIST = 0x5b;

/** The submissions in a body, and whether they came as a list. @throws TwinwrapError BAD_FORMAT */
function submissionsIn(call: Call): { list: boolean; submissions: Submission[] } {
  const { body } = call;
  if (body[0] !== OPENS_LIST) {
    return { list: false, submissions: [messageIn(call, "submission").submission] };
  }
  const items = decodeJcs(body, MAX_HANDED_IN, MAX_VALUES) as Json[];
  if (items.length === 0 || items.length > MAX_SUBMISSIONS) {
    const message = `hand in 1 to ${MAX_SUBMISSIONS} submissions at once`;
    throw new TwinwrapError(items.length === 0 ? "BAD_ARGUMENT" : "LIMIT_EXCEEDED", message);
  }
  return { list: true, submissions: items.map((item, i) => itemOf(item, i)) };
}

function itemOf(item: Json, at: number): Submission {
  try {
    return submissionFromJson(item);
  } catch (error) {
    if (!(error instanceof TwinwrapError)) throw error;
    throw new TwinwrapError(error.code, `item ${at}: ${error.message}`);
  }
}

/** Hands in, within the caller's share of what waits to be opened. */
async function submitted(call: Call, submissions: readonly Submission[]): Promise<SubmitResult[]> {
  const { client, service, takeRoom } = call;
  if (service.isUnlocked) return client.submit(submissions);
  const giveBack = await takeRoom(submissions.length);
  let kept = 0;
  try {
    const taken = await client.submit(submissions);
    kept = taken.filter((result) => !("error" in result) && result.isNew).length;
    return taken;
  } finally {
    giveBack(submissions.length - kept);
  }
}

export async function submit(call: Call): Promise<Answer> {
  const { service, token } = call;
  const { list, submissions } = submissionsIn(call);
  call.spend(submissions.length);
  const mine = submissions.filter(({ record }) => isAbout(token, record.owner));
  const taken = await submitted(call, mine);
  let next = 0;
  const results = submissions.map(
    (submission): SubmitResult =>
      mine[next] === submission
        ? taken[next++]!
        : { record: recordHash(service.core, submission.record), error: notTheirs() },
  );
  const told = results.map((result) =>
    "error" in result ? { ...result, error: forOutside(result.error) } : result,
  );
  if (list) return { body: encodeSubmitted(told, statusOf) };
  if ("error" in results[0]!) throw results[0].error;
  const answer = submittedToJson(told[0]!, statusOf);
  return { status: answer.status, body: encodeJcs(answer) };
}

/** A hash in a path or a query: 64 hexadecimal digits, or base64url. @throws TwinwrapError BAD_ARGUMENT */
function hashIn(text: string, what: string): Uint8Array {
  if (/^[0-9a-f]{64}$/i.test(text)) return fromHex(text.toLowerCase());
  if (/^[A-Za-z0-9_-]{43}$/.test(text)) {
    const bytes = fromBase64Url(text);
    if (bytes.length === 32) return bytes;
  }
  throw new TwinwrapError(
    "BAD_ARGUMENT",
    `${what} is 64 hexadecimal digits, or base64url of 32 bytes`,
  );
}

function noRecord(): TwinwrapError {
  return new TwinwrapError("NOT_FOUND", "there is no such record here");
}

/** A record that the caller may see. @throws TwinwrapError NOT_FOUND, as for one that is not there */
async function recordIn({ client, token }: Call, hash: Uint8Array): Promise<StoredRecord> {
  const stored = await client.record(hash);
  if (stored !== undefined && isAbout(token, decodeRecord(stored.record).owner)) return stored;
  throw noRecord();
}

const recordHashIn = ({ params }: Call) => hashIn(params.hash!, "a record's hash");

export async function record(call: Call): Promise<Answer> {
  return { body: encodeStored(await recordIn(call, recordHashIn(call))) };
}

export async function receipt(call: Call): Promise<Answer> {
  const hash = recordHashIn(call);
  if (call.token?.owner !== undefined) await recordIn(call, hash);
  const found = await call.client.receipt(hash);
  if (found === undefined) throw noRecord();
  return { body: encodeReceipt(found) };
}

/** A time in a query. @throws TwinwrapError BAD_ARGUMENT */
export function timeIn(value: string | number | undefined, what: string): Date | undefined {
  if (value === undefined) return undefined;
  const time = parseTime(String(value));
  if (time !== undefined) return time;
  throw new TwinwrapError("BAD_ARGUMENT", `${what} is a UTC time like 2026-01-31T23:59:59Z`);
}

/** One of some words in a query. @throws TwinwrapError BAD_ARGUMENT */
export function wordIn<T extends string>(
  value: string | number | undefined,
  words: readonly T[],
  what: string,
): T | undefined {
  if (value === undefined) return undefined;
  const word = words.find((one) => one === value);
  if (word !== undefined) return word;
  throw new TwinwrapError("BAD_ARGUMENT", `${what} is one of ${words.join(", ")}`);
}

/** A text in a query. @throws TwinwrapError BAD_ARGUMENT for U+0000: a store says so too, but with its place */
function textIn(value: string | number | undefined): string | undefined {
  if (value === undefined || !String(value).includes("\0")) return value?.toString();
  throw new TwinwrapError("BAD_ARGUMENT", "a text in the query has the character U+0000");
}

/** The page that a query asks for. */
export function pageIn({ query }: Call) {
  return { limit: query.limit as number | undefined, cursor: textIn(query.cursor) };
}

function serialIn(text: string): Uint8Array {
  if (/^[0-9a-f]{32}$/i.test(text)) return fromHex(text.toLowerCase());
  throw new TwinwrapError("BAD_ARGUMENT", "a serial is 32 hexadecimal digits");
}

export async function records(call: Call): Promise<Answer> {
  const { client, query, token } = call;
  const owner = textIn(query.owner);
  if (owner !== undefined && !isAbout(token, owner)) throw notTheirs();
  const serial = textIn(query.serial);
  const fingerprint = textIn(query.fingerprint);
  const page = await client.records(
    {
      serial: serial === undefined ? undefined : serialIn(serial),
      label: textIn(query.label),
      owner: token?.owner ?? owner,
      fingerprint: fingerprint === undefined ? undefined : hashIn(fingerprint, "a fingerprint"),
      status: wordIn<RecordStatus>(query.status, RECORD_STATUSES, "a status"),
      from: timeIn(query.from, "from"),
      before: timeIn(query.before, "before"),
      text: textIn(query.text),
    },
    pageIn(call),
  );
  return { body: encodeRecordPage(page) };
}
