import { dropSuite, memorySuite } from "./suite-memory.js";

memorySuite("simd");
dropSuite("simd");
