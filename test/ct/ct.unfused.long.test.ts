// The relaxed-SIMD build where a processor rounds twice to multiply and add: RSA takes the digits of 24 bits.
import { ctSuite, kernelSuite } from "./suite-ct.js";

ctSuite("core-relaxed", "relaxed", true);
kernelSuite("relaxed", true);
