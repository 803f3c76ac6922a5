import { listOf, needFunction, needText, objectOf, optionsOf, same } from "../arguments.js";
import { concatBytes, randomBytes, toUtf8, wipe } from "../bytes.js";
import { sealingCoreOr } from "../core/need.js";
import type { SealingCore } from "../core/sealing.js";
import { TwinwrapError } from "../errors.js";
import type { AnyPublicKey } from "../keys/any.js";
import {
  Output,
  type Pieces,
  pieces,
  type RandomAccess,
  Reader,
  type Sequence,
  type Source,
} from "../source.js";
import {
  needEscrow,
  needOrigins,
  needPadding,
  needTo,
  WORK,
  WRAPPING,
  withNumbers,
} from "./arguments.js";
import { BODY_HEADER, Cobblestone, KEY, SALT } from "./cobblestone.js";
import { checkEngine, type WorkOptions, workThrough } from "./engine.js";
import {
  type Escrow,
  encodeFrame,
  encodeHeader,
  type FixedHeader,
  type Header,
  type MutableHeader,
  type Padding,
  type Wrap,
} from "./header.js";
import { type Recipient, type WrapOptions, wrapForAll } from "./wraps.js";

/** What an escrow is made from. */
export interface EscrowFacts extends BodyHeader {
  /** 32 bytes, lent: wiped after the call. */
  sessionKey: Uint8Array;
  /** 16 bytes. */
  serial: Uint8Array;
  /** H, 32 bytes. */
  hash: Uint8Array;
  description?: string | undefined;
}

/**
 * Makes the escrows in a file's header; what they are and whom they are sent to belongs to escrow/.
 * @param present the header's present escrows
 * @returns all that it is to hold
 */
export type MakeEscrows = (
  facts: EscrowFacts,
  present: readonly Escrow[],
) => readonly Escrow[] | Promise<readonly Escrow[]>;

/**
 * An authority that a file's key can be escrowed with, for one of its owners: what `connectAuthority` of twinwrap/client
 * gives.
 */
export interface EscrowAuthority {
  readonly origin: string;
  readonly makeEscrows: MakeEscrows;
}

export interface SealOptions extends WorkOptions, WrapOptions {
  /**
   * The public keys whose owners can open the file, at most 1024, each with its own padding if need be, in any form
   * that `readPublicKey` takes. A key given twice gets one wrap.
   */
  to: readonly (AnyPublicKey | Recipient<AnyPublicKey>)[];
  /** The padding of wraps that do not set their own; OAEP by default. */
  padding?: Padding | undefined;
  /** A name for people, at most 255 bytes of UTF-8. Anyone can read it; nobody acts on it. */
  name?: string | undefined;
  /** A description for people and for the authority, at most 4096 bytes of UTF-8. Anyone can read it. */
  description?: string | undefined;
  /**
   * Backup authorities that take the session key in before there is a file, and whose receipts go into its header. If
   * one of them can't be reached, or refuses, nothing is sealed.
   */
  authorities?: readonly EscrowAuthority[] | undefined;
  /** The origins of the authorities that are to hold the key, if they get it otherwise. */
  escrow?: readonly string[] | undefined;
  /** Makes what is sent to them, while the session key is at hand. */
  escrows?: MakeEscrows | undefined;
}

const needAuthorities = listOf(
  same(objectOf<EscrowAuthority>({ origin: needText, makeEscrows: needFunction })),
);
const OPTIONS = optionsOf<SealOptions>(
  {
    ...WORK,
    ...WRAPPING,
    to: needTo,
    padding: needPadding,
    name: needText,
    description: needText,
    authorities: needAuthorities,
    escrow: needOrigins,
    escrows: needFunction,
  },
  ["to"],
);
const needEscrows = listOf(needEscrow);

/** What the body is bound to: "twinwrap/v1" ‖ 0x00 ‖ serial ‖ H. */
export function bodyContext(header: { serial: Uint8Array; hash: Uint8Array }): Uint8Array {
  return concatBytes(toUtf8("twinwrap/v1"), Uint8Array.of(0), header.serial, header.hash);
}

/** A sealed file in the making; its header is known before its body. */
export class Sealed extends Output {
  readonly header: Header;

  constructor(header: Header, make: () => Pieces, unread: () => Promise<void>) {
    super(make, unread);
    this.header = header;
  }
}

/**
 * Seals `source` under a fresh session key that is wrapped for every key in `to`.
 * @throws TwinwrapError BAD_ARGUMENT, WEAK_KEY, BAD_KEY, LIMIT_EXCEEDED; while the output is read:
 *   ABORTED, and what the caller's own source and functions throw
 */
