import { aesSuite } from "./suite-aes.js";

aesSuite({ build: "simd" });
