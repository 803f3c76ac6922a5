import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { instantiateSync } from "@assemblyscript/loader";
import { hashes } from "./hashes.js";
import type { WasmFile } from "./wasm.js";

// Literals: bundlers copy the one file that such a URL names, and lead it there. Of a name that is put together they
// copy all that it could be. Made when it is asked for: a bundle in CommonJS has no import.meta.
const URLS: Record<WasmFile, () => URL> = {
  "core.wasm": () => new URL("../core.wasm", import.meta.url),
  "core-relaxed.wasm": () => new URL("../core-relaxed.wasm", import.meta.url),
  "core-aes.wasm": () => new URL("../core-aes.wasm", import.meta.url),
};

/**
 * Like wasm.ts. In Node the builds lie beside the library, unless a bundler moved it away from them. Then a
 * file of that name may be anybody's, and a disk may have damaged ours: so only the exact file that the build
 * made counts. Reading it takes a fraction of the time that unpacking the embedded copy takes.
 */
export async function readWasm(file: WasmFile): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const bytes = await readFile(URLS[file]());
    const hash = createHash("sha256").update(bytes).digest("hex");
    return hash === hashes[file] ? new Uint8Array(bytes) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Like wasm.ts, by the AssemblyScript loader: here its size does not matter. Its other call asks for
 * Response, for which Node loads all of fetch: 40 ms, and a WebAssembly of its own.
 */
export async function instantiate(module: WebAssembly.Module): Promise<Record<string, unknown>> {
  return instantiateSync(module, {}).exports as unknown as Record<string, unknown>;
}
