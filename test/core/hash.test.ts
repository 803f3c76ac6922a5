import { hashSuite } from "./suite-hash.js";

hashSuite({ build: "simd" });
