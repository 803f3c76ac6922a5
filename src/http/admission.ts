import type { FastifyRequest } from "fastify";
import type { Scope } from "../authority/scopes.js";
import type { AuthorityService } from "../authority/service.js";
import type { Token } from "../authority/tokens.js";
import { HttpProblem } from "./problems.js";

// Who may call what. A token keeps strangers and floods out; what is decided stands on signatures alone.

/** Who a route is for: everybody, or bearers of a token with one of these scopes. */
export type For = "everybody" | readonly Scope[];

/** The token that a call brings along. @throws HttpProblem UNAUTHENTICATED without one */
export function bearerOf({ headers }: FastifyRequest): string {
  const [, text] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "") ?? [];
  if (text !== undefined) return text;
  throw new HttpProblem("UNAUTHENTICATED", "this call takes a token: Authorization: Bearer …");
}

/**
 * Lets a call in.
 * @returns the token; undefined where none is needed
 * @throws HttpProblem UNAUTHENTICATED for a token that is not good; FORBIDDEN for one of another scope
 */
export async function admit(
  service: AuthorityService,
  request: FastifyRequest,
  who: For,
): Promise<Token | undefined> {
  if (who === "everybody") return undefined;
  const token = await service.token(bearerOf(request));
  if (token === undefined) {
    // One answer: what was wrong with it is not said.
    throw new HttpProblem("UNAUTHENTICATED", "the token is not good: unknown, expired or revoked");
  }
  if (token.scopes.some((scope) => who.includes(scope))) return token;
  const needed = who.join(" or ");
  throw new HttpProblem("FORBIDDEN", `this call takes a token of scope ${needed}`);
}

/** Whether a token lets its bearer ask about an owner. */
export function isAbout(token: Token | undefined, owner: string): boolean {
  return token?.owner === undefined || token.owner === owner;
}

/** @throws HttpProblem FORBIDDEN */
export function notTheirs(): HttpProblem {
  return new HttpProblem("FORBIDDEN", "the token is bound to another owner");
}
