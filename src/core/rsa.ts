import { type Bytes, needBytes, needFunction, optionsOf, whole } from "../arguments.js";
import { copyBytes, newBytes, randomBytes, wipe } from "../bytes.js";
import { decryptionFailed, TwinwrapError } from "../errors.js";
import { hashInfo } from "./hash.js";
import type { Instance } from "./instance.js";
import {
  BLINDING_EXTRA,
  exponent,
  type GivenPadding,
  MAX_BYTES,
  PADDED,
  PADDING,
  parsePadding,
  type Random,
  RsaKey,
  type RsaPadding,
  type RsaPublicComponents,
} from "./rsa-public.js";
import type { Slots } from "./slots.js";

// Ways to decrypt, as assembly/rsa/calls.ts numbers them.
const DECRYPT = 0;
const CHECKED = 1;
const UNWRAP = 2;
/** Together with one of these: the result of RSADP is given, too. */
const GIVEN = 4;

/** The valid lengths depend on the key. */
const UNWRAPPED = /* @__PURE__ */ optionsOf<GivenPadding & { length: number }>(
  { ...PADDING, length: /* @__PURE__ */ whole(0, MAX_BYTES) },
  ["padding", "length"],
);

/** An RSA private key with what the Chinese remainder theorem needs (RFC 8017, appendix A.1.2). */
export interface RsaPrivateComponents extends RsaPublicComponents {
  d: Uint8Array;
  p: Uint8Array;
  q: Uint8Array;
  /** d mod p - 1 */
  dp: Uint8Array;
  /** d mod q - 1 */
  dq: Uint8Array;
  /** 1/q mod p */
  qi: Uint8Array;
}

/**
 * RSADP (RFC 8017, section 5.1.2) done elsewhere, in place of the core, which verifies each result with the public key,
 * and takes the padding off in constant time. How constant-time the operation itself is, is up to whoever does it.
 * Takes k bytes and gives k bytes, big-endian; may throw for a number that is not below n. What it gives is wiped.
 */
export type Rsadp = (ciphertext: Uint8Array<ArrayBuffer>) => Uint8Array;

/** An RSA private key at hand. */
export class RsaPrivateKey extends RsaKey<RsaPrivateComponents> {
  readonly #rsadp: Rsadp | undefined;

  /** Use `core.rsaPrivateKey(components)`. */
  constructor(
    instance: Instance,
    slots: Slots,
    components: RsaPrivateComponents,
    random: Random = randomBytes,
    rsadp?: Rsadp,
  ) {
    // Before the key is loaded: nothing would unload it.
    const checked = rsadp === undefined ? undefined : needFunction(rsadp, "rsadp");
    super(instance, slots, ["n", "d", "p", "q", "dp", "dq", "qi", "e"], components, random);
    this.#rsadp = checked;
  }

  protected override load(slot: number, key: RsaPrivateComponents): number {
    const lengths = this.fill([key.n, key.d, key.p, key.q, key.dp, key.dq, key.qi]);
    return this.instance.function("rsaLoadPrivate")(slot, exponent(key.e), ...lengths);
  }

  /** Runs one private operation and takes its answer out of the output window. */
  #run(ciphertext: Bytes, options: RsaPadding, way: number): Uint8Array<ArrayBuffer> {
    const parsed = parsePadding(options, way === UNWRAP ? UNWRAPPED : PADDED);
    const { padding, hash, mgf1, length } = parsed;
    const bytes = needBytes(ciphertext, "the ciphertext");
    const numbers = [hashInfo(hash).number, hashInfo(mgf1).number] as const;
    const room = this.room(padding, hash);
    if (length > room) {
      throw new TwinwrapError("BAD_ARGUMENT", `this RSA key unwraps 0 to ${room} bytes`);
    }
    this.slot();
    if (bytes.length !== this.k) throw decryptionFailed();
    const block = this.#rsadp && this.#blockOf(bytes, this.#rsadp);
    const random = block === undefined ? this.random(this.k + BLINDING_EXTRA) : newBytes(0);
    const { instance } = this;
    try {
      // Whoever did it elsewhere may have used this core meanwhile, or put the key away.
      const slot = this.slot();
      this.setParams(parsed, random);
      instance.input.set(bytes);
      if (block !== undefined) instance.input.set(block, this.k);
      const how = block === undefined ? way : way | GIVEN;
      instance.check(instance.function("rsaDecrypt")(slot, how, padding, ...numbers, length));
      if (way === UNWRAP) return copyBytes(instance.output.subarray(0, length));
      const found = instance.function("rsaMessageLength")();
      return copyBytes(instance.output.subarray(this.k - found, this.k));
    } finally {
      wipe(random, block);
      this.clear(2 * this.k);
    }
  }

  /** What is done elsewhere. Of what fails there the core finds out why: zeros are no result. */
  #blockOf(ciphertext: Uint8Array, rsadp: Rsadp): Uint8Array {
    try {
      const block = needBytes(rsadp(copyBytes(ciphertext)), "rsadp");
      if (block.length === this.k) return block;
      wipe(block);
    } catch {
      // Too large a number, as the core will say, or a fault, as it will find.
    }
    return newBytes(this.k);
  }

  /**
   * Decrypts k bytes. With v1.5 a wrong padding is not an error: it gives a message that only the
   * key determines (implicit rejection, draft-irtf-cfrg-rsa-guidance), so that no caller can tell an
   * attacker whether a padding was right.
   * @throws TwinwrapError DECRYPTION_FAILED (OAEP, or a ciphertext that is no number below n of k
   *   bytes), BAD_ARGUMENT, FAULT, DISPOSED
   */
  decrypt(ciphertext: Bytes, options: RsaPadding): Uint8Array<ArrayBuffer> {
    return this.#run(ciphertext, options, DECRYPT);
  }

  /**
   * Decrypts k bytes and reports a wrong padding: with v1.5 a Bleichenbacher oracle for anybody who can
   * send ciphertexts and watch. Only for a person's own files.
   * @throws TwinwrapError DECRYPTION_FAILED, BAD_ARGUMENT, FAULT, DISPOSED
   */
  decryptChecked(ciphertext: Bytes, options: RsaPadding): Uint8Array<ArrayBuffer> {
    return this.#run(ciphertext, options, CHECKED);
  }

  /**
   * Unwraps a key of exactly `length` bytes. A wrong padding and a message of another length give a
   * pseudo-random key, in the same time; the key's use must tell (in Twinwrap: its commitment).
   * @throws TwinwrapError DECRYPTION_FAILED only for a ciphertext that is no number below n of k
   *   bytes, BAD_ARGUMENT, also if no message of this length exists, FAULT, DISPOSED
   */
  unwrapKey(ciphertext: Bytes, options: RsaPadding & { length: number }): Uint8Array<ArrayBuffer> {
    return this.#run(ciphertext, options, UNWRAP);
  }
}
