import { type Bytes, needBytes } from "../arguments.js";
import { newBytes, wipe } from "../bytes.js";
import { decryptionFailed, TwinwrapError } from "../errors.js";
import { type AesUnit, BLOCK, needWindow } from "./aes.js";
import { fits, GcmKey, needAad, needIv, needRoom } from "./gcm-key.js";
import type { Instance } from "./instance.js";

/** The core's calls (assembly/gcm/gcm.ts), looked up once for all keys. */
export type GcmCalls = ReturnType<typeof gcmCalls>;

export function gcmCalls(instance: Instance) {
  return {
    seal: instance.function("gcmSeal"),
    open: instance.function("gcmOpen"),
    iv: instance.function("gcmIv"),
    aad: instance.function("gcmAad"),
    text: instance.function("gcmText"),
    finish: instance.function("gcmFinish"),
    verify: instance.function("gcmVerify"),
    /** Where the core keeps the state of the run at work. */
    state: new Uint8Array(
      instance.input.buffer,
      instance.constant("GCM_STATE"),
      instance.constant("GCM_STATE_SIZE"),
    ),
  };
}

/** A message that passes the core's windows in pieces. Its state is kept here between calls. */
class Run {
  readonly #unit: AesUnit;
  readonly #calls: GcmCalls;
  readonly #slot: () => number;
  readonly #opening: boolean;
  readonly #aadLength: number;
  readonly #state: Uint8Array;
  /** The input bytes of the last, partial block, which go through again with the next piece. */
  readonly #tail = newBytes(BLOCK);
  #length = 0;
  #ended = false;

  constructor(
    unit: AesUnit,
    calls: GcmCalls,
    slot: () => number,
    opening: boolean,
    iv: Uint8Array,
    aad: Uint8Array,
  ) {
    this.#unit = unit;
    this.#calls = calls;
    this.#slot = slot;
    this.#opening = opening;
    this.#aadLength = aad.length;
    this.#state = newBytes(calls.state.length);
    this.#work((slot) => {
      this.#feed(iv, (length, last) => calls.iv(slot, length, last ? iv.length : 0));
      this.#feed(aad, (length) => calls.aad(slot, length));
    });
  }

  /** Does `work` with this run's state in the core. */
  #work(work: (slot: number) => void): void {
    if (this.#ended) throw new TwinwrapError("DISPOSED", "the message is finished");
    const slot = this.#slot();
    this.#calls.state.set(this.#state);
    try {
      work(slot);
      this.#state.set(this.#calls.state);
    } finally {
      this.#calls.state.fill(0);
    }
  }

  #feed(data: Uint8Array, call: (length: number, last: boolean) => number): void {
    const { instance, input } = this.#unit;
    for (let at = 0; at < data.length; at += instance.windowSize) {
      const piece = data.subarray(at, at + instance.windowSize);
      input.set(piece);
      instance.check(call(piece.length, at + piece.length === data.length));
    }
    input.fill(0, 0, Math.min(data.length, instance.windowSize));
  }

  /** @throws TwinwrapError BAD_ARGUMENT if the message would be too long with so many bytes more */
  needRoom(length: number): void {
    needRoom(this.#length + length);
  }

  /** The next bytes of the text, from `data` into `result` of the same length. */
  update(data: Uint8Array, result: Uint8Array): void {
    this.needRoom(data.length);
    const { instance, input, output } = this.#unit;
    let most = 0;
    this.#work((slot) => {
      try {
        for (let at = 0; at < data.length; ) {
          const tail = this.#length % BLOCK;
          const piece = data.subarray(at, at + instance.windowSize - tail);
          const length = tail + piece.length;
          most = Math.max(most, length);
          input.set(this.#tail.subarray(0, tail));
          input.set(piece, tail);
          instance.check(this.#calls.text(slot, length, +this.#opening, 0));
          this.#tail.set(input.subarray(length - (length % BLOCK), length));
          result.set(output.subarray(tail, length), at);
          this.#length += piece.length;
          at += piece.length;
        }
      } finally {
        input.fill(0, 0, most);
        output.fill(0, 0, most);
      }
    });
  }

  /** Ends the text; `end` is left to give the tag out or to compare it. */
  #end(end: (slot: number) => void): void {
    const { instance, input, output } = this.#unit;
    try {
      this.#work((slot) => {
        const tail = this.#length % BLOCK;
        input.set(this.#tail.subarray(0, tail));
        instance.check(this.#calls.text(slot, tail, +this.#opening, 1));
        end(slot);
      });
    } finally {
      input.fill(0, 0, BLOCK);
      output.fill(0, 0, BLOCK);
      this.dispose();
    }
  }

  /** Ends the run with its tag, into the 16 bytes of `tag`. */
  finish(tag: Uint8Array): void {
    this.#end((slot) => {
      this.#unit.instance.check(this.#calls.finish(slot, this.#aadLength, this.#length));
      tag.set(this.#unit.output.subarray(0, BLOCK));
    });
  }

  /** Ends the run; throws DECRYPTION_FAILED unless `tag` is its tag, and all of it. */
  verify(tag: Uint8Array): void {
    this.#end((slot) => {
      if (tag.length !== BLOCK) throw decryptionFailed();
      this.#unit.input.set(tag);
      this.#unit.instance.check(this.#calls.verify(slot, this.#aadLength, this.#length));
    });
  }

  dispose(): void {
    wipe(this.#state, this.#tail);
    this.#ended = true;
  }
}

