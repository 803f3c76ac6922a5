/** The files of the core's builds. */
export type WasmFile = "core.wasm" | "core-relaxed.wasm" | "core-aes.wasm";

/**
 * The bytes of a build, where they are at hand without asking a network. In a browser they are not: there
 * the embedded copy serves, and a page hands in the URL of another (`LoadOptions.wasm`), so that no bundle
 * holds the core twice.
 */
export async function readWasm(_file: WasmFile): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return undefined;
}

/**
 * An instance's exports. The core imports nothing and its memory is fixed, so the platform's own call does all
 * that the AssemblyScript loader would do, without its 2.4 kB.
 */
export async function instantiate(module: WebAssembly.Module): Promise<Record<string, unknown>> {
  return (await WebAssembly.instantiate(module, {})).exports;
}
