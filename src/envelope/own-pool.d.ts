/** pool.ts once more, in a file that nothing but import() leads to; the build makes it. */
export * from "./pool.js";
