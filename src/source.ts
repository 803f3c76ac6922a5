import { type Bytes, isObject, needBytes, needFunction, whole, wrongKind } from "./arguments.js";
import { concatBytes, fromUtf8, newBytes, wipe } from "./bytes.js";
import { TwinwrapError } from "./errors.js";

// Sources come in many shapes; inside there are two: bytes one after the other, and bytes at any
// place.

/** Whatever bytes can be read from, one after the other. */
export type Source = Bytes | Blob | ReadableStream<Bytes> | AsyncIterable<Bytes>;

/** Bytes that can be read at any place: a file, a Blob, an array. */
export interface RandomAccess {
  /** Bytes in all. */
  readonly size: number;
  /** The bytes from `offset` on, `length` of them, or fewer where they end. */
  read(offset: number, length: number): Promise<Bytes>;
  /** Reads from `offset` on into an array, which saves a copy; answers how many bytes, 0 at the end. */
  readInto?(into: Uint8Array, offset: number): Promise<number>;
}

/** Such a source, checked or made by this library. */
export interface Anywhere extends RandomAccess {
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Bytes one after the other, which some sources can also read straight into an array, in turn. */
export interface Sequence extends AsyncIterable<Bytes> {
  /** Reads the next bytes into an array; answers how many, 0 at the end. */
  readInto?(into: Uint8Array): Promise<number>;
  /** Bytes in all, where that is known. */
  readonly size?: number | undefined;
}

/** Bytes of one read when a source with random access is read as a stream. */
const PIECE = 1 << 18;
/** Bytes to ask a Blob's stream for at a time: no more than a processor's cache holds. */
const BLOB_PIECE = 1 << 20;

const needSize = whole(0);

export function isRandomAccess(source: unknown): source is RandomAccess {
  if (!isObject(source)) return false;
  return "read" in source && typeof source.read === "function" && "size" in source;
}

/** A Blob, or a File, of any realm; jsdom's have no stream() and no arrayBuffer(). */
export function isBlob(source: unknown): source is Blob {
  if (!isObject(source) || !("size" in source) || !("type" in source)) return false;
  return "slice" in source && typeof source.slice === "function";
}

/** A ReadableStream of any realm. */
function isStream(source: unknown): source is ReadableStream<Bytes> {
  return isObject(source) && "getReader" in source && typeof source.getReader === "function";
}

/** The error of a Blob that the platform cannot read: usually the file behind it has changed. */
function unreadable(cause: unknown): TwinwrapError {
  const message = "the Blob cannot be read: the file behind it has changed, or is gone";
  return new TwinwrapError("UNAVAILABLE", message, { cause });
}

/** All bytes of a Blob, by its own method, or by the FileReader that jsdom has instead. */
async function readWhole(blob: Blob): Promise<Uint8Array> {
  if (typeof blob.arrayBuffer !== "function" && typeof FileReader === "undefined") {
    throw new TwinwrapError(
      "UNSUPPORTED",
      "a Blob can't be read here: arrayBuffer() and FileReader are missing",
    );
  }
  try {
    if (typeof blob.arrayBuffer === "function") return new Uint8Array(await blob.arrayBuffer());
    return await new Promise((resolve, reject) => {
      const reader = new FileReader();
      reader.onload = () => resolve(new Uint8Array(reader.result as ArrayBuffer));
      reader.onerror = () => reject(reader.error);
      reader.readAsArrayBuffer(blob);
    });
  } catch (error) {
    throw unreadable(error);
  }
}

/** Refuses anything but a source, and says what is one. */
function needSource(source: unknown): void {
  if (isObject(source) && !Array.isArray(source) && !("then" in source)) return;
  const known = "bytes, a Blob, a ReadableStream or an async iterable of bytes";
  throw wrongKind(source, "the source", known);
}

/** The same source with random access, if its kind allows that. */
export function asRandomAccess(source: Source | RandomAccess): Anywhere | undefined {
  if (isRandomAccess(source)) {
    const size = needSize(source.size, "the source's size");
    return {
      size,
      read: async (offset, length) => {
        const piece = needBytes(await source.read(offset, length), "what the source's read gives");
        if (piece.length <= length) return piece;
        throw new TwinwrapError("BAD_ARGUMENT", "the source's read gives more than was asked for");
      },
      ...(source.readInto === undefined
        ? {}
        : {
            readInto: async (into, offset) =>
              whole(0, into.length)(
                await source.readInto!(into, offset),
                "what the source's readInto gives",
              ),
          }),
    };
  }
  if (isBlob(source)) {
    return {
      size: source.size,
      read: (offset, length) => readWhole(source.slice(offset, offset + length)),
    };
  }
  if (isStream(source) || (isObject(source) && Symbol.asyncIterator in source)) return undefined;
  needSource(source);
  const bytes = needBytes(source, "the source");
  return {
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  };
}

function shorter(): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", "the file became shorter while it was read");
}

