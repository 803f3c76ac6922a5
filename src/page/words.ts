import { TwinwrapError } from "../errors.js";
import type { Authority } from "../escrow/index.js";
import { safe } from "../text.js";
import { make, withMoments } from "./dom.js";
import { TEXTS } from "./texts.js";

/** What went wrong, and what the reader can do. */
export interface Complaint {
  what: string;
  /** What the error says exactly, in the words of whoever threw it, if that says more. */
  exactly?: string;
  next?: string;
  code: string;
}

/** A mistake that the page itself finds, in words. */
export class PageError extends Error {
  /** The field that it is about, as a selector within the form; undefined if it is about none. */
  readonly at: string | undefined;

  constructor(message: string, at?: string) {
    super(message);
    this.at = at;
  }
}

/** Said where an authority's service can't be reached. @param why in words, without a full stop */
export function awayText({ origin }: Pick<Authority, "origin">, why: string): string {
  return TEXTS.words.away(origin, why);
}

/** Names of errors that browsers throw where a file can't be read. */
const UNREADABLE = new Set(["NotReadableError", "NotFoundError"]);

export function complaintOf(error: unknown): Complaint {
  const { words, errors } = TEXTS;
  if (error instanceof PageError) return { what: error.message, code: "" };
  if (error instanceof TwinwrapError) {
    const { what, next, isAll } = errors[error.code];
    return {
      what,
      ...(isAll ? {} : { exactly: error.message }),
      ...(next && { next }),
      code: error.code,
    };
  }
  const { name, message } = error as Error;
  if (UNREADABLE.has(name)) {
    return { what: words.unreadable, next: words.chooseAgain, code: name };
  }
  return { what: words.unexpected(message), next: words.unexpectedNext, code: name };
}

/** What went wrong, and what the reader can do, to be shown. */
export function complaintView(error: unknown): Node[] {
  const { what, exactly, next, code } = complaintOf(error);
  return [
    make("p", {}, withMoments(safe(what))),
    ...(exactly === undefined
      ? []
      : [make("p", { class: "note" }, withMoments(safe(TEXTS.words.exactly(sentence(exactly)))))]),
    ...(next === undefined ? [] : [make("p", {}, next)]),
    ...(code === "" ? [] : [make("p", {}, make("small", {}, code))]),
  ];
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
