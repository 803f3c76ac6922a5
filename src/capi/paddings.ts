// Finds out that a program said Final = TRUE for every buffer. Then each buffer was padded by itself. Decrypted as
// one message, the plaintext has paddings in it, and the block after each padding is wrong.

/** Most bytes of a buffer with its padding. Longer ones are not looked for. */
const MAX_CHUNK = 1 << 24;
/** Most places that are followed at a time: each may be the first buffer's end. */
const MAX_CANDIDATES = 4096;
/** So many bytes of padding are no coincidence: that is 2^-32, and there are fewer than 2^20 candidates. */
const ENOUGH = 4;

/** Ciphertext of a full buffer of `every` bytes, padded. */
export function chunkLength(every: number, block: number, padded: boolean): number {
  return padded ? (Math.floor(every / block) + 1) * block : every;
}

/** A length that the first buffer may have. */
interface Candidate {
  chunk: number;
  padding: number;
  /** Where the next of its buffers would end. */
  next: number;
  /** Buffers that ended with a padding. */
  seen: number;
}

/** Looks for paddings of buffers in plaintext that passes. */
export class PaddingWatch {
  readonly #block: number;
  #candidates: Candidate[] = [];
  #at = 0;

  /** @param block bytes of a block */
  constructor(block: number) {
    this.#block = block;
  }

  /** The next bytes of the plaintext, whole blocks; not the message's last block, which has its padding. */
  update(plain: Uint8Array): void {
    if (this.#block === 1) return; // a stream cipher has no padding
    const end = this.#at + plain.length;
    this.#candidates = this.#candidates.filter((candidate) => this.#holds(candidate, plain, end));
    for (let to = this.#block; to <= plain.length; to += this.#block) {
      const chunk = this.#at + to;
      if (chunk > MAX_CHUNK || this.#candidates.length >= MAX_CANDIDATES) break;
      const padding = this.#paddingAt(plain, to);
      if (padding === 0) continue;
      const candidate = { chunk, padding, next: 2 * chunk, seen: 1 };
      if (this.#holds(candidate, plain, end)) this.#candidates.push(candidate);
    }
    this.#at = end;
  }

  /** The length of the buffers; undefined if it does not look as if they were padded one by one. */
  bufferLength(): number | undefined {
    const found = this.#candidates.find(({ padding, seen }) => seen * padding >= ENOUGH);
    return found && found.chunk - found.padding;
  }

  /** Whether all ends of a candidate's buffers in this piece look alike. */
  #holds(candidate: Candidate, plain: Uint8Array, end: number): boolean {
    for (; candidate.next <= end; candidate.next += candidate.chunk) {
      if (this.#paddingAt(plain, candidate.next - this.#at) !== candidate.padding) return false;
      candidate.seen++;
    }
    return true;
  }

  /** Bytes of a padding that ends at `to`, 0 if none does. */
  #paddingAt(plain: Uint8Array, to: number): number {
    const padding = plain[to - 1]!;
    if (padding === 0 || padding > this.#block) return 0;
    for (let i = 2; i <= padding; i++) if (plain[to - i] !== padding) return 0;
    return padding;
  }
}
