import { TwinwrapError } from "../errors.js";
import type { Authority } from "../escrow/index.js";

/** What went wrong, and what the reader can do. */
export interface Complaint {
  what: string;
  next?: string;
  code: string;
}

/** A mistake that the page itself finds, in words. */
export class PageError extends Error {}

/** Where authorities come in. */
export const ADD_AUTHORITY =
  "Add its authority.json, or your connection file, under “Keys in this tab”.";

/** Said of a connection file that is out of date. */
export const NEWER =
  "Its identity or policies are newer than in your connection file: save the newer file, in place of the old one.";

/** Said where the page's policy keeps it from an authority's service. */
export function closedTo(origin: string): string {
  return `This page was not built to connect to ${origin}. Whoever builds it can allow that: npm run page -- --authority ${origin}. Until then add the authority's authority.json, and carry files.`;
}

/** Said where an authority's service answers, but not to this page: why it can't be reached. */
export function notLetIn(host: string): string {
  return `${host} answers, but not to this page: whoever runs it has to allow the page's origin, ${location.origin}`;
}

/** Said where an authority's service can't be reached. @param why in words, without a full stop */
export function awayText({ origin }: Pick<Authority, "origin">, why: string): string {
  return `${origin} can't be asked now: ${why}.`;
}

/** Words for people, by code of the error. Other errors keep their own words. */
const WORDS: Record<string, { what?: string; next?: string }> = {
  NOT_A_RECIPIENT: {
    what: "None of the keys in this tab opens this file.",
    next: "Add the private key that belongs to it. “Inspect” shows which keys those are; if they are all lost, see “Recover”.",
  },
  DECRYPTION_FAILED: {
    what: "This file can't be opened: the key is not the right one, or the file was damaged or altered.",
    next: "If you have another copy of the file, try that.",
  },
  WRONG_PASSPHRASE: { what: "The passphrase does not open this key." },
  ABORTED: { what: "Stopped. Nothing was saved." },
  LIMIT_EXCEEDED: {},
  NOT_VERIFIED: { next: "Don't rely on it. Ask whoever gave it to you for another copy." },
  UNSUPPORTED: { next: "Try a current Chrome, Firefox or Safari, over https." },
  FAULT: { next: "Try again; if it comes back, another browser or device will do." },
  UNAUTHENTICATED: {
    next: "The authority's people can give you a new token. Add the connection file that is made with it.",
  },
  FORBIDDEN: { next: "The authority's people can say what your token is for." },
  CLOSED: { next: "Ask again, with a new request." },
  BAD_FORMAT: { next: "Is it the right file, and is it all there?" },
};

/** Names of errors that browsers throw where a file can't be read. */
const UNREADABLE = new Set(["NotReadableError", "NotFoundError"]);

export function complaintOf(error: unknown): Complaint {
  if (error instanceof PageError) return { what: error.message, code: "" };
  if (error instanceof TwinwrapError) {
    const { what, next } = WORDS[error.code] ?? {};
    return { what: what ?? sentence(error.message), code: error.code, ...(next && { next }) };
  }
  const { name, message } = error as Error;
  if (UNREADABLE.has(name)) {
    return {
      what: "The file can't be read: it was moved, changed or taken away since it was chosen.",
      next: "Choose it again.",
      code: name,
    };
  }
  return {
    what: `Something unexpected happened: ${message}`,
    next: "Nothing was saved. Reloading the page may help; keys in it are gone then.",
    code: name,
  };
}

function sentence(text: string): string {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(start) ? start : `${start}.`;
}
