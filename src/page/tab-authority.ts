import { wipe } from "../bytes.js";
import type { Party } from "../client/party.js";
import type { TokenInfo } from "../escrow/answers.js";
import type { Connection } from "../escrow/connection.js";

/** How an authority's service is reached. It is in this tab's memory alone. */
export interface Link {
  /** The name of the connection file. */
  name: string;
  /** What stands in it, with the authority's notes as they were seen last. Its secret is wiped by {@link unlink}. */
  connection: Connection;
  /** The service has shown more notes than the file has. */
  isNewer: boolean;
  /** Why the service could not be reached when it was asked last, in words; undefined if it answered. */
  away: string | undefined;
  /** What its token is for, once the service has said so. */
  token?: TokenInfo | undefined;
}

/** An authority that this tab knows. Without a link, messages are carried to it. */
export interface TabAuthority extends Party {
  link: Link | undefined;
}

/** Forgets how a service was reached. */
export function unlink(link: Link | undefined): void {
  if (link === undefined) return;
  wipe(link.connection.owner?.secret);
  link.connection = { ...link.connection, token: undefined, owner: undefined };
}