/** The bytes of `source` from front to back. */
export function readFrom(source: RandomAccess): Sequence {
  const { size } = source;
  let at = 0;
  const sequence: Sequence = {
    size,
    async *[Symbol.asyncIterator]() {
      while (at < size) {
        const piece = needBytes(await source.read(at, Math.min(PIECE, size - at)), "a piece");
        if (piece.length === 0) throw shorter();
        at += piece.length;
        yield piece;
      }
    },
  };
  if (source.readInto !== undefined) {
    sequence.readInto = async (into) => {
      if (at >= size) return 0;
      const length = await source.readInto!(into.subarray(0, size - at), at);
      if (length === 0) throw shorter();
      at += length;
      return length;
    };
  }
  return sequence;
}

/** Not a generator, whose return would wait for a read that may never end. */
function iterate(
  reader: ReadableStreamDefaultReader | ReadableStreamBYOBReader,
  next: () => Promise<IteratorResult<Bytes>>,
): AsyncIterator<Bytes> {
  return {
    next,
    async return() {
      await reader.cancel().catch(() => {});
      reader.releaseLock();
      return { done: true, value: undefined };
    },
  };
}

/** The bytes of a stream: not every browser can iterate one with for await. */
function readStream(stream: ReadableStream<Bytes>): AsyncIterable<Bytes> {
  if (stream.locked) {
    throw new TwinwrapError("BAD_ARGUMENT", "the source is a stream that somebody else reads");
  }
  return {
    [Symbol.asyncIterator]() {
      const reader = stream.getReader();
      return iterate(reader, () => reader.read() as Promise<IteratorResult<Bytes>>);
    },
  };
}

/**
 * Readers that wait for bytes. If nothing else refers to a stream that is read into an array, Chromium collects
 * it, and the read never ends (seen in 143 and 156).
 */
const waiting = new Set<ReadableStreamBYOBReader>();

/**
 * The bytes of a Blob. Its stream is several times as fast as its slices, and reusing one array costs a tenth
 * of new ones (docs/performance.md).
 */
function readBlob(blob: Blob): Sequence {
  const { size } = blob;
  let left = size;
  /** A file behind it may change, and not every browser says so. */
  const count = ({ done, value }: ReadableStreamReadResult<Uint8Array>) => {
    left -= value?.length ?? 0;
    if (left < 0 || (done && left > 0)) {
      throw new TwinwrapError("BAD_FORMAT", "the file's length changed while it was read");
    }
  };
  const stream: ReadableStream<Uint8Array> = blob.stream();
  let reader: ReadableStreamBYOBReader;
  try {
    reader = stream.getReader({ mode: "byob" });
  } catch {
    // Not every browser's is a stream of bytes.
    const reader = stream.getReader();
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      const result = await reader.read().catch((cause) => {
        throw unreadable(cause);
      });
      count(result);
      return result as IteratorResult<Uint8Array>;
    };
    return { size, [Symbol.asyncIterator]: () => iterate(reader, next) };
  }
  let array = newBytes(Math.min(size, BLOB_PIECE) || 1);
  const readInto = async (into: Uint8Array) => {
    const wanted = Math.min(into.length, array.length);
    waiting.add(reader);
    const result = await reader
      .read(new Uint8Array(array.buffer, 0, wanted))
      .catch((cause) => {
        throw unreadable(cause);
      })
      .finally(() => waiting.delete(reader));
    count(result);
    const { value } = result;
    // A stream that is cancelled keeps the array.
    if (value === undefined) return 0;
    array = new Uint8Array(value.buffer);
    into.set(value);
    wipe(value);
    return value.length;
  };
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    const piece = newBytes(array.length);
    const length = await readInto(piece);
    return length === 0
      ? { done: true, value: undefined }
      : { done: false, value: piece.subarray(0, length) };
  };
  return { size, readInto, [Symbol.asyncIterator]: () => iterate(reader, next) };
}

/**
 * The bytes of `source`, one piece after the other.
 * @throws TwinwrapError BAD_ARGUMENT if bytes cannot be read from it
 */
export function pieces(source: Source | RandomAccess): Sequence {
  if (isRandomAccess(source)) return readFrom(asRandomAccess(source)!);
  if (isBlob(source) && typeof source.stream === "function") return readBlob(source);
  if (isStream(source)) return readStream(source);
  if (isObject(source) && Symbol.asyncIterator in source) {
    needFunction(source[Symbol.asyncIterator], "the source's iterator");
    return source as Sequence;
  }
  needSource(source);
  return readFrom(asRandomAccess(source)!);
}

/** Takes exact amounts out of pieces of any size. */
export class Reader {
  readonly #source: Sequence;
  readonly #pieces: AsyncIterator<Bytes>;
  #piece: Uint8Array = newBytes(0);
  #reading = false;

