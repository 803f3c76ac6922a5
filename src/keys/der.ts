import { newBytes, withoutLeadingZeros } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { ForeignKeyError, type ForeignKind } from "./foreign.js";

// DER (ITU-T X.690, section 10) as far as key files need it: definite, minimal lengths; single-byte
// tags. What is not the one right encoding is refused.

export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const NULL = 0x05;
export const OBJECT_IDENTIFIER = 0x06;
export const SEQUENCE = 0x30;

/** Some programs leave out the zero byte that a first bit of 1 needs. */
const NEGATIVE = "a negative INTEGER, or one whose leading zero byte was left out";

/** Deeper than any key file (a locked one has seven levels). */
const MAX_DEPTH = 12;

/** Reads the elements inside one constructed element, one after the other. Gives views, no copies. */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #base: number;
  readonly #depth: number;
  #at = 0;

  /** @param base where `bytes` begin in the whole, for error texts */
  constructor(bytes: Uint8Array, base = 0, depth = 0) {
    this.#bytes = bytes;
    this.#base = base;
    this.#depth = depth;
  }

  /** Tag of the next element; undefined at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** The elements of the next element, which must be a SEQUENCE. */
  sequence(): DerReader {
    if (this.#depth === MAX_DEPTH) throw this.#malformed("nested too deeply");
    const content = this.take(SEQUENCE);
    const base = this.#base + this.#at - content.length;
    return new DerReader(content, base, this.#depth + 1);
  }

  /** A non-negative INTEGER, big-endian, without leading zeros. */
  integer(): Uint8Array {
    const content = this.take(INTEGER);
    const [first, second] = content;
    if (first === undefined) throw this.#malformed("an INTEGER without bytes");
    if (first >= 0x80) throw this.#malformed(NEGATIVE, "negative");
    if (first === 0 && second !== undefined && second < 0x80) {
      throw this.#malformed("an INTEGER with a byte too many");
    }
    return withoutLeadingZeros(content);
  }

  /** A non-negative INTEGER up to `limit`, which is below 2^48. */
  smallInteger(limit: number, what: string): number {
    const content = this.integer();
    let value = 0;
    for (const byte of content.subarray(0, 7)) value = value * 256 + byte;
    if (content.length > 6 || value > limit) {
      throw new TwinwrapError("LIMIT_EXCEEDED", `${what} is above ${limit}`);
    }
    return value;
  }

  octetString(): Uint8Array {
    return this.take(OCTET_STRING);
  }

  /** A BIT STRING of whole bytes. */
  bitString(): Uint8Array {
    const content = this.take(BIT_STRING);
    if (content[0] !== 0) throw this.#malformed("a BIT STRING that is not whole bytes");
    return content.subarray(1);
  }

  /** An OBJECT IDENTIFIER in dotted form. */
  oid(): string {
    const content = this.take(OBJECT_IDENTIFIER);
    const arcs: number[] = [];
    let arc = 0;
    for (const [i, byte] of content.entries()) {
      // 4 bytes of 7 bits are more than any registered arc that matters here.
      if ((arc === 0 && byte === 0x80) || arc >= 1 << 21) throw this.#malformed("a bad OID");
      arc = arc * 128 + (byte & 0x7f);
      if (byte < 0x80) {
        if (arcs.length === 0) {
          const top = Math.min(Math.floor(arc / 40), 2);
          arcs.push(top, arc - 40 * top);
        } else arcs.push(arc);
        arc = 0;
      } else if (i === content.length - 1) throw this.#malformed("an OID that breaks off");
    }
    if (arcs.length === 0) throw this.#malformed("an empty OID");
    return arcs.join(".");
  }

  /** NULL, or nothing at all where parameters may be left out. */
  optionalNull(): void {
    if (this.peek() === NULL && this.take(NULL).length > 0)
      throw this.#malformed("a NULL with bytes");
  }

  /** The next element's content; its tag must be `tag`. */
  take(tag: number): Uint8Array {
    if (this.peek() !== tag) {
      const next = this.peek();
      const found = next === undefined ? "the end" : `tag 0x${next.toString(16)}`;
      throw this.#malformed(`expected tag 0x${tag.toString(16)}, found ${found}`);
    }
    const bytes = this.#bytes;
    let at = this.#at + 1;
    let length = bytes[at++];
    if (length !== undefined && length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 3) throw this.#malformed("a length of a form not read here");
      length = 0;
      for (let i = 0; i < count; i++) length = length * 256 + (bytes[at++] ?? 0);
      if (length < 0x80 || length < 256 ** (count - 1)) throw this.#malformed("a length too long");
    }
    if (length === undefined || at + length > bytes.length) throw this.#malformed("cut short");
    this.#at = at + length;
    return bytes.subarray(at, this.#at);
  }

  /** Nothing may follow. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw this.#malformed("something follows the end");
  }

  #malformed(what: string, kind?: ForeignKind): TwinwrapError {
    const message = `malformed DER at byte ${this.#base + this.#at}: ${what}`;
    return kind === undefined
      ? new TwinwrapError("BAD_FORMAT", message)
      : new ForeignKeyError(kind, message);
  }
}

/** An element to be written: its content is made of bytes and other elements. */
export interface DerNode {
  tag: number;
  content: readonly (Uint8Array | DerNode)[];
}

const ZERO = Uint8Array.of(0);

export function sequence(...content: DerNode[]): DerNode {
  return { tag: SEQUENCE, content };
}

/** An INTEGER from a big-endian, non-negative number. */
export function integer(number: Uint8Array): DerNode {
  const minimal = withoutLeadingZeros(number);
  return { tag: INTEGER, content: (minimal[0] ?? 0) >= 0x80 ? [ZERO, minimal] : [minimal] };
}

/** An INTEGER from a number up to 2^48. */
export function smallInteger(value: number): DerNode {
  const bytes = newBytes(6);
  for (let i = 5, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) bytes[i] = rest % 256;
  return integer(bytes);
}

export function octetString(...content: (Uint8Array | DerNode)[]): DerNode {
  return { tag: OCTET_STRING, content };
}

export function bitString(...content: DerNode[]): DerNode {
  return { tag: BIT_STRING, content: [ZERO, ...content] };
}

export function nullValue(): DerNode {
  return { tag: NULL, content: [] };
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): DerNode {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes: number[] = [];
  for (const arc of [40 * first + second, ...rest]) {
    const groups = [arc & 0x7f];
    for (let high = arc >>> 7; high > 0; high >>>= 7) groups.unshift((high & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return { tag: OBJECT_IDENTIFIER, content: [Uint8Array.from(bytes)] };
}

/** The bytes of an element, written once into their place: no intermediate copies of secrets. */
export function encodeDer(node: DerNode): Uint8Array<ArrayBuffer> {
  const bytes = newBytes(size(node));
  write(node, bytes, 0);
  return bytes;
}

function contentSize(node: DerNode): number {
  return node.content.reduce((sum, part) => sum + size(part), 0);
}

/** Bytes that the length field takes. */
function lengthSize(length: number): number {
  return length < 0x80 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 4;
}

function size(part: Uint8Array | DerNode): number {
  if (!("tag" in part)) return part.length;
  const length = contentSize(part);
  return 1 + lengthSize(length) + length;
}

/** Writes an element at `at`; gives where the next one begins. */
function write(part: Uint8Array | DerNode, bytes: Uint8Array, at: number): number {
  if (!("tag" in part)) {
    bytes.set(part, at);
    return at + part.length;
  }
  const length = contentSize(part);
  const more = lengthSize(length) - 1;
  bytes[at] = part.tag;
  bytes[at + 1] = more === 0 ? length : 0x80 | more;
  for (let i = 0; i < more; i++) bytes[at + 2 + i] = length >>> (8 * (more - 1 - i));
  let next = at + 2 + more;
  for (const child of part.content) next = write(child, bytes, next);
  return next;
}
