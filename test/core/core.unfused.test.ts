// The relaxed-SIMD build where a processor rounds twice to multiply and add: RSA takes the digits of 24 bits.
// The engine can be told so for x86 only (vitest.config.ts).
import { rsaSuite } from "./suite-rsa.js";
import { rsaInternalsSuite } from "./suite-rsa-internals.js";

rsaSuite({ build: "relaxed" });
rsaInternalsSuite({ build: "relaxed" }, process.arch === "x64" ? 24 : undefined);
