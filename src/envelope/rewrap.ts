import { isObject, listOf, needFlag, needFunction, optionsOf, whole } from "../arguments.js";
import { equalBytes, toHex, wipe } from "../bytes.js";
import type { Core } from "../core/index.js";
import { openingCoreOr, sealingCoreOr } from "../core/need.js";
import type { SealingCore } from "../core/sealing.js";
import { TwinwrapError } from "../errors.js";
import type { AnyPublicKey } from "../keys/any.js";
import { pieces, type RandomAccess, Reader } from "../source.js";
import {
  CORE,
  needEscrow,
  needFingerprints,
  needTo,
  withNumbers,
  needWrap as wrap,
} from "./arguments.js";
import {
  type Escrow,
  encodeChange,
  encodeMutable,
  type Header,
  type MutableHeader,
  type Patch,
  type Wrap,
} from "./header.js";
import { type Head, inspectHead, OPEN, type OpenOptions, openHead, readHead } from "./open.js";
import { type MakeEscrows, openChunks, type Sealed, sealUnder } from "./seal.js";
import { type Recipient, wrapForAll } from "./wraps.js";

/** Which wraps to add to a file and remove from it, and what else to change in its header. */
export interface WrapChange extends OpenOptions {
  /** Wraps made elsewhere, as an authority releases them: one of them may be what opens the file. */
  released?: readonly Wrap[] | undefined;
  /** Further keys to wrap the session key for. A key that has a wrap already gets a new one. */
  add?: readonly (AnyPublicKey | Recipient<AnyPublicKey>)[] | undefined;
  /** Fingerprints (32 bytes) of the keys whose wraps are removed. */
  remove?: readonly Uint8Array[] | undefined;
  /** Makes the header's escrows; without it the old ones stay. */
  escrows?: MakeEscrows | undefined;
  /** Bytes to leave free in the header for later additions: none by default. */
  room?: number | undefined;
  /** Makes a new file with larger slots even if everything fits. */
  enlarge?: boolean | undefined;
  /** Whether a new file may be made where it does not fit, which costs the receipts: by default it may. */
  rewrite?: boolean | undefined;
}

/** The result of a change of wraps: a slot to write in place or, if it does not fit, a new file. */
export type Rewrapped = { header: Header } & (
  | { patch: Patch; whole?: never }
  | { whole: Sealed; patch?: never }
);

/** New lists for a header; a missing one stays as it is. */
export interface Amendment {
  wraps?: readonly Wrap[] | undefined;
  escrows?: readonly Escrow[] | undefined;
}

const needWraps = listOf(wrap);
const needEscrows = listOf(needEscrow);
const CHANGE = optionsOf<WrapChange>(
  {
    ...OPEN,
    released: needWraps,
    add: needTo,
    remove: needFingerprints,
    escrows: needFunction,
    room: whole(0),
    enlarge: needFlag,
    rewrite: needFlag,
  },
  ["key"],
);
const AMENDMENT = optionsOf<Amendment>({ wraps: needWraps, escrows: needEscrows });

/**
 * Works out a change of wraps. Only somebody who can open the file can make one: the session key is
 * opened and checked against the commitment before it is wrapped again. Anybody who once had the
 * session key keeps it, whatever wraps are removed.
 * @param source the sealed file; nothing is written to it
 * @param wanted the change, or what makes it of the file's head
 * @throws TwinwrapError BAD_ARGUMENT if a fingerprint to remove names no wrap or one that comes, or no
 *   wrap would be left; LIMIT_EXCEEDED if no header holds it; NO_ROOM if it does not fit and `rewrite` is false; what {@link openHead}
 *   throws
 */
