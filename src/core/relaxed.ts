/**
 * The relaxed-SIMD build's bytes, where they are at hand without asking a network. In a browser a page
 * hands its URL in (`LoadOptions.wasm`), so that no bundle holds the core twice.
 */
export async function readRelaxed(): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return undefined;
}
