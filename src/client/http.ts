import { concatBytes, fromUtf8, newBytes, toHex, toUtf8 } from "../bytes.js";
import type { Core } from "../core/index.js";
import { isAboutContent, notVerified, TwinwrapError } from "../errors.js";
import {
  decodeNotes,
  decodeRecordPage,
  decodeRequestPage,
  decodeStanding,
  decodeStored,
  decodeSubmitted,
  decodeTokenInfo,
  MAX_ANSWER,
  MAX_SUBMISSIONS,
  problemFromJson,
  type TokenInfo,
} from "../escrow/answers.js";
import {
  type AuthorityClient,
  type AuthorityFile,
  decodeAuthority,
  decodeReceipt,
  decodeRelease,
  encodeRequest,
  encodeSubmission,
  type Page,
  type PageOptions,
  parseApproval,
  parseRequestId,
  parseVeto,
  type Receipt,
  type RecordQuery,
  type RecoveryRequest,
  type Release,
  type RequestQuery,
  type RequestSummary,
  recordHash,
  requestId,
  type StandingMessage,
  type StoredRecord,
  type Submission,
  type SubmitResult,
} from "../escrow/index.js";
import { consistencyProof } from "../escrow/merkle.js";
import { nodesFromTiles, tilePath } from "../escrow/tiles.js";
import { formatTime, type Json, parseJson } from "../jcs.js";
import { Unreachable } from "./unreachable.js";

// The port to an authority's service over HTTP. Wherever there is fetch: Node, browsers, workers, Deno, Bun.

export interface HttpOptions {
  /** Where the service is: https://… , or http://… on this machine. */
  url: string;
  token?: string | undefined;
  /** How long to go on trying while the service can't be reached or is busy, in milliseconds: 30 s by default. */
  patience?: number | undefined;
  /** How long one try may take, with all of its answer, in milliseconds: 30 s by default, or `patience` if that is less. */
  tryFor?: number | undefined;
  /** Bytes of an answer at most: 64 MiB by default, as much as any has. */
  maxAnswer?: number | undefined;
  /** Ends every call. */
  signal?: AbortSignal | undefined;
  /** By default the engine's own. */
  fetch?: Fetch | undefined;
}

/** As much of an engine's `fetch` as is used here. Declared, so that it needs no types of the DOM. */
export type Fetch = (url: URL, init: object) => Promise<Response>;

const PATIENCE = 30_000;
const ONE_TRY = 30_000;
/** How long the last try may take at least, in milliseconds. */
const LAST_TRY = 1_000;
const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 5_000;
/** Statuses after which the same call may do better. */
const TRANSIENT = new Set([408, 429, 500, 502, 503, 504]);
/** Codes of the service that time alone does not mend. */
const LASTING = new Set(["FENCED", "PASSPHRASE_NEEDED", "FAULT", "BACKLOG"]);

interface Sent {
  method: "GET" | "POST";
  path: string;
  body?: Uint8Array<ArrayBuffer> | undefined;
  type?: string | undefined;
  /** Statuses that are answers, besides 200 and 201. */
  also?: readonly number[];
}

interface Got {
  status: number;
  body: Uint8Array<ArrayBuffer>;
}

/** Checks where the service is. @throws TwinwrapError BAD_ARGUMENT */
export function checkUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new TwinwrapError("BAD_ARGUMENT", "the service's address is no URL");
  }
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLocal)) {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      "the service's address is https://… : http:// is for this machine alone",
    );
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new TwinwrapError("BAD_ARGUMENT", "the service's address has no user, query or fragment");
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

export class HttpClient implements AuthorityClient {
  readonly #core: Core;
  readonly #base: URL;
  readonly #options: HttpOptions;
  /** Which log is in use: the service says so with its identity. */
  #log: number | undefined;

