import { randomBytes, toHex, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { contentOf, type EventContent, type EventKind } from "./events.js";
import type { DeliveryRow, DeliveryState, Means, ReceiverRow, Store } from "./store/store.js";

// Events on their way to whoever is to be told: at least once, in order for each receiver. A process holds a receiver
// while it makes deliveries to them, for a while that is longer than any attempt takes, so that as a rule no other
// process makes the same ones.

/** How long a receiver is held at a time, in milliseconds. */
const HOLD = 120_000;
/** The pause after the first attempt that failed, in milliseconds. It doubles with each. */
const FIRST_PAUSE = 5_000;
const LONGEST_PAUSE = 3_600_000;
/** Attempts until a delivery is given up: about 20 hours. */
export const MAX_ATTEMPTS = 30;
/** Receivers that are told at the same time. */
const AT_ONCE = 8;
/** Deliveries to one receiver in a row: then it is another one's turn. */
const IN_A_ROW = 100;
/** Characters of a reason at most. */
const MAX_REASON = 200;
/** Deliveries that a list shows at most. */
const MAX_LISTED = 1000;

/** What is told of an event. */
export interface Message {
  /** Of the event: whoever is told twice knows it by this. */
  id: string;
  kind: EventKind;
  time: Date;
  content: EventContent;
  /** The receiver's own ID, if they are an owner. */
  owner: string | undefined;
}

/**
 * Tells one receiver of one event.
 * @param receiver the secret in it is wiped afterwards
 * @throws anything if they were not told: its message is kept as the reason
 */
export type Send = (receiver: ReceiverRow, message: Message) => Promise<void>;

/** What became of one attempt. */
export interface Attempted {
  receiver: string;
  event: string;
  kind: string;
  attempts: number;
  /** Why it failed; undefined if it did not. */
  reason?: string;
  /** Whether it was given up. */
  isDead: boolean;
}

export interface Deliverer {
  /** By which means it can tell: what goes by others waits. */
  means: readonly Means[];
  send: Send;
  onAttempt?: ((attempted: Attempted) => void) | undefined;
  /** Between 0 and 1: by default a random number. */
  random?: (() => number) | undefined;
}

/** Makes the deliveries of a process. */
export class Deliveries {
  readonly #store: Store;
  readonly #holder = toHex(randomBytes(8));
  readonly #deliverer: Deliverer;
  #isEnding = false;

  constructor(store: Store, deliverer: Deliverer) {
    this.#store = store;
    this.#deliverer = deliverer;
  }

  /** Makes all deliveries that are due, to several receivers at a time. One look ends before the next one begins. */
  async look(): Promise<void> {
    const { means } = this.#deliverer;
    const due = await this.#store.dueDeliveries(means, new Date());
    wipe(...due.map(({ receiver }) => receiver.secret));
    const ids = due.map(({ receiver }) => receiver.id);
    const work = async () => {
      for (let id = ids.shift(); id !== undefined; id = ids.shift()) await this.#tell(id);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  /** After the attempts that are being made no other is made. */
  end(): void {
    this.#isEnding = true;
  }

  /** Tells a receiver of everything that is due, in order. */
  async #tell(receiver: string): Promise<void> {
    let isHeld = false;
    try {
      for (let made = 0; made < IN_A_ROW && !this.#isEnding; made++) {
        const now = new Date();
        const until = new Date(now.getTime() + HOLD);
        isHeld = await this.#store.holdReceiver(receiver, this.#holder, now, until);
        if (!isHeld) return;
        // Whatever was read before somebody else held them is out of date.
        const [first] = await this.#store.deliveries("waiting", 1, receiver);
        if (first === undefined || first.due > now || !(await this.#attempt(first))) return;
      }
    } finally {
      if (isHeld) await this.#store.freeReceiver(receiver, this.#holder);
    }
  }

  /** @returns whether the next one may follow */
  async #attempt({ receiver, event, attempts: before }: DeliveryRow): Promise<boolean> {
    const { send, onAttempt, random = Math.random } = this.#deliverer;
    const name = { receiver: receiver.id, event: event.number };
    const attempts = before + 1;
    const about = { receiver: receiver.id, event: event.id, kind: event.kind, attempts };
    try {
      await send(receiver, {
        id: event.id,
        kind: event.kind as EventKind,
        time: event.time,
        content: contentOf(event),
        owner: receiver.role === "owner" ? receiver.name : undefined,
      });
    } catch (error) {
      const reason = reasonOf(error);
      const isDead = attempts >= MAX_ATTEMPTS;
      const due = new Date(Date.now() + pauseAfter(attempts, random()));
      const state: DeliveryState = isDead ? "dead" : "waiting";
      await this.#store.noteFailed(name, { state, attempts, due, reason });
      onAttempt?.({ ...about, reason, isDead });
      return isDead;
    } finally {
      wipe(receiver.secret);
    }
    await this.#store.noteDelivered(name);
    onAttempt?.({ ...about, isDead: false });
    return true;
  }
}

/** How long to wait after so many attempts, in milliseconds: not all who failed together come back together. */
function pauseAfter(attempts: number, random: number): number {
  const pause = Math.min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE);
  return Math.round(pause * (0.75 + random / 2));
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : "failed";
  // What others say may have any signs in it.
  return message.replaceAll(/[^\x20-\x7e]+/g, " ").slice(0, MAX_REASON);
}

/** A delivery that waits or was given up, as the operator sees it. */
export interface ShownDelivery {
  /** Names it in lists: the event's number and the receiver's ID. */
  id: string;
  state: DeliveryState;
  receiver: Omit<ReceiverRow, "secret">;
  event: string;
  kind: string;
  time: Date;
  content: EventContent;
  attempts: number;
  due: Date;
  reason: string | undefined;
}

function shown({ receiver, event, state, attempts, due, reason }: DeliveryRow): ShownDelivery {
  const { secret, ...rest } = receiver;
  wipe(secret);
  return {
    id: `${event.number}-${receiver.id}`,
    state,
    receiver: rest,
    event: event.id,
    kind: event.kind,
    time: event.time,
    content: contentOf(event),
    attempts,
    due,
    reason,
  };
}

/** Deliveries of one state, the oldest event first, the first thousand. */
export async function deliveriesOf(
  store: Pick<Store, "deliveries">,
  state: DeliveryState,
): Promise<ShownDelivery[]> {
  return (await store.deliveries(state, MAX_LISTED)).map(shown);
}

/**
 * Begins a delivery again, at once, as if it had never been tried.
 * @param id as lists show it
 * @throws TwinwrapError BAD_ARGUMENT if it is no ID; NOT_FOUND if it was made, or dropped with its receiver
 */
export async function retryDelivery(store: Store, id: string): Promise<ShownDelivery> {
  const [, event, receiver] = /^(\d{1,15})-([0-9a-f]{16})$/.exec(id) ?? [];
  if (event === undefined || receiver === undefined) {
    throw new TwinwrapError(
      "BAD_ARGUMENT",
      "this is no ID of a delivery, such as 12-0123456789abcdef",
    );
  }
  const name = { receiver, event: Number(event) };
  return store.write(async (writes) => {
    const row = await writes.delivery(name);
    if (row === undefined) {
      const message = `no delivery ${id} waits or was given up: it was made, or its receiver was removed`;
      throw new TwinwrapError("NOT_FOUND", message);
    }
    await writes.retryDelivery(name, new Date());
    return shown((await writes.delivery(name))!);
  });
}
