import { type Standing, shownStatus, standingOf } from "../client/officer.js";
import { type Recovery, takeRelease } from "../client/recover.js";
import type { RecoveryRequest } from "../escrow/index.js";
import { safe } from "../text.js";
import { make, moment, withMoments } from "./dom.js";
import { reachNow } from "./link.js";
import type { TabAuthority } from "./tab-authority.js";
import { TEXTS } from "./texts.js";
import { complaintOf } from "./words.js";

// Waiting for officers: asks the authority where a request stands, until something was released.

const { recover: words } = TEXTS;
/** How often the authority is asked, in milliseconds. */
const EVERY = 10_000;

/** After these errors the same question has the same answer. */
const FINAL = new Set(["NOT_VERIFIED", "NOT_FOUND", "FORBIDDEN", "UNAUTHENTICATED"]);

/** Where a request stands, for whoever asked. Everything in it was verified. */
function standingView(standing: Standing): Node {
  const { request, status, policy, decision, vetoes } = standing;
  const { approving, denying } = decision.count;
  const list = [
    ...approving.map(({ officer, approval }) => words.approvedBy(officer.name, approval.identity)),
    ...denying.map(({ officer, approval }) => words.deniedBy(officer.name, approval.identity)),
    ...vetoes.map((owner) => words.vetoed(owner)),
  ];
  const shown = shownStatus({ status, expires: request.expires });
  const said =
    shown === "denied" || shown === "expired" || shown === "ended"
      ? make("p", { class: "verdict no" }, words[shown])
      : make("p", { class: "verdict" }, saidOf(standing, policy.release, approving.length));
  return make("div", {}, said, make("ul", {}, ...list.map((text) => make("li", {}, safe(text)))));
}

function saidOf({ decision, notBefore }: Standing, needed: number, have: number): Node | string {
  if (decision.approved) return words.locked;
  if (have < needed) return words.waitingFor(have, needed);
  if (decision.notBefore !== undefined) {
    return make("span", {}, ...around(words.waitsUntil("\0"), moment(notBefore)));
  }
  return withMoments(safe(decision.reason ?? ""));
}

/** A text with an element in one place. */
function around(text: string, element: Node): (Node | string)[] {
  const [before = "", after = ""] = text.split("\0");
  return [before, element, after];
}

/** Whether nothing can come of it any more. */
const isOver = ({ status, request }: Standing) =>
  ["denied", "ended"].includes(status) || request.expires <= new Date();

/** Who is asked for what, and who is told. */
export interface Waiting {
  by: TabAuthority;
  id: string;
  /** What was kept of the request; undefined if only its ID is known. */
  request: RecoveryRequest | undefined;
  /** Where it shows. */
  place: HTMLElement;
  /** Whether somebody still waits for it. */
  isWanted(): boolean;
  onRelease(recovery: Recovery): void;
}

/** Looks once. @returns whether it is worth looking again */
async function look({ by, id, request, place, onRelease }: Waiting): Promise<boolean> {
  await reachNow(by);
  const standing = await standingOf(by, id);
  place.replaceChildren(
    standingView(standing),
    make("p", { class: "hint" }, ...around(words.since("\0"), moment(standing.now))),
  );
  if (standing.status !== "released" && !standing.decision.approved) return !isOver(standing);
  // What is due is released now, if the authority's key is open.
  const release = await by.client!.released(id);
  if (release === undefined) return true;
  onRelease(await takeRelease(by, release, request === undefined ? { id } : { request }));
  return false;
}

/** Looks again and again. A service that is away for a while changes nothing. */
export class Lookout {
  readonly #waiting: Waiting;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> | undefined;

  constructor(waiting: Waiting) {
    this.#waiting = waiting;
  }

  /** Looks now; or waits for the look that is under way. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    const { place, isWanted } = this.#waiting;
    if (!isWanted()) return;
    let goesOn = true;
    try {
      goesOn = await look(this.#waiting);
    } catch (error) {
      const { what, code } = complaintOf(error);
      place.replaceChildren(make("p", { class: "warn-text" }, withMoments(safe(what))));
      // What can't be believed once is not asked for again by itself.
      goesOn = !FINAL.has(code);
    }
    if (goesOn && isWanted()) this.#timer = setTimeout(() => void this.look(), EVERY);
  }
}
