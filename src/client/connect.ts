import { equalBytes, wipe } from "../bytes.js";
import type { Core } from "../core/index.js";
import { notVerified } from "../errors.js";
import { type Connection, decodeConnection } from "../escrow/connection.js";
import { type Authority, type AuthorityFile, verifyAuthority } from "../escrow/index.js";
import { HttpClient, type HttpOptions } from "./http.js";
import { type Party, partyOf } from "./party.js";

// An authority that is reached over HTTP. What was seen of it before binds it: it may have more policies and identities
// by now, but never fewer or others.

export type ConnectOptions = Omit<HttpOptions, "url" | "token">;

/** An authority's service, and who it is. */
export interface Connected extends Party {
  client: Party["client"] & object;
  /** What it said of itself now. */
  file: AuthorityFile;
  /** Whether that is more than was known: then it is to be kept. */
  isNewer: boolean;
}

/** What of a connection is needed to reach an authority's service. */
export type Reach = Pick<Connection, "url" | "authority"> & Partial<Pick<Connection, "token">>;

/**
 * Asks an authority's service who it is by now.
 * @param given a connection file's bytes, or what stands in one
 * @throws TwinwrapError UNAVAILABLE or BUSY (an {@link Unreachable}) if nobody answers for so long; UNAUTHENTICATED;
 *   NOT_VERIFIED if it is another authority, or does not go on from what was known; BAD_ARGUMENT if there can be no
 *   service at this address; BAD_FORMAT, LIMIT_EXCEEDED
 */
export async function connectAuthority(
  core: Core,
  given: Uint8Array | Reach,
  options: ConnectOptions = {},
): Promise<Connected> {
  const { url, authority: known, token } = given instanceof Uint8Array ? reachIn(given) : given;
  const client = new HttpClient(core, { ...options, url, token });
  const before = await verifyAuthority(core, known);
  const file = await client.file();
  const authority = await goesOn(core, before, file);
  const party = partyOf(core, authority, client);
  const isNewer =
    file.identities.length > known.identities.length ||
    file.policies.length > known.policies.length;
  return { ...party, client: party.client!, file, isNewer };
}

/** The owner's secret is not needed to call. */
function reachIn(bytes: Uint8Array): Reach {
  const { owner, ...reach } = decodeConnection(bytes);
  wipe(owner?.secret);
  return reach;
}

/** @throws TwinwrapError NOT_VERIFIED unless an authority's notes begin with those that were known */
export async function goesOn(
  core: Core,
  before: Authority,
  file: AuthorityFile,
): Promise<Authority> {
  const authority = await verifyAuthority(core, file, { pinned: before.fingerprint });
  for (const kind of ["identities", "policies"] as const) {
    const now = authority[kind];
    if (now.length < before[kind].length) {
      throw notVerified(
        `the authority's service is behind: it knows of ${now.length} ${kind}, but there were ${before[kind].length}`,
      );
    }
    if (before[kind].some(({ hash }, i) => !equalBytes(hash, now[i]!.hash))) {
      throw notVerified(
        `the authority's ${kind} are not those that were known: its notes were forked`,
      );
    }
  }
  return authority;
}
