import "../core/rsa-products.js";
import { kernelSuite } from "./suite-ct.js";

// The compiler takes most of the time: its second run in a process takes a third of the first, so what needs a
// build of the core with its kernels is together.
kernelSuite("simd", false);
