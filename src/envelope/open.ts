import { oneOf, optionsOf, wrongKind } from "../arguments.js";
import { newBytes, wipe } from "../bytes.js";
import type { Core } from "../core/index.js";
import { openingCoreOr, sealingCoreOr } from "../core/need.js";
import type { OpeningCore } from "../core/opening.js";
import type { SealingCore } from "../core/sealing.js";
import { TwinwrapError } from "../errors.js";
import { type AnyPrivateKey, withPrivateKeys } from "../keys/any.js";
import {
  type Anywhere,
  asRandomAccess,
  Output,
  pieces,
  type RandomAccess,
  Reader,
  type Source,
} from "../source.js";
import { CORE, needKeys, WORK, WRAPPING } from "./arguments.js";
import { BODY_HEADER, CHUNK, Cobblestone, plaintextLength, SEALED_CHUNK } from "./cobblestone.js";
import { checkEngine, type WorkOptions } from "./engine.js";
import { decodeHeader, decodePreamble, type Header, PREAMBLE } from "./header.js";
import { type BodyHeader, bodyContext, decodeBodyHeader, openChunks } from "./seal.js";
import { throwIfAborted } from "./segments.js";
import { openWraps, type UnwrapOptions, type WrapOptions } from "./wraps.js";

export interface OpenOptions extends WorkOptions, WrapOptions, UnwrapOptions {
  /**
   * The private key that opens the file, or several, one of which does, in any form that `readPrivateKey` takes. One
   * that is locked is read first, with its passphrase.
   */
  key: AnyPrivateKey | readonly AnyPrivateKey[];
}

export const OPEN = { ...WORK, ...WRAPPING, rsa: oneOf("core", "native"), key: needKeys };
const OPTIONS = optionsOf<OpenOptions>(OPEN, ["key"]);

/** What stands in front of the chunks. */
export interface Head {
  header: Header;
  body: BodyHeader;
}

/** Reads a sealed file's header and the start of its body, wherever its bytes come from. */
export async function readHead(core: SealingCore, reader: Reader): Promise<Head> {
  const start = await reader.take(PREAMBLE);
  const { bodyOffset } = decodePreamble(start);
  const bytes = newBytes(bodyOffset);
  bytes.set(start);
  const filled = await reader.fill(bytes.subarray(PREAMBLE));
  return {
    header: decodeHeader(core, bytes.subarray(0, PREAMBLE + filled)),
    body: decodeBodyHeader(await reader.take(BODY_HEADER)),
  };
}

/**
 * Reads a sealed file's header: who can open it, its serial, what was written about it. No key is
 * needed, and nothing of it is authenticated.
 * @throws TwinwrapError BAD_FORMAT, BAD_ARGUMENT
 */
export async function inspect(
  source: Source | RandomAccess,
  options: { core?: Core | undefined } = {},
): Promise<Header> {
  return (await inspectHead(source, options)).header;
}

/**
 * The same with the start of the body, salt and commitment, which escrows are compared with.
 * @throws TwinwrapError BAD_FORMAT, BAD_ARGUMENT
 */
export async function inspectHead(
  source: Source | RandomAccess,
  options: { core?: Core | undefined } = {},
): Promise<Head> {
  const { core: given } = CORE(options, "options");
  const reader = new Reader(pieces(source));
  try {
    const core = await sealingCoreOr(given, 0);
    return await readHead(core, reader);
  } finally {
    await reader.close();
  }
}

/** Finds the session key with one of the private keys; see {@link openWraps}. */
export function openHead(core: OpeningCore, { header, body }: Head, options: OpenOptions) {
  const context = bodyContext(header);
  return withPrivateKeys(needKeys(options.key, "the key"), (keys) =>
    openWraps(core, header.wraps, keys, { ...body, context }, options),
  );
}

/** An opened file: its plaintext, as a whole or in part. */
export class Opened extends Output {
  readonly header: Header;
  /** Bytes of plaintext, if the source told its size; authenticated only once the end was read. */
  readonly size: number | undefined;
  readonly #cobblestone: Cobblestone;
  readonly #source: Anywhere | undefined;
  readonly #options: WorkOptions;

