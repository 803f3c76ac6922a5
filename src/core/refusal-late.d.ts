/** refusal.ts, in one file that nothing but import() leads to; the build makes it. */
export * from "./refusal.js";
