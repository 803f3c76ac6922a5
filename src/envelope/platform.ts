import type { ChunkKeys } from "./cobblestone.js";
import { NativeCipher } from "./native.js";
import { type Direction, type Engine, LocalEngine } from "./segments.js";
import { WebCryptoEngine } from "./webcrypto.js";

/**
 * An engine on this thread that lets the platform do AES.
 * @param keys wiped by it, or with it
 */
export async function platformEngine(
  name: "webcrypto" | "native",
  keys: ChunkKeys,
  direction: Direction,
): Promise<Engine> {
  if (name === "webcrypto") return WebCryptoEngine.create(keys, direction);
  return new LocalEngine(new NativeCipher(keys), direction, { owned: true });
}
