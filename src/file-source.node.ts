import { constants, type Stats } from "node:fs";
import { Socket } from "node:net";
import { dirname, resolve } from "node:path";
import { isatty, ReadStream } from "node:tty";
import { needBytes, whole, wrongKind } from "./arguments.js";
import { concatBytes, copyBytes, wipe } from "./bytes.js";
import { AT_ONCE, linkText, system, whenReady } from "./calls.node.js";
import { TwinwrapError } from "./errors.js";
import { needPath, withSystemErrors } from "./system.node.js";

// Reading: the kind of descriptor decides how, and only the event loop ever waits.

/** Bytes of one read. */
const PIECE = 1 << 18;
/** Links that are followed one after the other. */
const MAX_LINKS = 40;

/** Not waiting where a FIFO has no writer, or a device no line; Windows has none of it. */
const O_NONBLOCK = constants.O_NONBLOCK ?? 0;

const STANDARD_NAMES = new Map([
  ["/dev/stdin", 0],
  ["/dev/stdout", 1],
  ["/dev/stderr", 2],
]);

/**
 * The descriptor of this process that a name stands for: /dev/stdout, /dev/fd/3, or a link to one. A shell
 * may have redirected it; no file of that name is to be made or replaced.
 */
export function descriptorOf(path: string): number | undefined {
  if (process.platform === "win32") return undefined;
  let name: string;
  try {
    name = resolve(path);
  } catch {
    return undefined; // the working folder is gone
  }
  for (let links = 0; links < MAX_LINKS; links++) {
    const standard = STANDARD_NAMES.get(name);
    if (standard !== undefined) return standard;
    const [, pid, number] =
      /^(?:\/dev|\/proc\/(self|thread-self|\d+))\/fd\/(\d+)$/.exec(name) ?? [];
    if (number !== undefined) {
      return /^\d+$/.test(pid ?? "") && Number(pid) !== process.pid ? undefined : Number(number);
    }
    try {
      const link = linkText(name);
      if (link === undefined) return undefined;
      name = resolve(dirname(name), link.toString());
    } catch {
      return undefined;
    }
  }
  return undefined;
}

const needNumber = whole(0);
const needLength = whole(0, 2 ** 32 - 1);

/** A file open for reading, at any place or from front to back. */
export class FileSource {
  readonly #path: string;
  readonly #descriptor: number;
  /** Of a pipe, a socket or a terminal. */
  readonly #stream: Socket | undefined;
  /** Bytes, when it was opened. */
  readonly size: number;
  /** Its permissions. */
  readonly mode: number;
  /** Whether bytes can be read at any place; a pipe or a device gives them once. */
  readonly seekable: boolean;
  /** Whether it is read by calls that wait. */
  readonly #isQuick: boolean;

  /** Use `FileSource.open(path)`. */
  private constructor(path: string, descriptor: number, stats: Stats) {
    if (typeof descriptor !== "number" || typeof stats?.isFIFO !== "function") {
      throw wrongKind(descriptor, "the file", "what FileSource.open() opens");
    }
    this.#path = path;
    this.#descriptor = descriptor;
    this.size = stats.size;
    this.mode = stats.mode & 0o777;
    this.seekable = stats.isFile();
    this.#isQuick = this.seekable && this.size <= AT_ONCE;
    if (stats.isFIFO()) this.#stream = new Socket({ fd: descriptor, readable: true });
    else if (stats.isCharacterDevice() && isatty(descriptor))
      this.#stream = new ReadStream(descriptor);
    // The reader gets the error.
    this.#stream?.on("error", () => {});
  }

  /** @throws TwinwrapError BAD_ARGUMENT, UNAVAILABLE if there is no such file, or it cannot be read */
  static async open(path: string): Promise<FileSource> {
    needPath(path, "the path");
    const flags = constants.O_RDONLY | O_NONBLOCK;
    const descriptor = await withSystemErrors(path, () =>
      // With these flags it waits for nobody.
      whenReady(() => system.openSync(path, flags)),
    );
    try {
      return await withSystemErrors(path, async () => {
        return new FileSource(path, descriptor, system.fstatSync(descriptor));
      });
    } catch (error) {
      system.closeSync(descriptor);
      throw error;
    }
  }

