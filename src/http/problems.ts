import { type ErrorCode, TwinwrapError } from "../errors.js";
import { problemToJson } from "../escrow/answers.js";
import { encodeJcs } from "../jcs.js";

// How a call fails, over HTTP: application/problem+json (RFC 9457).

/** The one table from codes to statuses. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  BAD_ARGUMENT: 400,
  BAD_BLOB: 400,
  BAD_FORMAT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_ENTITLED: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  DUPLICATE: 409,
  NO_POLICY: 409,
  NOT_APPROVED: 409,
  CLOSED: 410,
  LIMIT_EXCEEDED: 413,
  NO_ROOM: 413,
  BAD_KEY: 422,
  DECRYPTION_FAILED: 422,
  NOT_A_RECIPIENT: 422,
  NOT_PROVEN: 422,
  NOT_VERIFIED: 422,
  REFUSED: 422,
  WEAK_KEY: 422,
  WRONG_AUTHORITY: 422,
  WRONG_PASSPHRASE: 422,
  BACKLOG: 429,
  BUSY: 429,
  ABORTED: 500,
  FAULT: 500,
  UNSUPPORTED: 501,
  DISPOSED: 503,
  FENCED: 503,
  PASSPHRASE_NEEDED: 503,
  UNAVAILABLE: 503,
};

/** What failed here is nobody's affair outside: its text may name paths and hosts. The log has it. */
const INSIDE: Partial<Record<ErrorCode, string>> = {
  ABORTED: "the service could not finish this: its log says why",
  CONFLICT: "the store was busy for too long: try again",
  DISPOSED: "the service is shutting down: try again",
  FAULT: "something is wrong inside the service: its log says what",
  UNAVAILABLE: "the service can't reach its store now: try again",
  UNSUPPORTED: "the service does not do this here",
};

/** Characters of a text for people at most. */
const MAX_DETAIL = 1000;
/** Seconds after which a call is worth another try. */
const RETRY = 5;

/** A call that fails before it reaches the authority. */
export class HttpProblem extends TwinwrapError {
  /** @param status where it is not the code's own */
  constructor(
    code: ErrorCode,
    message: string,
    readonly status: number = STATUS[code],
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(code, message);
  }
}

export function statusOf(error: TwinwrapError): number {
  return STATUS[error.code] ?? 500;
}

/** The same error, as those outside are told it. */
export function forOutside(error: TwinwrapError): TwinwrapError {
  const told = INSIDE[error.code];
  return told === undefined || error instanceof HttpProblem
    ? error
    : new TwinwrapError(error.code, told);
}

/** A failed call's answer. */
export interface ProblemAnswer {
  status: number;
  body: Uint8Array<ArrayBuffer>;
  headers: Record<string, string>;
}

export function problemAnswer(given: TwinwrapError): ProblemAnswer {
  const error = forOutside(given);
  const status = given instanceof HttpProblem ? given.status : statusOf(error);
  const isTransient = error.code === "UNAVAILABLE" || error.code === "DISPOSED";
  // Half a surrogate pair is no text.
  const detail = Buffer.from(error.message.slice(0, MAX_DETAIL)).toString();
  return {
    status,
    body: encodeJcs(problemToJson({ status, code: error.code, detail })),
    headers: {
      "content-type": "application/problem+json",
      ...(isTransient ? { "retry-after": String(RETRY) } : {}),
      ...(status === 401 ? { "www-authenticate": 'Bearer realm="twinwrap"' } : {}),
      ...(given instanceof HttpProblem ? given.headers : {}),
    },
  };
}
