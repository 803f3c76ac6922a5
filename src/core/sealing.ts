import { part } from "#embedded-sealing";
import type { Bytes } from "../arguments.js";
import { AesUnit } from "./aes.js";
import { GcmKey } from "./gcm-key.js";
import { digest, type HashName, hkdfExpand } from "./hash.js";
import type { Instance } from "./instance.js";
import type { CoreSource } from "./load.js";
import { unpack } from "./parts.js";
import { type RsaPublicComponents, RsaPublicKey } from "./rsa-public.js";
import { sharedAt } from "./shared.js";
import { Slots } from "./slots.js";

/** What sealing needs of the core: a page that only seals carries no more of it. */
export interface SealingCore {
  readonly module: WebAssembly.Module;
  aesGcm(key: Bytes): GcmKey;
  sha256(data: Bytes): Uint8Array<ArrayBuffer>;
  equal(a: Bytes, b: Bytes): boolean;
  hkdfExpand(hash: HashName, prk: Bytes, info: Bytes, length: number): Uint8Array<ArrayBuffer>;
  rsaPublicKey(components: RsaPublicComponents): RsaPublicKey;
}

/** Just that. {@link Core} does the same, and has all the rest. */
export class SealingOnly implements SealingCore {
  protected readonly instance: Instance;
  protected readonly rsaSlots: Slots;
  readonly #aes: AesUnit;

  constructor(instance: Instance) {
    this.instance = instance;
    this.rsaSlots = new Slots(instance.constant("RSA_SLOTS"));
    this.#aes = new AesUnit(instance);
  }

  get module(): WebAssembly.Module {
    return this.instance.module;
  }

  aesGcm(key: Bytes): GcmKey {
    return new GcmKey(this.#aes, key);
  }

  sha256(data: Bytes): Uint8Array<ArrayBuffer> {
    return digest(this.instance, "SHA-256", data);
  }

  equal(a: Uint8Array, b: Uint8Array): boolean {
    return this.instance.compare(a, b);
  }

  hkdfExpand(hash: HashName, prk: Bytes, info: Bytes, length: number): Uint8Array<ArrayBuffer> {
    return hkdfExpand(this.instance, hash, prk, info, length);
  }

  rsaPublicKey(components: RsaPublicComponents): RsaPublicKey {
    return new RsaPublicKey(this.instance, this.rsaSlots, components);
  }
}

const SOURCE: CoreSource = {
  parts: [part],
  assemble: () => unpack(part),
  simd: "core.wasm",
  relaxed: "core-relaxed.wasm",
};

/** The shared core, at least this much of it. @param isWorth see {@link sharedAt} */
export function sharedSealing(isWorth: boolean): Promise<SealingCore> {
  return sharedAt("sealing", SOURCE, (instance) => new SealingOnly(instance), isWorth);
}
