// What needs builds of the core that are made of its sources with something added. They are together in one file
// because making them takes most of the time, and the compiler's second run in a process a third of its first.
import { LEAKS } from "../ct/leaks.js";
import { kernelSuite } from "../ct/suite-ct.js";
import { leaksSuite } from "../ct/suite-leaks.js";
import "./rsa-products.js";
import { dropSuite } from "./suite-memory.js";

kernelSuite("simd", false);
leaksSuite("simd", LEAKS, false);
dropSuite("simd");
