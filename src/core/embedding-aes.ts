// Like embedding-sealing.ts, for the core with AES alone. It has no relaxed-SIMD build.
import { text } from "./embedded-aes.js";
import type { Part } from "./parts.js";

export const part: Part = { text };
