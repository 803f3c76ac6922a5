import { copyBytes, toHex, wipe } from "../bytes.js";
import { CryptoApiError, type NteError } from "./wincrypt.js";

/** One field of a blob, as it stands there. */
export interface BlobField {
  /** Where the field begins and how long it is, in bytes. */
  offset: number;
  length: number;
  /** As Microsoft's documentation calls it. */
  name: string;
  /** The bytes in the blob's (little-endian) order; empty for a secret that was not asked for. */
  hex: string;
  /** What the value means, for people. */
  meaning: string;
  /** The field holds key material, or may: behind something wrong nothing is sure to be in its place. */
  secret: boolean;
}

/** How a reader treats what is wrong, and what it writes down. */
export interface Explain {
  /** Give the bytes of secret fields too. */
  secrets: boolean;
}

/**
 * Reads a blob field by field. Without `explain` the first problem is thrown; with it the reader
 * keeps a list of the fields, remembers the first problem and goes on as far as it can.
 */
export class BlobReader {
  readonly fields: BlobField[] = [];
  problem: CryptoApiError | undefined;
  readonly #bytes: Uint8Array;
  readonly #explain: Explain | undefined;
  readonly #secrets: Uint8Array[] = [];
  #start = 0;
  #at = 0;
  #end: number;

  constructor(bytes: Uint8Array, explain?: Explain) {
    this.#bytes = bytes;
    this.#explain = explain;
    this.#end = bytes.length;
  }

  /** Where the next field begins, counted from the blob's beginning. */
  get offset(): number {
    return this.#at - this.#start;
  }

  /** Bytes of the blob not yet read. */
  get left(): number {
    return this.#end - this.#at;
  }

  /**
   * Reads a blob that stands inside a file, in the next `length` bytes: offsets are counted from its
   * beginning, but for those of fields and problems, which stay the file's. What follows in the file
   * is left to be read afterwards.
   */
  inside<T>(length: number, read: () => T): T {
    const [start, end] = [this.#start, this.#end];
    this.#start = this.#at;
    this.#end = this.#at + length;
    const result = read();
    [this.#start, this.#end] = [start, end];
    return result;
  }

  /** Something is wrong, but what follows can still be read. */
  refuse(nte: NteError, offset: number, message: string): void {
    if (this.#explain === undefined) this.stop(nte, offset, message);
    this.problem ??= new CryptoApiError(nte, this.#start + offset, message);
  }

  /** Something is wrong, and nothing more can be read. */
  stop(nte: NteError, offset: number, message: string): never {
    this.wipeSecrets();
    throw new CryptoApiError(nte, this.#start + offset, message);
  }

  /** An unsigned little-endian integer of `length` (1 to 4) bytes. */
  integer(name: string, length: number, meaning: (value: number) => string): number {
    let value = 0;
    this.#take(name, length, false, (field) => {
      for (let i = length - 1; i >= 0; i--) value = value * 256 + field[i]!;
      return meaning(value);
    });
    return value;
  }

  /** The next `length` bytes, or as many as there are, without reading them: lent. */
  peek(length: number): Uint8Array {
    return this.#bytes.subarray(this.#at, Math.min(this.#at + length, this.#end));
  }

  /** A copy of `length` bytes in the blob's order. */
  bytes(name: string, length: number, meaning: string, secret = false): Uint8Array<ArrayBuffer> {
    const hidden = secret || this.problem !== undefined;
    const copy = copyBytes(this.#take(name, length, hidden, () => meaning));
    if (hidden) this.#secrets.push(copy);
    return copy;
  }

  /** A copy of `length` bytes, reversed: a number or an RSA block, big-endian. */
  number(name: string, length: number, meaning: string, secret = false): Uint8Array<ArrayBuffer> {
    return this.bytes(name, length, meaning, secret).reverse();
  }

  /** What is left when reading had to stop. */
  rest(): void {
    this.#end = this.#bytes.length;
    this.#take("(unread)", this.left, true, () => "not read");
  }

  /** Overwrites the secret fields that were handed out: nobody will use them. */
  wipeSecrets(): void {
    wipe(...this.#secrets);
  }

  #take(
    name: string,
    length: number,
    secret: boolean,
    meaning: (field: Uint8Array) => string,
  ): Uint8Array {
    const offset = this.#at;
    const whole = length <= this.left;
    const field = this.#bytes.subarray(offset, whole ? offset + length : this.#end);
    this.#at += field.length;
    const text = whole ? meaning(field) : `cut: ${field.length} of ${length} bytes`;
    if (this.#explain !== undefined && (length > 0 || !whole)) {
      const hex = secret && !this.#explain.secrets ? "" : toHex(field);
      this.fields.push({ offset, length: field.length, name, hex, meaning: text, secret });
    }
    if (!whole) {
      const end = this.#end;
      this.stop("NTE_BAD_DATA", this.offset, `the blob ends at byte ${end}, inside ${name}`);
    }
    return field;
  }
}
