import { concatBytes, newBytes } from "../bytes.js";
import { TwinwrapError } from "../errors.js";

// What is sealed and opened comes in many shapes; inside there are two: bytes one after the other,
// and bytes at any place.

/** Whatever bytes can be read from, one after the other. */
export type Source =
  | Uint8Array
  | ArrayBuffer
  | Blob
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>;

/** Bytes that can be read at any place: a file, a Blob, an array. */
export interface RandomAccess {
  /** Bytes in all. */
  readonly size: number;
  /** The bytes from `offset` on, `length` of them, or fewer where they end. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Bytes that a stream is read in from a place that can be read anywhere. */
const PIECE = 1 << 18;

export function isRandomAccess(source: Source | RandomAccess): source is RandomAccess {
  if (typeof source !== "object" || source === null) return false;
  return "read" in source && typeof source.read === "function" && "size" in source;
}

/** The same source as random access, if it is of a kind that can be. */
export function asRandomAccess(source: Source | RandomAccess): RandomAccess | undefined {
  if (isRandomAccess(source)) return source;
  if (source instanceof ArrayBuffer) return asRandomAccess(new Uint8Array(source));
  if (source instanceof Uint8Array) {
    return {
      size: source.length,
      read: async (offset, length) => source.subarray(offset, offset + length),
    };
  }
  if (source instanceof Blob) {
    return {
      size: source.size,
      read: async (offset, length) =>
        new Uint8Array(await source.slice(offset, offset + length).arrayBuffer()),
    };
  }
  return undefined;
}

/** The bytes of `source` from `offset` on, one piece after the other. */
export async function* readFrom(
  source: RandomAccess,
  offset = 0,
  end = source.size,
): AsyncGenerator<Uint8Array> {
  for (let at = offset; at < end; ) {
    const piece = await source.read(at, Math.min(PIECE, end - at));
    if (piece.length === 0)
      throw new TwinwrapError("BAD_FORMAT", "the file became shorter while it was read");
    at += piece.length;
    yield piece;
  }
}

async function* readStream(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  // Not every browser can iterate a stream with for await.
  const reader = stream.getReader();
  let done = false;
  try {
    for (;;) {
      const result = await reader.read();
      if (result.done) {
        done = true;
        return;
      }
      yield result.value;
    }
  } finally {
    if (!done) await reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}

/**
 * The bytes of `source`, one piece after the other.
 * @throws TwinwrapError BAD_ARGUMENT if it is nothing that bytes can be read from
 */
export function pieces(source: Source | RandomAccess): AsyncIterable<Uint8Array> {
  const anywhere = asRandomAccess(source);
  if (anywhere !== undefined) return readFrom(anywhere);
  if (source instanceof ReadableStream) return readStream(source);
  if (typeof source === "object" && Symbol.asyncIterator in source)
    return source as AsyncIterable<Uint8Array>;
  throw new TwinwrapError(
    "BAD_ARGUMENT",
    "expected bytes, a Blob, a ReadableStream or an async iterable of bytes",
  );
}

/** Takes exact amounts out of pieces of any size. */
export class Reader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = newBytes(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#pieces = source[Symbol.asyncIterator]();
  }

  /** Fills `into` as far as the source goes; answers how many bytes it got. */
  async fill(into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      if (this.#piece.length === 0) {
        const next = await this.#pieces.next();
        if (next.done) break;
        if (!(next.value instanceof Uint8Array)) {
          throw new TwinwrapError(
            "BAD_ARGUMENT",
            "a stream gave something else than bytes (Uint8Array)",
          );
        }
        this.#piece = next.value;
        continue;
      }
      const part = this.#piece.subarray(0, into.length - filled);
      into.set(part, filled);
      filled += part.length;
      this.#piece = this.#piece.subarray(part.length);
    }
    return filled;
  }

  /**
   * Fills `into` with as many whole chunks of `chunk` bytes as the source has ready, at least one;
   * an answer that is 0 or no multiple of `chunk` means that the source has ended.
   */
  async fillWhole(into: Uint8Array, chunk: number): Promise<number> {
    let filled = await this.fill(into.subarray(0, chunk));
    if (filled < chunk) return filled;
    while (filled < into.length && this.#piece.length > 0) {
      const part = this.#piece.subarray(0, into.length - filled);
      into.set(part, filled);
      filled += part.length;
      this.#piece = this.#piece.subarray(part.length);
    }
    const rest = filled % chunk;
    if (rest > 0) {
      filled -= rest;
      this.#piece = concatBytes(into.subarray(filled, filled + rest), this.#piece);
    }
    return filled;
  }

  /** Up to `length` bytes, fewer only where the source ends. */
  async take(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = newBytes(length);
    return bytes.subarray(0, await this.fill(bytes));
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}

/** What comes out: bytes that are made while they are taken. Can be taken once. */
export class Output {
  readonly #make: () => AsyncGenerator<Uint8Array<ArrayBuffer>>;
  #taken = false;

  constructor(make: () => AsyncGenerator<Uint8Array<ArrayBuffer>>) {
    this.#make = make;
  }

  /** One piece after the other. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    if (this.#taken) throw new TwinwrapError("BAD_ARGUMENT", "this output was taken already");
    this.#taken = true;
    return this.#make();
  }

  /** As a stream with back-pressure; cancelling it stops the work and wipes the keys. */
  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const pieces = this[Symbol.asyncIterator]();
    return new ReadableStream(
      {
        async pull(controller) {
          const next = await pieces.next();
          if (next.done) controller.close();
          else controller.enqueue(next.value);
        },
        async cancel() {
          await pieces.return(undefined);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** As a Blob: browsers may keep it outside memory. */
  async blob(): Promise<Blob> {
    const parts: BlobPart[] = [];
    for await (const piece of this) parts.push(piece);
    return new Blob(parts);
  }

  /** All at once, in one array. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let length = 0;
    for await (const piece of this) {
      parts.push(piece);
      length += piece.length;
    }
    const whole = newBytes(length);
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}
