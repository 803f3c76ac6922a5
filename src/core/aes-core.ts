import { type Bytes, wrongKind } from "../arguments.js";
import { AesUnit } from "./aes.js";
import { AesGcm, type GcmCalls, gcmCalls } from "./aes-gcm.js";
import { AesKw, AesKwp } from "./aes-kw.js";
import { AesCtr } from "./aes-modes.js";
import { Instance } from "./instance.js";

/** The core's AES: what both of its builds have. */
export class AesCore {
  protected readonly instance: Instance;
  protected readonly aes: AesUnit;
  readonly #gcm: GcmCalls;

  constructor(instance: Instance) {
    if (!(instance instanceof Instance)) {
      throw wrongKind(instance, "the instance", "one that loadCore() or loadAes() made");
    }
    this.instance = instance;
    this.aes = new AesUnit(instance);
    this.#gcm = gcmCalls(instance);
  }

  /** The compiled WebAssembly, for another instance in another thread. */
  get module(): WebAssembly.Module {
    return this.instance.module;
  }

  // A prepared AES key takes a copy of the key of 16, 24 or 32 bytes, which `dispose()` wipes. There
  // may be any number of them.

  /**
   * A key for AES-GCM (NIST SP 800-38D).
   * @throws TwinwrapError BAD_ARGUMENT unless `key` has 16, 24 or 32 bytes
   */
  aesGcm(key: Bytes): AesGcm {
    return new AesGcm(this.aes, this.#gcm, key);
  }

  /**
   * A key for AES in counter mode (NIST SP 800-38A). Not authenticated.
   * @throws TwinwrapError BAD_ARGUMENT unless `key` has 16, 24 or 32 bytes
   */
  aesCtr(key: Bytes): AesCtr {
    return new AesCtr(this.aes, key);
  }

  /**
   * A key-encryption key for AES Key Wrap (RFC 3394): for keys.
   * @throws TwinwrapError BAD_ARGUMENT unless `kek` has 16, 24 or 32 bytes
   */
  aesKw(kek: Bytes): AesKw {
    return new AesKw(this.aes, kek);
  }

  /**
   * A key-encryption key for AES Key Wrap with Padding (RFC 5649): for key files.
   * @throws TwinwrapError BAD_ARGUMENT unless `kek` has 16, 24 or 32 bytes
   */
  aesKwp(kek: Bytes): AesKwp {
    return new AesKwp(this.aes, kek);
  }

  /**
   * What the calls without a copy read (`encryptWindow`, `decryptWindow`, `xorWindow`): 65,536 bytes of the
   * core's memory. Every other call writes over it.
   */
  get input(): Uint8Array {
    return this.instance.input;
  }

  /** What they write, as long. */
  get output(): Uint8Array {
    return this.instance.output;
  }

  /** Clears the windows through which data passed. */
  wipe(): void {
    this.instance.wipeWindows();
  }
}