  constructor(source: Sequence) {
    this.#source = source;
    this.#pieces = source[Symbol.asyncIterator]();
    needFunction(this.#pieces?.next, "the next() of the source's iterator");
  }

  /** Bytes of the source in all, where that is known. */
  get size(): number | undefined {
    return this.#source.size;
  }

  /** Waits for the source. */
  async #wait<T>(work: Promise<T>): Promise<T> {
    this.#reading = true;
    try {
      return await work;
    } finally {
      this.#reading = false;
    }
  }

  /** As many bytes as the source has ready, 0 at the end. */
  async #more(into: Uint8Array): Promise<number> {
    if (this.#piece.length === 0) {
      if (this.#source.readInto !== undefined) return this.#wait(this.#source.readInto(into));
      do {
        const next = await this.#wait(this.#pieces.next());
        if (!isObject(next)) throw wrongKind(next, "what the source's iterator gives", "a result");
        if (next.done) return 0;
        this.#piece = needBytes(next.value, "a piece of the source");
      } while (this.#piece.length === 0);
    }
    const part = this.#piece.subarray(0, into.length);
    into.set(part);
    this.#piece = this.#piece.subarray(part.length);
    return part.length;
  }

  /** Fills `into` as far as the source goes; answers how many bytes it got. */
  async fill(into: Uint8Array): Promise<number> {
    return this.#fillTo(into, into.length);
  }

  /** Reads until there are `enough` bytes, or more if they come with them. */
  async #fillTo(into: Uint8Array, enough: number): Promise<number> {
    let filled = 0;
    while (filled < enough) {
      const length = await this.#more(into.subarray(filled));
      if (length === 0) break;
      filled += length;
    }
    return filled;
  }

  /**
   * Fills `into` with as many whole chunks of `chunk` bytes as the source has ready, at least one;
   * an answer that is 0 or no multiple of `chunk` means that the source has ended.
   */
  async fillWhole(into: Uint8Array, chunk: number): Promise<number> {
    const filled = await this.#fillTo(into, chunk);
    if (filled < chunk) return filled;
    const rest = filled % chunk;
    if (rest > 0) this.#piece = concatBytes(into.subarray(filled - rest, filled), this.#piece);
    return filled - rest;
  }

  /** Up to `length` bytes, fewer only where the source ends. */
  async take(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = newBytes(length);
    return bytes.subarray(0, await this.fill(bytes));
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    const closed = this.#pieces.return?.();
    // A source may answer only when the present read ends, which may be never.
    if (this.#reading) closed?.catch(() => {});
    else await closed;
  }
}

/** Pieces in order. Do not use a piece after giving it back to `next`: its buffer serves again. */
export type Pieces = AsyncGenerator<
  Uint8Array<ArrayBuffer>,
  void,
  Uint8Array<ArrayBuffer> | undefined
>;

/** A result: bytes that are made while they are taken. Can be taken once. */
export class Output {
  readonly #make: () => Pieces;
  readonly #unread: () => Promise<void>;
  #taken = false;

  /**
   * @param make makes the pieces, and lets go of keys and source in its `finally`
   * @param unread does the same for an output that ends before its first piece: a generator that has not begun
   *   runs no `finally`
   */
  constructor(make: () => Pieces, unread = async () => {}) {
    this.#make = needFunction(make, "make");
    this.#unread = needFunction(unread, "unread");
  }

  /**
   * One piece after the other. A consumer may give a used piece back, `next(piece)`, and its memory serves
   * for another one.
   */
  [Symbol.asyncIterator](): Pieces {
    if (this.#taken) throw new TwinwrapError("BAD_ARGUMENT", "this output was taken already");
    this.#taken = true;
    const pieces = this.#make();
    const next = pieces.next.bind(pieces);
    const end = pieces.return.bind(pieces);
    let begun = false;
    pieces.next = (...spent) => {
      begun = true;
      return next(...spent);
    };
    pieces.return = async (value) => {
      if (!begun) {
        begun = true;
        await this.#unread();
      }
      return end(value);
    };
    return pieces;
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

  /**
   * As text: the bytes have to be UTF-8. A byte order mark is left out.
   * @throws TwinwrapError BAD_FORMAT
   */
  async text(): Promise<string> {
    const bytes = await this.bytes();
    try {
      return fromUtf8(bytes).replace(/^\ufeff/, "");
    } finally {
      wipe(bytes);
    }
  }

  /**
   * As what stands in it as JSON.
   * @throws TwinwrapError BAD_FORMAT
   */
  async json(): Promise<unknown> {
    const text = await this.text();
    try {
      return JSON.parse(text);
    } catch {
      // The engine's own words may quote the content.
      throw new TwinwrapError("BAD_FORMAT", "this is no JSON");
    }
  }
}