  /**
   * The bytes from `offset` on, `length` of them, or fewer where the file ends.
   * @throws TwinwrapError BAD_ARGUMENT, UNAVAILABLE
   */
  async read(offset: number, length: number): Promise<Uint8Array> {
    needNumber(offset, "the offset");
    needLength(length, "the length");
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const part = await this.readInto(bytes.subarray(filled), offset + filled);
      if (part === 0) break;
      filled += part;
    }
    return bytes.subarray(0, filled);
  }

  /**
   * Reads into an array; a pipe has only {@link pieces}.
   * @param offset where, or null to go on where the last such read ended
   * @returns how many bytes came, 0 at the end of the file
   * @throws TwinwrapError BAD_ARGUMENT, UNAVAILABLE
   */
  async readInto(into: Uint8Array, offset: number | null): Promise<number> {
    const bytes = needBytes(into, "the array");
    if (offset !== null) needNumber(offset, "the offset");
    return readDescriptor(this.#path, this.#descriptor, bytes, offset, this.#isQuick);
  }

  /** All bytes to the end, wherever that is by then. Each piece is valid until the next is asked for. */
  pieces(): AsyncIterable<Uint8Array> & { readInto?(into: Uint8Array): Promise<number> } {
    if (this.#stream !== undefined) return streamPieces(this.#path, this.#stream);
    return descriptorPieces(this.#path, this.#descriptor, this.#isQuick);
  }

  /** @throws TwinwrapError UNAVAILABLE */
  async close(): Promise<void> {
    // From here on the descriptor belongs to the stream.
    if (this.#stream !== undefined) this.#stream.destroy();
    else await withSystemErrors(this.#path, async () => system.closeSync(this.#descriptor));
  }
}

async function readDescriptor(
  path: string,
  descriptor: number,
  into: Uint8Array,
  offset: number | null,
  isQuick: boolean,
): Promise<number> {
  const read = () =>
    isQuick
      ? system.readSync(descriptor, into, 0, into.length, offset)
      : system.read(descriptor, into, 0, into.length, offset);
  return withSystemErrors(path, () => whenReady(read));
}

/**
 * All bytes of a file or device, from where its descriptor stands.
 * @param isQuick for a small regular file: it is read by calls that wait
 */
export function descriptorPieces(
  path: string,
  descriptor: number,
  isQuick = false,
): AsyncIterable<Uint8Array> & { readInto(into: Uint8Array): Promise<number> } {
  const readInto = (into: Uint8Array) => readDescriptor(path, descriptor, into, null, isQuick);
  return {
    readInto,
    async *[Symbol.asyncIterator]() {
      const piece = new Uint8Array(PIECE);
      try {
        for (;;) {
          const length = await readInto(piece);
          if (length === 0) return;
          yield piece.subarray(0, length);
        }
      } finally {
        piece.fill(0);
      }
    },
  };
}

/** All bytes of a pipe, a socket or a terminal. */
export async function* streamPieces(
  path: string,
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    return await withSystemErrors(path, () => Promise.reject(error));
  }
}

/**
 * All of a file that should be small, read piece by piece: however large it is, this holds no more than the
 * limit. Wipes the pieces, as they may be secret.
 * @param limit bytes
 * @throws TwinwrapError LIMIT_EXCEEDED if there is more
 */
export async function collectPieces(
  path: string,
  pieces: AsyncIterable<Uint8Array>,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const piece of pieces) {
      length += piece.length;
      if (length > limit) {
        throw new TwinwrapError(
          "LIMIT_EXCEEDED",
          `${path} is longer than the ${limit} bytes read here`,
        );
      }
      parts.push(copyBytes(piece));
      wipe(piece); // for standard input nobody else would
    }
    return concatBytes(...parts);
  } finally {
    wipe(...parts);
  }
}

/** All of a file; see {@link collectPieces}. */
export async function readFileWhole(path: string, limit: number): Promise<Uint8Array<ArrayBuffer>> {
  const file = await FileSource.open(path);
  try {
    return await collectPieces(path, file.pieces(), limit);
  } finally {
    await file.close();
  }
}
