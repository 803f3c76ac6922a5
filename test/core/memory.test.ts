import { memorySuite } from "./suite-memory.js";

memorySuite("simd");
