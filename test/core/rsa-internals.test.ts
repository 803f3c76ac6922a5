import { rsaInternalsSuite } from "./suite-rsa-internals.js";

rsaInternalsSuite({ build: "simd" }, 24);
