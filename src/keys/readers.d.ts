/** The readers of keys in a file of their own (lazily.ts, bundled), which the build writes beside the compiled code. */
export * from "./lazily.js";
