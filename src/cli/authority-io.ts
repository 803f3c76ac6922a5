import { join } from "node:path";
import { LocalClient } from "../authority/client.js";
import { namingBytes, openDirectory } from "../authority/directory.js";
import { asNamed } from "../authority/folder-parts.js";
import type { OperatorSettings } from "../authority/office.js";
import type { AuthorityService } from "../authority/service.js";
import { equalBytes, wipe } from "../bytes.js";
import { isFolder } from "../calls.node.js";
import { handIn } from "../client/escrow.js";
import { type Party, partyOf } from "../client/party.js";
import { Unreachable } from "../client/unreachable.js";
import { sharedCore } from "../core/index.js";
import { notVerified } from "../errors.js";
import type { Connection } from "../escrow/connection.js";
import {
  type Authority,
  type AuthorityClient,
  MAX_MESSAGE,
  type Receipt,
  type Submission,
  verifyAuthority,
} from "../escrow/index.js";
import { messagePieces } from "../escrow/message.js";
import { collectPieces } from "../files.node.js";
import {
  type AuthorityOptions,
  checkUnpinned,
  KEY_FLAG,
  type KeyFile,
  type PinOptions,
} from "./authority-options.js";
import { EXIT, UsageError } from "./command.js";
import { type Remote, reach, tellAway, tellPending } from "./connection.js";
import { STANDARD, withInput } from "./io.js";
import { passphraseFor } from "./passphrase.js";
import { about } from "./report.js";
import { formatFingerprint } from "./text.js";

// The authority that a command is about: how it is reached, and its key.

/** @throws TwinwrapError NOT_VERIFIED if it is none of the authorities that were meant */
export function checkPin({ fingerprint }: Authority, pins: PinOptions["fingerprint"]): void {
  if (pins === undefined || pins.some((pin) => equalBytes(pin, fingerprint))) return;
  const name = formatFingerprint(fingerprint);
  throw notVerified(`this is another authority than --fingerprint says: it has ${name}`);
}

/**
 * Reads what everybody may know of an authority.
 * @param path its folder, its authority.json, or - for that on standard input
 * @throws TwinwrapError BAD_FORMAT, NOT_VERIFIED
 */
export async function loadAuthority(path: string, pins: PinOptions = {}): Promise<Authority> {
  const { authority, connection } = await loadNamed(path, pins);
  wipe(connection?.owner?.secret);
  return authority;
}

/** The same, and how to reach it if a connection file says so. Read once: it may be a pipe. The secret is the caller's. */
function loadNamed(
  path: string,
  { fingerprint }: PinOptions,
): Promise<{ authority: Authority; connection?: Connection }> {
  return about(path === STANDARD ? "standard input" : path, async () => {
    const core = await sharedCore();
    const bytes = await (path === STANDARD ? standardBytes() : namingBytes(path));
    const { file, connection } = asNamed(core, bytes);
    try {
      const authority = await verifyAuthority(core, file);
      checkPin(authority, fingerprint);
      return connection === undefined ? { authority } : { authority, connection };
    } catch (error) {
      wipe(connection?.owner?.secret);
      throw error;
    } finally {
      wipe(bytes);
    }
  });
}

function standardBytes(): Promise<Uint8Array> {
  return withInput(STANDARD, (file) =>
    collectPieces(STANDARD, messagePieces(file.pieces()), MAX_MESSAGE),
  );
}

/** Opens an authority's folder, works with it and closes it. Only operators need this. */
export async function withService<T>(
  path: string,
  work: (service: AuthorityService) => Promise<T>,
  settings: OperatorSettings & { readOnly?: boolean | undefined } = {},
): Promise<T> {
  if (path === STANDARD || !isFolder(path)) {
    // If the file is bad, that error is better than ours.
    await loadAuthority(path);
    throw new UsageError(`${path} is what everybody may have: this needs the authority's folder`);
  }
  const { partial, readOnly } = settings;
  const service = await about(path, () => openDirectory(path, { partial, readOnly }));
  try {
    return await work(service);
  } finally {
    await service.close();
  }
}

/** The authority that a command is about, and its path. */
export interface NamedParty extends Party {
  path: string;
  /** Of an authority that is reached over the network. */
  remote?: Remote | undefined;
}

type PartyOptions = KeyFile &
  PinOptions &
  OperatorSettings & {
    readOnly?: boolean | undefined;
    /** For commands that come to something even where the authority's service can't be reached. */
    mayBeAway?: boolean | undefined;
  };

