// "#embedded-sealing" unless the bundler has the condition "twinwrap-wasm-url".
import { text } from "./embedded-sealing.js";
import type { Part } from "./parts.js";

export const part: Part = { text, relaxed: () => import("./embedded-sealing-relaxed.js") };
