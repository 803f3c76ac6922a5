import { part } from "#embedded-aes";
import { AesCore } from "./aes-core.js";
import { Instance } from "./instance.js";
import { type CoreSource, compileCore, type LoadOptions } from "./load.js";
import { unpack } from "./parts.js";

// The core with AES alone, half the size, from the same sources.

export type { Bytes } from "../arguments.js";
export type { AesCore } from "./aes-core.js";
export type { AesGcm, GcmEncryptor, UnverifiedGcmDecryptor } from "./aes-gcm.js";
export type { AesKw, AesKwp } from "./aes-kw.js";
export type { AesCtr } from "./aes-modes.js";
export type { LoadOptions } from "./load.js";

const SOURCE: CoreSource = { parts: [part], assemble: () => unpack(part), simd: "core-aes.wasm" };

/**
 * Loads the core that has AES-GCM, AES-CTR and AES key wrap into an instance of its own.
 * @throws TwinwrapError BAD_ARGUMENT, UNSUPPORTED if the engine lacks WebAssembly SIMD
 */
export async function loadAes(options: LoadOptions = {}): Promise<AesCore> {
  return new AesCore(await Instance.create(await compileCore(SOURCE, options)));
}
