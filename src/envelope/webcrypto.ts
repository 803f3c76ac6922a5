import { free, wipe } from "../bytes.js";
import { decryptionFailed } from "../errors.js";
import { type ChunkKeys, setChunkNonce } from "./cobblestone.js";
import {
  chunksOf,
  type Direction,
  type Engine,
  type Segment,
  type Worked,
  wipePlaintext,
} from "./segments.js";

/** The platform's AES-GCM. */
export class WebCryptoEngine implements Engine {
  // 64 calls are in flight for each. With more, reads and writes wait behind them in Node's thread pool.
  readonly depth = 2;
  readonly #direction: Direction;
  readonly #key: CryptoKey;
  readonly #baseNonce: Uint8Array;

  private constructor(direction: Direction, key: CryptoKey, baseNonce: Uint8Array) {
    this.#direction = direction;
    this.#key = key;
    this.#baseNonce = baseNonce;
  }

  /** @param keys the key is wiped, the nonce with the engine */
  static async create(
    { key, baseNonce }: ChunkKeys,
    direction: Direction,
  ): Promise<WebCryptoEngine> {
    try {
      const usage = direction === "seal" ? "encrypt" : "decrypt";
      const imported = await crypto.subtle.importKey("raw", key, "AES-GCM", false, [usage]);
      return new WebCryptoEngine(direction, imported, baseNonce);
    } catch (error) {
      wipe(baseNonce);
      throw error;
    } finally {
      wipe(key);
    }
  }

  #call(index: number, from: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
    const iv = new Uint8Array(12);
    setChunkNonce(iv, this.#baseNonce, index);
    const algorithm = { name: "AES-GCM", iv };
    return this.#direction === "seal"
      ? crypto.subtle.encrypt(algorithm, this.#key, from)
      : crypto.subtle.decrypt(algorithm, this.#key, from);
  }

  async work(segment: Segment): Promise<Worked> {
    const { buffer } = segment;
    const chunks = [...chunksOf(this.#direction, segment)];
    const results = await Promise.allSettled(
      chunks.map(({ index, from }) => this.#call(index, from)),
    );
    let length = 0;
    let failure: { error: unknown } | undefined;
    for (const [i, { to }] of chunks.entries()) {
      const result = results[i]!;
      if (result.status === "rejected") {
        // The platform's error is an OperationError without a text.
        failure ??= { error: this.#direction === "open" ? decryptionFailed() : result.reason };
        continue;
      }
      const bytes = new Uint8Array(result.value);
      if (failure === undefined) {
        to.set(bytes);
        length += to.length;
      }
      // Behind a bad chunk, too: the others were opened at the same time.
      if (this.#direction === "open") wipe(bytes);
      free(bytes);
    }
    if (failure !== undefined) return { buffer, length, ...failure };
    if (this.#direction === "seal") wipePlaintext(segment, length);
    return { buffer, length };
  }

  dispose(): void {
    wipe(this.#baseNonce);
  }
}