/**
 * Works with an authority. This is the one place that chooses how it is reached: a folder is asked directly; a
 * connection file says where its service is; to an authority.json, messages are carried.
 */
export async function withParty<T>(
  path: string,
  work: (party: NamedParty) => Promise<T>,
  options: PartyOptions = {},
): Promise<T> {
  const core = await sharedCore();
  if (path === STANDARD || !isFolder(path)) {
    const { authority, connection } = await loadNamed(path, options);
    const party =
      connection === undefined
        ? partyOf(core, authority)
        : await about(path, () => reach(core, path, { authority, connection }, options));
    return watched({ ...party, path }, work);
  }
  return withService(
    path,
    async (service) => {
      await about(path, async () => checkPin(service.authority, options.fingerprint));
      const client = new LocalClient(service, { unlock: () => unlock(service, path, options) });
      return watched({ ...partyOf(core, service.authority, client), path }, work);
    },
    options,
  );
}

/** Whatever else a command came to: if it saw two proofs that don't go together, it ends as what does not verify. */
async function watched<T>(party: NamedParty, work: (party: NamedParty) => Promise<T>): Promise<T> {
  try {
    return await work(party);
  } finally {
    if (party.view.contradiction !== undefined) process.exitCode = EXIT.notVerified;
  }
}

/** The same with several authorities. One that is given twice counts once. @throws UsageError if two have one origin */
export async function withParties<T>(
  paths: readonly string[],
  work: (parties: NamedParty[]) => Promise<T>,
  options: PartyOptions = {},
): Promise<T> {
  const open = async (rest: readonly string[], parties: NamedParty[]): Promise<T> => {
    const [path, ...others] = rest;
    if (path === undefined) return work(parties);
    return withParty(
      path,
      (party) => open(others, isNew(party, parties) ? [...parties, party] : parties),
      options,
    );
  };
  return open(paths, []);
}

function isNew(party: NamedParty, parties: readonly NamedParty[]): boolean {
  const { origin, fingerprint } = party.authority;
  const other = parties.find(({ authority }) => authority.origin === origin);
  if (other === undefined) return true;
  if (equalBytes(other.authority.fingerprint, fingerprint)) return false;
  throw new UsageError(
    `${other.path} and ${party.path} are two authorities that both call themselves ${origin}: one of them is not the one you mean`,
  );
}

/** The same with the authority that was given, or with none. */
export function withGiven<T>(
  { authority: path, fingerprint }: AuthorityOptions & PinOptions,
  work: (party: NamedParty | undefined) => Promise<T>,
): Promise<T> {
  if (path === undefined || path === "") {
    checkUnpinned(fingerprint);
    return work(undefined);
  }
  const tolerant = (party: NamedParty) => {
    if (party.remote !== undefined) {
      tellAway(path, party.remote, "so nothing is compared with its log");
    }
    return work(party);
  };
  return withParty(path, tolerant, { fingerprint, mayBeAway: true });
}

/** Whether people carry messages to an authority. */
export function isCarriedTo({ client, remote }: NamedParty): boolean {
  return client === undefined && remote === undefined;
}

/** The client that asks the authority. @throws UsageError if messages are carried to it */
export function clientOf({ path, client }: NamedParty): AuthorityClient {
  if (client !== undefined) return client;
  throw new UsageError(
    `${path} is what everybody may have: this needs the authority's folder, or a connection file`,
  );
}

/**
 * Hands in a submission. Errors name the authority's path.
 * @returns the receipt; undefined if the submission has to be carried, or to be sent later
 */
export async function handInTo(
  party: NamedParty,
  submission: Submission,
): Promise<Receipt | undefined> {
  const { path, remote } = party;
  try {
    if (remote?.away === undefined) return await about(path, () => handIn(party, submission));
  } catch (error) {
    if (!(remote !== undefined && error instanceof Unreachable)) throw error;
    remote.away = error;
  }
  tellPending(path, remote);
  return undefined;
}

/**
 * Opens the authority's RSA key if it is not locked, or if its passphrase is given.
 * @param options.ask asks for the passphrase on the terminal if no file gives it
 * @returns whether the key is open now
 */
export function unlock(
  service: AuthorityService,
  path: string,
  options: KeyFile & { ask?: boolean },
): Promise<boolean> {
  const { authorityPassphraseFile: passphraseFile, ask = false } = options;
  const key = join(path, "wrap.pem");
  return about(key, () =>
    passphraseFile === undefined && !ask
      ? service.unlock()
      : service.unlock(passphraseFor(key, { passphraseFile }, KEY_FLAG)),
  );
}
