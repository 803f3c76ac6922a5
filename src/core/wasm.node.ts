import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { instantiateSync } from "@assemblyscript/loader";
import { hashes } from "./hashes.js";
import type { WasmFile } from "./wasm.js";

// Apart from the call: bundlers that see `new URL(…, import.meta.url)` copy all those files.
const here = import.meta.url;

/**
 * Like wasm.ts. In Node the builds lie beside the library, unless a bundler moved it away from them. Then a
 * file of that name may be anybody's, and a disk may have damaged ours: so only the exact file that the build
 * made counts. Reading it takes a fraction of the time that unpacking the embedded copy takes.
 */
export async function readWasm(file: WasmFile): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const bytes = await readFile(new URL(`../${file}`, here));
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
