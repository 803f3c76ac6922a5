import { equalBytes, wipe } from "../bytes.js";
import type { Core } from "../core/index.js";
import type { EscrowAuthority } from "../envelope/index.js";
import { notVerified } from "../errors.js";
import { decodeConnection } from "../escrow/connection.js";
import {
  type Authority,
  type AuthorityClient,
  type AuthorityFile,
  verifyAuthority,
} from "../escrow/index.js";
import type { Reach } from "./arguments.js";
import { asOwnerIfKnown } from "./escrow.js";
import { HttpClient, type HttpOptions } from "./http.js";
import { connect, type Party, partyOf } from "./party.js";

// An authority that is reached over HTTP. What was seen of it before binds it: it may have more policies and identities
// by now, but never fewer or others.

export interface ConnectOptions extends Omit<HttpOptions, "url" | "token"> {
  /** Whose keys `seal` sends it: the owner's ID there, by default that in the connection file. */
  owner?: string | undefined;
}

/** An authority's service, and who it is. */
export interface Connected extends Party, EscrowAuthority {
  client: Party["client"] & object;
  /** What it said of itself now. */
  file: AuthorityFile;
  /** Whether that is more than was known: then it is to be kept. */
  isNewer: boolean;
}

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
  const reach = given instanceof Uint8Array ? reachIn(given) : given;
  const { url, authority: known, token } = reach;
  const { owner = reach.owner?.id, ...calling } = options;
  const client = new HttpClient(core, { ...calling, url, token });
  const before = await verifyAuthority(core, known);
  const file = await client.file();
  const authority = await goesOn(core, before, file);
  const party = asOwnerIfKnown(partyOf(core, authority, client), owner);
  const isNewer =
    file.identities.length > known.identities.length ||
    file.policies.length > known.policies.length;
  return { ...party, client: party.client!, file, isNewer };
}

/** The owner's secret is not needed to call. */
function reachIn(bytes: Uint8Array): Reach {
  const { owner, ...reach } = decodeConnection(bytes);
  wipe(owner?.secret);
  return { ...reach, owner: owner && { id: owner.id } };
}

/**
 * Asks an authority that a client reaches in another way who it is: one in this process, or over a wire of one's own.
 * @param options.pinned the fingerprint (32 bytes) that it must have
 * @param options.owner as of {@link connectAuthority}
 * @throws TwinwrapError NOT_VERIFIED, UNAVAILABLE
 */
export async function connectClient(
  core: Core,
  client: AuthorityClient,
  options: { pinned?: Uint8Array | undefined; owner?: string | undefined } = {},
): Promise<Party & EscrowAuthority> {
  const { pinned, owner } = options;
  return asOwnerIfKnown(await connect(core, client, pinned && { pinned }), owner);
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
