import {
  isObject,
  type Kind,
  listOf,
  needFunction,
  needStableBytes,
  needText,
  objectOf,
  optional,
  same,
} from "../arguments.js";
import { needCore } from "../core/need.js";
import { TwinwrapError } from "../errors.js";
import * as k from "../escrow/arguments.js";
import { type Connection, isToken } from "../escrow/connection.js";
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

/** What of a connection is needed to reach an authority's service. */
export type Reach = Pick<Connection, "url" | "authority"> &
  Partial<Pick<Connection, "token">> & {
    owner?: { id: string } | undefined;
  };

const token: Kind<string> = (value, what) => {
  if (isToken(needText(value, what))) return value as string;
  throw new TwinwrapError("BAD_ARGUMENT", `${what} must be printable ASCII without blanks`);
};
const reach = objectOf<Reach>({
  url: needText,
  authority: k.authorityFile as never,
  token: optional(token),
  owner: optional(objectOf<{ id: string }>({ id: needText })),
});
/** A connection file's bytes, or what of one is needed. */
export const needReach: Kind<Uint8Array | Reach> = (value, what) =>
  isObject(value) && "url" in value ? reach(value, what) : needStableBytes(value, what);