  /** Use `open(source, options)`. */
  constructor(
    header: Header,
    cobblestone: Cobblestone,
    source: Anywhere | undefined,
    reader: Reader,
    options: WorkOptions,
  ) {
    if (!(cobblestone instanceof Cobblestone)) {
      throw wrongKind(cobblestone, "the message", "one that open() found");
    }
    const letGo = async () => {
      cobblestone.dispose();
      await reader.close();
    };
    super(async function* () {
      try {
        yield* openChunks(cobblestone, reader, options);
      } finally {
        await letGo();
      }
    }, letGo);
    this.header = header;
    this.size = source && plaintextLength(source.size - header.bodyOffset);
    this.#cobblestone = cobblestone;
    this.#source = source;
    this.#options = options;
  }

  /**
   * Part of the plaintext, again and again until {@link dispose} is called or the whole is read. The
   * last chunk is authenticated first, so that a cut file is noticed whatever part is read.
   * @param first the first byte, counted from 0
   * @param last the last byte, inclusive; by default, and at most, the last there is
   * @throws TwinwrapError BAD_ARGUMENT if the source cannot be read at any place, or there is no
   *   such range; DECRYPTION_FAILED while it is read
   */
  range(first: number, last = Number.MAX_SAFE_INTEGER): Output {
    const source = this.#source;
    const size = this.size;
    if (source === undefined || size === undefined) {
      throw new TwinwrapError(
        "BAD_ARGUMENT",
        "a part can be read only from a file, a Blob or bytes, not from a stream",
      );
    }
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || first < 0 || last < first) {
      throw new TwinwrapError(
        "BAD_ARGUMENT",
        "a range is first-last, in whole bytes, with first not after last",
      );
    }
    if (first >= size) {
      throw new TwinwrapError(
        "BAD_ARGUMENT",
        `the range begins at byte ${first}, but the plaintext has ${size} bytes`,
      );
    }
    const end = Math.min(last + 1, size);
    return new Output(() => this.#openRange(source, size, first, end));
  }

  async *#openRange(
    source: Anywhere,
    size: number,
    first: number,
    end: number,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const chunkAt = async (index: number) => {
      throwIfAborted(this.#options.signal);
      const offset = this.header.bodyOffset + BODY_HEADER + index * SEALED_CHUNK;
      const sealed = await source.read(offset, SEALED_CHUNK);
      const chunk = new Uint8Array(Math.max(0, sealed.length - 16));
      this.#cobblestone.cipher.openChunk(index, sealed, chunk);
      return chunk;
    };
    const lastChunk = Math.floor(size / CHUNK);
    const tail = await chunkAt(lastChunk);
    let done = 0;
    for (let index = Math.floor(first / CHUNK); index * CHUNK < end; index++) {
      const chunk = index === lastChunk ? tail : await chunkAt(index);
      const part = chunk.subarray(Math.max(0, first - index * CHUNK), end - index * CHUNK);
      done += part.length;
      this.#options.onProgress?.(done);
      yield part;
    }
  }

  /** Wipes the keys. Reading the whole does it too. */
  dispose(): void {
    this.#cobblestone.dispose();
  }
}

/**
 * Opens a sealed file with a private key. The plaintext of each chunk leaves only once the chunk is
 * authentic. Only an output that ends without an error shows that the file was whole.
 * @throws TwinwrapError BAD_ARGUMENT, BAD_FORMAT, NOT_A_RECIPIENT, DECRYPTION_FAILED, WEAK_KEY, BAD_KEY
 */
export async function open(source: Source | RandomAccess, given: OpenOptions): Promise<Opened> {
  const options = OPTIONS(given, "options");
  checkEngine(options);
  const anywhere = asRandomAccess(source);
  const reader = new Reader(pieces(source));
  try {
    const core = await openingCoreOr(options.core, reader.size);
    const head = await readHead(core, reader);
    if (anywhere !== undefined) plaintextLength(anywhere.size - head.header.bodyOffset);
    const { sessionKey, cobblestone } = await openHead(core, head, options);
    wipe(sessionKey);
    return new Opened(head.header, cobblestone, anywhere, reader, options);
  } catch (error) {
    await reader.close();
    throw error;
  }
}