/** Encrypts one message that comes in pieces. Any number of them can be at work at a time. */
export class GcmEncryptor {
  readonly #run: Run;

  /** Use `key.encryptor(iv, aad)`. */
  constructor(run: Run) {
    this.#run = run;
  }

  /**
   * The ciphertext of the next bytes: as many bytes as `data` has.
   * @throws TwinwrapError BAD_ARGUMENT, also over 2^36 - 32 bytes altogether; DISPOSED after
   * `final` or `dispose`, or once the key is disposed of
   */
  update(data: Bytes): Uint8Array<ArrayBuffer> {
    const bytes = needBytes(data, "the data");
    this.#run.needRoom(bytes.length);
    const result = newBytes(bytes.length);
    this.#run.update(bytes, result);
    return result;
  }

  /** Ends the message: its tag of 16 bytes, to be put behind the ciphertext. */
  final(): Uint8Array<ArrayBuffer> {
    const tag = newBytes(BLOCK);
    this.#run.finish(tag);
    return tag;
  }

  /** Gives the message up and wipes what was kept of it. */
  dispose(): void {
    this.#run.dispose();
  }
}

/**
 * Decrypts one message that comes in pieces. **What `update` gives out is not authenticated**: it
 * may be anything until `final` has returned, and must be thrown away if `final` throws.
 */
export class UnverifiedGcmDecryptor {
  readonly #run: Run;
  /** The last bytes of what came, which may be the tag. */
  readonly #held = newBytes(BLOCK);
  #holds = 0;

  /** Use `key.decryptor(iv, aad)`. */
  constructor(run: Run) {
    this.#run = run;
  }

