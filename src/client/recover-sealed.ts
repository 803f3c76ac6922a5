import { rewrapFile } from "#files";
import { needBytes, wrongKind } from "../arguments.js";
import type { Padding } from "../envelope/header.js";
import { inspectHead } from "../envelope/index.js";
import { rewrap } from "../envelope/rewrap.js";
import { TwinwrapError } from "../errors.js";
import { parseRequestId } from "../escrow/index.js";
import {
  type AnyPrivateKey,
  type AnyPublicKey,
  publicKeyFrom,
  withPrivateKeys,
} from "../keys/any.js";
import type { RsaPrivateKey } from "../keys/index.js";
import { asRandomAccess, Output, pieces, type RandomAccess, type Source } from "../source.js";
import { isOver, readStanding, standingOf, stateText } from "./officer.js";
import type { Party } from "./party.js";
import {
  type Asked,
  checkRecipient,
  makeAsked,
  type Recovery,
  recordsToAsk,
  replaceReleased,
  takeRelease,
} from "./recover.js";

// The way back to one sealed file: ask for its key, and when officers have agreed, take in what was released.

/** How a recovery is asked for. */
export interface RecoveryOptions {
  authority: Party;
  /** The new public key, for which the session key is wrapped. */
  to: AnyPublicKey;
  /** Who asks, as the officers will read it. */
  requester: string;
  /** Of the new wrap; OAEP by default. */
  padding?: Padding | undefined;
  /** Until when it can be released. */
  expires?: Date | undefined;
}

/**
 * Asks an authority for the session key of a sealed file. Nothing happens before its officers agree: they have to be
 * told the ID by somebody whom they recognise.
 * @param source the sealed file, of which the header is read
 * @returns the request, which was handed in, or has to be carried if the authority can't be asked; and its ID
 * @throws TwinwrapError NOT_FOUND if the file is not escrowed there; BAD_FORMAT; REFUSED, NO_POLICY and other reasons of
 *   the authority; NOT_VERIFIED
 */
export async function requestRecovery(
  source: Source | RandomAccess,
  { authority, to, requester, padding, expires }: RecoveryOptions,
): Promise<Asked> {
  const { core, client } = authority;
  const recipient = await publicKeyFrom(to);
  const { records } = await recordsToAsk(authority, await inspectHead(source, { core }));
  const asked = makeAsked(authority, { requester, recipient, padding, expires, records });
  if (client !== undefined) {
    await readStanding(authority, await client.ask(asked.request), asked.id);
  }
  return asked;
}

/** How a release is taken in. */
export interface RecoverOptions {
  authority: Party;
  /** Of the request, as {@link requestRecovery} gave it: 26 characters. */
  id: string;
  /** The new private key. It opens the released wrap before anything is changed. */
  key: AnyPrivateKey;
  /** Fingerprints (32 bytes) of keys whose wraps are removed, such as that of the lost one. */
  remove?: readonly Uint8Array[] | undefined;
}

/**
 * Puts what an authority released into a sealed file: a new one, with the same body, that the new key opens.
 * @param source the sealed file, which stays as it is
 * @throws TwinwrapError NOT_APPROVED if nothing was released yet; CLOSED if nothing will be; NOT_VERIFIED;
 *   NOT_FOUND; NO_ROOM if the header has no room for one more wrap: `remove` makes some
 */
export async function recover(
  source: RandomAccess | Uint8Array | Blob,
  options: RecoverOptions,
): Promise<Output> {
  // It is read twice.
  if (asRandomAccess(source) === undefined) {
    throw wrongKind(source, "the source", "bytes, a Blob or what can be read at any place");
  }
  return withRecovery(options, async (recovery, key) => {
    const change = replaceReleased(recovery, key, { remove: options.remove ?? [] });
    const { patch } = await rewrap(source, change);
    return new Output(() => patched(source, patch!.offset, patch!.bytes));
  });
}

/**
 * The same in a file, under its lock. In Node only.
 * @throws TwinwrapError as {@link recover}; UNAVAILABLE, CONFLICT; UNSUPPORTED in browsers
 */
export async function recoverFile(path: string, options: RecoverOptions): Promise<void> {
  await withRecovery(options, (recovery, key) =>
    rewrapFile(path, replaceReleased(recovery, key, { remove: options.remove ?? [] })),
  );
}

async function withRecovery<T>(
  { authority, id, key }: RecoverOptions,
  work: (recovery: Recovery, key: RsaPrivateKey) => Promise<T>,
): Promise<T> {
  const release = await authority.client?.released(id);
  if (release === undefined) throw await unreleased(authority, id);
  const recovery = await takeRelease(authority, release, { id: parseRequestId(id) });
  return withPrivateKeys([key], async ([key]) => {
    await checkRecipient(recovery, key!);
    return work(recovery, key!);
  });
}

async function unreleased(authority: Party, id: string): Promise<TwinwrapError> {
  if (authority.client === undefined) {
    return new TwinwrapError("UNAVAILABLE", "this authority can't be asked: messages are carried");
  }
  const standing = await standingOf(authority, id);
  const code = isOver(standing) ? "CLOSED" : "NOT_APPROVED";
  return new TwinwrapError(code, `nothing was released yet: ${stateText(standing)}`);
}

/** A source with other bytes in one place. */
async function* patched(
  source: Source | RandomAccess,
  offset: number,
  bytes: Uint8Array,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, Uint8Array<ArrayBuffer> | undefined> {
  let at = 0;
  for await (const part of pieces(source)) {
    // A copy: a piece may be the caller's own memory.
    const piece = new Uint8Array(needBytes(part, "a piece of the source"));
    const from = Math.max(offset - at, 0);
    const skip = Math.max(at - offset, 0);
    if (from < piece.length && skip < bytes.length) {
      piece.set(bytes.subarray(skip, skip + piece.length - from), from);
    }
    at += piece.length;
    yield piece;
  }
}
