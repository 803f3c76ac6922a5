import { TwinwrapError } from "../../errors.js";
import { StoreError } from "./store-error.js";

// What PostgreSQL says when it can't go on (https://www.postgresql.org/docs/current/errcodes-appendix.html), in words
// for people, and what it means for a transaction.

/** SQLSTATE; or the system's code, like "ECONNREFUSED". */
export function sqlState(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? "");
}

const isState = (code: string) => /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code);

/** The server ends, or has not begun to work, or has ended a transaction in which nothing happened. */
const AWAY = new Set(["57P01", "57P02", "57P03", "57P05", "25P03"]);

/** What a connection throws when it is gone: the driver and the system have no SQLSTATE. */
class LostConnection extends Error {}

/** A connection's error, as {@link isLost} knows it. Errors of others, like a file's, are never taken for one. */
export function asLost(error: unknown): unknown {
  if (error instanceof TwinwrapError || isState(sqlState(error))) return error;
  if (!(error instanceof Error) || !isAboutConnection(error)) return error;
  return new LostConnection(error.message || sqlState(error), { cause: error });
}

/** Whether the connection is gone: nobody knows what became of a COMMIT that was under way. */
export function isLost(error: unknown): boolean {
  if (error instanceof LostConnection) return true;
  const code = error instanceof TwinwrapError ? "" : sqlState(error);
  return code.startsWith("08") || AWAY.has(code);
}

function isAboutConnection(error: Error): boolean {
  return (
    /^E[A-Z]+$/.test(sqlState(error)) ||
    /connection|timeout|not queryable|client was closed/i.test(error.message)
  );
}

/** Whether the server begins to work: it is there, and will answer soon. */
export function isStarting(error: unknown): boolean {
  return sqlState(error) === "57P03";
}

/** Whether the same transaction may succeed if it begins again: 40001 serialization failure, 40P01 deadlock. */
export function isConflict(error: unknown): boolean {
  return ["40001", "40P01"].includes(sqlState(error));
}

type Words = [code: "FAULT" | "UNAVAILABLE" | "CONFLICT" | "BAD_ARGUMENT", words: string];

/** By SQLSTATE, or its first two characters. */
const WORDS: Record<string, Words> = {
  "22": ["FAULT", "what was to be written does not fit its columns"],
  "22021": ["BAD_ARGUMENT", "it keeps no text with U+0000"],
  "23": ["FAULT", "what was to be written does not fit what is there"],
  "25006": ["UNAVAILABLE", "it is read-only: a standby, perhaps"],
  "28": ["UNAVAILABLE", "it refuses this user or password"],
  "3D000": ["UNAVAILABLE", "there is no such database"],
  "42501": ["UNAVAILABLE", "this user has no right to that"],
  "42P01": ["FAULT", "a table of the store is missing: go on from the newest backup"],
  "53100": ["UNAVAILABLE", "no space left, nothing was written: make room, then again"],
  "53300": ["UNAVAILABLE", "it has too many connections"],
  "53": ["UNAVAILABLE", "it has too little of something: see its log"],
  "54": ["FAULT", "what was to be written is too long for it"],
  "55P03": ["CONFLICT", "the store was kept busy by others for too long: try again"],
  "57": ["UNAVAILABLE", "it ended the work: see its log"],
  "58": ["UNAVAILABLE", "its system fails: see its log"],
  XX001: ["FAULT", "the store is damaged: go on from the newest backup"],
  XX002: ["FAULT", "an index of the store is damaged: see its log"],
  "40": ["CONFLICT", "others kept the store busy: try again"],
};

/**
 * What to throw in place of PostgreSQL's error: a TwinwrapError FAULT, UNAVAILABLE, CONFLICT or BAD_ARGUMENT. Other
 * errors stay as they are.
 * @param name of the store
 */
export function inWords(name: string, cause: unknown): unknown {
  if (cause instanceof TwinwrapError) return cause;
  const state = sqlState(cause);
  const known = WORDS[state] ?? (isState(state) ? WORDS[state.slice(0, 2)] : undefined);
  if (known !== undefined) return new TwinwrapError(known[0], `${name}: ${known[1]}`, { cause });
  if (cause instanceof Error && /^SASL/.test(cause.message)) {
    const message = `${name} asks for a password, and has got none`;
    return new StoreError("password", "UNAVAILABLE", message, { cause });
  }
  if (!isLost(cause)) return cause;
  const { message } = cause as Error;
  return new TwinwrapError("UNAVAILABLE", `${name} can't be reached: ${message}`, { cause });
}
