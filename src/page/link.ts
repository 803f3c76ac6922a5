import { wipe } from "../bytes.js";
import { handIn } from "../client/escrow.js";
import { type Party, partyOf } from "../client/party.js";
import { Unreachable } from "../client/unreachable.js";
import { encodeConnection } from "../escrow/connection.js";
import type { Receipt, Submission } from "../escrow/index.js";
import { changed } from "./changes.js";
import { download } from "./dom.js";
import { checkOpen } from "./policy.js";
import type { Link, TabAuthority } from "./tab-authority.js";
import { TEXTS } from "./texts.js";
import { awayText, PageError } from "./words.js";

// Authorities whose service the page asks itself, by a connection file. What that takes is loaded with the first one.

/** How long a service may keep people waiting, in milliseconds. */
const PATIENCE = 10_000;

/** Asks a service who it is by now. @throws TwinwrapError as connectAuthority; PageError if the page may not ask it */
async function connect(one: TabAuthority, link: Link): Promise<void> {
  const [{ connectAuthority, goesOn }, { checkUrl, HttpClient }] = await Promise.all([
    import("../client/connect.js"),
    import("../client/http.js"),
  ]);
  const { core } = one;
  const { url, token } = link.connection;
  const place = checkUrl(url);
  checkOpen(place);
  const { authority, client, file, isNewer, view } = await connectAuthority(core, link.connection, {
    patience: PATIENCE,
  });
  // The tab may know more than its connection file says, by an authority.json.
  await goesOn(core, one.authority, file);
  if (token !== undefined) {
    const asker = new HttpClient(core, { url, token, patience: 0 });
    link.token = await asker.token().catch((error) => {
      throw isSilence(error)
        ? new Unreachable("UNAVAILABLE", TEXTS.words.notLetIn(place.host, location.origin))
        : error;
    });
  }
  // What was seen of a log stays in mind as long as that log is in use.
  const isSameLog =
    one.client !== undefined && one.authority.identities.length === authority.identities.length;
  if (!isSameLog) one.view = view;
  one.authority = authority;
  one.client = client;
  if (isNewer) {
    link.connection.authority = file;
    link.isNewer = true;
  }
}

/**
 * Whether the browser kept an answer from the page. Any page may ask who an authority is, but only one of an allowed
 * origin may ask more. Browsers don't tell a page that its origin is not allowed.
 */
function isSilence(error: unknown): boolean {
  const tried = error instanceof Unreachable ? (error.cause as Error | undefined) : undefined;
  return tried?.cause instanceof TypeError;
}

/**
 * Asks an authority's service who it is by now, and notes if it is away. Asks nobody if messages are carried.
 * @throws TwinwrapError NOT_VERIFIED if it is another authority, or does not go on from what was known;
 *   UNAUTHENTICATED
 */
export async function reach(one: TabAuthority): Promise<void> {
  const { link } = one;
  if (link === undefined) return;
  const state = () => {
    const { identities, policies } = one.authority;
    return [link.away, link.isNewer, identities.length, policies.length].join();
  };
  const before = state();
  try {
    await connect(one, link);
    link.away = undefined;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    link.away = error.message;
  } finally {
    // Lists that are made anew lose the focus that somebody has there.
    if (state() !== before) changed();
  }
}

/** The same for what nobody else can answer. @throws PageError if the service is away */
export async function reachNow(one: TabAuthority): Promise<void> {
  await reach(one);
  const away = one.link?.away;
  if (away !== undefined) throw new PageError(awayText(one.authority, away));
}

/** The authority as far as it can be asked now: while its service is away, what is known of it. */
export function presentParty(one: TabAuthority): Party {
  return one.link?.away === undefined ? one : partyOf(one.core, one.authority);
}

/**
 * Hands in a submission.
 * @returns a receipt that verified; undefined if the submission has to be carried, or to be sent later
 * @throws TwinwrapError as handIn, but for a service that is away
 */
export async function handInTo(
  one: TabAuthority,
  submission: Submission,
): Promise<Receipt | undefined> {
  const { link } = one;
  if (link?.away !== undefined) return undefined;
  try {
    return await handIn(one, submission);
  } catch (error) {
    if (link === undefined || !(error instanceof Unreachable)) throw error;
    link.away = error.message;
    changed();
    return undefined;
  }
}

/** Saves the connection file with the notes that were seen last, to take the place of the one that was chosen. */
export function saveConnection({ name, connection }: Link): void {
  const bytes = encodeConnection(connection);
  try {
    download(name, bytes);
  } finally {
    wipe(bytes);
  }
}
