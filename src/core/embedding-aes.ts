// As embedding.ts, for the core that has AES alone.
export { embedded } from "./embedded-aes.js";