  /**
   * Takes the next bytes of ciphertext‖tag and gives out plaintext that is **not authenticated**
   * yet. The last 16 bytes are always held back: they may be the tag.
   * @throws TwinwrapError BAD_ARGUMENT, also over 2^36 - 32 bytes altogether; DISPOSED after
   * `final` or `dispose`, or once the key is disposed of
   */
  update(data: Bytes): Uint8Array<ArrayBuffer> {
    const bytes = needBytes(data, "the data");
    const held = this.#held;
    const length = Math.max(0, this.#holds + bytes.length - BLOCK);
    // Before the held bytes go in: they would go in again with the next call.
    this.#run.needRoom(length);
    const fromHeld = Math.min(this.#holds, length);
    const fromData = length - fromHeld;
    const result = newBytes(length);
    this.#run.update(held.subarray(0, fromHeld), result);
    this.#run.update(bytes.subarray(0, fromData), result.subarray(fromHeld));
    held.copyWithin(0, fromHeld, this.#holds);
    held.set(bytes.subarray(fromData), this.#holds - fromHeld);
    this.#holds += bytes.length - length;
    return result;
  }

  /**
   * Ends the message: returns if everything that `update` gave out is authentic.
   * @throws TwinwrapError DECRYPTION_FAILED if it is not; DISPOSED
   */
  final(): void {
    this.#run.verify(this.#held.subarray(0, this.#holds));
  }

  /** Gives the message up and wipes what was kept of it. */
  dispose(): void {
    this.#run.dispose();
  }
}

/** A key for AES-GCM (NIST SP 800-38D) with tags of 16 bytes. */
export class AesGcm extends GcmKey {
  readonly #unit: AesUnit;
  readonly #calls: GcmCalls;
  /** Bytes of the text of the last `encryptWindow`. */
  #sealed = 0;

  /** Use `core.aesGcm(key)`. */
  constructor(unit: AesUnit, calls: GcmCalls, key: Bytes) {
    super(unit, key, {
      seal: (iv, data, aad, to) => {
        const run = this.#run(false, iv, aad);
        run.update(data, to);
        run.finish(to.subarray(data.length));
      },
      open: (iv, data, aad, to) => {
        const length = data.length - BLOCK;
        const run = this.#run(true, iv, aad);
        try {
          run.update(data.subarray(0, length), to);
          run.verify(data.subarray(length));
        } catch (error) {
          wipe(to);
          throw error;
        }
      },
    });
    this.#unit = unit;
    this.#calls = calls;
  }

  #run(opening: boolean, iv: Uint8Array, aad: Uint8Array): Run {
    return new Run(this.#unit, this.#calls, () => this.slot(), opening, iv, aad);
  }

  // Without a copy: the caller writes into `core.input` and reads from `core.output`. Both are the caller's
  // until the next call of anything of this core, and `core.wipe()` clears them afterwards.

  /** Checks and passes on the arguments of both calls on the windows; returns the key's slot. */
  #window(iv: Uint8Array, length: number, aad: Uint8Array): number {
    const { instance } = this.#unit;
    needWindow(instance, length);
    if (!fits(instance, length, iv.length + aad.length)) {
      throw new TwinwrapError(
        "BAD_ARGUMENT",
        `IV and additional data have at most ${instance.params.length} bytes here`,
      );
    }
    const slot = this.slot();
    instance.params.set(iv);
    instance.params.set(aad, iv.length);
    return slot;
  }

  /**
   * Encrypts the first `length` bytes of `core.input` into `core.output`; `tag` then gives the tag.
   * @param iv,aad as for `encrypt`, together at most 4096 bytes
   * @param length in bytes, at most `core.input.length`
   * @throws TwinwrapError BAD_ARGUMENT, DISPOSED
   */
  encryptWindow(iv: Bytes, length: number, aad?: Bytes): void {
    const nonce = needIv(iv);
    const extra = needAad(aad);
    const slot = this.#window(nonce, length, extra);
    this.#unit.instance.check(this.#calls.seal(slot, nonce.length, extra.length, length));
    this.#sealed = length;
  }

  /** The tag of the last `encryptWindow`, 16 bytes; valid as long as `core.output` is. */
  get tag(): Uint8Array<ArrayBuffer> {
    return this.#unit.output.subarray(this.#sealed, this.#sealed + BLOCK);
  }

  /**
   * Decrypts the first `length` bytes of `core.input` into `core.output`, where nothing is left if the
   * tag is wrong.
   * @param iv,aad as for `encrypt`, together at most 4096 bytes
   * @param length in bytes, without the tag, at most `core.input.length`
   * @throws TwinwrapError DECRYPTION_FAILED, BAD_ARGUMENT, DISPOSED
   */
  decryptWindow(iv: Bytes, length: number, tag: Bytes, aad?: Bytes): void {
    const nonce = needIv(iv);
    const extra = needAad(aad);
    const expected = needBytes(tag, "the tag");
    const slot = this.#window(nonce, length, extra);
    if (expected.length !== BLOCK) throw decryptionFailed();
    this.#unit.input.set(expected, length);
    this.#unit.instance.check(this.#calls.open(slot, nonce.length, extra.length, length));
  }

  /**
   * Encrypts one message that comes in pieces.
   * @param iv,aad as for `encrypt`
   * @throws TwinwrapError BAD_ARGUMENT, DISPOSED
   */
  encryptor(iv: Bytes, aad?: Bytes): GcmEncryptor {
    return new GcmEncryptor(this.#run(false, needIv(iv), needAad(aad)));
  }

  /**
   * Decrypts one message that comes in pieces; what its `update` gives out is **not authenticated**
   * until its `final` has returned.
   * @param iv,aad as for `encrypt`
   * @throws TwinwrapError BAD_ARGUMENT, DISPOSED
   */
  decryptor(iv: Bytes, aad?: Bytes): UnverifiedGcmDecryptor {
    return new UnverifiedGcmDecryptor(this.#run(true, needIv(iv), needAad(aad)));
  }
}
