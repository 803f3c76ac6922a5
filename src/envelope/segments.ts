import { copyBytes, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import type { Pieces, Reader } from "../source.js";
import { CHUNK, type ChunkCipher, SEALED_CHUNK, TAG } from "./cobblestone.js";

// A body passes through in segments, runs of whole chunks. A segment has one buffer in which it is
// read, sealed or opened in place, and written, so that it can go to a worker and back without a copy.

/** Chunks in a segment, 1 MiB: where larger ones bring nothing more (docs/performance.md). */
export const SEGMENT_CHUNKS = 64;
/** Bytes of a segment's buffer: its sealed chunks. */
export const SEGMENT = SEGMENT_CHUNKS * SEALED_CHUNK;
/** Chunks in a message's first segment: to allocate and wipe a megabyte costs more than to seal a small file. */
const FIRST_CHUNKS = 4;

/**
 * Where the bytes of a segment begin in its buffer before the work: sealed chunks at the beginning;
 * plaintext so far after it that no sealed chunk, written from the beginning on, reaches a chunk that
 * is not sealed yet.
 */
function startIn(buffer: ArrayBuffer, direction: Direction): number {
  return direction === "open" ? 0 : (buffer.byteLength / SEALED_CHUNK) * TAG;
}

/** A segment to be sealed or opened. */
export interface Segment {
  /** The number of its first chunk. */
  index: number;
  /** Bytes in it, plaintext or sealed chunks; {@link startIn} tells where. */
  length: number;
  buffer: ArrayBuffer;
}

/** A segment that was sealed or opened. */
export interface Worked {
  buffer: ArrayBuffer;
  /** Bytes of the result, at the buffer's beginning: of an opened segment those up to a bad chunk. */
  length: number;
  /** What was wrong with the chunk behind them. */
  error?: unknown;
}

/** Seals or opens the segments of one message, in any order. */
export interface Engine {
  /** How many segments it wants to be given at a time. */
  readonly depth: number;
  /**
   * Works on a segment in its buffer, which belongs to the engine until the promise is settled.
   * @throws TwinwrapError if the work could not be done; a chunk that is not authentic is no such error
   */
  work(segment: Segment): Promise<Worked>;
  /** Wipes its copies of the keys. */
  dispose(): void;
}

/** Which way a message goes. */
export type Direction = "seal" | "open";

/** Bytes of a whole chunk before and after the work. */
const SIZES = {
  seal: { before: CHUNK, after: SEALED_CHUNK },
  open: { before: SEALED_CHUNK, after: CHUNK },
};

/** Where each chunk of a segment stands in its buffer, before and after. */
export function* chunksOf(
  direction: Direction,
  { index, length, buffer }: Segment,
): Generator<{ index: number; from: Uint8Array<ArrayBuffer>; to: Uint8Array<ArrayBuffer> }> {
  const { before, after } = SIZES[direction];
  const start = startIn(buffer, direction);
  // The last chunk is shorter, and empty if the plaintext is a multiple of 16 KiB.
  for (let i = 0; i * before < length || (i === 0 && length === 0); i++) {
    const size = Math.min(before, length - i * before);
    yield {
      index: index + i,
      from: new Uint8Array(buffer, start + i * before, size),
      to: new Uint8Array(buffer, i * after, size + after - before),
    };
  }
}

/** Does the work here and now. */
export function workOn(cipher: ChunkCipher, direction: Direction, segment: Segment): Worked {
  const { buffer } = segment;
  let length = 0;
  try {
    for (const { index, from, to } of chunksOf(direction, segment)) {
      if (direction === "seal") cipher.sealChunk(index, from, to);
      else cipher.openChunk(index, from, to);
      length += to.length;
    }
  } catch (error) {
    return { buffer, length, error };
  }
  if (direction === "seal") wipePlaintext(segment, length);
  return { buffer, length };
}

/** Wipes what sealing in place leaves of the plaintext: a short segment does not cover its own. */
export function wipePlaintext({ buffer, length }: Segment, sealed: number): void {
  const end = startIn(buffer, "seal") + length;
  if (end > sealed) wipe(new Uint8Array(buffer, sealed, end - sealed));
}

/** A cipher on this thread. */
export class LocalEngine implements Engine {
  /** One at work, and one that is read meanwhile. */
  readonly depth = 2;
  readonly #cipher: ChunkCipher;
  readonly #direction: Direction;
  readonly #owned: boolean;

  /** @param cipher is disposed of with this, if it is `owned` */
  constructor(cipher: ChunkCipher, direction: Direction, { owned = false } = {}) {
    this.#cipher = cipher;
    this.#direction = direction;
    this.#owned = owned;
  }

  async work(segment: Segment): Promise<Worked> {
    // The work blocks the thread: let the next read be under way before it begins.
    await undefined;
    return workOn(this.#cipher, this.#direction, segment);
  }

  dispose(): void {
    if (this.#owned) this.#cipher.dispose();
  }
}

/** The settings of runSegments. */
export interface RunOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((bytes: number) => void) | undefined;
}

/** @throws TwinwrapError ABORTED */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new TwinwrapError("ABORTED", "aborted", { cause: signal.reason });
}

/** Wipes a buffer, unless it was transferred and lost. */
function wipeBuffer(buffer: ArrayBuffer): void {
  if (buffer.byteLength > 0) wipe(new Uint8Array(buffer));
}

function truncated(): TwinwrapError {
  return new TwinwrapError("BAD_FORMAT", "the file is truncated: its last chunk is missing or cut");
}

/** A segment that was given to the engine and has not left yet. */
interface Slot {
  /** Bytes that were read. */
  length: number;
  worked?: Worked;
  /** Why there will be no result. */
  failure?: { error: unknown };
}

/** A message on its way through an engine: one side reads ahead, the other takes the results, in order. */
class Passage {
  readonly #direction: Direction;
  readonly #reader: Reader;
  readonly #engine: Engine;
  readonly #slots: Slot[] = [];
  readonly #free: ArrayBuffer[] = [];
  #stopped = false;
  #ended = false;
  #failure: Slot["failure"];
  // The taker waits for a result, the reader for room; each wakes the other.
  /** Ends the waiting for news. */
  wake = () => {};
  #makeRoom = () => {};

  constructor(direction: Direction, reader: Reader, engine: Engine) {
    this.#direction = direction;
    this.#reader = reader;
    this.#engine = engine;
  }

  /** Begins to read. */
  start(): void {
    this.#readAll()
      .catch((error) => {
        this.#failure = { error };
      })
      .finally(() => {
        this.#ended = true;
        this.wake();
      });
  }

  async #readAll(): Promise<void> {
    const chunk = SIZES[this.#direction].before;
    for (let index = 0; ; ) {
      if (this.#slots.length >= this.#engine.depth) {
        await new Promise<void>((resolve) => {
          this.#makeRoom = resolve;
        });
      }
      const read = await this.#readSegment(index, chunk);
      if (read === undefined) return;
      let { length } = read;
      const rest = length % chunk;
      const last = rest !== 0 || length === 0;
      // In a sealed message even an empty chunk has its tag.
      const cut = this.#direction === "open" && last && rest < TAG;
      if (cut) length -= rest;
      if (!cut || length > 0) this.#give({ index, length, buffer: read.buffer });
      if (cut) throw truncated();
      if (last) return;
      index += length / chunk;
    }
  }

  /** The bytes from chunk `index` on, in a buffer; undefined if nobody wants them any more. */
  async #readSegment(
    index: number,
    chunk: number,
  ): Promise<{ buffer: ArrayBuffer; length: number } | undefined> {
    if (this.#stopped) return undefined;
    const chunks = index === 0 ? FIRST_CHUNKS : SEGMENT_CHUNKS;
    const buffer = this.#free.pop() ?? new ArrayBuffer(chunks * SEALED_CHUNK);
    const into = new Uint8Array(buffer, startIn(buffer, this.#direction), chunks * chunk);
    let length: number;
    try {
      length = await this.#reader.fillWhole(into, chunk);
    } catch (error) {
      wipe(into);
      throw error;
    }
    if (!this.#stopped) return { buffer, length };
    wipe(into);
    return undefined;
  }

  /** Gives a segment to the engine. */
  #give(segment: Segment): void {
    const slot: Slot = { length: segment.length };
    this.#slots.push(slot);
    this.#engine.work(segment).then(
      (worked) => {
        if (this.#stopped) wipeBuffer(worked.buffer);
        slot.worked = worked;
        this.wake();
      },
      (error) => {
        wipeBuffer(segment.buffer);
        slot.failure = { error };
        this.wake();
      },
    );
  }

  /** The next result, with how many bytes were read for it; undefined if it is not there yet, or there is none. */
  take(): { worked: Worked; read: number } | undefined {
    const slot = this.#slots[0];
    const failure = slot === undefined && this.#ended ? this.#failure : slot?.failure;
    if (failure !== undefined) throw failure.error;
    if (slot?.worked === undefined) return undefined;
    this.#slots.shift();
    this.#makeRoom();
    return { worked: slot.worked, read: slot.length };
  }

  /** Whether all results were taken. */
  get isOver(): boolean {
    return this.#ended && this.#slots.length === 0;
  }

  /** Waits for something new. */
  news(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  /** Takes back the buffer of a result. */
  reuse(buffer: ArrayBuffer): void {
    if (buffer.byteLength === SEGMENT) this.#free.push(buffer);
    else wipeBuffer(buffer);
  }

  /** Ends the reading, and wipes. */
  stop(): void {
    this.#stopped = true;
    this.#makeRoom();
    // They hold plaintext, or did. Segments still at work are wiped when they come back.
    for (const buffer of this.#free) wipeBuffer(buffer);
    for (const { worked } of this.#slots) if (worked) wipeBuffer(worked.buffer);
  }
}

/**
 * Takes a message through an engine: reads ahead as far as the engine wants work, and yields the results
 * in order, each as soon as it is there. Everything read before an error leaves before the error is
 * thrown. When a message is opened, nothing after a bad chunk leaves.
 * @throws TwinwrapError ABORTED; BAD_FORMAT if the message was cut; DECRYPTION_FAILED; what the
 *   source and the engine throw
 */
export async function* runSegments(
  direction: Direction,
  reader: Reader,
  engine: Engine,
  { signal, onProgress }: RunOptions,
): Pieces {
  const passage = new Passage(direction, reader, engine);
  const onAbort = () => passage.wake();
  signal?.addEventListener("abort", onAbort);
  passage.start();
  let done = 0;
  let givesBack = false;
  try {
    for (;;) {
      throwIfAborted(signal);
      const taken = passage.take();
      if (taken === undefined) {
        if (passage.isOver) return;
        await passage.news();
        continue;
      }
      const { buffer, length, error } = taken.worked;
      if (error === undefined) {
        done += direction === "seal" ? taken.read : length;
        onProgress?.(done);
      }
      if (length > 0 || error === undefined) {
        const view = new Uint8Array(buffer, 0, length);
        // A short piece must not hold a whole buffer, unless the consumer gives pieces back.
        const piece: Uint8Array<ArrayBuffer> =
          !givesBack && length < buffer.byteLength / 2 ? copyBytes(view) : view;
        const spent: Uint8Array | undefined = yield piece;
        givesBack = spent === piece;
        if (givesBack || piece !== view) passage.reuse(buffer);
      }
      if (error !== undefined) throw error;
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    passage.stop();
  }
}
