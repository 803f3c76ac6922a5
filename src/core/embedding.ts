// Like embedding-sealing.ts, for all the rest.
import { text } from "./embedded.js";
import type { Part } from "./parts.js";

export const part: Part = { text, relaxed: () => import("./embedded-relaxed.js") };
