// Like embedding.ts, for the core with AES alone.
export { embedded } from "./embedded-aes.js";
