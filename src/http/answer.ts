import type { FastifyRequest } from "fastify";
import type { LocalClient } from "../authority/client.js";
import type { AuthorityService } from "../authority/service.js";
import type { Token } from "../authority/tokens.js";
import { TwinwrapError } from "../errors.js";
import { decodeMessage, type Message, type MessageKind } from "../escrow/message.js";

/** What a route does its work with. */
export interface Call {
  service: AuthorityService;
  client: LocalClient;
  request: FastifyRequest;
  /** Who calls; undefined on a route for everybody. */
  token: Token | undefined;
  /** As it came. */
  body: Uint8Array;
  /** Parts of the path, by name. */
  params: Readonly<Record<string, string>>;
  /** Parameters of the query, by name. */
  query: Readonly<Record<string, string | number | undefined>>;
  /** Counts submissions of this caller. @throws HttpProblem BUSY if they are too many by now */
  spend: (submissions: number) => void;
  /** Takes room for records of this caller that will not be opened at once, see {@link Shares.take}. */
  takeRoom: (records: number) => Promise<(unused: number) => void>;
}

/** What a route answers. */
export interface Answer {
  /** 200 by default. */
  status?: number;
  body: Uint8Array | string;
  /** JSON by default. */
  type?: string;
  headers?: Readonly<Record<string, string>>;
}

export const JSON_TYPE = "application/json";
export const TEXT_TYPE = "text/plain; charset=utf-8";

/** Reads a body as one kind of message. @throws TwinwrapError BAD_FORMAT, LIMIT_EXCEEDED */
export function messageIn<Kind extends MessageKind>(
  { service, body }: Call,
  ...kinds: readonly Kind[]
): Extract<Message, { kind: Kind }> {
  const message = decodeMessage(service.core, body);
  if ((kinds as readonly MessageKind[]).includes(message.kind)) {
    return message as Extract<Message, { kind: Kind }>;
  }
  const expected = kinds.join(" or ");
  throw new TwinwrapError(
    "BAD_FORMAT",
    `expected a message of kind ${expected}, got ${message.kind}`,
  );
}
