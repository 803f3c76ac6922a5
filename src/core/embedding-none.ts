/**
 * In place of the embedded copies, for bundlers that are given the condition "twinwrap-wasm-url": the core is
 * fetched then, and no bundle carries it.
 */
export const embedded = "";
