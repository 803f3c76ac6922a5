import { readFile } from "node:fs/promises";

/** As relaxed.ts has it; in Node the build stands beside the library, unless somebody bundled it away. */
export async function readRelaxed(): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return new Uint8Array(await readFile(new URL("../core-relaxed.wasm", import.meta.url)));
  } catch {
    return undefined;
  }
}
