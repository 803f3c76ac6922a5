import { listOf, needFunction, objectOf, optional, same } from "../arguments.js";
import { needCore } from "../core/need.js";
import * as k from "../escrow/arguments.js";
import type { AuthorityClient } from "../escrow/index.js";
import type { Party } from "./party.js";

// What the functions of this room take, checked where the room is entered (index.ts).

/** An object with all methods of the port. Their answers are verified later, when they come. */
export const needClient = same(
  objectOf<AuthorityClient>({
    file: needFunction,
    submit: needFunction,
    receipt: needFunction,
    record: needFunction,
    records: needFunction,
    requests: needFunction,
    ask: needFunction,
    standing: needFunction,
    decide: needFunction,
    policies: needFunction,
    takePolicy: needFunction,
    released: needFunction,
    checkpoint: needFunction,
    consistency: needFunction,
  }),
);

export const needParty = same(
  objectOf<Party>({
    core: needCore,
    authority: k.authority as never,
    client: optional(needClient),
    view: k.view as never,
  }),
);
export const needParties = listOf(needParty);