export async function rewrap(
  source: RandomAccess | Uint8Array | Blob,
  wanted: WrapChange | ((head: Head) => WrapChange | Promise<WrapChange>),
): Promise<Rewrapped> {
  const known = isObject(wanted) ? CHANGE(wanted, "the change") : undefined;
  const ask = known === undefined ? needFunction(wanted, "the change") : undefined;
  const reader = new Reader(pieces(source));
  let resealing = false;
  try {
    const core = await openingCoreOr(known?.core, 0);
    const found = await readHead(core, reader);
    const { body } = found;
    const change = known ?? CHANGE(await ask(found), "the change");
    const header = withReleased(found.header, change.released ?? []);
    const { sessionKey, cobblestone } = await openHead(core, { header, body }, change);
    try {
      const mutable = await changeWraps(core, header, sessionKey, change);
      if (change.escrows !== undefined) {
        const { serial, hash, description } = header;
        const facts = { sessionKey, serial, hash, ...body, description };
        const made = await change.escrows(facts, header.escrows);
        mutable.escrows = needEscrows(made, "what escrows gives");
      }
      const patch = change.enlarge ? undefined : encodeChange(core, header, mutable, change.room);
      if (patch !== undefined) return { header: found.header, patch };
      if (change.rewrite === false) {
        throw new TwinwrapError("NO_ROOM", "the header has no room for it");
      }
      // Larger slots change H, and H is bound into the body: the body is sealed again, under the same
      // session key (so that every wrap still opens it) and a new salt. Receipts name the old commitment,
      // so they are removed, and new ones made if possible; the fixed part still says which authorities
      // are meant.
      const plaintext = async function* () {
        try {
          yield* openChunks(cobblestone, reader, change);
        } finally {
          cobblestone.dispose();
          await reader.close();
        }
      };
      const { escrows } = change;
      const whole = await sealUnder(core, sessionKey, header, mutable, plaintext(), { escrows });
      resealing = true;
      return { header: found.header, whole };
    } finally {
      wipe(sessionKey);
      if (!resealing) cobblestone.dispose();
    }
  } finally {
    if (!resealing) await reader.close();
  }
}

function needWrap(wraps: readonly Wrap[]): void {
  if (wraps.length > 0) return;
  throw new TwinwrapError(
    "BAD_ARGUMENT",
    "a file keeps at least one wrap: without any, nobody could open it",
  );
}

/** A header with more wraps; one for a key that has a wrap takes its place. */
function withReleased(header: Header, released: readonly Wrap[]): Header {
  const kept = header.wraps.filter(
    (wrap) => !released.some(({ fingerprint }) => equalBytes(fingerprint, wrap.fingerprint)),
  );
  return { ...header, wraps: [...kept, ...released] };
}

async function changeWraps(
  core: SealingCore,
  header: Header,
  sessionKey: Uint8Array,
  { released = [], add = [], remove = [], allowWeak = false }: WrapChange,
): Promise<MutableHeader> {
  for (const fingerprint of remove) {
    if (!header.wraps.some((wrap) => equalBytes(wrap.fingerprint, fingerprint))) {
      throw new TwinwrapError("BAD_ARGUMENT", `the file has no wrap for ${toHex(fingerprint)}`);
    }
  }
  const changed = (added: readonly Wrap[]): MutableHeader => {
    const gone = [...remove, ...added.map((wrap) => wrap.fingerprint)];
    const kept = header.wraps.filter(
      (wrap) => !gone.some((fingerprint) => equalBytes(fingerprint, wrap.fingerprint)),
    );
    return { wraps: [...kept, ...added], escrows: header.escrows, rest: header.rest };
  };
  const recipients = await withNumbers(add as Recipient<AnyPublicKey>[], "the change.add");
  const added = await wrapForAll(core, sessionKey, recipients, { allowWeak }, (alike) =>
    encodeMutable(changed(alike)),
  );
  for (const { fingerprint } of [...released, ...added]) {
    // It may be the only one that opens.
    if (!remove.some((other) => equalBytes(other, fingerprint))) continue;
    const name = toHex(fingerprint);
    throw new TwinwrapError("BAD_ARGUMENT", `the wrap for ${name} can't both come and go`);
  }
  const mutable = changed(added);
  needWrap(mutable.wraps);
  return mutable;
}

/**
 * Works out a change of a header without a key: a receipt that came, or a wrap that was released. The
 * caller checks that it belongs to this file.
 * @param change gets the file's head and answers the new wraps and escrows
 * @throws TwinwrapError BAD_FORMAT; NO_ROOM if it does not fit: {@link rewrap}, with a key, can enlarge the header;
 *   BAD_ARGUMENT if no wrap would be left
 */
export async function amend(
  source: RandomAccess | Uint8Array | Blob,
  change: (head: Head) => Amendment | Promise<Amendment>,
  options: { core?: Core | undefined } = {},
): Promise<{ header: Header; patch: Patch }> {
  const { core: given } = CORE(options, "options");
  const core = await sealingCoreOr(given, 0);
  const asked = needFunction(change, "the change");
  const head = await inspectHead(source, { core: given });
  const { header } = head;
  const { wraps = header.wraps, escrows = header.escrows } = AMENDMENT(
    await asked(head),
    "the change",
  );
  needWrap(wraps);
  const patch = encodeChange(core, header, {
    wraps: [...wraps],
    escrows: [...escrows],
    rest: header.rest,
  });
  if (patch !== undefined) return { header, patch };
  throw new TwinwrapError("NO_ROOM", "the header has no room for it");
}
