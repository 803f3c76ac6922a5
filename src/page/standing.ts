import { countsVeto, type Question, type Standing, shownStatus } from "../client/officer.js";
import { formatTime } from "../jcs.js";

// How a request stands, decided from what was verified. The page has its own words for each state.

export type State =
  | "released"
  | "denied"
  | "ended"
  | "expired"
  | "approved"
  | "needed"
  | "waits"
  | "vetoed";

/** What a text about a state needs to know. */
export interface Stand {
  state: State;
  /** Officers who have approved, and how many it takes. */
  have: number;
  need: number;
  /** Until when it waits, in the form of formatTime. */
  until: string;
}

/** Where a request stands that the authority has. */
export function standOf(standing: Standing): Stand {
  const { status, request, policy, decision, notBefore, vetoes } = standing;
  const have = decision.count.approving.length;
  const shown = shownStatus({ status, expires: request.expires });
  const about = { have, need: policy.release, until: formatTime(notBefore) };
  if (shown !== "open") return { ...about, state: shown };
  if (decision.approved) return { ...about, state: "approved" };
  if (decision.denied) return { ...about, state: "denied" };
  if (vetoes.some((owner) => countsVeto(standing, owner))) {
    return { ...about, state: "vetoed", need: policy.emergency };
  }
  if (decision.notBefore === undefined) return { ...about, state: "needed" };
  return { ...about, state: "waits", until: formatTime(decision.notBefore) };
}

export type Over = "released" | "denied" | "ended" | "expired";

const isOver = (state: State): state is Over =>
  ["released", "denied", "ended", "expired"].includes(state);

/** How a request is over, of which nothing can come any more but what has come already; undefined if it is not. */
export function overOf(question: Question | Standing): Over | undefined {
  if ("decision" in question) {
    const { state } = standOf(question);
    return isOver(state) ? state : undefined;
  }
  return question.request.expires <= new Date() ? "expired" : undefined;
}
