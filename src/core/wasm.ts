/** The files of the core's builds. */
export type WasmFile = "core.wasm" | "core-relaxed.wasm" | "core-aes.wasm";

/**
 * The bytes of a build, if they are at hand without a network. In a browser they are not: there the
 * embedded copy serves. A page passes the URL of another build (`LoadOptions.wasm`), so that no bundle
 * holds the core twice.
 */
export async function readWasm(_file: WasmFile): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return undefined;
}

/**
 * An instance's exports. The core imports nothing and its memory is fixed, so the platform's own call does
 * everything that the AssemblyScript loader would, without its 2.4 kB.
 */
export async function instantiate(module: WebAssembly.Module): Promise<Record<string, unknown>> {
  return (await WebAssembly.instantiate(module, {})).exports;
}
