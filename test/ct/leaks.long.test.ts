import { LEAKS } from "./leaks.js";
import { leaksSuite } from "./suite-leaks.js";

leaksSuite("simd", LEAKS, false);
