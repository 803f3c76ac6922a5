import { ctSuite } from "./suite-ct.js";

ctSuite("core", "simd", false);
