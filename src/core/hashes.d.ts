import type { WasmFile } from "./wasm.js";

/** SHA-256 of each build, in hexadecimal; the build writes hashes.js beside the compiled code. */
export declare const hashes: Record<WasmFile, string>;
