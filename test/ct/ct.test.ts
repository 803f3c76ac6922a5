import { ctSuite, kernelSuite } from "./suite-ct.js";

ctSuite("core", "simd", false);
kernelSuite("simd", false);
