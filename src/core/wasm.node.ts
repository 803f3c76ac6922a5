import { readFile } from "node:fs/promises";
import { instantiate as load } from "@assemblyscript/loader";
import type { WasmFile } from "./wasm.js";

/**
 * As wasm.ts has it: in Node both builds stand beside the library, unless somebody bundled it away from
 * them. Reading one takes a fraction of the time that unpacking the embedded copy takes.
 */
export async function readWasm(file: WasmFile): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return new Uint8Array(await readFile(new URL(`../${file}`, import.meta.url)));
  } catch {
    return undefined;
  }
}

/** As wasm.ts has it, by the AssemblyScript loader: here its size does not matter. */
export async function instantiate(module: WebAssembly.Module): Promise<Record<string, unknown>> {
  return (await load(module, {})).exports as unknown as Record<string, unknown>;
}
