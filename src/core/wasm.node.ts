import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { instantiateSync } from "@assemblyscript/loader";
import { hashes } from "./hashes.js";
import type { WasmFile } from "./wasm.js";

// Apart from the call: bundlers take `new URL(…, import.meta.url)` for a wish to have all those files copied.
const here = import.meta.url;

/**
 * As wasm.ts has it: in Node the builds stand beside the library, unless somebody bundled it away from them.
 * Then a file of that name may be anybody's, and a disk may have damaged ours: only what the build made is
 * taken. Reading it takes a fraction of the time that unpacking the embedded copy takes.
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
 * As wasm.ts has it, by the AssemblyScript loader: here its size does not matter. Its other call asks for
 * Response, for which Node loads all of fetch: 40 ms, and a WebAssembly of its own.
 */
export async function instantiate(module: WebAssembly.Module): Promise<Record<string, unknown>> {
  return instantiateSync(module, {}).exports as unknown as Record<string, unknown>;
}
