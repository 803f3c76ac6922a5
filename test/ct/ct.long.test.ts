import { ctSuite, kernelSuite } from "./suite-ct.js";

ctSuite("core", "simd", true);
ctSuite("core-aes", "simd", true);
kernelSuite("simd", true);