export async function seal(source: Source | RandomAccess, given: SealOptions): Promise<Sealed> {
  const options = OPTIONS(given, "options");
  checkEngine(options);
  const input = pieces(source);
  const core = await sealingCoreOr(options.core, input.size);
  if (options.to.length === 0) {
    throw new TwinwrapError("BAD_ARGUMENT", "a file is sealed for at least one key");
  }
  const sessionKey = randomBytes(KEY);
  try {
    const recipients = (
      await withNumbers(options.to as Recipient<AnyPublicKey>[], "options.to")
    ).map((to) => ({
      padding: options.padding ?? "oaep",
      ...to,
    }));
    const fixed: FixedHeader = {
      serial: randomBytes(16),
      created: new Date(),
      escrow: originsOf(options),
      name: options.name,
      description: options.description,
    };
    const mutableOf = (wraps: readonly Wrap[]) => ({ wraps: [...wraps], escrows: [], rest: {} });
    const { allowWeak = false } = options;
    const wraps = await wrapForAll(core, sessionKey, recipients, { allowWeak }, (alike) =>
      encodeFrame(core, fixed, mutableOf(alike)),
    );
    const mutable = mutableOf(wraps);
    const escrows = escrowsOf(options);
    return await sealUnder(core, sessionKey, fixed, mutable, input, { ...options, escrows });
  } finally {
    wipe(sessionKey);
  }
}

/** The authorities meant. @throws TwinwrapError BAD_ARGUMENT if one is given twice */
function originsOf({ authorities = [], escrow = [] }: SealOptions): string[] {
  const asked = authorities.map(({ origin }) => origin);
  const twice = asked.find((origin, i) => asked.indexOf(origin) !== i);
  if (twice !== undefined) {
    throw new TwinwrapError("BAD_ARGUMENT", `options.authorities has ${twice} twice`);
  }
  return [...new Set([...asked, ...escrow])].sort();
}

/** All that makes escrows, one after the other: each adds to what there is. */
function escrowsOf({ authorities = [], escrows }: SealOptions): MakeEscrows | undefined {
  if (authorities.length === 0) return escrows;
  return async (facts, present) => {
    let made = (await escrows?.(facts, present)) ?? present;
    for (const authority of authorities) made = await authority.makeEscrows(facts, made);
    return made;
  };
}

/**
 * Seals under a given session key, which the caller wipes: its header is ready, its body is not read
 * yet. Escrows are made anew: those in `mutable` prove nothing about this body, they only take room.
 */
export async function sealUnder(
  core: SealingCore,
  sessionKey: Uint8Array,
  fixed: FixedHeader,
  mutable: MutableHeader,
  input: Sequence,
  options: WorkOptions & { escrows?: MakeEscrows | undefined },
): Promise<Sealed> {
  const frame = encodeFrame(core, fixed, mutable);
  const salt = randomBytes(SALT);
  const { serial, description } = fixed;
  const { hash } = frame;
  const cobblestone = new Cobblestone(core, sessionKey, salt, bodyContext({ serial, hash }));
  try {
    const { commitment } = cobblestone;
    const facts = { sessionKey, serial, hash, salt, commitment, description };
    const made = (await options.escrows?.(facts, [])) ?? [];
    const escrows = needEscrows(made, "what escrows gives");
    const { bytes: start, header } = encodeHeader(core, frame, escrows, BODY_HEADER);
    start.set(salt, header.bodyOffset);
    start.set(commitment, header.bodyOffset + SALT);
    const make = async function* (): Pieces {
      try {
        yield* sealChunks(cobblestone, input, options, start);
      } finally {
        cobblestone.dispose();
      }
    };
    return new Sealed(header, make, async () => {
      cobblestone.dispose();
      await new Reader(input).close();
    });
  } catch (error) {
    cobblestone.dispose();
    throw error;
  }
}

/** Seals what comes, after `start`; the last chunk is always shorter than the others. */
export async function* sealChunks(
  cobblestone: Cobblestone,
  input: Sequence,
  options: WorkOptions,
  start?: Uint8Array<ArrayBuffer>,
): Pieces {
  const reader = new Reader(input);
  try {
    if (start !== undefined) yield start;
    yield* workThrough("seal", cobblestone, reader, options);
  } finally {
    await reader.close();
  }
}

/** The body's start: what a key is tested against. */
export interface BodyHeader {
  salt: Uint8Array<ArrayBuffer>;
  commitment: Uint8Array<ArrayBuffer>;
}

/** @throws TwinwrapError BAD_FORMAT if `bytes` are fewer than 56 */
export function decodeBodyHeader(bytes: Uint8Array): BodyHeader {
  if (bytes.length < BODY_HEADER) {
    throw new TwinwrapError(
      "BAD_FORMAT",
      "the file is truncated: it ends at the start of its body",
    );
  }
  return { salt: bytes.slice(0, SALT), commitment: bytes.slice(SALT, BODY_HEADER) };
}

/** Opens chunks one after the other and yields each as soon as it is authentic. */
export function openChunks(cobblestone: Cobblestone, reader: Reader, options: WorkOptions): Pieces {
  return workThrough("open", cobblestone, reader, options);
}
