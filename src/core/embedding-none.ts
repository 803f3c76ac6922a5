import type { Part } from "./parts.js";

/**
 * Replaces the embedded copies for bundlers with the condition "twinwrap-wasm-url": then the core is fetched,
 * and no bundle carries it.
 */
export const part: Part = { text: "" };