  /** @throws TwinwrapError BAD_ARGUMENT if there can be no service at this address */
  constructor(core: Core, options: HttpOptions) {
    this.#core = core;
    this.#base = checkUrl(options.url);
    this.#options = options;
    if (options.token !== undefined && !/^[\x21-\x7e]+$/.test(options.token)) {
      throw new TwinwrapError("BAD_ARGUMENT", "the token has characters that no token has");
    }
  }

  async file(): Promise<AuthorityFile> {
    const { body } = await this.#call({ method: "GET", path: "v1/authority" });
    const file = decodeAuthority(body);
    this.#log = file.identities.length - 1;
    return file;
  }

  async submit(submissions: readonly Submission[]): Promise<SubmitResult[]> {
    const results: SubmitResult[] = [];
    for (let at = 0; at < submissions.length; at += MAX_SUBMISSIONS) {
      results.push(...(await this.#submitPart(submissions.slice(at, at + MAX_SUBMISSIONS))));
    }
    return results;
  }

  async #submitPart(submissions: readonly Submission[]): Promise<SubmitResult[]> {
    const body = listOf(submissions.map(encodeSubmission));
    const answer = await this.#post("v1/records", body, JSON_TYPE);
    const results = decodeSubmitted(answer.body);
    const isRight =
      results.length === submissions.length &&
      results.every(
        ({ record }, i) => toHex(record) === toHex(recordHash(this.#core, submissions[i]!.record)),
      );
    if (isRight) return results;
    throw notVerified("the authority answered about other submissions than it was sent");
  }

  receipt(record: Uint8Array): Promise<Receipt | undefined> {
    return this.#find(`v1/records/${toHex(record)}/receipt`, decodeReceipt);
  }

  record(record: Uint8Array): Promise<StoredRecord | undefined> {
    return this.#find(`v1/records/${toHex(record)}`, decodeStored);
  }

  async records(query: RecordQuery, page?: PageOptions): Promise<Page<StoredRecord>> {
    const { serial, label, owner, fingerprint, status, from, before, text } = query;
    const path = withQuery("v1/records", {
      serial: serial && toHex(serial),
      label,
      owner,
      fingerprint: fingerprint && toHex(fingerprint),
      status,
      from: from && formatTime(from),
      before: before && formatTime(before),
      text,
      ...page,
    });
    return decodeRecordPage((await this.#get(path)).body);
  }

  async requests(query: RequestQuery, page?: PageOptions): Promise<Page<RequestSummary>> {
    const { status, after, until } = query;
    const path = withQuery("v1/requests", {
      status,
      after: after && formatTime(after),
      until: until && formatTime(until),
      ...page,
    });
    return decodeRequestPage((await this.#get(path)).body);
  }

  async ask(request: RecoveryRequest): Promise<StandingMessage> {
    const { body } = await this.#post("v1/requests", encodeRequest(request), JSON_TYPE);
    return decodeStanding(body);
  }

  async standing(id: string): Promise<StandingMessage> {
    return decodeStanding((await this.#get(`v1/requests/${parseRequestId(id)}`)).body);
  }

  async decide(note: string): Promise<StandingMessage> {
    const isVeto = note.startsWith("twinwrap/veto/");
    const { request } = isVeto ? parseVeto(note) : parseApproval(note);
    const path = `v1/requests/${requestId(request)}/notes`;
    return decodeStanding((await this.#post(path, toUtf8(note), TEXT_TYPE)).body);
  }

  async policies(): Promise<string[]> {
    return decodeNotes((await this.#get("v1/policy")).body);
  }

  async takePolicy(note: string): Promise<string> {
    return fromUtf8((await this.#post("v1/policy/notes", toUtf8(note), TEXT_TYPE)).body);
  }

  /** What was released; what is due is released now. */
  async released(id: string): Promise<Release | undefined> {
    const path = `v1/requests/${parseRequestId(id)}/release`;
    const { status, body } = await this.#call({ method: "POST", path, also: [202] });
    return status === 202 ? undefined : decodeRelease(body);
  }

  async checkpoint(): Promise<string | undefined> {
    const path = `${await this.#logPath()}/checkpoint`;
    return this.#find(path, fromUtf8);
  }

  /** The newest checkpoint of one of the logs; undefined while it is empty. @param log from 0 */
  checkpointOf(log: number): Promise<string | undefined> {
    return this.#find(`log/${log}/checkpoint`, fromUtf8);
  }

  /** A tile of leaves of one of the logs: each behind its length, two bytes. */
  async entries(log: number, index: number, width: number): Promise<Uint8Array> {
    return (await this.#get(`log/${log}/${tilePath("entries", index, width)}`)).body;
  }

  async consistency(from: number, to: number): Promise<Uint8Array[]> {
    const log = await this.#logPath();
    const read = async (level: number, index: number, width: number) =>
      (await this.#get(`${log}/${tilePath(level, index, width)}`)).body;
    return consistencyProof(this.#core, nodesFromTiles(this.#core, to, read), from, to);
  }

  /**
   * Enrols the owner that the token is bound to.
   * @param control control.pub.pem
   * @param owner whom, if the token is an administrator's
   * @returns the bytes of the owner's file; the caller wipes them
   */
  async enrol(control: Uint8Array, owner?: string): Promise<Uint8Array<ArrayBuffer>> {
    const path = withQuery("v1/enrolments", { owner });
    return (await this.#post(path, new Uint8Array(control), TEXT_TYPE)).body;
  }

  /** What the token is for. @throws TwinwrapError UNAUTHENTICATED if it is not good */
  async token(): Promise<TokenInfo> {
    return decodeTokenInfo((await this.#get("v1/token")).body);
  }

  async #logPath(): Promise<string> {
    if (this.#log === undefined) await this.file();
    return `log/${this.#log}`;
  }

  #get(path: string): Promise<Got> {
    return this.#call({ method: "GET", path });
  }

  #post(path: string, body: Uint8Array<ArrayBuffer>, type: string): Promise<Got> {
    return this.#call({ method: "POST", path, body, type });
  }

  /** Something that may not be there. */
  async #find<T>(path: string, read: (bytes: Uint8Array) => T): Promise<T | undefined> {
    const { status, body } = await this.#call({ method: "GET", path, also: [404] });
    return status === 404 ? undefined : read(body);
  }

  /** Every call can be made again: what was done already is answered as before. */
  async #call(sent: Sent): Promise<Got> {
    const { patience = PATIENCE, signal } = this.#options;
    // Without patience there is one try, as long as any.
    const { tryFor = Math.min(ONE_TRY, patience || ONE_TRY) } = this.#options;
    const end = Date.now() + patience;
    let isFirst = true;
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      const left = Math.max(LAST_TRY, end - Date.now());
      const outcome = await this.#try(sent, isFirst ? tryFor : Math.min(tryFor, left));
      isFirst = false;
      if (!("error" in outcome)) return outcome;
      const { error, after = 0, isFinal } = outcome;
      // Not all who were turned away come back together.
      const wait = Math.max(after, pause * (0.5 + Math.random() / 2));
      if (isFinal) throw error;
      if (Date.now() + wait > end)
        throw new Unreachable(error.code, error.message, { cause: error });
      await sleep(wait, signal);
    }
  }

  async #try(sent: Sent, ms: number): Promise<Got | Failed> {
    let response: Response;
    let body: Uint8Array<ArrayBuffer>;
    const { signal, token, maxAnswer = MAX_ANSWER } = this.#options;
    const ends = new AbortController();
    const timer = setTimeout(() => ends.abort(), ms);
    const onAbort = () => ends.abort();
    signal?.addEventListener("abort", onAbort);
    try {
      if (signal?.aborted) throw aborted();
      response = await (this.#options.fetch ?? fetch)(new URL(sent.path, this.#base), {
        method: sent.method,
        // Never to another place: the token would go along.
        redirect: "manual",
        credentials: "omit",
        cache: "no-store",
        referrerPolicy: "no-referrer",
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(sent.type === undefined ? {} : { "content-type": sent.type }),
        },
        ...(sent.body === undefined ? {} : { body: sent.body }),
        signal: ends.signal,
      });
      body = await bodyOf(response, maxAnswer);
    } catch (error) {
      if (signal?.aborted) throw aborted();
      if (error instanceof TwinwrapError) return { error, isFinal: true };
      return { error: unreachable(this.#base, error), isFinal: false };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      ends.abort(); // what is still to come of an answer is not wanted
    }
    return this.#weigh(sent, response, body);
  }

  #weigh(sent: Sent, response: Response, body: Uint8Array<ArrayBuffer>): Got | Failed {
    const { status, type } = response;
    if (type === "opaqueredirect" || (status >= 300 && status < 400)) {
      const message = `${this.#base.host} sends the caller elsewhere: that is not followed`;
      return { error: notVerified(message), isFinal: true };
    }
    const isAnswer = status === 200 || status === 201 || sent.also?.includes(status);
    const problem = status >= 400 ? problemIn(body) : undefined;
    // A page of a proxy says nothing about the authority: only the service's own "not found" is an answer.
    const isPage = /^text\/html\b/i.test(response.headers.get("content-type") ?? "");
    const isSaid = status < 400 ? !isPage : problem?.code === "NOT_FOUND";
    if (isAnswer && isSaid) return { status, body };
    const isFinal =
      (!TRANSIENT.has(status) && problem?.code !== "CONFLICT") ||
      (problem !== undefined && LASTING.has(problem.code));
    const error =
      problem ??
      new TwinwrapError(
        "UNAVAILABLE",
        `${this.#base.host} answers with status ${status}, and not as an authority's service does`,
      );
    return { error, isFinal, after: retryAfter(response) };
  }
}

interface Failed {
  error: TwinwrapError;
  /** Another try would fail too. */
  isFinal: boolean;
  /** How long the service asks to wait, in milliseconds. */
  after?: number;
}

const JSON_TYPE = "application/json";
const TEXT_TYPE = "text/plain";

/** What an answer holds. @throws TwinwrapError NOT_VERIFIED if that is more than any answer has */
async function bodyOf(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  if (response.body === null) return newBytes(0);
  const pieces: Uint8Array[] = [];
  let length = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concatBytes(...pieces);
    length += value.length;
    if (length > maxBytes) {
      await reader.cancel().catch(() => {});
      throw notVerified("the service's answer does not end: no answer is so long");
    }
    pieces.push(value);
  }
}

/** The service's own account of what went wrong; undefined if it is none. */
function problemIn(body: Uint8Array): TwinwrapError | undefined {
  try {
    return problemFromJson(parseJson<Json>(fromUtf8(body), 64, "no problem"));
  } catch (error) {
    if (!isAboutContent(error)) throw error;
    return undefined;
  }
}

function retryAfter({ headers }: Response): number {
  const seconds = Number(headers.get("retry-after") ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}

function unreachable({ host }: URL, cause: unknown): Unreachable {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const isLate = inner instanceof Error && inner.name === "AbortError";
  const code = (inner as { code?: unknown }).code;
  const why = isLate
    ? "it did not answer in time"
    : typeof code === "string"
      ? code
      : "no connection";
  return new Unreachable("UNAVAILABLE", `${host} can't be reached: ${why}`, { cause });
}

function aborted(): TwinwrapError {
  return new TwinwrapError("ABORTED", "the call was aborted");
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(aborted());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/** A list of canonical JSON values. */
function listOf(items: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const comma = toUtf8(",");
  const parts = items.flatMap((item, i) => (i === 0 ? [item] : [comma, item]));
  return concatBytes(toUtf8("["), ...parts, toUtf8("]"));
}

function withQuery(path: string, query: Record<string, string | number | undefined>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  const text = String(parameters);
  return text === "" ? path : `${path}?${text}`;
}
