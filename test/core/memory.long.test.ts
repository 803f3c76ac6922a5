import { dropSuite } from "./suite-memory.js";

dropSuite("simd");
