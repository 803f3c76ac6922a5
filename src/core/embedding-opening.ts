// Like embedding-sealing.ts, for what opening needs beside that.
import { text } from "./embedded-opening.js";
import type { Part } from "./parts.js";

export const part: Part = { text, relaxed: () => import("./embedded-opening-relaxed.js") };
