import { type Standing, standingOf } from "../client/officer.js";
import { type Recovery, takeRelease } from "../client/recover.js";
import type { RecoveryRequest } from "../escrow/index.js";
import { formatTime } from "../jcs.js";
import { safe } from "../text.js";
import { make, withMoments } from "./dom.js";
import { reachNow } from "./link.js";
import { overOf, type Stand, standOf } from "./standing.js";
import type { TabAuthority } from "./tab-authority.js";
import { TEXTS } from "./texts.js";
import { complaintOf, complaintView } from "./words.js";

// Waiting for officers: asks the authority where a request stands, until something was released.

const { recover: words } = TEXTS;
/** How often the authority is asked, in milliseconds. */
const EVERY = 10_000;

/** After these errors the same question has the same answer. */
const FINAL = new Set(["NOT_VERIFIED", "NOT_FOUND", "FORBIDDEN", "UNAUTHENTICATED"]);

/** Where a request stands, for whoever asked. Everything in it was verified. */
function standingView(standing: Standing): Node {
  const { decision, vetoes } = standing;
  const { approving, denying } = decision.count;
  const list = [
    ...approving.map(({ officer, approval }) => words.approvedBy(officer.name, approval.identity)),
    ...denying.map(({ officer, approval }) => words.deniedBy(officer.name, approval.identity)),
    ...vetoes.map((owner) => words.vetoedBy(owner)),
  ];
  const stand = standOf(standing);
  const isBad = overOf(standing) !== undefined && stand.state !== "released";
  return make(
    "div",
    {},
    make("p", { class: isBad ? "verdict no" : "verdict" }, withMoments(saidOf(stand))),
    make("ul", {}, ...list.map((text) => make("li", {}, safe(text)))),
  );
}

function saidOf({ state, have, need, until }: Stand): string {
  switch (state) {
    case "approved":
    case "released":
      return words.locked;
    case "needed":
      return words.waitingFor(have, need);
    case "waits":
      return words.waitsUntil(until);
    case "vetoed":
      return words.vetoed(have, need);
    default:
      return words[state];
  }
}

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
  /** Nothing will come of it. */
  onOver(): void;
}

/** Looks once. @returns whether it is worth looking again */
async function look(waiting: Waiting): Promise<boolean> {
  const { by, id, request, place } = waiting;
  await reachNow(by);
  const standing = await standingOf(by, id);
  const since = words.since(formatTime(standing.now));
  place.replaceChildren(standingView(standing), make("p", { class: "hint" }, withMoments(since)));
  if (standing.status !== "released" && !standing.decision.approved) {
    const isOver = overOf(standing) !== undefined;
    if (isOver) waiting.onOver();
    return !isOver;
  }
  // What is due is released now, if the authority's key is open.
  const release = await by.client!.released(id);
  if (release === undefined) return true;
  waiting.onRelease(await takeRelease(by, release, request === undefined ? { id } : { request }));
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
      place.replaceChildren(make("div", { class: "warn-text" }, ...complaintView(error)));
      // What can't be believed once is not asked for again by itself.
      goesOn = !FINAL.has(complaintOf(error).code);
    }
    if (!goesOn || !isWanted()) return;
    place.append(make("p", { class: "hint" }, words.watching));
    this.#timer = setTimeout(() => void this.look(), EVERY);
  }
}
