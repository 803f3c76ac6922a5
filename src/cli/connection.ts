import { namingBytes } from "../authority/directory.js";
import { wipe } from "../bytes.js";
import { present } from "../calls.node.js";
import { type Connected, connectAuthority } from "../client/connect.js";
import { type Party, partyOf } from "../client/party.js";
import { Unreachable } from "../client/unreachable.js";
import type { Core } from "../core/index.js";
import { type Connection, encodeConnection } from "../escrow/connection.js";
import type { Authority } from "../escrow/index.js";
import { decodeMessage } from "../escrow/message.js";
import { writeFileWhole } from "../files.node.js";
import { EXIT } from "./command.js";
import { PRIVATE_MODE } from "./keygen.js";
import { STANDARD, warn } from "./standard.js";

// An authority that is reached over the network, by a connection file.

/** How a command reaches an authority over the network. */
export interface Remote {
  /** Who the holder of the connection is to the authority. */
  ownerId: string | undefined;
  /** Why the service can't be reached; once that was seen it is not tried again. */
  away: Unreachable | undefined;
  /** Whether that was told. */
  isTold?: boolean;
}

/** How long the service may keep a command waiting that comes to something without it, in milliseconds. */
const IMPATIENT = 10_000;

/** A connection file's content; undefined if the file is another message. @throws TwinwrapError BAD_FORMAT */
async function readConnection(core: Core, path: string): Promise<Connection | undefined> {
  const bytes = await namingBytes(path);
  try {
    const message = decodeMessage(core, bytes);
    return message.kind === "connection" ? message.connection : undefined;
  } finally {
    wipe(bytes);
  }
}

/** Writes a connection file, whole and for its holder alone. */
export async function writeConnection(
  path: string,
  connection: Connection,
  options: { force?: boolean | undefined } = {},
): Promise<void> {
  const bytes = encodeConnection(connection);
  try {
    await writeFileWhole(path, [bytes], { mode: PRIVATE_MODE, ...options });
  } finally {
    wipe(bytes);
  }
}

/**
 * Reaches an authority's service, and keeps what it says of itself by now.
 * @param options.mayBeAway goes on without it if it can't be reached
 * @throws TwinwrapError UNAVAILABLE; NOT_VERIFIED if it is not the authority of the connection, or behind what was seen
 */
export async function reach(
  core: Core,
  path: string,
  { authority, connection }: { authority: Authority; connection: Connection },
  { mayBeAway = false }: { mayBeAway?: boolean | undefined },
): Promise<Party & { remote: Remote }> {
  const patience = mayBeAway ? IMPATIENT : undefined;
  const ownerId = connection.owner?.id;
  wipe(connection.owner?.secret);
  let connected: Connected;
  try {
    connected = await connectAuthority(core, connection, { patience });
  } catch (error) {
    if (!(mayBeAway && error instanceof Unreachable)) throw error;
    // What it was when it was seen last still tells its signatures from others'.
    return { ...partyOf(core, authority), remote: { ownerId, away: error } };
  }
  // What came through a pipe can't be written to.
  if (connected.isNewer && isPlainFile(path)) await keepNewer(core, path, connected);
  return { ...connected, remote: { ownerId, away: undefined } };
}

function isPlainFile(path: string): boolean {
  return path !== STANDARD && present(path)?.isFile() === true;
}

/** What an authority says of itself binds it from now on. */
async function keepNewer(core: Core, path: string, { file }: Connected): Promise<void> {
  // Read again: the secret was wiped, and another command may have kept more meanwhile.
  const kept = await readConnection(core, path);
  if (kept === undefined) return;
  const { identities, policies } = kept.authority;
  const isMore =
    file.identities.length > identities.length || file.policies.length > policies.length;
  try {
    if (isMore) await writeConnection(path, { ...kept, authority: file }, { force: true });
  } finally {
    wipe(kept.owner?.secret);
  }
}

/** Says once that something goes on without the service. @param so what comes of that */
export function tellAway(path: string, remote: Remote, so: string): void {
  if (remote.isTold || remote.away === undefined) return;
  remote.isTold = true;
  const { message } = remote.away;
  warn(`${message.startsWith(path) ? "" : `${path}: `}${message}; ${so}`);
}

/** Says that a submission waits until the service can be reached. */
export function tellPending(path: string, remote: Remote): void {
  tellAway(path, remote, "escrow pending: run `twinwrap escrow flush` where you keep the file");
  process.exitCode = EXIT.unreachable;
}
